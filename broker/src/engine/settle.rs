//! Deliveries end.

use std::sync::Arc;

use super::destination::Kind;
use super::machine::Engine;
use crate::destination::{ConsumerKey, Entry, Outstanding, Reach};
use crate::dispatcher;
use crate::model::{
    AckMode, Answer, DeathNote, DeathReason, DestinationId, DestinationName, Effects, Moved, Now, Outcome, Record,
    Refusal, Returned, SessionId, Settle, Settled, SoftRefusal, SubscriptionId,
};

impl Engine {
    /// Carries out an ACK or NACK. In client mode it covers the earlier deliveries of the same subscription.
    pub(super) fn settle(
        &mut self,
        now: Now,
        session: SessionId,
        settle: &Settle,
        effects: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let Some(state) = self.sessions.get(session) else { return Err(Refusal::UnknownDelivery) };
        let Some(held) = state.find(settle.message, settle.subscription) else {
            // A second ACK, or one for what went back with its subscription: not wrong, only late.
            let seen = state.may_have_seen(settle.message);
            return if seen { Ok(Answer::Soft(SoftRefusal::NotHolder)) } else { Err(Refusal::UnknownDelivery) };
        };
        if self.consumers.get(held.consumer).is_some_and(|consumer| consumer.mode == AckMode::Client) {
            while let Some(out) = self.consumers.get_mut(held.consumer).and_then(|c| c.take_through(held.number)) {
                self.finish(now, held.consumer, out, &settle.outcome, effects);
            }
        } else if let Some(out) = self.consumers.get_mut(held.consumer).and_then(|c| c.take(held.number)) {
            self.finish(now, held.consumer, out, &settle.outcome, effects);
        }
        self.refill(held.consumer, effects);
        Ok(Answer::Done)
    }

    /// The kernel has them: deliveries of an auto subscription are settled by that.
    pub(super) fn written(
        &mut self,
        now: Now,
        (session, subscription): (SessionId, SubscriptionId),
        through: u64,
        effects: &mut Effects,
    ) {
        let Some(&key) = self.sessions.get(session).and_then(|state| state.subscriptions.get(&subscription)) else {
            return;
        };
        if self.consumers.get(key).is_none_or(|consumer| consumer.mode != AckMode::Auto) {
            return;
        }
        while let Some(out) = self.consumers.get_mut(key).and_then(|consumer| consumer.take_through(through)) {
            self.finish(now, key, out, &Outcome::Ack, effects);
        }
        self.refill(key, effects);
    }

    /// A delivery that cannot be read leaves the ledger, and its message stays reserved for nobody.
    pub(super) fn quarantine(
        &mut self,
        session: SessionId,
        subscription: SubscriptionId,
        number: u64,
        effects: &mut Effects,
    ) {
        let Some(state) = self.sessions.get_mut(session) else { return };
        let Some(&key) = state.subscriptions.get(&subscription) else { return };
        let Some(out) = self.consumers.get_mut(key).and_then(|consumer| consumer.take(number)) else { return };
        state.release(out.message, subscription);
        self.refill(key, effects);
    }

    /// One delivery, out of the ledger already, comes to its end.
    fn finish(&mut self, now: Now, key: ConsumerKey, out: Outstanding, outcome: &Outcome, effects: &mut Effects) {
        let Some(consumer) = self.consumers.get(key) else { return };
        let (session, subscription) = (consumer.session, consumer.subscription);
        if let Some(state) = self.sessions.get_mut(session) {
            state.release(out.message, subscription);
        }
        // A topic has nothing to settle: the ledger was all there is.
        let Some(destination) = out.queue else { return };
        let leased = self.queue_mut(destination).and_then(|queue| queue.leased(out.message, key).cloned());
        let Some(entry) = leased else { return };
        match outcome {
            Outcome::Ack => self.remove(destination, &entry, effects),
            Outcome::Release => self.give_back(destination, &entry, entry.attempts, effects),
            Outcome::Retry { reason } => self.retry(now, destination, &entry, reason.as_ref(), effects),
            Outcome::DeadLetter { reason } => {
                self.dead_letter(now, destination, &entry, DeathReason::Nack, reason.as_ref(), effects);
            }
        }
    }

    /// A failed delivery that counts.
    pub(super) fn retry(
        &mut self,
        now: Now,
        destination: DestinationId,
        entry: &Entry,
        reason: Option<&Arc<str>>,
        effects: &mut Effects,
    ) {
        let attempts = entry.attempts.saturating_add(1);
        let limit = self.queue_mut(destination).map_or(u16::MAX, |queue| queue.policy().max_deliveries);
        if attempts >= limit {
            self.dead_letter(now, destination, entry, DeathReason::Deliveries, reason, effects);
        } else {
            self.give_back(destination, entry, attempts, effects);
        }
    }

