//! What can be seen of the engine from outside.

use crate::destination::{Entry, Queue};
use crate::model::DestinationName;

/// What can be seen of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueView {
    /// Its name.
    pub name: DestinationName,
    /// Messages that wait for a consumer.
    pub ready: usize,
    /// Messages that are out.
    pub reserved: usize,
    /// Consumers.
    pub consumers: usize,
    /// Octets of head and body.
    pub bytes: u64,
    /// The messages, ready ones in order first.
    pub entries: Vec<Entry>,
}

impl QueueView {
    pub(super) fn of(queue: &Queue) -> QueueView {
        QueueView {
            name: queue.name().clone(),
            ready: queue.ready(),
            reserved: queue.reserved(),
            consumers: queue.consumers(),
            bytes: queue.bytes(),
            entries: queue.entries().into_iter().cloned().collect(),
        }
    }
}
