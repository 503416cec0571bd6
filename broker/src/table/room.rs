//! Room of lists that have been longer.

use std::collections::VecDeque;

/// A queue that has less than a quarter of what it has room for gives back the rest but for as much again; room for `kept`
/// values stays. To be called when something has been taken out: then each value is moved once at most.
pub fn give_back<T>(queue: &mut VecDeque<T>, kept: usize) {
    if queue.capacity() > 2 * kept && queue.len() * 4 < queue.capacity() {
        queue.shrink_to((queue.len() * 2).max(kept));
    }
}

/// The same for a list.
pub fn give_back_rows<T>(list: &mut Vec<T>, kept: usize) {
    if list.capacity() > 2 * kept && list.len() * 4 < list.capacity() {
        list.shrink_to((list.len() * 2).max(kept));
    }
}
