//! A subscription as the model sees it: what it wants, what it has, what a topic keeps for it.

use std::collections::VecDeque;

use kolejka::model::{AckMode, Credit, DestinationKind, DestinationName, Order, Timestamp};

use super::allowance::Allowance;
use super::message::Out;
use super::queue::Queue;

/// A subscription; its number is never used twice in a run.
#[derive(Clone, Debug)]
pub(super) struct Sub {
    pub(super) id: u32,
    pub(super) client: usize,
    pub(super) reach: Reach,
    pub(super) mode: AckMode,
    /// What it was given, which may be less than it asked for.
    pub(super) credit: Credit,
    /// How long it keeps a message, in milliseconds, whatever others say.
    pub(super) time_to_run: Option<u32>,
    /// What it holds has no time, whatever others say.
    pub(super) is_bound: bool,
    /// It selects messages of that urgency only.
    pub(super) wants: Option<u32>,
    /// Deliveries that are not settled, oldest first.
    pub(super) out: Vec<Out>,
    /// Of its last delivery.
    pub(super) number: u64,
    /// How it ranks among those who read the same queue.
    pub(super) priority: i32,
    /// It wants its queue for itself.
    pub(super) is_exclusive: bool,
    /// It does not want what its own client sends to topics.
    pub(super) is_no_local: bool,
    /// What bounds it beside its credit.
    pub(super) allowance: Option<Allowance>,
    /// What topics have given it and the client has not seen yet.
    pub(super) coming: VecDeque<Waiting>,
    /// What topics have for it beyond its credit.
    pub(super) backlog: VecDeque<Waiting>,
}

/// From where a subscription gets messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    One(DestinationName),
    /// All queues of some kind.
    Queues(Family),
    /// All topics.
    Topics,
    /// Several queues, in this order.
    List(Vec<DestinationName>, Order),
    /// Nothing any more: it has ended.
    Nowhere,
}

/// Queues that a pattern means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// `/queue/*`: those whose names have one part.
    OnePart,
    /// `/queue/>`: all, but for those that the broker makes itself.
    Any,
    /// `/queue/DLQ.>`: those for dead letters.
    DeadLetters,
}

/// A topic's message that waits for credit.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) body: Vec<u8>,
    pub(super) size: u32,
    pub(super) expires: Option<Timestamp>,
    /// It was retained. Of several such the order is the engine's affair.
    pub(super) is_recalled: bool,
}

impl Sub {
    pub(super) fn wants(&self, urgency: u32) -> bool {
        self.wants.is_none_or(|wanted| wanted == urgency)
    }

    /// Whichever limit is reached first counts, and one message may always be out. §5.7: a delivery whose lease ran out
    /// keeps its place.
    pub(super) fn is_hungry(&self) -> bool {
        let bytes: u64 =
            self.out.iter().map(|out| out.size).chain(self.coming.iter().map(|it| it.size)).map(u64::from).sum();
        let out = self.out.len() + self.coming.len();
        (out == 0 || (out < self.credit.messages as usize && bytes < self.credit.bytes))
            && self.allowance.as_ref().is_none_or(Allowance::permits)
    }

    /// It has credit again: it gets what topics kept for it and is not over.
    pub(super) fn draw(&mut self, now: Timestamp) {
        while self.is_hungry() {
            let Some(waiting) = self.backlog.pop_front() else { return };
            if waiting.expires.is_none_or(|end| end > now) {
                self.coming.push_back(waiting);
            }
        }
    }

    /// What a topic's delivery has to be: the first that was sent.
    pub(super) fn next_coming(&mut self, body: &[u8]) -> Waiting {
        let all = self.coming.len() + self.backlog.len();
        let recalled = (0..all).take_while(|at| self.pending(*at).is_recalled);
        if let Some(at) = recalled.into_iter().find(|at| self.pending(*at).body == body) {
            let first = self.pending(0).clone();
            let found = std::mem::replace(self.pending_mut(at), first);
            *self.pending_mut(0) = found;
        }
        self.coming.pop_front().expect("a message that was sent after it came")
    }

    fn pending(&self, at: usize) -> &Waiting {
        self.coming.get(at).unwrap_or_else(|| &self.backlog[at - self.coming.len()])
    }

    fn pending_mut(&mut self, at: usize) -> &mut Waiting {
        let coming = self.coming.len();
        if at < coming { &mut self.coming[at] } else { &mut self.backlog[at - coming] }
    }

    pub(super) fn reads(&self, queue: &Queue) -> bool {
        !queue.is_doomed
            && match &self.reach {
                Reach::One(name) => *name == queue.name,
                Reach::Queues(family) => queue.name.kind() == DestinationKind::Queue && family.has(queue.name.path()),
                Reach::List(names, _) => names.contains(&queue.name),
                Reach::Topics | Reach::Nowhere => false,
            }
    }

    pub(super) fn hears(&self, topic: &DestinationName) -> bool {
        match &self.reach {
            Reach::One(name) => name == topic,
            Reach::Queues(_) | Reach::List(..) | Reach::Nowhere => false,
            Reach::Topics => true,
        }
    }

    /// It has asked for the destination by its name.
    pub(super) fn names(&self, name: &DestinationName) -> bool {
        self.reach.names(name)
    }
}

impl Reach {
    pub(super) fn names(&self, name: &DestinationName) -> bool {
        match self {
            Reach::One(own) => own == name,
            Reach::List(names, _) => names.contains(name),
            Reach::Queues(_) | Reach::Topics | Reach::Nowhere => false,
        }
    }
}

impl Family {
    fn has(self, path: &str) -> bool {
        match self {
            Family::OnePart => !path.contains(['.', '/']),
            Family::Any => !path.starts_with("DLQ."),
            Family::DeadLetters => path.starts_with("DLQ."),
        }
    }
}
