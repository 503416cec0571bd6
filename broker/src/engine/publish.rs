//! Messages come in.

use super::machine::{Engine, Kind, deliver};
use crate::destination::{Consumer, Entry};
use crate::model::{
    Accepted, AckMode, Action, Answer, Candidate, Content, Delivery, DestinationId, DestinationKind, Durability,
    Effects, Event, Message, MessageId, Now, Payload, Publish, Record, Refusal, Request, SessionId,
};

/// Messages and octets that a request adds to one queue.
struct Load {
    destination: DestinationId,
    messages: u64,
    bytes: u64,
}

/// Octets that a message would like to keep in memory.
fn memory_of(publish: &Publish) -> u64 {
    let kind = publish.to.kind();
    let stays = kind.is_queue() && (kind.is_temporary() || publish.message.durability == Durability::Transient);
    if stays { publish.message.content.len() as u64 } else { 0 }
}

impl Engine {
    /// Puts a message where it belongs, or refuses it and changes nothing.
    pub(super) fn publish(&mut self, now: Now, publish: Publish, effects: &mut Effects) -> Result<(), Refusal> {
        let Some(destination) = self.target(now, &publish)? else { return Ok(()) };
        let load = Load { destination, messages: 1, bytes: publish.message.content.len() as u64 };
        self.admit(&load, publish.message.durability, memory_of(&publish))?;
        self.put(destination, publish.message, effects);
        Ok(())
    }

    /// All sends and acknowledgements of a transaction, or none.
    pub(super) fn commit(
        &mut self,
        now: Now,
        session: SessionId,
        actions: Vec<Action>,
        effects: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let mut loads: Vec<Load> = Vec::new();
        let mut memory = 0;
        for action in &actions {
            match action {
                Action::Publish(publish) => {
                    let Some(destination) = self.target(now, publish)? else { continue };
                    let at = loads.iter().position(|load| load.destination == destination).unwrap_or_else(|| {
                        loads.push(Load { destination, messages: 0, bytes: 0 });
                        loads.len() - 1
                    });
                    loads[at].messages += 1;
                    loads[at].bytes += publish.message.content.len() as u64;
                    memory += memory_of(publish);
                    self.admit(&loads[at], publish.message.durability, memory)?;
                }
                Action::Settle(settle) => {
                    let session = self.sessions.get(session).ok_or(Refusal::LeaseLost)?;
                    session.find(settle.message, settle.subscription).ok_or(Refusal::LeaseLost)?;
                }
            }
        }
        for action in actions {
            match action {
                Action::Publish(publish) => {
                    if let Some(destination) = self.target(now, &publish)? {
                        self.put(destination, publish.message, effects);
                    }
                }
                // A cumulative ACK may have settled it a moment ago, in this very transaction: nothing is left to do.
                Action::Settle(settle) => drop(self.settle(now, session, &settle, effects)?),
            }
        }
        Ok(Answer::Done)
    }

    /// Whether a request needs room in the log for new messages. While there is none, all else goes on.
    pub fn needs_room(&self, request: &Request) -> bool {
        match request {
            Request::Publish(publish) => self.is_logged(publish, memory_of(publish)),
            Request::Commit(actions) => {
                let mut memory = 0;
                actions.iter().any(|action| match action {
                    Action::Publish(publish) => {
                        memory += memory_of(publish);
                        self.is_logged(publish, memory)
                    }
                    Action::Settle(_) => false,
                })
            }
            _ => false,
        }
    }

    /// Whether a message goes to the log: because it is persistent, or because there is no memory for it.
    fn is_logged(&self, publish: &Publish, memory: u64) -> bool {
        publish.to.kind() == DestinationKind::Queue
            && (publish.message.durability == Durability::Persistent || self.spills(memory))
    }

    fn spills(&self, memory: u64) -> bool {
        self.transient_bytes + memory > self.options.transient_bytes
    }

    /// Where a message goes; `None` for a temporary destination that is gone, whose messages nobody can ever read.
    fn target(&mut self, now: Now, publish: &Publish) -> Result<Option<DestinationId>, Refusal> {
        if publish.to.kind().is_temporary() {
            return Ok(self.router.resolve(&publish.to));
        }
        self.obtain(now, &publish.to).map(Some)
    }

