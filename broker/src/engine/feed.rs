//! Queues behind topics: durable subscriptions, consumer groups, the queues of virtual topics.
//!
//! Each is a queue like any other, with a record that says which topics feed it. A topic knows its queues as it knows its
//! subscribers; who ends a feed leaves a queue without a name, which is emptied a little at a time.

use std::borrow::Cow;
use std::time::Duration;

use super::destination::Kind;
use super::happening::Happening;
use super::machine::Engine;
use super::publish::candidate;
use crate::destination::{Condition, ConsumerKey, Fed, Topic};
use crate::model::{
    Answer, Bound, DestinationId, DestinationName, Effects, Feed, JobState, Message, MessageId, Now, Pattern,
};
use crate::model::{Record, Refusal, SessionId, SoftRefusal};

/// What it costs to look up a queue behind a topic, with the pattern that it is bound by, in steps.
pub(super) const LOOKED_UP: u64 = 1;

/// A pattern has a wildcard, and means no topic in particular.
struct Wild;

impl Engine {
    /// The queue of a feed, for a reader; it comes into being with its first one. Says whether it is new. Where its topics
    /// are meant by a pattern, they have been asked whether there is a place, and other readers have been sent away.
    pub(super) fn bind(
        &mut self,
        now: Now,
        (reader, feed): (SessionId, &Feed),
        effects: &mut Effects,
    ) -> Result<(DestinationId, bool), Refusal> {
        self.admit_by_name(feed)?;
        self.succeed((reader, feed), effects)?;
        let queue = self.obtain(now, &feed.queue)?;
        let expires_after = feed.expires_after.map(Duration::from_millis);
        let Some(found) = self.queue_mut(queue) else { return Ok((queue, false)) };
        let is_bound =
            found.fed.as_ref().is_some_and(|fed| fed.topics == feed.topics && fed.expires_after == expires_after);
        if is_bound {
            // By somebody else, perhaps a moment ago.
            effects.leans = true;
            return Ok((queue, false));
        }
        self.declare(queue, effects);
        let (topics, expires_after) = (feed.topics.clone(), feed.expires_after);
        let selector = feed.selector.clone();
        let record = Record::Bound(Bound { queue, topics, expires_after, selector });
        self.evolve(&record, None);
        effects.records.push(record);
        Ok((queue, true))
    }

    /// A new reader comes to a feed that may be there already. A feed with another selector is another feed (JMS 2.0
    /// §8.3.3): the old one ends, with what it kept, unless somebody goes on reading it.
    fn succeed(&mut self, (heir, feed): (SessionId, &Feed), effects: &mut Effects) -> Result<(), Refusal> {
        if let Some(old) = self.predecessor(heir, feed)? {
            self.unbind(old, effects);
        }
        Ok(())
    }

    /// The feed with another selector whose place a new one takes, unless it goes on being read.
    pub(super) fn predecessor(&self, heir: SessionId, feed: &Feed) -> Result<Option<DestinationId>, Refusal> {
        let Some(old) = self.router.resolve(&feed.queue) else { return Ok(None) };
        let fed = self.destinations.get(&old).and_then(|found| found.kind.queue()?.fed.as_ref());
        let Some(fed) = fed.filter(|fed| fed.selector() != feed.selector.as_ref()) else { return Ok(None) };
        let stays =
            |key: &ConsumerKey| self.consumers.get(*key).is_some_and(|one| !feed.is_sole || one.session == heir);
        if fed.readers.iter().any(stays) { Err(Refusal::OtherSelector) } else { Ok(Some(old)) }
    }

