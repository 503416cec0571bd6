//! What the log keeps: facts about durable state. Replaying them gives the same engine.
//!
//! Records name destinations, messages and places, never a connection. Each change of durable state is one record;
//! what lives in memory only (topics, temporary destinations, transient messages) leaves none.

use std::sync::Arc;

use super::{
    Content, DeathNote, DestinationId, DestinationName, Limited, MessageId, Pattern, Paused, Place, Position, Standing,
    Terms, Urgency,
};
use super::{Report, Schedule, Status, Timestamp, Waiter};

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A destination that holds durable messages came to be.
    Created {
        /// Its number, never used again.
        destination: DestinationId,
        /// Its name.
        name: DestinationName,
    },
    /// A destination was removed; it was empty.
    Deleted {
        /// Which.
        destination: DestinationId,
    },
    /// A message entered a queue.
    Accepted(Accepted),
    /// A message left for good.
    Settled(Settled),
    /// A delivery ended without success; the message is back in its place, or waits before it is.
    Returned(Returned),
    /// A message has another urgency.
    Ranked(Ranked),
    /// A message that was delayed or buried is ready: its time has come, or somebody kicked it.
    Woken(Woken),
    /// A schedule has a new plan: it has sent a message, and when it sends the next.
    Scheduled(Scheduled),
    /// A message went to another queue, keeping its id; its content stays where it is.
    Moved(Moved),
    /// A queue is fed by topics from now on.
    Bound(Bound),
    /// A queue is not fed any more and has no name; what is in it goes, then itself.
    Unbound {
        /// Which.
        queue: DestinationId,
    },
    /// A destination saw a key: a message that comes with it again is a duplicate.
    Keyed(Keyed),
    /// A job is followed from now on.
    Tracked(Box<Status>),
    /// What is known of a job that is followed has changed.
    Reported(Box<Report>),
    /// One more destination waits for the result of a job.
    Attached {
        /// Which job.
        job: MessageId,
        /// Who.
        waiter: Box<Waiter>,
    },
    /// Nothing is known of a job any more.
    Forgotten {
        /// Which.
        job: MessageId,
    },
    /// A queue stands still from now on, or goes on.
    Paused(Paused),
    /// A queue was made with limits of its own.
    Limited(Limited),
    /// Message ids below this sequence may be in use.
    IdBlock {
        /// First sequence that certainly is not.
        next: u64,
    },
    /// The process before this one ended without a word: messages with ids below this sequence may have been handed out,
    /// and are marked so for good.
    Suspected {
        /// First sequence that certainly has not been.
        below: u64,
    },
}

impl Record {
    /// Most bytes that a record takes in a log beside what it holds of texts, terms and contents.
    pub const OVERHEAD_BYTES: usize = 256;

    /// Most bytes that it takes in a log. In one append a body of at least [`Content::SHARED_IN_LOG`] bytes is stored once
    /// for all messages in a row that share it: from the second on, [`Accepted::bytes_of_copy`] counts.
    pub fn bytes(&self) -> usize {
        let name = |name: &DestinationName| name.as_str().len();
        let text = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
        let note = |note: &Arc<DeathNote>| name(&note.origin) + text(&note.error);
        Self::OVERHEAD_BYTES
            + match self {
                Record::Accepted(accepted) => {
                    accepted.content.as_ref().map_or(0, Content::len) + accepted.bytes_of_terms()
                }
                Record::Moved(moved) => moved.note.as_ref().map_or(0, note),
                Record::Created { name: created, .. } => name(created),
                Record::Bound(bound) => bound.topics.as_str().len() + text(&bound.selector),
                Record::Keyed(keyed) => keyed.key.len(),
                Record::Tracked(status) => status.bytes() + name(&status.queue),
                Record::Reported(report) => report.bytes(),
                Record::Attached { waiter, .. } => name(&waiter.to) + text(&waiter.correlation),
                Record::Limited(limited) => limited.limits.dead_letter.as_ref().map_or(0, name),
                Record::Scheduled(scheduled) => scheduled.schedule.bytes(),
                Record::Settled(_)
                | Record::Returned(_)
                | Record::Ranked(_)
                | Record::Woken(_)
                | Record::Deleted { .. }
                | Record::Unbound { .. }
                | Record::Forgotten { .. }
                | Record::Paused(_)
                | Record::IdBlock { .. }
                | Record::Suspected { .. } => 0,
            }
    }
}

