//! `kolejka journal verify`: everything is read, nothing is changed.

use kolejka::journal::inspect::Finding;

use super::progress::Progress;
use super::{directory, failure, inspect, shown};
use crate::args::Verify;
use crate::command::output;
use crate::command::status::{Failure, Status};

/// Status 0 if all is sound, 65 if something is damaged.
pub(crate) fn verify(arguments: &Verify) -> Result<Status, Failure> {
    let directory = directory(&arguments.directory)?;
    let inspection = inspect(&directory)?;
    let (mut progress, mut printed) = (Progress::new(), Ok(Status::Done));
    let checked = inspection
        .check(&mut |finding| print_finding(&finding, arguments.json, &mut progress, &mut printed))
        .map_err(|error| failure(&directory, &error))?;
    progress.clear();
    printed?;
    let outcome = if arguments.json { shown::outcome_json(&checked) } else { shown::outcome(&checked) };
    output::print(&format!("{outcome}\n"))?;
    Ok(if checked.is_sound() { Status::Done } else { Status::Damaged })
}

/// Prints a finding, or how far it is.
pub(super) fn print_finding(
    finding: &Finding,
    json: bool,
    progress: &mut Progress,
    printed: &mut Result<Status, Failure>,
) {
    if let Finding::Progress { done, total } = finding {
        return progress.show(*done, *total);
    }
    let line = if json { shown::json(finding) } else { shown::text(finding) };
    if let Some(line) = line.filter(|_| printed.is_ok()) {
        progress.clear();
        *printed = output::print(&format!("{line}\n"));
    }
}
