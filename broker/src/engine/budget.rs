//! What one call may cost, in [`Steps`].
//!
//! A hold of the lock is the requests of a client and the dispatch behind them, or one slice of background work. Requests
//! stop when their steps are used up; so does the dispatch, and what it leaves is background work. Records and events are
//! counted when the budget is asked, so that whatever makes one is charged for it.

use super::machine::Engine;
use crate::model::{Effects, Steps};

impl Engine {
    /// For the requests of one hold. A read of single messages does not come near it.
    pub const REQUESTS: u64 = 8192;
    /// What it costs to make a destination, in steps.
    pub(super) const CREATED: u64 = 16;
    /// For handing out what they have made ready.
    pub const DISPATCH: u64 = 8192;
    /// For one kind of background work in a tick.
    pub const SLICE: u64 = 2048;
    /// For one queue, consumer or operation at a time.
    pub const PART: u64 = 1024;

    /// Whether further requests have to wait for another hold.
    pub fn has_done_enough(&self, effects: &Effects) -> bool {
        self.spent(effects) >= Self::REQUESTS || self.announcements.are_many()
    }

    /// Steps of this hold so far.
    pub fn spent(&self, effects: &Effects) -> u64 {
        self.steps.spent() + cost(effects)
    }

    /// Steps of the call that has just ended.
    pub fn last_steps(&self) -> u64 {
        self.last_steps
    }

    /// Whether the rest has to wait for another call.
    pub(super) fn is_used_up(&self, effects: &Effects) -> bool {
        self.steps.left() <= cost(effects)
    }

    /// A budget for a part of what is left.
    pub(super) fn share(&self, effects: &Effects, most: u64) -> Steps {
        Steps::new(self.steps.left().saturating_sub(cost(effects)).min(most))
    }

    /// Allows so many steps more from here on.
    pub(super) fn allow_steps(&mut self, steps: u64, effects: &Effects) {
        self.steps.allow(steps + cost(effects));
    }

    /// Allows no more than so many for what comes next. Returns what [`restore`](Self::restore) wants.
    pub(super) fn restrict(&mut self, steps: u64, effects: &Effects) -> Steps {
        let whole = self.steps;
        if self.steps.left() > steps + cost(effects) {
            self.steps.allow(steps + cost(effects));
        }
        whole
    }

    /// What was not used of a part is there for the next one.
    pub(super) fn restore(&mut self, whole: Steps) {
        let spent = self.steps.spent() - whole.spent();
        self.steps = whole;
        self.steps.charge(spent);
    }

    /// A call that is a hold of its own has ended.
    pub(super) fn end_of_steps(&mut self, effects: &Effects) {
        self.last_steps = self.spent(effects);
        self.steps = Steps::new(Self::REQUESTS);
    }
}

/// What has come about in a call so far, in steps.
fn cost(effects: &Effects) -> u64 {
    effects.records.len() as u64 * Steps::CHANGE + effects.events.len() as u64 * Steps::DELIVERY
}
