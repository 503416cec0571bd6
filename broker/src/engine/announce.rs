//! What the broker says by itself: events, answers about jobs, results to those who wait for them.
//!
//! A message that is being published never publishes another one from within: what follows from it is announced, and
//! announcements are published one after the other at the end of the call. Of an event nothing is told, and nothing of a
//! queue that events feed, so events do not breed events, whatever is bound, routed, moved or dead-lettered.

use std::collections::{BTreeMap, HashMap, VecDeque};

use foldhash::fast::RandomState;

use super::machine::Engine;
use super::notice::Notice;
use crate::model::{
    Content, DestinationKind, DestinationName, Durability, Effects, Message, Now, Publish, Refusal, Urgency,
};

/// How many announcements may follow from each other: an answer about a job, the event of that answer, and as many to
/// spare. What would come behind is dropped and counted.
pub(super) const MOST_IN_A_ROW: u8 = 4;

/// A message of the broker that waits to be published.
#[derive(Debug)]
pub(super) struct Announcement {
    publish: Publish,
    /// How many announcements led to this one, itself included.
    depth: u8,
}

impl Announcement {
    /// Whether it belongs to the unit of the log that is being made.
    fn is_bound(&self) -> bool {
        self.publish.message.durability == Durability::Persistent
    }
}

/// Announcements of the present call, and which one is being published.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    /// By the order in which they came.
    waiting: BTreeMap<u64, Announcement>,
    /// How many have come so far.
    came: u64,
    /// Those that belong to the unit of the log that is being made.
    bound: VecDeque<u64>,
    /// Those that go to queues, by their addresses. A unit takes one from behind others without looking through them.
    to_queues: HashMap<DestinationName, VecDeque<u64>, RandomState>,
    /// The depth of the one that is being published; 0 while a client's message is.
    depth: u8,
    /// The one that is being published is an event.
    is_event: bool,
    /// How many were dropped because too many followed from each other.
    dropped: u64,
}

impl Announcements {
    /// What one call leaves is below that, but for what a single part of it has brought.
    const MANY: usize = 1024;

    /// Whether some have yet to be published.
    pub(super) fn are_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether so many have yet to be published that nothing more is to be done that could bring others.
    pub(super) fn are_many(&self) -> bool {
        self.waiting.len() > Announcements::MANY
    }

    /// One more waits.
    fn push(&mut self, announcement: Announcement) {
        let (number, to) = (self.came, &announcement.publish.to);
        self.came += 1;
        if announcement.is_bound() {
            self.bound.push_back(number);
        }
        if to.kind().is_queue() {
            self.to_queues.entry(to.clone()).or_default().push_back(number);
        }
        self.waiting.insert(number, announcement);
    }

    /// The next one to be published. While others wait for the engine, only one that belongs to the unit of the log that is
    /// being made, behind what was said at the same address before. That is asked behind each message of a large request, so
    /// it does not depend on how many wait.
    fn next(&mut self, is_used_up: bool) -> Option<Announcement> {
        let number = if is_used_up {
            let bound = *self.bound.front()?;
            let to = &self.waiting.get(&bound)?.publish.to;
            self.to_queues.get(to).and_then(|numbers| numbers.front().copied()).unwrap_or(bound)
        } else {
            *self.waiting.first_key_value()?.0
        };
        let announcement = self.waiting.remove(&number)?;
        if self.bound.front() == Some(&number) {
            self.bound.pop_front();
        }
        if announcement.publish.to.kind().is_queue()
            && let Some(numbers) = self.to_queues.get_mut(&announcement.publish.to)
        {
            // What goes to one address leaves in the order in which it came.
            numbers.pop_front();
            if numbers.is_empty() {
                self.to_queues.remove(&announcement.publish.to);
            }
        }
        Some(announcement)
    }

    /// One more that follows from what is being published, unless too many did already.
    pub(super) fn follow(&mut self, publish: Publish) -> Option<Announcement> {
        if self.depth >= MOST_IN_A_ROW {
            self.dropped += 1;
            return None;
        }
        Some(Announcement { publish, depth: self.depth + 1 })
    }

    /// Whether what is being published is an event: nothing is told of it.
    pub(super) fn is_event(&self) -> bool {
        self.is_event
    }

    /// The same, while one of that depth is being published.
    #[cfg(test)]
    pub(super) fn at(&mut self, depth: u8) -> &mut Announcements {
        self.depth = depth;
        self
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many were dropped.
    #[cfg(test)]
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Engine {
    /// Sends a message that the broker makes itself, once the log has what it speaks of.
    pub(super) fn announce(&mut self, to: DestinationName, content: Content) {
        let message = Message { content, urgency: Urgency::NORMAL, durability: Durability::Transient, terms: None };
        let publish = Publish { to, message, key: None, retain: None };
        let Some(announcement) = self.announcements.follow(publish) else { return };
        if self.outbox.is_clear() {
            self.announcements.push(announcement);
        } else {
            self.outbox.push(Notice::Publish(Box::new(announcement)));
        }
    }

    /// Sends a message that is in the same unit of the log as what it speaks of.
    pub(super) fn announce_durably(&mut self, to: DestinationName, content: Content) {
        let message = Message { content, urgency: Urgency::NORMAL, durability: Durability::Persistent, terms: None };
        if let Some(announcement) = self.announcements.follow(Publish { to, message, key: None, retain: None }) {
            self.announcements.push(announcement);
        }
    }

    /// Publishes what has been announced, and what follows from that, as far as there are steps; the rest is background work.
    /// `false` if there was nothing.
    #[inline]
    pub(super) fn publish_announced(&mut self, now: Now, effects: &mut Effects) -> bool {
        // Nearly always: this is asked with each request.
        !self.announcements.waiting.is_empty() && self.publish_waiting(now, effects)
    }

    fn publish_waiting(&mut self, now: Now, effects: &mut Effects) -> bool {
        while let Some(announcement) = self.announcements.next(self.is_used_up(effects)) {
            self.steps.charge(1);
            self.publish_announcement(now, announcement, effects);
        }
        true
    }

    /// One of many messages has been dealt with, and what follows from it is told: all of that is in one unit of the log, and
    /// the next message may be in another. Says whether the rest had better wait for another call.
    pub(super) fn end_part(&mut self, now: Now, effects: &mut Effects) -> bool {
        if effects.is_whole() {
            return false;
        }
        self.publish_announced(now, effects);
        effects.cut();
        let is_heavy = effects.is_heavy();
        if is_heavy {
            self.steps.charge(self.steps.left());
        }
        is_heavy
    }

    /// The log has what an announcement speaks of. What cannot be taken is nobody's fault who could be told.
    pub(super) fn publish_announcement(&mut self, now: Now, announcement: Announcement, effects: &mut Effects) {
        debug_assert_eq!(self.announcements.depth, 0, "an announcement is never published from within another");
        let Announcement { publish, depth } = announcement;
        let is_watch = publish.to.kind() == DestinationKind::Job;
        if is_watch && self.router.resolve(&publish.to).is_none() {
            return;
        }
        (self.announcements.depth, self.announcements.is_event) = (depth, publish.to.is_announced());
        let spare = (publish.message.durability == Durability::Persistent).then(|| publish.clone());
        let refused = self.publish(now, publish, effects).err();
        if let Some(spare) = spare.filter(|_| refused == Some(Refusal::DiskFull)) {
            // Better told and forgotten at the next stop than not told.
            let message = Message { durability: Durability::Transient, ..spare.message };
            drop(self.publish(now, Publish { message, ..spare }, effects));
        }
        (self.announcements.depth, self.announcements.is_event) = (0, false);
    }
}
