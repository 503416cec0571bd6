//! Which messages a subscription wants to see at all.

use std::fmt;

use super::{DeathNote, Durability, MessageId, Urgency};

/// A choice among messages: a selector, for one. Pure: the same candidate is always judged alike, so that nobody has to
/// judge it twice.
pub trait Filter: fmt::Debug + Send + Sync {
    /// Whether the message is one of those that are wanted.
    fn wants(&self, candidate: &Candidate<'_>) -> bool;

    /// The most that it costs to judge a message with a head of so many bytes, in [`Steps`](super::Steps) beyond the one
    /// that it takes to look at any.
    fn steps(&self, _head: usize) -> u64 {
        0
    }
}

/// What a filter may look at: the head and what the broker knows, never the body.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The stored head, see [`Content`](super::Content).
    pub head: &'a [u8],
    /// Identity.
    pub message: MessageId,
    /// Rank in its queue.
    pub urgency: Urgency,
    /// Failed deliveries that count.
    pub attempts: u16,
    /// It may have been handed to a client before.
    pub redelivered: bool,
    /// Whether the log has it.
    pub durability: Durability,
    /// Why it is in a dead-letter queue, if it is.
    pub death: Option<&'a DeathNote>,
}
