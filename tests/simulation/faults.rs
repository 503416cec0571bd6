//! What happens to the machine: the power goes or the process is killed, also while a start is under way, and the disk fails.

use kolejka::journal::fault::{Dice, Fault, Survival};

use super::broker::{Broker, Failure};
use super::tally::Tally;
use super::trace::show;

/// How deep starts are cut short one after the other.
const DEPTH: u32 = 3;

impl Broker {
    /// Ends the process at once. What of the disk survives is chosen by dice.
    pub(crate) fn cut(&mut self, dice: &mut Dice, tally: &mut Tally) {
        let survival = match dice.below(5) {
            0 => Some(Survival::Nothing),
            1 => Some(Survival::Everything),
            2 | 3 => Some(Survival::Random(dice.roll())),
            _ => None,
        };
        let next = survival.map_or_else(|| self.disk.kill(), |survival| self.disk.crash(survival));
        show("cut", format!("{survival:?}").as_bytes());
        tally.cuts += u64::from(survival.is_some());
        tally.kills += u64::from(survival.is_none());
        self.drop_process();
        self.disk = next;
    }

    /// The journal has failed, as it was made to: the process ends with it, and the page cache lives on.
    pub(crate) fn give_up(&mut self, tally: &mut Tally) {
        tally.failed += 1;
        let next = self.disk.kill();
        self.drop_process();
        self.disk = next;
    }

    /// Starts a broker, which may be cut short a few times. In the end the directory opens.
    pub(crate) fn start(&mut self, dice: &mut Dice, tally: &mut Tally) -> Result<(), Failure> {
        for depth in 0..=DEPTH {
            if depth < DEPTH && dice.below(3) == 0 {
                self.plan_cut(dice.below(40));
            }
            match self.open() {
                _ if self.is_cut() => {}
                Ok(_) => return Ok(()),
                // One operation of the disk failed, as it was made to: the next start finds it whole.
                Err(_) if self.may_fail => {
                    self.give_up(tally);
                    continue;
                }
                Err(error) => {
                    let files = self.disk.names();
                    let lengths: Vec<_> = files.iter().map(|name| (name, self.disk.contents(name).len())).collect();
                    show("disk", format!("{} bytes, {lengths:?}", self.disk.used()).as_bytes());
                    return Err(format!("open: the directory does not open: {error}"));
                }
            }
            tally.cut_starts += 1;
            self.cut(dice, tally);
        }
        Err("open: a start was cut without a plan".to_owned())
    }

    /// The power goes at the operation of the disk that comes after so many others.
    pub(crate) fn plan_cut(&mut self, operations: u64) {
        let at = self.disk.operations() + operations;
        self.disk.fail_at(at, Fault::Io, true);
        self.cut_at = Some(at);
    }

    /// One operation of the disk fails.
    pub(crate) fn plan_fault(&mut self, operations: u64, fault: Fault) {
        if self.cut_at.is_none() {
            self.disk.fail_at(self.disk.operations() + operations, fault, false);
            self.may_fail = true;
        }
    }

    fn is_cut(&self) -> bool {
        self.cut_at.is_some_and(|at| self.disk.operations() > at)
    }
}
