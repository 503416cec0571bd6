//! Messages come in.

use super::admission::{Admission, Load};
use super::backlog::TopicMessage;
use super::destination::Kind;
use super::machine::Engine;
use super::unique::Hit;
use crate::destination::{Consumer, Entry, SlotId};
use crate::model::{
    Accepted, AckMode, Answer, Candidate, Content, Delivery, DestinationId, DestinationKind, Durability, Effects,
    Lease, Message, MessageId, Now, Payload, Place, Publish, Record, Refusal, Retain, Steps, Submission, Urgency,
};
use crate::seeded::{self, Bug};

/// Steps for the selectors of a topic's subscribers while its message is sent.
const JUDGED_AT_ONCE: u64 = 1024;

impl Engine {
    /// Puts a message where it belongs, or refuses it and changes nothing.
    pub(super) fn publish(&mut self, now: Now, publish: Publish, effects: &mut Effects) -> Result<Answer, Refusal> {
        if publish.to.kind() == DestinationKind::Schedules {
            return self.schedule(now, publish, effects);
        }
        if self.is_routed(&publish.to) {
            return self.publish_routed(now, publish, effects);
        }
        self.publish_alone(now, publish, Admission::default(), effects)
    }

    /// The same without looking for routes. `admission` is what the request brings beside it.
    pub(super) fn publish_alone(
        &mut self,
        now: Now,
        publish: Publish,
        mut admission: Admission,
        effects: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let Some(destination) = self.target(now, &publish)? else { return Ok(Answer::Done) };
        if let Some(known) = self.known_job(&publish, effects)? {
            self.hook_duplicate(now, destination, &known);
            return Ok(known);
        }
        let mut takers = None;
        if publish.key.is_some() && !self.is_new_anywhere(now, destination, &publish, &mut takers) {
            effects.leans = true;
            return Ok(Answer::Duplicate);
        }
        let hit = self.hit(now, destination, &publish)?;
        if let Hit::Known(job) = hit {
            let known = self.join_job(job, &publish, effects);
            self.hook_duplicate(now, destination, &known);
            return Ok(known);
        }
        self.admit_judging(destination, &publish)?;
        self.admit_leader(&mut admission, destination, &publish)?;
        let takers = takers.unwrap_or_else(|| self.takers(destination, &publish.message));
        for &taker in &takers {
            self.admit_copy(&mut admission, &Load::of(taker, &publish), &publish)?;
        }
        if publish.retain == Some(Retain::Set) {
            self.admit_retained(now, &mut admission, &publish)?;
        }
        let is_queue = publish.to.kind().is_queue();
        let tracked = publish.message.terms.as_ref().is_some_and(|terms| terms.tracking.is_some());
        let taken = self.take_in(now, (destination, takers), (publish, hit), effects).filter(|_| is_queue);
        Ok(taken.map_or(Answer::Done, |job| {
            Answer::Submitted(Submission { job, token: self.jobs.newest(job).filter(|_| tracked), is_duplicate: false })
        }))
    }

    /// Where a message goes; `None` for a temporary destination that is gone, whose messages nobody can ever read.
    pub(super) fn target(&mut self, now: Now, publish: &Publish) -> Result<Option<DestinationId>, Refusal> {
        if publish.to.kind().is_temporary() {
            return Ok(self.router.resolve(&publish.to));
        }
        self.obtain(now, &publish.to).map(Some)
    }

