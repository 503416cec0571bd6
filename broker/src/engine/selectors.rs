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
    /// What the selector of a feed costs for an ordinary message, if it has one.
    pub(super) fn selector_of(&self, feed: &Feed) -> Option<u64> {
        let filter = feed.selector.as_ref().and_then(|text| (self.options.compile)(text))?;
        Some(filter.steps(ORDINARY_HEAD_BYTES))
    }

    /// Whether a feed, with a selector that costs so much, may stand behind a topic where these queues are.
    pub(super) fn admit_behind(
        &mut self,
        (feed, own): (&Feed, Option<u64>),
        topic: &DestinationName,
        queues: &[DestinationId],
    ) -> Result<(), Refusal> {
        let itself = self.router.resolve(&feed.queue);
        let others = || queues.iter().filter(|queue| Some(**queue) != itself);
        let limit = self.options.topic_queues;
        let is_among = itself.is_some_and(|itself| queues.binary_search(&itself).is_ok());
        if queues.len() - usize::from(is_among) >= limit {
            return Err(Refusal::TooManyBindings { topic: topic.clone(), limit });
        }
        let Some(own) = own else { return Ok(()) };
        let steps = own + others().map(|queue| self.selector_steps(*queue, ORDINARY_HEAD_BYTES)).sum::<u64>();
        self.steps.charge(queues.len() as u64);
        self.check_selectors(topic, steps, 1)
    }

    /// Whether the selectors behind a destination may be asked about a message, which is decided before they are.
    pub(super) fn admit_judging(&mut self, destination: DestinationId, publish: &Publish) -> Result<(), Refusal> {
        if publish.to.kind().is_queue() {
            return Ok(());
        }
        let Some(Kind::Topic(topic)) = self.destinations.get(&destination).map(|found| &found.kind) else {
            return Ok(());
        };
        if topic.feeds.is_empty() && topic.feeds_as_of == self.wild_feeds {
            return Ok(());
        }
        let name = topic.name().clone();
        self.freshen(destination);
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
