//! Limits that a client asks for a queue which its own frame brings into being.

use super::{DestinationId, DestinationName};

/// A wish for a queue, to be asked before the frame that may bring it into being.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Which queue; `None` for what is no queue, where nothing can be granted.
    pub queue: Option<DestinationName>,
    /// What is asked for.
    pub limits: Limits,
    /// Something is asked for that nobody grants.
    pub more: bool,
    /// The client may bring that queue into being.
    pub may_create: bool,
}

/// Rules of one queue that its maker asks for. What is `None` is left to the policies, which come first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Messages in it.
    pub max_length: Option<u64>,
    /// Octets of head and body in it.
    pub max_bytes: Option<u64>,
    /// Whether it drops the oldest where it is full, or refuses the newest.
    pub drops_oldest: Option<bool>,
    /// Longest life of a message in it until somebody takes it, in milliseconds.
    pub expiry_ms: Option<u64>,
    /// How long it is kept empty and unused, in milliseconds.
    pub idle_ms: Option<u64>,
    /// Deliveries of a message, at least 1.
    pub max_deliveries: Option<u16>,
    /// The queue that takes its dead letters.
    pub dead_letter: Option<DestinationName>,
    /// It goes with its last reader, and what is in it with it.
    pub auto_delete: bool,
}

/// What the log keeps of it: a queue was made with these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limited {
    /// Which queue.
    pub queue: DestinationId,
    /// What was granted.
    pub limits: Limits,
}
