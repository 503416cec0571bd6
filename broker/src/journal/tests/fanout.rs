//! Bodies that messages of one append share: stored once, kept so by a start, counted once.

use super::super::conformance;
use super::super::conformance::FAN;
use super::super::fanout::unit_bytes;
use super::super::fault::{CrashDisk, Survival};
use super::super::{Options, record};
use super::workload::{Run, open, small_options};
use crate::model::{MessageId, Record, ShardId};

const FIRST: u64 = FAN.next_multiple_of(100);

fn options() -> Options {
    Options { segment_bytes: 512 << 10, ..small_options() }
}

/// Octets of all segments that are not zero, about.
fn used(disk: &CrashDisk) -> usize {
    let names = disk.names().into_iter().filter(|name| name.starts_with("seg-"));
    names.map(|name| disk.contents(&name).iter().filter(|octet| **octet != 0).count()).sum()
}

fn settle(run: &mut Run, ids: impl Iterator<Item = u64>) -> bool {
    let unit = ids.map(|id| {
        let message = MessageId::new(ShardId::default(), id);
        let kept = &run.session.reading.ledger.messages[&message];
        conformance::settled(message, kept, run.session.reading.position(message).unwrap())
    });
    let unit = unit.collect();
    run.write(unit)
}

#[test]
fn sixty_four_copies_of_a_body_take_the_room_of_one_and_still_do_after_two_starts() {
    let disk = CrashDisk::new();
    let mut run = Run::start(&disk, options()).unwrap();
    assert!(run.write((1..4).map(conformance::created).collect()));
    assert!(run.write(conformance::fan_out(ShardId::default(), FIRST, 64, 100_000)));
    run.session.check_contents();
    assert!(used(&disk) < 120_000, "{} octets", used(&disk));
    // The first copy, which holds the body, goes first; then most of the others.
    let mut disk = disk;
    for gone in [FIRST..FIRST + 1, FIRST + 1..FIRST + 40] {
        assert!(settle(&mut run, gone));
        let expected = run.states.last().cloned().unwrap();
        disk = disk.crash(Survival::Nothing);
        run.abandon();
        run = Run::start(&disk, options()).unwrap();
        assert_eq!(run.states[0], expected);
        run.session.check_contents();
        let newest = disk.names().into_iter().rfind(|name| name.starts_with("seg-")).unwrap();
        assert_eq!(disk.contents(&newest).len(), 512 << 10, "the opening fits a spare");
        let written = disk.contents(&newest).iter().filter(|octet| **octet != 0).count();
        assert!(written < 120_000, "{written} octets");
    }
    // Sealed, the segment is found by its summary.
    for unit in 0..12 {
        assert!(run.write(vec![conformance::accepted(ShardId::default(), 1, 1 + unit, 50_000)]));
    }
    let expected = run.end().0.pop().unwrap();
    let run = Run::start(&disk.crash(Survival::Nothing), options()).unwrap();
    assert_eq!(run.states[0], expected);
    run.session.check_contents();
    run.end();
}

#[test]
fn what_is_said_of_an_append_is_never_less_than_what_it_takes_and_a_body_counts_once() {
    let large = conformance::fan_out(ShardId::default(), FIRST, 64, 4 << 20);
    let bytes = unit_bytes(&large);
    assert!(bytes < (4 << 20) + 64 * 100, "{bytes}");
    let promised = |records: &[Record]| -> usize {
        let each = records.iter().enumerate().map(|(at, record)| match record {
            Record::Accepted(accepted) if at > 0 => accepted.bytes_of_copy(),
            record => record.bytes(),
        });
        each.sum()
    };
    assert!(promised(&large) >= bytes && promised(&large) < (4 << 20) + 64 * 400);
    let small = conformance::fan_out(ShardId::default(), FIRST, 64, 400);
    assert_eq!(unit_bytes(&small), small.iter().map(record::encoded_bytes).sum::<usize>());
    assert!(promised(&small) >= unit_bytes(&small));
}

#[test]
fn bodies_of_several_messages_in_turn_are_each_stored_once() {
    let disk = CrashDisk::new();
    let mut run = Run::start(&disk, options()).unwrap();
    assert!(run.write((1..4).map(conformance::created).collect()));
    let unit: Vec<Record> =
        (0..5).flat_map(|n| conformance::fan_out(ShardId::default(), FIRST + n * 100, 20, 10_000)).collect();
    assert!(run.write(unit));
    assert!(used(&disk) < 65_000, "{} octets", used(&disk));
    run.session.check_contents();
    assert!(settle(&mut run, (0..5).map(|n| FIRST + n * 100)));
    let expected = run.states.last().cloned().unwrap();
    let disk = disk.crash(Survival::Nothing);
    run.abandon();
    let run = Run::start(&disk, options()).unwrap();
    assert_eq!(run.states[0], expected);
    run.session.check_contents();
    let newest = disk.names().into_iter().rfind(|name| name.starts_with("seg-")).unwrap();
    let written = disk.contents(&newest).iter().filter(|octet| **octet != 0).count();
    assert!(written < 65_000, "{written} octets");
    run.end();
}

#[test]
fn a_spoilt_body_is_told_of_every_message_that_shares_it() {
    let disk = CrashDisk::new();
    let mut run = Run::start(&disk, options()).unwrap();
    assert!(run.write((1..4).map(conformance::created).collect()));
    assert!(run.write(conformance::fan_out(ShardId::default(), FIRST, 3, 2000)));
    assert!(run.write(conformance::fan_out(ShardId::default(), FIRST + 100, 3, 2000)));
    let name = disk.names().into_iter().find(|name| name.starts_with("seg-")).unwrap();
    let needle = conformance::content(FIRST, 2000).body().to_vec();
    let at = disk.contents(&name).windows(needle.len()).position(|window| window == needle).unwrap();
    disk.flip(&name, at + 1000, 5);
    for (message, position) in &run.session.reading.positions {
        assert_eq!(run.session.reader.read(*position).is_err(), message.sequence() < FIRST + 100, "{message}");
    }
    run.end();
}

#[cfg(debug_assertions)]
#[test]
#[should_panic(expected = "an append of")]
fn an_append_over_the_limit_is_a_bug() {
    let (journal, ..) = open(&CrashDisk::new(), options()).unwrap();
    let mut running = journal.start(std::sync::Arc::default() as std::sync::Arc<conformance::Witness>).unwrap();
    let mut unit = vec![conformance::accepted(ShardId::default(), 1, 1, 2 << 20)];
    drop(running.log.append(&mut unit, crate::model::Timestamp(1)));
}
