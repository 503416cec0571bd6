//! Subscriptions that say more than most about how they take, and how those end that do not last.

use super::{Credit, Request, Subscribe, SubscriptionId};

/// A wish to receive in a manner of its own.
#[derive(Clone, Debug)]
pub struct Take {
    /// The wish.
    pub subscribe: Subscribe,
    /// How.
    pub manner: Manner,
}

/// How a subscription takes. The default is that of a plain [`Subscribe`]. All but the last
/// is about queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// It is given what it has asked for and no more: so much to begin with, then what each [`Grant`] adds. Settling
    /// gives nothing back, but [`Subscribe::credit`] bounds what is out all the same.
    pub pull: Option<Credit>,
    /// It ends when it has had room for so many milliseconds, and nothing was there for it.
    pub wait_ms: Option<u32>,
    /// It ends as soon as it has room and nothing is there for it.
    pub until_empty: bool,
    /// It ends with that many deliveries.
    pub limit: Option<u32>,
    /// How it ranks among the consumers of a queue: as long as a higher one has room, lower ones get nothing. Usually 0.
    pub priority: i32,
    /// It wants its queues for itself: others get nothing until it is gone, and the next that wants the same follows.
    pub exclusive: bool,
    /// Groups of messages in its queues are exclusive from now on, whatever the policy says.
    pub exclusive_groups: bool,
    /// Its leases have no time of their own, whatever message and policy say: they last as long as its session.
    pub bound: bool,
    /// It does not want from topics what its own session sends.
    pub no_local: bool,
}

impl Manner {
    /// What to ask for if one wants to receive so.
    pub fn request(self, subscribe: Subscribe) -> Request {
        if self == Manner::default() {
            Request::Subscribe(subscribe)
        } else {
            Request::Take(Box::new(Take { subscribe, manner: self }))
        }
    }
}

/// More credit for a subscription that pulls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Which.
    pub subscription: SubscriptionId,
    /// What is added to what it has left.
    pub credit: Credit,
}

/// Why a subscription has ended that was not meant to last (`x-end`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// Nothing came for as long as it wanted to wait.
    Wait,
    /// Nothing more was there.
    Empty,
    /// It had as many as it wanted.
    Limit,
    /// It looked through a queue, and this was all.
    Browse,
}

impl End {
    /// Its word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            End::Wait => "wait",
            End::Empty => "empty",
            End::Limit => "limit",
            End::Browse => "browse",
        }
    }
}
