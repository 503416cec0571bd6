//! What goes to the client: receipts once they are true, deliveries in order.

use std::collections::VecDeque;

use tracing::{debug, error, warn};

use super::holding::FREE_BYTES;
use super::task::Connection;
use crate::model::{Burst, Content, Delivery, Event, Lease, LogError, Now, Payload, Request, SubscriptionId, Ticket};

/// The receipts of one batch of requests, encoded.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) octets: Burst,
    pub(super) count: usize,
    /// A SUBSCRIBE's is among them.
    pub(super) gated: bool,
}

/// Receipts that wait for the log, a batch of requests in each piece.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    waiting: VecDeque<(Ticket, Piece)>,
    /// How many receipts are in the pieces.
    count: usize,
    /// Bytes of them.
    bytes: usize,
    /// A SUBSCRIBE's receipt waits there: no MESSAGE may overtake it (STOMP.md, item 32).
    gate: Option<Ticket>,
}

impl Receipts {
    /// Sends a piece of `count` receipts at once, if nothing it promises is still on the way, or keeps it.
    pub(super) fn hold(&mut self, piece: Piece, wait_for: Option<Ticket>, out: &mut Burst) {
        let Piece { mut octets, count, gated } = piece;
        let behind = self.waiting.back().map(|(ticket, _)| *ticket);
        let Some(ticket) = wait_for.max(behind) else {
            out.append(&mut octets);
            return;
        };
        self.count += count;
        self.bytes += octets.len();
        if gated {
            self.gate = Some(ticket);
        }
        match self.waiting.back_mut() {
            Some((last, waiting)) if *last == ticket => {
                waiting.octets.append(&mut octets);
                waiting.count += count;
            }
            _ => self.waiting.push_back((ticket, Piece { octets, count, gated })),
        }
    }

    /// The log is durable up to there: what waited for it leaves.
    pub(super) fn release(&mut self, durable: Ticket, out: &mut Burst) {
        while self.waiting.front().is_some_and(|(ticket, _)| *ticket <= durable) {
            if let Some((_, mut piece)) = self.waiting.pop_front() {
                self.count -= piece.count;
                self.bytes -= piece.octets.len();
                out.append(&mut piece.octets);
            }
        }
        self.gate = self.gate.filter(|gate| *gate > durable);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Receipts that wait.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Bytes of them.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_gated(&self) -> bool {
        self.gate.is_some()
    }
}

/// Deliveries that were handed over by the engine and are not encoded yet, and the ends of subscriptions among them.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    waiting: VecDeque<Event>,
    /// Of auto subscriptions, by the newest one that is encoded but perhaps not written.
    encoded: Vec<(SubscriptionId, u64)>,
}

impl Deliveries {
    /// Bytes of the next delivery.
    fn next_bytes(&self) -> Option<usize> {
        let event = self.waiting.front()?;
        Some(if let Event::Deliver(delivery) = event { delivery.payload.len() } else { 0 })
    }

    /// Keeps only what is for a subscription that is still wanted.
    pub(super) fn retain(&mut self, mut is_wanted: impl FnMut(SubscriptionId) -> bool) {
        self.waiting.retain(|event| match event {
            Event::Deliver(delivery) => is_wanted(delivery.subscription),
            Event::End { subscription, .. } => is_wanted(*subscription),
            Event::Durable(_) | Event::Disconnect(_) => true,
        });
    }
}

/// Messages that are read back from the log at once.
const READ_AHEAD: usize = 64;

