//! What is known of a job that is followed: where it stands, how it went, what came of it. It outlives the message.
//!
//! The engine asks it and the log keeps it, by the same rule ([`Status::apply`]), so that both know the same.

use std::sync::Arc;

use bytes::Bytes;

use super::{DestinationName, JobToken, MessageId, Timestamp};

/// How a sender wants its job to be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracking {
    /// Its name; one is made where the sender has none.
    pub token: Option<JobToken>,
    /// What the sender calls such jobs, at most 255 octets.
    pub kind: Option<Arc<str>>,
    /// Whether the body of the result is kept.
    pub keeps_result: bool,
    /// How long the status is kept after the end, in milliseconds; `None` leaves it to the state it ends in.
    pub keep_ms: Option<u64>,
    /// Whoever knows the token may cancel and kick, too.
    pub is_open: bool,
    /// Who waits for the result.
    pub waiter: Option<Waiter>,
    /// If that goes, nobody wants the job any more, unless somebody has begun with it.
    pub drops: bool,
}

/// Who waits for the result of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiter {
    /// Where it is told.
    pub to: DestinationName,
    /// By what it knows the answer, at most 255 octets.
    pub correlation: Option<Arc<str>>,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobState {
    /// It waits for a worker.
    Ready,
    /// It waits for its time.
    Delayed,
    /// It failed, and waits for the next attempt.
    Retrying,
    /// A worker has it.
    Running,
    /// It waits for somebody who kicks it.
    Buried,
    /// Done.
    Completed,
    /// Given up; it may lie in a dead-letter queue.
    Failed,
    /// Somebody did not want it any more.
    Cancelled,
    /// Its time was over before it was done.
    Expired,
}

impl JobState {
    /// All, in the order of their numbers on disk, from 0.
    pub const ALL: [JobState; 9] = [
        JobState::Ready,
        JobState::Delayed,
        JobState::Retrying,
        JobState::Running,
        JobState::Buried,
        JobState::Completed,
        JobState::Failed,
        JobState::Cancelled,
        JobState::Expired,
    ];

    /// Nothing comes after it, but for a redrive.
    pub const fn is_final(self) -> bool {
        matches!(self, JobState::Completed | JobState::Failed | JobState::Cancelled | JobState::Expired)
    }

    /// Its word for those who ask how it goes.
    pub const fn as_str(self) -> &'static str {
        match self {
            JobState::Ready | JobState::Delayed => "waiting",
            JobState::Retrying => "retrying",
            JobState::Running => "running",
            JobState::Buried => "buried",
            JobState::Completed => "completed",
            JobState::Failed => "failed",
            JobState::Cancelled => "cancelled",
            JobState::Expired => "expired",
        }
    }

    /// Its word for those who know the queue.
    pub const fn raw(self) -> &'static str {
        match self {
            JobState::Ready => "READY",
            JobState::Delayed | JobState::Retrying => "DELAYED",
            JobState::Running => "RESERVED",
            JobState::Buried => "BURIED",
            JobState::Completed => "DONE",
            JobState::Failed => "FAILED",
            JobState::Cancelled => "CANCELLED",
            JobState::Expired => "EXPIRED",
        }
    }

    /// How long a status is kept after this end, in milliseconds, where the sender does not say: a day, failures a week.
    pub const fn keep_ms(self) -> u64 {
        const DAY: u64 = 24 * 60 * 60 * 1000;
        if matches!(self, JobState::Failed) { 7 * DAY } else { DAY }
    }
}

/// Why an attempt failed, in the worker's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobError {
    /// Which attempt, from 1.
    pub attempt: u16,
    /// What kind of error, at most 255 octets.
    pub class: Option<Arc<str>>,
    /// What happened, at most 1,024 octets.
    pub message: Arc<str>,
    /// Where, at most 8,192 octets.
    pub trace: Option<Arc<str>>,
}

/// What came of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobResult {
    /// What it is, at most 255 octets.
    pub content_type: Option<Arc<str>>,
    /// Octets.
    pub size: u32,
    /// The octets themselves.
    pub body: ResultBody,
}

/// Where the octets of a result are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResultBody {
    /// Nobody wanted them kept.
    Untold,
    /// Here: there are at most [`JobResult::SMALL`].
    Small(Bytes),
    /// They are the body of a message in the queue of results, with that sequence there.
    Stored {
        /// The message.
        message: MessageId,
        /// Its place.
        sequence: i64,
    },
}

impl JobResult {
    /// Octets of a result that stays with the status.
    pub const SMALL: usize = 4096;
    /// Most octets of a result.
    pub const BYTES: usize = 1 << 20;

