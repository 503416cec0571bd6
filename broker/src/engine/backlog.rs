//! What topics keep for subscribers that read slowly: bounded for each connection, over all its subscriptions, and for all
//! together by the account of memory.
//!
//! A message that several wait for is counted once there. When the share of all is used up, of the user for whom most is kept
//! the connection with the most is told to go: what it holds is what others lack, and many connections save nobody from that.

use std::sync::Arc;

use super::dispatch::deliver;
use super::machine::Engine;
use super::publish::topic_delivery;
use super::sessions::Session;
use crate::destination::{ConsumerKey, Waiting};
use crate::memory::{Charge, Purpose};
use crate::model::{
    Candidate, Durability, Effects, Event, MessageId, Now, Payload, Refusal, SessionId, Steps, Timestamp, Urgency,
};

/// What a message that is kept costs beside its content, in bytes.
const WAITING_BYTES: u64 = 96;

/// Messages kept for clients which were told to go that are let go in a row.
const FREED_AT_ONCE: usize = 256;

/// A message on its way to the subscribers of a topic.
#[derive(Debug)]
pub(super) struct TopicMessage {
    pub(super) message: MessageId,
    pub(super) payload: Payload,
    pub(super) expires: Option<Timestamp>,
    /// Its bytes, once it is kept for anybody.
    pub(super) charge: Option<Arc<Charge>>,
    /// The filter of the next subscriber has not been asked about it: see [`Waiting::unjudged`].
    pub(super) unjudged: Option<(Urgency, Durability)>,
}

impl Engine {
    /// Gives a message to a subscriber. Who has no credit gets it later; who has too much waiting is told to go.
    pub(super) fn pass_on(&mut self, key: ConsumerKey, sent: &mut TopicMessage, effects: &mut Effects) {
        let limit = self.options.topic_backlog;
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let id = consumer.session;
        let Some(session) = self.sessions.get_mut(id).filter(|session| !session.leaving) else { return };
        let is_judged = sent.unjudged.is_none();
        if is_judged && consumer.backlog().messages == 0 && consumer.has_credit() && session.has_room(limit) {
            let mode = consumer.mode;
            session.lend_copy(sent.payload.len());
            let delivery = topic_delivery(consumer, sent.message, sent.payload.clone());
            return deliver(&mut self.sessions, key, id, mode, delivery, effects);
        }
        if session.backlog.messages >= limit.messages || session.backlog.bytes >= limit.bytes {
            let limit = format!("{} messages or {} bytes", limit.messages, limit.bytes);
            return self.expel(id, Refusal::SlowConsumer { limit }, effects);
        }
        let Some(charge) = self.charge_copy(id, sent, effects) else { return };
        let Some((consumer, session)) = self.consumers.get_mut(key).zip(self.sessions.get_mut(id)) else { return };
        let (message, expires) = (sent.message, sent.expires);
        let bytes = sent.payload.len() as u64;
        let unjudged = sent.unjudged;
        let has_credit = consumer.has_credit();
        // As a delivery, which it will be.
        self.steps.charge(Steps::DELIVERY);
        consumer.push_backlog(Waiting { message, payload: sent.payload.clone(), expires, charge, unjudged });
        if unjudged.is_some() && !std::mem::replace(&mut consumer.is_late, true) {
            self.late.backlogs.push_back(key);
        }
        self.options.memory.add(Purpose::Topics, WAITING_BYTES);
        let before = session.backlog.bytes;
        session.backlog.messages += 1;
        session.backlog.bytes += bytes;
        session.lacks_room |= has_credit;
        session.behind.insert(key);
        self.slow.change(session.whose.user, id, Some(before), Some(session.backlog.bytes));
    }

    /// Counts a message that is kept, once for all who wait for it. `None` if its subscriber is told to go for that.
    fn charge_copy(&mut self, id: SessionId, sent: &mut TopicMessage, effects: &mut Effects) -> Option<Arc<Charge>> {
        let mut charge = sent.charge.take();
        while charge.is_none() {
            let mut fresh = Charge::new(Arc::clone(&self.options.memory), Purpose::Topics);
            match fresh.resize(sent.payload.len() as u64 + WAITING_BYTES) {
                Ok(()) => charge = Some(Arc::new(fresh)),
                // What is kept for those that were told to go is on its way out.
                Err(_) if self.let_go(FREED_AT_ONCE) => {}
                Err(short) => {
                    // Where it is nobody else, not even one message fits.
                    let slowest = self.slow.take_slowest().unwrap_or(id);
                    self.expel(slowest, Refusal::OutOfMemory { short: short.to_string() }, effects);
                }
            }
            if self.sessions.get(id).is_none_or(|session| session.leaving) {
                return None;
            }
        }
        sent.charge.clone_from(&charge);
        charge
    }

