//! Consumers come and go.

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
        // However many subscriptions share it, what a session holds unsettled stays below the limit. What is settled by
        // being written does not count.
        let left = match wish.mode {
            AckMode::Auto => wish.credit,
            _ => session.left_of(self.options.unsettled_per_session),
        };
        let credit = Credit {
            messages: wish.credit.messages.min(left.messages).max(1),
            bytes: wish.credit.bytes.min(left.bytes).max(1),
        };
        if wish.mode != AckMode::Auto {
            session.grant(credit);
        }
        let existed = self.router.resolve(&wish.to).is_some();
        let destination = self.obtain(now, &wish.to)?;
        let key = self.consumers.insert(Consumer::new(id, wish.id, destination, wish.mode, credit));
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
            session.take_back(consumer.credit());
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
