//! Slots in the order of something that their entries say, for a few bytes each.

use std::collections::VecDeque;
use std::marker::PhantomData;

use super::slots::Slots;
use super::{Entry, SlotId};

/// What entries are ordered by. It does not change while an entry is in such an order.
pub(super) trait Key: Copy + Ord {
    /// That of an entry.
    fn of(entry: &Entry) -> Self;
}

/// Slots by the keys of their entries, which are not kept here a second time.
///
/// Most come at the back and leave from the front, which a ring does for four bytes each. The ring is cut into chunks, so
/// that what comes or goes in its middle moves no more than one chunk however long it is. No chunk is empty, but for a
/// first one that is kept for the next slot.
#[derive(Debug)]
pub(super) struct Ordered<K> {
    chunks: VecDeque<VecDeque<SlotId>>,
    key: PhantomData<K>,
}

/// Slots of a chunk that is filled from behind; one that is inserted into grows to twice as many before it is cut.
const CHUNK: usize = 512;

impl<K> Default for Ordered<K> {
    fn default() -> Ordered<K> {
        Ordered { chunks: VecDeque::new(), key: PhantomData }
    }
}

impl<K: Key> Ordered<K> {
    /// Puts a slot where it belongs.
    pub(super) fn insert(&mut self, slots: &Slots, key: K, slot: SlotId) {
        if self.last(slots).is_none_or(|last| last < key) {
            return self.push(slot);
        }
        let (chunk, at) = self.locate(slots, key);
        let Some(into) = self.chunks.get_mut(chunk) else { return self.push(slot) };
        into.insert(at, slot);
        if into.len() >= 2 * CHUNK {
            let rest = into.split_off(CHUNK);
            self.chunks.insert(chunk + 1, rest);
        }
    }

    fn push(&mut self, slot: SlotId) {
        if let Some(chunk) = self.chunks.back_mut().filter(|chunk| chunk.len() < CHUNK) {
            return chunk.push_back(slot);
        }
        let room = if self.chunks.is_empty() { 0 } else { CHUNK };
        let mut chunk = VecDeque::with_capacity(room);
        chunk.push_back(slot);
        self.chunks.push_back(chunk);
    }

    /// The first slot.
    pub(super) fn first(&self) -> Option<SlotId> {
        self.chunks.front()?.front().copied()
    }

    /// The key of the last one.
    pub(super) fn last(&self, slots: &Slots) -> Option<K> {
        key_of(slots, *self.chunks.back()?.back()?)
    }

    /// Takes the first one.
    pub(super) fn pop(&mut self) -> Option<SlotId> {
        let first = self.chunks.front_mut()?;
        let slot = first.pop_front();
        if first.is_empty() && self.chunks.len() > 1 {
            self.chunks.pop_front();
        }
        slot
    }

    /// The slot with that key.
    pub(super) fn find(&self, slots: &Slots, key: K) -> Option<SlotId> {
        let (chunk, at) = self.place_of(slots, key)?;
        self.chunks.get(chunk)?.get(at).copied()
    }

    /// Takes the slot with that key.
    pub(super) fn remove(&mut self, slots: &Slots, key: K) -> Option<SlotId> {
        let (chunk, at) = self.place_of(slots, key)?;
        let is_only = self.chunks.len() == 1;
        let from = self.chunks.get_mut(chunk)?;
        let slot = from.remove(at);
        if from.is_empty() && !is_only {
            self.chunks.remove(chunk);
        } else if from.len() * 4 < from.capacity() && from.capacity() > CHUNK / 4 {
            // Few that stay must not keep the room of many that went.
            from.shrink_to(from.len() * 2);
        }
        slot
    }

    /// All, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = SlotId> {
        self.chunks.iter().flatten().copied()
    }

    /// Those whose key is not below that one, in order; all without one.
    pub(super) fn from<'a>(&'a self, slots: &'a Slots, key: Option<K>) -> impl Iterator<Item = SlotId> + 'a {
        let (chunk, at) = key.map_or((0, 0), |key| self.locate(slots, key));
        let chunks = self.chunks.range(chunk.min(self.chunks.len())..).enumerate();
        chunks.flat_map(move |(number, chunk)| chunk.range(if number == 0 { at } else { 0 }..)).copied()
    }

    fn place_of(&self, slots: &Slots, key: K) -> Option<(usize, usize)> {
        let (chunk, at) = self.locate(slots, key);
        let found = self.chunks.get(chunk)?.get(at)?;
        (key_of(slots, *found) == Some(key)).then_some((chunk, at))
    }

    /// Where the first one is whose key is not below that one.
    fn locate(&self, slots: &Slots, key: K) -> (usize, usize) {
        let below = |slot: &SlotId| key_of::<K>(slots, *slot).is_some_and(|of| of < key);
        let chunk = self.chunks.partition_point(|chunk| chunk.back().is_some_and(below));
        (chunk, self.chunks.get(chunk).map_or(0, |chunk| chunk.partition_point(below)))
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.front().is_none_or(VecDeque::is_empty)
    }

    /// Slots that there is room for.
    pub(super) fn capacity(&self) -> usize {
        self.chunks.iter().map(VecDeque::capacity).sum()
    }
}

/// The key of the entry in a slot.
pub(super) fn key_of<K: Key>(slots: &Slots, slot: SlotId) -> Option<K> {
    slots.get(slot).map(K::of)
}
