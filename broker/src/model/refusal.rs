//! How the engine says no.

use std::sync::Arc;

use thiserror::Error;

use super::{DestinationName, JobToken, MessageId, Right};

/// A request that was not carried out. It ends the session; nothing else of the request happened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The queue is at its limit of messages or octets.
    #[error("the queue is full: {limit}")]
    QueueFull {
        /// Which limit, in words.
        limit: String,
    },
    /// Somebody has paused the queue: it takes nothing in.
    #[error("the queue is paused: it takes no messages until it is resumed")]
    QueuePaused,
    /// Too many destinations exist.
    #[error("there are already {limit} destinations, the most allowed")]
    TooManyDestinations {
        /// The limit.
        limit: usize,
    },
    /// Too many schedules exist.
    #[error("there are already {limit} schedules, the most allowed")]
    TooManySchedules {
        /// The limit.
        limit: usize,
    },
    /// An ACK or NACK names a message that this session never received.
    #[error("no such delivery on this connection")]
    UnknownDelivery,
    /// A transaction settles a delivery that this session does not hold any more; nothing of it happened.
    #[error("the transaction acknowledges a message that this connection does not hold any more")]
    LeaseLost,
    /// The client has no such right.
    #[error("forbidden to {} {name}", .right.as_str())]
    Forbidden {
        /// Which right it would need.
        right: Right,
        /// To which destination, or to all that a pattern means.
        name: Arc<str>,
    },
    /// A user has as many of something as one may have.
    #[error("this user has {limit} {what} already, the most allowed by {key}")]
    UserLimit {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// Its key.
        key: &'static str,
    },
    /// An address has as many of something as one may have, with all its users.
    #[error("this address has {limit} {what} already, the most allowed by {key}")]
    AddressLimit {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// Its key.
        key: &'static str,
    },
    /// A temporary destination belongs to the connection that made it.
    #[error("a temporary destination can be read only by the connection that made it")]
    NotOwner,
    /// Another connection with the same client id reads a durable subscription now.
    #[error("another connection with this client-id has taken the durable subscription over")]
    TakenOver,
    /// Somebody reads a durable subscription or group with another selector.
    #[error("the subscription is being read with another selector")]
    OtherSelector,
    /// A topic subscriber did not keep up.
    #[error("too slow: {limit} wait to be read")]
    SlowConsumer {
        /// What waits, in words.
        limit: String,
    },
    /// Too many jobs are followed, and none of them has ended.
    #[error("{limit} jobs are followed already, the most allowed, and none has ended")]
    TooManyJobs {
        /// The limit.
        limit: usize,
    },
    /// Another message of the queue has the same key.
    #[error("the queue has a message with this x-unique key already")]
    NotUnique,
    /// Another user follows a job by that token.
    #[error("another login follows a job by this x-job-token")]
    TokenTaken,
    /// The log takes nothing more.
    #[error("the disk is full")]
    DiskFull,
    /// The selectors of queues behind a topic would take too long for one message.
    #[error(
        "the selectors of durable subscriptions to {topic} would take {steps} steps for a message, the most allowed are \
         {limit} (limits.topic_selectors)"
    )]
    TooManySelectors {
        /// The topic.
        topic: DestinationName,
        /// What they would take.
        steps: u64,
        /// The limit.
        limit: u64,
    },
    /// What the log keeps beside messages is at its limit, and this would add to it.
    #[error("limits.state is {limit} bytes and {used} are used: nothing is taken that adds to them")]
    StateFull {
        /// Bytes.
        used: u64,
        /// The limit.
        limit: u64,
    },
    /// What a request would append at once is more than may be; nothing of it happened.
    #[error("{size} {unit} would go to the journal at once, the most allowed are {limit} (limits.append.{unit})")]
    TooLarge {
        /// Of what: `bytes` or `messages`.
        unit: &'static str,
        /// How much was counted until it was too much.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// As many queues as may be stand behind a topic.
    #[error("there are already {limit} queues behind {topic}, the most allowed (limits.topic_queues)")]
    TooManyBindings {
        /// The topic.
        topic: DestinationName,
        /// The limit.
        limit: usize,
    },
    /// There is no memory for more.
    #[error("{short}")]
    OutOfMemory {
        /// Which share is used up, its bound and its key, in words.
        short: String,
    },
    /// The broker is about to stop.
    #[error("the server is shutting down")]
    ShuttingDown,
}

