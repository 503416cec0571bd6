//! Messages that are sent again: a key is taken once by each queue, and by each topic.

use std::sync::Arc;

use super::destination::Kind;
use super::machine::Engine;
use crate::model::{DestinationId, Effects, Keyed, Message, MessageId, Now, Publish, Record, bare_key};
use crate::seeded::{self, Bug};

impl Engine {
    /// Puts a message wherever it has not been seen, of a destination and the queues behind it that take it; says as which it was taken, if it was anywhere.
    pub(super) fn put(
        &mut self,
        now: Now,
        (destination, mut takers): (DestinationId, Vec<DestinationId>),
        publish: Publish,
        effects: &mut Effects,
    ) -> Option<MessageId> {
        let Publish { to, message, key, retain } = publish;
        let Some(key) = key else {
            if let Some(retain) = retain {
                self.retain(now, &to, &message, retain, effects);
            }
            return Some(self.put_new(now, (destination, takers), message, effects));
        };
        let is_new = |engine: &Engine, to| !engine.has_seen(now, to, &key);
        let (all, is_first) = (takers.len(), is_new(self, destination));
        takers.retain(|queue| is_new(self, *queue));
        effects.leans |= !is_first || takers.len() < all;
        let mut taken = None;
        if is_first {
            if let Some(retain) = retain {
                self.retain(now, &to, &message, retain, effects);
            }
            let id = self.ids.next(&mut effects.records);
            taken = Some(id);
            if self.queue_mut(destination).is_some() {
                self.enqueue_keyed(now, destination, (id, message.clone(), &key), effects);
            } else {
                self.fan_out(now, (destination, id), &message, effects);
                let key = self.key_in(destination, &key);
                self.windows.insert(destination, key, now.wall);
            }
        }
        for &queue in &takers {
            let id = self.ids.next(&mut effects.records);
            taken = taken.or(Some(id));
            self.enqueue_keyed(now, queue, (id, message.clone(), &key), effects);
        }
        taken
    }

    /// A message with a key. What the log does not keep it must not remember either: it would call a message that is lost a
    /// duplicate.
    pub(super) fn enqueue_keyed(
        &mut self,
        now: Now,
        queue: DestinationId,
        (id, message, key): (MessageId, Message, &Arc<str>),
        effects: &mut Effects,
    ) {
        let key = self.key_in(queue, key);
        let before = effects.records.len();
        self.enqueue(now, (queue, id), message, effects);
        let is_logged = effects.records[before..].iter().any(|record| matches!(record, Record::Accepted(_)));
        if is_logged {
            let record = Record::Keyed(Keyed { queue, key, at: now.wall });
            self.evolve(&record, None);
            effects.records.push(record);
        } else {
            self.windows.insert(queue, key, now.wall);
        }
    }

    /// Whether a message with a key has not been seen in one of the places it goes to.
    /// Where that had to be found out, `takers` are the queues behind the destination that take it.
    pub(super) fn is_new_anywhere(
        &mut self,
        now: Now,
        destination: DestinationId,
        publish: &Publish,
        takers: &mut Option<Vec<DestinationId>>,
    ) -> bool {
        let Some(key) = &publish.key else { return true };
        if !self.has_seen(now, destination, key) {
            return true;
        }
        let found = self.takers(destination, &publish.message);
        let is_new = found.iter().any(|queue| !self.has_seen(now, *queue, key));
        *takers = Some(found);
        is_new
    }

    /// Whether a destination has seen the key of that user, or one that is everybody's.
    fn has_seen(&self, now: Now, destination: DestinationId, key: &Arc<str>) -> bool {
        if seeded::is(Bug::DuplicateTaken) {
            return false;
        }
        let bare = bare_key(key);
        let own = || self.windows.holds(destination, &self.key_in(destination, key), now.wall);
        own() || bare.len() < key.len() && self.windows.holds(destination, bare, now.wall)
    }

    /// A key as a destination keeps it: without its user where the policy shares keys.
    pub(super) fn key_in(&self, destination: DestinationId, key: &Arc<str>) -> Arc<str> {
        let bare = bare_key(key);
        if bare.len() < key.len() && self.shares_keys(destination) { bare.into() } else { Arc::clone(key) }
    }

    /// Whether keys in a destination are everybody's, by its policy.
    pub(super) fn shares_keys(&self, destination: DestinationId) -> bool {
        match self.destinations.get(&destination).map(|found| &found.kind) {
            Some(Kind::Queue(queue)) => queue.policy().shared_keys,
            Some(Kind::Topic(topic)) => self.options.policies.resolve(topic.name()).shared_keys,
            None => false,
        }
    }
}
