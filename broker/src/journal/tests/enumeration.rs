//! A crash at every operation that changes the disk, at every one of the recovery from it, and of the recovery from that.
//!
//! Each scenario is a run over a disk, with openings of one batch and of many. Whatever is cut, the directory opens, with
//! all that was acknowledged and nothing that was settled. The first level is complete. Below it, for every
//! third cut, the recovery from one of the things that it may leave behind is cut at each of its operations, and the
//! recovery from that at one of them; which ones follows from the numbers. `KOLEJKA_CRASHES=all` takes all of them, which takes hours.

use super::super::Options;
use super::super::conformance;
use super::super::conformance::{FAN, Ledger};
use super::super::fault::{CrashDisk, Dice, Fault, Survival};
use super::super::format::locate;
use super::workload::{Run, check_survivor, open, small_options};
use crate::model::{MessageId, Record, ShardId};

/// What happens to a disk.
struct Scenario {
    name: &'static str,
    options: Options,
    run: fn(&CrashDisk, Options) -> (Vec<Ledger>, usize),
}

/// Batches so small that the state needs many.
fn long_options() -> Options {
    Options { batch_bytes: 1024, segment_bytes: 64 << 10, ..small_options() }
}

/// Segments so small that the state is a third of one.
fn continuing_options() -> Options {
    Options { batch_bytes: 1024, segment_bytes: 32 << 10, ..small_options() }
}

/// Segments whose messages fit another one, however full it is.
fn full_options() -> Options {
    Options { spare_segments: 3, segment_bytes: 256 << 10, batch_bytes: 64 << 10, ..small_options() }
}

fn scenarios() -> [Scenario; 9] {
    [
        Scenario { name: "openings of one batch", options: small_options(), run: mixture },
        Scenario { name: "openings of many batches", options: long_options(), run: large_state },
        Scenario { name: "openings that continue", options: continuing_options(), run: continued },
        Scenario { name: "a long tail", options: long_options(), run: long_tail },
        Scenario { name: "fan-outs", options: long_options(), run: fan_outs },
        Scenario { name: "a directory of version 1", options: small_options(), run: version_1 },
        Scenario { name: "a full disk", options: full_options(), run: full_disk },
        Scenario { name: "old messages copied forward", options: small_options(), run: copied_forward },
        Scenario { name: "shared bodies copied forward", options: long_options(), run: fan_outs_copied_forward },
    ]
}

/// One run, an orderly stop, and another.
fn mixture(disk: &CrashDisk, options: Options) -> (Vec<Ledger>, usize) {
    in_two(disk, options, |run| run.work(&mut Dice::new(7), 10), |run| run.work(&mut Dice::new(8), 6), Run::end)
}

/// Messages with terms in sealed segments, keys and jobs, so that each opening is a chain; then what makes it roll.
fn large_state(disk: &CrashDisk, options: Options) -> (Vec<Ledger>, usize) {
    let fill = |run: &mut Run| {
        run.write(vec![conformance::created(1)])
            && (0..2).all(|unit| run.write(with_terms(100 + unit * 30..130 + unit * 30, 10)))
            && (0..4).all(|unit| run.write(vec![conformance::accepted(ShardId::default(), 1, 200 + unit, 9000)]))
    };
    in_two(disk, options, fill, |run| settle_some(run, 40) && run.work(&mut Dice::new(9), 3), Run::end)
}

/// A state that is written anew with some segments only.
fn continued(disk: &CrashDisk, options: Options) -> (Vec<Ledger>, usize) {
    let churn = |run: &mut Run, ids: std::ops::Range<u64>| {
        ids.into_iter().all(|id| {
            let message = MessageId::new(ShardId::default(), id);
            run.write(vec![conformance::accepted(ShardId::default(), 1, id, 9000)])
                && settle(run, &[message])
                && settle_some(run, 1)
        })
    };
    let fill = move |run: &mut Run| {
        run.write(vec![conformance::created(1)])
            && (0..2).all(|unit| run.write(with_terms(100 + unit * 30..130 + unit * 30, 10)))
            && churn(run, 300..308)
    };
    in_two(disk, options, fill, move |run| churn(run, 400..402), Run::end)
}

