//! A seeded client of the journal that knows what must still be there.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::super::conformance;
use super::super::conformance::{Ledger, Reading, Session, Witness};
use super::super::fault::{CrashDisk, Dice};
use super::super::{Journal, OpenError, Options, Recovered, Stopper};
use crate::model::{
    DestinationId, Keyed, Limited, LogError, MessageId, Pause, Paused, Record, Room, ShardId, Timestamp,
};

/// Segments of eight blocks, so that a short run rolls often; no thread and no timing decides what is written when.
pub(super) fn small_options() -> Options {
    Options {
        segment_bytes: 32 << 10,
        batch_bytes: 4096,
        unit_bytes: 1 << 20,
        spare_segments: 1,
        disk_reserve_bytes: 0,
        open_files: 2,
        idle_after: Duration::from_secs(3600),
        spares_thread: false,
        ..Options::new(Path::new("unused"))
    }
}

/// Opens a journal and takes down what it tells.
pub(super) fn open(disk: &CrashDisk, options: Options) -> Result<(Journal, Recovered, Reading), OpenError> {
    let mut reading = Reading::default();
    let opened = Journal::open(options, Arc::new(disk.clone()), &mut reading, Timestamp(5))?;
    Ok((opened.journal, opened.recovered, reading))
}

/// One run over a disk.
pub(super) struct Run {
    pub(super) session: Session,
    pub(super) stopper: Option<Stopper>,
    /// The state after each unit that was appended; the first is what was found.
    pub(super) states: Vec<Ledger>,
    /// How many of them are known to be durable.
    pub(super) acknowledged: usize,
    next: u64,
}

impl Run {
    /// Opens the disk and starts.
    pub(super) fn start(disk: &CrashDisk, options: Options) -> Result<Run, OpenError> {
        let (journal, _, reading) = open(disk, options)?;
        let witness = Arc::new(Witness::default());
        let running = journal.start(witness.clone()).expect("threads start");
        let next = reading.ledger.messages.keys().map(|message| message.sequence() + 1).max();
        let next = next.unwrap_or(1).max(reading.ledger.next_id);
        let states = vec![reading.ledger.clone()];
        let session = Session::with(running.log, running.reader, witness, reading);
        Ok(Run { session, stopper: Some(running.stopper), states, acknowledged: 0, next })
    }

    /// Appends one unit and waits for it. `false` when the journal has failed.
    #[expect(clippy::needless_pass_by_value, reason = "units are made where they are written")]
    pub(super) fn write(&mut self, records: Vec<Record>) -> bool {
        let mut after = self.states.last().unwrap().clone();
        for record in &records {
            after.apply(record);
        }
        let Ok(ticket) = self.session.log.append(&mut records.clone(), Timestamp(self.next)) else { return false };
        self.states.push(after);
        let is_out = || self.session.log.room() == Room::None;
        let Some(seen) = self.session.witness.wait_unless(ticket, is_out) else { return false };
        if seen.through < ticket {
            assert!(matches!(seen.failed, Some(LogError::Poisoned(_))));
            return false;
        }
        self.acknowledged = self.states.len() - 1;
        let fresh = records.iter().filter(|record| matches!(record, Record::Accepted(_))).count();
        self.session.note(&records, &seen.positions[seen.positions.len() - fresh..]);
        true
    }

    /// Units of a seeded mixture: new messages, settlements, failed deliveries, moves, queues that come and go.
    pub(super) fn work(&mut self, dice: &mut Dice, units: usize) -> bool {
        (0..units).all(|_| {
            let unit = self.unit(dice);
            self.write(unit)
        })
    }

