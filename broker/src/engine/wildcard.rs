//! Wildcard subscriptions: one consumer, one credit and one ledger over many destinations.
//!
//! A destination knows all its consumers, however they came: the patterns are asked when it comes into being, and a new
//! pattern asks the destinations that are there. So a message costs nothing for the patterns that do not mean it, and
//! nothing is kept that would have to be made invalid.

use std::collections::btree_map;

use super::destination::Kind;
use super::machine::Engine;
use crate::destination::{Consumer, ConsumerKey, Many, Reach};
use crate::model::{DestinationId, DestinationName, Effects, Now, Source};

/// A wildcard subscription on its way through the destinations that were there when it began.
#[derive(Debug)]
pub(super) struct Attaching {
    pub(super) key: ConsumerKey,
    /// It has met those up to this one.
    pub(super) behind: Option<DestinationId>,
    /// Those from this one on came later, and have found it themselves.
    pub(super) end: DestinationId,
    /// It wants the groups of its queues for one consumer at a time.
    pub(super) exclusive_groups: bool,
    /// It has met them before, and the rights of its client have changed: only what it has not joined is new to it.
    pub(super) is_again: bool,
    /// What its client may not read any more it has left, up to this one; `None` once that is done, or was not to be.
    pub(super) leaving: Option<Narrowing>,
}

/// A wildcard subscription on its way out of what its client may not read any more.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Narrowing {
    behind: Option<DestinationId>,
}

/// What it costs to join a destination, in steps.
const REACHED: u64 = 5;
/// Destinations that a subscription to a pattern leaves as it ends.
const AT_ONCE: usize = 256;

/// A consumer that is gone, and the destinations that still have its key.
#[derive(Debug)]
pub(super) struct Leaving {
    key: ConsumerKey,
    joined: btree_map::IntoKeys<DestinationId, u64>,
}

impl Engine {
    /// A destination comes into being: who has asked for such by a pattern receives from it.
    pub(super) fn attract(&mut self, id: DestinationId, name: &DestinationName) {
        if self.watchers.is_empty() {
            return;
        }
        let waiting = self.watchers.matching(name);
        // They join in this hold, as the first message is for all of them, but nothing else is made in it where they are many.
        self.steps.charge(REACHED * waiting.len() as u64);
        for key in waiting {
            self.reach(key, id);
        }
    }

    /// A destination is gone.
    pub(super) fn repel(&mut self, id: DestinationId, name: &DestinationName) {
        if self.watchers.is_empty() {
            return;
        }
        for key in self.watchers.matching(name) {
            if let Some(Reach::Many(many)) = self.consumers.get_mut(key).map(|consumer| &mut consumer.reach) {
                many.part(id);
            }
        }
    }

    /// A wildcard subscription begins: what comes into being from here on finds it.
    pub(super) fn watch(&mut self, key: ConsumerKey) {
        let Some(Reach::Many(many)) = self.consumers.get(key).map(|consumer| &consumer.reach) else { return };
        let Some(wildcard) = many.wildcard() else { return };
        self.watchers.insert(wildcard.pattern(), key);
    }

    /// A wildcard subscription meets what is there already, as far as there are steps. `true` once that was all.
    pub(super) fn attach(&mut self, now: Now, attaching: &mut Attaching, effects: &mut Effects) -> bool {
        let Attaching { key, end, exclusive_groups, is_again, .. } = *attaching;
        if let Some(narrowing) = &mut attaching.leaving {
            if !self.narrow(key, narrowing, effects) {
                return false;
            }
            attaching.leaving = None;
        }
        while !self.is_used_up(effects) {
            let Some(Reach::Many(many)) = self.consumers.get(key).map(|consumer| &consumer.reach) else { return true };
            let Some(wildcard) = many.wildcard().cloned() else { return true };
            let Some((id, name)) = self.router.behind(attaching.behind).filter(|(id, _)| *id < end) else {
                return true;
            };
            attaching.behind = Some(id);
            self.steps.charge(1);
            if is_again && (many.has_joined(id) || name.retained_of().is_some()) {
                continue;
            }
            // What a topic retains comes with the topic, or by itself where that is gone.
            let retained = name.retained_of().filter(|topic| wildcard.reaches(topic));
            if retained.is_some_and(|topic| self.router.resolve(&topic).is_none_or(|topic| topic >= end)) {
                self.recall_one(now, key, id, effects);
            } else if wildcard.reaches(name) {
                let retained = if name.kind().is_queue() { None } else { self.router.resolve(&name.retained()) };
                self.steps.charge(REACHED);
                self.reach(key, id);
                if let Some(queue) = self.queue_mut(id).filter(|_| exclusive_groups) {
                    queue.make_groups_exclusive();
                }
                if let Some(retained) = retained {
                    self.recall_one(now, key, retained, effects);
                }
            }
        }
        false
    }

