//! `kolejka journal repair`: keeps what is sound, and every original.

use std::path::Path;
use std::sync::Arc;

use kolejka::journal::inspect::{Repaired, repair as repair_directory};
use kolejka::journal::{Disk, FileSystem, Options};
use serde_json::json;

use super::progress::Progress;
use super::verify::{print_finding, verify};
use super::{count, directory, failure, now, shown};
use crate::args::{Repair, Verify};
use crate::command::output;
use crate::command::status::{Failure, Status};

/// Status 0 if the directory is sound now; without `--quarantine`, that of `verify`.
pub(crate) fn repair(arguments: &Repair) -> Result<Status, Failure> {
    if !arguments.quarantine {
        let status = verify(&Verify { json: arguments.json, directory: arguments.directory.clone() })?;
        if status == Status::Damaged {
            output::tell(
                "nothing was changed. With --quarantine what can be read goes into a fresh store, and all files of the \
                 old one to quarantine/ in the data directory",
            );
        }
        return Ok(status);
    }
    let directory = directory(&arguments.directory)?;
    let (mut progress, mut printed) = (Progress::new(), Ok(Status::Done));
    let fs = open(&directory)?;
    let repaired = repair_directory(&fs, &Options::new(&directory), now(), &shown::json, &mut |finding| {
        print_finding(&finding, arguments.json, &mut progress, &mut printed);
    })
    .map_err(|error| failure(&directory, &error))?;
    progress.clear();
    let text = if arguments.json { outcome_json(repaired.as_ref()) } else { outcome(&directory, repaired.as_ref()) };
    output::print(&format!("{text}\n"))
}

/// A directory that is there: a repair makes none.
fn open(directory: &Path) -> Result<Arc<dyn FileSystem>, Failure> {
    let io = |error| Failure::new(Status::Io, format!("{}: {error}", directory.display()));
    Disk::to_read(directory).map_err(io)?;
    Ok(Arc::new(Disk::at(directory).map_err(io)?))
}

fn outcome(directory: &Path, repaired: Option<&Repaired>) -> String {
    match repaired {
        None => "ok  nothing is damaged, and nothing was changed".to_owned(),
        Some(repaired) if repaired.is_resumed => format!(
            "repaired  an earlier repair was carried to its end; what was there, and which messages are lost: {}/{}",
            directory.display(),
            repaired.quarantine
        ),
        Some(Repaired { kept, lost, quarantine, .. }) => format!(
            "repaired  {} kept, {lost} lost; what was there, and which those are: {}/{quarantine}",
            count(*kept, "message", "messages"),
            directory.display()
        ),
    }
}

fn outcome_json(repaired: Option<&Repaired>) -> String {
    repaired
        .map_or_else(
            || json!({"repaired": false}),
            |it| {
                json!({"repaired": true, "resumed": it.is_resumed, "kept": it.kept, "lost": it.lost,
                    "quarantine": it.quarantine})
            },
        )
        .to_string()
}
