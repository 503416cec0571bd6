//! Time comes to the queues: delays end, messages expire, leases run out.
//!
//! Each queue that has something to wait for is in the scheduler once, under its next moment on the wall clock of the
//! broker. Every firing is a record like any other change.

use super::happening::Happening;
use super::machine::Engine;
use crate::destination::Entry;
use crate::model::{DeathReason, DestinationId, DestinationKind, Effects, JobState, Now, Record, Woken};

/// Messages of one queue that are dealt with in a row. The rest follows at once, but others get the engine in between.
pub(super) const AT_ONCE: usize = 1024;

impl Engine {
    /// Deals with all queues whose moment has come.
    pub(super) fn keep_appointments(&mut self, now: Now, effects: &mut Effects) {
        let mut late = Vec::new();
        while let Some(id) = self.moments.due(now.wall) {
            if let Some(destination) = self.destinations.get_mut(&id) {
                destination.moment = None;
                late.push(id);
            }
        }
        for id in late {
            if effects.is_heavy() {
                // It is late already, and goes on at once in another call.
                self.make_appointment(id);
                continue;
            }
            self.lapse(now, id, effects);
            // First what has expired: a message that is due and over at once is over.
            self.expire(now, id, effects);
            if self.is_of_schedules(id) {
                self.fire_due(now, id, effects);
            } else {
                self.wake_due(now, id, effects);
            }
            self.end_pause(now, id, effects);
            self.touch(id);
        }
    }

    /// Removes what has expired. `false` if there is more of it: then nothing may be handed out from there yet.
    pub(super) fn expire(&mut self, now: Now, id: DestinationId, effects: &mut Effects) -> bool {
        if self.queue_mut(id).is_some_and(|queue| queue.name().kind() == DestinationKind::Retained) {
            // What has been replaced must not come back because its successor is over.
            self.drop_surplus(now, id, effects);
        }
        for _ in 0..AT_ONCE {
            let Some(queue) = self.queue_mut(id) else { return true };
            let Some(entry) = queue.expired(now.wall).cloned() else { return true };
            queue.count_expired();
            if queue.policy().dead_letter_expired && self.grave_of(id, &entry).is_some() {
                self.dead_letter(now, id, &entry, DeathReason::Expired.into(), effects);
            } else {
                self.remove(id, &entry, effects);
                self.note(now, (id, &entry), Happening::Over(JobState::Expired), effects);
            }
            if self.end_part(now, effects) {
                break;
            }
        }
        self.queue_mut(id).is_none_or(|queue| queue.expired(now.wall).is_none())
    }

    /// Makes ready what has been delayed until now.
    fn wake_due(&mut self, now: Now, id: DestinationId, effects: &mut Effects) {
        for _ in 0..AT_ONCE {
            let Some(entry) = self.queue_mut(id).and_then(|queue| queue.due(now.wall).cloned()) else { return };
            self.wake(id, &entry, effects);
            self.note(now, (id, &entry), Happening::Due, effects);
            if self.end_part(now, effects) {
                return;
            }
        }
    }

    /// A message that was delayed or buried is ready.
    pub(super) fn wake(&mut self, destination: DestinationId, entry: &Entry, effects: &mut Effects) {
        let message = entry.message;
        if let Some(position) = entry.position() {
            let record = Record::Woken(Woken { destination, message, position });
            self.evolve(&record, None);
            effects.records.push(record);
        } else if let Some(queue) = self.queue_mut(destination) {
            queue.wake(message);
        }
        self.touch(destination);
    }

    /// Puts the queue into the scheduler under its next moment.
    pub(super) fn make_appointment(&mut self, id: DestinationId) {
        let Some(destination) = self.destinations.get_mut(&id) else { return };
        let next = destination.next_moment().filter(|_| !self.schedules.is_postponed(id));
        if destination.moment == next {
            return;
        }
        if let Some(old) = std::mem::replace(&mut destination.moment, next) {
            self.moments.cancel(old, id);
        }
        if let Some(next) = next {
            self.moments.at(next, id);
        }
    }
}
