//! `kolejka journal export`: all that a broker would find here, as lines of JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use kolejka::model::{Accepted, Bound, DestinationId, LogReader, Position, Record, Replay};
use serde_json::{Value, json};

use super::dump::full_name;
use super::progress::Progress;
use super::spelling::{Exported, VERSION, of_message, of_record};
use super::{count, directory, failure, inspect};
use crate::args::Export;
use crate::command::output;
use crate::command::status::{Failure, Status};

/// Status 0 if all was exported, 65 if messages could not be read.
pub(crate) fn export(arguments: &Export) -> Result<Status, Failure> {
    let directory = directory(&arguments.directory)?;
    let inspection = inspect(&directory)?;
    let out: Box<dyn Write> = match &arguments.output {
        Some(file) => Box::new(create(file)?),
        None => Box::new(io::stdout().lock()),
    };
    let mut exporting = Exporting {
        out: BufWriter::new(out),
        reader: inspection.reader(),
        wanted: arguments.queue.iter().map(|name| full_name(name)).collect(),
        numbers: BTreeMap::new(),
        created: BTreeMap::new(),
        left_out: BTreeSet::new(),
        last: None,
        next_id: 0,
        suspected: 0,
        messages: 0,
        unreadable: 0,
        error: None,
        progress: Progress::new(),
    };
    exporting.line(&json!({"kolejka": "export", "version": VERSION}));
    let state = inspection.replay(&mut exporting).map_err(|error| failure(&directory, &error))?;
    exporting.finish(state.clean)
}

/// A file that only its owner may read; one that is there is left alone.
#[expect(clippy::disallowed_methods, reason = "the file that the command line names")]
fn create(file: &Path) -> Result<std::fs::File, Failure> {
    let options = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    options.map_err(|error| Failure::new(Status::CannotCreate, format!("{}: {error}", file.display())))
}

/// Writes what it is told.
struct Exporting<'a> {
    out: BufWriter<Box<dyn Write + 'a>>,
    reader: Arc<dyn LogReader>,
    /// The queues that are wanted; all if there is none.
    wanted: BTreeSet<String>,
    /// The numbers that destinations have in the export, and their names.
    numbers: BTreeMap<DestinationId, (u64, String)>,
    /// Destinations and what feeds them, of which some may turn out to be gone.
    created: BTreeMap<DestinationId, (String, Option<Bound>)>,
    /// Destinations that are left out: not wanted, or going.
    left_out: BTreeSet<DestinationId>,
    /// The last message, of which more may be said.
    last: Option<(Accepted, Position, Vec<Record>)>,
    next_id: u64,
    suspected: u64,
    messages: u64,
    unreadable: u64,
    error: Option<io::Error>,
    progress: Progress,
}

impl Exporting<'_> {
    fn line(&mut self, line: &Value) {
        if self.error.is_none() {
            self.error = writeln!(self.out, "{line}").err();
        }
    }

    /// The number and name of a destination that is exported.
    fn number(&self, destination: DestinationId) -> Option<(u64, String)> {
        self.numbers.get(&destination).cloned()
    }

    /// What was held back until the next record.
    fn pass_on(&mut self) {
        for (destination, (name, bound)) in std::mem::take(&mut self.created) {
            if self.wanted.is_empty() || self.wanted.contains(&name) {
                let number = self.numbers.len() as u64 + 1;
                self.line(&json!({"destination": name, "number": number}));
                if let Some(Bound { topics, selector, expires_after, .. }) = &bound {
                    let (topics, selector) = (topics.as_str(), selector.as_deref());
                    self.line(&json!({"binding": name, "number": number, "topics": topics, "selector": selector,
                        "expires_after": expires_after}));
                }
                self.numbers.insert(destination, (number, name));
            } else {
                self.left_out.insert(destination);
            }
        }
        let Some((accepted, position, changes)) = self.last.take() else { return };
        let Some((number, name)) = self.number(accepted.destination) else {
            if !self.left_out.contains(&accepted.destination) {
                self.leave_out(
                    &accepted,
                    &format!("no queue (number {})", accepted.destination.0),
                    "a start refuses it",
                );
            }
            return;
        };
        match self.reader.read(position) {
            Ok(content) => {
                let queue = (number, name.as_str());
                let line = of_message(&Exported { accepted: &accepted, content: &content, changes: &changes, queue });
                self.line(&line);
                self.messages += 1;
                self.progress.count(self.messages);
            }
            Err(error) => self.leave_out(&accepted, &name, &error.to_string()),
        }
    }

    fn leave_out(&mut self, accepted: &Accepted, queue: &str, why: &str) {
        self.progress.clear();
        output::tell(&format!("message {} of {queue} is left out: {why}", accepted.message));
        self.unreadable += 1;
    }

    fn head(&mut self, record: &Record) {
        let line = match record {
            Record::Keyed(keyed) => self
                .number(keyed.queue)
                .map(|(number, name)| json!({"seen": &*keyed.key, "at": keyed.at.0, "queue": name, "number": number})),
            Record::Limited(limited) => self
                .number(limited.queue)
                .map(|(number, name)| json!({"limits": of_record(record), "queue": name, "number": number})),
            Record::Paused(paused) => self
                .number(paused.queue)
                .map(|(number, name)| json!({"paused": of_record(record), "queue": name, "number": number})),
            Record::Tracked(status) => {
                let name = status.queue.as_str();
                let is_wanted = self.wanted.is_empty() || self.wanted.contains(name);
                is_wanted.then(|| json!({"job": status.job.to_string(), "queue": name, "status": of_record(record)}))
            }
            Record::IdBlock { next } => {
                self.next_id = *next;
                Some(json!({"next_id": next}))
            }
            Record::Suspected { below } => {
                self.suspected = *below;
                None
            }
            _ => None,
        };
        if let Some(line) = line {
            self.line(&line);
        }
    }

    fn finish(mut self, clean: bool) -> Result<Status, Failure> {
        self.pass_on();
        // After a stop that was not orderly all of them may have been out.
        let suspected = if clean { self.suspected } else { self.next_id };
        let (messages, is_complete) = (self.messages, self.unreadable == 0);
        self.line(&json!({"end": true, "messages": messages, "suspected": suspected, "complete": is_complete}));
        self.progress.clear();
        let flushed = self.out.flush();
        self.error.map_or(flushed, Err).map_err(|error| Failure::new(Status::Io, format!("cannot write: {error}")))?;
        output::tell(&format!("exported  {}", count(messages, "message", "messages")));
        Ok(if is_complete { Status::Done } else { Status::Damaged })
    }
}

impl Replay for Exporting<'_> {
    fn record(&mut self, record: Record, position: Option<Position>) {
        match (record, position) {
            (change @ (Record::Moved(_) | Record::Returned(_)), _) => {
                if let Some((_, _, changes)) = &mut self.last {
                    changes.push(change);
                }
            }
            (Record::Accepted(accepted), Some(position)) => {
                self.pass_on();
                self.last = Some((accepted, position, Vec::new()));
            }
            // What is in a queue that is not fed any more is going, as the queue is.
            (Record::Deleted { destination: gone } | Record::Unbound { queue: gone }, _) => {
                self.created.remove(&gone);
                self.left_out.insert(gone);
            }
            (Record::Created { destination, name }, _) => {
                self.created.insert(destination, (name.as_str().to_owned(), None));
            }
            (Record::Bound(bound), _) => {
                if let Some((_, feed)) = self.created.get_mut(&bound.queue) {
                    *feed = Some(bound);
                }
            }
            (head, _) => {
                self.pass_on();
                self.head(&head);
            }
        }
    }
}