/// A tail of many batches, which an unclean end leaves to the next start.
fn long_tail(disk: &CrashDisk, options: Options) -> (Vec<Ledger>, usize) {
    let fill = |run: &mut Run| {
        run.write(vec![conformance::created(1)])
            && (0..5).all(|unit| run.write(with_terms(100 + unit * 4..104 + unit * 4, 900)))
            && settle_some(run, 5)
    };
    in_two(disk, options, fill, |run| settle_some(run, 9), Run::abandon)
}

/// Bodies that messages share, in a tail whose holders are gone in part.
fn fan_outs(disk: &CrashDisk, options: Options) -> (Vec<Ledger>, usize) {
    let fill = |run: &mut Run| {
        run.write((1..4).map(conformance::created).collect())
            && (0..3).all(|unit| {
                let first = FAN.next_multiple_of(100) + unit * 100;
                run.write(conformance::fan_out(ShardId::default(), first, 6, 2500))
            })
            && settle_some(run, 8)
    };
    in_two(disk, options, fill, |run| settle_some(run, 3), Run::abandon)
}

/// Messages that stay, with what is known of them, while others come and go: their segments are emptied, and those of their
/// copies. They change meanwhile.
fn copied_forward(disk: &CrashDisk, options: Options) -> (Vec<Ledger>, usize) {
    let fill = |run: &mut Run| {
        run.write((1..4).map(conformance::created).collect())
            && (0..5)
                .all(|n| run.write(with_terms(100 + n * 3..103 + n * 3, 300)) && churn(run, 300 + n * 3..303 + n * 3))
            && churn(run, 350..362)
            && settle_some(run, 1)
            && return_some(run)
            && churn(run, 400..406)
            && are_elsewhere(run, disk, 10)
    };
    in_two(disk, options, fill, |run| churn(run, 500..503), Run::end)
}

/// The same with bodies that messages share; the one that held them is gone.
fn fan_outs_copied_forward(disk: &CrashDisk, options: Options) -> (Vec<Ledger>, usize) {
    let fill = |run: &mut Run| {
        run.write((1..4).map(conformance::created).collect())
            && (0..5).all(|n| {
                let first = FAN.next_multiple_of(100) + n * 100;
                run.write(conformance::fan_out(ShardId::default(), first, 4, 1500))
                    && settle(run, &[MessageId::new(ShardId::default(), first)])
                    && churn(run, 300 + n * 6..306 + n * 6)
            })
            && churn(run, 350..356)
            && are_elsewhere(run, disk, 6)
    };
    in_two(disk, options, fill, |run| churn(run, 400..402), Run::abandon)
}

/// Large messages, of which each is settled at once.
fn churn(run: &mut Run, ids: std::ops::Range<u64>) -> bool {
    ids.into_iter().all(|id| {
        run.write(vec![conformance::accepted(ShardId::default(), 1, id, 9000)])
            && settle(run, &[MessageId::new(ShardId::default(), id)])
    })
}

/// A delivery of some of the messages comes to nothing; others are moved.
fn return_some(run: &mut Run) -> bool {
    let oldest: Vec<MessageId> = run.session.reading.ledger.messages.keys().copied().take(6).collect();
    oldest.into_iter().all(|message| {
        let (kept, at) = (run.session.reading.ledger.messages[&message].clone(), run.session.reading.position(message));
        let (at, id) = (at.unwrap(), message.sequence());
        run.write(vec![if id % 2 == 0 {
            conformance::returned(message, &kept, at)
        } else {
            conformance::moved(message, &kept, at, 2)
        }])
    })
}