    /// A delivery that came to nothing: the message is ready again, in its place. It is logged even where nothing was
    /// counted, because `redelivered` must survive a restart.
    pub(super) fn give_back(
        &mut self,
        destination: DestinationId,
        entry: &Entry,
        attempts: u16,
        effects: &mut Effects,
    ) {
        if let Some(position) = entry.position() {
            let (message, place) = (entry.message, entry.place());
            let record = Record::Returned(Returned { destination, message, place, position, attempts });
            self.evolve(&record, None);
            effects.records.push(record);
        } else if let Some(queue) = self.queue_mut(destination) {
            queue.give_back(entry.message, entry.place(), Some(attempts));
        }
        self.touch(destination);
    }

    /// A message is gone for good.
    pub(super) fn remove(&mut self, destination: DestinationId, entry: &Entry, effects: &mut Effects) {
        if let Some(position) = entry.position() {
            let (message, place) = (entry.message, entry.place());
            let record = Record::Settled(Settled { destination, message, place, position });
            self.evolve(&record, None);
            effects.records.push(record);
        } else if let Some(departed) =
            self.queue_mut(destination).and_then(|queue| queue.depart(entry.message, entry.place()))
        {
            self.transient_bytes -= u64::from(departed.entry.size);
            self.forget(&departed.entry);
        }
        self.touch(destination);
    }

    /// A message goes to its dead-letter queue, in the same batch in which it leaves its own. Where there is no such
    /// queue it goes back to its place: a message is never thrown away because it failed.
    fn dead_letter(
        &mut self,
        now: Now,
        from: DestinationId,
        entry: &Entry,
        reason: DeathReason,
        error: Option<&Arc<str>>,
        effects: &mut Effects,
    ) {
        let attempts = entry.attempts.saturating_add(1);
        let Some(queue) = self.queue_mut(from) else { return };
        let origin = queue.name().clone();
        let Some(target) = queue.policy().dead_letter_for(&origin) else {
            return self.give_back(from, entry, attempts, effects);
        };
        let note = Arc::new(DeathNote { origin, reason, attempts, error: error.cloned() });
        let to = self.dead_letter_queue(now, target);
        let Some(to_queue) = self.queue_mut(to) else { return };
        let to_place = to_queue.next_place(entry.place().urgency);
        let Some(position) = entry.position() else {
            return self.move_transient(from, to, to_place, entry, note);
        };
        self.declare(to, effects);
        let (message, size, from_place) = (entry.message, entry.size, entry.place());
        let record = Record::Moved(Moved { message, position, from, from_place, to, to_place, size, note });
        self.evolve(&record, None);
        effects.records.push(record);
        self.touch(from);
        self.touch(to);
    }

    /// Finishing work may not fail for lack of room, so no limit applies to it.
    fn dead_letter_queue(&mut self, now: Now, name: DestinationName) -> DestinationId {
        match self.obtain(now, &name) {
            Ok(id) => id,
            Err(_) => self.create(DestinationId(self.next_destination), name),
        }
    }

    fn move_transient(
        &mut self,
        from: DestinationId,
        to: DestinationId,
        place: crate::model::Place,
        entry: &Entry,
        note: Arc<DeathNote>,
    ) {
        let departed = self.queue_mut(from).and_then(|queue| queue.depart(entry.message, entry.place()));
        let Some((departed, queue)) = departed.and_then(|departed| Some((departed, self.queue_mut(to)?))) else {
            return;
        };
        let mut moved = Entry::new(entry.message, place, entry.size);
        moved.content = departed.entry.content;
        moved.handed_out = true;
        let slot = queue.accept(moved, Some(note));
        queue.make_ready(slot);
        self.touch(from);
        self.touch(to);
    }

    /// A consumer has credit again.
    fn refill(&mut self, key: ConsumerKey, effects: &mut Effects) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let id = match &mut consumer.reach {
            Reach::One(id) => *id,
            Reach::Many(many) => {
                if !std::mem::replace(&mut many.refilled, true) {
                    self.refilled.push(key);
                }
                return self.drain_backlog(key, effects);
            }
        };
        match self.destinations.get_mut(&id).map(|destination| &mut destination.kind) {
            Some(Kind::Queue(queue)) => {
                dispatcher::enrol(queue, key, consumer);
                self.touch(id);
            }
            Some(Kind::Topic(_)) => self.drain_backlog(key, effects),
            None => {}
        }
    }
}
