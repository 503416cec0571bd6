//! Time comes to the queues: delays end, messages expire, leases run out.
//!
//! Each queue that has something to wait for is in the scheduler once, under its next moment on the wall clock of the
//! broker. Every firing is a record like any other change.

use super::happening::Happening;
use super::machine::Engine;
use crate::destination::Entry;
use crate::model::{DeathReason, DestinationId, DestinationKind, Effects, JobState, Now, Record, Room, Steps, Woken};

/// Queues whose moment has come that wait to be dealt with at most; the others stay in the scheduler.
const QUEUES_AT_ONCE: usize = 256;

impl Engine {
    /// Deals with queues whose moment has come, a part of each after the other.
    pub(super) fn keep_appointments(&mut self, now: Now, effects: &mut Effects) {
        while self.late.due.len() < QUEUES_AT_ONCE
            && let Some(id) = self.moments.due(now.wall)
        {
            self.steps.charge(1);
            if let Some(destination) = self.destinations.get_mut(&id) {
                destination.moment = None;
                destination.is_due = true;
                self.late.due.push_back(id);
            }
        }
        // Each once in a slice: one with much to do does not keep the others waiting.
        for _ in 0..self.late.due.len() {
            if self.is_used_up(effects) || effects.is_heavy() {
                return;
            }
            let Some(id) = self.late.due.pop_front() else { return };
            let whole = self.restrict(Self::PART, effects);
            self.keep_appointment(now, id, effects);
            let is_unfinished = self.is_used_up(effects);
            self.restore(whole);
            if is_unfinished && self.destinations.contains_key(&id) {
                self.late.due.push_back(id);
            } else if let Some(destination) = self.destinations.get_mut(&id) {
                destination.is_due = false;
                self.make_appointment(id);
            }
        }
    }

    fn keep_appointment(&mut self, now: Now, id: DestinationId, effects: &mut Effects) {
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

    /// Removes what has expired. `false` if there is more of it: then nothing may be handed out from there yet.
    pub(super) fn expire(&mut self, now: Now, id: DestinationId, effects: &mut Effects) -> bool {
        if self.queue_mut(id).is_some_and(|queue| queue.name().kind() == DestinationKind::Retained) {
            // What has been replaced must not come back because its successor is over.
            self.drop_surplus(now, id, effects);
        }
        self.let_go_on(id);
        loop {
            let is_used_up = self.is_used_up(effects);
            let Some(queue) = self.queue_mut(id) else { return true };
            let Some(entry) = queue.expired(now.wall).cloned() else { return true };
            let adds = queue.policy().dead_letter_expired;
            if is_used_up {
                return false;
            }
            if adds && self.holds_back(id) {
                return false;
            }
            let Some(queue) = self.queue_mut(id) else { return true };
            queue.count_expired();
            if queue.policy().dead_letter_expired && self.grave_of(id, &entry).is_some() {
                self.dead_letter(now, id, &entry, DeathReason::Expired.into(), effects);
            } else {
                self.remove(id, &entry, effects);
                self.note(now, (id, &entry), Happening::Over(JobState::Expired), effects);
            }
            self.end_part(now, effects);
        }
    }

    /// Whether what time would add to the log waits in this queue: room is scarce, and nothing reads the queue. One that is
    /// read goes on, so that what is in it can be finished.
    pub(super) fn holds_back(&mut self, id: DestinationId) -> bool {
        let waits = self.room >= Room::Scarce && self.queue_mut(id).is_some_and(|queue| queue.consumers() == 0);
        if waits {
            self.held.insert(id);
        }
        waits
    }

    /// A queue that was held back and is read by now has appointments again.
    fn let_go_on(&mut self, id: DestinationId) {
        if !self.held.is_empty()
            && self.queue_mut(id).is_some_and(|queue| queue.consumers() > 0)
            && self.held.remove(&id)
        {
            self.make_appointment(id);
        }
    }

    /// Makes ready what has been delayed until now.
    fn wake_due(&mut self, now: Now, id: DestinationId, effects: &mut Effects) {
        while !self.is_used_up(effects) {
            let Some(entry) = self.queue_mut(id).and_then(|queue| queue.due(now.wall).cloned()) else { return };
            if self.holds_back(id) {
                return;
            }
            self.wake(id, &entry, effects);
            self.note(now, (id, &entry), Happening::Due, effects);
            self.end_part(now, effects);
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
            self.steps.charge(Steps::CHANGE);
        }
        self.touch(destination);
    }

    /// Puts the queue into the scheduler under its next moment.
    pub(super) fn make_appointment(&mut self, id: DestinationId) {
        let Some(destination) = self.destinations.get_mut(&id) else { return };
        let next = destination.next_moment().filter(|_| !self.schedules.is_postponed(id) && !self.held.contains(&id));
        if destination.moment == next || destination.is_due {
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
