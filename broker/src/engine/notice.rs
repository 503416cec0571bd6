//! Who follows a job is told what happens to it: those who watch it, and those who wait for its result.
//!
//! What is told rests on records that may still be on their way to the log, so it waits for them in the outbox.

use bytes::Bytes;

use super::address::Part;
use super::announce::Announcement;
use super::backlog::TopicMessage;
use super::happening::Word;
use super::hook::Fact;
use super::machine::Engine;
use crate::destination::ConsumerKey;
use crate::jobs::{Head, Row, document, unknown};
use crate::model::{
    Content, DestinationKind, DestinationName, Effects, JobResult, JobState, JobToken, MessageId, Now, Payload,
    ResultBody, Status, Ticket, Waiter,
};

/// Something to be told, or to be done then.
#[derive(Debug)]
pub(super) enum Notice {
    /// To a destination.
    Publish(Box<Announcement>),
    /// To one who has begun to watch.
    Greet(ConsumerKey, Payload),
    /// A job that nobody may touch before the log has it is not wanted any more.
    Cancel(MessageId),
}

impl Engine {
    /// A job stands otherwise than before.
    pub(super) fn tell_state(&mut self, now: Now, job: MessageId) {
        let Some(row) = self.jobs.get(job) else { return };
        let is_final = row.status.state.is_final();
        if is_final && !row.status.waiters.is_empty() {
            self.tell_waiters(now, job);
        }
        self.tell_result(now, job);
        self.tell_watchers(now, job, if is_final { "final" } else { "state" });
    }

    /// A result that does not stand in the document comes before the end, as it is.
    fn tell_result(&mut self, now: Now, job: MessageId) {
        let Some(Word::Result { job: of, content_type, body }) = self.word.clone() else { return };
        let Some(status) = self.jobs.get(job).map(|row| &row.status).filter(|_| of == job) else { return };
        let is_told = status.state == JobState::Completed && status.result.as_ref().is_some_and(is_apart);
        if is_told && self.is_watched(status.token) {
            let to = DestinationName::job(status.token);
            let content = self.result_content(now, job, content_type.as_deref(), body);
            self.announce(to, content);
        }
    }

    /// A result as a message to those who watch its job.
    pub(super) fn result_content(&self, now: Now, job: MessageId, content_type: Option<&str>, body: Bytes) -> Content {
        let token = self.jobs.get(job).map_or(JobToken::from_bits(0), |row| row.status.token);
        watch(now, token, "result", content_type, body)
    }

    /// Tells how far a job is.
    pub(super) fn tell_progress(&mut self, now: Now, job: MessageId) {
        let Some(row) = self.jobs.get(job).filter(|row| !row.status.state.is_final()) else { return };
        let (at, state, attempt) = (row.at, row.status.state, row.status.attempt);
        self.tell_watchers(now, job, "progress");
        if let Some((at, _)) = at.filter(|_| self.is_overheard()) {
            let fact = Fact { event: "progress", job, state, attempt, error: None, is_logged: false };
            self.hook(now, at, fact);
        }
    }

    /// Tells what a worker sends on the way.
    pub(super) fn tell_data(&mut self, now: Now, job: MessageId, part: Part<'_>) {
        let Some(row) = self.jobs.get(job) else { return };
        let (is_warning, content_type, body) = part;
        let event = if is_warning { "warning" } else { "data" };
        let (token, waiters) = (row.status.token, row.status.waiters.clone());
        for waiter in waiters {
            let head = answer_head(&waiter, token, event).maybe("content-type", content_type);
            self.announce(waiter.to, Content::new(head.as_bytes(), body.clone()));
        }
        if self.is_watched(token) {
            let content = watch(now, token, event, content_type, body);
            self.announce(DestinationName::job(token), content);
        }
    }

    fn tell_watchers(&mut self, now: Now, job: MessageId, event: &str) {
        let Some(row) = self.jobs.get(job).filter(|row| self.is_watched(row.status.token)) else { return };
        let (to, content) = (DestinationName::job(row.status.token), self.present(now, row, event));
        self.announce(to, content);
    }

    fn is_watched(&self, token: JobToken) -> bool {
        self.router.resolve(&DestinationName::job(token)).is_some()
    }

    /// The same for whoever watches at that address.
    pub(super) fn greet_at(&mut self, now: Now, key: ConsumerKey, at: &DestinationName, effects: &mut Effects) {
        if let Ok(token) = at.path().parse() {
            self.greet(now, key, token, effects);
        }
    }

    /// The present state for one who has begun to watch, with what is kept of the data behind it.
    pub(super) fn greet(&mut self, now: Now, key: ConsumerKey, token: JobToken, effects: &mut Effects) {
        let Some(row) = self.jobs.find(token) else {
            let head = watch_head(now, token, "final").line("content-type", "application/json").line("x-final", "true");
            return self.welcome(key, Content::new(head.as_bytes(), unknown(token).into()), effects);
        };
        let event = if row.status.state.is_final() { "final" } else { "state" };
        let content = self.present(now, row, event);
        let data = row.data().clone();
        self.welcome(key, content, effects);
        if !data.is_empty() {
            self.welcome(key, watch(now, token, "data", None, data), effects);
        }
        if let Some(payload) = self.result_apart(now, token) {
            self.greet_with(key, payload, effects);
        }
    }

