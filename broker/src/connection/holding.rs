//! What a connection holds of the account of memory, and what it waits for there.
//!
//! A little is free for each, so that ordinary traffic counts nothing. Beyond it, what a half frame needs is taken before
//! it is read: where there is no room nothing is read, up to the time that a frame may take. What is sent out goes on in
//! small bursts then. Finishing work (ACK, the end of a frame, a small delivery) needs nothing beyond the free part.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::memory::{Account, Charge, Holders, Purpose, Short, Turn};
use crate::model::Refusal;

/// Bytes of each purpose that a connection may hold without asking.
pub(super) const FREE_BYTES: usize = 16 * 1024;
/// Bytes in which the rest is taken: the most that one read brings.
const STEP_BYTES: u64 = 64 * 1024;
/// Encoded before the next write: enough to make a system call worth it, little enough to stay in a cache.
const BURST_BYTES: usize = 256 * 1024;

/// What one connection holds, given back with it.
pub(super) struct Holding {
    frames: Charge,
    transactions: Charge,
    output: Charge,
    /// How it stands for room to read into.
    intake: Standing,
    /// The same for room to write from.
    outlet: Standing,
    /// What a frame is given up for that has had enough time, and when.
    ends: Option<(Duration, Short)>,
    /// How long a frame may wait, and how long it may take once it is its turn.
    patience: Patience,
    /// Bytes of the frame at hand when they were weighed last.
    weighed: usize,
}

/// How long a frame may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For its turn.
    pub(super) wait: Duration,
    /// In its turn, for each step of 64 KiB.
    pub(super) step: Duration,
}

/// In line, first in line, or neither.
#[derive(Default)]
struct Standing {
    wait: Option<Pin<Box<dyn Future<Output = Option<Turn>> + Send>>>,
    turn: Option<Turn>,
}

impl Standing {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(wait) = &mut self.wait else { return Poll::Pending };
        let Poll::Ready(turn) = wait.as_mut().poll(context) else { return Poll::Pending };
        (self.wait, self.turn) = (None, turn);
        Poll::Ready(())
    }
}

impl Holding {
    pub(super) fn new(account: &Arc<Account>, patience: Patience) -> Holding {
        let charge = |purpose| Charge::new(Arc::clone(account), purpose);
        Holding {
            frames: charge(Purpose::Frames),
            transactions: charge(Purpose::Transactions),
            output: charge(Purpose::Output),
            intake: Standing::default(),
            outlet: Standing::default(),
            ends: None,
            patience,
            weighed: 0,
        }
    }

    /// Says whose it is, once that is known.
    pub(super) fn belong_to(&mut self, holders: &Holders) {
        for charge in [&mut self.frames, &mut self.transactions, &mut self.output] {
            charge.belong_to(holders.clone());
        }
        // A place in line was that of a stranger.
        (self.intake, self.outlet) = (Standing::default(), Standing::default());
    }

    /// Weighs what has been read and is not done: of a frame that is not complete, and of requests that have to wait. And
    /// what the next read may bring.
    pub(super) fn weigh_input(&mut self, held: usize, now: Duration) {
        let before = std::mem::replace(&mut self.weighed, held);
        if held <= FREE_BYTES {
            if self.frames.bytes() > 0 || self.intake.wait.is_some() {
                self.frames.force(0);
                self.intake = Standing::default();
            }
            self.ends = None;
            return;
        }
        if held < before {
            // Another frame: its turn comes when it comes.
            self.intake.turn = None;
        }
        let wanted = (held as u64).next_multiple_of(STEP_BYTES) + STEP_BYTES;
        if wanted <= self.frames.bytes() {
            return self.frames.force(wanted);
        }
        let Err(short) = self.frames.resize(wanted) else {
            (self.intake.turn, self.ends) = (None, None);
            return;
        };
        if self.intake.turn.is_some() && self.frames.resize_in(self.intake.turn.as_ref(), wanted).is_ok() {
            // It goes beyond what it may have, and others wait for that to end.
            self.ends = Some((now + self.patience.step, short));
        } else if self.intake.wait.is_none() {
            let turn = self.intake.turn.take();
            if turn.is_some() || self.ends.is_none() {
                self.ends = Some((now + self.patience.wait, short));
            }
            let more = wanted - self.frames.bytes();
            self.intake.wait = Some(Box::pin(self.frames.room(more, turn)));
        }
    }

    /// Whether a half frame has grown beyond what was weighed.
    pub(super) fn is_outgrown(&self, held: usize) -> bool {
        held > FREE_BYTES && held as u64 > self.frames.bytes()
    }

    /// Weighs what waits to be written, and receipts that wait for the log.
    pub(super) fn weigh_output(&mut self, waiting: usize, receipts: usize) {
        if waiting == 0 {
            self.outlet.turn = None;
        }
        let all = waiting + receipts;
        let counted = if all <= FREE_BYTES { 0 } else { all as u64 };
        if counted != self.output.bytes() {
            self.output.force(counted);
        }
    }

    /// Bytes that may be encoded now, where the next delivery has `next`; `None` if it has to wait.
    pub(super) fn burst(&mut self, next: usize) -> Option<usize> {
        if self.outlet.wait.is_some() {
            return None;
        }
        if self.output.has_room(BURST_BYTES.max(next) as u64) {
            return Some(BURST_BYTES);
        }
        if next <= FREE_BYTES || self.outlet.turn.is_some() || self.output.has_room(next as u64) {
            return Some(FREE_BYTES);
        }
        self.outlet.wait = Some(Box::pin(self.output.room(next as u64, None)));
        None
    }

    /// Whether transactions hold more than was weighed.
    pub(super) fn is_outgrown_by(&self, held: usize) -> bool {
        held > FREE_BYTES && held as u64 > self.transactions.bytes()
    }

    /// Weighs what open transactions hold.
    pub(super) fn weigh_transactions(&mut self, held: usize) -> Result<(), Refusal> {
        let counted = if held <= FREE_BYTES { 0 } else { held as u64 };
        if counted == self.transactions.bytes() {
            return Ok(());
        }
        self.transactions.resize(counted).map_err(refusal)
    }

    /// Waits for room, where something does.
    pub(super) fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let intake = self.intake.poll(context);
        if self.outlet.poll(context).is_ready() { Poll::Ready(()) } else { intake }
    }

    /// Whether more may be read, with so many bytes waiting to be written.
    pub(super) fn may_read(&self, waiting: usize) -> bool {
        self.intake.wait.is_none() && (waiting <= FREE_BYTES || self.output.has_room(0))
    }

    /// When a frame is given up for which there is no memory.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.ends.map(|(end, _)| end)
    }

    /// Why it is, by `now`.
    pub(super) fn overdue(&self, now: Duration) -> Option<Refusal> {
        let (end, short) = self.ends?;
        (end <= now).then(|| refusal(short))
    }
}

fn refusal(short: Short) -> Refusal {
    Refusal::OutOfMemory { short: short.to_string() }
}
