//! How much work is done under the engine's lock, counted instead of timed: what is counted is the same on every machine
//! and in every test.

/// A budget of steps, and what of it is used. One step is about what it takes to look at one message in memory, a fifth of
/// a microsecond; whatever costs more is charged more.
///
/// Nothing is interrupted: who works asks [`is_used_up`](Self::is_used_up) between two parts of its work, so that a call may
/// go over its budget by the largest part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    spent: u64,
    limit: u64,
}

impl Steps {
    /// A change of one message: its record, the queue, the indices.
    pub const CHANGE: u64 = 4;
    /// One message handed to one consumer.
    pub const DELIVERY: u64 = 3;
    /// Bytes of a head that a filter reads in one step.
    const HEAD_BYTES: u64 = 128;

    /// Nothing is used of so many.
    pub const fn new(limit: u64) -> Steps {
        Steps { spent: 0, limit }
    }

    /// Counts work that has been done, or is about to be.
    pub const fn charge(&mut self, steps: u64) {
        self.spent = self.spent.saturating_add(steps);
    }

    /// Whether the rest has to wait for another call.
    pub const fn is_used_up(&self) -> bool {
        self.spent >= self.limit
    }

    /// What may still be used.
    pub const fn left(&self) -> u64 {
        self.limit.saturating_sub(self.spent)
    }

    /// What was used.
    pub const fn spent(&self) -> u64 {
        self.spent
    }

    /// Allows so many more from here on, whatever was used before.
    pub const fn allow(&mut self, steps: u64) {
        self.limit = self.spent.saturating_add(steps);
    }

    /// What it costs that a filter reads so many heads' worth of bytes.
    pub const fn of_bytes(bytes: u64) -> u64 {
        bytes / Self::HEAD_BYTES
    }
}
