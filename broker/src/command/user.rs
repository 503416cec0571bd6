//! `kolejka user`: passwords become what may be written into a file.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use crate::args::Hash;

use super::output;
use super::status::{Failure, Status};

/// More than any password may have, so that the limit is found by the one who knows it.
const MAX_LINE_BYTES: u64 = 4096;

/// `kolejka user hash`: the first line of standard input is the password.
pub(crate) fn hash_password(arguments: &Hash) -> Result<Status, Failure> {
    if io::stdin().is_terminal() && !arguments.password_stdin {
        return Err(Failure::new(
            Status::Usage,
            "the password would be seen on the terminal; pipe it in: kolejka user hash < FILE, or add --password-stdin",
        ));
    }
    let mut line = String::new();
    io::stdin().lock().take(MAX_LINE_BYTES).read_line(&mut line)?;
    let password = line.trim_end_matches(['\n', '\r']);
    let hash = kolejka::auth::hash_password(password).map_err(|error| Failure::new(Status::No, error.to_string()))?;
    output::print(&format!("{hash}\n"))
}
