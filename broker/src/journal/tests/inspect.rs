//! The tools over sound and damaged directories: they agree with recovery, they lose nothing that is sound, and a repair
//! that is killed at any point can be run again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::conformance;
use super::super::conformance::{Ledger, Reading};
use super::super::fault::{CrashDisk, Dice, Fault, Survival};
use super::super::format::BLOCK_BYTES;
use super::super::fs::FileSystem;
use super::super::inspect::{Copier, Filter, Finding, Inspection, Lost, Repaired, Scribe, repair};
use super::super::{Journal, OpenError, Options};
use super::workload::{Run, open, small_options};
use crate::model::{MessageId, ShardId, Timestamp};

/// A disk with sealed segments and a tail, after an orderly stop or without.
fn image(seed: u64, units: usize, clean: bool) -> (CrashDisk, Ledger) {
    let disk = CrashDisk::new();
    let mut run = Run::start(&disk, small_options()).unwrap();
    assert!(run.work(&mut Dice::new(seed), units));
    let states = if clean { run.end().0 } else { run.abandon().0 };
    (disk.copy(), states.last().cloned().unwrap())
}

fn inspect(disk: &CrashDisk) -> Result<Inspection, OpenError> {
    Inspection::of(Arc::new(disk.clone()))
}

/// What a check says, and what it found on the way.
fn check(disk: &CrashDisk) -> (super::super::inspect::Checked, Vec<Finding>) {
    let mut findings = Vec::new();
    let checked = inspect(disk).unwrap().check(&mut |finding| findings.push(finding)).unwrap();
    (checked, findings)
}

fn try_repair(disk: &CrashDisk) -> Result<Option<Repaired>, OpenError> {
    let fs: Arc<dyn FileSystem> = Arc::new(disk.clone());
    let line = |finding: &Finding| Some(format!("{finding:?}"));
    repair(&fs, &small_options(), Timestamp(5), &line, &mut |_| {})
}

fn lost_ids(findings: &[Finding]) -> (BTreeSet<MessageId>, u64) {
    let (mut known, mut unknown) = (BTreeSet::new(), 0);
    for finding in findings {
        match finding {
            Finding::Lost(Lost { message: Some(message), .. }) => drop(known.insert(*message)),
            Finding::Lost(lost) => unknown += lost.count,
            _ => {}
        }
    }
    (known, unknown)
}

/// The segments of a directory, and what is in them.
fn segments(disk: &CrashDisk) -> BTreeMap<String, Vec<u8>> {
    let names = disk.names().into_iter().filter(|name| name.starts_with("seg-"));
    names.map(|name| (name.clone(), disk.contents(&name))).collect()
}

/// Opens a repaired directory and reads every message: each is what it was.
fn read_all(disk: &CrashDisk, what: &str) -> Ledger {
    let (journal, _, reading) = open(disk, small_options()).unwrap_or_else(|error| panic!("{what}: {error}"));
    let reader = journal.reader();
    for (message, kept) in &reading.ledger.messages {
        let read = reader.read(reading.position(*message).unwrap()).unwrap_or_else(|error| panic!("{what}: {error}"));
        let expected = conformance::content(message.sequence(), kept.size as usize);
        assert_eq!((read.head(), read.body()), (expected.head(), expected.body()), "{what}: {message}");
    }
    reading.ledger
}

#[test]
fn a_sound_directory_is_sound_and_is_not_changed() {
    for (seed, clean) in [(1, true), (2, false), (3, true), (4, false)] {
        let (disk, ledger) = image(seed, 30, clean);
        let before: Vec<_> = disk.names().iter().map(|name| disk.contents(name)).collect();
        let changes = disk.changes().len();
        let (checked, findings) = check(&disk);
        assert!(checked.is_sound(), "{checked:?}");
        assert_eq!(checked.messages as usize, ledger.messages.len());
        assert!(findings.iter().any(|finding| matches!(finding, Finding::Segment(_))));
        assert_eq!(try_repair(&disk).unwrap(), None);
        assert_eq!(disk.changes().len(), changes, "a check changes nothing");
        assert_eq!(before, disk.names().iter().map(|name| disk.contents(name)).collect::<Vec<_>>());
        let mut reading = Reading::default();
        let state = inspect(&disk).unwrap().replay(&mut reading).unwrap();
        assert_eq!((state.messages as usize, &reading.ledger), (ledger.messages.len(), &ledger));
        assert_eq!(state.clean, clean);
    }
}

