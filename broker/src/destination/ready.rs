//! The order of what waits in a queue.

use std::collections::BTreeMap;

use crate::model::{Place, Urgency};

use super::ordered::{Key, Ordered, key_of};
use super::slots::Slots;
use super::{Entry, SlotId};

/// Slots of ready messages by urgency, and inside one urgency by sequence.
///
/// Nearly every message is put at the back and taken from the front; selective consumers take from the middle.
#[derive(Debug, Default)]
pub(super) struct Ready {
    /// None is empty, but for one that has been emptied last and is kept for the next message.
    levels: BTreeMap<Urgency, Level>,
    len: usize,
}

/// Messages of one urgency.
type Level = Ordered<Sequence>;

/// Order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sequence(i64);

/// Places that an empty level keeps room for.
const KEPT: usize = 8;

impl Ready {
    /// Puts a message where it belongs.
    pub(super) fn insert(&mut self, slots: &Slots, place: Place, slot: SlotId) {
        self.levels.entry(place.urgency).or_default().insert(slots, Sequence(place.sequence), slot);
        self.len += 1;
    }

    /// The oldest of the least urgent.
    pub(super) fn least(&self) -> Option<SlotId> {
        self.levels.values().rev().find_map(Ordered::first)
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
        level.find(slots, Sequence(place.sequence))
    }

    /// Takes the one at a place.
    pub(super) fn remove(&mut self, slots: &Slots, place: Place) -> Option<SlotId> {
        let level = self.levels.get_mut(&place.urgency)?;
        let slot = level.remove(slots, Sequence(place.sequence))?;
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
        self.levels.values().flat_map(Ordered::iter)
    }

    /// Of those from that sequence on, the first, whatever its urgency.
    pub(super) fn arrived(&self, slots: &Slots, from: i64) -> Option<SlotId> {
        let firsts = self.levels.values().filter_map(|level| level.from(slots, Some(Sequence(from))).next());
        firsts.min_by_key(|slot| key_of::<Sequence>(slots, *slot))
    }

    /// Those behind a place, in order; all of them without one.
    pub(super) fn after<'a>(&'a self, slots: &'a Slots, place: Option<Place>) -> impl Iterator<Item = SlotId> + 'a {
        let first = place.map_or(Urgency(0), |place| place.urgency);
        self.levels.range(first..).flat_map(move |(urgency, level)| {
            let behind =
                place.filter(|place| place.urgency == *urgency).map(|place| Sequence(place.sequence.saturating_add(1)));
            level.from(slots, behind)
        })
    }
}

impl Key for Sequence {
    fn of(entry: &Entry) -> Sequence {
        Sequence(entry.place().sequence)
    }
}
