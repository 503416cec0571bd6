//! A full disk: nothing is taken that there is no room for, and what only finishes work goes on until all of it is done.
//!
//! The journal is driven without its threads, so that spares are made late: the machine is busy, and the disk fills up.

use std::collections::BTreeMap;

use super::super::appender::Appender;
use super::super::conformance;
use super::super::conformance::Ledger;
use super::super::fanout;
use super::super::fault::CrashDisk;
use super::super::work::{Step, Unit, Work};
use super::super::{Journal, Options};
use super::workload::{open, small_options};
use crate::model::{DestinationId, Keyed, MessageId, Position, Record, Room, ShardId, Ticket, Timestamp};

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

    /// Writes a unit in a batch of its own.
    fn write(&mut self, records: Vec<Record>, what: &str) {
        assert!(self.offer(records, what), "{what}: no room");
    }

    /// The same, if there is room for it.
    fn offer(&mut self, records: Vec<Record>, what: &str) -> bool {
        let (bytes, records_count) = (fanout::unit_bytes(&records), records.len());
        let fresh: Vec<MessageId> = records
            .iter()
            .filter_map(|record| if let Record::Accepted(accepted) = record { Some(accepted.message) } else { None })
            .collect();
        let mut after = self.ledger.clone();
        for record in &records {
            after.apply(record);
        }
        let mut work = Work::default();
        let (ticket, accepted, wall) = (Ticket(1), fresh.len() as u32, Timestamp(1));
        work.records = records;
        work.units.push(Unit { ticket, records: records_count, bytes, accepted, wall });
        let step = self.appender.advance(&mut work).unwrap_or_else(|error| panic!("{what}: {error}"));
        if matches!(step, Step::NoRoom) {
            return false;
        }
        assert!(matches!(step, Step::Written(_)), "{what}: {step:?}");
        self.ledger = after;
        self.positions.extend(fresh.into_iter().zip(self.appender.positions.iter().copied()));
        self.appender.relieve().unwrap_or_else(|error| panic!("{what}: {error}"));
        true
    }

    /// Adds to the state until nothing more is taken; how often.
    fn grow_until_out(&mut self, what: &str) -> u64 {
        let mut number = 0;
        while self.offer(vec![key(number)], what) {
            number += 1;
            assert!(number < 100_000, "{what}: there is no end of it");
        }
        number
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

/// Lets another program's file take the whole disk after so many messages, with so many keys each, and kills three starts.
/// Says how many segments were taken.
fn taken_away(moment: u64, keys: u64, is_topped_up: bool, what: &str) -> u64 {
    let mut disk = CrashDisk::new();
    let mut hand = Hand::start(&disk, what);
    while is_topped_up && hand.appender.spares.top_up() {}
    hand.write(vec![conformance::created(1)], what);
    let first = hand.appender.tape.segment.id;
    for id in 1..=moment {
        hand.write(vec![message(id)], what);
        hand.write((0..keys).map(|number| key(id * keys + number)).collect(), what);
    }
    let rolls = hand.appender.tape.segment.id.0 - first.0;
    disk.set_free(0);
    // What is in flight at that moment.
    let mut late = 0;
    while late < 30 && hand.offer(vec![message(1000 + late)], what) {
        late += 1;
    }
    for start in 0..3 {
        let what = format!("{what}, start {start}");
        disk = disk.kill();
        let expected = hand.ledger.clone();
        hand = Hand::start(&disk, &what);
        assert_eq!(hand.ledger, expected, "{what}");
    }
    disk.set_free(64 * SEGMENT_BYTES);
    while hand.appender.spares.top_up() {}
    hand.settle_all(what);
    rolls
}

#[test]
fn another_file_that_takes_the_whole_disk_at_any_moment_leaves_a_start_its_room() {
    let mut rolls = 0;
    // A segment takes about eight messages: all spares are used up, and more, while none is made. With keys the state grows
    // to several segments.
    for keys in [0, 5, 40] {
        for moment in 0..60 {
            for is_topped_up in [false, true] {
                let what = format!("after {moment} messages with {keys} keys, topped up: {is_topped_up}");
                rolls += taken_away(moment, keys, is_topped_up, &what);
            }
        }
    }
    assert!(rolls > 1000, "{rolls} segments were taken");
}

/// Appends what expires as dead letters, as the engine does, until there is no room for more.
fn bury_until(hand: &mut Hand, until: impl Fn(&Hand) -> bool, what: &str) -> usize {
    let mut count = 0;
    while !until(hand) {
        for message in hand.ledger.messages.keys().copied().collect::<Vec<_>>() {
            let record = conformance::moved(
                message,
                &hand.ledger.messages[&message],
                hand.positions[&message],
                1 + count as u64 % 2,
            );
            if !hand.offer(vec![record], what) {
                return count;
            }
            count += 1;
            if until(hand) {
                return count;
            }
        }
        assert!(count < 100_000, "{what}: there is no end of it");
    }
    count
}

#[test]
fn a_disk_that_stays_full_is_scarce_before_it_is_out_and_never_ends_the_log() {
    let mut grown = 0;
    for quarters in 4..16 {
        let (mut disk, what) = (CrashDisk::new(), format!("{quarters} quarters"));
        let mut hand = fill(&disk, quarters * SEGMENT_BYTES / 4, &what);
        // Another program's file takes what is left, the reserve too, before a spare is made.
        disk.set_free(0);
        hand.appender.spares.look();
        bury_until(&mut hand, |hand| hand.appender.spares.room() >= Room::Scarce, &what);
        assert_eq!(hand.appender.spares.room(), Room::Scarce, "{what}");
        // Clients do not care, and many messages have notes of what happened to them: in the end nothing more is taken.
        let states = hand.grow_until_out(&what);
        grown += states;
        // Again and again: it waits, and is there.
        for _ in 0..3 {
            assert!(!hand.offer(vec![key(states)], &what), "{what}");
        }
        // Three starts that are killed, without a byte more: each comes up with all of it, and says so.
        for start in 0..3 {
            let what = format!("{what}, start {start}");
            disk = disk.kill();
            let expected = hand.ledger.clone();
            hand = Hand::start(&disk, &what);
            assert_eq!(hand.ledger, expected, "{what}");
            assert!(hand.is_full(), "{what}");
        }
        disk.set_free(64 * SEGMENT_BYTES);
        while hand.appender.spares.top_up() {}
        hand.settle_all(&what);
        assert!(hand.offer(vec![key(states)], &what), "{what}");
        assert!(!hand.is_full(), "{what}");
        assert_eq!(hand.appender.spares.room(), Room::Enough, "{what}");
    }
    assert!(grown > 100, "finishing work goes on where it is scarce: {grown}");
}

#[test]
fn a_tail_that_is_full_to_its_last_block_is_opened_with_one_spare_and_no_byte_free() {
    for size in [500, 3_000, 7_000, 12_000] {
        // At every number of messages, so that the tail is full in every way.
        for count in 1..40 {
            let (disk, what) = (CrashDisk::new(), format!("{count} messages of {size} bytes"));
            let mut hand = Hand::start(&disk, &what);
            while hand.appender.spares.top_up() {}
            hand.write(vec![conformance::created(1)], &what);
            // Several in a batch.
            for id in 0..count {
                let ids = id * 20..id * 20 + 20.min(15_000 / size);
                hand.write(
                    ids.map(|id| conformance::accepted(ShardId::default(), 1, 1 + id, size as usize)).collect(),
                    &what,
                );
                while hand.appender.spares.top_up() {}
            }
            while disk.names().iter().filter(|name| name.starts_with("spare-")).count() > 1 {
                let spare = disk.names().into_iter().find(|name| name.starts_with("spare-")).unwrap();
                disk.lose(&spare);
            }
            disk.set_free(0);
            let mut disk = disk;
            for start in 0..3 {
                let what = format!("{what}, start {start}");
                let expected = hand.ledger.clone();
                disk = disk.kill();
                hand = Hand::start(&disk, &what);
                assert_eq!(hand.ledger, expected, "{what}");
                assert!(hand.is_full(), "{what}");
                assert!(hand.offer(vec![Record::IdBlock { next: 1000 + start }], &what), "{what}: ids are reserved");
            }
        }
    }
}

#[test]
fn a_quota_is_a_full_disk() {
    let disk = CrashDisk::new();
    let mut hand = Hand::start(&disk, "a quota");
    while hand.appender.spares.top_up() {}
    hand.write(vec![conformance::created(1)], "a quota");
    // The file system has room, but not for this user.
    disk.set_quota(disk.used());
    let mut id = 0;
    while !hand.is_full() {
        id += 1;
        hand.write(vec![message(id)], "a quota");
        hand.appender.spares.top_up();
        assert!(id < 100);
    }
    hand.return_all("a quota");
    hand.settle_all("a quota");
    assert!(hand.is_full());
    disk.set_quota(u64::MAX);
    while hand.appender.spares.top_up() {}
    assert!(!hand.is_full());
}

fn key(number: u64) -> Record {
    Record::Keyed(Keyed { queue: DestinationId(1), key: format!("{number:0250}").into(), at: Timestamp(9) })
}
