//! Where events wait for their connection.

use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

use crate::model::Event;

/// Events of one session. Filled under the engine's lock, which keeps their order; bounded by the credit that the engine
/// gives, so it needs no limit of its own.
#[derive(Debug, Default)]
pub struct Inbox {
    events: Mutex<Vec<Event>>,
    waker: AtomicWaker,
}

impl Inbox {
    /// Adds events. Returns whether the connection has to be woken: it is not if it has yet to fetch earlier ones.
    pub(super) fn push(&self, events: impl Iterator<Item = Event>) -> bool {
        let mut waiting = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = waiting.is_empty();
        waiting.extend(events);
        was_empty && !waiting.is_empty()
    }

    /// Wakes the connection; to be called without the engine's lock.
    pub(super) fn wake(&self) {
        self.waker.wake();
    }

    /// Moves all events behind those in `into`, or has the task woken when there are some.
    pub fn poll_take(&self, context: &mut Context<'_>, into: &mut Vec<Event>) -> Poll<()> {
        self.waker.register(context.waker());
        let mut waiting = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.is_empty() {
            return Poll::Pending;
        }
        into.append(&mut waiting);
        Poll::Ready(())
    }
}
