//! How many may be connected, in all and from one address, before and after they have logged in. Of IPv6 a /64 counts as one
//! address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::strangers::Strangers;
use crate::model::Network;

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
    strangers: Strangers,
    /// Strangers that were sent off and are not gone yet.
    leaving: usize,
    networks: HashMap<Network, Entry>,
}

#[derive(Debug)]
struct Entry {
    total: u32,
    tokens: f64,
    seen: Duration,
    logged_in: Option<Duration>,
}

/// A place, given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    admission: Admission,
    network: Network,
    /// Its number among the strangers, as long as it is one.
    stranger: Option<u64>,
    sent_off: CancellationToken,
}

/// How long a login exempts its network from the rate of new connections.
const FREQUENT: Duration = Duration::from_secs(60);
/// How long places are kept free for a network that has logged in.
const KNOWN: Duration = Duration::from_secs(600);
/// Of the places of strangers one in so many is for networks that logged in lately.
const KEPT_FREE: usize = 4;
/// Networks without connections that are remembered; beyond it those are forgotten whose bucket is full again.
const REMEMBERED: usize = 10_000;

impl Admission {
    pub(super) fn new(limits: Limits) -> Admission {
        Admission { limits, counts: Arc::default(), refusals: Arc::new(Semaphore::new(limits.refusals)) }
    }

    /// A place for one more connection, or the reason why there is none. Where the places of strangers are taken, the oldest
    /// silent one of the network with the most gives way.
    pub(super) fn enter(&self, address: IpAddr, now: Duration) -> Result<Place, &'static str> {
        let (limits, network) = (self.limits, Network::of(address));
        let mut counts = self.lock();
        if counts.total >= limits.total {
            return Err("too many connections: the server is at its limit, raise limits.connections");
        }
        counts.forget(limits, now);
        let is_known = counts.come(network, limits, now)?;
        counts.make_room(network, limits, is_known)?;
        let (number, sent_off) = counts.strangers.enter(network);
        counts.total += 1;
        if let Some(entry) = counts.networks.get_mut(&network) {
            entry.total += 1;
            entry.tokens = (entry.tokens - 1.0).max(0.0);
        }
        Ok(Place { admission: self.clone(), network, stranger: Some(number), sent_off })
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

impl Counts {
    /// Checks what a network may have. Returns whether it logged in lately.
    fn come(&mut self, network: Network, limits: Limits, now: Duration) -> Result<bool, &'static str> {
        let fresh = Entry { total: 0, tokens: limits.burst, seen: now, logged_in: None };
        let entry = self.networks.entry(network).or_insert(fresh);
        if entry.total >= limits.per_address {
            return Err("too many connections from this address, raise limits.connections_per_address");
        }
        entry.tokens = entry.refilled(limits, now);
        entry.seen = now;
        if entry.tokens < 1.0 && !network.is_loopback() && !entry.logged_in_within(FREQUENT, now) {
            return Err("too many new connections from this address, slow down");
        }
        Ok(entry.logged_in_within(KNOWN, now))
    }

    /// Makes a place for a stranger, if there is none left for one of its kind.
    fn make_room(&mut self, network: Network, limits: Limits, is_known: bool) -> Result<(), &'static str> {
        let all = limits.strangers as usize;
        let places = if is_known { all } else { all.saturating_sub(all / KEPT_FREE).max(1) };
        let is_crowded =
            self.strangers.len_of(network) >= limits.strangers_per_address as usize && !network.is_loopback();
        let is_full = self.strangers.len() >= places;
        if !is_crowded && !is_full {
            return Ok(());
        }
        // Those who leave hold a descriptor each until they are gone.
        let has_left = self.leaving < limits.refusals
            && if is_crowded { self.strangers.send_off_of(network) } else { self.strangers.send_off_for(network) };
        if has_left {
            self.leaving += 1;
            return Ok(());
        }
        Err(if is_crowded {
            "too many connections from this address that have not logged in"
        } else {
            "too many connections that have not logged in, try again"
        })
    }

    fn forget(&mut self, limits: Limits, now: Duration) {
        if self.networks.len() <= REMEMBERED {
            return;
        }
        let is_busy = |entry: &Entry| entry.total > 0 || entry.refilled(limits, now) < limits.burst;
        self.networks.retain(|_, entry| is_busy(entry) || entry.logged_in_within(KNOWN, now));
        if self.networks.len() > REMEMBERED {
            self.networks.retain(|_, entry| is_busy(entry));
        }
    }
}

impl Entry {
    fn refilled(&self, limits: Limits, now: Duration) -> f64 {
        let passed = now.saturating_sub(self.seen).as_secs_f64();
        (self.tokens + passed * limits.rate).min(limits.burst)
    }

    fn logged_in_within(&self, time: Duration, now: Duration) -> bool {
        self.logged_in.is_some_and(|at| now < at + time)
    }
}

impl Place {
    /// Its client has sent a login.
    pub(super) fn speaks(&mut self) {
        if let Some(number) = self.stranger {
            self.admission.lock().strangers.speaks(self.network, number);
        }
    }

    /// Its client has been told that it may not come in, and nothing is left to wait for.
    pub(super) fn is_refused(&mut self) {
        if let Some(number) = self.stranger {
            self.admission.lock().strangers.is_refused(self.network, number);
        }
    }

    /// Its client has logged in.
    pub(super) fn logged_in(&mut self, now: Duration) {
        let Some(number) = self.stranger.take() else { return };
        let mut counts = self.admission.lock();
        counts.leave(self.network, number);
        if let Some(entry) = counts.networks.get_mut(&self.network) {
            entry.logged_in = Some(now);
        }
    }

    /// What is cancelled when it has to give way.
    pub(super) fn sent_off(&self) -> CancellationToken {
        self.sent_off.clone()
    }
}

impl Counts {
    fn leave(&mut self, network: Network, number: u64) {
        if !self.strangers.leave(network, number) {
            self.leaving -= 1;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.admission.lock();
        counts.total -= 1;
        if let Some(number) = self.stranger {
            counts.leave(self.network, number);
        }
        if let Some(entry) = counts.networks.get_mut(&self.network) {
            entry.total -= 1;
        }
    }
}
