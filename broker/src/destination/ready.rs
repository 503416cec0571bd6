//! The order of what waits in a queue.

use std::collections::{BTreeMap, VecDeque};

use crate::model::{Place, Urgency};

use super::SlotId;
use super::slots::Slots;

/// Slots of ready messages by urgency, and inside one urgency by sequence.
///
/// Nearly every message is put at the back and taken from the front, which a ring does for four octets a message. The
/// ring of an urgency is cut into chunks, so that taking from its middle, as selective consumers do, moves no more than
/// one chunk however long the queue is.
#[derive(Debug, Default)]
pub(super) struct Ready {
    /// None is empty, but for one that has been emptied last and is kept for the next message.
    levels: BTreeMap<Urgency, Level>,
    len: usize,
}

/// One urgency. No chunk is empty, but for a first one that is kept for the next message.
#[derive(Debug, Default)]
struct Level {
    chunks: VecDeque<VecDeque<SlotId>>,
}

/// Places that an empty level keeps room for.
const KEPT: usize = 8;

/// Slots of a chunk that is filled from behind; one that is inserted into grows to twice as many before it is cut.
const CHUNK: usize = 512;

impl Ready {
    /// Puts a message where it belongs.
    pub(super) fn insert(&mut self, slots: &Slots, place: Place, slot: SlotId) {
        self.levels.entry(place.urgency).or_default().insert(slots, place.sequence, slot);
        self.len += 1;
    }

    /// The oldest of the least urgent.
    pub(super) fn least(&self) -> Option<SlotId> {
        self.levels.values().rev().find_map(|level| level.chunks.front()?.front().copied())
    }

    /// Takes the first.
    pub(super) fn pop(&mut self) -> Option<SlotId> {
        let only = self.levels.len() == 1;
        let mut first = self.levels.first_entry()?;
        let slot = first.get_mut().pop();
        if first.get().is_empty() && !(only && first.get().capacity() <= KEPT) {
            first.remove();
        }
        match slot {
            Some(slot) => {
                self.len -= 1;
                Some(slot)
            }
            // It was the one that had been kept.
            None if only => None,
            None => self.pop(),
        }
    }

    /// Gives back what a flood has made grow. To be called when nothing waits.
    pub(super) fn shrink(&mut self) {
        self.levels.retain(|_, level| level.capacity() <= KEPT || !level.is_empty());
    }

    /// The slot at a place.
    pub(super) fn find(&self, slots: &Slots, place: Place) -> Option<SlotId> {
        let level = self.levels.get(&place.urgency)?;
        let (chunk, at) = level.find(slots, place.sequence)?;
        level.chunks.get(chunk)?.get(at).copied()
    }

    /// Takes the one at a place.
    pub(super) fn remove(&mut self, slots: &Slots, place: Place) -> Option<SlotId> {
        let level = self.levels.get_mut(&place.urgency)?;
        let (chunk, at) = level.find(slots, place.sequence)?;
        let slot = level.remove(chunk, at)?;
        if level.is_empty() {
            self.levels.remove(&place.urgency);
        }
        self.len -= 1;
        Some(slot)
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = SlotId> {
        self.levels.values().flat_map(|level| level.chunks.iter().flatten()).copied()
    }

    /// Of those from that sequence on, the first, whatever its urgency.
    pub(super) fn arrived(&self, slots: &Slots, from: i64) -> Option<SlotId> {
        let firsts = self.levels.values().filter_map(|level| level.after(slots, Some(from.saturating_sub(1))).next());
        firsts.min_by_key(|slot| sequence(slots, *slot))
    }

    /// Those behind a place, in order; all of them without one.
    pub(super) fn after<'a>(&'a self, slots: &'a Slots, place: Option<Place>) -> impl Iterator<Item = SlotId> + 'a {
        let first = place.map_or(Urgency(0), |place| place.urgency);
        self.levels.range(first..).flat_map(move |(urgency, level)| {
            let behind = place.filter(|place| place.urgency == *urgency).map(|place| place.sequence);
            level.after(slots, behind)
        })
    }
}

impl Level {
    fn insert(&mut self, slots: &Slots, number: i64, slot: SlotId) {
        let last = self.chunks.back().and_then(VecDeque::back).and_then(|&last| sequence(slots, last));
        if last.is_none_or(|last| last < number) {
            return self.push(slot);
        }
        let (chunk, at) = self.locate(slots, number);
        let Some(into) = self.chunks.get_mut(chunk) else { return self.push(slot) };
        into.insert(at, slot);
        if into.len() > 2 * CHUNK {
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

    fn pop(&mut self) -> Option<SlotId> {
        let first = self.chunks.front_mut()?;
        let slot = first.pop_front();
        if first.is_empty() && self.chunks.len() > 1 {
            self.chunks.pop_front();
        }
        slot
    }

    fn remove(&mut self, chunk: usize, at: usize) -> Option<SlotId> {
        let from = self.chunks.get_mut(chunk)?;
        let slot = from.remove(at);
        if from.is_empty() && self.chunks.len() > 1 {
            self.chunks.remove(chunk);
        }
        slot
    }

    fn after<'a>(&'a self, slots: &'a Slots, behind: Option<i64>) -> impl Iterator<Item = SlotId> + 'a {
        let (chunk, at) = behind.map_or((0, 0), |behind| self.locate(slots, behind.saturating_add(1)));
        let chunks = self.chunks.range(chunk.min(self.chunks.len())..).enumerate();
        chunks.flat_map(move |(number, chunk)| chunk.range(if number == 0 { at } else { 0 }..)).copied()
    }

    fn find(&self, slots: &Slots, number: i64) -> Option<(usize, usize)> {
        let (chunk, at) = self.locate(slots, number);
        let found = self.chunks.get(chunk)?.get(at)?;
        (sequence(slots, *found) == Some(number)).then_some((chunk, at))
    }

    /// Where the first one is whose sequence is not below that.
    fn locate(&self, slots: &Slots, number: i64) -> (usize, usize) {
        let below = |slot: &SlotId| sequence(slots, *slot).is_some_and(|sequence| sequence < number);
        let chunk = self.chunks.partition_point(|chunk| chunk.back().is_some_and(below));
        (chunk, self.chunks.get(chunk).map_or(0, |chunk| chunk.partition_point(below)))
    }

    fn is_empty(&self) -> bool {
        self.chunks.front().is_none_or(VecDeque::is_empty)
    }

    fn capacity(&self) -> usize {
        self.chunks.iter().map(VecDeque::capacity).sum()
    }
}

fn sequence(slots: &Slots, slot: SlotId) -> Option<i64> {
    slots.get(slot).map(|entry| entry.place().sequence)
}
