//! What every log must do, as checks that any of them can be put through: the memory log, the disk journal on the crash
//! disk and on a real one, and whatever comes later.
//!
//! A check panics with what is wrong. It must not know which log it has before it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::model::{Accepted, Content, DeathNote, DeathReason, DestinationId, DestinationName, Durable, Log, LogError};
use crate::model::{LogReader, LogSink, MessageId, Moved, Place, Position, Record, Replay, Returned, Settled, ShardId};
use crate::model::{Ticket, Timestamp, Urgency};

/// A log under test, which can be opened again and again.
pub trait Subject {
    /// The shard of its positions.
    fn shard(&self) -> ShardId;

    /// Opens it and replays what is there.
    fn open(&mut self, sink: Arc<dyn LogSink>, replay: &mut dyn Replay) -> (Box<dyn Log>, Arc<dyn LogReader>);

    /// Lets what was appended become durable, if that does not happen by itself.
    fn settle(&mut self);

    /// Ends this opening: in good order, or as a power cut does. The log was dropped before.
    fn close(&mut self, orderly: bool);
}

/// A sink that remembers.
#[derive(Debug, Default)]
pub struct Witness {
    seen: Mutex<Seen>,
    changed: Condvar,
}

/// What a witness saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The newest durable ticket.
    pub through: Ticket,
    /// Every position, in order.
    pub positions: Vec<Position>,
    /// The end, if it has come.
    pub failed: Option<LogError>,
}

impl Witness {
    /// Waits until that ticket is durable, or the log has failed, and gives what was seen by then.
    pub fn wait(&self, ticket: Ticket) -> Seen {
        let waiting = |seen: &mut Seen| seen.through < ticket && seen.failed.is_none();
        self.changed.wait_while(self.seen(), waiting).unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogSink for Witness {
    fn durable(&self, durable: Durable<'_>) {
        let mut seen = self.seen();
        assert!(seen.failed.is_none(), "nothing becomes durable after the end");
        assert!(durable.through > seen.through, "tickets resolve in order, each once");
        seen.through = durable.through;
        seen.positions.extend_from_slice(durable.positions);
        self.changed.notify_all();
    }

    fn failed(&self, error: LogError) {
        let mut seen = self.seen();
        assert!(seen.failed.is_none(), "a log fails once");
        seen.failed = Some(error);
        self.changed.notify_all();
    }
}

/// The state that records add up to: the simplest engine there could be.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Destinations that exist.
    pub destinations: BTreeMap<DestinationId, DestinationName>,
    /// Highest number of a destination ever.
    pub newest: Option<DestinationId>,
    /// Messages that are there.
    pub messages: BTreeMap<MessageId, Kept>,
    /// Ids below this may be in use.
    pub next_id: u64,
}

/// One message of a [`Ledger`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its queue.
    pub destination: DestinationId,
    /// Its place there.
    pub place: Place,
    /// Octets.
    pub size: u32,
    /// Failed deliveries.
    pub attempts: u16,
    /// Why it was moved.
    pub note: Option<Arc<DeathNote>>,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "destinations {:?} newest {:?} next id {}", self.destinations, self.newest, self.next_id)?;
        self.messages.iter().try_for_each(|(message, kept)| writeln!(f, "  {message} {kept:?}"))
    }
}