    /// Whether a queue may take that much more. `memory` is what the whole request adds to memory up to this message.
    pub(super) fn admit(&self, load: &Load, durability: Durability, memory: u64) -> Result<(), Refusal> {
        let Some(Kind::Queue(queue)) = self.destinations.get(&load.destination).map(|d| &d.kind) else { return Ok(()) };
        if !queue.takes() {
            return Err(Refusal::QueuePaused);
        }
        let policy = queue.policy();
        if queue.lacks_places(load.messages) {
            return Err(Refusal::QueueFull { limit: format!("{} messages", policy.max_length) });
        }
        if queue.lacks_room(load.bytes) {
            return Err(Refusal::QueueFull { limit: format!("{} octets", policy.max_bytes) });
        }
        let spills = self.spills(memory);
        if queue.name().kind().is_temporary() {
            // What belongs to a connection cannot go to the log, so it cannot spill.
            if spills {
                return Err(Refusal::QueueFull { limit: format!("{} octets in memory", self.options.transient_bytes) });
            }
        } else if self.is_full() && (durability == Durability::Persistent || spills) {
            return Err(Refusal::DiskFull);
        }
        Ok(())
    }

    /// `takers` are the queues behind the destination that take the message, if it is a topic.
    pub(super) fn put_new(
        &mut self,
        now: Now,
        (destination, takers): (DestinationId, Vec<DestinationId>),
        message: Message,
        effects: &mut Effects,
    ) -> MessageId {
        let id = self.ids.next(&mut effects.records);
        match self.destinations.get(&destination).map(|d| &d.kind) {
            Some(Kind::Queue(_)) => self.enqueue(now, (destination, id), message, effects),
            Some(Kind::Topic(_)) => {
                self.fan_out(now, (destination, id), &message, effects);
                // Each copy is a message of its own, to be settled and to fail on its own.
                for queue in takers {
                    let id = self.ids.next(&mut effects.records);
                    self.enqueue(now, (queue, id), message.clone(), effects);
                }
            }
            None => {}
        }
        id
    }

    pub(super) fn enqueue(
        &mut self,
        now: Now,
        (destination, message): (DestinationId, MessageId),
        new: Message,
        effects: &mut Effects,
    ) {
        self.enqueue_at(now, (destination, message, None), new, effects);
    }

    /// The same, at a place if one is given.
    pub(super) fn enqueue_at(
        &mut self,
        now: Now,
        (destination, message, place): (DestinationId, MessageId, Option<Place>),
        new: Message,
        effects: &mut Effects,
    ) {
        let size = new.content.len() as u32;
        let (spills, is_successor) = (self.spills(size.into()), place.is_some());
        let Some(queue) = self.queue_mut(destination) else { return };
        let mut new = queue.policy().limit_life(new, now.wall);
        if let Some(value) = queue.value_of(&new.content) {
            new.terms.get_or_insert_default().last_value = Some(value);
        }
        let place = place.unwrap_or_else(|| queue.next_place(new.urgency));
        let is_odd = seeded::is(Bug::OrderLost) && message.sequence() % 2 == 1;
        let place = Place { urgency: Urgency(place.urgency.0 + u32::from(is_odd)), ..place };
        let durable = !queue.name().kind().is_temporary() && (new.durability == Durability::Persistent || spills);
        let terms = new.terms.as_ref();
        let tracked = terms.is_some_and(|terms| terms.tracking.is_some());
        let queue = if tracked || terms.is_some_and(|terms| terms.unique.is_some()) {
            if !durable {
                self.uniques.enter(destination, (message, place), new.terms.as_deref());
            }
            self.follow(now, (destination, message, place), (&mut new, durable), effects);
            let Some(queue) = self.queue_mut(destination) else { return };
            queue
        } else {
            queue
        };
        if !durable {
            // What waits for the log in this queue was sent before: it is not overtaken (P7).
            let waits = queue.has_unseen();
            let mut entry = Entry::new(message, place, size);
            entry.set_tracked(tracked);
            let slot = queue.accept(entry, None, new.terms);
            if waits {
                self.pending.push_back((destination, slot));
            } else {
                queue.release(slot);
            }
            self.steps.charge(Steps::CHANGE);
            self.transient_bytes += u64::from(size);
            self.keep((destination, slot), new.content, is_successor);
            self.touch(destination);
            return self.hook_submitted(now, (destination, message), false);
        }
        if !queue.declared {
            self.declare(destination, effects);
        }
        let content = Some(new.content.clone());
        let record = Record::Accepted(Accepted { destination, message, place, size, content, terms: new.terms });
        if let Some(slot) = self.evolve(&record, None) {
            self.keep((destination, slot), new.content, is_successor);
            self.pending.push_back((destination, slot));
            if seeded::is(Bug::HandedOutEarly)
                && let Some(queue) = self.queue_mut(destination)
            {
                queue.release(slot);
                self.touch(destination);
            }
        }
        effects.records.push(record);
        self.hook_submitted(now, (destination, message), true);
    }

