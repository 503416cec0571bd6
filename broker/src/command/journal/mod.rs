//! `kolejka journal`: tools for a data directory that no broker uses.

mod drop;
mod dump;
mod export;
mod import;
mod progress;
mod repair;
mod shown;
mod spelling;
mod verify;

use std::path::{Path, PathBuf};

use kolejka::journal::OpenError;
use kolejka::journal::inspect::Inspection;
use kolejka::model::Timestamp;

pub(crate) use self::drop::drop_from_journal;
pub(crate) use self::dump::dump;
pub(crate) use self::export::export;
pub(crate) use self::import::import;
pub(crate) use self::repair::repair;
pub(crate) use self::verify::verify;
use super::config::load;
use super::status::{Failure, Status};
use crate::args::{DataDirectory, Serve};

/// The directory that is meant. The configuration is read only if the command line does not say it: it may be what is wrong.
fn directory(wanted: &DataDirectory) -> Result<PathBuf, Failure> {
    match &wanted.data {
        Some(data) => Ok(data.clone()),
        None => Ok(load(&Serve { config: wanted.config.clone(), ..Serve::default() })?.config.data),
    }
}

fn inspect(directory: &Path) -> Result<Inspection, Failure> {
    Inspection::open(directory).map_err(|error| failure(directory, &error))
}

/// What the journal says, with the status of a broker that ends with it.
pub(super) fn failure(directory: &Path, error: &OpenError) -> Failure {
    let status = match error {
        OpenError::Locked => Status::TimedOut,
        OpenError::Damaged { .. } | OpenError::Newer { .. } => Status::Damaged,
        _ => Status::Io,
    };
    let remedy = match error {
        OpenError::Locked => ": stop the broker first, or take a copy of the directory",
        _ => "",
    };
    Failure::new(status, format!("{}: {error}{remedy}", directory.display()))
}

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "a command is a shell")]
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A number and what is counted.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
