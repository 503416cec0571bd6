//! Deliveries end.

use super::chore::Chore;
use super::destination::Kind;
use super::failure::{Death, Failure};
use super::happening::{Happening, Word};
use super::machine::Engine;
use crate::destination::{ConsumerKey, Entry, Outstanding, Reach, Return};
use crate::dispatcher;
use crate::model::{
    AckMode, Answer, DeathReason, DestinationId, Effects, JobState, Now, Outcome, Record, Refusal, SessionId, Settle,
    Settled, SoftRefusal, Standing, Steps, SubscriptionId,
};
use crate::seeded::{self, Bug};

/// Deliveries of one consumer that are being settled, in the order in which they were handed out.
#[derive(Debug)]
pub(super) struct Settling {
    key: ConsumerKey,
    /// Up to this one.
    through: u64,
    outcome: Outcome,
    /// What their worker says beside it.
    word: Option<Word>,
    /// What is said when all are.
    answer: Answer,
}

impl Engine {
    /// Carries out an ACK or NACK. In client mode it covers the earlier deliveries of the same subscription, as many in one hold
    /// as there are steps for: it may be in the log by half until it is answered. In a transaction it is a whole.
    pub(super) fn settle(
        &mut self,
        now: Now,
        session: SessionId,
        settle: &Settle,
        effects: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let Some(state) = self.sessions.get(session) else { return Err(Refusal::UnknownDelivery) };
        if seeded::is(Bug::AckIgnored) {
            return Ok(Answer::Done);
        }
        let found = state.find(settle.message, settle.which);
        let lost = || state.find_lost(settle.message, settle.which);
        // What is over is still in the ledger: settling it changes nothing but gives its credit back.
        let known = found.map(|held| (held, Answer::Done));
        let Some((held, answer)) = known.or_else(|| lost().map(|(held, why)| (held, Answer::Soft(why)))) else {
            // A second ACK, one for what went back with its subscription, or one for what an earlier connection was given:
            // not wrong, only late.
            let seen = state.may_have_seen(settle.message);
            return Ok(self.decline(if seen { SoftRefusal::NotHolder } else { SoftRefusal::Unknown }));
        };
        if self.consumers.get(held.consumer).is_some_and(|consumer| consumer.mode == AckMode::Client) {
            let answer = if self.word.is_some() { self.explain(settle.message, answer) } else { answer };
            let (key, through, outcome) = (held.consumer, held.number, settle.outcome.clone());
            let settling = Settling { key, through, outcome, word: self.word.take(), answer };
            return Ok(self.settle_many(now, session, settling, effects));
        } else if let Some(out) = self.consumers.get_mut(held.consumer).and_then(|c| c.take(held.number)) {
            self.finish(now, held.consumer, out, &settle.outcome, effects);
        }
        self.refill(now, held.consumer, effects);
        Ok(match answer {
            Answer::Soft(why) => self.decline(why),
            answer => answer,
        })
    }

    /// A request has no effect, and is counted among those.
    pub(super) fn decline(&mut self, why: SoftRefusal) -> Answer {
        self.declined += 1;
        Answer::Soft(why)
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
        let (outcome, answer) = (Outcome::Ack, Answer::Done);
        let settling = Settling { key, through, outcome, word: None, answer };
        self.settle_many(now, session, settling, effects);
    }

    /// Settles what is to be settled, and goes on with what there are no steps for in other holds.
    fn settle_many(&mut self, now: Now, session: SessionId, settling: Settling, effects: &mut Effects) -> Answer {
        match self.settle_part(now, &settling, effects) {
            Some(answer) => answer,
            None => self.begin(now, session, Chore::Settle(Box::new(settling)), effects),
        }
    }

    /// The same as far as there are steps. The answer once that was all, and its consumer has the credit.
    pub(super) fn settle_part(&mut self, now: Now, settling: &Settling, effects: &mut Effects) -> Option<Answer> {
        let (key, through) = (settling.key, settling.through);
        while let Some(out) = self.consumers.get_mut(key).and_then(|consumer| consumer.take_through(through)) {
            self.word.clone_from(&settling.word);
            self.finish(now, key, out, &settling.outcome, effects);
            self.end_part(now, effects);
            if !effects.is_whole() && self.is_used_up(effects) {
                self.word = None;
                return None;
            }
        }
        self.word = None;
        self.refill(now, key, effects);
        Some(settling.answer)
    }

