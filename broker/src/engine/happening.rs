//! What happens to messages, reported to those who follow them.
//!
//! Each verb of the engine says in one line what it did. A message that nobody follows costs a look at a flag.

use std::sync::Arc;

use bytes::Bytes;

use super::hook::Fact;
use super::machine::Engine;
use crate::destination::{Entry, Return};
use crate::model::{
    DestinationId, DestinationName, Durability, Effects, JobError, JobResult, JobState, Message, MessageId, Now,
    Outcome, Record, Report, ResultBody, SessionId, Standing, Status, Timestamp, Urgency,
};
use crate::seeded::{self, Bug};

/// What happened.
#[derive(Clone, Copy, Debug)]
pub(super) enum Happening {
    /// Nobody holds it any more, and it stands like that.
    Back(Return),
    /// Its time has come.
    Due,
    /// Somebody has kicked it.
    Kicked,
    /// It is in another queue, and stands there as it stood.
    Moved,
    /// It was dead, and begins anew in its queue.
    Reopened,
    /// It has come to that end.
    Over(JobState),
}

/// What a worker says about a delivery, beyond its verdict.
#[derive(Clone, Debug)]
pub(super) enum Word {
    /// Why it failed; the attempt is filled in.
    Error(JobError),
    /// Nothing, and its time was over.
    Late,
    /// What came of one job.
    Result { job: MessageId, content_type: Option<Arc<str>>, body: Bytes },
}

impl Word {
    /// What a verdict says.
    pub(super) fn of(outcome: &Outcome) -> Option<Word> {
        match outcome {
            Outcome::Retry { reason, .. } | Outcome::DeadLetter { reason } => reason.clone().map(Word::failure),
            Outcome::Ranked { outcome, .. } => Word::of(outcome),
            Outcome::Ack | Outcome::Release | Outcome::Bury => None,
        }
    }

    /// An error in so many words.
    pub(super) fn failure(message: Arc<str>) -> Word {
        Word::Error(JobError { attempt: 0, class: None, message, trace: None })
    }
}

impl Engine {
    /// Something happened to a message.
    #[inline]
    pub(super) fn note(
        &mut self,
        now: Now,
        (at, entry): (DestinationId, &Entry),
        happening: Happening,
        effects: &mut Effects,
    ) {
        if entry.is_tracked() {
            self.chronicle(now, (at, entry), happening, effects);
        }
        if self.is_overheard() && !entry.is_event() {
            self.call_out(now, (at, entry), happening);
        }
    }

    /// Whoever listens hears of it.
    fn call_out(&mut self, now: Now, (at, entry): (DestinationId, &Entry), happening: Happening) {
        let is_late = matches!(self.word, Some(Word::Late));
        let (event, state) = match happening {
            Happening::Due => ("due", JobState::Ready),
            Happening::Kicked => ("kicked", JobState::Ready),
            Happening::Moved | Happening::Reopened => ("moved", JobState::Ready),
            Happening::Over(state) => (state.as_str(), state),
            Happening::Back(back) => match back.standing {
                Standing::Buried(_) => ("buried", JobState::Buried),
                _ if is_late => ("timed-out", JobState::Ready),
                _ if back.nacks == entry.nacks => ("released", JobState::Ready),
                Standing::Delayed(_) => ("retried", JobState::Retrying),
                Standing::Ready => ("retried", JobState::Ready),
            },
        };
        let attempt = match happening {
            Happening::Back(back) => back.attempts,
            Happening::Over(JobState::Completed | JobState::Failed) => entry.attempts.saturating_add(1),
            _ => entry.attempts,
        };
        let has_failed = matches!(event, "retried" | "buried" | "failed" | "timed-out");
        let error = self.error(attempt).filter(|_| has_failed);
        let fact =
            Fact { event, job: entry.message, state, attempt, error: error.as_deref(), is_logged: entry.is_durable() };
        self.hook(now, at, fact);
    }

    fn chronicle(
        &mut self,
        now: Now,
        (at, entry): (DestinationId, &Entry),
        happening: Happening,
        effects: &mut Effects,
    ) {
        let job = entry.message;
        let begins_anew = matches!(happening, Happening::Reopened);
        let Some(row) = self.jobs.get(job).filter(|row| begins_anew || !row.status.state.is_final()) else { return };
        let durable = row.durable;
        let (state, attempt, due) = stand(happening, entry, &row.status);
        let failed = matches!(state, JobState::Retrying | JobState::Buried | JobState::Failed)
            || matches!(happening, Happening::Back(back) if back.attempts > entry.attempts);
        let error = self.error(attempt).filter(|_| failed);
        let result = if state == JobState::Completed { self.result(now, job, durable, effects) } else { None };
        let is_elsewhere = begins_anew || matches!(happening, Happening::Moved);
        let name = || self.destinations.get(&at).map(|found| found.kind.name().clone());
        let queue = if is_elsewhere { name() } else { None };
        let report = Report { job, at: now.wall, state, attempt, due, queue, error, result };
        self.enter(Record::Reported(Box::new(report)), durable && !seeded::is(Bug::StatusNotLogged), effects);
        if state.is_final() {
            self.make_room_for_jobs(effects);
        }
        self.tell_state(now, job);
    }

