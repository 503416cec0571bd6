//! What is due, and when. Knows neither a clock nor what it wakes.

use std::collections::BTreeSet;
use std::time::Duration;

/// Keys by their due time on the monotonic clock. A key may be scheduled more than once; each firing is reported.
#[derive(Debug)]
pub struct Scheduler<K> {
    entries: BTreeSet<(Duration, K)>,
}

impl<K: Ord + Copy> Scheduler<K> {
    /// Nothing is due.
    pub fn new() -> Scheduler<K> {
        Scheduler { entries: BTreeSet::new() }
    }

    /// Wakes `key` at `due`.
    pub fn at(&mut self, due: Duration, key: K) {
        self.entries.insert((due, key));
    }

    /// Takes one key that is due.
    pub fn due(&mut self, now: Duration) -> Option<K> {
        let first = self.entries.first().filter(|(due, _)| *due <= now)?.1;
        self.entries.pop_first();
        Some(first)
    }

    /// When the next one is due.
    pub fn deadline(&self) -> Option<Duration> {
        self.entries.first().map(|(due, _)| *due)
    }
}

impl<K: Ord + Copy> Default for Scheduler<K> {
    fn default() -> Scheduler<K> {
        Scheduler::new()
    }
}