impl Ledger {
    /// Changes the state by one record.
    pub fn apply(&mut self, record: &Record) {
        match record {
            Record::Created { destination, name } => {
                self.newest = self.newest.max(Some(*destination));
                self.destinations.insert(*destination, name.clone());
            }
            Record::Deleted { destination } => drop(self.destinations.remove(destination)),
            Record::Accepted(Accepted { destination, message, place, size, .. }) => {
                let (destination, place, size) = (*destination, *place, *size);
                let old = self.messages.insert(*message, Kept { destination, place, size, attempts: 0, note: None });
                assert!(old.is_none(), "message {message} came twice");
                assert!(self.destinations.contains_key(&destination), "message {message} came into no queue");
            }
            Record::Settled(settled) => drop(self.messages.remove(&settled.message)),
            Record::Returned(returned) => {
                if let Some(kept) = self.messages.get_mut(&returned.message) {
                    assert_eq!((kept.destination, kept.place), (returned.destination, returned.place));
                    kept.attempts = returned.attempts;
                }
            }
            Record::Moved(moved) => {
                if let Some(kept) = self.messages.get_mut(&moved.message) {
                    assert_eq!((kept.destination, kept.place), (moved.from, moved.from_place));
                    (kept.destination, kept.place) = (moved.to, moved.to_place);
                    (kept.attempts, kept.note) = (0, Some(moved.note.clone()));
                }
            }
            Record::IdBlock { next } => self.next_id = self.next_id.max(*next),
        }
    }
}

/// A [`Ledger`] that is filled by a replay, and where each message lies.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The state.
    pub ledger: Ledger,
    /// Positions of the messages, in the order in which they were told.
    pub positions: Vec<(MessageId, Position)>,
}

impl Reading {
    /// Where a message lies.
    pub fn position(&self, message: MessageId) -> Option<Position> {
        self.positions.iter().find(|(id, _)| *id == message).map(|(_, position)| *position)
    }
}

impl Replay for Reading {
    fn record(&mut self, record: Record, position: Option<Position>) {
        if let Record::Accepted(accepted) = &record {
            assert!(accepted.content.is_none(), "content stays in the log");
            let position = position.expect("a message has a position");
            assert!(self.positions.last().is_none_or(|(_, last)| *last < position), "positions rise");
            self.positions.push((accepted.message, position));
        }
        self.ledger.apply(&record);
    }
}

/// What a message of that id and size says.
pub fn content(message: u64, size: usize) -> Content {
    let head = format!("n:{message}\n");
    let head = head.as_bytes().get(..head.len().min(size)).unwrap_or_default();
    let body: Vec<u8> = (head.len()..size).map(|at| (at as u64).wrapping_mul(31).wrapping_add(message * 7) as u8).collect();
    Content::new(head, Bytes::from(body))
}

/// The queue that the checks use under that number.
pub fn created(destination: u64) -> Record {
    let name = DestinationName::queue(&format!("q{destination}")).expect("a good name");
    Record::Created { destination: DestinationId(destination), name }
}

/// A message in a queue.
pub fn accepted(shard: ShardId, destination: u64, message: u64, size: usize) -> Record {
    Record::Accepted(Accepted {
        destination: DestinationId(destination),
        message: MessageId::new(shard, message),
        place: Place { urgency: Urgency::NORMAL, sequence: message as i64 },
        size: size as u32,
        content: Some(content(message, size)),
    })
}

/// Its end.
pub fn settled(message: MessageId, kept: &Kept, position: Position) -> Record {
    Record::Settled(Settled { destination: kept.destination, message, place: kept.place, position })
}

/// A failed delivery of it.
pub fn returned(message: MessageId, kept: &Kept, position: Position) -> Record {
    let Kept { destination, place, attempts, .. } = *kept;
    Record::Returned(Returned { destination, message, place, position, attempts: attempts + 1 })
}

/// Its way to another queue, which must exist.
pub fn moved(message: MessageId, kept: &Kept, position: Position, to: u64) -> Record {
    let origin = DestinationName::queue("origin").expect("a good name");
    let note = DeathNote { origin, reason: DeathReason::Nack, attempts: kept.attempts, error: Some("broken".into()) };
    Record::Moved(Moved {
        message,
        position,
        from: kept.destination,
        from_place: kept.place,
        to: DestinationId(to),
        to_place: Place { urgency: Urgency(7), sequence: -kept.place.sequence },
        size: kept.size,
        note: Arc::new(note),
    })
}

