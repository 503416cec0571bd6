//! Queues behind topics: durable subscriptions, consumer groups, the queues of virtual topics.
//!
//! Each is a queue like any other, with a record that says which topics feed it. A topic knows its queues as it knows its
//! subscribers; who ends a feed leaves a queue without a name, which is emptied a little at a time.

use std::time::Duration;

use super::destination::Kind;
use super::happening::Happening;
use super::machine::Engine;
use super::publish::candidate;
use super::sessions::Departure;
use crate::destination::{Condition, ConsumerKey, Fed};
use crate::model::{
    Answer, Bound, DestinationId, DestinationName, Effects, Event, Feed, JobState, Message, MessageId, Now, Pattern,
};
use crate::model::{Record, Refusal, SessionId, SoftRefusal};

impl Engine {
    /// The queue of a feed, for a reader; it comes into being with its first one.
    pub(super) fn bind(
        &mut self,
        now: Now,
        (reader, feed): (SessionId, &Feed),
        effects: &mut Effects,
    ) -> Result<DestinationId, Refusal> {
        self.admit_binding(feed)?;
        self.admit_selector(feed)?;
        self.succeed(now, (reader, feed), effects)?;
        let queue = self.obtain(now, &feed.queue)?;
        let expires_after = feed.expires_after.map(Duration::from_millis);
        let Some(found) = self.queue_mut(queue) else { return Ok(queue) };
        let is_bound =
            found.fed.as_ref().is_some_and(|fed| fed.topics == feed.topics && fed.expires_after == expires_after);
        if is_bound {
            // By somebody else, perhaps a moment ago.
            effects.leans = true;
            return Ok(queue);
        }
        self.declare(queue, effects);
        let (topics, expires_after) = (feed.topics.clone(), feed.expires_after);
        let selector = feed.selector.clone();
        let record = Record::Bound(Bound { queue, topics, expires_after, selector });
        self.evolve(&record, None);
        effects.records.push(record);
        self.inherit(now, queue, &feed.topics, effects);
        Ok(queue)
    }

    /// A new reader comes to a feed that may be there already. Whom it is meant to replace is sent away. A feed with another
    /// selector is another feed (JMS 2.0 §8.3.3): the old one ends, with what it kept, unless somebody goes on reading it.
    fn succeed(&mut self, now: Now, (heir, feed): (SessionId, &Feed), effects: &mut Effects) -> Result<(), Refusal> {
        let Some(old) = self.router.resolve(&feed.queue) else { return Ok(()) };
        let Some(fed) = self.queue_mut(old).and_then(|queue| queue.fed.as_ref()) else { return Ok(()) };
        let is_other = fed.selector() != feed.selector.as_ref();
        let stays =
            |key: &ConsumerKey| self.consumers.get(*key).is_some_and(|one| !feed.is_sole || one.session == heir);
        if is_other && self.readers(old).iter().any(stays) {
            return Err(Refusal::OtherSelector);
        }
        if feed.is_sole {
            self.take_over(now, old, heir, effects);
        }
        if is_other {
            self.unbind(old, effects);
        }
        Ok(())
    }

    /// The queues behind a topic that take a message.
    pub(super) fn takers(&mut self, topic: DestinationId, message: &Message) -> Vec<DestinationId> {
        let (mut steps, head) = (0, message.content.head().len());
        let takes = |queue: &&DestinationId| {
            let fed = self.destinations.get(queue).and_then(|found| found.kind.queue()?.fed.as_ref());
            // It has no id of its own there yet.
            let id = MessageId::new(self.options.shard, 0);
            steps += 1 + fed.map_or(0, |fed| fed.steps(head));
            fed.is_none_or(|fed| fed.condition.is_none() || fed.takes(&candidate(id, message)))
        };
        let takers = self.feeds_of(topic).iter().filter(takes).copied().collect();
        self.steps.charge(steps);
        takers
    }

    /// The log gets to know a queue.
    pub(super) fn declare(&mut self, queue: DestinationId, effects: &mut Effects) {
        let Some(found) = self.queue_mut(queue).filter(|found| !found.declared) else { return };
        let record = Record::Created { destination: queue, name: found.name().clone() };
        self.evolve(&record, None);
        effects.records.push(record);
    }

    pub(super) fn evolve_bound(&mut self, bound: &Bound) -> Option<crate::destination::SlotId> {
        let readers = self.queue_mut(bound.queue)?.fed.take().map(|old| (old.readers.clone(), old));
        let (readers, old) = readers.unzip();
        self.disconnect(bound.queue, old);
        let fed = Fed {
            topics: bound.topics.clone(),
            expires_after: bound.expires_after.map(Duration::from_millis),
            condition: bound
                .selector
                .as_ref()
                .map(|text| Condition { text: text.clone(), filter: (self.options.compile)(text) }),
            unread_since: None,
            readers: readers.unwrap_or_default(),
        };
        self.queue_mut(bound.queue)?.fed = Some(Box::new(fed));
        self.feeds.insert(&bound.topics, bound.queue);
        self.ears += usize::from(bound.topics.is_of_the_server());
        for id in self.reached_by(&bound.topics) {
            if let Some(Kind::Topic(topic)) = self.destinations.get_mut(&id).map(|found| &mut found.kind)
                && let Err(at) = topic.feeds.binary_search(&bound.queue)
            {
                topic.feeds.insert(at, bound.queue);
            }
        }
        None
    }

    pub(super) fn evolve_unbound(&mut self, queue: DestinationId) -> Option<crate::destination::SlotId> {
        let found = self.queue_mut(queue)?;
        found.doomed = true;
        let (fed, name) = (found.fed.take(), found.name().clone());
        self.disconnect(queue, fed);
        self.router.unbind(&name, queue);
        self.doomed.insert(queue);
        None
    }

