//! Makes a failing run smaller: leaves out what it fails without.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::broker::Failure;
use super::run::run;
use super::step::Step;
use super::tally::Tally;
use super::trace::Trace;

/// Runs that are tried at most.
const TRIES: usize = 2000;

/// A run whose panics are failures as well.
pub(crate) fn attempt(seed: u64, steps: &[Step]) -> Result<(Tally, Trace), Failure> {
    caught(|| run(seed, steps))
}

/// What panics has failed.
pub(crate) fn caught<T>(attempt: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panic: {}", text.unwrap_or_default()))
    })
}

/// The kind of a failure: the promise, not the message.
pub(crate) fn kind(failure: &str) -> &str {
    failure.split(':').next().unwrap_or_default()
}

/// Steps without which the run fails no more in the same way, and how it fails with them.
pub(crate) fn shrink(seed: u64, steps: Vec<Step>, failure: Failure) -> (Vec<Step>, Failure) {
    let (mut steps, mut failure) = (steps, failure);
    let mut tries = 0;
    let mut piece = steps.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        while at < steps.len() && tries < TRIES {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + piece).min(steps.len()));
            tries += 1;
            match attempt(seed, &fewer) {
                Err(other) if kind(&other) == kind(&failure) => (steps, failure) = (fewer, other),
                _ => at += piece,
            }
        }
        if piece == 1 || tries >= TRIES {
            return (steps, failure);
        }
        piece = piece.div_ceil(2);
    }
}
