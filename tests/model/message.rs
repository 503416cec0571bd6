//! A message in a queue, and a delivery of it, as the model sees them.

use std::ops::RangeInclusive;

use kolejka::model::{DeathNote, MessageId, Standing, Terms, Ticket, Timestamp};

/// A message in a queue.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Zero until the engine has told it.
    pub(super) id: MessageId,
    /// Its place in its queue, behind urgency. Zero until the engine has told it; fixed from then on.
    pub(super) sequence: i64,
    pub(super) urgency: u32,
    /// The urgency that its head says, which selectors go by.
    pub(super) says: u32,
    /// As it was sent.
    pub(super) body: Vec<u8>,
    /// Octets of head and body.
    pub(super) size: u32,
    /// Failed deliveries that count.
    pub(super) attempts: u16,
    /// NACKs among them.
    pub(super) nacks: u8,
    /// Its content is in memory too, so that its head can be read at once.
    pub(super) is_in_memory: bool,
    /// A client may have seen it.
    pub(super) handed_out: bool,
    /// The log knows that.
    pub(super) is_noted: bool,
    /// The log has it, or will.
    pub(super) durable: bool,
    /// Nobody may see it before that append is durable.
    pub(super) waits_for: Option<Ticket>,
    /// Nothing from its place on goes out before that append is durable: it has put the message there. [`Ticket::NEVER`]
    /// until the append is known.
    pub(super) withheld: Option<Ticket>,
    /// Who has it, if it is out.
    pub(super) holder: Option<Holder>,
    /// How it stands if it is not.
    pub(super) standing: Standing,
    /// Its back-off has a jitter: the moment lies in there, and the engine tells which.
    pub(super) due_within: Option<RangeInclusive<u64>>,
    /// What its sender said, as far as it still holds.
    pub(super) terms: Option<Terms>,
    /// It expired in this very round and came from another queue, perhaps behind what was handed out here.
    pub(super) is_arriving: bool,
    /// The engine has dropped it for want of room, which is still to be checked.
    pub(super) is_gone: bool,
    /// It came from another queue, so that its id says nothing about its place.
    pub(super) has_moved: bool,
    /// Why it is a dead letter.
    pub(super) note: Option<DeathNote>,
}

/// Who has a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// A subscription, as its delivery of that number, perhaps until a moment, after a time in milliseconds.
    Sub { sub: u32, number: u64, timed: Option<(Timestamp, u32)> },
}

impl Known {
    /// Whoever comes may have it.
    pub(super) fn is_ready(&self) -> bool {
        self.is_idle() && self.standing == Standing::Ready
    }

    /// The same, and it has not been dropped.
    pub(super) fn is_offered(&self) -> bool {
        self.is_ready() && !self.is_gone
    }

    /// Nobody holds it, and the log has it where it should.
    pub(super) fn is_idle(&self) -> bool {
        self.waits_for.is_none() && self.holder.is_none()
    }

    /// It waits for its time or for a kick.
    pub(super) fn is_parked(&self) -> bool {
        self.is_idle() && self.standing != Standing::Ready
    }

    pub(super) fn is_delayed(&self) -> bool {
        self.is_idle() && matches!(self.standing, Standing::Delayed(_))
    }

    pub(super) fn is_buried(&self) -> bool {
        self.is_idle() && matches!(self.standing, Standing::Buried(_))
    }

    /// Its end, if it has one.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        self.terms.as_ref()?.expires
    }

    /// Its order in the queue.
    pub(super) fn place(&self) -> (u32, i64) {
        (self.urgency, self.sequence)
    }

    /// The moment of its lease.
    pub(super) fn lease_end(&self) -> Option<Timestamp> {
        match self.holder {
            Some(Holder::Sub { timed, .. }) => timed.map(|(end, _)| end),
            _ => None,
        }
    }

    /// When something has to happen to it.
    pub(super) fn next_moment(&self) -> Option<Timestamp> {
        let due = match self.standing {
            Standing::Delayed(due) if self.is_idle() => Some(due),
            _ => None,
        };
        let end = self.expires().filter(|_| self.is_idle());
        due.into_iter().chain(end).chain(self.lease_end()).min()
    }

    /// It is in nobody's hands again.
    pub(super) fn give_back(&mut self, standing: Standing) {
        (self.holder, self.standing, self.is_noted) = (None, standing, true);
        self.clear_due();
        self.withhold();
    }

    /// It has another place, by a record if the log has it.
    pub(super) fn withhold(&mut self) {
        self.withheld = self.durable.then_some(Ticket::NEVER);
    }

    /// Its time has come once, and does not count any more.
    pub(super) fn clear_due(&mut self) {
        if let Some(terms) = &mut self.terms {
            terms.due = None;
        }
    }
}

/// A delivery that a client has yet to settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Out {
    pub(super) number: u64,
    pub(super) message: MessageId,
    pub(super) size: u32,
    /// A queue waits for its end; a topic does not.
    pub(super) is_leased: bool,
    /// Its ack token names the message alone.
    pub(super) is_plain: bool,
    /// Its ack token has its number.
    pub(super) is_numbered: bool,
    /// Its lease has run out.
    pub(super) is_lost: bool,
}
