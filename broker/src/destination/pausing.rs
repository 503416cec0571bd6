//! A queue that stands still.

use super::Queue;
use crate::model::Timestamp;

impl Queue {
    /// Whether it takes messages in.
    pub fn takes(&self) -> bool {
        self.pause.input.is_none()
    }

    /// Whether it hands messages out.
    pub fn gives(&self) -> bool {
        !self.doomed && self.pause.output.is_none()
    }

    /// When something in it has to be looked at, because its time comes.
    pub fn next_moment(&self) -> Option<Timestamp> {
        let next = self.agenda.next().into_iter().chain(self.ends.next(&self.slots));
        if self.pause.is_over() { next.min() } else { next.chain(self.pause.next_end()).min() }
    }
}
