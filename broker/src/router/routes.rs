//! Where else a message goes than to where it was sent.

use std::sync::Arc;

use crate::model::{DestinationKind, DestinationName, Filter, Pattern};

/// One route of the configuration.
#[derive(Clone, Debug)]
pub struct Route {
    /// Messages that are sent there.
    pub from: Pattern,
    /// Only those that it lets through.
    pub filter: Option<Arc<dyn Filter>>,
    /// Each of these gets a copy.
    pub to: Vec<DestinationName>,
    /// They do not go where they were sent.
    pub is_exclusive: bool,
}

/// All routes, in the order of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Routes(Arc<[Route]>);

impl Routes {
    /// These.
    pub fn new(routes: Vec<Route>) -> Routes {
        Routes(routes.into())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The routes that begin at a destination. Only what clients send to by name is one.
    pub fn from(&self, name: &DestinationName) -> impl Iterator<Item = &Route> {
        let is_plain = matches!(name.kind(), DestinationKind::Queue | DestinationKind::Topic);
        self.0.iter().filter(move |route| is_plain && route.from.matches(name))
    }
}
