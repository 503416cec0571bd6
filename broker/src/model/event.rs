//! What the engine tells a client's session.

use std::sync::Arc;

use super::{Content, DestinationName, End, JobToken, MessageId, Position, Refusal, Stage};
use super::{SubscriptionId, Ticket, Timestamp};

/// One thing told.
#[derive(Clone, Debug)]
pub enum Event {
    /// A message for a subscription.
    Deliver(Delivery),
    /// A subscription has ended, behind the deliveries told so far. What is unsettled stays so.
    End {
        /// Which.
        subscription: SubscriptionId,
        /// Why.
        why: End,
    },
    /// Every append of this session up to that ticket is durable: its receipts may leave.
    Durable(Ticket),
    /// The engine ends the session, and says why.
    Disconnect(Refusal),
}

/// A message on its way to a consumer.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// For which subscription.
    pub subscription: SubscriptionId,
    /// Number of this delivery among those of its subscription, from 1.
    pub number: u64,
    /// Which message.
    pub message: MessageId,
    /// Settled as soon as the kernel has it ([`AckMode::Auto`](super::AckMode::Auto)): the shell says when.
    pub auto: bool,
    /// The session holds the same message through another subscription too: its ack token must tell the two apart.
    pub held_twice: bool,
    /// The session may have been given the same message before: its ack token must tell this delivery from the earlier ones.
    pub is_numbered: bool,
    /// Number of this attempt: 1 at first, 2 at the first retry.
    pub attempt: u16,
    /// It may have been handed to a client before.
    pub redelivered: bool,
    /// Whether a queue waits for its end, and how long.
    pub lease: Lease,
    /// Why it is in a dead-letter queue, if it is.
    pub death: Option<Arc<DeathNote>>,
    /// The destination it comes from, where neither the message nor the subscription says so: a dead letter that a wildcard
    /// subscription reads.
    pub from: Option<Box<DestinationName>>,
    /// It is followed: its queue says so, and the engine puts the token there.
    pub tracked: bool,
    /// It is an event that the broker has told, or a copy of one.
    pub is_event: bool,
    /// By which it is followed.
    pub token: Option<Box<JobToken>>,
    /// Head and body, or where to read them.
    pub payload: Payload,
}

/// How a queue's message is out with a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It is not: a topic's message, or one that is settled as soon as it is written.
    None,
    /// It is not: somebody looks at it where it is.
    Seen(Stage),
    /// Until it is settled or the consumer goes.
    Bound,
    /// Until that moment at the latest.
    Until {
        /// When it comes back by itself.
        end: Timestamp,
        /// How long that is from its handing out, in milliseconds.
        time_to_run_ms: u32,
    },
}

/// Head and body of a delivery.
#[derive(Clone, Debug)]
pub enum Payload {
    /// In memory.
    Memory(Content),
    /// In the log; the shell reads it there. The engine never waits for a disk.
    Stored {
        /// Where.
        position: Position,
        /// Octets of head and body.
        size: u32,
    },
}

impl Payload {
    /// Where to read it, if it is not in memory.
    pub fn position(&self) -> Option<Position> {
        match self {
            Payload::Memory(_) => None,
            Payload::Stored { position, .. } => Some(*position),
        }
    }

    /// Octets of head and body.
    pub fn len(&self) -> usize {
        match self {
            Payload::Memory(content) => content.len(),
            Payload::Stored { size, .. } => *size as usize,
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a dead-letter queue knows about a message's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeathNote {
    /// The queue it came from.
    pub origin: DestinationName,
    /// Why it left.
    pub reason: DeathReason,
    /// How often it had been delivered there.
    pub attempts: u16,
    /// What the consumer said, at most 256 octets.
    pub error: Option<Arc<str>>,
}

/// Why a message was dead-lettered (`x-death-reason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeathReason {
    /// NACK with `requeue:false`.
    Nack,
    /// The policy's deliveries are used up.
    Deliveries,
    /// Its time was over before anybody took it.
    Expired,
}

impl DeathReason {
    /// Its word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            DeathReason::Nack => "nack",
            DeathReason::Deliveries => "deliveries",
            DeathReason::Expired => "expired",
        }
    }
}