/// Of so many messages at least the segment is gone that they were written to, and they are not.
fn are_elsewhere(run: &Run, disk: &CrashDisk, least: usize) -> bool {
    let names = disk.names();
    let reading = &run.session.reading;
    let is_gone = |message: &&MessageId| {
        let (segment, _) = locate(reading.position(**message).unwrap());
        !names.contains(&segment.file_name())
    };
    let count = reading.ledger.messages.keys().filter(is_gone).count();
    assert!(count >= least, "{count}: {names:?}");
    true
}

/// One run over a directory that an older program left.
fn version_1(disk: &CrashDisk, options: Options) -> (Vec<Ledger>, usize) {
    let states = super::golden::put_on(disk);
    let Ok(mut run) = Run::start(disk, options) else { return (states, 0) };
    run.work(&mut Dice::new(10), 3);
    run.end()
}

/// No room: what is settled makes some, by rolls that nothing else asks for.
fn full_disk(disk: &CrashDisk, options: Options) -> (Vec<Ledger>, usize) {
    let Ok(mut run) = Run::start(disk, options) else { return (vec![Ledger::default()], 0) };
    if run.write(vec![conformance::created(1)]) {
        disk.set_free(0);
        let mut id = 0;
        while id < 90 && run.write(vec![conformance::accepted(ShardId::default(), 1, 1 + id, 12_000)]) {
            id += 1;
        }
        settle_some(&mut run, 100);
        run.write(vec![Record::IdBlock { next: 90 }]);
    }
    run.end()
}

fn with_terms(ids: std::ops::Range<u64>, size: usize) -> Vec<Record> {
    ids.map(|id| conformance::accepted_with_terms(ShardId::default(), 1, id, size)).collect()
}

/// Settles the oldest messages, a few in each unit.
fn settle_some(run: &mut Run, count: usize) -> bool {
    let oldest: Vec<MessageId> = run.session.reading.ledger.messages.keys().copied().take(count).collect();
    oldest.chunks(5).all(|some| settle(run, some))
}

fn settle(run: &mut Run, messages: &[MessageId]) -> bool {
    let settled = |message: &MessageId| {
        let kept = &run.session.reading.ledger.messages[message];
        conformance::settled(*message, kept, run.session.reading.position(*message).unwrap())
    };
    let unit = messages.iter().map(settled).collect();
    run.write(unit)
}

fn in_two(
    disk: &CrashDisk,
    options: Options,
    first: impl Fn(&mut Run) -> bool,
    second: impl Fn(&mut Run) -> bool,
    end: fn(Run) -> (Vec<Ledger>, usize),
) -> (Vec<Ledger>, usize) {
    let Ok(mut run) = Run::start(disk, options.clone()) else { return (vec![Ledger::default()], 0) };
    let done = first(&mut run);
    let (mut states, mut acknowledged) = end(run);
    if !done {
        return (states, acknowledged);
    }
    let Ok(mut run) = Run::start(disk, options) else { return (states, acknowledged) };
    assert_eq!(run.states.first(), states.last());
    second(&mut run);
    let (more, further) = end(run);
    states.extend(more.into_iter().skip(1));
    acknowledged += further;
    (states, acknowledged)
}

/// What may be left behind by a cut.
#[derive(Clone, Copy, Debug)]
enum Left {
    Killed,
    Cut(Survival),
}

impl Left {
    const WAYS: usize = 5;

    /// All of them, or one that follows from the numbers.
    fn each(all: bool, place: &[u64]) -> Vec<Left> {
        let seed = place.iter().fold(17, |seed, at| Dice::new(seed ^ at).roll());
        let every = [Left::Killed, Left::Cut(Survival::Nothing), Left::Cut(Survival::Everything)];
        let every = every.into_iter().chain([seed, seed + 1].map(|seed| Left::Cut(Survival::Random(seed))));
        if all { every.collect() } else { every.skip((seed >> 32) as usize % Left::WAYS).take(1).collect() }
    }

    fn of(self, disk: &CrashDisk) -> CrashDisk {
        match self {
            Left::Killed => disk.kill(),
            Left::Cut(survival) => disk.crash(survival),
        }
    }
}

