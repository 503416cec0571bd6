//! A subscription to a feed, where that is more than one hold of the lock may cost: a pattern means very many topics, or those
//! whose place is taken hold very much.
//!
//! First all topics that are meant are asked whether there is a place behind them, then other readers are sent away if
//! there may be one only, and then all of the binding comes about at once, in one record.

use super::chore::Chore;
use super::feed::LOOKED_UP;
use super::machine::Engine;
use super::sessions::Departure;
use crate::destination::ConsumerKey;
use crate::model::{
    Answer, DestinationId, DestinationName, Effects, Event, Feed, Manner, Now, Pattern, Refusal, SessionId, Source,
    Subscribe,
};

/// Retained messages that a new feed gets in a row, in the order of their topics' names.
const INHERITED_AT_ONCE: usize = 512;

/// A subscription to a feed on its way.
#[derive(Debug)]
pub(super) struct Binding {
    wish: Subscribe,
    manner: Manner,
    /// The topics up to this one have a place for it.
    behind: Option<DestinationId>,
    /// All of them have.
    is_admitted: bool,
}

/// A new feed on its way through what topics retain.
#[derive(Debug)]
pub(super) struct Inheriting {
    to: DestinationId,
    topics: Pattern,
    behind: Option<DestinationId>,
    /// What came into being from here on was sent to the feed itself.
    end: DestinationId,
    /// The same for messages, by their sequence.
    below: u64,
}

impl Engine {
    /// Adds a consumer, or begins to.
    pub(super) fn begin_subscription(
        &mut self,
        now: Now,
        id: SessionId,
        (wish, manner): (Subscribe, Manner),
        effects: &mut Effects,
    ) -> Result<Answer, Refusal> {
        if let Source::Feed(feed) = &wish.to
            && self.may_be_long(id, feed)
        {
            self.may_subscribe(id, &wish.to)?;
            let binding = Binding { wish, manner, behind: None, is_admitted: false };
            return self.try_begin(now, id, Chore::Bind(Box::new(binding)), effects);
        }
        self.subscribe(now, id, (&wish, &manner), effects)?;
        Ok(Answer::Done)
    }

    fn may_be_long(&self, id: SessionId, feed: &Feed) -> bool {
        feed.topics.name().is_none() && !self.is_bound(feed) || self.other_reader(id, feed).is_some()
    }

    /// Goes on with a subscription to a feed, as far as there are steps.
    pub(super) fn bind_part(
        &mut self,
        now: Now,
        id: SessionId,
        binding: &mut Binding,
        effects: &mut Effects,
    ) -> Option<Result<Answer, Refusal>> {
        let Source::Feed(feed) = binding.wish.to.clone() else { return Some(Ok(Answer::Done)) };
        let admitted = self.predecessor(id, &feed).and_then(|_| self.admit_everywhere(&feed, binding, effects));
        match admitted {
            Ok(true) => {}
            Ok(false) => return None,
            Err(refusal) => return Some(Err(refusal)),
        }
        while let Some(key) = self.other_reader(id, &feed) {
            if !self.send_away(now, key, effects) {
                return None;
            }
        }
        Some(self.subscribe(now, id, (&binding.wish, &binding.manner), effects).map(|()| Answer::Done))
    }

    /// Asks the topics that a pattern means whether one more queue may stand behind each. `false` if some are left.
    fn admit_everywhere(&mut self, feed: &Feed, binding: &mut Binding, effects: &Effects) -> Result<bool, Refusal> {
        if feed.topics.name().is_some() || self.is_bound(feed) {
            self.admit_by_name(feed)?;
            binding.is_admitted = true;
        }
        let own = self.selector_of(feed);
        while !binding.is_admitted {
            if self.is_used_up(effects) {
                return Ok(false);
            }
            self.steps.charge(1);
            let Some((id, name)) = self.router.behind(binding.behind) else {
                binding.is_admitted = true;
                break;
            };
            binding.behind = Some(id);
            if feed.topics.reaches(name) {
                let name = name.clone();
                self.admit_at((feed, own), (id, &name))?;
            }
        }
        Ok(true)
    }

