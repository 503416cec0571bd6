//! What is due, and when. Knows neither a clock nor what it wakes.

use std::collections::BTreeSet;

/// Keys by their due time, on whichever clock `T` is a reading of. A key may be scheduled more than once; each firing is
/// reported. What is due at the same moment fires in the order of the keys.
#[derive(Debug)]
pub struct Scheduler<T, K> {
    entries: BTreeSet<(T, K)>,
}

impl<T: Ord + Copy, K: Ord + Copy> Scheduler<T, K> {
    /// Nothing is due.
    pub fn new() -> Scheduler<T, K> {
        Scheduler { entries: BTreeSet::new() }
    }

    /// Wakes `key` at `due`.
    pub fn at(&mut self, due: T, key: K) {
        self.entries.insert((due, key));
    }

    /// Takes back what [`at`](Self::at) said.
    pub fn cancel(&mut self, due: T, key: K) {
        self.entries.remove(&(due, key));
    }

    /// Takes one key that is due.
    pub fn due(&mut self, now: T) -> Option<K> {
        let first = self.entries.first().filter(|(due, _)| *due <= now)?.1;
        self.entries.pop_first();
        Some(first)
    }

    /// When the next one is due.
    pub fn deadline(&self) -> Option<T> {
        self.entries.first().map(|(due, _)| *due)
    }
}

impl<T: Ord + Copy, K: Ord + Copy> Default for Scheduler<T, K> {
    fn default() -> Scheduler<T, K> {
        Scheduler::new()
    }
}
