//! What each user has open: connections, and transactions over all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use xxhash_rust::xxh3::xxh3_64;

use crate::model::{Refusal, UserId};

/// The most that one user may have open. Every limit is finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserLimits {
    /// Connections that have logged in.
    pub connections: usize,
    /// Transactions of all its connections.
    pub transactions: usize,
}

/// What each user has open. Shared by all connections.
#[derive(Debug)]
pub struct Users {
    limits: UserLimits,
    open: Mutex<HashMap<UserId, Open>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Open {
    connections: usize,
    transactions: usize,
}

/// A connection of a user, given back when dropped.
#[derive(Debug)]
pub(super) struct Membership {
    users: Arc<Users>,
    user: UserId,
    transactions: usize,
}

impl Users {
    /// Nobody has anything open.
    pub fn new(limits: UserLimits) -> Arc<Users> {
        Arc::new(Users { limits, open: Mutex::default() })
    }

    /// The number by which the engine knows a user: the same whenever it comes.
    pub(super) fn number(name: &str) -> UserId {
        UserId(xxh3_64(name.as_bytes()))
    }

    /// One more connection of that user.
    pub(super) fn enter(self: &Arc<Users>, user: UserId) -> Result<Membership, Refusal> {
        let mut open = self.lock();
        let of_user = open.entry(user).or_default();
        let limit = self.limits.connections;
        if of_user.connections >= limit {
            return Err(Refusal::UserLimit { what: "connections", limit, key: "limits.user.connections" });
        }
        of_user.connections += 1;
        Ok(Membership { users: Arc::clone(self), user, transactions: 0 })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Open>> {
        // Numbers only: a panic elsewhere leaves nothing half done that matters.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Membership {
    /// Whose it is.
    pub(super) fn user(&self) -> UserId {
        self.user
    }

    /// The connection has so many transactions open, unless that is more than its user may have: then nothing is counted,
    /// and the others may have what there is.
    pub(super) fn has_open(&mut self, transactions: usize) -> Result<(), Refusal> {
        if transactions == self.transactions {
            return Ok(());
        }
        let mut open = self.users.lock();
        let of_user = open.entry(self.user).or_default();
        let of_all = of_user.transactions + transactions - self.transactions;
        let (limit, is_more) = (self.users.limits.transactions, transactions > self.transactions);
        if is_more && of_all > limit {
            return Err(Refusal::UserLimit { what: "open transactions", limit, key: "limits.user.transactions" });
        }
        of_user.transactions = of_all;
        self.transactions = transactions;
        Ok(())
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut open = self.users.lock();
        let Some(of_user) = open.get_mut(&self.user) else { return };
        of_user.connections -= 1;
        of_user.transactions -= self.transactions;
        if of_user.connections == 0 {
            open.remove(&self.user);
        }
    }
}