    /// A connection that reads a feed meant for one is told to go, and what it holds goes back, as far as there are steps.
    /// `true` once that was all. Until then it is a subscription of that client, which ends with it.
    fn send_away(&mut self, now: Now, key: ConsumerKey, effects: &mut Effects) -> bool {
        let Some(consumer) = self.consumers.get(key) else { return true };
        let (id, subscription, is_told) = (consumer.session, consumer.subscription, consumer.is_closed);
        if let Some(session) = self.sessions.get_mut(id) {
            session.leaving = true;
        }
        if !is_told {
            effects.events.push((id, Event::Disconnect(Refusal::TakenOver)));
        }
        let mut dismissal = self.begin_dismissal(key, Departure::Clean);
        let has_ended = self.dismiss_part(now, &mut dismissal, effects);
        if let Some(session) = self.sessions.get_mut(id).filter(|_| has_ended)
            && session.subscriptions.get(&subscription) == Some(&key)
        {
            session.subscriptions.remove(&subscription);
        }
        has_ended
    }

    /// Who reads a feed that is meant for one, beside that client.
    fn other_reader(&self, heir: SessionId, feed: &Feed) -> Option<ConsumerKey> {
        let queue = self.router.resolve(&feed.queue).filter(|_| feed.is_sole)?;
        let fed = self.destinations.get(&queue)?.kind.queue()?.fed.as_ref()?;
        let is_other = |key: &ConsumerKey| self.consumers.get(*key).is_some_and(|one| one.session != heir);
        fed.readers.iter().copied().find(is_other)
    }

    /// A feed on its way through what its topics retain.
    pub(super) fn inheriting(&self, to: DestinationId, topics: &Pattern) -> Inheriting {
        let (end, below) = (DestinationId(self.next_destination), self.ids.unused());
        Inheriting { to, topics: topics.clone(), behind: None, end, below }
    }

    /// Gives a new durable subscription what its topics retain, as far as there are steps. `true` once that was all.
    pub(super) fn inherit_part(&mut self, now: Now, inheriting: &mut Inheriting, effects: &mut Effects) -> bool {
        let Inheriting { to, end, below, .. } = *inheriting;
        if let Some(topic) = inheriting.topics.name() {
            if let Some(from) = self.router.resolve(&topic.retained()) {
                self.inherit_one(now, (from, to), below, effects);
            }
            return true;
        }
        let (mut found, mut is_done) = (Vec::new(), false);
        while found.len() < INHERITED_AT_ONCE && !self.is_used_up(effects) {
            self.steps.charge(1);
            let Some((from, name)) = self.router.behind(inheriting.behind).filter(|(id, _)| *id < end) else {
                is_done = true;
                break;
            };
            inheriting.behind = Some(from);
            if name.retained_of().is_some_and(|topic| inheriting.topics.reaches(&topic)) {
                found.push((name.clone(), from));
            }
        }
        // In an order that does not depend on which was there before, as long as they are few.
        found.sort_unstable();
        for (_, from) in found {
            self.inherit_one(now, (from, to), below, effects);
        }
        is_done
    }

    /// Whether a feed is there as it is wanted.
    pub(super) fn is_bound(&self, feed: &Feed) -> bool {
        let queue = self.router.resolve(&feed.queue).and_then(|id| self.destinations.get(&id));
        let fed = queue.and_then(|found| found.kind.queue()?.fed.as_ref());
        fed.is_some_and(|fed| fed.topics == feed.topics && fed.selector() == feed.selector.as_ref())
    }

    /// Whether a queue may stand behind a topic that is named and need not be there, or stands there already.
    pub(super) fn admit_by_name(&mut self, feed: &Feed) -> Result<(), Refusal> {
        let Some(topic) = feed.topics.name().filter(|_| !self.is_bound(feed)) else { return Ok(()) };
        let own = self.selector_of(feed);
        if let Some(id) = self.router.resolve(&topic) {
            return self.admit_at((feed, own), (id, &topic));
        }
        // It need not be there yet.
        let queues = self.look_up_feeds(&topic);
        self.steps.charge(1 + queues.len() as u64 * LOOKED_UP);
        self.admit_behind((feed, own), &topic, &queues)
    }

    /// Whether it may stand behind a topic that is there.
    fn admit_at(
        &mut self,
        (feed, own): (&Feed, Option<u64>),
        (id, topic): (DestinationId, &DestinationName),
    ) -> Result<(), Refusal> {
        self.freshen(id);
        let Some(queues) = self.lend_feeds(id) else { return Ok(()) };
        let admitted = self.admit_behind((feed, own), topic, &queues);
        self.restore_feeds(id, queues);
        admitted
    }
}
