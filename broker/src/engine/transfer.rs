//! Messages go from one queue to another, keeping their ids; their contents stay where they are.

use std::sync::Arc;

use super::machine::Engine;
use crate::destination::Entry;
use crate::model::{Carried, DeathNote, DestinationId, Effects, Moved, Record, Steps};

/// What is known of a dead letter, and what a message keeps that does not begin anew.
type Baggage = (Option<Arc<DeathNote>>, Option<Carried>);

impl Engine {
    /// A message that nobody holds, or whose delivery ends with this, goes to another queue: in one batch it leaves the one
    /// and is in the other.
    pub(super) fn relocate(
        &mut self,
        from: DestinationId,
        entry: &Entry,
        to: DestinationId,
        baggage: Baggage,
        effects: &mut Effects,
    ) {
        let Some(queue) = self.queue_mut(to) else { return };
        let to_place = queue.next_place(entry.place().urgency);
        let Some(position) = entry.position() else { return self.relocate_transient(from, entry, to, baggage) };
        self.declare(to, effects);
        let (note, carried) = baggage;
        let (message, size, from_place) = (entry.message, entry.size, entry.place());
        let record = Record::Moved(Moved { message, position, from, from_place, to, to_place, size, note, carried });
        let slot = self.evolve(&record, None);
        self.withhold_until_logged(to, slot, message);
        effects.records.push(record);
        self.touch(from);
        self.touch(to);
    }

    /// The same for one that lives in memory only.
    fn relocate_transient(&mut self, from: DestinationId, entry: &Entry, to: DestinationId, baggage: Baggage) {
        let (note, carried) = baggage;
        let departed = self.queue_mut(from).and_then(|queue| queue.depart(entry.message, entry.place()));
        let Some(departed) = departed else { return };
        self.steps.charge(Steps::CHANGE);
        self.uniques.leave(from, &departed);
        let Some(place) = self.queue_mut(to).map(|queue| queue.next_place(entry.place().urgency)) else { return };
        let mut moved = Entry::new(entry.message, place, entry.size);
        moved.set_tracked(departed.entry.is_tracked());
        moved.set_event(departed.entry.is_event());
        (moved.content, moved.handed_out) = (departed.entry.content, departed.entry.handed_out);
        let mut terms = departed.into_terms();
        if let Some(terms) = &mut terms {
            terms.move_over(carried.is_none());
        }
        if moved.is_tracked() {
            self.jobs.place(entry.message, Some((to, place)));
        }
        self.uniques.enter(to, (entry.message, place), terms.as_deref());
        let Some(queue) = self.queue_mut(to) else { return };
        queue.arrive(moved, note, terms, carried);
        self.touch(from);
        self.touch(to);
    }
}
