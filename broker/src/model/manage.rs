//! What an operator asks of a queue, and what he is told.

use std::fmt;
use std::sync::Arc;

use super::{DestinationName, Filter, Side, SoftRefusal};

/// One thing to be done with a queue.
#[derive(Clone, Debug)]
pub struct Manage {
    /// What.
    pub operation: Operation,
    /// With which queue; it is never made for this.
    pub queue: DestinationName,
    /// With which of its messages; `None` for all.
    pub filter: Option<Arc<dyn Filter>>,
    /// For whom, where messages go to queues that the request does not name.
    pub writer: Option<Arc<dyn Writer>>,
    /// Who is told the outcome.
    pub reply: Option<Reply>,
}

/// What can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Makes ready what is buried, then what is delayed.
    Kick {
        /// At most so many messages.
        count: u32,
    },
    /// Removes messages for good. What is out stays.
    Purge(States),
    /// Moves messages to other queues.
    Move(Transfer),
    /// Has a side of the queue stand still.
    Pause {
        /// Which.
        side: Side,
        /// For so many milliseconds; `None`: until it is resumed.
        for_ms: Option<u64>,
    },
    /// Lets it go on.
    Resume {
        /// Which side.
        side: Side,
    },
    /// Nothing: the session knows why not, and the answer keeps its turn.
    Refuse {
        /// The operation that was asked for, if it is one.
        wanted: &'static str,
        /// Why not.
        why: SoftRefusal,
    },
}

/// Messages that go to other queues, keeping their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Where to, with their state and their counts. `None` for dead letters that go back to where they died and begin anew.
    pub to: Option<DestinationName>,
    /// Which.
    pub states: States,
    /// At most so many.
    pub count: Option<u64>,
    /// At most so many a second.
    pub rate: Option<u32>,
}

/// Whoever knows where a client may send to.
pub trait Writer: fmt::Debug + Send + Sync {
    /// Whether it may send to that one.
    fn may_write(&self, name: &DestinationName) -> bool;

    /// Whether it may bring that one into being.
    fn may_create(&self, name: &DestinationName) -> bool;
}

/// Messages that nobody holds, by how they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct States {
    /// Those that wait for a consumer.
    pub ready: bool,
    /// Those that wait for their time.
    pub delayed: bool,
    /// Those that wait for a kick.
    pub buried: bool,
}

impl States {
    /// All of them.
    pub const ALL: States = States { ready: true, delayed: true, buried: true };

    /// Reads a list of their words, separated by commas.
    pub fn from_words(text: &str) -> Option<States> {
        let mut states = States { ready: false, delayed: false, buried: false };
        for word in text.split(',') {
            match word.trim_matches(' ') {
                "ready" => states.ready = true,
                "delayed" => states.delayed = true,
                "buried" => states.buried = true,
                _ => return None,
            }
        }
        Some(states)
    }
}

impl Operation {
    /// Its word on the wire (`x-op`).
    pub const fn as_str(&self) -> &'static str {
        match self {
            Operation::Kick { .. } => "kick",
            Operation::Purge(_) => "purge",
            Operation::Move(_) => "move",
            Operation::Pause { .. } => "pause",
            Operation::Resume { .. } => "resume",
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