    /// A wildcard subscription leaves what its client may not read any more, as far as there are steps. `true` once that was all,
    /// and it is given something again.
    fn narrow(&mut self, key: ConsumerKey, narrowing: &mut Narrowing, effects: &Effects) -> bool {
        loop {
            if self.is_used_up(effects) {
                return false;
            }
            let Some(Reach::Many(many)) = self.consumers.get_mut(key).map(|consumer| &mut consumer.reach) else {
                return true;
            };
            let Some(wildcard) = many.wildcard().cloned() else { return true };
            let Some(id) = many.joined_behind(narrowing.behind).next() else { break };
            narrowing.behind = Some(id);
            self.steps.charge(2);
            let name = self.destinations.get(&id).map(|found| found.kind.name());
            // Where dead letters are, what it may take is judged anew as well.
            let is_lost =
                name.is_none_or(|name| !wildcard.reaches(name) || self.options.policies.take_dead_letters(name));
            if is_lost {
                many.part(id);
                self.steps.charge(2);
                self.leave(id, key, false);
            }
        }
        if let Some(consumer) = self.consumers.get_mut(key) {
            consumer.is_withheld = false;
        }
        self.revive(key);
        self.put_off_backlog(key);
        true
    }

    /// The same for several, whose client may read more than before.
    pub(super) fn reattach(&mut self, now: Now, rest: &mut Vec<Attaching>, effects: &mut Effects) -> bool {
        while let Some(attaching) = rest.last_mut() {
            if !self.attach(now, attaching, effects) {
                return false;
            }
            rest.pop();
        }
        true
    }

    /// Whether a subscription to a pattern whose client may read less than before goes on receiving from a destination.
    pub(super) fn may_read_on(&self, consumer: &Consumer, id: DestinationId) -> bool {
        let Reach::Many(many) = &consumer.reach else { return true };
        let name = self.destinations.get(&id).map(|found| found.kind.name());
        many.wildcard().zip(name).is_none_or(|(wildcard, name)| wildcard.reaches(name))
    }

    /// Lets a consumer receive from one more destination, if it may read it: this is where the right is asked for.
    pub(super) fn reach(&mut self, key: ConsumerKey, id: DestinationId) {
        let filter = self.filter_in(id, key);
        let Some(destination) = self.destinations.get_mut(&id) else { return };
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let has_credit = consumer.has_credit();
        let (priority, is_exclusive) = (consumer.priority, consumer.is_exclusive);
        let Reach::Many(many) = &mut consumer.reach else { return };
        let is_meant = many.wildcard().is_some_and(|wildcard| wildcard.reaches(destination.kind.name()));
        if !is_meant || !many.join(id) {
            return;
        }
        match &mut destination.kind {
            Kind::Topic(topic) => topic.join(key, false),
            Kind::Queue(queue) => {
                queue.join(false);
                queue.select(key, filter.as_ref());
                if is_exclusive || queue.policy().exclusive_consumer {
                    queue.rotation.stand_in_line(key, priority);
                }
                if has_credit {
                    queue.line_up(key, priority);
                } else {
                    many.park(id);
                }
            }
        }
        self.touch(id);
    }

    /// A subscription to many destinations has ended. Where a pattern means very many, it leaves the rest in the background.
    pub(super) fn unwatch(&mut self, key: ConsumerKey, many: Many) {
        match many.wildcard() {
            Some(wildcard) => {
                self.watchers.remove(wildcard.pattern(), key);
                let mut joined = many.into_joined();
                for id in joined.by_ref().take(AT_ONCE) {
                    self.steps.charge(2);
                    self.leave(id, key, false);
                }
                if joined.len() > 0 {
                    self.late.left.push_back(Leaving { key, joined });
                }
            }
            None => many.into_joined().for_each(|id| self.leave(id, key, true)),
        }
    }

    /// Takes consumers that are gone out of the destinations that they received from by a pattern. Until then they are
    /// passed over there, as nothing is found by their keys.
    pub(super) fn finish_leaving(&mut self, effects: &Effects) {
        while !self.is_used_up(effects)
            && let Some(leaving) = self.late.left.front_mut()
        {
            let key = leaving.key;
            match leaving.joined.next() {
                Some(id) => {
                    self.steps.charge(2);
                    self.leave(id, key, false);
                }
                None => drop(self.late.left.pop_front()),
            }
        }
    }

    /// A consumer of many queues has credit again: they get their turns, one after the other, until it is used up.
    pub(super) fn unpark(&mut self, now: Now, key: ConsumerKey, effects: &mut Effects) {
        let Some(Reach::Many(many)) = self.consumers.get_mut(key).map(|consumer| &mut consumer.reach) else { return };
        many.refilled = false;
        // One that still cannot choose stands aside again behind these.
        for _ in 0..many.parked_len() {
            let is_used_up = self.is_used_up(effects);
            let Some(consumer) = self.consumers.get_mut(key).filter(|consumer| consumer.has_credit()) else { return };
            let priority = consumer.priority;
            let Reach::Many(many) = &mut consumer.reach else { return };
            if is_used_up {
                many.refilled = true;
                return self.late.refilled.push_back(key);
            }
            self.steps.charge(1);
            let Some(id) = many.unpark() else { return };
            let Some(queue) = self.queue_mut(id) else { continue };
            queue.line_up(key, priority);
            self.pump(now, id, effects);
        }
    }

    /// Whether a subscription is about temporary destinations of somebody else.
    pub(super) fn is_foreign(source: &Source, owner: &str) -> bool {
        let is_of_others =
            |name: &DestinationName| name.kind().is_temporary() && name.path().split('.').next() != Some(owner);
        match source {
            Source::Name(name) => is_of_others(name),
            Source::List(list) => list.names().iter().any(is_of_others),
            Source::Wildcard(_) | Source::Feed(_) => false,
        }
    }
}
