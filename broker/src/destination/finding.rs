//! One message among all of a queue, for those who know where it stands.

use super::{Entry, Lease, Queue};
use crate::model::{MessageId, Place};

impl Queue {
    /// A message that is out, waits or is ready; not one that nobody may see yet.
    pub fn locate(&self, message: MessageId, place: Place) -> Option<&Entry> {
        let out = self.leases.get(&message).map(|lease| lease.slot);
        let slot = out.or_else(|| self.agenda.slot(message)).or_else(|| self.ready.find(&self.slots, place))?;
        self.slots.get(slot).filter(|entry| entry.message == message)
    }

    /// Who holds a message.
    pub fn holder(&self, message: MessageId) -> Option<Lease> {
        self.leases.get(&message).copied()
    }
}
