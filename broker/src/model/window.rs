//! What was seen lately: keys by which a message that is sent again is known.
//!
//! A key goes when it is older than the window, whatever queue it belongs to: each new key makes a few old ones go. When
//! all is full, the queue with the most keys gives up its oldest. Both follow from the keys and the times that are given,
//! so whoever is told the same keys in the same order remembers the same.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::{DestinationId, Timestamp};

/// Keys of each destination, the newest of them. The engine asks it and the log keeps it, by the same rule, so that both
/// forget the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Windows {
    by_destination: BTreeMap<DestinationId, Window>,
    /// Each destination by the time of its oldest key.
    oldest: BTreeSet<(Timestamp, DestinationId)>,
    /// Each destination by the bytes of its keys.
    largest: BTreeSet<(usize, DestinationId)>,
    len: usize,
    bytes: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Window {
    /// Oldest first.
    order: VecDeque<(Timestamp, Arc<str>)>,
    seen: HashMap<Arc<str>, Timestamp>,
    /// Bytes of the keys, with [`Windows::OVERHEAD_BYTES`] for each.
    bytes: usize,
}

impl Windows {
    /// Keys that one destination remembers (P11).
    pub const KEYS: usize = 20_000;
    /// How long it does, in milliseconds.
    pub const MS: u64 = 10 * 60 * 1000;
    /// Keys of all destinations together. Beyond, the destination with the most gives up its oldest.
    pub const ALL_KEYS: usize = 500_000;
    /// Bytes of the keys of all destinations together, at which the same happens.
    pub const ALL_BYTES: usize = 48 << 20;
    /// Bytes of a key.
    pub const KEY_BYTES: usize = 255;
    /// What a key counts beside its own bytes.
    pub const OVERHEAD_BYTES: usize = 32;
    /// Keys that have become too old and go with each new one. More than one, so that old keys never add up.
    const AGED_AT_ONCE: usize = 4;
    /// Room in the table of a destination that is not worth giving back.
    const KEPT: usize = 64;

    /// Whether the destination has seen the key lately.
    pub fn holds(&self, destination: DestinationId, key: &str, now: Timestamp) -> bool {
        self.by_destination.get(&destination).is_some_and(|window| window.holds(key, now))
    }

    /// Whether the destination remembers anything.
    pub fn knows(&self, destination: DestinationId) -> bool {
        !self.by_destination.is_empty() && self.by_destination.contains_key(&destination)
    }

    /// The destination sees a key; one that it remembers keeps its time.
    pub fn insert(&mut self, destination: DestinationId, key: Arc<str>, at: Timestamp) {
        // The old go first, so that none that is still needed goes in their place.
        self.age(at, Self::AGED_AT_ONCE);
        self.change(destination, |window| window.insert(key, at));
        let is_over =
            |windows: &Windows| windows.by_destination.get(&destination).is_some_and(|own| own.len() > Self::KEYS);
        if is_over(self) {
            self.change(destination, Window::forget_oldest);
        }
        while self.len > Self::ALL_KEYS || self.bytes > Self::ALL_BYTES {
            let Some(giver) = self.giver(destination) else { return };
            self.change(giver, Window::forget_oldest);
        }
    }

    /// Forgets keys that are too old, `most` of them at most.
    pub fn age(&mut self, now: Timestamp, most: usize) {
        for _ in 0..most {
            let Some(&(oldest, destination)) = self.oldest.first() else { return };
            if now.0.saturating_sub(oldest.0) < Self::MS {
                return;
            }
            self.change(destination, Window::forget_oldest);
        }
    }

    /// The destination is gone.
    pub fn forget(&mut self, destination: DestinationId) {
        self.change(destination, |window| *window = Window::default());
    }

    /// All of it, oldest first in each destination.
    pub fn iter(&self) -> impl Iterator<Item = (DestinationId, Timestamp, &Arc<str>)> {
        self.by_destination.iter().flat_map(|(id, window)| window.order.iter().map(|(at, key)| (*id, *at, key)))
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of the keys that are remembered, with [`OVERHEAD_BYTES`](Self::OVERHEAD_BYTES) for each.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Who gives up a key when all is full: the destination with the most, and never the only key of the one that has just
    /// got it.
    fn giver(&self, newcomer: DestinationId) -> Option<DestinationId> {
        let keeps = |id: &DestinationId| *id == newcomer && self.by_destination.get(id).is_none_or(|own| own.len() < 2);
        self.largest.iter().rev().map(|(_, id)| *id).find(|id| !keeps(id))
    }

    /// Changes what one destination remembers, and whatever is known of that.
    fn change(&mut self, destination: DestinationId, change: impl FnOnce(&mut Window)) {
        let window = self.by_destination.entry(destination).or_default();
        let (oldest, bytes, len) = (window.oldest(), window.bytes, window.len());
        change(window);
        self.len = self.len - len + window.len();
        self.bytes = self.bytes - bytes + window.bytes;
        if window.bytes != bytes {
            self.largest.remove(&(bytes, destination));
            self.largest.insert((window.bytes, destination));
        }
        if window.oldest() != oldest {
            oldest.map(|oldest| self.oldest.remove(&(oldest, destination)));
            window.oldest().map(|oldest| self.oldest.insert((oldest, destination)));
        }
        if window.len() == 0 {
            self.largest.remove(&(window.bytes, destination));
            self.by_destination.remove(&destination);
        }
    }
}

impl Window {
    fn len(&self) -> usize {
        self.order.len()
    }

    fn oldest(&self) -> Option<Timestamp> {
        self.order.front().map(|(at, _)| *at)
    }

    /// A time far ahead comes from a clock that was wrong: it is no reason to call a message a duplicate.
    fn holds(&self, key: &str, now: Timestamp) -> bool {
        self.seen.get(key).is_some_and(|at| now.0.abs_diff(at.0) < Windows::MS)
    }

    fn insert(&mut self, key: Arc<str>, at: Timestamp) {
        if !self.holds(&key, at) {
            self.bytes += Self::bytes_of(&key);
            self.seen.insert(key.clone(), at);
            self.order.push_back((at, key));
        }
    }

    fn forget_oldest(&mut self) {
        let Some((at, key)) = self.order.pop_front() else { return };
        self.bytes -= Self::bytes_of(&key);
        // The same key may have come again since.
        if self.seen.get(&key) == Some(&at) {
            self.seen.remove(&key);
        }
        if self.order.capacity() > 4 * self.order.len() + Windows::KEPT {
            self.order.shrink_to(2 * self.order.len());
            self.seen.shrink_to(2 * self.order.len());
        }
    }

    fn bytes_of(key: &str) -> usize {
        key.len() + Windows::OVERHEAD_BYTES
    }
}
