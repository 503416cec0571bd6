//! What the engine knows of all schedules: how many there are, who goes by which name, whose content is being read.
//!
//! It follows from what is in the queues of schedules and is kept by the same records.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::model::{DestinationId, MessageId, Position, Schedule};

/// All schedules, by their queues.
#[derive(Debug, Default)]
pub(super) struct Schedules {
    len: usize,
    /// The last one of each name.
    named: BTreeMap<(Arc<str>, DestinationId), MessageId>,
    /// Those that have been replaced and are to go.
    replaced: BTreeSet<(DestinationId, MessageId)>,
    /// Those that are due and whose contents only the log has.
    cold: VecDeque<(DestinationId, MessageId, Position)>,
    /// Queues in which something is due, while the log has no room for new messages.
    postponed: BTreeSet<DestinationId>,
}

impl Schedules {
    /// One came. What had its name before is replaced.
    pub(super) fn insert(&mut self, queue: DestinationId, message: MessageId, schedule: &Schedule) {
        self.len += 1;
        let Some(name) = &schedule.name else { return };
        let newest = self.named.entry((name.clone(), queue)).or_insert(message);
        if *newest != message {
            let older = message.min(*newest);
            *newest = message.max(*newest);
            self.replaced.insert((queue, older));
        }
    }

    /// One went.
    pub(super) fn remove(&mut self, queue: DestinationId, message: MessageId, schedule: &Schedule) {
        self.len -= 1;
        self.replaced.remove(&(queue, message));
        let Some(name) = &schedule.name else { return };
        let key = (name.clone(), queue);
        if self.named.get(&key) == Some(&message) {
            self.named.remove(&key);
        }
    }

    /// The one of that name.
    pub(super) fn named(&self, queue: DestinationId, name: &Arc<str>) -> Option<MessageId> {
        self.named.get(&(name.clone(), queue)).copied()
    }

    /// Those of that name, with their queues.
    pub(super) fn queues_of(&self, name: &Arc<str>) -> Vec<(DestinationId, MessageId)> {
        let all = (name.clone(), DestinationId(0))..=(name.clone(), DestinationId(u64::MAX));
        self.named.range(all).map(|((_, queue), message)| (*queue, *message)).collect()
    }

    /// Those of a queue that have been replaced.
    pub(super) fn replaced(&self, queue: DestinationId) -> Vec<MessageId> {
        let all = (queue, MessageId::from_bits(0))..=(queue, MessageId::from_bits(u64::MAX));
        self.replaced.range(all).map(|(_, message)| *message).collect()
    }

    /// Whether nothing has been replaced.
    pub(super) fn has_replaced(&self) -> bool {
        !self.replaced.is_empty()
    }

    /// Whether that one has been replaced.
    pub(super) fn is_replaced(&self, queue: DestinationId, message: MessageId) -> bool {
        self.replaced.contains(&(queue, message))
    }

    /// One is due, and its content has to be read.
    pub(super) fn chill(&mut self, queue: DestinationId, message: MessageId, position: Position) {
        self.cold.push_back((queue, message, position));
    }

    /// The next one whose content is to be read.
    pub(super) fn next_cold(&mut self) -> Option<(DestinationId, MessageId, Position)> {
        self.cold.pop_front()
    }

    /// Whether contents are to be read.
    pub(super) fn has_cold(&self) -> bool {
        !self.cold.is_empty()
    }

    /// Something is due there, and the log has no room.
    pub(super) fn postpone(&mut self, queue: DestinationId) {
        self.postponed.insert(queue);
    }

    /// Whether what is due there waits for room.
    pub(super) fn is_postponed(&self, queue: DestinationId) -> bool {
        self.postponed.contains(&queue)
    }

    /// Whether anything waits for room.
    pub(super) fn is_postponed_at_all(&self) -> bool {
        !self.postponed.is_empty()
    }

    /// There is room: the queues that waited.
    pub(super) fn go_on(&mut self) -> BTreeSet<DestinationId> {
        std::mem::take(&mut self.postponed)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}