/// One opening of a subject, with what it knows.
#[derive(Debug)]
pub struct Session {
    /// The writing side.
    pub log: Box<dyn Log>,
    /// The reading side.
    pub reader: Arc<dyn LogReader>,
    /// Who is told.
    pub witness: Arc<Witness>,
    /// What was replayed, and what was appended since.
    pub reading: Reading,
    clock: u64,
}

impl Session {
    /// Opens a subject.
    pub fn open(subject: &mut dyn Subject) -> Session {
        let witness = Arc::new(Witness::default());
        let mut reading = Reading::default();
        let (log, reader) = subject.open(witness.clone(), &mut reading);
        Session::with(log, reader, witness, reading)
    }

    /// A log that is open already.
    pub fn with(log: Box<dyn Log>, reader: Arc<dyn LogReader>, witness: Arc<Witness>, reading: Reading) -> Session {
        Session { log, reader, witness, reading, clock: 0 }
    }

    /// Appends as one unit, waits until it is durable and takes the positions down.
    pub fn write(&mut self, subject: &mut dyn Subject, records: Vec<Record>) -> Seen {
        self.clock += 1;
        let mut unit = records.clone();
        let ticket = self.log.append(&mut unit, Timestamp(self.clock)).expect("the log takes it");
        assert!(unit.is_empty(), "the log takes the records out");
        subject.settle();
        let seen = self.witness.wait(ticket);
        assert_eq!(seen.failed, None);
        let fresh: Vec<_> = seen.positions.iter().rev().take(count(&records)).rev().copied().collect();
        self.note(&records, &fresh);
        seen
    }

    /// Takes down what has become durable.
    pub fn note(&mut self, records: &[Record], positions: &[Position]) {
        assert_eq!(count(records), positions.len(), "each message has a position");
        let mut positions = positions.iter();
        for record in records {
            if let (Record::Accepted(accepted), Some(position)) = (record, positions.clone().next()) {
                positions.next();
                self.reading.positions.push((accepted.message, *position));
            }
            self.reading.ledger.apply(record);
        }
    }

    /// Every message can be read, octet for octet.
    pub fn check_contents(&self) {
        for (message, kept) in &self.reading.ledger.messages {
            let position = self.reading.position(*message).expect("a message has a position");
            let read = self.reader.read(position).expect("it can be read");
            let expected = content(message.sequence(), kept.size as usize);
            assert_eq!((read.head(), read.body()), (expected.head(), expected.body()), "message {message}");
        }
    }
}

fn count(records: &[Record]) -> usize {
    records.iter().filter(|record| matches!(record, Record::Accepted(_))).count()
}

/// All checks.
pub fn check_all(make: &mut dyn FnMut() -> Box<dyn Subject>) {
    tickets_resolve_in_order(make().as_mut());
    messages_are_read_back(make().as_mut());
    state_survives(make().as_mut(), true);
    state_survives(make().as_mut(), false);
    an_append_too_large_is_left_with_the_caller(make().as_mut());
    capacity_is_spent_and_comes_back(make().as_mut());
}

/// Many appends in flight: tickets rise by one, and the positions come in the order of appends.
pub fn tickets_resolve_in_order(subject: &mut dyn Subject) {
    let mut session = Session::open(subject);
    let shard = subject.shard();
    let mut last = session.log.append(&mut vec![created(1)], Timestamp(1)).expect("the log takes it");
    for message in 0..200 {
        let mut unit: Vec<Record> = (0..message % 4).map(|n| accepted(shard, 1, message * 4 + n, 100)).collect();
        let ticket = session.log.append(&mut unit, Timestamp(2)).expect("the log takes it");
        assert_eq!(ticket.0, last.0 + 1);
        last = ticket;
    }
    subject.settle();
    let seen = session.witness.wait(last);
    assert_eq!((seen.through, seen.failed), (last, None));
    assert_eq!(seen.positions.len(), 300);
    assert!(seen.positions.is_sorted_by(|a, b| a < b) && seen.positions.iter().all(|p| p.shard() == shard));
    drop(session);
    subject.close(true);
}