    /// The result as a text, if it is one and stays with the status.
    pub fn text(&self) -> Option<&str> {
        match &self.body {
            ResultBody::Small(body) => std::str::from_utf8(body).ok(),
            ResultBody::Untold | ResultBody::Stored { .. } => None,
        }
    }
}

/// All that outlives a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The job's message.
    pub job: MessageId,
    /// Its name for others.
    pub token: JobToken,
    /// Who sent it; `None` without users, and for a job of an earlier version.
    pub owner: Option<Arc<str>>,
    /// The queue it was sent to, or moved to.
    pub queue: DestinationName,
    /// What its sender calls such jobs.
    pub kind: Option<Arc<str>>,
    /// See [`Tracking::keeps_result`].
    pub keeps_result: bool,
    /// See [`Tracking::is_open`].
    pub is_open: bool,
    /// See [`Tracking::keep_ms`].
    pub keep_ms: Option<u64>,
    /// Who waits for the result, at most [`Status::WAITERS`].
    pub waiters: Vec<Waiter>,
    /// Where it stands.
    pub state: JobState,
    /// Attempts so far, the one at work included.
    pub attempt: u16,
    /// Attempts before it is given up.
    pub max_deliveries: u16,
    /// When it was sent.
    pub created: Timestamp,
    /// When it was last heard of.
    pub updated: Timestamp,
    /// Not handed out before.
    pub due: Option<Timestamp>,
    /// Not handed out after.
    pub expires: Option<Timestamp>,
    /// When the last attempt began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Why attempts failed, the last [`Status::ERRORS`] of them, oldest first.
    pub errors: Vec<Arc<JobError>>,
    /// What came of it.
    pub result: Option<JobResult>,
}

impl Status {
    /// Errors that are kept.
    pub const ERRORS: usize = 3;
    /// Destinations that may wait for one result.
    pub const WAITERS: usize = 64;

    /// A change. The one rule by which a status changes.
    pub fn apply(&mut self, report: &Report) {
        self.state = report.state;
        self.attempt = report.attempt;
        self.due = report.due;
        self.updated = report.at;
        self.finished = report.state.is_final().then_some(report.at);
        if report.state == JobState::Running {
            self.started = Some(report.at);
        }
        if let Some(queue) = &report.queue {
            self.queue = queue.clone();
        }
        if let Some(error) = &report.error {
            if self.errors.len() >= Self::ERRORS {
                self.errors.remove(0);
            }
            self.errors.push(error.clone());
        }
        self.result.clone_from(&report.result);
    }

    /// One more destination waits for the result; beyond the limit it is not told.
    pub fn attach(&mut self, waiter: Waiter) {
        if self.waiters.len() < Self::WAITERS && !self.waiters.contains(&waiter) {
            self.waiters.push(waiter);
        }
    }

    /// When it is forgotten, once it has ended.
    pub fn end(&self) -> Option<Timestamp> {
        let keep = self.keep_ms.unwrap_or(self.state.keep_ms());
        self.finished.map(|finished| Timestamp(finished.0.saturating_add(keep)))
    }

    /// About how many octets it takes.
    pub fn bytes(&self) -> usize {
        const EACH: usize = 320;
        let text = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        let error = |e: &Arc<JobError>| 64 + e.message.len() + text(&e.class) + text(&e.trace);
        let waiter = |w: &Waiter| 64 + w.to.as_str().len() + text(&w.correlation);
        let result = self.result.as_ref().map_or(0, |result| {
            let body = if let ResultBody::Small(body) = &result.body { body.len() } else { 0 };
            text(&result.content_type) + body
        });
        let errors: usize = self.errors.iter().map(error).sum();
        EACH + text(&self.kind) + errors + self.waiters.iter().map(waiter).sum::<usize>() + result
    }
}

/// A change of a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whose.
    pub job: MessageId,
    /// When.
    pub at: Timestamp,
    /// Where it stands from now on.
    pub state: JobState,
    /// See [`Status::attempt`].
    pub attempt: u16,
    /// See [`Status::due`].
    pub due: Option<Timestamp>,
    /// Where it was moved to, if it was.
    pub queue: Option<DestinationName>,
    /// Why an attempt failed, if one did.
    pub error: Option<Arc<JobError>>,
    /// What came of it, if it is done.
    pub result: Option<JobResult>,
}

impl Report {
    /// Most bytes that it takes in a log.
    pub fn bytes(&self) -> usize {
        const FIXED: usize = 128;
        let text = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        let error = self.error.as_ref().map_or(0, |e| e.message.len() + text(&e.class) + text(&e.trace));
        let result = self.result.as_ref().map_or(0, |result| {
            let body = if let ResultBody::Small(body) = &result.body { body.len() } else { 0 };
            text(&result.content_type) + body
        });
        FIXED + error + result + self.queue.as_ref().map_or(0, |queue| queue.as_str().len())
    }
}
