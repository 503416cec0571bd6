//! One opening of a log under test, and what should be in it.

use std::sync::Arc;

use super::{Reading, Seen, Subject, Witness, content};
use crate::model::{Log, LogReader, Position, Record, Timestamp};

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
    #[expect(clippy::needless_pass_by_value, reason = "units are made where they are written")]
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
