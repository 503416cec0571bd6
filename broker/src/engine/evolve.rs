//! The one place where durable state changes: from a record alone, live and at replay.

use super::destination::Kind;
use super::machine::{DESTINATIONS_KEPT, Engine};
use crate::destination::{Entry, Return, SlotId};
use crate::model::{Accepted, DeathReason, DestinationId, Moved, Place, Position, Record, Replay, Returned, Settled};
use crate::seeded::{self, Bug};
use crate::table::give_back_map;

impl Engine {
    /// Changes durable state as the record says. `position` is known at replay, where what the log holds is ready at
    /// once. Returns the slot of a message that has come or come back.
    pub(super) fn evolve(&mut self, record: &Record, position: Option<Position>) -> Option<SlotId> {
        match record {
            Record::Created { destination, name } => {
                if !self.destinations.contains_key(destination) {
                    self.create(*destination, name.clone());
                }
                self.queue_mut(*destination)?.declared = true;
                None
            }
            Record::Deleted { destination } => self.evolve_deleted(*destination),
            Record::Accepted(accepted) => self.evolve_accepted(accepted, position),
            Record::Settled(settled) => self.evolve_settled(settled),
            Record::Returned(returned) => {
                let queue = self.queue_mut(returned.destination)?;
                let Returned { attempts, nacks, standing, .. } = *returned;
                queue.give_back(returned.message, returned.place, Return { attempts, nacks, standing })
            }
            Record::Ranked(ranked) => {
                self.queue_mut(ranked.destination)?.rank(ranked.message, ranked.place, ranked.urgency);
                let place = Place { urgency: ranked.urgency, ..ranked.place };
                self.jobs.place(ranked.message, Some((ranked.destination, place)));
                self.rank_unique(ranked.destination, ranked.message, place);
                None
            }
            Record::Woken(woken) => {
                self.queue_mut(woken.destination)?.wake(woken.message);
                None
            }
            Record::Scheduled(scheduled) => {
                let queue = self.queue_mut(scheduled.destination)?;
                queue.reschedule(scheduled.message, scheduled.place, scheduled.schedule.clone());
                None
            }
            Record::Moved(moved) => self.evolve_moved(moved),
            Record::Bound(bound) => self.evolve_bound(bound),
            Record::Unbound { queue } => self.evolve_unbound(*queue),
            Record::Keyed(keyed) => {
                self.windows.insert(keyed.queue, keyed.key.clone(), keyed.at);
                None
            }
            Record::Paused(paused) => {
                self.queue_mut(paused.queue)?.pause = paused.pause;
                None
            }
            Record::Limited(limited) => self.evolve_limited(limited),
            Record::Tracked(_) | Record::Reported(_) | Record::Attached { .. } | Record::Forgotten { .. } => {
                self.evolve_job(record, true);
                None
            }
            Record::IdBlock { next } => {
                if !seeded::is(Bug::IdsGivenAgain) {
                    self.ids.skip_to(*next);
                }
                None
            }
            Record::Suspected { below } => {
                self.suspect(*below);
                None
            }
        }
    }

    fn evolve_deleted(&mut self, destination: DestinationId) -> Option<SlotId> {
        let gone = self.destinations.remove(&destination)?;
        give_back_map(&mut self.destinations, DESTINATIONS_KEPT);
        if let Some(moment) = gone.moment {
            self.moments.cancel(moment, destination);
        }
        self.quotas.forget_destination(gone.maker);
        self.router.unbind(gone.kind.name(), destination);
        self.windows.forget(destination);
        self.repel(destination, gone.kind.name());
        if let Kind::Queue(queue) = gone.kind {
            self.disconnect(destination, queue.fed);
        }
        None
    }

    fn evolve_settled(&mut self, settled: &Settled) -> Option<SlotId> {
        self.homeless.remove(&settled.message);
        let departed = self.queue_mut(settled.destination)?.depart(settled.message, settled.place)?;
        self.uniques.leave(settled.destination, &departed);
        if departed.entry.is_tracked() {
            self.jobs.place(settled.message, None);
        }
        self.forget(&departed.entry);
        if let Some(schedule) = departed.more.as_ref().and_then(|terms| terms.schedule.as_ref()) {
            self.schedules.remove(settled.destination, settled.message, schedule);
            self.quotas.remove_schedule(settled.message);
        }
        None
    }