    /// A result that does not stand in the document, if it is kept.
    fn result_apart(&self, now: Now, token: JobToken) -> Option<Payload> {
        let status = &self.jobs.find(token)?.status;
        let result = status.result.as_ref().filter(|result| is_apart(result))?;
        match self.read_result(&result.body)? {
            // What stays with the status has no head yet.
            Payload::Memory(content) if content.head().is_empty() => {
                let body = Bytes::copy_from_slice(content.body());
                Some(Payload::Memory(watch(now, token, "result", result.content_type.as_deref(), body)))
            }
            payload => Some(payload),
        }
    }

    fn welcome(&mut self, key: ConsumerKey, content: Content, effects: &mut Effects) {
        self.greet_with(key, Payload::Memory(content), effects);
    }

    fn greet_with(&mut self, key: ConsumerKey, payload: Payload, effects: &mut Effects) {
        if self.outbox.is_clear() {
            self.hand(key, payload, effects);
        } else {
            self.outbox.push(Notice::Greet(key, payload));
        }
    }

    /// Gives a message to one who watches.
    fn hand(&mut self, key: ConsumerKey, payload: Payload, effects: &mut Effects) {
        let message = self.ids.next(&mut effects.records);
        self.pass_on(key, &mut TopicMessage { message, payload, expires: None, charge: None, unjudged: None }, effects);
    }

    /// All that is known of a job, as JSON.
    pub(super) fn document_of(&self, row: &Row) -> String {
        document(row, row.status.result.as_ref().is_none_or(|result| self.has_result(&result.body)))
    }

    /// The same as a message to those who watch it.
    fn present(&self, now: Now, row: &Row, event: &str) -> Content {
        let head = watch_head(now, row.status.token, event)
            .line("content-type", "application/json")
            .maybe("x-final", row.status.state.is_final().then_some("true"));
        Content::new(head.as_bytes(), self.document_of(row).into())
    }

    /// Whoever waits for the result gets it; where there is none, the document.
    fn tell_waiters(&mut self, now: Now, job: MessageId) {
        let Some(row) = self.jobs.get(job) else { return };
        let Status { token, state, ref waiters, .. } = row.status;
        let (waiters, durable) = (waiters.clone(), row.durable);
        let (content_type, body) = match &self.word {
            Some(Word::Result { job: of, content_type, body }) if *of == job && state == JobState::Completed => {
                (content_type.as_deref().map(str::to_owned), body.clone())
            }
            _ => (Some("application/json".to_owned()), Bytes::from(self.document_of(row))),
        };
        for waiter in waiters {
            let head = answer_head(&waiter, token, "final")
                .line("x-final", "true")
                .line("x-state", state.as_str())
                .maybe("content-type", content_type.as_deref())
                .number("timestamp", now.wall.0);
            let content = Content::new(head.as_bytes(), body.clone());
            if durable && waiter.to.kind() == DestinationKind::Queue {
                self.announce_durably(waiter.to, content);
            } else {
                self.announce(waiter.to, content);
            }
        }
    }

    /// What was changed since the last append is in that one.
    pub fn appended(&mut self, ticket: Ticket) {
        self.outbox.appended(ticket);
        self.unlogged.appended(ticket);
    }

    /// The log is durable up to there: what waited for it is told, as far as there are steps. The rest is background work.
    pub(super) fn tell_durable(&mut self, now: Now, through: Ticket, effects: &mut Effects) {
        self.told_through = through;
        self.outbox.settle(through);
        loop {
            self.publish_announced(now, effects);
            // What was said before comes first.
            if self.announcements.are_waiting() || self.is_used_up(effects) {
                return;
            }
            let Some(notice) = self.outbox.pop(through) else { return };
            self.steps.charge(1);
            match notice {
                Notice::Publish(announcement) => self.publish_announcement(now, *announcement, effects),
                Notice::Greet(key, payload) => self.hand(key, payload, effects),
                Notice::Cancel(job) => drop(self.cancel(now, job, effects)),
            }
            self.end_part(now, effects);
        }
    }
}

/// Whether a result is kept and does not stand in the document.
fn is_apart(result: &JobResult) -> bool {
    result.body != ResultBody::Untold && result.text().is_none()
}

/// A message to those who watch a job.
fn watch(now: Now, token: JobToken, event: &str, content_type: Option<&str>, body: Bytes) -> Content {
    Content::new(watch_head(now, token, event).maybe("content-type", content_type).as_bytes(), body)
}

fn watch_head(now: Now, token: JobToken, event: &str) -> Head {
    Head::default()
        .line("destination", DestinationName::job(token).as_str())
        .line("x-event", event)
        .line("x-job-token", &token.to_string())
        .number("timestamp", now.wall.0)
}

/// The head of what is told to somebody who waits.
fn answer_head(waiter: &Waiter, token: JobToken, event: &str) -> Head {
    Head::default()
        .line("destination", waiter.to.as_str())
        .maybe("correlation-id", waiter.correlation.as_deref())
        .line("x-event", event)
        .line("x-job-token", &token.to_string())
}
