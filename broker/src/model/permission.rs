//! What a client may do to destinations: the rights, and how the engine asks for them.

use super::{DestinationName, Pattern, Reader};

/// What can be done to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// Subscribe, browse, be told numbers.
    Read,
    /// Send.
    Write,
    /// Bring a destination into being by the first SEND or SUBSCRIBE.
    Create,
    /// Purge, move, kick, pause and resume; cancel jobs and remove schedules of others.
    Manage,
}

impl Right {
    /// All of them.
    pub const ALL: [Right; 4] = [Right::Read, Right::Write, Right::Create, Right::Manage];

    /// Its word in rules and refusals.
    pub const fn as_str(self) -> &'static str {
        match self {
            Right::Read => "read",
            Right::Write => "write",
            Right::Create => "create",
            Right::Manage => "manage",
        }
    }

    /// The right with that word.
    pub fn from_word(word: &str) -> Option<Right> {
        Right::ALL.into_iter().find(|right| right.as_str() == word)
    }
}

/// What one client may do. The engine keeps it with the session and asks it about final, concrete names where something is
/// about to happen; how rights come about is not known there.
pub trait Permissions: Reader {
    /// The login, for the audit log.
    fn user(&self) -> &str;

    /// Whether the client has the right to that one destination.
    fn may(&self, right: Right, name: &DestinationName) -> bool;

    /// Whether it has the right to every destination that the pattern means, those to come included.
    fn may_all(&self, right: Right, names: &Pattern) -> bool;

    /// Whether it has the right to a dead letter in `queue` that came from `origin`.
    fn may_take(&self, right: Right, queue: &DestinationName, origin: &DestinationName) -> bool;
}
