//! A message gets another urgency.

use super::Queue;
use crate::model::{MessageId, Place, Urgency};

impl Queue {
    /// Gives the message at a place another urgency; among those of the same it stands by its arrival, as before.
    pub fn rank(&mut self, message: MessageId, place: Place, urgency: Urgency) {
        if let Some(slot) = self.leases.get(&message).map(|lease| lease.slot) {
            if let Some(entry) = self.entry_mut(slot) {
                entry.rank(urgency);
            }
            return;
        }
        let standing = self.standing(message);
        let Some(slot) = self.withdraw(message, place) else { return };
        if let Some(entry) = self.entry_mut(slot) {
            entry.rank(urgency);
        }
        self.stand(slot, standing);
    }
}
