//! Who reads topics slowly: connections for which something is kept, by their users and by the bytes of that.

use std::collections::{BTreeSet, HashMap};

use foldhash::fast::RandomState;

use crate::model::{SessionId, UserId};

/// Connections for which something is kept.
#[derive(Debug, Default)]
pub(super) struct Slow {
    users: HashMap<UserId, OfUser, RandomState>,
    /// Users by what is kept for all their connections.
    by_bytes: BTreeSet<(u64, UserId)>,
}

#[derive(Debug, Default)]
struct OfUser {
    bytes: u64,
    sessions: BTreeSet<(u64, SessionId)>,
}

impl Slow {
    /// For a connection so many bytes are kept; `None`: nothing.
    pub(super) fn change(&mut self, user: UserId, session: SessionId, before: Option<u64>, after: Option<u64>) {
        let of_user = self.users.entry(user).or_default();
        let total = of_user.bytes;
        if let Some(bytes) = before.filter(|bytes| of_user.sessions.remove(&(*bytes, session))) {
            of_user.bytes -= bytes;
        }
        if let Some(bytes) = after {
            of_user.sessions.insert((bytes, session));
            of_user.bytes += bytes;
        }
        let (now, is_empty) = (of_user.bytes, of_user.sessions.is_empty());
        self.by_bytes.remove(&(total, user));
        if is_empty {
            self.users.remove(&user);
        } else {
            self.by_bytes.insert((now, user));
        }
    }

    /// Takes out the connection with the most, of the user with the most.
    pub(super) fn take_slowest(&mut self) -> Option<SessionId> {
        let &(_, user) = self.by_bytes.last()?;
        let &(bytes, session) = self.users.get(&user)?.sessions.last()?;
        self.change(user, session, Some(bytes), None);
        Some(session)
    }
}
