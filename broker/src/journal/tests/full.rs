//! A full disk: nothing is taken that there is no room for, and what only finishes work goes on until all of it is done.
//!
//! The journal is driven without its threads, so that spares are made late: the machine is busy, and the disk fills up.

use std::collections::BTreeMap;

use super::super::appender::{Appender, Unit, Work};
use super::super::conformance;
use super::super::conformance::Ledger;
use super::super::fanout;
use super::super::fault::CrashDisk;
use super::super::{Journal, Options};
use super::workload::{open, small_options};
use crate::model::{MessageId, Position, Record, ShardId, Ticket, Timestamp};

const SEGMENT_BYTES: u64 = 128 << 10;

fn options() -> Options {
    Options {
        segment_bytes: SEGMENT_BYTES,
        batch_bytes: 16 << 10,
        spare_segments: 3,
        disk_reserve_bytes: SEGMENT_BYTES,
        ..small_options()
    }
}

/// The writing half of a journal, by hand.
struct Hand {
    appender: Appender,
    ledger: Ledger,
    positions: BTreeMap<MessageId, Position>,
}

impl Hand {
    fn start(disk: &CrashDisk, what: &str) -> Hand {
        let (Journal { appender }, _, reading) =
            open(disk, options()).unwrap_or_else(|error| panic!("{what}: {error}"));
        Hand { appender, ledger: reading.ledger, positions: reading.positions.into_iter().collect() }
    }

    fn is_full(&self) -> bool {
        self.appender.spares.is_full()
    }

    /// Writes units, each in a batch of its own.
    fn write(&mut self, records: Vec<Record>, what: &str) {
        let (bytes, records_count) = (fanout::unit_bytes(&records), records.len());
        let fresh: Vec<MessageId> = records
            .iter()
            .filter_map(|record| if let Record::Accepted(accepted) = record { Some(accepted.message) } else { None })
            .collect();
        for record in &records {
            self.ledger.apply(record);
        }
        let mut work = Work::default();
        let (ticket, accepted, wall) = (Ticket(1), fresh.len() as u32, Timestamp(1));
        work.records = records;
        work.units.push(Unit { ticket, records: records_count, bytes, accepted, wall });
        let written = self.appender.advance(&mut work).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(written.is_some());
        self.positions.extend(fresh.into_iter().zip(self.appender.positions.iter().copied()));
        self.appender.relieve().unwrap_or_else(|error| panic!("{what}: {error}"));
    }

    /// One after the other, what that says of each message that is there.
    fn each(&mut self, what: &str, record: impl Fn(MessageId, &Ledger, Position) -> Record) {
        for message in self.ledger.messages.keys().copied().collect::<Vec<_>>() {
            let unit = vec![record(message, &self.ledger, self.positions[&message])];
            self.write(unit, what);
        }
    }

    fn return_all(&mut self, what: &str) {
        self.each(what, |message, ledger, at| conformance::returned(message, &ledger.messages[&message], at));
    }

    fn move_all(&mut self, what: &str) {
        self.each(what, |message, ledger, at| conformance::moved(message, &ledger.messages[&message], at, 2));
    }

    fn settle_all(&mut self, what: &str) {
        self.each(what, |message, ledger, at| conformance::settled(message, &ledger.messages[&message], at));
    }
}

fn message(id: u64) -> Record {
    conformance::accepted(ShardId::default(), 1, id, 12_000)
}

/// Fills the disk while no spare is made, and a bit more, which was in flight when it became full.
fn fill(disk: &CrashDisk, free: u64, what: &str) -> Hand {
    let mut hand = Hand::start(disk, what);
    while hand.appender.spares.top_up() {}
    hand.write(vec![conformance::created(1), conformance::created(2)], what);
    disk.set_free(free);
    hand.appender.spares.look();
    let mut id = 0;
    while !hand.is_full() {
        id += 1;
        hand.write(vec![message(id)], what);
    }
    // Less than a segment, as by default.
    for late in 0..if id > 0 { 6 } else { 0 } {
        hand.write(vec![message(id + 1 + late)], what);
    }
    hand
}

#[test]
fn what_was_taken_can_be_finished_however_much_room_there_was() {
    for quarters in 0..24 {
        let (disk, what) = (CrashDisk::new(), format!("{quarters} quarters"));
        let mut hand = fill(&disk, quarters * SEGMENT_BYTES / 4, &what);
        assert_eq!(hand.ledger.messages.is_empty(), quarters < 4, "{what}");
        for _ in 0..10 {
            hand.return_all(&what);
        }
        hand.move_all(&what);
        hand.settle_all(&what);
        // Until what was the last to become free is certain to be free.
        for next in 1..3 {
            hand.write(vec![Record::IdBlock { next }], &what);
            hand.appender.idle().unwrap_or_else(|error| panic!("{what}: {error}"));
        }
        while hand.appender.spares.top_up() {}
        assert_eq!(hand.is_full(), quarters < 4, "{what}");
    }
}

#[test]
fn a_disk_without_any_room_is_drained_over_many_starts_that_are_killed() {
    for quarters in 4..24 {
        let (mut disk, what) = (CrashDisk::new(), format!("{quarters} quarters"));
        let mut hand = fill(&disk, quarters * SEGMENT_BYTES / 4, &what);
        for round in 0..4 {
            let what = format!("{what}, start {round}");
            disk = disk.kill();
            let expected = hand.ledger.clone();
            hand = Hand::start(&disk, &what);
            assert_eq!(hand.ledger, expected, "{what}");
            hand.return_all(&what);
            hand.move_all(&what);
        }
        hand.settle_all(&what);
    }
}
