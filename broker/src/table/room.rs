//! Room of lists that have been longer.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash};

/// A queue that has less than a quarter of what it has room for gives back the rest but for as much again; room for `kept`
/// values stays. To be called when something has been taken out: then each value is moved once at most.
#[inline]
pub fn give_back<T>(queue: &mut VecDeque<T>, kept: usize) {
    if queue.capacity() > 2 * kept && queue.len() * 4 < queue.capacity() {
        queue.shrink_to((queue.len() * 2).max(kept));
    }
}

/// The same for a list.
#[inline]
pub fn give_back_rows<T>(list: &mut Vec<T>, kept: usize) {
    if list.capacity() > 2 * kept && list.len() * 4 < list.capacity() {
        list.shrink_to((list.len() * 2).max(kept));
    }
}

/// The same for a hash table of which there is one in the broker and in which everything is looked up with each message. It is
/// moved as a whole.
pub fn give_back_map<K: Eq + Hash, V, S: BuildHasher>(map: &mut HashMap<K, V, S>, kept: usize) {
    if map.capacity() > 2 * kept && map.len() * 8 < map.capacity() {
        map.shrink_to((map.len() * 2).max(kept));
    }
}
