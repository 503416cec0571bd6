//! A topic: each message to every subscriber of the moment, kept for nobody else.

use crate::model::DestinationName;

use super::ConsumerKey;

/// A topic and its subscribers, in the order in which they came.
#[derive(Debug)]
pub struct Topic {
    name: DestinationName,
    subscribers: Vec<ConsumerKey>,
}

impl Topic {
    /// A topic without subscribers.
    pub fn new(name: DestinationName) -> Topic {
        Topic { name, subscribers: Vec::new() }
    }

    /// Its name.
    pub fn name(&self) -> &DestinationName {
        &self.name
    }

    /// Adds a subscriber.
    pub fn join(&mut self, consumer: ConsumerKey) {
        self.subscribers.push(consumer);
    }

    /// Takes a subscriber out.
    pub fn leave(&mut self, consumer: ConsumerKey) {
        self.subscribers.retain(|&other| other != consumer);
    }

    /// Who gets the next message.
    pub fn subscribers(&self) -> &[ConsumerKey] {
        &self.subscribers
    }
}
