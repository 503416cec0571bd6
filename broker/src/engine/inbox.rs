//! Where events wait for their connection.

use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

use crate::model::Event;

/// How many events are moved in one piece.
const PIECE: usize = 1024;

/// Events of one session. Filled under the engine's lock, which keeps their order; bounded by the credit that the engine
/// gives, so it needs no limit of its own.
#[derive(Debug, Default)]
pub struct Inbox {
    events: Mutex<Events>,
    waker: AtomicWaker,
}

/// Events in pieces: what has come is not moved when more comes, and not while the engine waits to add to it.
#[derive(Debug, Default)]
struct Events {
    first: Vec<Event>,
    /// What did not fit in there.
    more: Vec<Vec<Event>>,
}

impl Events {
    fn is_empty(&self) -> bool {
        self.first.is_empty() && self.more.is_empty()
    }

    fn extend(&mut self, mut events: impl Iterator<Item = Event>) {
        if self.more.is_empty() {
            let left = PIECE.saturating_sub(self.first.len());
            self.first.extend(events.by_ref().take(left));
        }
        while let Some(event) = events.next() {
            let mut piece = self.more.pop_if(|piece| piece.len() < PIECE).unwrap_or_else(|| Vec::with_capacity(PIECE));
            piece.push(event);
            let left = PIECE - piece.len();
            piece.extend(events.by_ref().take(left));
            self.more.push(piece);
        }
    }
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
        into.append(&mut waiting.first);
        let more = std::mem::take(&mut waiting.more);
        drop(waiting);
        for mut piece in more {
            into.append(&mut piece);
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::model::Ticket;

    #[test]
    fn events_come_out_as_they_went_in_and_none_is_moved_when_more_come() {
        let (inbox, mut next) = (Inbox::default(), 0);
        for round in 0..3 {
            let mut sent = 0;
            for count in [1, PIECE - 2, 3, 2 * PIECE, 1, 5 * PIECE + 7] {
                let events = (0..count as u64).map(|number| Event::Durable(Ticket(next + number)));
                assert_eq!(inbox.push(events), sent == 0, "the connection is woken by the first ones");
                next += count as u64;
                sent += count;
            }
            let largest = inbox.events.lock().expect("a lock").more.iter().map(Vec::capacity).max();
            assert!(largest.is_some_and(|largest| largest <= 2 * PIECE), "round {round}: {largest:?}");
            let mut taken = Vec::new();
            let mut context = Context::from_waker(Waker::noop());
            assert!(inbox.poll_take(&mut context, &mut taken).is_ready());
            let numbers =
                taken.iter().map(|event| if let Event::Durable(Ticket(number)) = event { *number } else { 0 });
            assert!(numbers.eq(next - sent as u64..next));
            assert!(inbox.poll_take(&mut context, &mut taken).is_pending());
        }
    }
}