    /// The queues behind a topic that take a message.
    pub(super) fn takers(&mut self, topic: DestinationId, message: &Message) -> Vec<DestinationId> {
        match self.destinations.get(&topic).map(|found| &found.kind) {
            Some(Kind::Topic(found)) if found.feeds_as_of != self.wild_feeds => self.freshen(topic),
            Some(Kind::Topic(found)) if !found.feeds.is_empty() => {}
            _ => return Vec::new(),
        }
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
        match self.topic_of(&bound.topics) {
            Ok(Some(topic)) => {
                if let Err(at) = topic.feeds.binary_search(&bound.queue) {
                    topic.feeds.insert(at, bound.queue);
                }
            }
            Ok(None) => {}
            Err(_) => self.wild_feeds += 1,
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

    /// The topic that a pattern without wildcards means, if it is there; `Err` where there is a wildcard. Topics that are meant
    /// by one are not gone through: each looks up what stands behind it when it is next asked for that.
    fn topic_of(&mut self, topics: &Pattern) -> Result<Option<&mut Topic>, Wild> {
        let Some(name) = topics.name() else { return Err(Wild) };
        let Some(id) = self.router.resolve(&name) else { return Ok(None) };
        match self.destinations.get_mut(&id).map(|found| &mut found.kind) {
            Some(Kind::Topic(topic)) => Ok(Some(topic)),
            _ => Ok(None),
        }
    }

    /// The queues behind a topic.
    pub(super) fn feeds_of(&self, topic: DestinationId) -> Cow<'_, [DestinationId]> {
        match self.destinations.get(&topic).map(|found| &found.kind) {
            Some(Kind::Topic(topic)) if topic.feeds_as_of == self.wild_feeds => Cow::Borrowed(&topic.feeds),
            Some(Kind::Topic(topic)) => Cow::Owned(self.look_up_feeds(topic.name())),
            _ => Cow::Borrowed(&[]),
        }
    }

    /// Looks up what stands behind a topic, if bindings with wildcards have come or gone since that was done.
    pub(super) fn freshen(&mut self, topic: DestinationId) {
        let as_of = self.wild_feeds;
        let feeds = match self.destinations.get(&topic).map(|found| &found.kind) {
            Some(Kind::Topic(topic)) if topic.feeds_as_of != as_of => self.look_up_feeds(topic.name()),
            _ => return,
        };
        self.steps.charge(1 + feeds.len() as u64 * LOOKED_UP);
        if let Some(Kind::Topic(topic)) = self.destinations.get_mut(&topic).map(|found| &mut found.kind) {
            (topic.feeds, topic.feeds_as_of) = (feeds, as_of);
        }
    }

    /// What stands behind a topic, taken out while it is gone through.
    pub(super) fn lend_feeds(&mut self, topic: DestinationId) -> Option<Vec<DestinationId>> {
        match self.destinations.get_mut(&topic).map(|found| &mut found.kind) {
            Some(Kind::Topic(topic)) => Some(std::mem::take(&mut topic.feeds)),
            _ => None,
        }
    }

    /// The same, put back.
    pub(super) fn restore_feeds(&mut self, topic: DestinationId, feeds: Vec<DestinationId>) {
        if let Some(Kind::Topic(topic)) = self.destinations.get_mut(&topic).map(|found| &mut found.kind) {
            topic.feeds = feeds;
        }
    }

    /// The queues behind a topic of that name, as the patterns say.
    pub(super) fn look_up_feeds(&self, name: &DestinationName) -> Vec<DestinationId> {
        let mut feeds = self.feeds.matching(name);
        feeds.retain(|queue| {
            let fed = self.destinations.get(queue).and_then(|found| found.kind.queue()?.fed.as_ref());
            fed.is_some_and(|fed| fed.topics.reaches(name))
        });
        feeds
    }

    /// A topic comes into being: the queues behind it are found.
    pub(super) fn connect(&mut self, id: DestinationId, name: &DestinationName) {
        let feeds = if self.feeds.is_empty() { Vec::new() } else { self.look_up_feeds(name) };
        let as_of = self.wild_feeds;
        if let Some(Kind::Topic(topic)) = self.destinations.get_mut(&id).map(|found| &mut found.kind) {
            (topic.feeds, topic.feeds_as_of) = (feeds, as_of);
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
        match self.topic_of(&fed.topics) {
            Ok(Some(topic)) => topic.feeds.retain(|other| *other != queue),
            Ok(None) => {}
            Err(_) => self.wild_feeds += 1,
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
}