    fn evolve_accepted(&mut self, accepted: &Accepted, position: Option<Position>) -> Option<SlotId> {
        let mut entry = Entry::new(accepted.message, accepted.place, accepted.size);
        // Its own record came just before.
        entry.set_tracked(self.jobs.newest(accepted.message).is_some());
        entry.set_durable(true);
        let terms = accepted.terms.clone();
        if let Some(schedule) = terms.as_ref().and_then(|terms| terms.schedule.as_ref()) {
            self.schedules.insert(accepted.destination, accepted.message, schedule);
        }
        let is_forgotten = seeded::is(Bug::UniqueForgotten) && position.is_some();
        let is_unique = !is_forgotten && terms.as_ref().is_some_and(|terms| terms.unique.is_some());
        if is_unique && self.queue_mut(accepted.destination).is_some() {
            self.uniques.enter(accepted.destination, (accepted.message, accepted.place), terms.as_deref());
        }
        let Some(position) = position else {
            return Some(self.queue_mut(accepted.destination)?.accept(entry, None, terms));
        };
        self.ids.seen(accepted.message);
        entry.set_position(position);
        if self.jobs.get(accepted.message).is_some() {
            entry.set_tracked(true);
            self.jobs.place(accepted.message, Some((accepted.destination, accepted.place)));
        }
        entry.handed_out = accepted.message.sequence() < self.suspected;
        let Some(queue) = self.queue_mut(accepted.destination) else {
            self.homeless.insert(accepted.message, terms);
            return None;
        };
        let slot = queue.accept(entry, None, terms);
        queue.release(slot);
        Some(slot)
    }

    fn evolve_moved(&mut self, moved: &Moved) -> Option<SlotId> {
        let departed = self.queue_mut(moved.from).and_then(|queue| queue.depart(moved.message, moved.from_place));
        if let Some(departed) = &departed {
            self.uniques.leave(moved.from, departed);
        }
        let homeless = self.homeless.remove(&moved.message);
        let is_event = departed.as_ref().is_some_and(|departed| departed.entry.is_event());
        let (content, handed_out, mut terms) = match departed {
            Some(departed) => (departed.entry.content, departed.entry.handed_out, departed.into_terms()),
            None => (None, true, homeless.flatten()),
        };
        if let Some(terms) = &mut terms {
            terms.move_over(moved.carried.is_none());
        }
        let mut entry = Entry::new(moved.message, moved.to_place, moved.size);
        entry.set_position(moved.position);
        entry.content = content;
        entry.set_durable(true);
        entry.set_event(is_event);
        if self.jobs.get(moved.message).is_some() {
            entry.set_tracked(true);
            self.jobs.place(moved.message, Some((moved.to, moved.to_place)));
        }
        if self.queue_mut(moved.to).is_some() {
            self.uniques.enter(moved.to, (moved.message, moved.to_place), terms.as_deref());
        }
        let died = moved.note.as_ref().filter(|_| moved.carried.is_none());
        entry.handed_out = handed_out || died.is_some_and(|note| note.reason != DeathReason::Expired);
        let Some(queue) = self.queue_mut(moved.to) else {
            self.homeless.insert(moved.message, terms);
            return None;
        };
        Some(queue.arrive(entry, moved.note.clone(), terms, moved.carried))
    }

    /// Lets go of a body in memory.
    pub(super) fn forget(&mut self, entry: &Entry) {
        if let Some(key) = entry.content {
            self.contents.remove(key);
        }
    }

    /// Whatever is there may have been handed out, and so may what the log tells of later and has an id below that.
    fn suspect(&mut self, below: u64) {
        self.suspected = self.suspected.max(below);
        for destination in self.destinations.values_mut() {
            if let Kind::Queue(queue) = &mut destination.kind {
                queue.mark_handed_out();
            }
        }
    }

    /// Ends the replay. After an unclean stop anything may have been handed out shortly before, so everything is marked, and
    /// stays marked however many orderly stops follow: the mark may be a false positive, never a false negative (P8). Returns how many messages are left without a
    /// queue, which only a damaged log can bring about.
    pub fn replayed(&mut self, clean: bool) -> usize {
        for destination in self.destinations.values_mut() {
            if let Kind::Queue(queue) = &mut destination.kind {
                queue.begin_counting();
            }
        }
        if !clean && !seeded::is(Bug::RedeliveredForgotten) {
            let below = self.ids.unused();
            self.suspect(below);
            self.suspicion = Some(below);
        }
        self.jobs.begin();
        // What is due at the same moment is done in this order, which is nobody's hash seed.
        let mut ids: Vec<_> = self.destinations.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            self.make_appointment(id);
            self.touch(id);
        }
        self.homeless.len()
    }
}

impl Replay for Engine {
    fn record(&mut self, record: Record, position: Option<Position>) {
        self.evolve(&record, position);
    }
}
