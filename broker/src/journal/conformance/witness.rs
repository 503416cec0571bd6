//! A sink that remembers, and insists on the order of what it is told.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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

    /// The same, but for a log that has stopped for want of room, which is asked now and then: `None` then.
    pub fn wait_unless(&self, ticket: Ticket, is_out: impl Fn() -> bool) -> Option<Seen> {
        let mut seen = self.seen();
        while seen.through < ticket && seen.failed.is_none() {
            if is_out() {
                return None;
            }
            let waited = self.changed.wait_timeout(seen, Duration::from_millis(5));
            seen = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(seen.clone())
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
