//! A disk that rots while nobody looks: one bit turned over, or a file cut short. The directory opens or it is refused; what is
//! delivered is what was sent, in every bit.

use kolejka::journal::fault::{CrashDisk, Dice};

use super::broker::{Broker, Failure};
use super::run::{Run, walk};
use super::shrink::kind;
use super::step::Step;
use super::tally::Tally;

/// How often one disk is spoilt, each time from the beginning.
const TIMES: u64 = 6;

/// Runs these steps, kills the process, and spoils what it leaves.
pub(crate) fn spoil(seed: u64, steps: &[Step]) -> Result<Tally, Failure> {
    let mut dice = Dice::new(seed ^ 0xbad);
    let mut run = walk(seed, steps)?;
    let left = run.broker.disk.kill();
    run.broker.drop_process();
    (0..run.clients.len()).for_each(|client| run.part(client));
    let mut tally = Tally::default();
    for _ in 0..TIMES {
        let disk = left.copy();
        spoil_one(&disk, &mut dice, &mut tally);
        disk.set_free(u64::MAX);
        let mut broker = Broker::new(seed);
        broker.disk = disk;
        let mut history = run.history.clone();
        history.is_spoilt = true;
        let mut after = Run { broker, history, clients: Vec::new(), durable: run.durable.clone(), ..Run::new(seed) };
        after.broker.wall += run.broker.elapsed();
        if after.broker.open().is_err() {
            tally.refused += 1;
            continue;
        }
        match after.take_all(&mut dice) {
            Err(failure) if ["I2", "I4", "codec", "panic"].contains(&kind(&failure)) => return Err(failure),
            _ => {}
        }
    }
    Ok(tally)
}

/// Turns a bit over, or cuts a file.
fn spoil_one(disk: &CrashDisk, dice: &mut Dice, tally: &mut Tally) {
    let names = disk.names();
    let name = &names[dice.below(names.len() as u64) as usize];
    let bytes = disk.contents(name);
    if bytes.is_empty() {
        return;
    }
    // Most of a segment is empty: where something is there is more to spoil.
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
    let at = dice.below(used as u64) as usize;
    if dice.below(4) > 0 {
        tally.flips += 1;
        disk.flip(name, at, dice.below(8) as u32);
    } else {
        tally.truncations += 1;
        disk.put(name, bytes[..at].to_vec());
    }
}
