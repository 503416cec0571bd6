//! What a new durable subscription gets of what its topics retain: a copy of its own, before all that comes later.
//!
//! A content that only the log has is read first. By then something newer may be retained, which came to the subscription by
//! itself: then the old one is left out.

use std::borrow::Cow;

use super::admission::Load;
use super::destination::Kind;
use super::machine::Engine;
use super::publish::candidate;
use super::reading::Unread;
use crate::model::{
    Content, DestinationId, DestinationKind, Durability, Effects, Message, MessageId, Now, Timestamp, Urgency,
};

/// A retained message that is to be read for a queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Legacy {
    /// Where it is retained.
    from: DestinationId,
    pub(super) message: MessageId,
    /// Who gets a copy.
    to: DestinationId,
}

impl Engine {
    /// Whether a new feed gets what its topics retain: a durable subscription does.
    pub(super) fn inherits(&mut self, queue: DestinationId) -> bool {
        self.queue_mut(queue).is_some_and(|queue| queue.name().kind() == DestinationKind::Subscription)
    }

    /// Gives a new durable subscription what lies in a queue of retained messages, unless that came after it and was sent to
    /// it as well: messages from the sequence `below` on did.
    pub(super) fn inherit_one(
        &mut self,
        now: Now,
        (from, to): (DestinationId, DestinationId),
        below: u64,
        effects: &mut Effects,
    ) {
        let Some((entry, expires)) = self.retained(from) else { return };
        if entry.message.sequence() >= below || expires.is_some_and(|end| end <= now.wall) {
            return;
        }
        let cached = entry.content.and_then(|key| self.contents.get(key).cloned());
        let waits = entry.is_durable() && (self.is_full() || self.postpones(entry.size.into()));
        match cached.filter(|_| !waits) {
            Some(content) => {
                self.bequeath(now, (from, to), content, effects);
                self.end_part(now, effects);
            }
            None if entry.is_durable() => self.legacies.push_back(Legacy { from, message: entry.message, to }),
            None => {}
        }
    }

    /// Gives a queue a copy of what is retained. Where it has no room for that it begins without.
    fn bequeath(
        &mut self,
        now: Now,
        (from, to): (DestinationId, DestinationId),
        content: Content,
        effects: &mut Effects,
    ) {
        let Some((entry, _)) = self.retained(from) else { return };
        let terms = self.queue_mut(from).and_then(|queue| queue.terms(&entry).map(Cow::into_owned));
        let durability = if entry.is_durable() { Durability::Persistent } else { Durability::Transient };
        let message = Message { content, urgency: Urgency::NORMAL, durability, terms: terms.map(Box::new) };
        let no_id = MessageId::new(self.options.shard, 0);
        let Some(Kind::Queue(queue)) = self.destinations.get(&to).map(|found| &found.kind) else { return };
        let is_wanted = queue.fed.as_ref().is_some_and(|fed| fed.takes(&candidate(no_id, &message)));
        let bytes = message.content.len() as u64;
        let memory = if entry.is_durable() { 0 } else { bytes };
        let load = Load { destination: to, messages: 1, bytes };
        if is_wanted && self.admit(&load, durability, memory).is_ok() && self.lacks_memory(bytes).is_none() {
            let id = self.ids.next(&mut effects.records);
            self.enqueue(now, (to, id), message, effects);
        }
    }

    /// Whether contents are waited for. The copies are new messages, which wait for room in the log.
    pub(super) fn wants_legacies(&self) -> bool {
        let Some(next) = self.legacies.front().filter(|_| !self.is_full()) else { return false };
        // One that is not there any more wants nothing.
        let newest = self.destinations.get(&next.from).and_then(|found| found.kind.queue()?.newest());
        !self.postpones(newest.map_or(0, |entry| entry.size.into()))
    }

    /// Contents that are waited for. One that has been replaced meanwhile is not any more.
    pub(super) fn next_legacy(&mut self) -> Option<Unread> {
        while self.wants_legacies() {
            let legacy = *self.legacies.front()?;
            let Some((entry, _)) = self.retained(legacy.from).filter(|(entry, _)| entry.message == legacy.message)
            else {
                self.legacies.pop_front();
                continue;
            };
            // It may still be on its way to the log.
            let position = entry.position()?;
            self.legacy = self.legacies.pop_front();
            return Some(Unread { destination: legacy.from, messages: vec![(legacy.message, position)] });
        }
        None
    }

    /// One is there.
    pub(super) fn legacy_read(&mut self, now: Now, contents: Vec<(MessageId, Option<Content>)>, effects: &mut Effects) {
        let Some(legacy @ Legacy { from, message, to, .. }) = self.legacy.take() else { return };
        let bytes = contents.iter().filter_map(|(_, content)| content.as_ref()).map(|content| content.len() as u64);
        if self.is_full() || self.postpones(bytes.sum()) {
            // It has become full meanwhile.
            return self.legacies.push_front(legacy);
        }
        let is_valid = |end: Option<Timestamp>| end.is_none_or(|end| end > now.wall);
        let is_newest = self.retained(from).is_some_and(|(entry, end)| entry.message == message && is_valid(end));
        let is_newest = is_newest && self.queue_mut(from).is_some_and(|queue| !queue.doomed);
        let content = contents.into_iter().find(|(id, _)| *id == message).and_then(|(_, content)| content);
        if let Some(content) = content.filter(|_| is_newest) {
            self.bequeath(now, (from, to), content, effects);
        }
    }
}
