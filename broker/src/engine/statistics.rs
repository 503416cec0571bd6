//! Numbers about queues, topics, subscriptions and all of it, for whoever asks. The words of ActiveMQ's statistics where they
//! can be answered truthfully, and words of our own for what it does not know.

use super::chore::Chore;
use super::destination::Kind;
use super::document::Document;
use super::machine::Engine;
use crate::destination::{Consumer, ConsumerKey, Counts, Queue, Reach, Scope};
use crate::model::{
    AckMode, Answer, DestinationId, DestinationKind, DestinationName, Effects, Inquiry, Now, Reader, Reply, SessionId,
    SoftRefusal, Subject, SubscriptionId,
};

/// Answers that one question gets at most.
const ANSWERS: usize = 1000;
/// What it costs to make an answer, in steps.
const DOCUMENT: u64 = 16;
/// What it costs to find out whether a subscription may be known of.
const LOOK: u64 = 8;
/// Destinations of a wildcard subscription that are looked at in a row for one that may be read.
const LOOKS: usize = 64;

/// A question on its way through all destinations or subscriptions.
#[derive(Debug)]
pub(super) struct Inquiring {
    inquiry: Inquiry,
    behind: Behind,
    /// A subscription to a pattern, of whose destinations those up to this one may not be read.
    looked: Option<(ConsumerKey, DestinationId)>,
    told: usize,
    sum: Sum,
}

/// How far a question has got.
#[derive(Clone, Copy, Debug)]
enum Behind {
    Nothing,
    Destination(DestinationId),
    Subscription(u32, SubscriptionId),
}

/// What a question comes to next.
enum Found {
    Document(Document),
    Nothing,
    /// It is at its end, and what is told then.
    End(Option<Document>),
}

