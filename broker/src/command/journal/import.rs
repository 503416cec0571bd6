//! `kolejka journal import`: reads an export into a directory. What is there already is passed over, so that an import that
//! was cut short can be run again.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use kolejka::journal::inspect::{Load, Scribe, happened_at};
use kolejka::model::{
    Bound, DestinationId, DestinationName, Keyed, MessageId, Pattern, Position, Record, Replay, Timestamp,
};
use serde_json::Value;

use super::progress::Progress;
use super::spelling::{Imported, VERSION, to_message, to_record};
use super::{count, directory, failure, now};
use crate::args::Import;
use crate::command::output;
use crate::command::status::{Failure, Status};

/// Most octets of a line: a body of the largest size in Base64, and its headers.
const LINE_BYTES_MAX: u64 = 256 << 20;

/// Most records about queues and jobs that are written together.
const HEADS_AT_ONCE: usize = 1000;

/// What is in the directory.
#[derive(Debug, Default)]
struct Present {
    names: BTreeMap<DestinationName, DestinationId>,
    newest: u64,
    /// Where messages are, and whether anything has happened to them since.
    messages: BTreeMap<MessageId, (Position, bool)>,
}

impl Replay for Present {
    fn record(&mut self, record: Record, position: Option<Position>) {
        match (record, position) {
            (Record::Created { destination, name }, _) => {
                self.newest = self.newest.max(destination.0);
                self.names.insert(name, destination);
            }
            (Record::Deleted { destination }, _) => self.names.retain(|_, known| *known != destination),
            (Record::Unbound { queue }, _) => self.names.retain(|_, known| *known != queue),
            (Record::Accepted(accepted), Some(position)) => {
                self.messages.insert(accepted.message, (position, false));
            }
            (Record::Moved(moved), _) => self.changed(moved.message),
            (Record::Returned(returned), _) => self.changed(returned.message),
            _ => {}
        }
    }
}

impl Present {
    fn changed(&mut self, message: MessageId) {
        if let Some((_, is_changed)) = self.messages.get_mut(&message) {
            *is_changed = true;
        }
    }
}

/// Status 0 if everything is there now; 65 if the export is not complete or makes no sense.
pub(crate) fn import(arguments: &Import) -> Result<Status, Failure> {
    let directory = directory(&arguments.directory)?;
    let mut input = open(&arguments.file)?;
    let mut present = Present::default();
    let scribe = Scribe::open(&directory, &mut present, now()).map_err(|error| failure(&directory, &error))?;
    let mut importing = Importing {
        directory: &directory,
        scribe,
        present,
        numbers: BTreeMap::new(),
        load: Load::default(),
        heads: Vec::new(),
        line: 0,
        imported: 0,
        passed_over: 0,
        end: None,
    };
    let mut progress = Progress::new();
    let outcome = importing.read(input.as_mut(), &mut progress);
    progress.clear();
    // Also after a failure: what was read so far is sound.
    let written = importing.write();
    let Importing { scribe, imported, passed_over, end, .. } = importing;
    let finished = scribe.finish().map_err(|error| failure(&directory, &error));
    outcome.and(written).and(finished)?;
    let Some(is_complete) = end else {
        return Err(Failure::new(
            Status::Damaged,
            "the export ends early: what was in it is there, import it again when it is whole",
        ));
    };
    let there = if passed_over > 0 { format!(", {passed_over} were there") } else { String::new() };
    output::print(&format!("imported  {}{there}\n", count(imported, "message", "messages")))?;
    if !is_complete {
        output::tell("the export says that messages were left out because they could not be read");
    }
    Ok(Status::Done)
}

#[expect(clippy::disallowed_methods, reason = "the file that the command line names")]
fn open(file: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let opened = std::fs::File::open(file);
    let opened = opened.map_err(|error| Failure::new(Status::Io, format!("{}: {error}", file.display())))?;
    Ok(Box::new(BufReader::new(opened)))
}

/// An import that is going on.
struct Importing<'a> {
    directory: &'a Path,
    scribe: Scribe,
    present: Present,
    /// What destinations of the export are called here.
    numbers: BTreeMap<u64, DestinationId>,
    load: Load,
    heads: Vec<Record>,
    line: u64,
    imported: u64,
    passed_over: u64,
    /// The end was read, and says whether the export is complete.
    end: Option<bool>,
}

