//! Consumers come and go.

use super::chore::Chore;
use super::destination::Kind;
use super::failure::Failure;
use super::happening::{Happening, Word};
use super::machine::Engine;
use super::quotas::Counted;
use super::sessions::Departure;
use super::wildcard::Attaching;
use crate::destination::{Allowance, Consumer, ConsumerKey, Many, Reach, Return, Scope};
use crate::dispatcher;
use crate::model::{
    AckMode, Answer, Credit, DestinationId, DestinationKind, DestinationName, Effects, Manner, Now, Refusal, SessionId,
    Source,
};
use crate::model::{Standing, Subscribe, SubscriptionId, Whose};

/// A consumer on its way out.
#[derive(Debug)]
pub(super) struct Dismissal {
    key: ConsumerKey,
    /// The next delivery that goes back counts as a failed one.
    counts: bool,
}

impl Engine {
    /// Adds a consumer.
    pub(super) fn subscribe(
        &mut self,
        now: Now,
        id: SessionId,
        (wish, manner): (&Subscribe, &Manner),
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let whose = self.may_subscribe(id, &wish.to)?;
        let mut heir = None;
        let reach = match &wish.to {
            Source::Name(name) => Reach::One(self.obtain_for(now, id, name)?),
            Source::Feed(feed) => {
                let (queue, is_new) = self.bind(now, (id, feed), effects)?;
                heir = Some((queue, &feed.topics)).filter(|_| is_new && self.inherits(queue));
                Reach::One(queue)
            }
            Source::Wildcard(wildcard) => Reach::Many(Box::new(Many::new(Scope::Wildcard(wildcard.clone())))),
            Source::List(list) => Reach::Many(Box::new(Many::new(Scope::List(self.sources(now, id, list)?)))),
        };
        let credit = self.grant(id, wish);
        let mut consumer = Consumer::new(id, wish.id, reach, wish.mode, credit);
        consumer.time_to_run_ms = wish.time_to_run_ms;
        consumer.filter.clone_from(&wish.filter);
        (consumer.priority, consumer.is_exclusive) = (manner.priority, manner.exclusive);
        (consumer.no_local, consumer.is_bound) = (manner.no_local, manner.bound);
        consumer.hears = wish.to.hears();
        self.ears += usize::from(consumer.hears);
        consumer.allowance = Allowance::of(manner);
        let is_examined = consumer.allowance.is_some();
        let key = self.consumers.insert(Box::new(consumer));
        self.quotas.add(whose, Counted::Subscriptions);
        if is_examined {
            self.examined.push(key);
        }
        if let Some(session) = self.sessions.get_mut(id) {
            session.subscriptions.insert(wish.id, key);
        }
        self.join(key);
        if manner.exclusive_groups {
            self.make_groups_exclusive(key);
        }
        self.hook_consumer(now, key, "worker-online");
        match &wish.to {
            Source::Name(name) if name.kind() == DestinationKind::Job => self.greet_at(now, key, name, effects),
            Source::Wildcard(_) => {
                let (end, exclusive_groups) = (DestinationId(self.next_destination), manner.exclusive_groups);
                let attaching = Attaching { key, behind: None, end, exclusive_groups, is_again: false, leaving: None };
                self.begin(now, id, Chore::Attach(attaching), effects);
            }
            to if !to.kind().is_queue() => self.recall(now, key, effects),
            _ => {}
        }
        if let Some((queue, topics)) = heir {
            let inheriting = self.inheriting(queue, topics);
            self.begin(now, id, Chore::Inherit(inheriting), effects);
        }
        Ok(())
    }

    /// Whether a client may have one more subscription, to that. Says whose client it is.
    pub(super) fn may_subscribe(&self, id: SessionId, to: &Source) -> Result<Whose, Refusal> {
        let Some(session) = self.sessions.get(id) else { return Err(Refusal::ShuttingDown) };
        if Engine::is_foreign(to, &session.owner) {
            return Err(Refusal::NotOwner);
        }
        self.may_have(session.whose, Counted::Subscriptions, 0)?;
        Ok(session.whose)
    }

