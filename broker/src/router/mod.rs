//! From a name to a destination.
//!
//! One name stands for one destination today; composite names, wildcards and routes will resolve to several here.

use std::collections::HashMap;

use crate::model::{DestinationId, DestinationName};

/// Names of the destinations that exist. Names are chosen by clients, hence the standard library's keyed hash.
#[derive(Debug, Default)]
pub struct Router {
    names: HashMap<DestinationName, DestinationId>,
}

impl Router {
    /// The destination of that name.
    pub fn resolve(&self, name: &DestinationName) -> Option<DestinationId> {
        self.names.get(name).copied()
    }

    /// Gives a name to a destination.
    pub fn bind(&mut self, name: DestinationName, destination: DestinationId) {
        self.names.insert(name, destination);
    }

    /// Frees a name.
    pub fn unbind(&mut self, name: &DestinationName) {
        self.names.remove(name);
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