impl Connection {
    /// Sorts what the engine told: receipts leave, deliveries line up.
    pub(super) async fn take_events(&mut self) {
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            match event {
                Event::Deliver(delivery) if !self.session.is_subscribed(delivery.subscription) => {}
                Event::Deliver(_) | Event::End { .. } => self.deliveries.waiting.push_back(event),
                Event::Durable(ticket) => self.receipts.release(ticket, &mut self.out),
                Event::Disconnect(refusal) => {
                    warn!(reason = %refusal, "disconnected by the broker");
                    self.session.disconnected(self.now(), refusal);
                    self.collect().await;
                }
            }
        }
        self.events = events;
    }

    /// Encodes deliveries up to one burst. Only into an empty one: what is written then is known to be written whole.
    pub(super) async fn encode_deliveries(&mut self) {
        if self.has_unsent() || self.receipts.is_gated() || self.is_closing() {
            return;
        }
        let now = self.now();
        let mut most_of_small = None;
        while let Some(next) = self.deliveries.next_bytes()
            && let Some(most) = self.most_for(next, &mut most_of_small)
            && self.out.len() < most
            && let Some(event) = self.deliveries.waiting.pop_front()
        {
            match event {
                Event::Deliver(delivery) => match &delivery.payload {
                    Payload::Memory(content) => {
                        let content = content.clone();
                        self.encode(now, &delivery, &content);
                    }
                    Payload::Stored { .. } => self.encode_stored(delivery, most).await,
                },
                Event::End { subscription, why } => self.session.ended(subscription, why, &mut self.out),
                Event::Durable(_) | Event::Disconnect(_) => {}
            }
        }
        // Before others have their turns.
        self.weigh_output();
        // Before anything that is settled by being written.
        self.flush_batch().await;
        if self.deliveries.waiting.is_empty() && self.deliveries.waiting.capacity() > 1024 {
            self.deliveries.waiting = VecDeque::new();
        }
    }

    /// Bytes that may be encoded where the next delivery has `next`; `None` if it has to wait. For small ones it is asked once.
    fn most_for(&mut self, next: usize, small: &mut Option<usize>) -> Option<usize> {
        if next > FREE_BYTES {
            return self.holding.burst(next);
        }
        if small.is_none() {
            *small = self.holding.burst(next);
        }
        *small
    }

    fn encode(&mut self, now: Now, delivery: &Delivery, content: &Content) {
        let (subscription, number, auto) = (delivery.subscription, delivery.number, delivery.auto);
        self.session.deliver(now, delivery, content, &mut self.out);
        if auto {
            match self.deliveries.encoded.iter_mut().find(|(other, _)| *other == subscription) {
                Some((_, newest)) => *newest = number,
                None => self.deliveries.encoded.push((subscription, number)),
            }
        }
    }

    /// Reads a run of neighbours of about `most` bytes back from the log, off the runtime's threads, and encodes them in their
    /// order. They count from the moment they are asked for: many connections may be at that together.
    async fn encode_stored(&mut self, first: Delivery, most: usize) {
        let mut run = vec![first];
        let mut bytes = run[0].payload.len();
        while run.len() < READ_AHEAD
            && bytes < most
            && self.deliveries.waiting.front().is_some_and(is_stored)
            && let Some(Event::Deliver(next)) = self.deliveries.waiting.pop_front()
        {
            bytes += next.payload.len();
            run.push(next);
        }
        let positions: Vec<_> = run.iter().filter_map(|delivery| delivery.payload.position()).collect();
        let Some(reader) = self.surroundings.handle.reader() else { return };
        self.holding.weigh_output(self.out.len() + bytes, self.receipts.bytes());
        let read = tokio::task::spawn_blocking(move || {
            positions.into_iter().map(|position| reader.read(position)).collect::<Vec<Result<Content, LogError>>>()
        });
        let contents = read.await.unwrap_or_else(|panic| {
            let failure = LogError::Unreadable(panic.to_string());
            vec![Err(failure); run.len()]
        });
        let now = self.now();
        for (delivery, content) in run.into_iter().zip(contents) {
            match content {
                Ok(content) => self.encode(now, &delivery, &content),
                Err(error) => self.quarantine(&delivery, &error),
            }
        }
    }

    /// Nobody gets wrong bytes, and nobody settles what nobody saw (P15, P18).
    fn quarantine(&mut self, delivery: &Delivery, error: &LogError) {
        let (subscription, number) = (delivery.subscription, delivery.number);
        let is_damaged = matches!(error, LogError::Damaged(_));
        if let Lease::Seen(_) = delivery.lease {
            // Whoever looks holds nothing: it may have been taken and settled since.
            debug!(message = %delivery.message, %error, "a message is gone before it could be looked at");
        } else if is_damaged {
            error!(message = %delivery.message, %error, "a message is damaged and buried in its queue");
        } else {
            warn!(message = %delivery.message, %error, "a message cannot be read now and is tried again");
        }
        self.batch.ask(Request::Quarantine { subscription, number, is_damaged }, None);
    }

    /// Everything encoded has been handed to the kernel: auto deliveries are settled by that.
    pub(super) async fn all_written(&mut self) {
        for (subscription, through) in self.deliveries.encoded.drain(..) {
            self.batch.ask(Request::Written { subscription, through }, None);
        }
        self.flush_batch().await;
    }
}

fn is_stored(event: &Event) -> bool {
    matches!(event, Event::Deliver(Delivery { payload: Payload::Stored { .. }, .. }))
}
