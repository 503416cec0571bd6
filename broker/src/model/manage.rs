//! What an operator asks of a queue, and what he is told.

use super::{DestinationName, SoftRefusal};

/// One thing to be done with a queue.
#[derive(Clone, Debug)]
pub struct Manage {
    /// What.
    pub operation: Operation,
    /// With which queue; it is never made for this.
    pub queue: DestinationName,
    /// Who is told the outcome.
    pub reply: Option<Reply>,
}

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Makes ready what is buried, then what is delayed.
    Kick {
        /// At most so many messages.
        count: u32,
    },
    /// Removes messages for good. What is out stays.
    Purge {
        /// Those that wait for a consumer.
        ready: bool,
        /// Those that wait for their time.
        delayed: bool,
        /// Those that wait for a kick.
        buried: bool,
    },
    /// Nothing: the session knows why not, and the answer keeps its turn.
    Refuse {
        /// The operation that was asked for, if it is one.
        wanted: &'static str,
        /// Why not.
        why: SoftRefusal,
    },
}

impl Operation {
    /// Its word on the wire (`x-op`).
    pub const fn as_str(&self) -> &'static str {
        match self {
            Operation::Kick { .. } => "kick",
            Operation::Purge { .. } => "purge",
            Operation::Refuse { wanted, .. } => wanted,
        }
    }
}

/// Where the outcome is told.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The destination.
    pub to: DestinationName,
    /// The head of the message, as a [`Content`](super::Content) has it.
    pub head: Box<[u8]>,
}
