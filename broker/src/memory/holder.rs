//! Those who hold bytes: each user and each address, with the part of a share that one may have.
//!
//! What one may have hangs on what is free, as in a switch whose ports share one memory: a user may hold as much of a share as
//! is left of it, an address three times as much. So one alone has half of it or three quarters, several have less each,
//! and for one more there is always something left. No list of holders is looked through for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::line::First;
use super::purpose::Purpose;

/// One of those who hold bytes, over all its connections.
#[derive(Debug)]
pub struct Holder {
    kind: Kind,
    used: [AtomicU64; Purpose::ALL.len()],
    /// Those of its connections that wait for bytes, by purpose: one of them at a time may go beyond its part.
    first: [First; Purpose::ALL.len()],
}

/// What a holder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A user.
    User,
    /// An address, with all its users.
    Address,
}

impl Kind {
    /// What it may hold of a share, for each byte that is free there.
    pub(super) const fn times(self) -> u64 {
        match self {
            Kind::User => 1,
            Kind::Address => 3,
        }
    }

    /// By whom memory is used up, in words.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Kind::User => " by this user",
            Kind::Address => " by this address",
        }
    }

    /// The most that one may have while nobody else has any, in words that stand before the whole.
    pub(super) const fn part(self) -> &'static str {
        match self {
            Kind::User => "at most half of ",
            Kind::Address => "at most three quarters of ",
        }
    }
}

impl Holder {
    /// One that holds nothing.
    pub fn new(kind: Kind) -> Holder {
        Holder { kind, used: Default::default(), first: Default::default() }
    }

    /// Bytes that it uses for a purpose.
    pub fn used(&self, purpose: Purpose) -> u64 {
        self.used[purpose as usize].load(Ordering::Relaxed)
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn add(&self, purpose: Purpose, bytes: u64) {
        self.used[purpose as usize].fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn give(&self, purpose: Purpose, bytes: u64) {
        let before = self.used[purpose as usize].fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(before >= bytes, "no more is given back than was taken for {purpose:?}");
    }

    pub(super) fn first(&self, purpose: Purpose) -> &First {
        &self.first[purpose as usize]
    }
}

/// All that bytes are counted for beside the whole: a user and its address, or none of them.
#[derive(Clone, Debug, Default)]
pub struct Holders(Arc<[Arc<Holder>]>);

impl Holders {
    /// A user at an address.
    pub fn of(user: Arc<Holder>, address: Arc<Holder>) -> Holders {
        Holders(Arc::new([user, address]))
    }

    pub(super) fn all(&self) -> &[Arc<Holder>] {
        &self.0
    }

    /// Those behind the first `count`.
    pub(super) fn behind(&self, count: usize) -> &[Arc<Holder>] {
        self.0.get(count..).unwrap_or_default()
    }
}
