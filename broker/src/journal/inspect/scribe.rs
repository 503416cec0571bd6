//! Writes into a journal without a broker and without its threads: what it says is written is durable.

use std::path::Path;
use std::sync::Arc;

use super::super::appender::Appender;
use super::super::change::Arrival;
use super::super::fanout;
use super::super::fs::{Disk, FileSystem};
use super::super::record;
use super::super::stored;
use super::super::stored::{Back, Stored};
use super::super::work::{Step, Unit, Work};
use super::super::{Journal, OpenError, Options, Recovered};
use crate::model::{
    LogReader, MessageId, Moved, Position, Record, Replay, Returned, ShardId, Terms, Ticket, Timestamp,
};

/// A journal that is written to directly.
#[derive(Debug)]
pub struct Scribe {
    appender: Appender,
    last: Ticket,
    wall: Timestamp,
    /// What was found when it was opened.
    pub recovered: Recovered,
}

/// Tells everything on, and keeps the high-water mark of ids.
struct Listening<'a> {
    replay: &'a mut dyn Replay,
    next_id: u64,
}

impl Replay for Listening<'_> {
    fn record(&mut self, record: Record, position: Option<Position>) {
        if let Record::IdBlock { next } = &record {
            self.next_id = *next;
        }
        self.replay.record(record, position);
    }
}

impl Scribe {
    /// Opens the journal of a directory, as a broker that starts does; makes one if there is none.
    pub fn open(directory: &Path, replay: &mut dyn Replay, now: Timestamp) -> Result<Scribe, OpenError> {
        let disk = Disk::at(directory).map_err(|error| OpenError::io(directory.display().to_string(), error))?;
        Scribe::over(Options::new(directory), Arc::new(disk), replay, now)
    }

    /// The same, over any file system.
    pub fn over(
        options: Options,
        fs: Arc<dyn FileSystem>,
        replay: &mut dyn Replay,
        now: Timestamp,
    ) -> Result<Scribe, OpenError> {
        // Nothing is refused for lack of room that there is.
        let options = Options { disk_reserve_bytes: 0, spare_segments: 1, spares_thread: false, ..options };
        let mut listening = Listening { replay, next_id: 0 };
        let opened = Journal::open(options, fs, &mut listening, now)?;
        let below = listening.next_id;
        let (appender, recovered) = (opened.journal.appender, opened.recovered);
        let mut scribe = Scribe { appender, last: Ticket::default(), wall: now, recovered };
        if !recovered.clean && below > 0 {
            // The next start finds an orderly stop, and has to know of the one before.
            scribe.append(vec![Record::Suspected { below }])?;
        }
        Ok(scribe)
    }

    /// Writes records as one unit, which is durable then, and says where its messages are.
    pub fn append(&mut self, records: Vec<Record>) -> Result<Vec<Position>, OpenError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        self.last.0 += 1;
        let accepted = records.iter().filter(|record| matches!(record, Record::Accepted(_))).count() as u32;
        let (bytes, wall) = (fanout::unit_bytes(&records), self.wall);
        let unit = Unit { ticket: self.last, records: records.len(), bytes, accepted, wall };
        let mut work = Work::default();
        work.records.extend(records);
        work.units.push(unit);
        match self.appender.advance(&mut work) {
            Ok(Step::NoRoom) => Err(OpenError::io("the journal", std::io::ErrorKind::StorageFull.into())),
            Ok(_) => Ok(std::mem::take(&mut self.appender.positions)),
            Err(error) => Err(OpenError::io("the journal", error)),
        }
    }

    /// Reads messages that are there.
    pub fn reader(&self) -> Arc<dyn LogReader> {
        self.appender.shelf.clone()
    }

    /// Ends it in good order.
    pub fn finish(mut self) -> Result<(), OpenError> {
        self.appender.stop().map_err(|error| OpenError::io("the journal", error))
    }
}

/// A record as the log spells it, for one that is no message.
pub fn encode(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    record::put_record(&mut bytes, record);
    bytes
}

/// Back from [`encode`], for what is said of jobs and queues, and for what happened to a message: its id and size are not
/// spelled there. `None` for anything else.
pub fn decode(mut bytes: &[u8]) -> Option<Record> {
    let stored = stored::take(&mut bytes, 0)?;
    if !bytes.is_empty() {
        return None;
    }
    match stored {
        Stored::Job(record) | Stored::Ordered(record) => Some(record),
        Stored::Moved { position, from, arrival } => {
            let (message, Arrival { to, place, note, carried }) = (nobody(position), arrival);
            let (from_place, size) = (place, 0);
            Some(Record::Moved(Moved { message, position, from, from_place, to, to_place: place, size, note, carried }))
        }
        Stored::Returned(Back { position, destination, place, attempts, nacks, standing }) => {
            let message = nobody(position);
            Some(Record::Returned(Returned { destination, message, place, position, attempts, nacks, standing }))
        }
        _ => None,
    }
}

fn nobody(position: Position) -> MessageId {
    MessageId::new(position.shard(), 0)
}

/// What the sender of a message said, as the log spells it.
pub fn encode_terms(terms: &Terms) -> Vec<u8> {
    let (mut bytes, nowhere) = (Vec::new(), Position::new(ShardId::default(), 0));
    record::put_agreed(&mut bytes, nowhere, terms);
    if let Some(schedule) = &terms.schedule {
        record::put_planned(&mut bytes, nowhere, schedule);
    }
    bytes
}

/// Back from [`encode_terms`].
pub fn decode_terms(mut bytes: &[u8]) -> Option<Terms> {
    let Stored::Terms { terms, .. } = stored::take(&mut bytes, 0)? else { return None };
    let mut terms = *terms;
    if !bytes.is_empty() {
        let Stored::Planned { schedule, .. } = stored::take(&mut bytes, 0)? else { return None };
        terms.schedule = Some(schedule);
    }
    bytes.is_empty().then_some(terms)
}
