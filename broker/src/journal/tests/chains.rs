//! Torn batches, and units that need several batches.

use std::ops::Range;

use super::super::Options;
use super::super::conformance;
use super::super::conformance::Ledger;
use super::super::fault::{CrashDisk, Dice, Fault, SECTOR_BYTES, Survival};
use super::workload::{Run, check_survivor, open, small_options};
use crate::model::{Record, ShardId};

/// Segments in which the units of a test stay together.
fn wide_options() -> Options {
    Options { segment_bytes: 128 << 10, ..small_options() }
}

/// A disk before and after one more unit, and what may be found on each.
fn before_and_after(unit: Vec<Record>) -> (CrashDisk, CrashDisk, Vec<Ledger>) {
    let disk = CrashDisk::new();
    let mut run = Run::start(&disk, wide_options()).unwrap();
    assert!(run.work(&mut Dice::new(11), 3));
    let before = disk.copy();
    assert!(run.write(unit));
    let after = disk.copy();
    let states = run.end().0;
    (before, after, states[states.len() - 2..].to_vec())
}

fn messages(ids: Range<u64>, size: usize) -> Vec<Record> {
    ids.map(|id| conformance::accepted(ShardId::default(), 1, id, size)).collect()
}

/// The sectors of files in which the two disks differ.
fn changed_sectors(before: &CrashDisk, after: &CrashDisk) -> Vec<(String, usize)> {
    let mut changed = Vec::new();
    for name in after.names() {
        let (old, new) = (before.contents(&name), after.contents(&name));
        assert_eq!(old.len(), new.len(), "{name}");
        let sectors = old.chunks(SECTOR_BYTES).zip(new.chunks(SECTOR_BYTES)).enumerate();
        changed.extend(sectors.filter(|(_, (a, b))| a != b).map(|(sector, _)| (name.clone(), sector)));
    }
    changed
}

fn merge(
    before: &CrashDisk,
    after: &CrashDisk,
    sectors: &[(String, usize)],
    keep: impl Fn(usize) -> bool,
) -> CrashDisk {
    let disk = before.copy();
    for (_, (name, sector)) in sectors.iter().enumerate().filter(|(index, _)| keep(*index)) {
        let mut bytes = disk.contents(name);
        let range = sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES;
        bytes[range.clone()].copy_from_slice(&after.contents(name)[range]);
        disk.put(name, bytes);
    }
    disk
}

#[test]
fn a_torn_batch_is_there_as_a_whole_or_not_at_all() {
    let (before, after, states) = before_and_after(messages(900..904, 700));
    let sectors = changed_sectors(&before, &after);
    assert!((6..=8).contains(&sectors.len()), "{} sectors", sectors.len());
    let (mut whole, mut absent) = (0, 0);
    for subset in 0..1_usize << sectors.len() {
        let disk = merge(&before, &after, &sectors, |index| subset & (1 << index) != 0);
        let (_, _, reading) = open(&disk, wide_options()).unwrap_or_else(|error| panic!("{subset:b}: {error}"));
        assert!(states.contains(&reading.ledger), "{subset:b}");
        whole += usize::from(reading.ledger == states[1]);
        absent += usize::from(reading.ledger == states[0]);
    }
    assert_eq!((whole, absent), (1, (1 << sectors.len()) - 1));
}

#[test]
fn a_torn_large_batch_is_there_as_a_whole_or_not_at_all() {
    let (before, after, states) = before_and_after(messages(900..901, 9000));
    let sectors = changed_sectors(&before, &after);
    assert!(sectors.len() > 16);
    let mut dice = Dice::new(5);
    for _ in 0..500 {
        let (bits, skipped) = (dice.roll(), dice.below(sectors.len() as u64) as usize);
        let disk = merge(&before, &after, &sectors, |index| index != skipped && (bits >> index) & 1 != 0);
        let (_, _, reading) = open(&disk, wide_options()).unwrap();
        assert_eq!(reading.ledger, states[0]);
    }
}

#[test]
fn a_unit_of_many_batches_is_void_without_its_last() {
    let operations = {
        let disk = CrashDisk::new();
        let mut run = Run::start(&disk, small_options()).unwrap();
        assert!(run.work(&mut Dice::new(2), 2));
        let before = disk.operations();
        assert!(run.write(messages(500..540, 1000)));
        before..disk.operations()
    };
    assert!(operations.clone().count() > 20, "the unit takes many batches");
    let mut cut = 0;
    for at in operations {
        for survival in [Survival::Nothing, Survival::Everything, Survival::Random(at)] {
            let disk = CrashDisk::new();
            let mut run = Run::start(&disk, small_options()).unwrap();
            assert!(run.work(&mut Dice::new(2), 2));
            disk.fail_at(at, Fault::Short, true);
            let done = run.write(messages(500..540, 1000));
            let after = disk.crash(survival);
            let (states, acknowledged) = run.end();
            // The last of these operations make spares, once the unit is durable.
            cut += u32::from(!done);
            assert!(acknowledged == 2 + usize::from(done) && states.len() == 4, "cut at {at}: {acknowledged}, {done}");
            check_survivor(&after, small_options(), (&states, acknowledged), &format!("cut at {at}, {survival:?}"));
        }
    }
    assert!(cut > 60, "{cut} runs cut the unit");
}

#[test]
fn a_unit_larger_than_a_segment_gets_a_segment_of_its_size() {
    let disk = CrashDisk::new();
    let mut run = Run::start(&disk, small_options()).unwrap();
    assert!(run.work(&mut Dice::new(2), 2));
    assert!(run.write(messages(500..600, 3000)));
    assert!(run.write(messages(700..701, 200_000)));
    assert!(run.work(&mut Dice::new(3), 30));
    run.session.check_contents();
    let after = disk.crash(Survival::Nothing);
    let (states, acknowledged) = run.end();
    check_survivor(&after, small_options(), (&states, acknowledged), "after large units");
}
