//! Background work: what time brings, what a dispatch has left, what operators have asked for. One slice per tick, of a
//! bounded number of steps, in which each kind has its part.

use std::collections::VecDeque;

use super::close::Closing;
use super::machine::Engine;
use super::wildcard::Leaving;
use crate::destination::{ConsumerKey, Reach};
use crate::model::{DestinationId, Effects, Now, Room, SessionId};
use crate::table::{give_back, give_back_rows};

/// What a dispatch has left for background work, in the order in which it came.
#[derive(Debug, Default)]
pub(super) struct Late {
    /// Destinations where something may be handed out, each once.
    pub(super) destinations: VecDeque<DestinationId>,
    /// Those who look through queues and have looked at enough for one call, each once.
    pub(super) views: VecDeque<ConsumerKey>,
    /// Consumers of many queues that have credit again, each once.
    pub(super) refilled: VecDeque<ConsumerKey>,
    /// Subscribers of topics with more to be looked at that is kept for them, each once.
    pub(super) backlogs: VecDeque<ConsumerKey>,
    /// Consumers that may be at their end.
    pub(super) examined: VecDeque<ConsumerKey>,
    /// Clients that were told to go, and for which topics still keep something.
    pub(super) expelled: VecDeque<SessionId>,
    /// Clients that are gone and still hold something.
    pub(super) closing: VecDeque<Closing>,
    /// Consumers that are gone and have not left all destinations of their patterns.
    pub(super) left: VecDeque<Leaving>,
    /// Queues whose moment has come and that have not been dealt with, or not to the end; each once.
    pub(super) due: VecDeque<DestinationId>,
}

impl Late {
    pub(super) fn is_empty(&self) -> bool {
        self.destinations.is_empty()
            && self.views.is_empty()
            && self.refilled.is_empty()
            && self.examined.is_empty()
            && self.closing.is_empty()
            && self.expelled.is_empty()
            && self.left.is_empty()
            && self.backlogs.is_empty()
            && self.due.is_empty()
    }
}

/// Places that are kept in a list of destinations or consumers that something is to be done with.
const LIST_KEPT: usize = 256;
/// Keys of duplicates that are forgotten in a row because of their age.
const KEYS_AT_ONCE: usize = 256;

impl Engine {
    /// Does what is due and a slice of what was left, and hands out what has become ready by it.
    pub fn tick(&mut self, now: Now, effects: &mut Effects) {
        self.author = None;
        effects.begin();
        if self.room == Room::None {
            // What clients that are gone held is bounded, and the broker may be about to stop.
            self.within(Self::SLICE, effects, |engine, effects| engine.finish_closing(now, effects));
            return self.end_of_steps(effects);
        }
        let through = self.told_through;
        self.within(Self::SLICE, effects, |engine, effects| engine.tell_durable(now, through, effects));
        if self.announcements.are_many() {
            // Nothing is done that would bring others.
            self.within(Self::SLICE, effects, |engine, effects| engine.hand_on(now, effects));
            return self.end_of_steps(effects);
        }
        self.windows.age(now.wall, KEYS_AT_ONCE);
        self.give_back_room();
        self.examined.append(&mut self.undecided);
        self.within(Self::SLICE, effects, |engine, effects| engine.keep_appointments(now, effects));
        self.within(Self::PART, effects, |engine, effects| engine.keep_jobs(now, effects));
        self.within(Self::SLICE, effects, |engine, effects| engine.run_errands(now, effects));
        self.within(Self::SLICE, effects, |engine, effects| engine.finish_closing(now, effects));
        self.within(Self::PART, effects, |engine, effects| engine.finish_leaving(effects));
        self.within(Self::PART, effects, |engine, effects| engine.let_expelled_go(effects));
        self.within(Self::SLICE, effects, |engine, effects| {
            engine.hand_on(now, effects);
            engine.go_on_with_the_rest(now, effects);
            // Behind what has become ready by now: who is given that does not wait any more.
            engine.lose_patience(now, effects);
            engine.hand_on(now, effects);
        });
        self.within(Self::PART, effects, |engine, effects| engine.retire_idle(now, effects));
        self.within(Self::SLICE, effects, |engine, effects| engine.drain(now, effects));
        self.within(Self::PART, effects, |engine, effects| {
            if engine.publish_announced(now, effects) {
                engine.hand_on(now, effects);
            }
        });
        self.end_of_steps(effects);
    }

