//! What the engine knows of all schedules: how many there are, who goes by which name, whose content is being read.
//!
//! It follows from what is in the queues of schedules and is kept by the same records.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::calendar;
use crate::model::{Cron, DestinationId, MessageId, Position, Schedule, bare_key};
use crate::table::give_back;

/// Where a name stands in the index.
fn place(name: &Arc<str>, queue: DestinationId) -> (Arc<str>, Arc<str>, DestinationId) {
    let bare = bare_key(name);
    let bare = if bare.len() < name.len() { bare.into() } else { Arc::clone(name) };
    (bare, Arc::clone(name), queue)
}

/// All schedules, by their queues.
#[derive(Debug, Default)]
pub(super) struct Schedules {
    len: usize,
    /// The last one of each name, by the name as it was given and as it belongs to its user.
    named: BTreeMap<(Arc<str>, Arc<str>, DestinationId), MessageId>,
    /// Those that have been replaced and are to go.
    replaced: BTreeSet<(DestinationId, MessageId)>,
    /// Those that are due and whose contents only the log has.
    cold: VecDeque<(DestinationId, MessageId, Position)>,
    /// Expressions that were needed lately, by their texts and zones.
    crons: HashMap<(Arc<str>, Arc<str>), Option<calendar::Cron>, RandomState>,
    /// Queues in which something is due, while the log has no room for new messages or there is no memory for so many bytes.
    postponed: BTreeMap<DestinationId, u64>,
}

impl Schedules {
    /// Expressions that are kept. Beyond it all are forgotten.
    const CRONS: usize = 1024;

    /// What an expression means; `None` if it is none, which a schedule's never is.
    pub(super) fn cron(&mut self, cron: &Cron) -> Option<&calendar::Cron> {
        if self.crons.len() >= Schedules::CRONS {
            self.crons.clear();
        }
        let key = (cron.expression.clone(), cron.zone.clone());
        let parse = || calendar::Cron::parse(&cron.expression, &cron.zone).ok();
        self.crons.entry(key).or_insert_with(parse).as_ref()
    }

    /// One came. What had its name before is replaced.
    pub(super) fn insert(&mut self, queue: DestinationId, message: MessageId, schedule: &Schedule) {
        self.len += 1;
        let Some(name) = &schedule.name else { return };
        let newest = self.named.entry(place(name, queue)).or_insert(message);
        if *newest != message {
            let older = message.min(*newest);
            *newest = message.max(*newest);
            self.replaced.insert((queue, older));
        }
        // One that is everybody's gives way to the first that has a user.
        let bare = bare_key(name);
        if bare.len() < name.len()
            && let Some(older) = self.named.get(&place(&bare.into(), queue)).filter(|older| **older < message)
        {
            self.replaced.insert((queue, *older));
        }
    }

    /// One went.
    pub(super) fn remove(&mut self, queue: DestinationId, message: MessageId, schedule: &Schedule) {
        self.len -= 1;
        self.replaced.remove(&(queue, message));
        let Some(name) = &schedule.name else { return };
        let key = place(name, queue);
        if self.named.get(&key) == Some(&message) {
            self.named.remove(&key);
        }
    }

    /// The one of that name.
    pub(super) fn named(&self, queue: DestinationId, name: &Arc<str>) -> Option<MessageId> {
        self.named.get(&place(name, queue)).copied()
    }

    /// Those of that name, of all users, with their queues.
    pub(super) fn queues_of(&self, name: &Arc<str>) -> Vec<(DestinationId, MessageId)> {
        let first = (name.clone(), "".into(), DestinationId(0));
        let of_name = self.named.range(first..).take_while(|((bare, ..), _)| bare == name);
        of_name.map(|((_, _, queue), message)| (*queue, *message)).collect()
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
        let next = self.cold.pop_front();
        give_back(&mut self.cold, 64);
        next
    }

    /// Whether contents are to be read.
    pub(super) fn has_cold(&self) -> bool {
        !self.cold.is_empty()
    }

    /// Something of so many bytes is due there, and there is no room for it.
    pub(super) fn postpone(&mut self, queue: DestinationId, bytes: u64) {
        self.postponed.insert(queue, bytes);
    }

    /// Whether what is due there waits for room.
    pub(super) fn is_postponed(&self, queue: DestinationId) -> bool {
        self.postponed.contains_key(&queue)
    }

    /// Whether anything waits for room.
    pub(super) fn is_postponed_at_all(&self) -> bool {
        !self.postponed.is_empty()
    }

    /// There is room: the queues that waited, with what they waited for.
    pub(super) fn go_on(&mut self) -> BTreeMap<DestinationId, u64> {
        std::mem::take(&mut self.postponed)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}