/// Contents of every size come back as they were.
pub fn messages_are_read_back(subject: &mut dyn Subject) {
    let mut session = Session::open(subject);
    let shard = subject.shard();
    session.write(subject, vec![created(1)]);
    for (message, size) in (1..).zip([0, 1, 5, 100, 4096, 4100, 5000, 9000, 20_000]) {
        session.write(subject, vec![accepted(shard, 1, message, size)]);
    }
    session.check_contents();
    let nowhere = Position::new(shard, (1 << 52) - 1);
    assert!(matches!(session.reader.read(nowhere), Err(LogError::Damaged(_))));
    drop(session);
    subject.close(false);
    let session = Session::open(subject);
    assert_eq!(session.reading.ledger.messages.len(), 9);
    session.check_contents();
    drop(session);
    subject.close(true);
}

/// After each opening the state is the one that was durable, several times over.
pub fn state_survives(subject: &mut dyn Subject, orderly: bool) {
    let shard = subject.shard();
    let mut expected = Ledger::default();
    for round in 0..4u64 {
        let mut session = Session::open(subject);
        assert_eq!(session.reading.ledger, expected, "round {round}");
        session.check_contents();
        let first = round * 100 + 1;
        session.write(subject, vec![created(round * 2 + 1), created(round * 2 + 2), Record::IdBlock { next: first + 99 }]);
        let unit = (first..first + 40).map(|message| accepted(shard, round * 2 + 1, message, 200)).collect();
        session.write(subject, unit);
        for message in (first.saturating_sub(90)..first + 40).map(|n| MessageId::new(shard, n)) {
            let Some(kept) = session.reading.ledger.messages.get(&message).cloned() else { continue };
            let position = session.reading.position(message).expect("it is there");
            let record = match (message.sequence() + round) % 5 {
                0 | 1 => settled(message, &kept, position),
                2 => moved(message, &kept, position, round * 2 + 2),
                3 => returned(message, &kept, position),
                _ => continue,
            };
            session.write(subject, vec![record]);
        }
        session.write(subject, vec![created(100 + round)]);
        session.write(subject, vec![Record::Deleted { destination: DestinationId(100 + round) }]);
        expected = session.reading.ledger.clone();
        drop(session);
        subject.close(orderly);
    }
    assert!(expected.messages.values().any(|kept| kept.note.is_some() && kept.attempts > 0), "the check is not vacuous");
}

/// What does not fit is refused, stays with the caller and harms nobody.
pub fn an_append_too_large_is_left_with_the_caller(subject: &mut dyn Subject) {
    let mut session = Session::open(subject);
    let shard = subject.shard();
    session.write(subject, vec![created(1)]);
    let large = content(1, 1 << 20);
    let mut unit: Vec<Record> = (0..300).map(|message| accepted(shard, 1, message, 0)).collect();
    for record in &mut unit {
        if let Record::Accepted(accepted) = record {
            (accepted.size, accepted.content) = (1 << 20, Some(large.clone()));
        }
    }
    assert!(matches!(session.log.append(&mut unit, Timestamp(9)), Err(LogError::TooLarge { .. })));
    assert_eq!(unit.len(), 300);
    session.write(subject, vec![accepted(shard, 1, 1000, 10)]);
    session.check_contents();
    drop(session);
    subject.close(true);
}

/// What waits is counted, what is durable is not.
pub fn capacity_is_spent_and_comes_back(subject: &mut dyn Subject) {
    let mut session = Session::open(subject);
    let before = session.log.capacity();
    assert!(!before.is_spent());
    session.write(subject, vec![created(1)]);
    let message = accepted(subject.shard(), 1, 1, 5000);
    session.write(subject, vec![message]);
    assert_eq!(session.log.capacity(), before);
    drop(session);
    subject.close(true);
}
