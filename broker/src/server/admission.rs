//! How many may be connected, in all and from one address, before and after they have logged in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Limits on connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Connections at a time.
    pub(super) total: u32,
    /// Connections at a time from one address.
    pub(super) per_address: u32,
    /// Connections that have not logged in.
    pub(super) strangers: u32,
    /// The same from one address; loopback is exempt.
    pub(super) strangers_per_address: u32,
    /// New connections a second from one address, once the burst is used up. Loopback is exempt, and so is an address
    /// that logged in during the last minute: a web server connects once a page.
    pub(super) rate: f64,
    /// New connections that an idle address may bring at once.
    pub(super) burst: f64,
    /// Connections at a time that are told why there is no place for them.
    pub(super) refusals: usize,
}

/// The count of those who are there.
#[derive(Clone, Debug)]
pub(super) struct Admission {
    limits: Limits,
    counts: Arc<Mutex<Counts>>,
    /// Who may not stay is told why, a few at a time.
    refusals: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Counts {
    total: u32,
    strangers: u32,
    addresses: HashMap<IpAddr, Address>,
}

#[derive(Debug)]
struct Address {
    total: u32,
    strangers: u32,
    tokens: f64,
    seen: Duration,
    logged_in: Option<Duration>,
}

/// A place, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    admission: Admission,
    address: IpAddr,
    stranger: bool,
}

/// How long a login speaks for its address.
const TRUSTED: Duration = Duration::from_secs(60);
/// Addresses without connections that are remembered; beyond it those whose bucket is full again are forgotten.
const REMEMBERED: usize = 10_000;

impl Admission {
    pub(super) fn new(limits: Limits) -> Admission {
        Admission { limits, counts: Arc::default(), refusals: Arc::new(Semaphore::new(limits.refusals)) }
    }

    /// A place for one more connection, or the reason why there is none.
    pub(super) fn enter(&self, address: IpAddr, now: Duration) -> Result<Place, &'static str> {
        let limits = self.limits;
        let mut counts = self.lock();
        if counts.total >= limits.total {
            return Err("too many connections: the server is at its limit, raise limits.connections");
        }
        if counts.strangers >= limits.strangers {
            return Err("too many connections that have not logged in, try again");
        }
        if counts.addresses.len() > REMEMBERED {
            counts.addresses.retain(|_, entry| entry.total > 0 || entry.refilled(limits, now) < limits.burst);
        }
        let fresh = Address { total: 0, strangers: 0, tokens: limits.burst, seen: now, logged_in: None };
        let entry = counts.addresses.entry(address).or_insert(fresh);
        if entry.total >= limits.per_address {
            return Err("too many connections from this address, raise limits.connections_per_address");
        }
        if !address.is_loopback() {
            if entry.strangers >= limits.strangers_per_address {
                return Err("too many connections from this address that have not logged in");
            }
            entry.tokens = entry.refilled(limits, now);
            entry.seen = now;
            let trusted = entry.logged_in.is_some_and(|at| now < at + TRUSTED);
            if entry.tokens < 1.0 && !trusted {
                return Err("too many new connections from this address, slow down");
            }
            entry.tokens = (entry.tokens - 1.0).max(0.0);
        }
        entry.total += 1;
        entry.strangers += 1;
        counts.total += 1;
        counts.strangers += 1;
        Ok(Place { admission: self.clone(), address, stranger: true })
    }

    /// A permit to tell somebody why there is no place.
    pub(super) fn refusal(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.refusals).try_acquire_owned().ok()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Numbers only: a panic elsewhere leaves nothing half done that matters.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Address {
    fn refilled(&self, limits: Limits, now: Duration) -> f64 {
        let passed = now.saturating_sub(self.seen).as_secs_f64();
        (self.tokens + passed * limits.rate).min(limits.burst)
    }
}

impl Place {
    /// Its client has logged in.
    pub(super) fn logged_in(&mut self, now: Duration) {
        if !std::mem::take(&mut self.stranger) {
            return;
        }
        let mut counts = self.admission.lock();
        counts.strangers -= 1;
        if let Some(entry) = counts.addresses.get_mut(&self.address) {
            entry.strangers -= 1;
            entry.logged_in = Some(now);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.admission.lock();
        counts.total -= 1;
        counts.strangers -= u32::from(self.stranger);
        if let Some(entry) = counts.addresses.get_mut(&self.address) {
            entry.total -= 1;
            entry.strangers -= u32::from(self.stranger);
            if entry.total == 0 && self.address.is_loopback() {
                counts.addresses.remove(&self.address);
            }
        }
    }
}
