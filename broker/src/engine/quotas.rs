//! What one user, and one address with all its users, may have of what all share: destinations, subscriptions, schedules.
//!
//! The engine knows a user as a number. What was there when the process started counts to nobody: whose it was is not in the
//! log. What the broker makes itself, for instance the queue of a dead letter, counts to nobody either. A destination or a
//! schedule outlives the connection that made it, and counts to its user and to the address of that connection until it goes.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;

use super::machine::Engine;
use crate::model::{DestinationId, MessageId, Network, Refusal, SessionId, UserId, Whose};
use crate::table::Table;

/// The most of each that one user may have, or one address. Every limit is finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserLimits {
    /// Destinations that it has made.
    pub destinations: usize,
    /// Subscriptions of all its connections.
    pub subscriptions: usize,
    /// Schedules that it has made.
    pub schedules: usize,
}

impl UserLimits {
    /// Of an address: a relay or a web server brings many users from one.
    pub const OF_ADDRESS: UserLimits = UserLimits { destinations: 75_000, subscriptions: 40_000, schedules: 7_500 };
}

impl Default for UserLimits {
    fn default() -> UserLimits {
        UserLimits { destinations: 50_000, subscriptions: 20_000, schedules: 5_000 }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    Destinations,
    Subscriptions,
    Schedules,
}

impl Counted {
    const ALL: usize = 3;

    fn words(self) -> &'static str {
        match self {
            Counted::Destinations => "destinations",
            Counted::Subscriptions => "subscriptions",
            Counted::Schedules => "schedules",
        }
    }

    /// The keys of the limits of a user and of an address.
    fn keys(self) -> (&'static str, &'static str) {
        match self {
            Counted::Destinations => ("limits.user.destinations", "limits.address.destinations"),
            Counted::Subscriptions => ("limits.user.subscriptions", "limits.address.subscriptions"),
            Counted::Schedules => ("limits.user.schedules", "limits.address.schedules"),
        }
    }

    fn limit(self, limits: &UserLimits) -> usize {
        match self {
            Counted::Destinations => limits.destinations,
            Counted::Subscriptions => limits.subscriptions,
            Counted::Schedules => limits.schedules,
        }
    }
}

/// What each of many has. Who has nothing costs nothing.
#[derive(Debug)]
struct Counts<K>(HashMap<K, [usize; Counted::ALL], RandomState>);

impl<K> Default for Counts<K> {
    fn default() -> Counts<K> {
        Counts(HashMap::default())
    }
}

impl<K: Eq + Hash> Counts<K> {
    fn of(&self, key: &K, what: Counted) -> usize {
        self.0.get(key).map_or(0, |counts| counts[what as usize])
    }

    fn add(&mut self, key: K, what: Counted) {
        self.0.entry(key).or_default()[what as usize] += 1;
    }

    fn remove(&mut self, key: &K, what: Counted) {
        let Some(counts) = self.0.get_mut(key) else { return };
        counts[what as usize] = counts[what as usize].saturating_sub(1);
        if counts.iter().all(|count| *count == 0) {
            self.0.remove(key);
        }
    }
}

/// What each user and each address has.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    users: Counts<UserId>,
    networks: Counts<Network>,
    /// Who made which schedule.
    makers: Table<MessageId, Whose>,
}

impl Quotas {
    /// They have one more.
    pub(super) fn add(&mut self, whose: Whose, what: Counted) {
        self.users.add(whose.user, what);
        self.networks.add(whose.network, what);
    }

    /// They have one less.
    pub(super) fn remove(&mut self, whose: Whose, what: Counted) {
        self.users.remove(&whose.user, what);
        self.networks.remove(&whose.network, what);
    }

    /// A destination is gone, whoever made it.
    pub(super) fn forget_destination(&mut self, maker: Option<Whose>) {
        if let Some(whose) = maker {
            self.remove(whose, Counted::Destinations);
        }
    }

    /// Somebody has made a schedule.
    pub(super) fn add_schedule(&mut self, whose: Whose, schedule: MessageId) {
        self.makers.insert(schedule, whose);
        self.add(whose, Counted::Schedules);
    }

    /// A schedule is gone, whoever made it.
    pub(super) fn remove_schedule(&mut self, schedule: MessageId) {
        if let Some(whose) = self.makers.remove(&schedule) {
            self.remove(whose, Counted::Schedules);
        }
    }
}

impl Engine {
    /// Says whose a session is. It is said once, before the session asks anything.
    pub fn belongs_to(&mut self, session: SessionId, whose: Whose) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.whose = whose;
        }
    }

    /// Whose request is carried out; `None` where time does something.
    pub(super) fn acting(&self) -> Option<Whose> {
        self.sessions.get(self.author?).map(|session| session.whose)
    }

    /// A destination is about to be made, if who asks for it may.
    pub(super) fn new_destination(&mut self) -> Result<Option<Whose>, Refusal> {
        let maker = self.acting();
        if let Some(whose) = maker {
            self.may_have(whose, Counted::Destinations, 0)?;
            self.quotas.add(whose, Counted::Destinations);
        }
        Ok(maker)
    }

    /// Notes who has made it.
    pub(super) fn made(&mut self, id: DestinationId, maker: Option<Whose>) {
        if let Some(destination) = self.destinations.get_mut(&id) {
            destination.maker = maker;
        }
    }

    /// Whether a user at an address may have one more, beside `others` that the same request brings.
    pub(super) fn may_have(&self, whose: Whose, what: Counted, others: usize) -> Result<(), Refusal> {
        let (of_user, of_address) = (what.limit(&self.options.user), what.limit(&self.options.address));
        let (user_key, address_key) = what.keys();
        if self.quotas.users.of(&whose.user, what) + others >= of_user {
            return Err(Refusal::UserLimit { what: what.words(), limit: of_user, key: user_key });
        }
        if self.quotas.networks.of(&whose.network, what) + others >= of_address {
            return Err(Refusal::AddressLimit { what: what.words(), limit: of_address, key: address_key });
        }
        Ok(())
    }
}
