//! What is ready goes out: after each batch of requests, and when the log has become durable.

use super::destination::Kind;
use super::happening::Happening;
use super::machine::{Engine, queue_of};
use super::sessions::{Held, Sessions};
use crate::destination::{Consumer, ConsumerKey, Entry, Queue, SlotId};
use crate::dispatcher::{self, Round};
use crate::model::{
    AckMode, Delivery, DestinationId, Durable, Effects, Event, JobState, Lease, Now, Room, SessionId, Steps,
};
use crate::table::give_back;

/// Steps in a queue whose selective consumers have much to look at: they go on in the background, not with each call of
/// others.
const LATE: u64 = 64;
/// What it costs to come to a destination, in steps.
const TOUCHED: u64 = 3;
/// Messages that become visible in one hold, once the log has them.
const PERSISTED_AT_ONCE: usize = 1024;
/// Places that are kept for those who wait for the log.
const PROMISES_KEPT: usize = 8192;

impl Engine {
    /// Hands out what the calls since the last dispatch have made ready. Where that is too much for one call, the rest is
    /// left to [`tick`](Self::tick), and [`deadline`](Self::deadline) is now.
    pub fn dispatch(&mut self, now: Now, effects: &mut Effects) {
        self.report_memory();
        self.allow_steps(Self::DISPATCH, effects);
        self.hand_on(now, effects);
        self.end_of_steps(effects);
    }

    /// The same, as far as there are steps.
    pub(super) fn hand_on(&mut self, now: Now, effects: &mut Effects) {
        while !self.is_used_up(effects) && self.room < Room::None {
            self.publish_announced(now, effects);
            // These come first: what they have credit for is not surplus.
            if let Some(key) = self.refilled.pop() {
                self.unpark(now, key, effects);
            } else if let Some(id) = self.touched.pop() {
                self.steps.charge(TOUCHED);
                self.pump(now, id, effects);
            } else if let Some(key) = self.views.pop() {
                self.look_on(now, key, effects);
            } else if self.examined.is_empty() {
                let whole = self.restrict(Self::PART, effects);
                self.let_expelled_go(effects);
                return self.restore(whole);
            } else {
                self.examine(now, effects);
            }
        }
        self.leave_the_rest();
    }

    /// Hands out what is ready in one destination.
    pub(super) fn pump(&mut self, now: Now, id: DestinationId, effects: &mut Effects) {
        if self.schedules.has_replaced() {
            self.drop_replaced(id, effects);
        }
        // What is over is never handed out, whether the timer has fired yet or not. While there is more of it, the mark of
        // `touched` stays, so that it does not come back here before its next appointment.
        let Some(destination) = self.destinations.get(&id) else { return };
        let is_watched = destination.kind.queue().is_some_and(|queue| !queue.viewers.is_empty());
        let waits = destination.next_moment().is_some();
        let is_unique = !destination.kind.queue().is_some_and(Queue::has_replaced) || {
            let is_done = self.drop_superseded(now, id, effects);
            if !is_done {
                self.put_off(id);
            }
            is_done
        };
        let is_clear = (!waits || self.expire(now, id, effects)) && is_unique;
        if is_watched && is_clear {
            self.show_news(now, id, effects);
        }
        let patience = self.patience(id);
        let Some(destination) = self.destinations.get_mut(&id) else { return };
        destination.touched = false;
        destination.last_used = now.monotonic;
        if let Kind::Queue(queue) = &mut destination.kind {
            queue.note_readers(now.monotonic);
            let is_abandoned = queue.is_abandoned();
            if queue.doomed {
                self.doomed.insert(id);
            }
            if is_abandoned && !queue.doomed {
                return self.unbind(id, effects);
            }
        }
        if is_clear {
            self.hand_out(now, id, effects);
            self.drop_surplus(now, id, effects);
        }
        let Some(destination) = self.destinations.get_mut(&id) else { return };
        if !destination.idle_check
            && let Some(due) = destination.idle_at(patience)
        {
            destination.idle_check = true;
            self.idle.at(due, id);
        }
        if destination.next_moment() != destination.moment {
            self.make_appointment(id);
        }
    }

