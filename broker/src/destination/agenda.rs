//! What in a queue waits for a moment or for somebody: delayed and buried messages, timed leases.
//!
//! Order is that of moments and ids, never that of a hash. It must not know what is done with a message whose moment comes.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::SlotId;
use crate::model::{MessageId, Standing, Timestamp};
use crate::table::Table;

/// The moments of one queue. Costs nothing while nothing waits.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    parked: Table<MessageId, (SlotId, Standing)>,
    delayed: BTreeSet<(Timestamp, MessageId)>,
    buried: BTreeSet<(Timestamp, MessageId)>,
    /// Messages that are out for a time.
    leases: BTreeSet<(Timestamp, MessageId)>,
}

impl Agenda {
    /// A message waits. Ready ones do not.
    pub(super) fn park(&mut self, message: MessageId, slot: SlotId, standing: Standing) {
        match standing {
            Standing::Ready => return,
            Standing::Delayed(due) => self.delayed.insert((due, message)),
            Standing::Buried(since) => self.buried.insert((since, message)),
        };
        self.parked.insert(message, (slot, standing));
    }

    /// A message waits no more; where it is, if it did.
    pub(super) fn unpark(&mut self, message: MessageId) -> Option<SlotId> {
        let (slot, standing) = self.parked.remove(&message)?;
        match standing {
            Standing::Ready => false,
            Standing::Delayed(due) => self.delayed.remove(&(due, message)),
            Standing::Buried(since) => self.buried.remove(&(since, message)),
        };
        Some(slot)
    }

    /// When something here has to be looked at.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let due = self.delayed.first().map(|(due, _)| *due);
        let lapse = self.leases.first().map(|(end, _)| *end);
        due.into_iter().chain(lapse).min()
    }

    /// A message is out until then.
    pub(super) fn lend(&mut self, end: Timestamp, message: MessageId) {
        self.leases.insert((end, message));
    }

    /// It is not any more.
    pub(super) fn forget_lease(&mut self, end: Timestamp, message: MessageId) {
        self.leases.remove(&(end, message));
    }

    /// The first message whose lease is over.
    pub(super) fn lapsed(&self, now: Timestamp) -> Option<MessageId> {
        self.leases.first().filter(|(end, _)| *end <= now).map(|(_, message)| *message)
    }

    /// The first delayed message whose time has come.
    pub(super) fn due(&self, now: Timestamp) -> Option<SlotId> {
        self.slot(self.delayed.first().filter(|(due, _)| *due <= now)?.1)
    }

    /// How a message stands.
    pub(super) fn standing(&self, message: MessageId) -> Standing {
        self.parked.get(&message).map_or(Standing::Ready, |(_, standing)| *standing)
    }

    /// How many are delayed, and how many buried.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.delayed.len(), self.buried.len())
    }

    /// Delayed messages by their time.
    pub(super) fn delayed(&self) -> impl Iterator<Item = SlotId> {
        self.delayed.iter().filter_map(|(_, message)| self.slot(*message))
    }

    /// Buried messages in the order in which they were.
    pub(super) fn buried(&self) -> impl Iterator<Item = SlotId> {
        self.buried.iter().filter_map(|(_, message)| self.slot(*message))
    }

    /// Delayed or buried messages, in that order, behind a moment.
    pub(super) fn behind(
        &self,
        buried: bool,
        moment: Option<(Timestamp, MessageId)>,
    ) -> impl Iterator<Item = ((Timestamp, MessageId), SlotId)> {
        let first = moment.map_or(Bound::Unbounded, Bound::Excluded);
        let waiting = if buried { &self.buried } else { &self.delayed };
        waiting.range((first, Bound::Unbounded)).filter_map(|waits| Some((*waits, self.slot(waits.1)?)))
    }

    /// Where a message is that waits.
    pub(super) fn slot(&self, message: MessageId) -> Option<SlotId> {
        self.parked.get(&message).map(|(slot, _)| *slot)
    }
}