impl Accepted {
    /// Most bytes that it takes in a log behind another of the same append that has the same body.
    pub fn bytes_of_copy(&self) -> usize {
        let body = self.content.as_ref().map_or(0, |content| match content.body().len() {
            shared if shared >= Content::SHARED_IN_LOG => content.head().len(),
            _ => content.len(),
        });
        Record::OVERHEAD_BYTES + body + self.bytes_of_terms()
    }

    fn bytes_of_terms(&self) -> usize {
        self.terms.as_ref().map_or(0, |terms| terms.bytes())
    }
}

/// A key by which a message that is sent again is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyed {
    /// The queue.
    pub queue: DestinationId,
    /// The key, as the client made it.
    pub key: Arc<str>,
    /// When.
    pub at: Timestamp,
}

/// A queue that is fed by topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The queue.
    pub queue: DestinationId,
    /// The topics.
    pub topics: Pattern,
    /// How many milliseconds it is kept without a reader; `None`: for ever.
    pub expires_after: Option<u64>,
    /// The selector of the messages that it takes; `None`: all.
    pub selector: Option<Arc<str>>,
}

/// A message that entered a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The queue.
    pub destination: DestinationId,
    /// The message.
    pub message: MessageId,
    /// Its place there.
    pub place: Place,
    /// Octets of head and body.
    pub size: u32,
    /// Head and body; `None` at replay, where they stay in the log until somebody reads them.
    pub content: Option<Content>,
    /// What its sender said about time and failures.
    pub terms: Option<Box<Terms>>,
}

/// A message that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The queue it was in.
    pub destination: DestinationId,
    /// The message.
    pub message: MessageId,
    /// Its place there.
    pub place: Place,
    /// Where its content lies, so that the log can free it.
    pub position: Position,
}

/// A message whose delivery ended without success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// The queue it is in.
    pub destination: DestinationId,
    /// The message.
    pub message: MessageId,
    /// Its place there.
    pub place: Place,
    /// Where its content lies.
    pub position: Position,
    /// Failed deliveries so far.
    pub attempts: u16,
    /// NACKs among them, which the back-off goes by; more than 255 make no difference.
    pub nacks: u8,
    /// How it stands now.
    pub standing: Standing,
}

/// A message with another urgency; its sequence stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// The queue it is in.
    pub destination: DestinationId,
    /// The message.
    pub message: MessageId,
    /// Its place there before.
    pub place: Place,
    /// Where its content lies.
    pub position: Position,
    /// Its urgency from now on.
    pub urgency: Urgency,
}

/// A message that waits no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Woken {
    /// The queue it is in.
    pub destination: DestinationId,
    /// The message.
    pub message: MessageId,
    /// Where its content lies.
    pub position: Position,
}

/// A schedule after one of its messages was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheduled {
    /// The queue it lies in.
    pub destination: DestinationId,
    /// The message that it is.
    pub message: MessageId,
    /// Its place there.
    pub place: Place,
    /// Where its content lies.
    pub position: Position,
    /// The plan from now on.
    pub schedule: Box<Schedule>,
}

/// A message that changed its queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The message.
    pub message: MessageId,
    /// Where its content lies.
    pub position: Position,
    /// The queue it was in.
    pub from: DestinationId,
    /// Its place there.
    pub from_place: Place,
    /// The queue it is in now.
    pub to: DestinationId,
    /// Its place here.
    pub to_place: Place,
    /// Octets of head and body.
    pub size: u32,
    /// Why, for a dead letter.
    pub note: Option<Arc<DeathNote>>,
    /// What it keeps. `None` for one that begins anew: it is ready, nothing counts any more, and its times are over.
    pub carried: Option<Carried>,
}

/// What a message takes along to another queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Carried {
    /// Failed deliveries so far.
    pub attempts: u16,
    /// NACKs among them.
    pub nacks: u8,
    /// How it stands.
    pub standing: Standing,
}
