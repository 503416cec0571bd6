//! From a name to a destination, and from a name to whoever has asked for it by a pattern.
//!
//! A name is looked up once per SEND; patterns are walked only when a destination comes into being or a pattern does, and
//! what they lead to is kept with the destination. Knows nothing of what it leads to.

mod patterns;
mod routes;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::hash::RandomState;
use std::ops::Bound;

use crate::model::{DestinationId, DestinationName};
use crate::table::Table;

pub use patterns::Patterns;
pub use routes::{Route, Routes};

/// Names of the destinations that exist. Names are chosen by clients, hence the standard library's keyed hash.
#[derive(Debug, Default)]
pub struct Router {
    names: Table<DestinationName, DestinationId, RandomState>,
    /// The same by their numbers, for those who go through all of them a part at a time.
    order: BTreeMap<DestinationId, DestinationName>,
}

impl Router {
    /// The destination of that name.
    pub fn resolve(&self, name: &DestinationName) -> Option<DestinationId> {
        self.names.get(name).copied()
    }

    /// All destinations that a question is answered with yes for, in the order of their numbers.
    pub fn select(&self, mut is_meant: impl FnMut(&DestinationName) -> bool) -> Vec<DestinationId> {
        self.order.iter().filter(|(_, name)| is_meant(name)).map(|(id, _)| *id).collect()
    }

    /// The destination with the next higher number that has a name.
    pub fn behind(&self, destination: Option<DestinationId>) -> Option<(DestinationId, &DestinationName)> {
        let from = destination.map_or(Bound::Unbounded, Bound::Excluded);
        self.order.range((from, Bound::Unbounded)).next().map(|(id, name)| (*id, name))
    }

    /// Gives a name to a destination.
    pub fn bind(&mut self, name: DestinationName, destination: DestinationId) {
        if let Some(old) = self.names.insert(name.clone(), destination) {
            self.order.remove(&old);
        }
        self.order.insert(destination, name);
    }

    /// Takes a name from a destination, unless it has gone to another one.
    pub fn unbind(&mut self, name: &DestinationName, destination: DestinationId) {
        if self.resolve(name) == Some(destination) {
            self.names.remove(name);
            self.order.remove(&destination);
        }
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}
