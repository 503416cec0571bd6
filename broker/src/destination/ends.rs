//! The ends of messages: when those expire that have a time to live and that nobody holds.
//!
//! When that is stands in their rows; here is only the order in which they end.

use super::ordered::{Key, Ordered, key_of};
use super::slots::Slots;
use super::{Entry, Queue, SlotId};
use crate::model::{MessageId, Timestamp};

/// Messages that nobody holds and that have an end, the next one first.
#[derive(Debug, Default)]
pub(super) struct Ends(Ordered<End>);

/// When a message ends. Of those that end at the same time the older one goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct End(Timestamp, MessageId);

/// Slots that are kept room for when none has an end.
const KEPT: usize = 8;

impl Key for End {
    fn of(entry: &Entry) -> End {
        End(entry.expires().unwrap_or(Timestamp(u64::MAX)), entry.message)
    }
}

impl Ends {
    /// Nobody holds the message in a slot, which may have an end and may be here already.
    pub(super) fn insert(&mut self, slots: &Slots, slot: SlotId) {
        let Some(end) = end_of(slots, slot) else { return };
        if self.0.last(slots).is_none_or(|last| last < end) || self.0.find(slots, end).is_none() {
            self.0.insert(slots, end, slot);
        }
    }

    /// Somebody holds it, or it is about to leave.
    pub(super) fn remove(&mut self, slots: &Slots, slot: SlotId) {
        let Some(end) = end_of(slots, slot) else { return };
        self.0.remove(slots, end);
        if self.0.is_empty() && self.0.capacity() > KEPT {
            self.0 = Ordered::default();
        }
    }

    /// The next message that ends.
    fn first<'a>(&self, slots: &'a Slots) -> Option<&'a Entry> {
        slots.get(self.0.first()?)
    }

    /// When the next one ends.
    pub(super) fn next(&self, slots: &Slots) -> Option<Timestamp> {
        self.first(slots)?.expires()
    }
}

fn end_of(slots: &Slots, slot: SlotId) -> Option<End> {
    slots.get(slot)?.expires()?;
    key_of(slots, slot)
}

impl Queue {
    /// The due time of a message is over. If that was all that its row does not say, nothing is kept beside any more.
    pub(super) fn forget_due(&mut self, slot: SlotId) {
        let Some(entry) = self.slots.get_mut(slot).filter(|entry| entry.has_terms()) else { return };
        if self.beside.terms(entry.message).is_none_or(|terms| terms.due.is_none()) {
            return;
        }
        let Some(mut terms) = self.beside.take_terms(entry.message) else { return };
        terms.due = None;
        let message = entry.message;
        if let Some(terms) = entry.agree(Some(terms)) {
            self.beside.keep_terms(message, terms);
        }
    }

    /// A message that nobody holds and whose end has come.
    pub fn expired(&self, now: Timestamp) -> Option<&Entry> {
        self.ends.first(&self.slots).filter(|entry| entry.expires().is_some_and(|end| end <= now))
    }
}
