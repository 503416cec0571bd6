//! The order of what waits in a queue.

use std::collections::{BTreeMap, VecDeque};

use crate::model::{Place, Urgency};

use super::SlotId;
use super::slots::Slots;

/// Slots of ready messages by urgency, and inside one urgency by sequence.
///
/// Nearly every message is put at the back and taken from the front, which a ring does for four octets a message. A
/// returned message belongs near the front, where inserting moves few.
#[derive(Debug, Default)]
pub(super) struct Ready {
    /// None is empty, but for one that has been emptied last and is kept for the next message.
    levels: BTreeMap<Urgency, VecDeque<SlotId>>,
    len: usize,
}

impl Ready {
    /// Puts a message where it belongs.
    pub(super) fn insert(&mut self, slots: &Slots, place: Place, slot: SlotId) {
        let level = self.levels.entry(place.urgency).or_default();
        let last = level.back().and_then(|&last| sequence(slots, last));
        if last.is_none_or(|last| last < place.sequence) {
            level.push_back(slot);
        } else {
            let at = level.partition_point(|&other| sequence(slots, other).is_some_and(|s| s < place.sequence));
            level.insert(at, slot);
        }
        self.len += 1;
    }

    /// The oldest of the least urgent.
    pub(super) fn least(&self) -> Option<SlotId> {
        self.levels.values().rev().find_map(|level| level.front().copied())
    }

    /// Takes the first.
    pub(super) fn pop(&mut self) -> Option<SlotId> {
        let only = self.levels.len() == 1;
        let mut first = self.levels.first_entry()?;
        let slot = first.get_mut().pop_front();
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

    /// Takes the one at a place.
    pub(super) fn remove(&mut self, slots: &Slots, place: Place) -> Option<SlotId> {
        let level = self.levels.get_mut(&place.urgency)?;
        let at = index(slots, level, place)?;
        let slot = level.remove(at)?;
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
        self.levels.values().flatten().copied()
    }
}

/// Places that an empty level keeps room for.
const KEPT: usize = 8;

fn index(slots: &Slots, level: &VecDeque<SlotId>, place: Place) -> Option<usize> {
    level.binary_search_by_key(&place.sequence, |&slot| sequence(slots, slot).unwrap_or(i64::MAX)).ok()
}

fn sequence(slots: &Slots, slot: SlotId) -> Option<i64> {
    slots.get(slot).map(|entry| entry.place().sequence)
}
