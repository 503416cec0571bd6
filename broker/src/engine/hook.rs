//! What happens to jobs, told on topics to whoever listens: `/topic/Kolejka.Job.<event>.<queue>` and, where ActiveMQ says the
//! same, its advisory. Of all jobs, whether somebody follows them or not; never with a token or a result.
//!
//! While nobody listens to any such topic this costs a look at a number.

use super::machine::Engine;
use crate::destination::{ConsumerKey, Reach};
use crate::jobs::{Head, event};
use crate::model::{
    Answer, Content, DestinationId, DestinationKind, DestinationName, JobError, JobState, MessageId, Now, Pause,
    Submission,
};

/// What it costs to put down what happened, and to announce it on a topic, in steps.
const PUT_DOWN: u64 = 5;
const ANNOUNCED: u64 = 6;

/// One thing that happened to a job.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fact<'a> {
    /// Its word, as in the names of the topics.
    pub(super) event: &'static str,
    /// Which job.
    pub(super) job: MessageId,
    /// Where it stands now.
    pub(super) state: JobState,
    /// After how many attempts.
    pub(super) attempt: u16,
    /// What the worker said, if it failed.
    pub(super) error: Option<&'a JobError>,
    /// A record says so, which may still be on its way to the log.
    pub(super) is_logged: bool,
}

impl Engine {
    /// Whether somebody listens to what happens to jobs.
    pub(super) fn is_overheard(&self) -> bool {
        self.ears > 0
    }

    /// Something happened to a job.
    pub(super) fn hook(&mut self, now: Now, at: DestinationId, fact: Fact<'_>) {
        let Some(queue) = self.hooked(at) else { return };
        let Fact { event: word, job, state, attempt, error, is_logged } = fact;
        let row = self.jobs.get(job);
        self.steps.charge(PUT_DOWN);
        let document = event(word, (job, queue.as_str(), state, attempt), error, row);
        if is_logged {
            self.outbox.change();
        }
        self.call(now, (word, &queue), &document);
        if matches!(state, JobState::Completed | JobState::Cancelled | JobState::Expired | JobState::Failed)
            && self.queue_mut(at).is_some_and(|queue| queue.is_empty())
        {
            let document =
                format!("{{\"event\":\"queue-empty\",\"queue\":{}}}", super::document::quoted(queue.as_str()));
            self.call(now, ("queue-empty", &queue), &document);
        }
    }

    /// A queue has taken a message in.
    #[inline]
    pub(super) fn hook_submitted(&mut self, now: Now, (at, job): (DestinationId, MessageId), is_logged: bool) {
        if self.is_overheard() && !self.announcements.is_event() {
            let state = self.jobs.get(job).map_or(JobState::Ready, |row| row.status.state);
            self.hook(now, at, Fact { event: "submitted", job, state, attempt: 0, error: None, is_logged });
        }
    }

    /// A message was sent whose job was there already.
    pub(super) fn hook_duplicate(&mut self, now: Now, at: DestinationId, known: &Answer) {
        if let Answer::Submitted(Submission { job, .. }) = *known
            && self.is_overheard()
        {
            let state = self.jobs.get(job).map_or(JobState::Ready, |row| row.status.state);
            let fact = Fact { event: "duplicate", job, state, attempt: 0, error: None, is_logged: false };
            self.hook(now, at, fact);
        }
    }

    /// A consumer came to one queue.
    pub(super) fn hook_consumer(&mut self, now: Now, key: ConsumerKey, word: &'static str) {
        if self.is_overheard()
            && let Some(Reach::One(at)) = self.consumers.get(key).map(|consumer| &consumer.reach)
        {
            self.hook_worker(now, *at, word);
        }
    }

    /// A consumer came to a queue, or went.
    pub(super) fn hook_worker(&mut self, now: Now, at: DestinationId, word: &'static str) {
        let Some(queue) = self.hooked(at) else { return };
        let consumers = self.queue_mut(at).map_or(0, |queue| queue.consumers());
        let name = super::document::quoted(queue.as_str());
        let document = format!("{{\"event\":\"{word}\",\"queue\":{name},\"consumers\":{consumers}}}");
        self.call(now, (word, &queue), &document);
    }

    /// A side of a queue stands still from now on.
    pub(super) fn hook_paused(&mut self, now: Now, at: DestinationId, pause: Pause) {
        let Some(queue) = self.hooked(at) else { return };
        let (name, standing) = (super::document::quoted(queue.as_str()), super::manage::standing(pause));
        let document = format!("{{\"event\":\"queue-paused\",\"queue\":{name},{standing}}}");
        // A pause is a record.
        self.outbox.change();
        self.call(now, ("queue-paused", &queue), &document);
    }

    /// The name of a queue whose jobs are told of: not of one that the broker has made for itself, and not of one that
    /// events feed, or each event would be followed by another about itself.
    fn hooked(&self, at: DestinationId) -> Option<DestinationName> {
        let kind = &self.destinations.get(&at)?.kind;
        let is_fed_by_events =
            kind.queue().and_then(|queue| queue.fed.as_ref()).is_some_and(|fed| fed.topics.is_of_the_server());
        let is_told = self.is_overheard() && kind.name().kind() == DestinationKind::Queue && !is_fed_by_events;
        is_told.then(|| kind.name().clone())
    }

    fn call(&mut self, now: Now, (word, queue): (&str, &DestinationName), document: &str) {
        let own = DestinationName::topic(&format!("Kolejka.Job.{word}.{}", queue.path()));
        let advisory = advisory(word).map(|kind| format!("ActiveMQ.Advisory.{kind}.Queue.{}", queue.path()));
        let advisory = advisory.and_then(|path| DestinationName::topic(&path).ok());
        for topic in own.into_iter().chain(advisory) {
            self.steps.charge(1);
            if !self.is_heard(&topic) {
                continue;
            }
            self.steps.charge(ANNOUNCED);
            let head = Head::default()
                .line("destination", topic.as_str())
                .line("content-type", "application/json")
                .line("x-event", word)
                .number("timestamp", now.wall.0);
            self.announce(topic, Content::new(head.as_bytes(), document.to_owned().into()));
        }
    }

    fn is_heard(&self, topic: &DestinationName) -> bool {
        self.router.resolve(topic).is_some() || !self.watchers.matching(topic).is_empty() || self.is_fed(topic)
    }
}

/// What ActiveMQ calls it.
fn advisory(word: &str) -> Option<&'static str> {
    match word {
        "reserved" => Some("MessageDelivered"),
        "completed" => Some("MessageConsumed"),
        "failed" => Some("MessageDLQd"),
        "expired" => Some("Expired"),
        "worker-online" | "worker-offline" => Some("Consumer"),
        _ => None,
    }
}
