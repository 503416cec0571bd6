//! What the selectors of queues behind a topic may cost. They are all asked while a message of the topic is sent, in one
//! hold of the engine's lock, since the log is told at once which of these queues have it.

use super::destination::Kind;
use super::machine::Engine;
use crate::model::{DestinationId, DestinationName, Feed, Publish, Refusal};

/// Bytes of the head by which selectors are weighed when a queue is bound.
const ORDINARY_HEAD_BYTES: usize = 256;
/// How many times the limit the selectors may cost for a message whose head is longer than that.
const LONG_HEADS: u64 = 4;

impl Engine {
    /// Whether one more selector may stand behind each of these topics.
    pub(super) fn admit_selector(&mut self, feed: &Feed) -> Result<(), Refusal> {
        let Some(filter) = feed.selector.as_ref().and_then(|text| (self.options.compile)(text)) else { return Ok(()) };
        let bound = self.router.resolve(&feed.queue).and_then(|id| self.queue_mut(id)?.fed.as_deref());
        if bound.is_some_and(|fed| fed.topics == feed.topics && fed.selector() == feed.selector.as_ref()) {
            return Ok(());
        }
        let own = filter.steps(ORDINARY_HEAD_BYTES);
        if let Some(topic) = feed.topics.name() {
            // It need not be there yet.
            let queues = self.feeds.matching(&topic);
            let steps = own + queues.iter().map(|queue| self.selector_steps(*queue, ORDINARY_HEAD_BYTES)).sum::<u64>();
            self.steps.charge(queues.len() as u64);
            return self.check_selectors(&topic, steps, 1);
        }
        for id in self.reached_by(&feed.topics) {
            let (steps, queues) = self.steps_of(id, ORDINARY_HEAD_BYTES);
            self.steps.charge(queues);
            let Some(name) = self.destinations.get(&id).map(|found| found.kind.name().clone()) else { continue };
            self.check_selectors(&name, own + steps, 1)?;
        }
        Ok(())
    }

    /// Whether the selectors behind a destination may be asked about a message, which is decided before they are.
    pub(super) fn admit_judging(&mut self, destination: DestinationId, publish: &Publish) -> Result<(), Refusal> {
        if publish.to.kind().is_queue() {
            return Ok(());
        }
        let Some(Kind::Topic(topic)) = self.destinations.get(&destination).map(|found| &found.kind) else {
            return Ok(());
        };
        if topic.feeds.is_empty() {
            return Ok(());
        }
        let name = topic.name().clone();
        let (steps, queues) = self.steps_of(destination, publish.message.content.head().len());
        self.steps.charge(queues);
        self.check_selectors(&name, steps, LONG_HEADS)
    }

    fn check_selectors(&self, topic: &DestinationName, steps: u64, times: u64) -> Result<(), Refusal> {
        let limit = self.options.topic_selectors * times;
        if steps > limit {
            return Err(Refusal::TooManySelectors { topic: topic.clone(), steps, limit });
        }
        Ok(())
    }

    /// What the selectors behind a topic cost for a head of so many bytes, and how many queues stand there.
    fn steps_of(&self, topic: DestinationId, head: usize) -> (u64, u64) {
        let queues = self.feeds_of(topic);
        (queues.iter().map(|queue| self.selector_steps(*queue, head)).sum(), queues.len() as u64)
    }

    fn selector_steps(&self, queue: DestinationId, head: usize) -> u64 {
        let fed = self.destinations.get(&queue).and_then(|found| found.kind.queue()?.fed.as_ref());
        fed.map_or(0, |fed| fed.steps(head))
    }
}
