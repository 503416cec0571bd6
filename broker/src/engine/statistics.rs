//! Numbers about queues, topics, subscriptions and all of it, for whoever asks. The words of ActiveMQ's statistics where they
//! can be answered truthfully, and words of our own for what it does not know.

use super::destination::Kind;
use super::document::Document;
use super::machine::Engine;
use crate::destination::{Consumer, Counts, Queue, Reach, Scope};
use crate::model::{
    AckMode, Answer, DestinationId, DestinationKind, DestinationName, Effects, Inquiry, Now, Reader, Reply,
    SoftRefusal, Subject,
};

/// Answers that one question gets at most.
const ANSWERS: usize = 1000;

/// What is added up over many destinations. A topic keeps nothing, so the numbers of messages are those of queues.
#[derive(Debug, Default)]
struct Sum {
    queues: u64,
    topics: u64,
    counts: Counts,
    size: u64,
    bytes: u64,
    ready: u64,
    reserved: u64,
    delayed: u64,
    buried: u64,
    consumers: u64,
}

impl Sum {
    fn add(&mut self, kind: &Kind) {
        match kind {
            Kind::Queue(queue) => {
                self.queues += 1;
                self.counts = self.counts.and(queue.counts());
                self.size += queue.len() as u64;
                self.bytes += queue.bytes();
                self.ready += queue.ready() as u64;
                self.reserved += queue.reserved() as u64;
                self.delayed += queue.delayed() as u64;
                self.buried += queue.buried() as u64;
                self.consumers += queue.consumers() as u64;
            }
            Kind::Topic(topic) => {
                self.topics += 1;
                self.consumers += topic.subscribers().len() as u64;
            }
        }
    }

    fn write(&self, document: Document) -> Document {
        document
            .number("size", self.size)
            .number("enqueueCount", self.counts.enqueued)
            .number("dequeueCount", self.counts.dequeued)
            .number("dispatchCount", self.counts.dispatched)
            .number("expiredCount", self.counts.expired)
            .number("inflightCount", self.reserved)
            .number("consumerCount", self.consumers)
            .number("ready", self.ready)
            .number("reserved", self.reserved)
            .number("delayed", self.delayed)
            .number("buried", self.buried)
            .number("bytes", self.bytes)
    }
}

impl Engine {
    /// Answers a question about numbers.
    pub(super) fn inquire(&mut self, now: Now, inquiry: Inquiry, effects: &mut Effects) -> Answer {
        let Inquiry { about, reader, reply } = inquiry;
        let documents = match &about {
            Subject::Destination(name) => match self.router.resolve(name) {
                _ if !reader.may_read(name) => Err((SoftRefusal::Forbidden, name)),
                Some(id) => Ok(self.about_destinations(&[id])),
                None => Err((SoftRefusal::UnknownQueue, name)),
            },
            Subject::Destinations(wildcard) => {
                let ids = self.router.select(|name| wildcard.reaches(name));
                Ok(self.about_destinations(&ids))
            }
            Subject::Broker => Ok(vec![self.about_all(&*reader)]),
            Subject::Subscriptions => Ok(self.about_subscriptions(&*reader)),
        };
        let documents = match documents {
            Ok(documents) => documents,
            Err((why, name)) => {
                let word = "statistics";
                let document =
                    Document::new().text("op", word).text("queue", name.as_str()).text("error", why.as_str());
                self.say(now, reply, document.finish(), effects);
                return Answer::Soft(why);
            }
        };
        for document in documents {
            let Reply { to, head } = &reply;
            let reply = Reply { to: to.clone(), head: head.clone() };
            self.say(now, reply, document.finish(), effects);
        }
        Answer::Done
    }

    fn about_destinations(&self, ids: &[DestinationId]) -> Vec<Document> {
        let found = ids.iter().filter_map(|id| self.destinations.get(id)).take(ANSWERS);
        found
            .map(|destination| {
                let document = self.signed().text("destinationName", &classic(destination.kind.name()));
                match &destination.kind {
                    Kind::Queue(queue) => {
                        let mut sum = Sum::default();
                        sum.add(&destination.kind);
                        limits(queue, sum.write(document))
                    }
                    Kind::Topic(topic) => {
                        let consumers = topic.subscribers().len() as u64;
                        let document = document.number("size", 0).number("enqueueCount", topic.counts.enqueued);
                        document.number("consumerCount", consumers).number("feedCount", topic.feeds.len() as u64)
                    }
                }
            })
            .collect()
    }

