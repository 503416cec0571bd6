//! Token buckets for failures, one per key, in a table that cannot grow beyond its bound.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// Failures that may come at once.
const BURST: u32 = 10;
/// A failure is forgiven after this long: ten a minute.
const FORGIVEN_AFTER: Duration = Duration::from_secs(6);

/// Counts failures by key. The table uses the standard hasher, since keys are chosen by whoever connects.
pub(super) struct Throttle<K> {
    /// For each key the moment at which all its failures are forgiven.
    clear_at: HashMap<K, Duration>,
    capacity: usize,
}

impl<K: Clone + Eq + Hash> Throttle<K> {
    /// Remembers at most `capacity` keys.
    pub(super) fn new(capacity: usize) -> Throttle<K> {
        Throttle { clear_at: HashMap::new(), capacity }
    }

    /// Takes one failure in advance, so that many attempts at once cannot pass together. `false` if none is left.
    pub(super) fn take(&mut self, now: Duration, key: &K) -> bool {
        let clear_at = self.clear_at.get(key).copied().unwrap_or(now).max(now);
        let after = clear_at + FORGIVEN_AFTER;
        if after > now + FORGIVEN_AFTER * BURST {
            return false;
        }
        self.make_room(now, key);
        self.clear_at.insert(key.clone(), after);
        true
    }

    /// Gives one back: the attempt was no failure.
    pub(super) fn give_back(&mut self, key: &K) {
        if let Some(clear_at) = self.clear_at.get_mut(key) {
            *clear_at = clear_at.saturating_sub(FORGIVEN_AFTER);
        }
    }

    /// Keys remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.clear_at.len()
    }

    /// Forgets whoever is forgiven; if nobody is, the one who will be next.
    fn make_room(&mut self, now: Duration, key: &K) {
        if self.clear_at.len() < self.capacity || self.clear_at.contains_key(key) {
            return;
        }
        self.clear_at.retain(|_, clear_at| *clear_at > now);
        if self.clear_at.len() >= self.capacity
            && let Some(next) = self.clear_at.iter().min_by_key(|(_, clear_at)| **clear_at).map(|(key, _)| key.clone())
        {
            self.clear_at.remove(&next);
        }
    }
}