    /// The destination of a subscription. A temporary one that comes into being by it belongs to the session.
    pub(super) fn obtain_for(
        &mut self,
        now: Now,
        id: SessionId,
        name: &DestinationName,
    ) -> Result<DestinationId, Refusal> {
        let existed = self.router.resolve(name).is_some();
        let destination = self.obtain(now, name)?;
        if !name.kind().is_temporary() {
            return Ok(destination);
        }
        if let Some(session) = self.sessions.get_mut(id).filter(|_| !existed) {
            session.temporary.insert(destination);
        }
        if let Some(found) = self.destinations.get_mut(&destination) {
            found.owner = Some(id);
        }
        Ok(destination)
    }

    /// However many subscriptions share it, what a session holds unsettled stays below the limit. What is settled by being
    /// written does not count.
    pub(super) fn grant(&mut self, id: SessionId, wish: &Subscribe) -> Credit {
        let limit = self.options.unsettled_per_session;
        let session = self.sessions.get_mut(id).filter(|_| wish.mode != AckMode::Auto);
        let left = session.as_ref().map_or(wish.credit, |session| session.left_of(limit));
        let credit = Credit {
            messages: wish.credit.messages.min(left.messages).max(1),
            bytes: wish.credit.bytes.min(left.bytes).max(1),
        };
        if let Some(session) = session {
            session.grant(credit);
        }
        credit
    }

    /// Puts a new consumer where its messages come from.
    fn join(&mut self, key: ConsumerKey) {
        match self.consumers.get(key).map(|consumer| &consumer.reach) {
            Some(Reach::One(destination)) => self.join_by_name(*destination, key),
            Some(Reach::Many(many)) if many.wildcard().is_some() => self.watch(key),
            Some(Reach::Many(_)) => self.join_all(key),
            Some(Reach::View(_) | Reach::Nowhere) | None => {}
        }
    }

    /// Puts a consumer into a destination that it has named.
    pub(super) fn join_by_name(&mut self, destination: DestinationId, key: ConsumerKey) {
        let filter = self.filter_in(destination, key);
        match self.destinations.get_mut(&destination).map(|found| &mut found.kind) {
            Some(Kind::Queue(queue)) => {
                queue.join(true);
                if let Some(consumer) = self.consumers.get(key) {
                    queue.select(key, filter.as_ref());
                    if consumer.is_exclusive || queue.policy().exclusive_consumer {
                        queue.rotation.stand_in_line(key, consumer.priority);
                    }
                }
                if let Some(fed) = &mut queue.fed {
                    fed.readers.push(key);
                }
                dispatcher::readmit((destination, queue), key, &mut self.consumers);
            }
            Some(Kind::Topic(topic)) => topic.join(key, true),
            None => return,
        }
        self.touch(destination);
    }

    /// Takes a consumer away; what it holds goes back, uncounted.
    pub(super) fn unsubscribe(
        &mut self,
        now: Now,
        id: SessionId,
        subscription: SubscriptionId,
        effects: &mut Effects,
    ) -> Answer {
        let Some(session) = self.sessions.get_mut(id) else { return Answer::Done };
        let Some(key) = session.subscriptions.remove(&subscription) else { return Answer::Done };
        let dismissal = self.begin_dismissal(key, Departure::Clean);
        self.begin(now, id, Chore::Dismiss(dismissal), effects)
    }

    /// A consumer is to end: nothing more is handed to it.
    pub(super) fn begin_dismissal(&mut self, key: ConsumerKey, departure: Departure) -> Dismissal {
        let counts = self.consumers.get_mut(key).is_some_and(|consumer| {
            // What was said of it first holds.
            let was_closed = std::mem::replace(&mut consumer.is_closed, true);
            !was_closed && departure == Departure::Lost && consumer.mode != AckMode::Auto
        });
        Dismissal { key, counts }
    }

    /// Ends a consumer, as far as there are steps. `true` once it has ended.
    pub(super) fn dismiss_part(&mut self, now: Now, dismissal: &mut Dismissal, effects: &mut Effects) -> bool {
        while !self.is_used_up(effects) {
            if !self.give_back_one(now, dismissal, effects) {
                if !self.forget_backlog(dismissal.key, effects) {
                    return false;
                }
                self.end_dismissal(now, dismissal.key, effects);
                return true;
            }
            self.end_part(now, effects);
        }
        false
    }