    /// Whether a queue may stand behind each of these topics: it does already, or there is a place for one more.
    fn admit_binding(&mut self, feed: &Feed) -> Result<(), Refusal> {
        let (limit, topics) = (self.options.topic_queues, &feed.topics);
        let queue = self.router.resolve(&feed.queue).and_then(|id| self.queue_mut(id));
        if queue.and_then(|queue| queue.fed.as_ref()).is_some_and(|fed| fed.topics == *topics) {
            return Ok(());
        }
        let crowded = if let Some(topic) = topics.name() {
            // It need not be there yet.
            (self.feeds.matching(&topic).len() >= limit).then_some(topic)
        } else {
            let mut reached = self.reached_by(topics).into_iter();
            let crowded = reached.find(|id| self.feeds_of(*id).len() >= limit);
            crowded.and_then(|id| Some(self.destinations.get(&id)?.kind.name().clone()))
        };
        crowded.map_or(Ok(()), |topic| Err(Refusal::TooManyBindings { topic, limit }))
    }

    /// The topics that a pattern means. The names are gone through only where there is a wildcard.
    pub(super) fn reached_by(&self, topics: &Pattern) -> Vec<DestinationId> {
        match topics.name() {
            Some(name) => self.router.resolve(&name).into_iter().collect(),
            None => self.router.select(|name| topics.reaches(name)),
        }
    }

    /// A topic comes into being: the queues behind it are found.
    pub(super) fn connect(&mut self, id: DestinationId, name: &DestinationName) {
        if self.feeds.is_empty() {
            return;
        }
        let mut feeds = self.feeds.matching(name);
        feeds.retain(|queue| {
            self.queue_mut(*queue).and_then(|queue| queue.fed.as_ref()).is_some_and(|fed| fed.topics.reaches(name))
        });
        if let Some(Kind::Topic(topic)) = self.destinations.get_mut(&id).map(|found| &mut found.kind) {
            topic.feeds = feeds;
        }
    }

    /// Whether queues stand behind a topic that is not there yet.
    pub(super) fn is_fed(&self, topic: &DestinationName) -> bool {
        !self.feeds.is_empty() && !self.feeds.matching(topic).is_empty()
    }

    /// A queue is not fed any more.
    pub(super) fn disconnect(&mut self, queue: DestinationId, fed: Option<Box<Fed>>) {
        let Some(fed) = fed else { return };
        self.feeds.remove(&fed.topics, queue);
        self.ears -= usize::from(fed.topics.is_of_the_server());
        for id in self.reached_by(&fed.topics) {
            if let Some(Kind::Topic(topic)) = self.destinations.get_mut(&id).map(|found| &mut found.kind) {
                topic.feeds.retain(|other| *other != queue);
            }
        }
    }

    /// Other connections that read a feed meant for one are sent away; what they hold goes back.
    fn take_over(&mut self, now: Now, queue: DestinationId, heir: SessionId, effects: &mut Effects) {
        let readers = self.readers(queue);
        for key in readers {
            let Some(consumer) = self.consumers.get(key).filter(|consumer| consumer.session != heir) else { continue };
            let (id, subscription) = (consumer.session, consumer.subscription);
            if let Some(session) = self.sessions.get_mut(id) {
                session.subscriptions.remove(&subscription);
                session.leaving = true;
            }
            self.dismiss(now, key, Departure::Clean, effects);
            effects.events.push((id, Event::Disconnect(Refusal::TakenOver)));
        }
    }

    /// Ends a feed, unless somebody reads it. One that is not there is ended already.
    pub(super) fn discard(&mut self, name: &DestinationName, effects: &mut Effects) -> Answer {
        let queue = self.router.resolve(name);
        let found = queue.and_then(|id| Some((id, self.queue_mut(id).filter(|found| found.fed.is_some())?)));
        let Some((queue, found)) = found else {
            // By somebody else, perhaps a moment ago.
            effects.leans = true;
            return Answer::Done;
        };
        if found.is_wanted() {
            return Answer::Soft(SoftRefusal::InUse);
        }
        self.unbind(queue, effects);
        Answer::Done
    }

    /// Ends a feed.
    pub(super) fn unbind(&mut self, queue: DestinationId, effects: &mut Effects) {
        let record = Record::Unbound { queue };
        self.evolve(&record, None);
        effects.records.push(record);
    }

    /// Drops some of what is in queues that nobody will read again, and such queues once they are empty.
    pub(super) fn drain(&mut self, now: Now, effects: &mut Effects) {
        while let Some(&id) = self.doomed.first() {
            while let Some(entry) = self.queue_mut(id).and_then(|queue| queue.first().cloned()) {
                if self.is_used_up(effects) {
                    return;
                }
                self.remove(id, &entry, effects);
                self.note(now, (id, &entry), Happening::Over(JobState::Cancelled), effects);
                if self.end_part(now, effects) {
                    return;
                }
            }
            // What is still on its way to the log makes the queue known here again.
            self.doomed.remove(&id);
            if self.queue_mut(id).is_some_and(|queue| queue.is_empty()) {
                self.remove_destination(id, effects);
            }
        }
    }

    fn readers(&self, queue: DestinationId) -> Vec<ConsumerKey> {
        let queue = self.destinations.get(&queue).and_then(|found| found.kind.queue());
        queue.and_then(|queue| queue.fed.as_ref()).map(|fed| fed.readers.clone()).unwrap_or_default()
    }
}
