//! What a queue has seen since the process started.

use super::Queue;

/// Numbers that only rise. They are for those who watch; nothing is decided by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that came, however they did.
    pub enqueued: u64,
    /// Messages that left, however they did.
    pub dequeued: u64,
    /// Times that a message was handed out.
    pub dispatched: u64,
    /// Messages whose end came before anybody took them.
    pub expired: u64,
}

impl Counts {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Counts) -> Counts {
        Counts {
            enqueued: self.enqueued + other.enqueued,
            dequeued: self.dequeued + other.dequeued,
            dispatched: self.dispatched + other.dispatched,
            expired: self.expired + other.expired,
        }
    }
}

impl Queue {
    /// What it has seen.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// A message's end came before anybody took it.
    pub fn count_expired(&mut self) {
        self.counts.expired += 1;
    }

    /// What was read back from the log did not come just now.
    pub fn begin_counting(&mut self) {
        self.counts = Counts::default();
    }
}
