//! Cron: when the clocks of a zone next show what an expression says.
//!
//! Pure: the rules of the zones are part of the program, so the same question always has the same answer, whatever machine
//! is asked. It must not know what happens at that time.

mod cron;

#[cfg(test)]
mod tests;

pub use cron::{Cron, CronError};
