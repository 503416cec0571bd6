//! Failing operations, power cuts at every operation, and cuts during recovery.

use super::super::OpenError;
use super::super::conformance;
use super::super::conformance::Ledger;
use super::super::fault::{CrashDisk, Dice, Fault, Survival};
use super::super::format::BLOCK_BYTES;
use super::workload::{Run, check_survivor, open, small_options};
use crate::model::{MessageId, ShardId};

const UNITS: usize = 24;
const OLD_MESSAGES: u64 = 14;

/// The workload of the exhaustive tests; gives what is allowed to be found afterwards.
fn run(disk: &CrashDisk) -> (Vec<Ledger>, usize) {
    match Run::start(disk, small_options()) {
        Ok(mut run) => {
            run.work(&mut Dice::new(7), UNITS);
            run.end()
        }
        Err(_) => (vec![Ledger::default()], 0),
    }
}

fn operations_of_a_run() -> u64 {
    let disk = CrashDisk::new();
    let (states, acknowledged) = run(&disk);
    assert_eq!((states.len(), acknowledged), (UNITS + 1, UNITS));
    disk.operations()
}

#[test]
fn whichever_operation_fails_nothing_acknowledged_is_lost() {
    let operations = operations_of_a_run();
    assert!(operations > 100, "only {operations} operations: the test would prove nothing");
    let mut failed = 0;
    for at in 0..operations {
        for fault in [Fault::Io, Fault::NoSpace, Fault::Short] {
            for for_ever in [false, true] {
                let what = format!("operation {at} fails with {fault:?}, for ever: {for_ever}");
                let disk = CrashDisk::new();
                disk.fail_at(at, fault, for_ever);
                let (states, acknowledged) = run(&disk);
                failed += usize::from(acknowledged < UNITS);
                let after = match at % 3 {
                    0 => disk.kill(),
                    1 => disk.crash(Survival::Nothing),
                    _ => disk.crash(Survival::Random(at)),
                };
                check_survivor(&after, small_options(), (&states, acknowledged), &what);
            }
        }
    }
    assert!(failed as u64 > operations, "most failures must have ended the run: {failed}");
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_acknowledged() {
    for at in 0..operations_of_a_run() {
        for seed in 0..4 {
            let disk = CrashDisk::new();
            disk.fail_at(at, Fault::Short, true);
            let (states, acknowledged) = run(&disk);
            let after = disk.crash(Survival::Random(at * 1000 + seed));
            check_survivor(&after, small_options(), (&states, acknowledged), &format!("cut at {at}, seed {seed}"));
        }
    }
}

/// Old messages that keep the first segment and are settled one by one, beside young ones that are settled at once: every
/// segment but the first dies and is given back, and it holds what was settled in the first.
fn run_old_and_young(disk: &CrashDisk) -> (Vec<Ledger>, usize) {
    let Ok(mut run) = Run::start(disk, small_options()) else { return (vec![Ledger::default()], 0) };
    let mut unit = vec![conformance::created(1)];
    unit.extend((1..=OLD_MESSAGES + 1).map(|id| conformance::accepted(ShardId::default(), 1, id, 10)));
    if run.write(unit) {
        (1..=OLD_MESSAGES).all(|old| settle_old_and_young(&mut run, old));
    }
    run.end()
}

fn settle_old_and_young(run: &mut Run, old: u64) -> bool {
    let young = 100 + old;
    if !run.write(vec![conformance::accepted(ShardId::default(), 1, young, 1000)]) {
        return false;
    }
    let settled = [old, young].map(|id| {
        let message = MessageId::new(ShardId::default(), id);
        let kept = &run.session.reading.ledger.messages[&message];
        conformance::settled(message, kept, run.session.reading.position(message).unwrap())
    });
    run.write(settled.into())
}

#[test]
fn a_spoilt_checkpoint_never_brings_back_what_was_settled_before_it() {
    let disk = CrashDisk::new();
    assert_eq!(run_old_and_young(&disk).1 as u64, 1 + 2 * OLD_MESSAGES);
    let (mut refused, mut same) = (0, 0);
    for at in 0..disk.operations() {
        let disk = CrashDisk::new();
        disk.fail_at(at, Fault::Io, true);
        let (states, acknowledged) = run_old_and_young(&disk);
        let cut = disk.crash(Survival::Nothing);
        let recovered = cut.copy();
        drop(open(&recovered, small_options()).unwrap());
        let disks = [cut, recovered.crash(Survival::Nothing)];
        let each = disks.iter().flat_map(|disk| disk.names().into_iter().map(move |name| (disk, name)));
        for (disk, name) in each.filter(|(_, name)| name.starts_with("seg-")) {
            let spoilt = disk.copy();
            spoilt.flip(&name, BLOCK_BYTES + 20, 1);
            match open(&spoilt, small_options()) {
                // The batch that was spoilt may be the last one of an acknowledged unit.
                Ok((_, _, reading)) => {
                    assert!(states[acknowledged.saturating_sub(1)..].contains(&reading.ledger), "cut at {at}, {name}");
                    same += 1;
                }
                Err(OpenError::Damaged { .. }) => refused += 1,
                Err(error) => panic!("cut at {at}, {name}: {error}"),
            }
        }
    }
    assert!(refused > 20 && same > 20, "{refused} refused, {same} the same");
}

#[test]
fn a_crash_during_recovery_and_another_one_change_nothing() {
    let mut interrupted = 0;
    for chain in 0..40 {
        let mut dice = Dice::new(chain);
        let disk = CrashDisk::new();
        let mut first = Run::start(&disk, small_options()).unwrap();
        first.work(&mut dice, 6 + chain as usize % 20);
        let mut disk = disk.crash(Survival::Random(chain));
        let (states, acknowledged) = first.end();
        for attempt in 0..5 {
            disk.fail_at(dice.below(60), Fault::Short, true);
            interrupted += usize::from(open(&disk, small_options()).is_err());
            disk = if dice.below(2) == 0 { disk.kill() } else { disk.crash(Survival::Random(chain * 10 + attempt)) };
        }
        check_survivor(&disk, small_options(), (&states, acknowledged), &format!("chain {chain}"));
    }
    assert!(interrupted > 50, "only {interrupted} recoveries were interrupted");
}

#[test]
fn long_runs_with_many_crashes_keep_the_state() {
    for seed in 0..25 {
        let mut dice = Dice::new(1000 + seed);
        let mut disk = CrashDisk::new();
        let mut expected = None;
        for round in 0..6 {
            let mut run = Run::start(&disk, small_options()).unwrap();
            if let Some(expected) = &expected {
                assert_eq!(&run.states[0], expected, "seed {seed}, round {round}");
            }
            run.session.check_contents();
            let units = 5 + dice.below(40) as usize;
            assert!(run.work(&mut dice, units));
            run.session.check_contents();
            let orderly = dice.below(3) == 0;
            if orderly {
                expected = Some(run.end().0.pop().unwrap());
                disk = disk.crash(Survival::Nothing);
            } else {
                disk = disk.crash(Survival::Random(seed * 100 + round));
                expected = Some(run.end().0.pop().unwrap());
            }
        }
    }
}

#[test]
fn after_a_failed_sync_nothing_becomes_durable_and_the_sink_is_told() {
    let disk = CrashDisk::new();
    let mut run = Run::start(&disk, small_options()).unwrap();
    assert!(run.work(&mut Dice::new(3), 5));
    // A batch is one write and one sync: the second operation from here is the sync.
    disk.fail_at(disk.operations() + 1, Fault::Io, false);
    assert!(!run.work(&mut Dice::new(4), 1));
    assert!(!run.work(&mut Dice::new(5), 1), "a poisoned journal takes nothing");
    let (states, acknowledged) = run.end();
    assert_eq!(acknowledged, 5);
    // The pages of the failed sync are marked clean: they are there as long as the machine runs, and gone after a cut.
    let killed = disk.kill();
    check_survivor(&killed, small_options(), (&states, acknowledged), "killed");
    let cut = killed.crash(Survival::Nothing);
    check_survivor(&cut, small_options(), (&states, acknowledged + 1), "what recovery saw was written anew");
}
