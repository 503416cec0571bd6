//! What the engine shows of a queue. A copy: whoever looks at it holds nothing up.

use std::borrow::Cow;

use super::handle::Handle;
use super::machine::Engine;
use crate::destination::{Entry, Queue};
use crate::model::{DestinationName, Pause, Standing, Terms};

/// What can be seen of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueView {
    /// Its name.
    pub name: DestinationName,
    /// Messages that wait for a consumer.
    pub ready: usize,
    /// Messages that are out.
    pub reserved: usize,
    /// Messages that wait for their time.
    pub delayed: usize,
    /// Messages that wait until somebody kicks them.
    pub buried: usize,
    /// Consumers.
    pub consumers: usize,
    /// Octets of head and body.
    pub bytes: u64,
    /// Which sides stand still.
    pub pause: Pause,
    /// The messages, ready ones in order first.
    pub entries: Vec<Entry>,
    /// How those stand that nobody holds, and what their senders said about them; in the order of `entries`.
    pub standing: Vec<(Standing, Option<Terms>)>,
}

impl QueueView {
    pub(super) fn of(queue: &Queue) -> QueueView {
        QueueView {
            name: queue.name().clone(),
            ready: queue.ready(),
            reserved: queue.reserved(),
            delayed: queue.delayed(),
            buried: queue.buried(),
            consumers: queue.consumers(),
            bytes: queue.bytes(),
            pause: queue.pause,
            entries: queue.entries().into_iter().cloned().collect(),
            standing: queue
                .entries()
                .into_iter()
                .map(|entry| (queue.standing(entry.message), queue.terms(entry).map(Cow::into_owned)))
                .collect(),
        }
    }
}

impl Engine {
    /// Clients.
    pub fn clients(&self) -> usize {
        self.sessions.len()
    }

    /// What the queues hold, by name. For comparison and inspection.
    pub fn queues(&self) -> Vec<QueueView> {
        let mut views: Vec<_> = self.destinations.values().filter_map(|d| d.kind.queue().map(QueueView::of)).collect();
        views.sort_by(|a, b| a.name.cmp(&b.name));
        views
    }
}

impl Handle {
    /// What the queues hold.
    pub fn queues(&self) -> Vec<QueueView> {
        self.lock().engine.queues()
    }

    /// Clients.
    pub fn clients(&self) -> usize {
        self.lock().engine.clients()
    }
}
