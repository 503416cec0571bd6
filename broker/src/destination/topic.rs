//! A topic: each message to every subscriber of the moment, kept for nobody else.

use crate::model::{DestinationId, DestinationName};

use super::{ConsumerKey, Counts};

/// A topic and its subscribers, in the order in which they came.
#[derive(Debug)]
pub struct Topic {
    name: DestinationName,
    subscribers: Vec<ConsumerKey>,
    /// How many of them came by its name.
    by_name: usize,
    /// Queues that get a copy of every message, in the order of their numbers, as of `feeds_as_of`.
    pub feeds: Vec<DestinationId>,
    /// Which change of the bindings with wildcards `feeds` takes account of. Where there was another since, they are to be
    /// looked up again.
    pub feeds_as_of: u64,
    /// What it has seen.
    pub counts: Counts,
}

impl Topic {
    /// A topic without subscribers.
    pub fn new(name: DestinationName) -> Topic {
        Topic {
            name,
            subscribers: Vec::new(),
            by_name: 0,
            feeds: Vec::new(),
            feeds_as_of: 0,
            counts: Counts::default(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &DestinationName {
        &self.name
    }

    /// Adds a subscriber, that came by the topic's name or by a pattern.
    pub fn join(&mut self, consumer: ConsumerKey, by_name: bool) {
        self.subscribers.push(consumer);
        self.by_name += usize::from(by_name);
    }

    /// Whether somebody wants it by its name. A pattern keeps no topic in being.
    pub fn is_wanted(&self) -> bool {
        self.by_name > 0
    }

    /// Takes a subscriber out.
    pub fn leave(&mut self, consumer: ConsumerKey, by_name: bool) {
        self.by_name -= usize::from(by_name);
        self.subscribers.retain(|&other| other != consumer);
    }

    /// Who gets the next message.
    pub fn subscribers(&self) -> &[ConsumerKey] {
        &self.subscribers
    }

    /// The same, taken out while they are given it. They are put back behind that.
    pub fn take_subscribers(&mut self) -> Vec<ConsumerKey> {
        std::mem::take(&mut self.subscribers)
    }

    /// The same subscribers, put back.
    pub fn put_back(&mut self, subscribers: Vec<ConsumerKey>) {
        self.subscribers = subscribers;
    }
}