    fn about_all(&self, reader: &dyn Reader) -> Document {
        let mut sum = Sum::default();
        for id in self.router.select(|name| is_public(name) && reader.may_read(name)) {
            if let Some(destination) = self.destinations.get(&id) {
                sum.add(&destination.kind);
            }
        }
        let document = self.signed().text("version", env!("CARGO_PKG_VERSION"));
        let document = document.number("connectionCount", self.clients() as u64);
        sum.write(document).number("queueCount", sum.queues).number("topicCount", sum.topics)
    }

    fn about_subscriptions(&self, reader: &dyn Reader) -> Vec<Document> {
        let documents = self.consumers.values().filter_map(|consumer| self.about_subscription(consumer, reader));
        documents.take(ANSWERS).collect()
    }

    /// The name of a destination that somebody may know of.
    fn shown(&self, id: DestinationId, reader: &dyn Reader) -> Option<&DestinationName> {
        let name = self.destinations.get(&id)?.kind.name();
        (is_public(name) && reader.may_read(name)).then_some(name)
    }

    fn about_subscription(&self, consumer: &Consumer, reader: &dyn Reader) -> Option<Document> {
        let name = match &consumer.reach {
            Reach::Nowhere => return None,
            Reach::One(id) => self.shown(*id, reader).map(classic)?,
            Reach::View(view) => self.shown(view.queue, reader).map(classic)?,
            // Whoever may read something of it may know of it.
            Reach::Many(many) => match &many.scope {
                Scope::Wildcard(wildcard) => {
                    let mut joined = many.joined.iter().filter_map(|id| self.destinations.get(id));
                    joined.any(|found| reader.may_read(found.kind.name())).then(|| wildcard.as_str().to_owned())?
                }
                Scope::List(sources) => {
                    let shown = sources.listed.iter().filter_map(|id| self.shown(*id, reader).map(classic));
                    Some(shown.collect::<Vec<_>>().join(",")).filter(|names| !names.is_empty())?
                }
            },
        };
        let mode = match consumer.mode {
            AckMode::Auto => "auto",
            AckMode::Client => "client",
            AckMode::ClientIndividual => "client-individual",
        };
        let (given, out) = (consumer.next_number() - 1, consumer.out().count() as u64);
        let session = consumer.session;
        Some(
            self.signed()
                .text("destinationName", &name)
                .text("connectionId", &format!("{}-{}", session.index, session.generation))
                .number("subscriptionId", consumer.subscription.0.into())
                .text("ackMode", mode)
                .number("prefetchSize", consumer.credit().messages.into())
                .number("dispatchedCounter", given)
                .number("dequeueCounter", given - out)
                .number("dispatchedQueueSize", out)
                .flag("selective", consumer.filter.is_some()),
        )
    }

    /// An answer, with who gives it.
    fn signed(&self) -> Document {
        let shard = self.options.shard.get();
        Document::new().text("brokerName", "kolejka").text("brokerId", &format!("kolejka-{shard}"))
    }
}

/// What a queue may hold, and which sides of it stand still.
fn limits(queue: &Queue, document: Document) -> Document {
    let policy = queue.policy();
    document
        .number("maxLength", policy.max_length)
        .number("maxBytes", policy.max_bytes)
        .flag("inputPaused", !queue.takes())
        .flag("outputPaused", queue.pause.output.is_some())
}

/// Whether clients know such names. What stands behind topics is counted there.
fn is_public(name: &DestinationName) -> bool {
    matches!(name.kind(), DestinationKind::Queue | DestinationKind::Topic)
}

/// A name as ActiveMQ spells it in its statistics.
fn classic(name: &DestinationName) -> String {
    match name.kind() {
        DestinationKind::Queue => format!("queue://{}", name.path()),
        DestinationKind::Topic => format!("topic://{}", name.path()),
        DestinationKind::TempQueue => format!("temp-queue://{}", name.path()),
        DestinationKind::TempTopic => format!("temp-topic://{}", name.path()),
        _ => name.as_str().to_owned(),
    }
}
