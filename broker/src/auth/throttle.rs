//! How long the answer to a failed login is held back: the longer, the more logins with the same name have failed from the
//! same network. A table that cannot grow beyond its bound. Must not decide who comes in.
//!
//! Nothing here refuses a login. Each failure keeps its connection, and the place that the connection takes among those that
//! have not logged in, for as long as its answer is held back: that is what bounds how fast passwords can be guessed, and it
//! costs a client with the right password nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// Failures whose answer leaves at once: a mistyped password, or two.
const FREE: u32 = 3;
/// How long the answer to the first one beyond them is held back. It doubles with each.
const FIRST: Duration = Duration::from_millis(250);
/// Doublings: the longest step is 4 s.
const DOUBLINGS: u32 = 4;
/// Answers to failures of one key leave one after another, each a step behind the one before; none is held back longer.
pub(super) const LONGEST: Duration = Duration::from_secs(10);
/// One failure is forgotten for each such time without another.
const FORGIVEN_AFTER: Duration = Duration::from_secs(6);

/// Counts failures by key. The table uses the standard hasher, since keys are chosen by whoever connects.
pub(super) struct Throttle<K> {
    entries: HashMap<K, Entry>,
    capacity: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    failures: u32,
    /// When the last answer leaves.
    until: Duration,
}

impl Entry {
    /// When all is forgotten.
    fn clear_at(self) -> Duration {
        self.until + FORGIVEN_AFTER * self.failures
    }
}

impl<K: Clone + Eq + Hash> Throttle<K> {
    /// Remembers at most `capacity` keys.
    pub(super) fn new(capacity: usize) -> Throttle<K> {
        Throttle { entries: HashMap::new(), capacity }
    }

    /// Notes a failure. Returns how long its answer is held back.
    pub(super) fn fail(&mut self, now: Duration, key: &K) -> Duration {
        self.make_room(now, key);
        let entry = self.entries.entry(key.clone()).or_insert(Entry { failures: 0, until: now });
        let forgiven = now.saturating_sub(entry.until).as_secs() / FORGIVEN_AFTER.as_secs();
        let left = entry.failures.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX));
        entry.failures = (left + 1).min(FREE + 1 + DOUBLINGS);
        let step = match entry.failures.checked_sub(FREE + 1) {
            None => Duration::ZERO,
            Some(doublings) => FIRST * (1 << doublings),
        };
        entry.until = (entry.until.max(now) + step).min(now + LONGEST);
        entry.until.saturating_sub(now)
    }

    /// Keys remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Forgets what is forgiven; if nothing is, what will be next.
    fn make_room(&mut self, now: Duration, key: &K) {
        if self.entries.len() < self.capacity || self.entries.contains_key(key) {
            return;
        }
        self.entries.retain(|_, entry| entry.clear_at() > now);
        if self.entries.len() >= self.capacity
            && let Some(next) =
                self.entries.iter().min_by_key(|(_, entry)| entry.clear_at()).map(|(key, _)| key.clone())
        {
            self.entries.remove(&next);
        }
    }
}