    /// Gives the consumers of a queue their turns, until nobody has credit or nothing is ready.
    fn hand_out(&mut self, now: Now, id: DestinationId, effects: &mut Effects) {
        while !self.is_used_up(effects) {
            let looks = if self.destinations.get(&id).is_some_and(|found| found.is_late) { LATE } else { Self::PART };
            let (mut steps, before) = (self.share(effects, looks), effects.events.len());
            let Some(queue) = queue_of(&mut self.destinations, id) else { return };
            let (sessions, consumers, contents) = (&mut self.sessions, &mut self.consumers, &mut self.contents);
            let (jobs, examined, overheard) = (&self.jobs, &mut self.examined, self.ears > 0);
            // Stays empty, and costs nothing, where nobody follows what goes out.
            let mut begun = Vec::new();
            let tell = |key, consumer: &Consumer, mut delivery: Delivery| {
                if delivery.tracked {
                    let row = jobs.get(delivery.message);
                    let row = row.filter(|row| row.status.state != JobState::Cancelled);
                    delivery.token = row.map(|row| Box::new(row.status.token));
                }
                if delivery.tracked || overheard && !delivery.is_event {
                    begun.push((delivery.message, consumer.session, delivery.attempt));
                }
                if consumer.allowance.is_some() {
                    examined.push(key);
                }
                deliver(sessions, key, consumer.session, consumer.mode, delivery, effects);
            };
            let round = dispatcher::pump((id, queue), consumers, contents, (now.wall, &mut steps), tell);
            // What was handed out is counted with the events.
            let handed = Steps::DELIVERY * (effects.events.len() - before) as u64;
            self.steps.charge(steps.spent().saturating_sub(handed));
            if queue.wants_heads() && !self.unread.contains(&id) {
                self.unread.push_back(id);
            }
            for work in begun {
                self.begin_work(now, (id, work), effects);
                self.end_part(now, effects);
            }
            match round {
                Round::Choice(key) if self.choose(now, (id, key), effects) => {}
                Round::Choice(_) | Round::Looking => return self.put_off(id),
                Round::Unfinished => {}
                Round::Done => return,
            }
        }
        self.put_off(id);
    }

    /// Drops what a queue has no room for, where its policy says so.
    pub(super) fn drop_surplus(&mut self, now: Now, id: DestinationId, effects: &mut Effects) {
        while let Some(entry) = self.queue_mut(id).filter(|queue| queue.overflows()).and_then(|q| q.least().cloned()) {
            if self.is_used_up(effects) {
                return self.put_off(id);
            }
            self.remove(id, &entry, effects);
            self.note(now, (id, &entry), Happening::Over(JobState::Cancelled), effects);
            self.end_part(now, effects);
        }
    }

    /// The log has become durable up to a point: what was accepted there may be handed out, receipts may leave. Returns how
    /// many of the positions were used, and whether that was all: otherwise it is to be called again with the others.
    pub fn persisted(&mut self, now: Now, durable: Durable<'_>, effects: &mut Effects) -> (usize, bool) {
        effects.begin();
        let mut ripe = Vec::with_capacity(durable.positions.len().min(PERSISTED_AT_ONCE));
        let (mut used, mut left, mut is_done) = (0, PERSISTED_AT_ONCE, true);
        while let Some(&(id, slot)) = self.pending.front() {
            if left == 0 {
                is_done = false;
                break;
            }
            let Some(queue) = self.queue_mut(id) else { break };
            if queue.entry(slot).is_some_and(Entry::is_durable) {
                let Some(&position) = durable.positions.get(used) else { break };
                used += 1;
                queue.set_position(slot, position);
                ripe.push((id, slot));
            }
            queue.release(slot);
            self.pending.pop_front();
            self.touch(id);
            left -= 1;
        }
        self.steps.charge(2 * (PERSISTED_AT_ONCE - left) as u64);
        is_done = is_done && self.offer_logged(durable.through, left);
        if !is_done {
            self.dispatch(now, effects);
            self.trim_cache(&ripe);
            return (used, false);
        }
        self.tell_durable(now, durable.through, effects);
        self.dispatch(now, effects);
        self.trim_cache(&ripe);
        while let Some(&(ticket, session)) = self.promises.front().filter(|(ticket, _)| *ticket <= durable.through) {
            self.promises.pop_front();
            effects.events.push((session, Event::Durable(ticket)));
        }
        give_back(&mut self.promises, PROMISES_KEPT);
        (used, true)
    }

    /// Lets go of bodies that are in the log, where the cache is over its bound and nobody took them at once.
    fn trim_cache(&mut self, ripe: &[(DestinationId, SlotId)]) {
        for &(id, slot) in ripe {
            if self.contents.bytes() - self.transient_bytes <= self.options.cache_bytes {
                return;
            }
            let key = self.queue_mut(id).and_then(|queue| queue.entry_mut(slot)?.content.take());
            if let Some(key) = key {
                self.contents.remove(key);
            }
        }
    }
}

/// Notes a delivery with its session and tells it.
pub(super) fn deliver(
    sessions: &mut Sessions,
    consumer: ConsumerKey,
    id: SessionId,
    mode: AckMode,
    mut delivery: Delivery,
    effects: &mut Effects,
) {
    if let Some(session) = sessions.get_mut(id) {
        if mode != AckMode::Auto {
            // Of what was never handed out before, nor one with its id, there is no earlier delivery that a late ACK may mean. A
            // topic's message is handed out once to each subscription, of which one client may have several.
            let is_later = delivery.redelivered
                || delivery.is_numbered
                || delivery.lease == Lease::None && !session.holds(delivery.message);
            let is_numbered = is_later && session.may_have_seen(delivery.message);
            delivery.is_numbered = is_numbered;
            let held = Held { consumer, subscription: delivery.subscription, number: delivery.number, is_numbered };
            delivery.held_twice = session.hold(delivery.message, held);
        }
        session.handed(delivery.message);
    }
    effects.events.push((id, Event::Deliver(delivery)));
}