    /// The oldest delivery of a consumer that ends goes back. `false` if there is none.
    fn give_back_one(&mut self, now: Now, dismissal: &mut Dismissal, effects: &mut Effects) -> bool {
        let key = dismissal.key;
        let Some(consumer) = self.consumers.get_mut(key) else { return false };
        let (id, subscription) = (consumer.session, consumer.subscription);
        let Some(out) = consumer.take_through(u64::MAX) else { return false };
        self.steps.charge(1);
        if let Some(session) = self.sessions.get_mut(id) {
            session.release(out.message, subscription, out.number);
            session.take_copy(&out);
        }
        let Some(destination) = out.queue else { return true };
        let leased = self.queue_mut(destination).and_then(|queue| queue.leased(out.message, key, out.number).cloned());
        let Some(entry) = leased else { return true };
        if std::mem::take(&mut dismissal.counts) {
            self.word = entry.is_tracked().then(|| Word::failure("the connection of its worker was lost".into()));
            self.retry(now, destination, &entry, Failure::Lost, effects);
            self.word = None;
        } else {
            let back = Return { attempts: entry.attempts, nacks: entry.nacks, standing: Standing::Ready };
            self.give_back(destination, &entry, back, effects);
            self.note(now, (destination, &entry), Happening::Back(back), effects);
        }
        true
    }

    fn end_dismissal(&mut self, now: Now, key: ConsumerKey, effects: &mut Effects) {
        let Some(consumer) = self.consumers.remove(key) else { return };
        let id = consumer.session;
        self.drain_others(now, id, effects);
        if let Some(whose) = self.sessions.get(id).map(|session| session.whose) {
            self.quotas.remove(whose, Counted::Subscriptions);
        }
        self.ears -= usize::from(consumer.hears);
        if consumer.mode != AckMode::Auto
            && let Some(session) = self.sessions.get_mut(id)
        {
            session.take_back(consumer.credit());
        }
        if let Some(moment) = consumer.allowance.and_then(|allowance| allowance.waits_until) {
            self.waits.cancel(moment, key);
        }
        let at = if let Reach::One(at) = consumer.reach { Some(at) } else { None };
        self.part(key, consumer.reach);
        if let Some(at) = at.filter(|_| self.is_overheard()) {
            self.hook_worker(now, at, "worker-offline");
        }
    }

    /// Takes a consumer out of wherever it receives from.
    pub(super) fn part(&mut self, key: ConsumerKey, reach: Reach) {
        match reach {
            Reach::One(destination) => self.leave(destination, key, true),
            Reach::Many(many) => self.unwatch(key, *many),
            Reach::View(view) => self.unview(view.queue, key),
            Reach::Nowhere => {}
        }
    }

    /// Whoever reads a queue may ask for the stricter rule.
    fn make_groups_exclusive(&mut self, key: ConsumerKey) {
        let destinations: Vec<_> = match self.consumers.get(key).map(|consumer| &consumer.reach) {
            Some(Reach::One(id)) => vec![*id],
            Some(Reach::Many(many)) => many.joined_behind(None).collect(),
            Some(Reach::View(_) | Reach::Nowhere) | None => return,
        };
        for id in destinations {
            if let Some(queue) = self.queue_mut(id) {
                queue.make_groups_exclusive();
            }
        }
    }

    /// Takes a consumer out of one destination.
    pub(super) fn leave(&mut self, destination: DestinationId, key: ConsumerKey, by_name: bool) {
        match self.destinations.get_mut(&destination).map(|found| &mut found.kind) {
            Some(Kind::Queue(queue)) => {
                queue.leave(key, by_name);
                if let Some(fed) = &mut queue.fed {
                    fed.readers.retain(|&other| other != key);
                }
            }
            Some(Kind::Topic(topic)) => topic.leave(key, by_name),
            None => return,
        }
        self.touch(destination);
    }
}