    fn unit(&mut self, dice: &mut Dice) -> Vec<Record> {
        let mut records = Vec::new();
        let ledger = self.session.reading.ledger.clone();
        let missing: Vec<u64> = (1..4).filter(|n| !ledger.destinations.contains_key(&DestinationId(*n))).collect();
        records.extend(missing.into_iter().map(conformance::created));
        for _ in 0..dice.below(3) {
            let make = if dice.below(4) == 0 { conformance::accepted_with_terms } else { conformance::accepted };
            records.push(make(ShardId::default(), 1 + dice.below(3), self.next, dice.below(900) as usize));
            self.next += 1;
        }
        let mut used: Vec<MessageId> = Vec::new();
        for _ in 0..dice.below(5) {
            let Some((message, kept)) = ledger.messages.iter().nth(dice.below(6) as usize) else { continue };
            if used.contains(message) {
                continue;
            }
            used.push(*message);
            let position = self.session.reading.position(*message).unwrap();
            records.push(match dice.below(8) {
                0 if message.sequence().is_multiple_of(3) => {
                    records.extend(conformance::ranked(*message, kept, position));
                    continue;
                }
                0 => conformance::returned(*message, kept, position),
                1 => conformance::moved(*message, kept, position, 1 + dice.below(3)),
                2 | 3 => conformance::settled(*message, kept, position),
                4 => conformance::parked(*message, kept, position),
                5 => conformance::woken(*message, kept, position),
                6 if message.sequence().is_multiple_of(2) && kept.is_at_first_place() => {
                    conformance::scheduled(*message, kept, position)
                }
                6 => conformance::carried(*message, kept, position, 1 + self.next % 3),
                _ => continue,
            });
        }
        if self.next.is_multiple_of(3) {
            let (queue, at) = (DestinationId(1 + self.next % 3), Timestamp(self.next * 1000));
            records.push(Record::Keyed(Keyed { queue, key: format!("k{}", self.next % 50).into(), at }));
        }
        let job = MessageId::new(ShardId::default(), 1 + dice.below(20));
        match dice.below(10) {
            0 | 1 => records.push(conformance::tracked(job)),
            2 | 3 => records.push(conformance::reported(job, dice.below(64))),
            4 => records.push(conformance::attached(job, dice.below(9))),
            5 => records.push(Record::Forgotten { job }),
            _ => {}
        }
        match dice.below(12) {
            0 => records.push(conformance::bound(1 + dice.below(3), "/topic/x.>", None)),
            1 => records.push(Record::Unbound { queue: DestinationId(1 + dice.below(3)) }),
            _ => {}
        }
        if self.next.is_multiple_of(11) {
            let queue = DestinationId(1 + self.next % 3);
            records.push(Record::Limited(Limited { queue, limits: conformance::limits(self.next / 11) }));
        }
        if self.next.is_multiple_of(7) {
            let queue = DestinationId(1 + self.next % 3);
            let until = [None, Some(Timestamp(self.next)), Some(Pause::FOR_GOOD)][self.next as usize / 7 % 3];
            records.push(Record::Paused(Paused { queue, pause: Pause { input: until, output: None } }));
        }
        if dice.below(6) == 0 {
            let extra = ledger.newest.map_or(10, |newest| newest.0.max(10) + 1);
            records.push(conformance::created(extra));
            records.push(Record::IdBlock { next: self.next + 10 });
            records.push(Record::Suspected { below: self.next });
            records.push(conformance::bound(extra, "/topic/x", Some(self.next)));
            records.push(Record::Deleted { destination: DestinationId(extra) });
        }
        records
    }

    /// Ends it without its last word, as a process does that is killed.
    pub(super) fn abandon(self) -> (Vec<Ledger>, usize) {
        let Run { session, stopper, states, acknowledged, .. } = self;
        drop(session);
        drop(stopper.map(Stopper::stop));
        (states, acknowledged)
    }

    /// Ends it; whatever the disk does then.
    pub(super) fn end(mut self) -> (Vec<Ledger>, usize) {
        if let Some(stopper) = self.stopper.take() {
            drop(stopper.stop());
        }
        (self.states, self.acknowledged)
    }
}

/// What a disk holds after the run must be one of the states from the last acknowledged one on, and readable.
pub(super) fn check_survivor(
    disk: &CrashDisk,
    options: Options,
    (states, acknowledged): (&[Ledger], usize),
    what: &str,
) {
    let (journal, _, reading) = open(disk, options).unwrap_or_else(|error| panic!("{what}: {error}"));
    let allowed = &states[acknowledged..];
    assert!(allowed.contains(&reading.ledger), "{what}: {:?}\nis none of {allowed:?}", reading.ledger);
    let witness = Arc::new(Witness::default());
    let running = journal.start(witness.clone()).unwrap();
    let session = Session::with(running.log, running.reader, witness, reading);
    session.check_contents();
    drop(session);
    running.stopper.stop().unwrap_or_else(|error| panic!("{what}: {error}"));
}
