//! A message gets another urgency at the end of a delivery.

use super::machine::Engine;
use crate::destination::Entry;
use crate::model::{DestinationId, Effects, Place, Ranked, Record, Urgency};

impl Engine {
    /// Gives a message that is out another urgency, and changes the copy of its entry likewise.
    pub(super) fn rank(
        &mut self,
        destination: DestinationId,
        entry: &mut Entry,
        urgency: Urgency,
        effects: &mut Effects,
    ) {
        let (message, place) = (entry.message, entry.place());
        if place.urgency == urgency {
            return;
        }
        if let Some(position) = entry.position() {
            let record = Record::Ranked(Ranked { destination, message, place, position, urgency });
            self.evolve(&record, None);
            effects.records.push(record);
        } else if let Some(queue) = self.queue_mut(destination) {
            queue.rank(message, place, urgency);
            let place = Place { urgency, ..place };
            if entry.is_tracked() {
                self.jobs.place(message, Some((destination, place)));
            }
            self.rank_unique(destination, message, place);
        }
        entry.rank(urgency);
    }
}
