//! Deterministic simulation: clients that do everything, the real codec, sessions, engine and journal, a disk that fails and
//! a clock that jumps, in one thread and from one seed.
//!
//!   cargo test -p kolejka-tests --test simulation -- --seed 17 --steps 300
//!   cargo test -p kolejka-tests --test simulation -- --seed 17 --steps 300 --keep 4,9,10
//!   cargo test -p kolejka-tests --test simulation -- --from 1000 --seeds 500
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program of its own, which says what it found")]

mod act;
mod alone;
mod broker;
mod bugs;
mod client;
mod faults;
mod finish;
mod hear;
mod history;
mod jobs;
mod run;
mod send;
mod setting;
mod shrink;
mod spoil;
mod step;
mod subscribe;
mod sweep;
mod tally;
mod task;
mod trace;
mod verdict;
mod watchdog;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    match sweep::Wish::from_arguments(std::env::args().skip(1)) {
        Ok(wish) if sweep::carry_out(&wish) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(words) => {
            eprintln!("{words}");
            ExitCode::from(2)
        }
    }
}
