//! What a client says about one job, at the job's own address.

use std::sync::Arc;

use bytes::Bytes;

use super::{JobError, JobResult, JobToken, MessageId, Outcome, Reply, Which};

/// Which job a client means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobName {
    /// By the name that nobody can guess.
    Token(JobToken),
    /// By a delivery that it holds.
    Delivery {
        /// The message.
        message: MessageId,
        /// Which of its deliveries.
        which: Which,
    },
}

/// One thing said.
#[derive(Clone, Debug)]
pub struct Job {
    /// About which job.
    pub name: JobName,
    /// What.
    pub event: JobEvent,
}

impl Job {
    /// Whether it needs room in the log: a result that is too large for a status is a message of its own.
    pub fn needs_room(&self) -> bool {
        matches!(&self.event, JobEvent::Complete { body, .. } if body.len() > JobResult::SMALL)
    }

    /// Octets that it brings along.
    pub fn bytes(&self) -> usize {
        match &self.event {
            JobEvent::Data { body, .. } | JobEvent::Complete { body, .. } => body.len(),
            JobEvent::Fail { error, .. } => error.trace.as_ref().map_or(0, |trace| trace.len()),
            _ => 0,
        }
    }
}

/// What can be said. All but the last three only by whoever holds the delivery.
#[derive(Clone, Debug)]
pub enum JobEvent {
    /// More time for the delivery, in milliseconds from now; `None` for the whole time again.
    Touch(Option<u32>),
    /// How far it is.
    Progress(Progress),
    /// A part of what it makes, or a word on the side.
    Data {
        /// It is only a word on the side, and not kept.
        is_warning: bool,
        /// What it is, at most 255 octets.
        content_type: Option<Arc<str>>,
        /// The part.
        body: Bytes,
    },
    /// Done, and this came of it.
    Complete {
        /// The delivery that is acknowledged by it, where the client names one.
        delivery: Option<(MessageId, Which)>,
        /// What it is, at most 255 octets.
        content_type: Option<Arc<str>>,
        /// The result, at most [`JobResult::BYTES`](super::JobResult::BYTES).
        body: Bytes,
    },
    /// Not done.
    Fail {
        /// What is to become of it: a retry, a burial or the dead-letter queue.
        outcome: Outcome,
        /// Why.
        error: JobError,
    },
    /// Nobody wants it any more. Who may manage the queue may say so, and who has the token of an open job.
    Cancel,
    /// It is to be ready at once, if it waits or is buried. The same may say so.
    Kick,
    /// How does it stand?
    Get(Option<Reply>),
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// So much of it is done.
    pub done: u64,
    /// Of so much.
    pub of: u64,
    /// In words, at most [`Progress::TEXT_BYTES`] octets.
    pub text: Box<str>,
}

impl Progress {
    /// Octets of its words.
    pub const TEXT_BYTES: usize = 1024;
}
