//! A queue or a topic, with what the engine needs to know about either.

use std::time::Duration;

use crate::destination::{Queue, Topic};
use crate::model::{DestinationName, SessionId, Timestamp, Whose};

/// A queue or a topic, and what the engine needs to know about either.
#[derive(Debug)]
pub(super) struct Destination {
    pub(super) kind: Kind,
    /// It waits in `touched`.
    pub(super) touched: bool,
    /// It waits among what was left for background work.
    pub(super) is_late: bool,
    /// Its moment has come, and it waits to be dealt with.
    pub(super) is_due: bool,
    /// The session whose temporary destination it is.
    pub(super) owner: Option<SessionId>,
    /// Who made it.
    pub(super) maker: Option<Whose>,
    /// A check for idleness is scheduled.
    pub(super) idle_check: bool,
    pub(super) last_used: Duration,
    /// Under which moment it is in the scheduler.
    pub(super) moment: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) enum Kind {
    Queue(Box<Queue>),
    Topic(Topic),
}

impl Destination {
    pub(super) fn new(kind: Kind) -> Destination {
        Destination {
            kind,
            touched: false,
            is_late: false,
            is_due: false,
            owner: None,
            maker: None,
            idle_check: false,
            last_used: Duration::ZERO,
            moment: None,
        }
    }

    /// When something in it has to be looked at.
    pub(super) fn next_moment(&self) -> Option<Timestamp> {
        self.kind.queue().and_then(Queue::next_moment)
    }

    /// When it goes if nothing happens until then.
    pub(super) fn idle_at(&self, patience: Duration) -> Option<Duration> {
        let is_idle = match &self.kind {
            Kind::Queue(queue) => match &queue.fed {
                Some(fed) => return Some(fed.unread_since? + fed.expires_after?),
                None => queue.is_empty() && !queue.is_wanted() && !queue.doomed && queue.pause.is_over(),
            },
            Kind::Topic(topic) => !topic.is_wanted(),
        };
        is_idle.then(|| self.last_used + patience)
    }

    pub(super) fn is_fed(&self) -> bool {
        self.kind.queue().is_some_and(|queue| queue.fed.is_some())
    }
}

impl Kind {
    pub(super) fn queue(&self) -> Option<&Queue> {
        match self {
            Kind::Queue(queue) => Some(queue),
            Kind::Topic(_) => None,
        }
    }

    pub(super) fn name(&self) -> &DestinationName {
        match self {
            Kind::Queue(queue) => queue.name(),
            Kind::Topic(topic) => topic.name(),
        }
    }
}