    /// Lists that have been long give back their room.
    fn give_back_room(&mut self) {
        give_back_rows(&mut self.touched, LIST_KEPT);
        for list in [&mut self.refilled, &mut self.examined, &mut self.undecided, &mut self.views] {
            give_back_rows(list, LIST_KEPT);
        }
        for list in [&mut self.late.destinations, &mut self.late.due, &mut self.unread] {
            give_back(list, LIST_KEPT);
        }
        let late = &mut self.late;
        for list in [&mut late.views, &mut late.refilled, &mut late.backlogs, &mut late.examined, &mut self.dim] {
            give_back(list, LIST_KEPT);
        }
        give_back(&mut self.legacies, LIST_KEPT);
    }

    /// Does something with a budget of its own.
    fn within(&mut self, steps: u64, effects: &mut Effects, work: impl FnOnce(&mut Engine, &mut Effects)) {
        self.allow_steps(steps, effects);
        work(self, effects);
    }

    /// What is left of a call that has used up its steps is background work.
    pub(super) fn leave_the_rest(&mut self) {
        while let Some(id) = self.touched.pop() {
            if let Some(destination) = self.destinations.get_mut(&id) {
                destination.touched = false;
            }
            self.put_off(id);
        }
        for key in std::mem::take(&mut self.views) {
            self.put_off_view(key);
        }
        self.late.refilled.extend(self.refilled.drain(..));
        self.late.examined.extend(self.examined.drain(..));
    }

    /// A destination where there is more to be done is background work.
    pub(super) fn put_off(&mut self, id: DestinationId) {
        if let Some(destination) = self.destinations.get_mut(&id)
            && !destination.is_late
        {
            destination.is_late = true;
            self.late.destinations.push_back(id);
        }
    }

    pub(super) fn put_off_view(&mut self, key: ConsumerKey) {
        if let Some(Reach::View(view)) = self.consumers.get_mut(key).map(|consumer| &mut consumer.reach)
            && !view.is_late
        {
            view.is_late = true;
            self.late.views.push_back(key);
        }
    }

    /// Goes on with what calls have left, one of each kind after the other.
    fn go_on_with_the_rest(&mut self, now: Now, effects: &mut Effects) {
        // What cannot be said yet comes back, but not in this slice.
        let mut examined = self.late.examined.len();
        while !self.is_used_up(effects) {
            let before = self.steps.spent();
            let mut is_idle = true;
            if let Some(key) = self.late.refilled.pop_front() {
                is_idle = false;
                self.unpark(now, key, effects);
            }
            if let Some(id) = self.late.destinations.pop_front() {
                is_idle = false;
                if let Some(destination) = self.destinations.get_mut(&id) {
                    destination.is_late = false;
                }
                self.pump(now, id, effects);
            }
            if let Some(key) = self.late.views.pop_front() {
                is_idle = false;
                if let Some(Reach::View(view)) = self.consumers.get_mut(key).map(|consumer| &mut consumer.reach) {
                    view.is_late = false;
                }
                self.look_on(now, key, effects);
            }
            if let Some(key) = self.late.backlogs.pop_front() {
                is_idle = false;
                if let Some(consumer) = self.consumers.get_mut(key) {
                    consumer.is_late = false;
                }
                let whole = self.restrict(Self::PART, effects);
                self.drain_backlog(now, key, effects);
                self.restore(whole);
            }
            if examined > 0
                && let Some(key) = self.late.examined.pop_front()
            {
                examined -= 1;
                is_idle = false;
                self.examine_one(now, key, effects);
            }
            if is_idle {
                return;
            }
            if self.steps.spent() == before {
                self.steps.charge(1);
            }
            self.hand_on(now, effects);
        }
    }

    /// Whether clients that are gone still hold something.
    pub fn is_closing(&self) -> bool {
        !self.late.closing.is_empty()
    }

    /// Goes on with the ends of clients, each in its turn.
    fn finish_closing(&mut self, now: Now, effects: &mut Effects) {
        while !self.is_used_up(effects)
            && let Some(mut closing) = self.late.closing.pop_front()
        {
            let whole = self.restrict(Self::PART, effects);
            let has_ended = self.close_part(now, &mut closing, effects);
            self.restore(whole);
            if !has_ended {
                self.late.closing.push_back(closing);
            }
        }
    }

    /// Removes destinations that nothing has happened to for long.
    fn retire_idle(&mut self, now: Now, effects: &mut Effects) {
        while !self.is_used_up(effects)
            && let Some(id) = self.idle.due(now.monotonic)
        {
            self.steps.charge(1);
            let patience = self.patience(id);
            let Some(destination) = self.destinations.get_mut(&id) else { continue };
            destination.idle_check = false;
            let Some(due) = destination.idle_at(patience) else { continue };
            if due > now.monotonic {
                destination.idle_check = true;
                self.idle.at(due, id);
            } else if destination.is_fed() {
                self.unbind(id, effects);
            } else {
                self.remove_destination(id, effects);
            }
        }
    }
}