    /// Keeps a body in memory beside its entry.
    fn keep(&mut self, (destination, slot): (DestinationId, SlotId), content: Content, is_successor: bool) {
        let key = self.contents.insert(content);
        let is_event = self.announcements.is_event();
        if let Some(entry) = self.queue_mut(destination).and_then(|queue| queue.entry_mut(slot)) {
            entry.content = key;
            entry.set_event(is_event);
            entry.set_successor(is_successor);
        }
    }

    /// Gives a message to every subscriber. Who has no credit gets it later; who has too much waiting is told to go.
    pub(super) fn fan_out(
        &mut self,
        now: Now,
        (id, message): (DestinationId, MessageId),
        new: &Message,
        effects: &mut Effects,
    ) {
        let expires = new.terms.as_ref().and_then(|terms| terms.expires);
        if expires.is_some_and(|end| end <= now.wall) {
            return;
        }
        let Some(Kind::Topic(topic)) = self.destinations.get_mut(&id).map(|d| &mut d.kind) else { return };
        topic.counts.enqueued += 1;
        let payload = Payload::Memory(new.content.clone());
        let mut sent = TopicMessage { message, payload, expires, charge: None, unjudged: None };
        let (head, judged_until) = (new.content.head().len(), self.steps.spent() + JUDGED_AT_ONCE);
        let subscribers = topic.take_subscribers();
        for &key in &subscribers {
            let Some(consumer) = self.consumers.get(key) else { continue };
            self.steps.charge(1);
            if consumer.no_local && self.author == Some(consumer.session)
                || consumer.is_withheld && !self.may_read_on(consumer, id)
            {
                continue;
            }
            sent.unjudged = None;
            if let Some(filter) = &consumer.filter {
                if self.steps.spent() >= judged_until {
                    // It is asked in the background. Meanwhile the message is kept for it as for one that reads slowly.
                    sent.unjudged = Some((new.urgency, new.durability));
                } else {
                    self.steps.charge(filter.steps(head));
                    if !filter.wants(&candidate(message, new)) {
                        continue;
                    }
                }
            }
            self.pass_on(key, &mut sent, effects);
        }
        if let Some(Kind::Topic(topic)) = self.destinations.get_mut(&id).map(|d| &mut d.kind) {
            topic.put_back(subscribers);
        }
    }
}

/// A topic's message as a filter sees it.
pub(super) fn candidate(message: MessageId, new: &Message) -> Candidate<'_> {
    Candidate {
        head: new.content.head(),
        message,
        urgency: new.urgency,
        attempts: 0,
        redelivered: false,
        durability: new.durability,
        death: None,
    }
}

/// The delivery of a topic's message, written into the consumer's ledger.
pub(super) fn topic_delivery(consumer: &mut Consumer, message: MessageId, payload: Payload) -> Delivery {
    let number = consumer.hand_out(message, payload.len() as u32, None);
    Delivery {
        subscription: consumer.subscription,
        number,
        message,
        auto: consumer.mode == AckMode::Auto,
        tracked: false,
        is_event: false,
        token: None,
        held_twice: false,
        is_numbered: false,
        attempt: 1,
        redelivered: false,
        lease: Lease::None,
        death: None,
        from: None,
        payload,
    }
}
