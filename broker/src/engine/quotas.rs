//! What one user may have of what all share: destinations, subscriptions, schedules.
//!
//! The engine knows a user as a number. What was there when the process started counts to no user: whose it was is not in the
//! log. What the broker makes itself, for instance the queue of a dead letter, counts to none either.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::machine::Engine;
use crate::model::{DestinationId, MessageId, Refusal, SessionId, UserId};

/// The most of each that one user may have. Every limit is finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserLimits {
    /// Destinations that it has made.
    pub destinations: usize,
    /// Subscriptions of all its connections.
    pub subscriptions: usize,
    /// Schedules that it has made.
    pub schedules: usize,
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
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Counted::Destinations => ("destinations", "limits.user.destinations"),
            Counted::Subscriptions => ("subscriptions", "limits.user.subscriptions"),
            Counted::Schedules => ("schedules", "limits.user.schedules"),
        }
    }
}

/// What each user has. A user without anything costs nothing.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    users: HashMap<UserId, [usize; 3], RandomState>,
    /// Who made which schedule.
    makers: HashMap<MessageId, UserId, RandomState>,
}

impl Quotas {
    fn count(&self, user: UserId, what: Counted) -> usize {
        self.users.get(&user).map_or(0, |counts| counts[what as usize])
    }

    /// A user has one more.
    pub(super) fn add(&mut self, user: UserId, what: Counted) {
        self.users.entry(user).or_default()[what as usize] += 1;
    }

    /// A user has one less.
    pub(super) fn remove(&mut self, user: UserId, what: Counted) {
        let Some(counts) = self.users.get_mut(&user) else { return };
        counts[what as usize] = counts[what as usize].saturating_sub(1);
        if counts.iter().all(|count| *count == 0) {
            self.users.remove(&user);
        }
    }

    /// A destination is gone, whoever made it.
    pub(super) fn forget_destination(&mut self, maker: Option<UserId>) {
        if let Some(user) = maker {
            self.remove(user, Counted::Destinations);
        }
    }

    /// A user has made a schedule.
    pub(super) fn add_schedule(&mut self, user: UserId, schedule: MessageId) {
        self.makers.insert(schedule, user);
        self.add(user, Counted::Schedules);
    }

    /// A schedule is gone, whoever made it.
    pub(super) fn remove_schedule(&mut self, schedule: MessageId) {
        if let Some(user) = self.makers.remove(&schedule) {
            self.remove(user, Counted::Schedules);
        }
    }
}

impl Engine {
    /// Says whose a session is. It is said once, before the session asks anything.
    pub fn belongs_to(&mut self, session: SessionId, user: UserId) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.user = user;
        }
    }

    /// The user whose request is carried out; `None` where time does something.
    pub(super) fn acting_user(&self) -> Option<UserId> {
        self.sessions.get(self.author?).map(|session| session.user)
    }

    /// The acting user is about to make a destination, if it may.
    pub(super) fn new_destination(&mut self) -> Result<Option<UserId>, Refusal> {
        let maker = self.acting_user();
        if let Some(user) = maker {
            self.may_have(user, Counted::Destinations, 0)?;
            self.quotas.add(user, Counted::Destinations);
        }
        Ok(maker)
    }

    /// Notes who has made it.
    pub(super) fn made(&mut self, id: DestinationId, maker: Option<UserId>) {
        if let Some(destination) = self.destinations.get_mut(&id) {
            destination.maker = maker;
        }
    }

    /// Whether a user may have one more, beside `others` that the same request brings.
    pub(super) fn may_have(&self, user: UserId, what: Counted, others: usize) -> Result<(), Refusal> {
        let limits = &self.options.user;
        let limit = match what {
            Counted::Destinations => limits.destinations,
            Counted::Subscriptions => limits.subscriptions,
            Counted::Schedules => limits.schedules,
        };
        if self.quotas.count(user, what) + others < limit {
            return Ok(());
        }
        let (what, key) = what.words();
        Err(Refusal::UserLimit { what, limit, key })
    }
}
