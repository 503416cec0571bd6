//! Connections that have not logged in, by network and age: who is asked to go when there is no place for another one.
//!
//! A *silent* one has not sent a login yet, or has been refused; its place can be had at once. One whose login is being looked at, or whose answer is
//! held back, keeps its place from newcomers of its own network: giving it up would let guesses go on sooner.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use tokio_util::sync::CancellationToken;

use crate::model::Network;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    by_network: HashMap<Network, Lane>,
    count: usize,
    last: u64,
}

/// Those of one network, the oldest first.
#[derive(Debug, Default)]
struct Lane {
    silent: BTreeMap<u64, CancellationToken>,
    speaking: BTreeMap<u64, CancellationToken>,
}

impl Lane {
    fn len(&self) -> usize {
        self.silent.len() + self.speaking.len()
    }

    fn oldest(&self) -> u64 {
        let first = |of: &BTreeMap<u64, _>| of.keys().next().copied().unwrap_or(u64::MAX);
        first(&self.silent).min(first(&self.speaking))
    }
}

impl Strangers {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// How many there are of one network.
    pub(super) fn len_of(&self, network: Network) -> usize {
        self.by_network.get(&network).map_or(0, Lane::len)
    }

    /// One more. Returns its number, and what is cancelled when it has to go.
    pub(super) fn enter(&mut self, network: Network) -> (u64, CancellationToken) {
        self.last += 1;
        self.count += 1;
        let told = CancellationToken::new();
        self.by_network.entry(network).or_default().silent.insert(self.last, told.clone());
        (self.last, told)
    }

    /// It has sent a login.
    pub(super) fn speaks(&mut self, network: Network, number: u64) {
        if let Some(lane) = self.by_network.get_mut(&network)
            && let Some(told) = lane.silent.remove(&number)
        {
            lane.speaking.insert(number, told);
        }
    }

    /// It has been told that it may not come in: its place can be had like that of a silent one.
    pub(super) fn is_refused(&mut self, network: Network, number: u64) {
        if let Some(lane) = self.by_network.get_mut(&network)
            && let Some(told) = lane.speaking.remove(&number)
        {
            lane.silent.insert(number, told);
        }
    }

    /// It is gone, or a stranger no more. `false` if it had been sent off before.
    pub(super) fn leave(&mut self, network: Network, number: u64) -> bool {
        let Some(lane) = self.by_network.get_mut(&network) else { return false };
        let was_there = lane.silent.remove(&number).is_some() || lane.speaking.remove(&number).is_some();
        self.count -= usize::from(was_there);
        if lane.len() == 0 {
            self.by_network.remove(&network);
        }
        was_there
    }

    /// Sends off the oldest silent one of this network. `false` if there is none.
    pub(super) fn send_off_of(&mut self, network: Network) -> bool {
        let Some(lane) = self.by_network.get_mut(&network) else { return false };
        let Some((number, told)) = lane.silent.first_key_value() else { return false };
        told.cancel();
        let number = *number;
        self.leave(network, number)
    }

    /// Makes room for one of `newcomer`'s: the oldest of the network with the most goes, a silent one first. Of the newcomer's
    /// own network only silent ones go. `false` if nobody can.
    pub(super) fn send_off_for(&mut self, newcomer: Network) -> bool {
        let may_go = |network: &Network, lane: &Lane| *network != newcomer || !lane.silent.is_empty();
        let busiest = self
            .by_network
            .iter()
            .filter(|(network, lane)| may_go(network, lane))
            .max_by_key(|(_, lane)| (lane.len(), Reverse(lane.oldest())))
            .map(|(network, lane)| (*network, lane.len()));
        let Some((busiest, most)) = busiest else { return false };
        if self.send_off_of(busiest) {
            return true;
        }
        // A login that is being looked at goes only where more wait than of the newcomer's network.
        if most <= self.len_of(newcomer) + 1 {
            return false;
        }
        let oldest = self.by_network.get(&busiest).and_then(|lane| lane.speaking.first_key_value());
        let Some((number, told)) = oldest else { return false };
        told.cancel();
        let number = *number;
        self.leave(busiest, number)
    }
}
