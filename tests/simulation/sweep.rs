//! Runs seeds, says what they came to, and how to repeat the one that failed.

use std::sync::atomic::Ordering;

use super::broker::Failure;
use super::bugs::find;
use super::shrink::{attempt, caught, shrink};
use super::spoil::spoil;
use super::step::plan;
use super::tally::Tally;
use super::trace::LOUD;
use super::watchdog::{PATIENCE, Watchdog};

/// What CI runs: so many seeds.
const SEEDS: u64 = 600;
/// Steps of a run.
const STEPS: usize = 400;
/// Every so many seeds one is run twice.
const TWICE: u64 = 10;

/// Of every so many the disk is spoilt.
const SPOILT: u64 = 10;

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Wish {
    from: u64,
    seeds: u64,
    steps: usize,
    /// Only these steps of the plan.
    keep: Option<Vec<usize>>,
    /// Says how the first one fails, and no more.
    is_quick: bool,
    /// Other tests were asked for.
    is_filtered: bool,
    /// Faults that are to be put back; none: all of them.
    bugs: Option<Vec<String>>,
}

impl Wish {
    /// Understands a command line. What cargo says to every test is not for us.
    pub(crate) fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Wish, String> {
        let mut wish =
            Wish { from: 0, seeds: SEEDS, steps: STEPS, keep: None, is_quick: false, is_filtered: false, bugs: None };
        while let Some(word) = arguments.next() {
            let mut number = || {
                let text = arguments.next().unwrap_or_default();
                text.parse::<u64>().map_err(|_| format!("{word} wants a number, not {text:?}"))
            };
            match word.as_str() {
                "--seed" => (wish.from, wish.seeds) = (number()?, 1),
                "--from" => wish.from = number()?,
                "--seeds" => wish.seeds = number()?,
                "--steps" => wish.steps = number()? as usize,
                "--quick" => wish.is_quick = true,
                "--bugs" => wish.bugs = Some(Vec::new()),
                name if !name.starts_with('-') && wish.bugs.is_some() => {
                    wish.bugs.get_or_insert_default().push(name.to_owned());
                }
                "--loud" => LOUD.store(true, Ordering::Relaxed),
                "--keep" => {
                    let text = arguments.next().unwrap_or_default();
                    let numbers = text.split(',').filter(|part| !part.is_empty()).map(str::parse::<usize>);
                    wish.keep = Some(numbers.collect::<Result<_, _>>().map_err(|error| error.to_string())?);
                }
                "--list" => wish.is_filtered = true,
                // What cargo says when somebody asks for tests of that name.
                name if !name.starts_with('-') => wish.is_filtered |= !"simulation".contains(name),
                _ => {}
            }
        }
        Ok(wish)
    }
}

/// Runs what was asked for. `false`: something failed.
pub(crate) fn carry_out(wish: &Wish) -> bool {
    if wish.is_filtered {
        return true;
    }
    if let Some(names) = &wish.bugs {
        return find(names);
    }
    let mut all = Tally::default();
    // What the runs find is told below; a panic on the way needs no words of its own unless all is to be shown.
    if !LOUD.load(Ordering::Relaxed) {
        std::panic::set_hook(Box::new(|_| {}));
    }
    let watchdog = Watchdog::start(if wish.is_quick { PATIENCE / 30 } else { PATIENCE });
    for seed in wish.from..wish.from + wish.seeds {
        let mut steps = plan(seed, wish.steps);
        if let Some(keep) = &wish.keep {
            steps.retain(|step| keep.contains(&step.number));
        }
        watchdog.begins(seed);
        match attempt(seed, &steps) {
            Ok((tally, trace)) => {
                all.add(&tally);
                if seed % SPOILT == 0 {
                    match caught(|| spoil(seed, &steps)) {
                        Ok(tally) => all.add(&tally),
                        Err(failure) => {
                            println!("seed {seed} failed: spoilt: {failure}");
                            return finish(false);
                        }
                    }
                }
                if seed % TWICE == 0 && !wish.is_quick && attempt(seed, &steps) != Ok((tally, trace)) {
                    println!("seed {seed} did not come to the same twice: the simulation is not deterministic");
                    return finish(false);
                }
            }
            Err(failure) if wish.is_quick => {
                println!("seed {seed} failed: {failure}");
                return finish(false);
            }
            Err(failure) => {
                let (steps, failure) =
                    if wish.keep.is_some() { (steps, failure) } else { shrink(seed, steps, failure) };
                report(wish, seed, &steps.iter().map(|step| step.number).collect::<Vec<_>>(), &failure);
                return finish(false);
            }
        }
    }
    println!("{} seeds of {} steps: {all:?}", wish.seeds, wish.steps);
    finish(wish.seeds < SEEDS || wish.is_quick || was_active(&all))
}

/// The line that tests/run counts.
fn finish(is_fine: bool) -> bool {
    let (passed, failed) = if is_fine { (1, 0) } else { (0, 1) };
    let word = if is_fine { "ok" } else { "FAILED" };
    println!("test result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out");
    is_fine
}

fn report(wish: &Wish, seed: u64, kept: &[usize], failure: &Failure) {
    let keep = kept.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    println!("seed {seed} failed: {failure}");
    println!("{} steps are enough:", kept.len());
    println!("  cargo test -p kolejka-tests --test simulation -- --seed {seed} --steps {} --keep {keep}", wish.steps);
}

/// A sweep in which little happened proves little.
fn was_active(all: &Tally) -> bool {
    let least = SEEDS;
    let is_enough = all.cuts >= 2 * least
        && all.kills >= least / 2
        && all.cut_starts >= least
        && all.failed >= least / 8
        && all.full >= least / 2
        && all.stops >= least / 2
        && all.receipts >= least * 100
        && all.acknowledged >= least * 4
        && all.committed >= least / 2
        && all.redelivered >= least * 10
        && all.recovered >= least
        && all.touched >= least / 4
        && all.ends >= least;
    if !is_enough {
        println!("too little happened for this to have proved anything");
    }
    is_enough
}
