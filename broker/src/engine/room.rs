//! What new messages need: room in the log, or in memory.
//!
//! While the log has no room, what clients ask for is refused, and what the broker would send by itself is postponed: schedules
//! that are due, copies of retained messages. It goes on when there is room, whether a client asks for something or not.

use std::time::Duration;

use std::sync::Arc;

use super::admission::kept_beside;
use super::handle::Handle;
use super::machine::Engine;
use crate::memory::{Account, Purpose, Share};
use crate::model::{
    Action, DestinationId, DestinationKind, Durability, Publish, Refusal, Request, Retain, Room, Source, StateBytes,
};

impl Handle {
    /// Where memory is counted.
    pub fn memory(&self) -> Arc<Account> {
        Arc::clone(&self.lock().engine.options.memory)
    }
}

/// Memory for messages, in bytes, that is more than one hold of the engine's lock can use: an append of the largest size
/// and what requests bring before it.
const AMPLE_BYTES: u64 = 512 << 20;

/// How long what waits for room waits until the log is asked again.
pub(super) const ASKED_AGAIN: Duration = Duration::from_secs(1);

impl Engine {
    /// Whether the log takes new messages. While it does not, publishing is refused; finishing work goes on. To be said before
    /// every call that may bring about a record: the log does not take a new message that it was not asked about.
    pub fn set_full(&mut self, full: bool) {
        self.full = full;
        if !full && self.schedules.is_postponed_at_all() {
            for (queue, bytes) in self.schedules.go_on() {
                if self.lacks_memory(bytes).is_some() {
                    self.schedules.postpone(queue, bytes);
                } else {
                    self.make_appointment(queue);
                }
            }
        }
    }

    /// How much room the log has for what finishes work. While it is scarce, what time brings waits where it would add to
    /// the log; while there is none, nothing is handed out and nothing happens by itself, so that no more comes than is out.
    pub fn set_room(&mut self, room: Room) {
        self.room = room;
        if room == Room::Enough {
            for queue in std::mem::take(&mut self.held) {
                self.make_appointment(queue);
            }
        }
    }

    /// Refuses what would write to a log that has no room for anything: nothing of it would become durable.
    pub(super) fn check_room(&self, request: &Request) -> Result<(), Refusal> {
        if self.room == Room::None && self.writes(request) { Err(Refusal::DiskFull) } else { Ok(()) }
    }

    /// Whether a request that may be refused leads to records.
    fn writes(&self, request: &Request) -> bool {
        match request {
            Request::Settle(_)
            | Request::Commit(_)
            | Request::Job(_)
            | Request::Manage(_)
            | Request::Shape(_)
            | Request::Discard(_) => true,
            request => self.needs_room(request),
        }
    }

    /// What the log keeps beside messages. At its limit nothing is taken that adds to it, while plain messages and finishing
    /// work go on.
    pub fn set_state(&mut self, state: StateBytes) {
        self.state = state;
    }

    /// Refuses what would add to a state that is at its limit.
    pub(super) fn check_state(&self, request: &Request) -> Result<(), Refusal> {
        if self.state.is_spent() && self.adds_state(request) {
            return Err(Refusal::StateFull { used: self.state.used, limit: self.state.most });
        }
        Ok(())
    }

    /// Whether the log would keep more of a request than a message.
    fn adds_state(&self, request: &Request) -> bool {
        let has_more = |publish: &Publish| {
            (publish.key.is_some() || publish.message.terms.is_some())
                && self.is_logged(publish, self.memory_of_all(publish))
        };
        let is_new_feed =
            |source: &Source| matches!(source, Source::Feed(feed) if self.router.resolve(&feed.queue).is_none());
        match request {
            Request::Publish(publish) => has_more(publish),
            Request::Commit(actions) => {
                actions.iter().any(|action| matches!(action, Action::Publish(publish) if has_more(publish)))
            }
            Request::Subscribe(subscribe) => is_new_feed(&subscribe.to),
            Request::Take(take) => is_new_feed(&take.subscribe.to),
            _ => false,
        }
    }

    /// Whether the log takes no new messages.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Whether something waits for room in the log or for memory, beside clients.
    pub(super) fn waits_for_room(&self) -> bool {
        let legacies = !self.legacies.is_empty() && !self.wants_legacies();
        !self.held.is_empty() || self.schedules.is_postponed_at_all() || legacies
    }

    /// Whether so many bytes that the broker would send by itself have to wait for memory. What is more than there can ever be
    /// does not wait for it.
    pub(super) fn postpones(&self, bytes: u64) -> bool {
        bytes <= self.options.memory.limit(Share::Queues) && self.lacks_memory(bytes).is_some()
    }

    /// Looks once for many requests whether there is so much memory that none of them has to be asked about it.
    pub(super) fn look_at_memory(&mut self) {
        self.has_ample_memory = self.options.memory.has_room(Purpose::Messages, AMPLE_BYTES);
    }

    /// Whether any request may have to wait in this hold of the lock.
    pub fn may_have_to_wait(&self) -> bool {
        self.full || self.room == Room::None || self.state.is_spent() || !self.has_ample_memory
    }

