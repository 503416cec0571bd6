//! Consumers come and go.

use std::sync::Arc;

use super::machine::{Engine, Kind};
use crate::destination::{Consumer, ConsumerKey};
use crate::dispatcher;
use crate::model::{AckMode, Credit, DestinationId, Effects, Now, Refusal, SessionId, Subscribe, SubscriptionId};

use super::sessions::Departure;

impl Engine {
    /// Adds a consumer.
    pub(super) fn subscribe(&mut self, now: Now, id: SessionId, wish: &Subscribe) -> Result<(), Refusal> {
        let Some(session) = self.sessions.get_mut(id) else { return Err(Refusal::ShuttingDown) };
        let temporary = wish.to.kind().is_temporary();
        if temporary && wish.to.path().split('.').next() != Some(&session.owner) {
            return Err(Refusal::NotOwner);
        }
        // However many subscriptions share it, a session's unsettled messages stay below the limit. Those that are
        // settled by being written do not count.
        let left = match wish.mode {
            AckMode::Auto => u32::MAX,
            _ => self.options.unsettled_per_session.saturating_sub(session.granted),
        };
        let credit = Credit { messages: wish.credit.messages.min(left).max(1), bytes: wish.credit.bytes.max(1) };
        if wish.mode != AckMode::Auto {
            session.granted += credit.messages;
        }
        let existed = self.router.resolve(&wish.to).is_some();
        let destination = self.obtain(now, &wish.to)?;
        let mut consumer = Consumer::new(id, wish.id, destination, wish.mode, credit);
        consumer.filter.clone_from(&wish.filter);
        let key = self.consumers.insert(consumer);
        if let Some(session) = self.sessions.get_mut(id) {
            session.subscriptions.insert(wish.id, key);
            if temporary && !existed {
                session.temporary.insert(destination);
            }
        }
        let (Some(found), Some(consumer)) = (self.destinations.get_mut(&destination), self.consumers.get_mut(key))
        else {
            return Ok(());
        };
        found.owner = temporary.then_some(id);
        match &mut found.kind {
            Kind::Queue(queue) => {
                queue.join();
                if let Some(filter) = &wish.filter {
                    queue.select(key, Arc::clone(filter));
                }
                dispatcher::enrol(queue, key, consumer);
            }
            Kind::Topic(topic) => topic.join(key),
        }
        self.touch(destination);
        Ok(())
    }

    /// Takes a consumer away; what it holds goes back at once, uncounted.
    pub(super) fn unsubscribe(&mut self, now: Now, id: SessionId, subscription: SubscriptionId, effects: &mut Effects) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(key) = session.subscriptions.remove(&subscription) else { return };
        self.dismiss(now, key, Departure::Clean, effects);
    }

    /// Ends a consumer.
    pub(super) fn dismiss(&mut self, now: Now, key: ConsumerKey, departure: Departure, effects: &mut Effects) {
        let Some(consumer) = self.consumers.get(key) else { return };
        let (id, subscription, destination) = (consumer.session, consumer.subscription, consumer.destination);
        let mut counts = departure == Departure::Lost && consumer.mode != AckMode::Auto;
        while let Some(out) = self.consumers.get_mut(key).and_then(|consumer| consumer.take_through(u64::MAX)) {
            if let Some(session) = self.sessions.get_mut(id) {
                session.release(out.message, subscription);
            }
            let Some(entry) = self.queue_mut(destination).and_then(|queue| queue.leased(out.message, key).cloned())
            else {
                continue;
            };
            if std::mem::take(&mut counts) {
                self.retry(now, destination, &entry, None, effects);
            } else {
                self.give_back(destination, &entry, entry.attempts, effects);
            }
        }
        if let Some(consumer) = self.consumers.remove(key)
            && consumer.mode != AckMode::Auto
            && let Some(session) = self.sessions.get_mut(id)
        {
            session.granted = session.granted.saturating_sub(consumer.credit().messages);
        }
        self.leave(destination, key);
    }

    fn leave(&mut self, destination: DestinationId, key: ConsumerKey) {
        match self.destinations.get_mut(&destination).map(|found| &mut found.kind) {
            Some(Kind::Queue(queue)) => queue.leave(key),
            Some(Kind::Topic(topic)) => topic.leave(key),
            None => return,
        }
        self.touch(destination);
    }
}
