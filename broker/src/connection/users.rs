//! What each user and each address has open: connections, transactions over all of them, and bytes on the way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use xxhash_rust::xxh3::xxh3_64;

use crate::auth::Principal;
use crate::memory::{Holder, Holders, Kind};
use crate::model::{Network, Refusal, UserId, Whose};

/// The most that one user may have open, and one address with all its users. Every limit is finite. Connections of an address
/// are counted where they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserLimits {
    /// Connections of a user that have logged in.
    pub connections: usize,
    /// Transactions of all connections of a user.
    pub transactions: usize,
    /// Transactions of all connections of an address.
    pub transactions_per_address: usize,
}

/// What each user and each address has open. Shared by all connections.
#[derive(Debug)]
pub struct Users {
    limits: UserLimits,
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    users: HashMap<UserId, Open>,
    networks: HashMap<Network, Open>,
}

/// What one of them has open.
#[derive(Debug)]
struct Open {
    connections: usize,
    transactions: usize,
    holder: Arc<Holder>,
}

impl Open {
    fn nothing(kind: Kind) -> Open {
        Open { connections: 0, transactions: 0, holder: Arc::new(Holder::new(kind)) }
    }

    /// A connection goes with its transactions. Returns whether it was the last one.
    fn close(&mut self, transactions: usize) -> bool {
        self.connections -= 1;
        self.transactions -= transactions;
        self.connections == 0
    }
}

/// In words, in what is refused.
const TRANSACTIONS: &str = "open transactions";

/// A connection of a user, given back when dropped.
#[derive(Debug)]
pub(super) struct Membership {
    users: Arc<Users>,
    whose: Whose,
    transactions: usize,
}

impl Users {
    /// Nobody has anything open.
    pub fn new(limits: UserLimits) -> Arc<Users> {
        Arc::new(Users { limits, all: Mutex::default() })
    }

    /// Whom the engine counts a client for: a user is the same number whenever it comes. Who has no login is told apart by where
    /// it comes from, or all strangers of the world were one user.
    pub(super) fn whose(name: &str, network: Network) -> Whose {
        let user = if name == Principal::ANONYMOUS {
            // No name of a user has such a character.
            xxh3_64(format!("\0{network}").as_bytes())
        } else {
            xxh3_64(name.as_bytes())
        };
        Whose { user: UserId(user), network }
    }

    /// One more connection. Returns also what its bytes are counted for.
    pub(super) fn enter(self: &Arc<Users>, whose: Whose) -> Result<(Membership, Holders), Refusal> {
        let mut all = self.lock();
        let All { users, networks } = &mut *all;
        let user = users.entry(whose.user).or_insert_with(|| Open::nothing(Kind::User));
        let limit = self.limits.connections;
        if user.connections >= limit {
            return Err(Refusal::UserLimit { what: "connections", limit, key: "limits.user.connections" });
        }
        let network = networks.entry(whose.network).or_insert_with(|| Open::nothing(Kind::Address));
        user.connections += 1;
        network.connections += 1;
        let holders = Holders::of(Arc::clone(&user.holder), Arc::clone(&network.holder));
        Ok((Membership { users: Arc::clone(self), whose, transactions: 0 }, holders))
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        // Numbers only: a panic elsewhere leaves nothing half done that matters.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Membership {
    /// Whose it is.
    pub(super) fn whose(&self) -> Whose {
        self.whose
    }

    /// Transactions that are counted for it.
    pub(super) fn transactions(&self) -> usize {
        self.transactions
    }

    /// The connection has so many transactions open, unless that is more than its user or its address may have: then nothing is
    /// counted, and the others may have what there is.
    pub(super) fn has_open(&mut self, transactions: usize) -> Result<(), Refusal> {
        if transactions == self.transactions {
            return Ok(());
        }
        let UserLimits { transactions: of_user, transactions_per_address: of_address, .. } = self.users.limits;
        let mut all = self.users.lock();
        let All { users, networks } = &mut *all;
        let (Some(user), Some(network)) = (users.get_mut(&self.whose.user), networks.get_mut(&self.whose.network))
        else {
            return Ok(());
        };
        if transactions > self.transactions {
            let more = transactions - self.transactions;
            if user.transactions + more > of_user {
                let key = "limits.user.transactions";
                return Err(Refusal::UserLimit { what: TRANSACTIONS, limit: of_user, key });
            }
            if network.transactions + more > of_address {
                let key = "limits.address.transactions";
                return Err(Refusal::AddressLimit { what: TRANSACTIONS, limit: of_address, key });
            }
        }
        for open in [user, network] {
            open.transactions = open.transactions + transactions - self.transactions;
        }
        self.transactions = transactions;
        Ok(())
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut all = self.users.lock();
        let All { users, networks } = &mut *all;
        if users.get_mut(&self.whose.user).is_some_and(|open| open.close(self.transactions)) {
            users.remove(&self.whose.user);
        }
        if networks.get_mut(&self.whose.network).is_some_and(|open| open.close(self.transactions)) {
            networks.remove(&self.whose.network);
        }
    }
}
