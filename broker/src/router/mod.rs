//! From a name to a destination, and from a name to whoever has asked for it by a pattern.
//!
//! A name is looked up once per SEND; patterns are walked only when a destination comes into being or a pattern does, and
//! what they lead to is kept with the destination. Knows nothing of what it leads to.

mod patterns;
mod routes;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::ops::Bound;

use hashbrown::HashTable;

use crate::model::{DestinationId, DestinationName};

pub use patterns::Patterns;
pub use routes::{Route, Routes};

/// Names of the destinations that exist.
#[derive(Debug, Default)]
pub struct Router {
    /// Names are chosen by clients, hence the standard library's keyed hash. Each is hashed once: when the table grows, which is
    /// in the hold of one request, no name is looked at.
    names: HashTable<Named>,
    keys: RandomState,
    /// The same by their numbers, for those who go through all of them a part at a time.
    order: BTreeMap<DestinationId, DestinationName>,
}

/// A name with its hash.
#[derive(Debug)]
struct Named {
    hash: u64,
    name: DestinationName,
    destination: DestinationId,
}

impl Router {
    /// The destination of that name.
    pub fn resolve(&self, name: &DestinationName) -> Option<DestinationId> {
        let hash = self.keys.hash_one(name);
        self.names.find(hash, |named| named.name == *name).map(|named| named.destination)
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
        let hash = self.keys.hash_one(&name);
        if let Some(named) = self.names.find_mut(hash, |named| named.name == name) {
            self.order.remove(&std::mem::replace(&mut named.destination, destination));
        } else {
            self.grow();
            let named = Named { hash, name: name.clone(), destination };
            self.names.insert_unique(hash, named, |named| named.hash);
        }
        self.order.insert(destination, name);
    }

    /// Grows before the table is full: not in the same hold as that of the destinations, which has as many rows.
    fn grow(&mut self) {
        let (len, most) = (self.names.len(), self.names.capacity());
        if len >= 1024 && len + len / 8 >= most {
            self.names.reserve(most - len + 1, |named| named.hash);
        }
    }

    /// Takes a name from a destination, unless it has gone to another one.
    pub fn unbind(&mut self, name: &DestinationName, destination: DestinationId) {
        let is_it = |named: &Named| named.name == *name && named.destination == destination;
        if let Ok(named) = self.names.find_entry(self.keys.hash_one(name), is_it) {
            named.remove();
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
