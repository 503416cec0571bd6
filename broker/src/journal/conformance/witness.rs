//! A sink that remembers, and insists on the order of what it is told.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::model::{Durable, LogError, LogSink, Position, Ticket};

/// A sink that remembers.
#[derive(Debug, Default)]
pub struct Witness {
    seen: Mutex<Seen>,
    changed: Condvar,
}

/// What a witness saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The newest durable ticket.
    pub through: Ticket,
    /// Every position, in order.
    pub positions: Vec<Position>,
    /// The end, if it has come.
    pub failed: Option<LogError>,
}

impl Witness {
    /// Waits until that ticket is durable, or the log has failed, and gives what was seen by then.
    pub fn wait(&self, ticket: Ticket) -> Seen {
        let waiting = |seen: &mut Seen| seen.through < ticket && seen.failed.is_none();
        self.changed.wait_while(self.seen(), waiting).unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogSink for Witness {
    fn durable(&self, durable: Durable<'_>) {
        let mut seen = self.seen();
        assert!(seen.failed.is_none(), "nothing becomes durable after the end");
        assert!(durable.through > seen.through, "tickets resolve in order, each once");
        seen.through = durable.through;
        seen.positions.extend_from_slice(durable.positions);
        self.changed.notify_all();
    }

    fn failed(&self, error: LogError) {
        let mut seen = self.seen();
        assert!(seen.failed.is_none(), "a log fails once");
        seen.failed = Some(error);
        self.changed.notify_all();
    }
}