#[test]
fn a_directory_in_use_is_left_alone() {
    let disk = CrashDisk::new();
    let run = Run::start(&disk, small_options()).unwrap();
    assert!(matches!(inspect(&disk), Err(OpenError::Locked)));
    assert!(matches!(try_repair(&disk), Err(OpenError::Locked)));
    run.end();
}

#[test]
fn a_check_refuses_what_a_start_refuses_and_names_what_is_lost() {
    let (mut refused, mut lost) = (0, 0);
    for clean in [true, false] {
        let (disk, ledger) = image(7, 20, clean);
        let mut dice = Dice::new(9);
        for name in segments(&disk).into_keys() {
            for block in 0..disk.contents(&name).len() / BLOCK_BYTES {
                let octet = block * BLOCK_BYTES + dice.below(200) as usize;
                let damaged = disk.copy();
                damaged.flip(&name, octet, 2);
                let what = format!("{name} octet {octet}");
                let (checked, findings) = check(&damaged);
                let opened = open(&damaged.copy(), small_options());
                assert_eq!(checked.refusal.is_some(), opened.is_err(), "{what}: {checked:?}");
                let Ok((journal, _, reading)) = opened else {
                    assert!(!checked.is_sound());
                    refused += 1;
                    continue;
                };
                let reader = journal.reader();
                let is_unreadable = |id: &&MessageId| reader.read(reading.position(**id).unwrap()).is_err();
                let unreadable: BTreeSet<_> = reading.ledger.messages.keys().filter(is_unreadable).copied().collect();
                assert_eq!(lost_ids(&findings).0, unreadable, "{what}");
                assert_eq!(checked.lost as usize, unreadable.len(), "{what}");
                lost += unreadable.len();
                assert!(reading.ledger.messages.len() <= ledger.messages.len());
            }
        }
    }
    assert!(refused > 20 && lost > 3, "{refused} refused, {lost} lost");
}

#[test]
fn a_repair_keeps_what_is_sound_and_every_original() {
    let (mut repaired, mut lost, mut whole) = (0, 0, 0);
    for (seed, clean) in [(7, true), (8, false), (11, true)] {
        let (disk, ledger) = image(seed, 20, clean);
        let mut dice = Dice::new(seed);
        for (name, bytes) in segments(&disk) {
            for block in 0..bytes.len() / BLOCK_BYTES {
                let octet = block * BLOCK_BYTES + dice.below(300) as usize;
                let damaged = disk.copy();
                damaged.flip(&name, octet, 5);
                let what = format!("seed {seed}: {name} octet {octet}");
                let originals = segments(&damaged);
                let findings = check(&damaged).1;
                let Some(report) = try_repair(&damaged).unwrap_or_else(|error| panic!("{what}: {error}")) else {
                    assert_eq!(segments(&damaged), originals, "{what}");
                    continue;
                };
                repaired += 1;
                for (name, bytes) in originals {
                    assert_eq!(damaged.contents(&format!("{}/{name}", report.quarantine)), bytes, "{what}");
                }
                let after = read_all(&damaged, &what);
                let (known, unknown) = lost_ids(&findings);
                let missing: BTreeSet<_> =
                    ledger.messages.keys().filter(|id| !after.messages.contains_key(id)).copied().collect();
                // What the torn or damaged last batch brought may be among it; everything else is named.
                let unnamed = missing.difference(&known).count() as u64;
                assert!(unnamed <= unknown, "{what}: {missing:?} is missing, {known:?} and {unknown} more are named");
                lost += missing.len();
                whole += usize::from(missing.is_empty());
                let text = String::from_utf8(damaged.contents(&format!("{}/report.jsonl", report.quarantine))).unwrap();
                assert!(missing.intersection(&known).all(|id| text.contains(&format!("{id:?}"))), "{what}: {text}");
                assert!(check(&damaged).0.is_sound(), "{what}");
            }
        }
    }
    assert!(repaired > 40 && lost > 5 && whole > 10, "{repaired} repaired, {lost} lost, {whole} whole");
}

