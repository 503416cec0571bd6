//! What somebody wants to know about what is there.

use std::sync::Arc;

use super::{DestinationName, Reader, Reply, Wildcard};

/// A question about numbers.
#[derive(Clone, Debug)]
pub struct Inquiry {
    /// About what.
    pub about: Subject,
    /// Whom it is told: nothing about what he may not read.
    pub reader: Arc<dyn Reader>,
    /// Where.
    pub reply: Reply,
}

/// What a question is about.
#[derive(Clone, Debug)]
pub enum Subject {
    /// One destination.
    Destination(DestinationName),
    /// Each that a pattern means, in an answer of its own.
    Destinations(Arc<Wildcard>),
    /// All together.
    Broker,
    /// Each subscription, in an answer of its own.
    Subscriptions,
}