    /// Whether a request has to wait: there is no memory for the messages that it brings, the disk is full and it needs
    /// room there, or the log's state is at its limit and it adds to that. All else goes on.
    pub fn has_to_wait(&self, request: &Request) -> bool {
        self.is_full() && self.needs_room(request)
            || self.check_room(request).is_err()
            || self.check_state(request).is_err()
            || self.lacks_memory(self.memory_wanted(request)).is_some()
    }

    /// Whether a request needs room in the log for new messages. While there is none, all else goes on.
    pub fn needs_room(&self, request: &Request) -> bool {
        if self.needs_room_for_copies(request) {
            return true;
        }
        match request {
            Request::Publish(publish) => self.is_logged(publish, self.memory_of_all(publish)),
            Request::Commit(actions) => {
                let mut memory = 0;
                actions.iter().any(|action| match action {
                    Action::Publish(publish) => {
                        memory += self.memory_of_all(publish);
                        self.is_logged(publish, memory)
                    }
                    Action::Settle(_) => false,
                    Action::Job(said) => said.needs_room(),
                })
            }
            Request::Job(said) => said.needs_room(),
            _ => false,
        }
    }

    /// Whether a message goes to the log: because it is persistent, or because there is no memory for it.
    pub(super) fn is_logged(&self, publish: &Publish, memory: u64) -> bool {
        let kind = publish.to.kind();
        let fed = || {
            self.router
                .resolve(&publish.to)
                .map_or_else(|| self.is_fed(&publish.to), |id| !self.feeds_of(id).is_empty())
        };
        !kind.is_temporary()
            && (publish.message.durability == Durability::Persistent || self.spills(memory))
            && (kind.is_queue() || publish.retain.is_some() || fed())
    }

    /// Octets that a message would like to keep in memory, in one destination.
    pub(super) fn memory_of(&self, destination: DestinationId, publish: &Publish) -> u64 {
        let kind = self.destinations.get(&destination).map(|found| found.kind.name().kind());
        let stays = |kind: DestinationKind| {
            kind.is_queue() && (kind.is_temporary() || publish.message.durability == Durability::Transient)
        };
        if kind.is_some_and(stays) { publish.message.content.len() as u64 } else { 0 }
    }

    /// What a message would like to keep in memory wherever it goes.
    pub(super) fn memory_of_all(&self, publish: &Publish) -> u64 {
        let is_kept = publish.retain == Some(Retain::Set) && publish.message.durability == Durability::Transient;
        let retained = if is_kept { publish.message.content.len() as u64 } else { 0 };
        let Some(destination) = self.router.resolve(&publish.to) else {
            let kind = publish.to.kind();
            let stays = kind.is_queue() && publish.message.durability == Durability::Transient;
            return if stays { publish.message.content.len() as u64 } else { retained };
        };
        let feeds = self.feeds_of(destination);
        retained
            + self.memory_of(destination, publish)
            + feeds.iter().map(|queue| self.memory_of(*queue, publish)).sum::<u64>()
    }

    /// Why a queue may not keep so many bytes more: the share of memory for queues is used up.
    pub(super) fn lacks_memory(&self, bytes: u64) -> Option<Refusal> {
        if bytes == 0 || self.has_ample_memory {
            return None;
        }
        // What this very hold has brought is not in the account yet.
        self.report_memory();
        let short = self.options.memory.short_of(Purpose::Messages, bytes)?;
        Some(Refusal::OutOfMemory { short: short.to_string() })
    }

    /// Bytes that a request wants to keep in memory, for a while at least. What only finishes work wants none.
    fn memory_wanted(&self, request: &Request) -> u64 {
        let wanted = |publish: &Publish| {
            let beside = kept_beside(publish) as u64;
            let one = publish.message.content.len() as u64 + beside;
            if publish.to.kind().is_queue() {
                return one;
            }
            let feeds = self.router.resolve(&publish.to).map_or(0, |topic| self.feeds_of(topic).len());
            let retained = usize::from(publish.retain.is_some());
            match (feeds + retained) as u64 {
                0 if self.is_logged(publish, 0) => one,
                0 => 0,
                // They share what they say.
                copies => one + (copies - 1) * beside,
            }
        };
        match request {
            Request::Publish(publish) => wanted(publish),
            Request::Commit(actions) => {
                let publishes =
                    actions.iter().map(|action| if let Action::Publish(p) = action { wanted(p) } else { 0 });
                publishes.sum()
            }
            Request::Job(said) if said.needs_room() => said.bytes() as u64,
            _ => 0,
        }
    }

    /// Tells the account what is kept in memory.
    pub(super) fn report_memory(&self) {
        let memory = &self.options.memory;
        memory.set(Purpose::Bodies, self.contents.bytes());
        memory.set(Purpose::Keys, self.windows.bytes() as u64);
        memory.set(Purpose::Jobs, self.jobs.bytes() as u64);
    }

    pub(super) fn spills(&self, memory: u64) -> bool {
        self.transient_bytes + memory > self.options.transient_bytes
    }
}
