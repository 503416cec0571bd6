//! Standard output and standard error, for text that a person or a pipe reads.

use std::io::{self, Write as _};

use super::status::{Failure, Status};

/// Prints a text that is the result of a command.
pub(crate) fn print(text: &str) -> Result<Status, Failure> {
    print_octets(text.as_bytes())?;
    Ok(Status::Done)
}

/// Prints octets as they are. A reader who went away (`| head`) is no failure of ours, but the end of what there is to do.
pub(super) fn print_octets(octets: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(octets)
        .and_then(|()| out.flush())
        .map_err(|error| Failure::new(Status::Io, format!("cannot print: {error}")))
}

/// Says something beside the result.
pub(super) fn tell(line: &str) {
    // Nobody reads standard error: then nobody misses it.
    let _ = writeln!(io::stderr(), "{line}");
}

/// A text from elsewhere, fit for a terminal: what could move the cursor or change colours is spelled out.
pub(super) fn printable(text: &str, keep_lines: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let is_kept = keep_lines && matches!(character, '\n' | '\t');
        // Characters that turn the direction of writing can make one text look like another.
        let is_turning =
            matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if (character.is_control() && !is_kept) || is_turning {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}
