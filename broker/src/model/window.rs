//! What was seen lately: keys by which a message that is sent again is known.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::{DestinationId, Timestamp};

/// Keys of each destination, the newest of them. The engine asks it and the log keeps it, by the same rule, so that both
/// forget the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Windows {
    windows: BTreeMap<DestinationId, Window>,
    len: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Window {
    /// Oldest first.
    order: VecDeque<(Timestamp, Arc<str>)>,
    seen: HashMap<Arc<str>, Timestamp>,
}

impl Windows {
    /// Keys that one destination remembers (P11).
    pub const KEYS: usize = 20_000;
    /// How long it does, in milliseconds.
    pub const MS: u64 = 10 * 60 * 1000;
    /// Keys of all destinations together. Beyond, the one that gets a new key forgets its oldest.
    pub const ALL_KEYS: usize = 500_000;
    /// Octets of a key.
    pub const KEY_BYTES: usize = 255;

    /// Whether the destination has seen the key lately.
    pub fn holds(&self, destination: DestinationId, key: &str, now: Timestamp) -> bool {
        let at = self.windows.get(&destination).and_then(|window| window.seen.get(key));
        at.is_some_and(|at| now.0.saturating_sub(at.0) < Self::MS)
    }

    /// Whether the destination remembers anything.
    pub fn knows(&self, destination: DestinationId) -> bool {
        !self.windows.is_empty() && self.windows.contains_key(&destination)
    }

    /// The destination sees a key; one that it remembers keeps its time.
    pub fn insert(&mut self, destination: DestinationId, key: Arc<str>, at: Timestamp) {
        let window = self.windows.entry(destination).or_default();
        let before = window.order.len();
        while window.order.front().is_some_and(|(oldest, _)| at.0.saturating_sub(oldest.0) >= Self::MS) {
            window.forget_oldest();
        }
        if !window.seen.contains_key(&key) {
            window.seen.insert(key.clone(), at);
            window.order.push_back((at, key));
        }
        self.len = self.len - before + window.order.len();
        while window.order.len() > Self::KEYS || (self.len > Self::ALL_KEYS && window.order.len() > 1) {
            window.forget_oldest();
            self.len -= 1;
        }
    }

    /// The destination is gone.
    pub fn forget(&mut self, destination: DestinationId) {
        if let Some(window) = self.windows.remove(&destination) {
            self.len -= window.order.len();
        }
    }

    /// All of it, oldest first in each destination.
    pub fn iter(&self) -> impl Iterator<Item = (DestinationId, Timestamp, &Arc<str>)> {
        self.windows.iter().flat_map(|(id, window)| window.order.iter().map(|(at, key)| (*id, *at, key)))
    }
}

impl Window {
    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.order.pop_front() {
            self.seen.remove(&key);
        }
    }
}