    /// Messages that were handed out are being worked at.
    pub(super) fn begin_work(
        &mut self,
        now: Now,
        (at, (job, worker, attempt)): (DestinationId, (MessageId, SessionId, u16)),
        effects: &mut Effects,
    ) {
        if self.is_overheard() {
            let state = JobState::Running;
            let fact = Fact { event: "reserved", job, state, attempt, error: None, is_logged: false };
            self.hook(now, at, fact);
        }
        let Some(row) = self.jobs.get(job).filter(|row| !row.status.state.is_final()) else { return };
        let durable = row.durable;
        let state = JobState::Running;
        let report = Report { job, at: now.wall, state, attempt, due: None, queue: None, error: None, result: None };
        self.enter(Record::Reported(Box::new(report)), durable, effects);
        self.jobs.set_worker(job, format!("{}.{}", worker.index, worker.generation).into());
        self.tell_state(now, job);
    }

    fn error(&self, attempt: u16) -> Option<Arc<JobError>> {
        match &self.word {
            Some(Word::Error(error)) => Some(Arc::new(JobError { attempt, ..error.clone() })),
            Some(Word::Late) => {
                let message = "its time to run was over".into();
                Some(Arc::new(JobError { attempt, class: None, message, trace: None }))
            }
            _ => None,
        }
    }

    /// What came of a job, and where it is kept.
    fn result(&mut self, now: Now, job: MessageId, durable: bool, effects: &mut Effects) -> Option<JobResult> {
        let (content_type, body) = match &self.word {
            Some(Word::Result { job: of, content_type, body }) if *of == job => (content_type.clone(), body.clone()),
            _ => return None,
        };
        let keeps = self.jobs.get(job).is_some_and(|row| row.status.keeps_result);
        let size = body.len() as u32;
        let body = match body.len() {
            _ if !keeps => ResultBody::Untold,
            0..=JobResult::SMALL => ResultBody::Small(body),
            _ => self.store_result(now, (job, content_type.as_deref(), body), durable, effects),
        };
        Some(JobResult { content_type, size, body })
    }

    /// A large result is a message in a queue that nobody reads: its octets lie in the log like those of any other.
    /// Its head is that of the message by which a watcher gets it.
    fn store_result(
        &mut self,
        now: Now,
        (job, content_type, body): (MessageId, Option<&str>, Bytes),
        durable: bool,
        effects: &mut Effects,
    ) -> ResultBody {
        let content = self.result_content(now, job, content_type, body);
        let queue = self.finishing_queue(now, DestinationName::results());
        let Some(place) = self.queue_mut(queue).map(|queue| queue.next_place(Urgency::NORMAL)) else {
            return ResultBody::Untold;
        };
        let message = self.ids.next(&mut effects.records);
        if self.is_full() && self.spills(content.len() as u64) {
            // There is no room for it, neither in the log nor in memory.
            return ResultBody::Untold;
        }
        // On a full disk better kept until the next stop than not kept.
        let durable = durable && !self.is_full();
        let durability = if durable { Durability::Persistent } else { Durability::Transient };
        let new = Message { content, urgency: Urgency::NORMAL, durability, terms: None };
        self.enqueue(now, (queue, message), new, effects);
        ResultBody::Stored { message, sequence: place.sequence }
    }
}

/// Where a job stands after that, after how many attempts, and until when it waits.
fn stand(happening: Happening, entry: &Entry, status: &Status) -> (JobState, u16, Option<Timestamp>) {
    match happening {
        Happening::Due | Happening::Kicked => (JobState::Ready, status.attempt, None),
        Happening::Moved => (status.state, status.attempt, status.due),
        Happening::Reopened => (JobState::Ready, 0, None),
        Happening::Over(state) => (state, status.attempt, None),
        Happening::Back(back) => match back.standing {
            Standing::Ready => (JobState::Ready, back.attempts, None),
            Standing::Delayed(due) if back.attempts > entry.attempts => (JobState::Retrying, back.attempts, Some(due)),
            Standing::Delayed(due) => (JobState::Delayed, back.attempts, Some(due)),
            Standing::Buried(_) => (JobState::Buried, back.attempts, None),
        },
    }
}