impl Refusal {
    /// A stable word for programs, on the wire as `code` and in metrics as `reason`.
    pub const fn code(&self) -> &'static str {
        match self {
            Refusal::QueueFull { .. } => "queue-full",
            Refusal::QueuePaused => "queue-paused",
            Refusal::TooManyDestinations { .. } => "too-many-destinations",
            Refusal::TooManySchedules { .. } => "too-many-schedules",
            Refusal::UnknownDelivery => "unknown-delivery",
            Refusal::LeaseLost => "lease-lost",
            Refusal::Forbidden { .. } => "forbidden",
            Refusal::UserLimit { .. } => "user-limit",
            Refusal::AddressLimit { .. } => "address-limit",
            Refusal::NotOwner => "not-owner",
            Refusal::TakenOver => "taken-over",
            Refusal::OtherSelector => "other-selector",
            Refusal::SlowConsumer { .. } => "slow-consumer",
            Refusal::TooManyJobs { .. } => "too-many-jobs",
            Refusal::NotUnique => "not-unique",
            Refusal::TokenTaken => "token-taken",
            Refusal::DiskFull => "disk-full",
            Refusal::StateFull { .. } => "state-full",
            Refusal::TooLarge { .. } => "too-large",
            Refusal::TooManyBindings { .. } => "too-many-bindings",
            Refusal::TooManySelectors { .. } => "too-many-selectors",
            Refusal::OutOfMemory { .. } => "out-of-memory",
            Refusal::ShuttingDown => "shutting-down",
        }
    }
}

/// What the engine says of a request that it processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Done,
    /// A queue has taken a message, or had taken it before.
    Submitted(Submission),
    /// Done before: the message was sent again, and nothing was to do.
    Duplicate,
    /// A wish for a queue that is not granted, or not in full: the RECEIPT of the frame carries `x-policy-ignored`.
    Unheeded,
    /// Done: a schedule was made, with that id.
    Scheduled(MessageId),
    /// Processed without effect, and nothing is wrong with the client: its RECEIPT carries `x-refused`.
    Soft(SoftRefusal),
}

impl Answer {
    /// Whether a message was taken that was not there before, or whatever else was asked for is done.
    pub fn is_done(&self) -> bool {
        matches!(self, Answer::Done | Answer::Submitted(Submission { is_duplicate: false, .. }))
    }
}

/// What a queue has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The message.
    pub job: MessageId,
    /// By which it is followed, if it is.
    pub token: Option<JobToken>,
    /// It was there before, and this one was not taken.
    pub is_duplicate: bool,
}

/// Why a request had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SoftRefusal {
    /// The delivery was settled before, or went back to its queue.
    NotHolder,
    /// The time of the lease ran out; somebody else may hold the message now.
    LeaseLost,
    /// There is no such job.
    Unknown,
    /// There is no such queue.
    UnknownQueue,
    /// The client has no right to it.
    Forbidden,
    /// The frame does not say what is wanted in words that are known.
    BadRequest,
    /// As much of this kind goes on as may go on at a time.
    Busy,
    /// The queue that messages go to has no room for more.
    QueueFull,
    /// A durable subscription cannot be ended while others read it.
    InUse,
    /// Somebody has cancelled the job meanwhile.
    Cancelled,
    /// The job has ended.
    Final,
    /// The result is larger than is kept.
    TooLarge,
}

impl SoftRefusal {
    /// Its word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            SoftRefusal::NotHolder => "not-holder",
            SoftRefusal::LeaseLost => "lease-lost",
            SoftRefusal::Unknown => "unknown",
            SoftRefusal::UnknownQueue => "unknown-queue",
            SoftRefusal::Forbidden => "forbidden",
            SoftRefusal::BadRequest => "bad-request",
            SoftRefusal::Busy => "busy",
            SoftRefusal::QueueFull => "queue-full",
            SoftRefusal::InUse => "in-use",
            SoftRefusal::Cancelled => "cancelled",
            SoftRefusal::Final => "final",
            SoftRefusal::TooLarge => "too-large",
        }
    }
}
