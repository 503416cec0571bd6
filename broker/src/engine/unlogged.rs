//! Messages that came back or came from another queue, and whose records are on the way to the log. They stand in their
//! places already, so that order is kept, and are handed out once the log has the records: a dead letter or a further
//! attempt that a crash undoes has never been seen.

use super::machine::Engine;
use crate::destination::SlotId;
use crate::model::{DestinationId, MessageId, Ticket};
use crate::table::{BusyTable, Pieces};

/// What waits, in the order of the records. Bounded by what the log has in flight.
#[derive(Debug, Default)]
pub(super) struct Unlogged {
    waiting: Pieces<Waiting>,
    /// Records on the way, by message: one may be kicked that was buried a moment ago.
    records: BusyTable<MessageId, u32>,
}

#[derive(Debug)]
struct Waiting {
    /// Behind which append; `None` until that is known.
    behind: Option<Ticket>,
    destination: DestinationId,
    slot: SlotId,
    message: MessageId,
}

impl Unlogged {
    /// What came about since the last append is in that one.
    pub(super) fn appended(&mut self, ticket: Ticket) {
        for waiting in self.waiting.iter_mut().rev().take_while(|waiting| waiting.behind.is_none()) {
            waiting.behind = Some(ticket);
        }
    }

    fn push(&mut self, destination: DestinationId, slot: SlotId, message: MessageId) {
        self.waiting.push_back(Waiting { behind: None, destination, slot, message });
        if let Some(records) = self.records.get_or_default(message) {
            *records += 1;
        }
    }

    /// The next message of which the log has a record now, and whether that was the last one on the way.
    fn pop(&mut self, through: Ticket) -> Option<(Waiting, bool)> {
        let is_logged = |waiting: &Waiting| waiting.behind.is_some_and(|ticket| ticket <= through);
        if !self.waiting.front().is_some_and(is_logged) {
            return None;
        }
        let next = self.waiting.pop_front()?;
        let Some(records) = self.records.get_mut(&next.message) else { return Some((next, true)) };
        *records -= 1;
        let is_last = *records == 0;
        if is_last {
            self.records.remove(&next.message);
        }
        Some((next, is_last))
    }
}

impl Engine {
    /// A message stands in its place by a record that the log does not have yet.
    pub(super) fn withhold_until_logged(
        &mut self,
        destination: DestinationId,
        slot: Option<SlotId>,
        message: MessageId,
    ) {
        let Some(slot) = slot else { return };
        let Some(queue) = self.queue_mut(destination) else { return };
        queue.withhold(slot);
        self.unlogged.push(destination, slot, message);
    }

    /// The log is durable up to there: what waited for it may be handed out, `most` messages at a time. Returns whether that
    /// was all.
    pub(super) fn offer_logged(&mut self, through: Ticket, most: usize) -> bool {
        for nth in 0..most {
            let Some((waiting, is_last)) = self.unlogged.pop(through) else { return true };
            if nth == 0 {
                // Such as could not be told whether something is there for them can be told now, whatever has become of it.
                self.examined.append(&mut self.undecided);
            }
            let Waiting { destination, slot, message, .. } = waiting;
            // It may have gone elsewhere since, by another record.
            if is_last && self.queue_mut(destination).is_some_and(|queue| queue.offer(slot, message)) {
                self.touch(destination);
            }
            self.steps.charge(1);
        }
        false
    }
}