/// Several kinds of damage at once, anywhere in the segments.
fn spoil(disk: &CrashDisk, dice: &mut Dice) {
    let names: Vec<String> = segments(disk).into_keys().collect();
    for _ in 0..=dice.below(4) {
        let name = &names[dice.below(names.len() as u64) as usize];
        let mut bytes = disk.contents(name);
        if bytes.len() < 2 * BLOCK_BYTES {
            continue;
        }
        let blocks = (bytes.len() / BLOCK_BYTES) as u64;
        let at = dice.below(blocks) as usize * BLOCK_BYTES;
        let other = dice.below(blocks) as usize * BLOCK_BYTES;
        match dice.below(6) {
            0 => bytes[at..at + BLOCK_BYTES].fill(0),
            1 => bytes.copy_within(other..other + BLOCK_BYTES, at),
            2 => bytes.truncate(at + BLOCK_BYTES / 2),
            3 => {
                disk.lose(name);
                continue;
            }
            _ => bytes[at + dice.below(256) as usize] ^= 1 << dice.below(8),
        }
        if !bytes.is_empty() {
            disk.put(name, bytes);
        }
    }
}

#[test]
fn whatever_is_damaged_a_repair_leaves_a_directory_that_opens_and_no_wrong_message() {
    let (mut repaired, mut kept) = (0, 0);
    for seed in 0..120 {
        let (disk, ledger) = image(seed % 12, 12 + seed as usize % 20, seed % 2 == 0);
        spoil(&disk, &mut Dice::new(seed));
        let (what, originals) = (format!("seed {seed}"), segments(&disk));
        let Some(report) = try_repair(&disk).unwrap_or_else(|error| panic!("{what}: {error}")) else {
            read_all(&disk, &what);
            continue;
        };
        repaired += 1;
        for (name, bytes) in originals {
            assert_eq!(disk.contents(&format!("{}/{name}", report.quarantine)), bytes, "{what}");
        }
        let after = read_all(&disk, &what);
        assert_eq!(after.messages.len() as u64, report.kept, "{what}");
        kept += after.messages.len();
        for (message, found) in &after.messages {
            // What was done may be there again; what is there says of itself what it said.
            if let Some(was) = ledger.messages.get(message) {
                assert_eq!(found.size, was.size, "{what}: {message}");
            }
        }
        assert!(check(&disk).0.is_sound(), "{what}");
    }
    assert!(repaired > 60 && kept > 200, "{repaired} repaired, {kept} kept");
}

#[test]
fn a_missing_segment_is_told_and_the_rest_is_kept() {
    let (disk, _) = image(7, 20, true);
    for name in segments(&disk).into_keys() {
        let damaged = disk.copy();
        damaged.lose(&name);
        let checked = check(&damaged).0;
        assert!(!checked.is_sound(), "{name}");
        try_repair(&damaged).unwrap().unwrap();
        read_all(&damaged, &name);
    }
}

/// A directory with damage in the middle of what recovery needs.
fn broken() -> CrashDisk {
    let (disk, _) = image(7, 20, true);
    let name = segments(&disk).into_keys().next_back().unwrap();
    disk.flip(&name, BLOCK_BYTES + 100, 1);
    assert!(open(&disk.copy(), small_options()).is_err());
    disk
}

