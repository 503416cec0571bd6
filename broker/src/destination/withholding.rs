//! A queue and what it must not hand out yet: the log does not have the record that put the message into its place. It holds
//! back everything behind it, so that what comes back is not overtaken.

use super::queue::Queue;
use super::{Entry, SlotId, State};
use crate::model::{MessageId, Place};

impl Queue {
    /// A message is not handed out until [`offer`](Self::offer).
    pub fn withhold(&mut self, slot: SlotId) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        entry.set_withheld(true);
        if entry.state == State::Ready {
            self.withheld.insert(entry.place());
        }
    }

    /// The message may be handed out from now on. Returns whether it is there, and was withheld.
    pub fn offer(&mut self, slot: SlotId, message: MessageId) -> bool {
        let is_it = |entry: &&mut Entry| entry.message == message && entry.is_withheld();
        let Some(entry) = self.slots.get_mut(slot).filter(is_it) else { return false };
        entry.set_withheld(false);
        if entry.state == State::Ready {
            let place = entry.place();
            self.withheld.remove(&place);
            if !self.selections.is_empty() {
                self.selections.notice(place);
            }
        }
        true
    }

    /// Whether something was taken in that may not be seen yet.
    pub fn has_unseen(&self) -> bool {
        self.slots.len() > self.ready.len() + self.leases.len() + self.delayed() + self.buried()
    }

    /// Whether the message at a place stands before all that is withheld.
    pub(super) fn is_before_withheld(&self, place: Place) -> bool {
        self.withheld.first().is_none_or(|first| place < *first)
    }
}
