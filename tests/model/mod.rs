//! The engine against a reference model: random clients, any interleaving, time, crashes and restarts (TESTING.md, T2).
//!
//! [`reference`] keeps each queue as a plain list and each subscription as a ledger. It does not foretell who of several
//! gets a message; it checks that every delivery was allowed (the first ready message that is wanted, to somebody with
//! credit, with the right marks) and that nothing that could be handed out was kept back. What that makes of groups of
//! messages, and who owns them, stands in [`grouping`]. All else is foretold exactly:
//! answers, refusals, counts, places, standings, terms, what a crash leaves. Where a rule has a number in the job model
//! (§5), the check that holds it says so.
//!
//! A longer run: `PROPTEST_CASES=100000 cargo test -p kolejka-tests --test all model::`; a fiftieth of the cases goes over
//! the journal. Dependencies that are built with `CARGO_PROFILE_DEV_OPT_LEVEL=2` make it five times as quick.

mod allowance;
mod comparison;
mod delivery;
mod disk;
mod feeding;
mod grouping;
mod log;
mod managing;
mod message;
mod publishing;
mod queue;
mod records;
mod reference;
mod request;
mod restart;
mod sending;
mod setting;
mod settling;
mod step;
mod subscriber;
mod subscribing;
mod timing;
mod world;

use proptest::prelude::*;

use self::disk::OnDisk;
use self::log::{Plain, Store};
use self::setting::Setting;
use self::step::{Step, steps};
use self::world::World;

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_does_what_the_model_foretells(setting in Setting::any(), steps in steps()) {
        let store = Box::new(Plain::new(setting.shard));
        run(setting, store, steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases() / 50, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_tells_a_new_process_what_the_model_remembers(setting in Setting::any(), steps in steps()) {
        let store = Box::new(OnDisk::new(setting.shard));
        run(setting, store, steps);
    }
}

fn run(setting: Setting, store: Box<dyn Store>, steps: Vec<(Step, bool)>) {
    let mut world = World::new(setting, store);
    for (step, goes_on) in steps {
        world.run(step, goes_on);
    }
}

/// How many runs, unless the environment says otherwise.
fn cases() -> u32 {
    let wanted = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    wanted.unwrap_or(2000)
}