    /// A delivery that cannot be read leaves the ledger. Its message is buried if it is damaged, for as long as nobody kicks it
    /// and over restarts; otherwise it waits a little, which the log need not know.
    pub(super) fn quarantine(
        &mut self,
        now: Now,
        (session, subscription): (SessionId, SubscriptionId),
        (number, is_damaged): (u64, bool),
        effects: &mut Effects,
    ) {
        let Some(state) = self.sessions.get_mut(session) else { return };
        let Some(&key) = state.subscriptions.get(&subscription) else { return };
        let Some(out) = self.consumers.get_mut(key).and_then(|consumer| consumer.take(number)) else { return };
        state.release(out.message, subscription, out.number);
        state.take_copy(&out);
        // One whose lease ran out is with somebody else by now, or free.
        let leased =
            out.queue.and_then(|id| Some((id, self.queue_mut(id)?.leased(out.message, key, out.number)?.clone())));
        if let Some((id, entry)) = leased {
            let (attempts, nacks) = (entry.attempts, entry.nacks);
            if is_damaged {
                let back = Return { attempts, nacks, standing: Standing::Buried(now.wall) };
                self.word = entry.is_tracked().then(|| Word::failure("what is stored of it is damaged".into()));
                self.give_back(id, &entry, back, effects);
                self.note(now, (id, &entry), Happening::Back(back), effects);
                self.word = None;
            } else {
                let standing = Standing::Delayed(now.wall.after(Engine::READ_AGAIN_MS));
                if let Some(queue) = self.queue_mut(id) {
                    queue.give_back(entry.message, entry.place(), Return { attempts, nacks, standing });
                }
                self.touch(id);
            }
        }
        self.refill(now, key, effects);
    }

    /// One delivery, out of the ledger already, comes to its end.
    fn finish(&mut self, now: Now, key: ConsumerKey, out: Outstanding, outcome: &Outcome, effects: &mut Effects) {
        let Some(consumer) = self.consumers.get(key) else { return };
        let (session, subscription) = (consumer.session, consumer.subscription);
        if let Some(state) = self.sessions.get_mut(session) {
            state.release(out.message, subscription, out.number);
            state.take_copy(&out);
        }
        // A topic has nothing to settle, and a lease that ran out neither: the ledger was all there is.
        self.steps.charge(1);
        let Some(destination) = out.queue else { return };
        let leased = self.queue_mut(destination).and_then(|queue| queue.leased(out.message, key, out.number).cloned());
        let Some(mut entry) = leased else { return };
        let outcome = match outcome {
            Outcome::Ranked { urgency, outcome } => {
                self.rank(destination, &mut entry, *urgency, effects);
                outcome
            }
            outcome => outcome,
        };
        let speaks = entry.is_tracked() && self.word.is_none();
        if speaks {
            self.word = Word::of(outcome);
        }
        match outcome {
            // One within another says nothing more.
            Outcome::Ranked { .. } => {}
            Outcome::Ack => {
                self.remove(destination, &entry, effects);
                self.note(now, (destination, &entry), Happening::Over(JobState::Completed), effects);
            }
            Outcome::Release => {
                let back = Return { attempts: entry.attempts, nacks: entry.nacks, standing: Standing::Ready };
                self.give_back(destination, &entry, back, effects);
                self.note(now, (destination, &entry), Happening::Back(back), effects);
            }
            Outcome::Retry { reason, delay_ms } => {
                let failure = Failure::Nack { reason: reason.as_ref(), delay_ms: *delay_ms };
                self.retry(now, destination, &entry, failure, effects);
            }
            Outcome::Bury => self.bury(now, destination, &entry, effects),
            Outcome::DeadLetter { reason } => {
                let death = Death { reason: DeathReason::Nack, error: reason.as_ref() };
                self.dead_letter(now, destination, &entry, death, effects);
            }
        }
        if speaks {
            self.word = None;
        }
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
            self.steps.charge(Steps::CHANGE);
            self.uniques.leave(destination, &departed);
            self.transient_bytes -= u64::from(departed.entry.size);
            self.forget(&departed.entry);
        }
        self.touch(destination);
    }

    /// A consumer has credit again.
    pub(super) fn refill(&mut self, now: Now, key: ConsumerKey, effects: &mut Effects) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        if consumer.allowance.is_some() {
            self.examined.push(key);
        }
        let id = match &mut consumer.reach {
            Reach::One(id) => *id,
            Reach::Nowhere => return,
            Reach::View(_) => return self.views.push(key),
            Reach::Many(many) => {
                if !std::mem::replace(&mut many.refilled, true) {
                    self.refilled.push(key);
                }
                return self.drain_backlog(now, key, effects);
            }
        };
        match self.destinations.get_mut(&id).map(|destination| &mut destination.kind) {
            Some(Kind::Queue(queue)) => {
                dispatcher::enrol(queue, key, consumer);
                self.touch(id);
            }
            Some(Kind::Topic(_)) => self.drain_backlog(now, key, effects),
            None => {}
        }
    }
}
