//! Retained messages: the last one of a topic that asked to be, for those who subscribe later.
//!
//! Each lies in a queue of one that nobody consumes, so that it outlives a restart as any message does.

use super::admission::{Admission, Load};
use super::backlog::TopicMessage;
use super::destination::Kind;
use super::machine::Engine;
use crate::destination::{ConsumerKey, Entry, Reach, Scope};
use crate::model::{
    Candidate, DestinationId, DestinationName, Durability, Effects, Filter, Message, Now, Payload, Publish, Refusal,
};
use crate::model::{Retain, Timestamp, Urgency};

impl Engine {
    /// Whether a topic may retain a message.
    pub(super) fn admit_retained(
        &mut self,
        now: Now,
        admission: &mut Admission,
        publish: &Publish,
    ) -> Result<(), Refusal> {
        let destination = self.obtain(now, &publish.to.retained())?;
        self.count(admission, destination, publish)?;
        self.admit(&Load::of(destination, publish), publish.message.durability, admission.memory)?;
        self.admit_kept(admission)
    }

    /// Does what a message asks for. What was retained before goes once the new one is on the disk.
    pub(super) fn retain(
        &mut self,
        now: Now,
        topic: &DestinationName,
        message: &Message,
        retain: Retain,
        effects: &mut Effects,
    ) {
        let name = topic.retained();
        match retain {
            Retain::Remove => {
                if let Some(queue) = self.router.resolve(&name) {
                    self.declare(queue, effects);
                    self.unbind(queue, effects);
                }
            }
            Retain::Set => {
                // It was admitted, so it is there.
                let Ok(queue) = self.obtain(now, &name) else { return };
                let id = self.ids.next(&mut effects.records);
                self.enqueue(now, (queue, id), Message { urgency: Urgency::NORMAL, ..message.clone() }, effects);
            }
        }
    }

    /// Gives a new subscriber what its topics retain.
    pub(super) fn recall(&mut self, now: Now, key: ConsumerKey, effects: &mut Effects) {
        let Some(consumer) = self.consumers.get(key) else { return };
        let retained: Vec<DestinationId> = match &consumer.reach {
            Reach::One(id) => match self.destinations.get(id).map(|found| &found.kind) {
                Some(Kind::Topic(topic)) => self.router.resolve(&topic.name().retained()).into_iter().collect(),
                _ => return,
            },
            Reach::Many(many) => match &many.scope {
                // It is given with each topic that it meets.
                Scope::Wildcard(_) => return,
                Scope::List(sources) => {
                    let topics = sources.listed.iter().filter_map(|id| self.destinations.get(id));
                    let topics = topics.map(|found| found.kind.name()).filter(|name| !name.kind().is_queue());
                    topics.filter_map(|topic| self.router.resolve(&topic.retained())).collect()
                }
            },
            Reach::View(_) | Reach::Nowhere => return,
        };
        for queue in retained {
            self.recall_one(now, key, queue, effects);
        }
    }

    /// Gives a new subscriber what lies in a queue of retained messages.
    pub(super) fn recall_one(&mut self, now: Now, key: ConsumerKey, queue: DestinationId, effects: &mut Effects) {
        let Some((entry, expires)) = self.retained(queue) else { return };
        if expires.is_some_and(|end| end <= now.wall) {
            return;
        }
        let cached = entry.content.and_then(|content| self.contents.get(content).cloned()).map(Payload::Memory);
        let stored = entry.position().map(|position| Payload::Stored { position, size: entry.size });
        let Some((payload, consumer)) = cached.or(stored).zip(self.consumers.get(key)) else { return };
        if consumer.filter.as_ref().is_some_and(|filter| !is_wanted(&**filter, &entry, &payload)) {
            return;
        }
        self.pass_on(
            key,
            &mut TopicMessage { message: entry.message, payload, expires, charge: None, unjudged: None },
            effects,
        );
    }

    /// What lies there, and when its time is over.
    pub(super) fn retained(&mut self, queue: DestinationId) -> Option<(Entry, Option<Timestamp>)> {
        let queue = self.queue_mut(queue)?;
        let entry = queue.newest()?;
        Some((entry.clone(), entry.expires()))
    }
}

/// Whether a filter lets a retained message through. One whose head only the log has is not: nobody waits for it here.
fn is_wanted(filter: &dyn Filter, entry: &Entry, payload: &Payload) -> bool {
    let Payload::Memory(content) = payload else { return false };
    filter.wants(&Candidate {
        head: content.head(),
        message: entry.message,
        urgency: entry.place().urgency,
        attempts: 0,
        redelivered: false,
        durability: if entry.is_durable() { Durability::Persistent } else { Durability::Transient },
        death: None,
    })
}
