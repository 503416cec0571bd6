//! The process ends, in order or not, and another one begins with what the log has.

use kolejka::engine::{Departure, Engine};
use kolejka::model::Ticket;

use super::message::Known;
use super::reference::Model;
use super::setting::owner;
use super::world::World;

impl World {
    /// The process is gone, and with it all that the log had not made durable.
    pub(super) fn crash(&mut self) {
        self.effects.records.clear();
        self.effects.events.clear();
        self.revive(false);
    }

    /// Everybody leaves, everything becomes durable, and the log says that it was so.
    pub(super) fn restart(&mut self) {
        for client in 0..3 {
            self.leave(client, Departure::Clean);
        }
        self.end_batch();
        while self.log.waiting() > 0 {
            self.sync(usize::MAX);
            self.end_batch();
        }
        self.revive(true);
    }

    fn revive(&mut self, is_clean: bool) {
        let mut engine = Engine::new(self.setting.options());
        self.log.reopen(is_clean, &mut engine);
        assert_eq!(engine.replayed(is_clean), 0, "no message is without a queue");
        engine.set_full(self.model.is_full);
        self.engine = engine;
        self.clients = std::array::from_fn(|client| self.engine.open(owner(client)));
        self.asking.clear();
        let (highest, is_full) = (self.model.highest, self.model.is_full);
        self.model = self.log.fallback.remembered(is_clean);
        (self.model.highest, self.model.is_full) = (highest, is_full);
        self.model.next_ticket = Ticket(self.log.append(&mut Vec::new(), &self.model).0 + 1);
        self.log.fallback = self.model.clone();
        self.begin();
        self.tick();
    }
}

impl Model {
    /// What is left of it in the log.
    fn remembered(&self, is_clean: bool) -> Model {
        let mut model = self.clone();
        model.subs.clear();
        model.legacies.clear();
        model.clients = Default::default();
        model.last_pending = None;
        model.keys.retain(|_, (_, durable)| *durable);
        for queue in &mut model.queues {
            queue.messages.retain(|known| known.durable);
            queue.forget_groups();
            if let Some(feed) = &mut queue.feed {
                feed.unread_since = None;
            }
            for known in &mut queue.messages {
                known.come_back(is_clean);
            }
        }
        model.queues.retain(|queue| !queue.name.kind().is_temporary());
        model
    }

    /// What has changed since the last append is in that one.
    pub(super) fn appended(&mut self, ticket: Ticket) {
        for known in self.queues.iter_mut().flat_map(|queue| &mut queue.messages) {
            known.withheld = known.withheld.map(|known| known.min(ticket));
        }
        self.name_append(ticket);
    }

    /// What waited for an append that is durable now may be seen.
    pub(super) fn make_visible(&mut self, through: Ticket) {
        for known in self.queues.iter_mut().flat_map(|queue| &mut queue.messages) {
            known.waits_for = known.waits_for.filter(|ticket| *ticket > through);
            known.withheld = known.withheld.filter(|ticket| *ticket > through);
        }
        self.be_sure(through);
        self.last_pending = self.last_pending.filter(|ticket| *ticket > through);
    }
}

impl Known {
    fn come_back(&mut self, is_clean: bool) {
        (self.holder, self.waits_for, self.withheld) = (None, None, None);
        // P8: after an unclean stop anything may have been handed out; the log knows that from then on.
        self.is_noted |= !is_clean;
        self.handed_out = self.is_noted;
        self.is_in_memory = false;
    }
}