    /// Tells a client to go. Nothing is delivered to it any more, so nothing is kept for it either: that goes a part at a time.
    fn expel(&mut self, id: SessionId, refusal: Refusal, effects: &mut Effects) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.leaving = true;
        self.slow.change(session.whose.user, id, Some(session.backlog.bytes), None);
        self.late.expelled.push_back(id);
        effects.events.push((id, Event::Disconnect(refusal)));
    }

    /// Lets go of so many messages that are kept for clients which were told to go. `false` if there are none.
    fn let_go(&mut self, messages: usize) -> bool {
        let mut left = messages;
        while left > 0
            && let Some(&id) = self.late.expelled.front()
        {
            let behind = self.sessions.get(id).and_then(|session| session.behind.first()).copied();
            if behind.is_some_and(|key| self.next_kept(key).is_some()) {
                self.steps.charge(1);
                left -= 1;
            } else {
                self.late.expelled.pop_front();
            }
        }
        left < messages
    }

    /// The same as background work.
    pub(super) fn let_expelled_go(&mut self, effects: &Effects) {
        while !self.is_used_up(effects) && self.let_go(FREED_AT_ONCE) {}
    }

    /// What is kept for a subscriber is kept no more, as far as there are steps. `true` once that was all.
    pub(super) fn forget_backlog(&mut self, key: ConsumerKey, effects: &Effects) -> bool {
        while !self.is_used_up(effects) {
            if self.next_kept(key).is_none() {
                return true;
            }
            self.steps.charge(1);
        }
        false
    }

    /// Gives the subscribers of a client what waited for their credit, or for room of their client.
    pub(super) fn drain_backlog(&mut self, now: Now, key: ConsumerKey, effects: &mut Effects) {
        self.drain_one(now, key, effects);
        let Some(session) = self.consumers.get(key).map(|consumer| consumer.session) else { return };
        self.drain_others(now, session, effects);
    }

    /// The same where one of a client's subscriptions has ended, or what was out to one has been written: the others have their
    /// turns if one of them was left without room. What there are no steps for is background work.
    pub(super) fn drain_others(&mut self, now: Now, id: SessionId, effects: &mut Effects) {
        let (limit, is_meant) = (self.options.topic_backlog, |session: &&mut Session| !session.leaving);
        let Some(session) = self.sessions.get_mut(id).filter(is_meant) else { return };
        for _ in 0..if session.lacks_room { session.behind.len() } else { 0 } {
            let Some(session) = self.sessions.get_mut(id).filter(|session| session.has_room(limit)) else { return };
            let Some(key) = session.next_behind() else { break };
            self.steps.charge(1);
            if self.is_used_up(effects) {
                return self.put_off_backlog(key);
            }
            self.drain_one(now, key, effects);
        }
        if let Some(session) = self.sessions.get_mut(id).filter(|session| session.has_room(limit)) {
            session.lacks_room = false;
        }
    }

    /// The same for one of them, as far as there are steps.
    pub(super) fn drain_one(&mut self, now: Now, key: ConsumerKey, effects: &mut Effects) {
        let limit = self.options.topic_backlog;
        while let Some(consumer) = self.consumers.get(key).filter(|consumer| consumer.has_credit())
            && let Some(session) = self.sessions.get_mut(consumer.session)
        {
            if !session.has_room(limit) {
                session.lacks_room |= consumer.backlog().messages > 0;
                return;
            }
            if self.is_used_up(effects) {
                return self.put_off_backlog(key);
            }
            let Some(waiting) = self.next_kept(key) else { return };
            if waiting.expires.is_some_and(|end| end <= now.wall) || !self.is_wanted_now(key, &waiting) {
                continue;
            }
            let Waiting { message, payload, .. } = waiting;
            let Some(consumer) = self.consumers.get_mut(key) else { return };
            let (id, mode) = (consumer.session, consumer.mode);
            if let Some(session) = self.sessions.get_mut(id) {
                session.lend_copy(payload.len());
            }
            let delivery = topic_delivery(consumer, message, payload);
            deliver(&mut self.sessions, key, id, mode, delivery, effects);
        }
    }

    /// Asks a subscriber's filter about a message for which there were no steps when it was sent.
    fn is_wanted_now(&mut self, key: ConsumerKey, waiting: &Waiting) -> bool {
        self.steps.charge(1);
        let filter = self.consumers.get(key).and_then(|consumer| consumer.filter.as_ref());
        let Some((filter, (urgency, durability))) = filter.zip(waiting.unjudged) else { return true };
        let Payload::Memory(content) = &waiting.payload else { return true };
        self.steps.charge(filter.steps(content.head().len()));
        filter.wants(&Candidate {
            head: content.head(),
            message: waiting.message,
            urgency,
            attempts: 0,
            redelivered: false,
            durability,
            death: None,
        })
    }

    pub(super) fn put_off_backlog(&mut self, key: ConsumerKey) {
        if let Some(consumer) = self.consumers.get_mut(key)
            && !std::mem::replace(&mut consumer.is_late, true)
        {
            self.late.backlogs.push_back(key);
        }
    }

    /// Takes out the oldest message that is kept for a subscriber.
    fn next_kept(&mut self, key: ConsumerKey) -> Option<Waiting> {
        let consumer = self.consumers.get_mut(key)?;
        let waiting = consumer.pop_backlog()?;
        let (id, is_last) = (consumer.session, consumer.backlog().messages == 0);
        self.options.memory.give(Purpose::Topics, WAITING_BYTES);
        let session = self.sessions.get_mut(id)?;
        let before = session.backlog.bytes;
        session.backlog.messages -= 1;
        session.backlog.bytes -= waiting.payload.len() as u64;
        if is_last {
            session.behind.remove(&key);
        }
        let after = (!session.behind.is_empty() && !session.leaving).then_some(session.backlog.bytes);
        self.slow.change(session.whose.user, id, Some(before), after);
        Some(waiting)
    }
}
