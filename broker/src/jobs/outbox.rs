//! What is to be told once the log has what it speaks of: nobody hears of an end that a crash could undo.

use crate::model::Ticket;
use crate::table::Pieces;

/// Notices that wait, oldest first. Bounded by what the log has in flight.
#[derive(Debug)]
pub struct Outbox<T> {
    /// Behind which append each waits; `None` until that is known.
    waiting: Pieces<(Option<Ticket>, T)>,
    /// Something was changed since the last append.
    changed: bool,
    /// The last append that holds a change.
    last: Option<Ticket>,
}

impl<T> Default for Outbox<T> {
    fn default() -> Outbox<T> {
        Outbox { waiting: Pieces::default(), changed: false, last: None }
    }
}

impl<T> Outbox<T> {
    /// A record has changed what is known of a job.
    pub fn change(&mut self) {
        self.changed = true;
    }

    /// Whether nothing that could be told is on its way to the log, and nothing waits.
    pub fn is_clear(&self) -> bool {
        !self.changed && self.last.is_none() && self.waiting.is_empty()
    }

    /// Something to be told, when all that was changed before is in the log.
    pub fn push(&mut self, notice: T) {
        let behind = if self.changed { None } else { self.last };
        self.waiting.push_back((behind, notice));
    }

    /// What was changed since the last time is in that append.
    pub fn appended(&mut self, ticket: Ticket) {
        if std::mem::take(&mut self.changed) {
            self.last = Some(ticket);
        }
        for (behind, _) in self.waiting.iter_mut().rev().take_while(|(behind, _)| behind.is_none()) {
            *behind = Some(ticket);
        }
    }

    /// The log is durable up to there.
    pub fn settle(&mut self, through: Ticket) {
        self.last = self.last.filter(|last| *last > through);
    }

    /// Whether a notice is left that may leave when the log is durable up to there.
    pub fn has_ripe(&self, through: Ticket) -> bool {
        self.waiting.front().is_some_and(|(behind, _)| behind.is_some_and(|ticket| ticket <= through))
    }

    /// The log is durable up to there: the next notice that may leave. What was never named an append leaves, too.
    pub fn pop(&mut self, through: Ticket) -> Option<T> {
        self.settle(through);
        let is_ripe = self.waiting.front().is_some_and(|(behind, _)| behind.is_none_or(|ticket| ticket <= through));
        if !is_ripe {
            return None;
        }
        let next = self.waiting.pop_front();
        next.map(|(_, notice)| notice)
    }
}