/// What a look at some destinations of a wildcard subscription has shown.
enum Look {
    /// None may be read up to this one, and there are more.
    On(DestinationId),
    /// Whether one may be read.
    Over(bool),
}

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
    /// Answers a question about numbers, or begins to.
    pub(super) fn inquire(&mut self, now: Now, session: SessionId, inquiry: Inquiry, effects: &mut Effects) -> Answer {
        let Subject::Destination(name) = &inquiry.about else {
            let inquiring = Inquiring { inquiry, behind: Behind::Nothing, looked: None, told: 0, sum: Sum::default() };
            return self.begin(now, session, Chore::Inquire(Box::new(inquiring)), effects);
        };
        let found = match self.router.resolve(name) {
            _ if !inquiry.reader.may_read(name) => Err(SoftRefusal::Forbidden),
            Some(id) => Ok(self.about_destination(id)),
            None => Err(SoftRefusal::UnknownQueue),
        };
        match found {
            Ok(document) => {
                if let Some(document) = document {
                    self.say(now, inquiry.reply, document.finish(), effects);
                }
                Answer::Done
            }
            Err(why) => {
                let document = Document::new().text("op", "statistics").text("queue", name.as_str());
                self.say(now, inquiry.reply, document.text("error", why.as_str()).finish(), effects);
                Answer::Soft(why)
            }
        }
    }

    /// Goes on with a question about many, as far as there are steps. `true` once all of it is answered.
    pub(super) fn answer_part(&mut self, now: Now, inquiring: &mut Inquiring, effects: &mut Effects) -> bool {
        while !self.is_used_up(effects) {
            let document = match self.next_document(inquiring) {
                Found::Document(document) => document,
                Found::Nothing => continue,
                Found::End(last) => {
                    if let Some(document) = last {
                        self.say_again(now, &inquiring.inquiry.reply, document, effects);
                    }
                    return true;
                }
            };
            self.steps.charge(DOCUMENT);
            self.say_again(now, &inquiring.inquiry.reply, document, effects);
            inquiring.told += 1;
            if inquiring.told >= ANSWERS {
                return true;
            }
        }
        false
    }

    fn say_again(&mut self, now: Now, reply: &Reply, document: Document, effects: &mut Effects) {
        let reply = Reply { to: reply.to.clone(), head: reply.head.clone() };
        self.say(now, reply, document.finish(), effects);
    }

    /// Looks at one more destination or subscription.
    fn next_document(&mut self, inquiring: &mut Inquiring) -> Found {
        self.steps.charge(1);
        let Inquiring { inquiry: Inquiry { about, reader, .. }, behind, looked, sum, .. } = inquiring;
        if let Subject::Subscriptions = about {
            let last = if let Behind::Subscription(index, id) = *behind { Some((index, id)) } else { None };
            let Some((at, key)) = self.sessions.next_subscription(last) else { return Found::End(None) };
            self.steps.charge(LOOK);
            let Some(consumer) = self.consumers.get(key) else {
                *behind = Behind::Subscription(at.0, at.1);
                return Found::Nothing;
            };
            let last = looked.take().filter(|(of, _)| *of == key).map(|(_, id)| id);
            return match self.look_in_pattern(consumer, &**reader, last) {
                Look::On(last) => {
                    self.steps.charge(LOOKS as u64);
                    *looked = Some((key, last));
                    Found::Nothing
                }
                Look::Over(may_know) => {
                    *behind = Behind::Subscription(at.0, at.1);
                    let document = may_know.then(|| self.about_subscription(consumer, &**reader)).flatten();
                    document.map_or(Found::Nothing, Found::Document)
                }
            };
        }
        let last = if let Behind::Destination(id) = *behind { Some(id) } else { None };
        let Some((id, name)) = self.router.behind(last) else {
            let is_sum = matches!(about, Subject::Broker);
            return Found::End(is_sum.then(|| self.about_all(sum)));
        };
        *behind = Behind::Destination(id);
        match about {
            Subject::Destinations(wildcard) if wildcard.reaches(name) => {
                self.about_destination(id).map_or(Found::Nothing, Found::Document)
            }
            Subject::Broker if is_public(name) && reader.may_read(name) => {
                self.steps.charge(1);
                if let Some(destination) = self.destinations.get(&id) {
                    sum.add(&destination.kind);
                }
                Found::Nothing
            }
            _ => Found::Nothing,
        }
    }

    fn about_destination(&self, id: DestinationId) -> Option<Document> {
        let destination = self.destinations.get(&id)?;
        let document = self.signed().text("destinationName", &classic(destination.kind.name()));
        Some(match &destination.kind {
            Kind::Queue(queue) => {
                let mut sum = Sum::default();
                sum.add(&destination.kind);
                limits(queue, sum.write(document))
            }
            Kind::Topic(topic) => {
                let consumers = topic.subscribers().len() as u64;
                let document = document.number("size", 0).number("enqueueCount", topic.counts.enqueued);
                document.number("consumerCount", consumers).number("feedCount", self.feeds_of(id).len() as u64)
            }
        })
    }

    fn about_all(&self, sum: &Sum) -> Document {
        let document = self.signed().text("version", env!("CARGO_PKG_VERSION"));
        let document = document.number("connectionCount", self.clients() as u64);
        let document = sum.write(document).number("queueCount", sum.queues).number("topicCount", sum.topics);
        let document = document.number("refusedCount", self.declined);
        self.holds.write(document)
    }

    /// The name of a destination that somebody may know of.
    fn shown(&self, id: DestinationId, reader: &dyn Reader) -> Option<&DestinationName> {
        let name = self.destinations.get(&id)?.kind.name();
        (is_public(name) && reader.may_read(name)).then_some(name)
    }

    /// Looks among the destinations of a wildcard subscription for one that may be read: whoever may read something of it may
    /// know of it. What others are to is looked at elsewhere.
    fn look_in_pattern(&self, consumer: &Consumer, reader: &dyn Reader, behind: Option<DestinationId>) -> Look {
        let Reach::Many(many) = &consumer.reach else { return Look::Over(true) };
        if many.wildcard().is_none() {
            return Look::Over(true);
        }
        let (mut last, mut count) = (None, 0);
        for id in many.joined_behind(behind).take(LOOKS) {
            if self.destinations.get(&id).is_some_and(|found| reader.may_read(found.kind.name())) {
                return Look::Over(true);
            }
            (last, count) = (Some(id), count + 1);
        }
        last.filter(|_| count == LOOKS).map_or(Look::Over(false), Look::On)
    }

    fn about_subscription(&self, consumer: &Consumer, reader: &dyn Reader) -> Option<Document> {
        let name = match &consumer.reach {
            Reach::Nowhere => return None,
            Reach::One(id) => self.shown(*id, reader).map(classic)?,
            Reach::View(view) => self.shown(view.queue, reader).map(classic)?,
            Reach::Many(many) => match &many.scope {
                Scope::Wildcard(wildcard) => wildcard.as_str().to_owned(),
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
