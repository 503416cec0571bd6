//! A client: what it has open, what it holds, and what it waits for.

use std::collections::{BTreeSet, VecDeque};

use kolejka_codec::Frame;

use super::history::{Failing, Outcome};
use super::jobs::Word;
use super::wire::Wire;

/// A client, which connects again and again.
#[derive(Default)]
pub(crate) struct Client {
    pub(crate) session: Option<Session>,
}

/// One connection of a client.
pub(crate) struct Session {
    /// The number of its connection.
    pub(crate) number: u64,
    pub(crate) wire: Wire,
    pub(crate) is_in: bool,
    /// Receipts that it waits for, in the order of its frames.
    pub(crate) asked: VecDeque<(u64, Asked)>,
    pub(crate) last_receipt: u64,
    pub(crate) subscriptions: Vec<Subscription>,
    pub(crate) last_subscription: u64,
    pub(crate) held: Vec<Held>,
    /// Every `ack` that it was given.
    pub(crate) acks: BTreeSet<String>,
    pub(crate) open: Vec<Open>,
    pub(crate) last_transaction: u64,
}

/// What a receipt stands for.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Message(u64),
    Settled(Vec<(String, String)>),
    Failed(Vec<Failing>),
    Touched(Word),
    Committed(usize, Vec<(String, String)>),
    Durable(String),
    Other,
}

/// A subscription of a client.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub(crate) id: String,
    pub(crate) destination: String,
    pub(crate) mode: Mode,
    pub(crate) source: Source,
    /// The client has ended it; what was under way may still come.
    pub(crate) is_gone: bool,
}

impl Subscription {
    /// Where the copies are that it takes.
    pub(crate) fn place(&self) -> Option<String> {
        match &self.source {
            Source::Queues => Some("queue".to_owned()),
            Source::Durable(name) => Some(name.clone()),
            Source::Copies => None,
        }
    }
}

/// How deliveries are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Auto,
    Client,
    Individual,
}

/// What it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Queues: each message has one reader.
    Queues,
    /// Nothing is taken.
    Copies,
    /// The queue of a durable subscription.
    Durable(String),
}

/// A delivery that is to be settled.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) ack: String,
    pub(crate) subscription: String,
    /// Place and message-id, where it counts.
    pub(crate) key: Option<(String, String)>,
}

/// An open transaction.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) id: String,
    /// Its place in the history.
    pub(crate) index: usize,
    pub(crate) settles: Vec<Held>,
}

impl Session {
    pub(crate) fn new(number: u64, wire: Wire) -> Session {
        Session {
            number,
            wire,
            is_in: false,
            asked: VecDeque::new(),
            last_receipt: 0,
            subscriptions: Vec::new(),
            last_subscription: 0,
            held: Vec::new(),
            acks: BTreeSet::new(),
            open: Vec::new(),
            last_transaction: 0,
        }
    }

    /// The header with which something is confirmed.
    pub(crate) fn receipt(&mut self, asked: Asked) -> (&'static str, String) {
        self.last_receipt += 1;
        self.asked.push_back((self.last_receipt, asked));
        ("receipt", self.last_receipt.to_string())
    }

    /// The copy that a MESSAGE settles by having been written, with the number of its message.
    pub(crate) fn settled_unread(&self, frame: &Frame) -> Option<((String, String), u64)> {
        let subscription = self.subscription(frame.headers.get("subscription")?)?;
        let number = frame.headers.get("x-n")?.parse().ok()?;
        let id = frame.headers.get("message-id")?.to_owned();
        let place = subscription.place().filter(|_| subscription.mode == Mode::Auto)?;
        Some(((place, id), number))
    }

    /// The subscription of that name.
    pub(crate) fn subscription(&self, id: &str) -> Option<&Subscription> {
        self.subscriptions.iter().find(|subscription| subscription.id == id)
    }
}

/// What is left of transactions whose connection has ended.
pub(crate) fn given_up(outcome: Outcome) -> Outcome {
    if outcome == Outcome::Open { Outcome::Aborted } else { outcome }
}