#[test]
fn a_repair_that_is_cut_short_can_be_run_again() {
    let whole = broken();
    try_repair(&whole).unwrap().unwrap();
    let expected = read_all(&whole, "whole");
    let (mut resumed, mut begun_anew) = (0, 0);
    let changes = {
        let disk = broken();
        let before = disk.operations();
        try_repair(&disk).unwrap();
        disk.operations() - before
    };
    for at in 0..changes {
        for survival in [[Survival::Nothing, Survival::Everything][at as usize % 2], Survival::Random(at)] {
            let disk = broken();
            let originals = segments(&disk);
            let first = disk.operations();
            disk.fail_at(first + at, Fault::Io, true);
            assert!(try_repair(&disk).is_err());
            let after = disk.crash(survival);
            let what = format!("operation {at}, {survival:?}");
            if open(&after.copy(), small_options()).is_ok() {
                // All but the last sync was done.
                assert_eq!(read_all(&after, &what), expected, "{what}: a start would lose what is not there yet");
                continue;
            }
            let report = try_repair(&after).unwrap_or_else(|error| panic!("{what}: {error}")).unwrap();
            if report.is_resumed {
                resumed += 1;
            } else {
                begun_anew += 1;
            }
            for (name, bytes) in originals {
                assert_eq!(after.contents(&format!("{}/{name}", report.quarantine)), bytes, "{what}");
            }
            assert_eq!(read_all(&after, &what), expected, "{what}");
        }
    }
    assert!(resumed > 10 && begun_anew > 10, "{resumed} {begun_anew}");
}

#[test]
fn a_copy_of_a_journal_tells_the_same() {
    for (seed, clean) in [(1, true), (5, true), (6, false)] {
        let (disk, ledger) = image(seed, 40, clean);
        let (copy, mut reading) = (CrashDisk::new(), Reading::default());
        let options = Options { shard: ShardId::default(), ..small_options() };
        let mut scribe = Scribe::over(options, Arc::new(copy.clone()), &mut reading, Timestamp(5)).unwrap();
        let source = inspect(&disk).unwrap();
        let mut lost = |lost| panic!("{lost:?}");
        let mut copier = Copier::new(&mut scribe, source.reader(), &mut lost);
        source.replay(&mut copier).unwrap();
        assert_eq!(copier.finish().unwrap() as usize, ledger.messages.len());
        scribe.finish().unwrap();
        assert_eq!(read_all(&copy, "the copy"), ledger);
    }
}

#[test]
fn a_dump_gives_every_message_and_goes_on_behind_damage() {
    let (disk, ledger) = image(7, 20, true);
    let mut count = 0;
    let mut damages = 0;
    let mut tell = |line: Result<super::super::inspect::Line, _>| {
        match line {
            Ok(line) => count += usize::from(matches!(line.kind, "accepted" | "copied")),
            Err(_) => damages += 1,
        }
        true
    };
    inspect(&disk).unwrap().dump(&Filter::default(), &mut tell).unwrap();
    assert!(count >= ledger.messages.len() && damages == 0);
    let (mut behind, mut seen) = (0, false);
    inspect(&broken())
        .unwrap()
        .dump(&Filter::default(), &mut |line| {
            seen |= line.is_err();
            behind += usize::from(seen && line.is_ok());
            true
        })
        .unwrap();
    assert!(seen && behind > 0);
}

#[test]
fn a_half_repaired_directory_does_not_open() {
    let disk = CrashDisk::new();
    disk.put("repair-moving-in", b"quarantine/0001".to_vec());
    let mut reading = Reading::default();
    let refused = Journal::open(small_options(), Arc::new(disk.clone()), &mut reading, Timestamp(5));
    assert!(matches!(refused, Err(OpenError::Damaged { .. })));
    assert_eq!(disk.names(), ["repair-moving-in"], "nothing was made");
}

#[test]
fn an_orderly_stop_of_a_tool_does_not_hide_that_the_broker_had_none() {
    let (disk, ledger) = image(2, 30, false);
    let mut reading = Reading::default();
    let scribe = Scribe::over(small_options(), Arc::new(disk.clone()), &mut reading, Timestamp(5)).unwrap();
    scribe.finish().unwrap();
    let (_, recovered, reading) = open(&disk, small_options()).unwrap();
    assert!(recovered.clean);
    assert_eq!(reading.ledger.suspected, ledger.next_id.max(ledger.suspected));
}