    /// Whether a queue may take that much more. `memory` is what the whole request adds to memory up to this message.
    fn admit(&self, load: &Load, durability: Durability, memory: u64) -> Result<(), Refusal> {
        let Some(Kind::Queue(queue)) = self.destinations.get(&load.destination).map(|d| &d.kind) else { return Ok(()) };
        let policy = queue.policy();
        if queue.len() as u64 + load.messages > policy.max_length {
            return Err(Refusal::QueueFull { limit: format!("{} messages", policy.max_length) });
        }
        if queue.bytes() + load.bytes > policy.max_bytes {
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

    fn put(&mut self, destination: DestinationId, message: Message, effects: &mut Effects) {
        let id = self.ids.next(&mut effects.records);
        match self.destinations.get(&destination).map(|d| &d.kind) {
            Some(Kind::Queue(_)) => self.enqueue(destination, id, message, effects),
            Some(Kind::Topic(_)) => self.fan_out(destination, id, &message, effects),
            None => {}
        }
    }

    fn enqueue(&mut self, destination: DestinationId, message: MessageId, new: Message, effects: &mut Effects) {
        let size = new.content.len() as u32;
        let spills = self.spills(size.into());
        let Some(queue) = self.queue_mut(destination) else { return };
        let place = queue.next_place(new.urgency);
        let durable =
            queue.name().kind() == DestinationKind::Queue && (new.durability == Durability::Persistent || spills);
        if !durable {
            // What waits for the log in this queue was sent before: it is not overtaken (P7).
            let waits = queue.has_unseen();
            let slot = queue.accept(Entry::new(message, place, size), None);
            if waits {
                self.pending.push_back((destination, slot));
            } else {
                queue.make_ready(slot);
            }
            self.transient_bytes += u64::from(size);
            self.keep(destination, slot, new.content);
            self.touch(destination);
            return;
        }
        if !queue.declared {
            let record = Record::Created { destination, name: queue.name().clone() };
            self.evolve(&record, None);
            effects.records.push(record);
        }
        let content = Some(new.content.clone());
        let record = Record::Accepted(Accepted { destination, message, place, size, content });
        if let Some(slot) = self.evolve(&record, None) {
            self.keep(destination, slot, new.content);
            self.pending.push_back((destination, slot));
        }
        effects.records.push(record);
    }

    /// Keeps a body in memory beside its entry.
    fn keep(&mut self, destination: DestinationId, slot: crate::destination::SlotId, content: Content) {
        let key = self.contents.insert(content);
        if let Some(entry) = self.queue_mut(destination).and_then(|queue| queue.entry_mut(slot)) {
            entry.content = key;
        }
    }

    /// Gives a message to every subscriber. Who has no credit gets it later; who has too much waiting is told to go.
    fn fan_out(&mut self, topic: DestinationId, message: MessageId, new: &Message, effects: &mut Effects) {
        let Some(Kind::Topic(topic)) = self.destinations.get(&topic).map(|d| &d.kind) else { return };
        let content = &new.content;
        for &key in topic.subscribers() {
            let Some(consumer) = self.consumers.get_mut(key) else { continue };
            if consumer.filter.as_ref().is_some_and(|filter| !filter.wants(&candidate(message, new))) {
                continue;
            }
            let Some(session) = self.sessions.get_mut(consumer.session).filter(|session| !session.leaving) else {
                continue;
            };
            let backlog = consumer.backlog();
            if backlog.messages == 0 && consumer.has_credit() {
                let (id, mode) = (consumer.session, consumer.mode);
                let delivery = topic_delivery(consumer, message, content.clone());
                deliver(&mut self.sessions, key, id, mode, delivery, effects);
                continue;
            }
            let limit = self.options.topic_backlog;
            if backlog.messages >= limit.messages || backlog.bytes >= limit.bytes {
                session.leaving = true;
                let limit = format!("{} messages or {} octets", limit.messages, limit.bytes);
                effects.events.push((consumer.session, Event::Disconnect(Refusal::SlowConsumer { limit })));
                continue;
            }
            consumer.push_backlog(message, content.clone());
        }
    }
}

/// A topic's message as a filter sees it.
fn candidate(message: MessageId, new: &Message) -> Candidate<'_> {
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
pub(super) fn topic_delivery(consumer: &mut Consumer, message: MessageId, content: Content) -> Delivery {
    let number = consumer.hand_out(message, content.len() as u32);
    Delivery {
        subscription: consumer.subscription,
        number,
        message,
        auto: consumer.mode == AckMode::Auto,
        held_twice: false,
        attempt: 1,
        redelivered: false,
        death: None,
        payload: Payload::Memory(content),
    }
}

impl Engine {
    /// Gives a topic's subscriber what waited for its credit.
    pub(super) fn drain_backlog(&mut self, key: crate::destination::ConsumerKey, effects: &mut Effects) {
        while let Some(consumer) = self.consumers.get_mut(key).filter(|consumer| consumer.has_credit()) {
            let Some((message, content)) = consumer.pop_backlog() else { return };
            let (id, mode): (SessionId, AckMode) = (consumer.session, consumer.mode);
            let delivery = topic_delivery(consumer, message, content);
            deliver(&mut self.sessions, key, id, mode, delivery, effects);
        }
    }
}
