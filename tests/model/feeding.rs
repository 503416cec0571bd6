//! Queues behind topics and what topics retain: who takes over, and what a new subscriber gets.

use kolejka::engine::Departure;
use kolejka::model::{DestinationName, Timestamp};

use super::reference::Model;
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
        let sub = self.subs.get_mut(&id).expect("it has just come");
        sub.backlog.extend(recalled);
        sub.draw(now);
    }
}