impl Importing<'_> {
    fn read(&mut self, input: &mut dyn BufRead, progress: &mut Progress) -> Result<(), Failure> {
        let mut text = String::new();
        while self.end.is_none() {
            text.clear();
            self.line += 1;
            if (&mut *input).take(LINE_BYTES_MAX).read_line(&mut text)? == 0 {
                break;
            }
            let line: Value = match serde_json::from_str(&text) {
                Ok(line) => line,
                // The last line may have been cut.
                Err(_) if !text.ends_with('\n') => break,
                Err(error) => return Err(self.senseless(&error.to_string())),
            };
            self.take(&line)?;
            progress.count(self.imported);
        }
        Ok(())
    }

    fn senseless(&self, what: &str) -> Failure {
        Failure::new(Status::Damaged, format!("line {} is not of an export: {what}", self.line))
    }

    fn take(&mut self, line: &Value) -> Result<(), Failure> {
        if self.line == 1 {
            let is_ours = line.get("kolejka").and_then(Value::as_str) == Some("export");
            return match line.get("version").and_then(Value::as_u64) {
                Some(VERSION) if is_ours => Ok(()),
                _ => Err(self.senseless("an export begins with its version, 1")),
            };
        }
        if line.get("message").is_some() {
            return self.take_message(line);
        }
        if let Some(true) = line.get("end").and_then(Value::as_bool) {
            let below = line.get("suspected").and_then(Value::as_u64).unwrap_or_default();
            if below > 0 {
                self.heads.push(Record::Suspected { below });
            }
            self.end = Some(line.get("complete").and_then(Value::as_bool).unwrap_or_default());
            return Ok(());
        }
        let Some(records) = self.head(line) else { return Err(self.senseless("its fields make no sense")) };
        self.heads.extend(records);
        if self.heads.len() >= HEADS_AT_ONCE { self.write_heads() } else { Ok(()) }
    }

    /// What is said beside messages; nothing to write if it is there already.
    fn head(&mut self, line: &Value) -> Option<Vec<Record>> {
        if let Some(name) = line.get("destination") {
            let name = DestinationName::from_full(name.as_str()?).ok()?;
            let number = line.get("number")?.as_u64()?;
            if let Some(known) = self.present.names.get(&name) {
                self.numbers.insert(number, *known);
                return Some(Vec::new());
            }
            self.present.newest += 1;
            let destination = DestinationId(self.present.newest);
            self.numbers.insert(number, destination);
            self.present.names.insert(name.clone(), destination);
            return Some(vec![Record::Created { destination, name }]);
        }
        if let Some(next) = line.get("next_id") {
            return Some(vec![Record::IdBlock { next: next.as_u64()? }]);
        }
        if let Some(status) = line.get("status") {
            return to_record(status, DestinationId(0)).map(|record| vec![record]);
        }
        let queue = *self.numbers.get(&line.get("number")?.as_u64()?)?;
        if line.get("binding").is_some() {
            let topics = Pattern::parse(line.get("topics")?.as_str()?).ok()?;
            let selector = line.get("selector").and_then(Value::as_str).map(Into::into);
            let expires_after = line.get("expires_after").and_then(Value::as_u64);
            return Some(vec![Record::Bound(Bound { queue, topics, expires_after, selector })]);
        }
        if let Some(key) = line.get("seen") {
            let at = Timestamp(line.get("at")?.as_u64()?);
            return Some(vec![Record::Keyed(Keyed { queue, key: key.as_str()?.into(), at })]);
        }
        to_record(line.get("limits").or_else(|| line.get("paused"))?, queue).map(|record| vec![record])
    }

    fn take_message(&mut self, line: &Value) -> Result<(), Failure> {
        let number = line.get("number").and_then(Value::as_u64).and_then(|number| self.numbers.get(&number));
        let queue = *number.ok_or_else(|| self.senseless("its queue was not named before"))?;
        let Imported { accepted, changes } =
            to_message(line, queue).map_err(|field| self.senseless(&format!("`{field}` makes no sense")))?;
        if let Some((position, is_changed)) = self.present.messages.get(&accepted.message).copied() {
            let there = self.scribe.reader().read(position).ok();
            if there != accepted.content {
                let text =
                    format!("message {} is another one there: import into a directory of its own", accepted.message);
                return Err(Failure::new(Status::No, text));
            }
            self.passed_over += 1;
            let missing = if is_changed { Vec::new() } else { changes };
            let missing = missing.into_iter().map(|change| happened_at(change, position)).collect();
            return self.append(missing);
        }
        self.write_heads()?;
        self.imported += 1;
        self.load.push(&mut self.scribe, accepted, changes).map_err(|error| failure(self.directory, &error))
    }

    fn write_heads(&mut self) -> Result<(), Failure> {
        let heads = std::mem::take(&mut self.heads);
        self.append(heads)
    }

    fn append(&mut self, records: Vec<Record>) -> Result<(), Failure> {
        self.scribe.append(records).map(|_| ()).map_err(|error| failure(self.directory, &error))
    }

    fn write(&mut self) -> Result<(), Failure> {
        self.write_heads()?;
        self.load.write(&mut self.scribe).map(|_| ()).map_err(|error| failure(self.directory, &error))
    }
}