/// Whether nothing is left out.
fn every() -> bool {
    std::env::var("KOLEJKA_CRASHES").is_ok_and(|which| which == "all")
}

/// Counts, so that a test which proves nothing is seen.
#[derive(Debug, Default)]
struct Seen {
    first: usize,
    second: usize,
    third: usize,
}

impl Scenario {
    fn enumerate(&self) -> Seen {
        let (all, mut seen) = (every(), Seen::default());
        let disk = CrashDisk::new();
        let (states, acknowledged) = (self.run)(&disk, self.options.clone());
        assert_eq!(acknowledged + 1, states.len(), "{}", self.name);
        for at in disk.changes() {
            let disk = CrashDisk::new();
            disk.fail_at(at, Fault::Short, true);
            let survivors = (self.run)(&disk, self.options.clone());
            for (index, left) in Left::each(true, &[at]).into_iter().enumerate() {
                seen.first += 1;
                let what = format!("{}: cut at {at}, {left:?}", self.name);
                let depth = if all || at as usize % (3 * Left::WAYS) == index { 3 } else { 1 };
                self.recover(&left.of(&disk.copy_pending()), &survivors, (depth, &[at], &what), &mut seen);
            }
        }
        seen
    }

    /// Checks what is on the disk, then cuts the recovery at each of its changes, and the one after that.
    fn recover(
        &self,
        disk: &CrashDisk,
        survivors: &(Vec<Ledger>, usize),
        (depth, place, what): (usize, &[u64], &str),
        seen: &mut Seen,
    ) {
        let whole = disk.copy_pending();
        let (_, _, reading) = open(&whole, self.options.clone()).unwrap_or_else(|error| panic!("{what}: {error}"));
        let allowed = &survivors.0[survivors.1..];
        assert!(allowed.contains(&reading.ledger), "{what}: {:?}\nis none of {allowed:?}", reading.ledger);
        if place.len() == depth {
            return;
        }
        let changes = whole.changes();
        let all = every();
        let sample = Dice::new(place.iter().fold(3, |seed, at| seed * 1000 + at)).below(changes.len() as u64) as usize;
        let chosen: Vec<u64> =
            if all || place.len() == 1 { changes } else { changes.into_iter().skip(sample).take(1).collect() };
        for at in chosen {
            let cut = disk.copy_pending();
            cut.fail_at(at, Fault::Short, true);
            assert!(open(&cut, self.options.clone()).is_err(), "{what}: the recovery goes on after {at}");
            let place = [place, &[at]].concat();
            for left in Left::each(all, &place) {
                *(if place.len() == 2 { &mut seen.second } else { &mut seen.third }) += 1;
                let what = format!("{what}; recovery cut at {at}, {left:?}");
                self.recover(&left.of(&cut.copy_pending()), survivors, (depth, &place, &what), seen);
            }
        }
    }
}

#[test]
fn whatever_is_cut_and_cut_again_the_directory_opens_with_all_that_was_acknowledged() {
    let only = std::env::var("KOLEJKA_CRASHES_OF").unwrap_or_default();
    for scenario in scenarios().into_iter().filter(|scenario| scenario.name.contains(&only)) {
        let seen = scenario.enumerate();
        println!("{}: {seen:?}", scenario.name);
        assert!(seen.first > 100 && seen.second > 100 && seen.third > 100, "{}: {seen:?}", scenario.name);
    }
}

#[test]
fn what_a_run_leaves_behind_goes_on_after_three_cuts() {
    for scenario in scenarios() {
        let disk = CrashDisk::new();
        let survivors = (scenario.run)(&disk, scenario.options.clone());
        let mut disk = disk.crash(Survival::Nothing);
        for (seed, at) in [(1, 9), (2, 14), (3, 30)] {
            disk.fail_at(at, Fault::Short, true);
            drop(open(&disk, scenario.options.clone()));
            disk = disk.crash(Survival::Random(seed));
        }
        check_survivor(&disk, scenario.options, (&survivors.0, survivors.1), scenario.name);
    }
}
