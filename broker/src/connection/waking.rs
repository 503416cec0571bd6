//! What wakes the task of a connection, and in which order it looks. Does nothing about it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::Sleep;

use super::task::Connection;

/// Why the task woke up.
pub(super) enum Woken {
    Read,
    PeerClosed,
    Wrote,
    Told,
    Due,
    Room,
    /// There is memory, or it is our turn.
    Memory,
    Stopping,
    OtherUsers,
    Lost(io::Error),
}

/// Every so many looks the order is another one.
const TURNS: u8 = 16;

impl Connection {
    /// One look at everything that can wake the task. Writing first: it makes room for all else. But now and then reading
    /// first, and then the clock: a peer that always takes what we say would not be heard, and one that always has
    /// something to say would keep the clock waiting.
    pub(super) fn poll_wake(
        &mut self,
        context: &mut Context<'_>,
        mut sleep: Pin<&mut Sleep>,
        mut news: Pin<&mut (dyn Future<Output = Woken> + Send)>,
    ) -> Poll<Woken> {
        self.turn = (self.turn + 1) % TURNS;
        let first = match self.turn {
            0 => self.poll_input(context),
            1 => poll_time(context, sleep.as_mut(), news.as_mut()),
            _ => Poll::Pending,
        };
        if first.is_ready() {
            return first;
        }
        if let Poll::Ready(woken) = self.poll_output(context) {
            return Poll::Ready(woken);
        }
        if let Poll::Ready(woken) = self.poll_input(context) {
            return Poll::Ready(woken);
        }
        poll_time(context, sleep, news)
    }

    fn poll_output(&mut self, context: &mut Context<'_>) -> Poll<Woken> {
        if self.has_unsent() {
            let written = self.stream.poll_write(context, &mut self.out);
            self.held_back = written.is_pending();
            if let Poll::Ready(written) = written {
                return Poll::Ready(written.map_or_else(Woken::Lost, |()| Woken::Wrote));
            }
        }
        if self.half_close && self.stream.poll_shutdown(context).is_ready() {
            self.half_close = false;
        }
        if self.holding.poll_room(context).is_ready() {
            return Poll::Ready(Woken::Memory);
        }
        if let Some(client) = &self.client
            && client.inbox().poll_take(context, &mut self.events).is_ready()
        {
            return Poll::Ready(Woken::Told);
        }
        Poll::Pending
    }

    fn poll_input(&mut self, context: &mut Context<'_>) -> Poll<Woken> {
        if let Some(room) = &mut self.room {
            if room.as_mut().poll(context).is_ready() {
                return Poll::Ready(Woken::Room);
            }
        } else if self.may_read() {
            if let Poll::Ready(read) = self.stream.poll_read(context, &mut self.input) {
                return Poll::Ready(match read {
                    Ok(0) => Woken::PeerClosed,
                    Ok(_) => Woken::Read,
                    Err(error) => Woken::Lost(error),
                });
            }
            if self.phase.is_open() && self.holding.is_outgrown(self.half_frame() + self.batch.waiting_bytes()) {
                // Nothing is complete, and there is more of it than was weighed.
                return Poll::Ready(Woken::Read);
            }
        }
        Poll::Pending
    }

    /// Whether something has yet to reach the kernel.
    pub(super) fn has_unsent(&self) -> bool {
        self.held_back || !self.out.is_empty()
    }

    /// Who does not read what we write, or outruns the log, is not read either: back-pressure without a protocol.
    pub(super) fn may_read(&self) -> bool {
        let options = &self.surroundings.options;
        self.room.is_none()
            && self.phase.reads()
            && self.out.len() < options.output_bytes
            && self.receipts.len() < options.pending_receipts
            && self.batch.waiting_bytes() < options.output_bytes
            && self.holding.may_read(self.out.len() + self.receipts.bytes())
    }
}

/// The clock, and what the server tells.
fn poll_time(
    context: &mut Context<'_>,
    sleep: Pin<&mut Sleep>,
    news: Pin<&mut (dyn Future<Output = Woken> + Send)>,
) -> Poll<Woken> {
    if sleep.poll(context).is_ready() {
        return Poll::Ready(Woken::Due);
    }
    news.poll(context)
}
