//! Queues behind topics and what topics retain: who takes over, and what a new subscriber gets.

use kolejka::engine::Departure;
use kolejka::model::{DestinationKind, DestinationName, MessageId, Timestamp, Urgency};

use super::message::Known;
use super::reference::Model;
use super::sending::{Sent, Verdict};
use super::subscriber::{Reach, Waiting};

impl Model {
    /// Others who read a queue that is for one reader are sent away; what they hold goes back.
    pub(super) fn take_over(&mut self, queue: &DestinationName, heir: usize, now: Timestamp) {
        let others = self.subs.iter().filter(|(_, sub)| sub.names(queue) && sub.client != heir);
        for id in others.map(|(&id, _)| id).collect::<Vec<_>>() {
            let client = self.subs[&id].client;
            self.clients[client].is_leaving = true;
            self.dismiss(id, Departure::Clean, now);
        }
    }

    /// A new subscriber gets what its topics retain. What only the log has cannot be selected.
    pub(super) fn recall(&mut self, id: u32, now: Timestamp) {
        let sub = &self.subs[&id];
        let topics = self.queues.iter().filter(|queue| !queue.is_doomed).filter_map(|queue| {
            let topic = queue.name.retained_of()?;
            let newest = queue.messages.iter().max_by_key(|known| (known.id.sequence() == 0, known.id))?;
            let is_meant = if sub.reach == Reach::Topics { true } else { sub.names(&topic) };
            is_meant.then_some(newest)
        });
        let recalled: Vec<_> = topics
            .filter(|known| known.expires().is_none_or(|end| end > now))
            .filter(|known| sub.wants.is_none() || (known.is_in_memory && sub.wants(known.says)))
            .map(|known| Waiting {
                body: known.body.clone(),
                size: known.size,
                expires: known.expires(),
                is_recalled: true,
            })
            .collect();
        for waiting in recalled {
            self.pass_on(id, waiting);
        }
    }

    /// A new durable subscription gets a copy of what its topics retain. What only the log has is read first.
    pub(super) fn inherit(&mut self, to: &DestinationName, now: Timestamp) {
        if to.kind() != DestinationKind::Subscription {
            return;
        }
        let topics = self.find_queue(to).and_then(|queue| queue.feed.as_ref()).map(|feed| feed.topics.clone());
        let reaches = |name: &DestinationName| {
            name.retained_of().zip(topics.as_ref()).is_some_and(|(topic, topics)| topics.reaches(&topic))
        };
        let queues = self.queues.iter().filter(|queue| !queue.is_doomed && reaches(&queue.name));
        let mut retained: Vec<DestinationName> = queues.map(|queue| queue.name.clone()).collect();
        retained.sort();
        for place in retained {
            let Some(known) = self.retained(&place).filter(|known| known.expires().is_none_or(|end| end > now)) else {
                continue;
            };
            // A copy is a new message: on a full disk it waits.
            if known.is_in_memory && !(self.is_full && known.durable) {
                self.bequeath(&known, to, now);
            } else {
                self.legacies.push_back((known.id, place, Some(to.clone())));
            }
        }
    }

    /// These messages have been read. One that has been replaced or removed meanwhile, or is over, is left out.
    pub(super) fn legacy_read(&mut self, ids: &[MessageId], now: Timestamp) {
        // One that has been replaced while there was no room is not read any more.
        while let Some((id, place, _)) = self.legacies.front().filter(|legacy| ids != [legacy.0])
            && self.retained(place).is_none_or(|known| known.id != *id)
        {
            self.legacies.pop_front();
        }
        let Some((id, place, to)) = self.legacies.front().cloned().filter(|legacy| ids == [legacy.0]) else { return };
        self.legacies.pop_front();
        let known = self.retained(&place).filter(|known| known.id == id);
        let known = known.filter(|known| known.expires().is_none_or(|end| end > now));
        if let Some((known, to)) = known.zip(to) {
            self.bequeath(&known, &to, now);
        }
    }

    /// What a topic retains.
    fn retained(&self, place: &DestinationName) -> Option<Known> {
        let messages = &self.find_queue(place)?.messages;
        messages.iter().max_by_key(|known| (known.id.sequence() == 0, known.id)).cloned()
    }

    fn bequeath(&mut self, known: &Known, to: &DestinationName, now: Timestamp) {
        let feed = self.find_queue(to).and_then(|queue| queue.feed.as_ref());
        if feed.is_none_or(|feed| feed.wants.is_some_and(|wanted| wanted != known.says)) {
            return;
        }
        let sent = Sent {
            from: None,
            to: to.clone(),
            urgency: Urgency::NORMAL.0,
            says: known.says,
            durable: known.durable,
            body: known.body.clone(),
            size: known.size,
            terms: known.terms.clone(),
            key: None,
            retain: None,
        };
        if self.judge(&[&sent], now) == Verdict::Taken {
            self.send(&sent, now);
        }
    }
}
