//! A bounded number of permits for what is dear, given to networks in turns.
//!
//! First come, first served would let one host that asks five hundred times keep all others waiting. Here each network that
//! waits is served once before any is served again, however often it asks, and one network holds a share at most.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::model::Network;

/// Permits, and those who wait for one. What waits is bounded by whoever lets it in.
#[derive(Debug)]
pub struct FairPermits(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    /// Permits that one network may hold.
    share: usize,
    held: HashMap<Network, usize>,
    waiting: HashMap<Network, VecDeque<oneshot::Sender<FairPermit>>>,
    /// Networks that wait, the next one first.
    order: VecDeque<Network>,
}

/// A permit, given back when dropped.
#[derive(Debug)]
pub struct FairPermit {
    /// `None` once it has been taken back.
    permits: Option<Arc<Mutex<State>>>,
    network: Network,
}

/// So often a queue is looked through for those who have gone.
const SWEEP: usize = 64;

impl FairPermits {
    /// So many permits, of which one network may hold `share`.
    pub fn new(permits: usize, share: usize) -> FairPermits {
        let state = State {
            free: permits,
            share: share.max(1),
            held: HashMap::new(),
            waiting: HashMap::new(),
            order: VecDeque::new(),
        };
        FairPermits(Arc::new(Mutex::new(state)))
    }

    /// A permit, when it is this network's turn. May be dropped while it waits.
    pub async fn acquire(&self, network: Network) -> FairPermit {
        loop {
            let granted = {
                let mut state = lock(&self.0);
                if state.may_hold(network) {
                    // Whoever waits has its share already, or there would be none free.
                    state.hold(network);
                    return FairPermit { permits: Some(Arc::clone(&self.0)), network };
                }
                state.wait(network)
            };
            if let Ok(permit) = granted.await {
                return permit;
            }
        }
    }

    /// Those who wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        lock(&self.0).waiting.values().map(VecDeque::len).sum()
    }
}

impl State {
    fn may_hold(&self, network: Network) -> bool {
        self.free > 0 && self.held.get(&network).is_none_or(|held| *held < self.share)
    }

    fn hold(&mut self, network: Network) {
        self.free -= 1;
        *self.held.entry(network).or_default() += 1;
    }

    fn give_back(&mut self, network: Network) {
        self.free += 1;
        if let Some(held) = self.held.get_mut(&network) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&network);
            }
        }
    }

    fn wait(&mut self, network: Network) -> oneshot::Receiver<FairPermit> {
        let (tell, told) = oneshot::channel();
        let queue = self.waiting.entry(network).or_default();
        if queue.is_empty() {
            self.order.push_back(network);
        } else if queue.len().is_multiple_of(SWEEP) {
            // If none is left, the network keeps its place in the order all the same.
            queue.retain(|sender| !sender.is_closed());
        }
        queue.push_back(tell);
        told
    }

    /// Gives what is free to those whose turn it is.
    fn grant(&mut self, permits: &Arc<Mutex<State>>) {
        let mut looks = self.order.len();
        while looks > 0 && self.free > 0 {
            looks -= 1;
            let Some(network) = self.order.pop_front() else { return };
            if self.may_hold(network) && self.give(network, permits) {
                looks = self.order.len() + 1;
            }
            if self.waiting.get(&network).is_some_and(|queue| !queue.is_empty()) {
                self.order.push_back(network);
            } else {
                self.waiting.remove(&network);
            }
        }
    }

    /// Gives a permit to the first of a network that is still there.
    fn give(&mut self, network: Network, permits: &Arc<Mutex<State>>) -> bool {
        let Some(queue) = self.waiting.get_mut(&network) else { return false };
        while let Some(sender) = queue.pop_front() {
            let permit = FairPermit { permits: Some(Arc::clone(permits)), network };
            match sender.send(permit) {
                Ok(()) => {
                    self.hold(network);
                    return true;
                }
                // It was never held, and must not be given back.
                Err(mut refused) => refused.permits = None,
            }
        }
        false
    }
}

impl Drop for FairPermit {
    fn drop(&mut self) {
        if let Some(permits) = self.permits.take() {
            let mut state = lock(&permits);
            state.give_back(self.network);
            state.grant(&permits);
        }
    }
}

/// The tables hold no invariant that a panic elsewhere could have broken.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
