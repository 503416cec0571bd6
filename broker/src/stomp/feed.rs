//! Durable subscriptions, consumer groups and virtual topics: five ways of saying that a queue stands behind a topic.
//!
//! A durable subscription belongs to a login, and to a `client-id` if the client has one; a group belongs to whoever may read
//! its queue. All of them are named here and nowhere else.

use std::fmt::Write;

use kolejka_codec::Headers;

use super::composite;
use super::error::Fault;
use super::gate::{Gate, Routing};
use super::subscription::Subscription;
use crate::model::DestinationKind;
use crate::model::DestinationName;
use crate::model::Feed;
use crate::model::Pattern;
use crate::model::Source;

/// Names of a durable subscription: ActiveMQ's, a misspelling of it that is in the field, and Artemis' two.
const NAMES: [&str; 4] =
    ["activemq.subscriptionName", "activemq.subcriptionName", "durable-subscription-name", "durable-subscriber-name"];

/// RabbitMQ's and Apollo's way: the subscription's `id` is the name.
const FLAGS: [&str; 2] = ["durable", "persistent"];

/// Most octets of such a name, of a group, and of a `client-id` that is part of it.
const NAME_BYTES: usize = 128;

/// Most octets of the queue's name that comes of it.
const QUEUE_BYTES: usize = 600;

/// Artemis' `address::queue`, where the address is a topic: the queue is what we call a group. Elsewhere two colons are part
/// of a name.
pub(super) fn qualified(written: &str, routing: Routing) -> (&str, Option<&str>) {
    let is_topic = routing == Routing::Topic || written.starts_with("/topic/");
    match written.split_once("::").filter(|_| is_topic && !composite::is_list(written)) {
        Some((address, queue)) => (address, Some(queue)),
        None => (written, None),
    }
}

/// The queue that a subscription to `source` asks for, if it does. `id` is the subscription's, `queue` what stood behind two
/// colons.
pub(super) fn asked(
    headers: &Headers,
    source: &Source,
    (id, queue): (Option<&str>, Option<&str>),
    gate: &Gate,
) -> Result<Option<Feed>, Fault> {
    if let Source::List(list) = source {
        for name in list.names() {
            if asked(headers, &Source::Name(name.clone()), (id, queue), gate)?.is_some() {
                return Err(Fault::Unsupported("a durable subscription or a virtual topic in a list"));
            }
        }
        return Ok(None);
    }
    let feed = behind(headers, source, (id, queue), gate)?;
    // The queue of a virtual topic has readers of its own by name, who bring their own selectors.
    let selector = headers.get("selector").filter(|text| !text.trim().is_empty());
    let is_virtual = |feed: &Feed| {
        feed.queue.kind() == DestinationKind::Queue && feed.topics.as_str().starts_with("/topic/VirtualTopic")
    };
    Ok(feed.map(|feed| match selector.filter(|_| !is_virtual(&feed)) {
        Some(text) => Feed { selector: Some(text.into()), ..feed },
        None => feed,
    }))
}

fn behind(
    headers: &Headers,
    source: &Source,
    (id, queue): (Option<&str>, Option<&str>),
    gate: &Gate,
) -> Result<Option<Feed>, Fault> {
    match source.kind() {
        DestinationKind::Queue => virtual_topic(headers, source, gate),
        DestinationKind::Topic => match (durable_name(headers, id)?, queue.or_else(|| group(headers))) {
            (None, None) => Ok(None),
            (Some((header, name)), None) => durable(headers, source, (header, name), gate).map(Some),
            (None, Some(group)) => group_queue(headers, source, group, gate).map(Some),
            (Some(_), Some(_)) => {
                Err(Fault::BadHeader { header: "group", expected: "a group or a durable subscription, not both" })
            }
        },
        _ => Ok(None),
    }
}

/// Whether an UNSUBSCRIBE is meant for good: it says what the SUBSCRIBE said.
pub(super) fn is_for_good(headers: &Headers) -> bool {
    let says = |name: &str| headers.get(name).is_some_and(|value| !value.is_empty());
    NAMES.into_iter().any(says) || FLAGS.into_iter().any(|flag| headers.get(flag) == Some("true")) || says("group")
}

fn durable_name<'h>(headers: &'h Headers, id: Option<&'h str>) -> Result<Option<(&'static str, &'h str)>, Fault> {
    let named =
        NAMES.into_iter().find_map(|header| Some((header, headers.get(header)?)).filter(|(_, n)| !n.is_empty()));
    if named.is_some() {
        return Ok(named);
    }
    let flag = FLAGS.into_iter().find(|flag| headers.get(flag) == Some("true"));
    // What goes with its reader is not durable, whatever else is said.
    let Some(flag) = flag.filter(|_| headers.get("auto-delete") != Some("true")) else { return Ok(None) };
    match id {
        Some(id) => Ok(Some((flag, id))),
        None => Err(Fault::BadHeader { header: flag, expected: "an id with it, which names the subscription" }),
    }
}

fn group(headers: &Headers) -> Option<&str> {
    headers.get("group").filter(|group| !group.is_empty())
}

/// `/dsub/<login>/<client-id>/<name>/<topic>`: nobody else can name it.
fn durable(
    headers: &Headers,
    topic: &Source,
    (header, name): (&'static str, &str),
    gate: &Gate,
) -> Result<Feed, Fault> {
    gate.check_read(topic)?;
    let (login, client) = gate.identity();
    let mut path = String::new();
    spell(&mut path, login, "");
    path.push('/');
    match client {
        Some(client) => spell(&mut path, checked("client-id", client)?, ""),
        None => path.push('~'),
    }
    path.push('/');
    spell(&mut path, checked(header, name)?, "");
    path.push('/');
    spell(&mut path, path_of(topic), "./");
    let queue = DestinationName::subscription(&path).map_err(Fault::BadDestination)?;
    feed(headers, (header, queue), topic, client.is_some())
}

/// `/queue/Consumer.<group>.<topic>`, which for a topic `VirtualTopic.x` is what ActiveMQ calls it.
fn group_queue(headers: &Headers, topic: &Source, group: &str, gate: &Gate) -> Result<Feed, Fault> {
    gate.check_read(topic)?;
    let mut path = String::from("Consumer.");
    spell(&mut path, checked("group", group)?, "");
    path.push('.');
    spell(&mut path, path_of(topic), "./");
    let queue = DestinationName::queue(&path).map_err(Fault::BadDestination)?;
    gate.check_read(&Source::Name(queue.clone()))?;
    feed(headers, ("group", queue), topic, false)
}

/// Whether the client may still read the queue that stands behind its subscription, and the topics that feed it.
pub(super) fn check(subscription: &Subscription, gate: &Gate) -> Result<(), Fault> {
    let Some(queue) = &subscription.feed else { return Ok(()) };
    if queue.kind() == DestinationKind::Subscription {
        return gate.check_read(&subscription.to);
    }
    gate.check_read(&Source::Name(queue.clone()))?;
    match subscription.to.kind() {
        DestinationKind::Topic => gate.check_read(&subscription.to),
        _ => virtual_topic(&Headers::default(), &subscription.to, gate).map(drop),
    }
}

/// `/queue/Consumer.<group>.VirtualTopic.<name>` is fed by `/topic/VirtualTopic.<name>`.
fn virtual_topic(headers: &Headers, source: &Source, gate: &Gate) -> Result<Option<Feed>, Fault> {
    let Source::Name(queue) = source else { return Ok(None) };
    let mut parts = queue.path().splitn(4, ['.', '/']);
    let (Some("Consumer"), Some(_), Some("VirtualTopic"), Some(_)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Ok(None);
    };
    // An UNSUBSCRIBE that ends it for good may come without a SUBSCRIBE that was let through before.
    gate.check_read(source)?;
    let topic = queue.path().splitn(3, ['.', '/']).last().unwrap_or_default();
    let topic = gate.readable(&format!("/topic/{topic}"), Routing::Queue)?;
    feed(headers, ("destination", queue.clone()), &topic, false).map(Some)
}

fn feed(
    headers: &Headers,
    (header, queue): (&'static str, DestinationName),
    topic: &Source,
    is_sole: bool,
) -> Result<Feed, Fault> {
    if queue.as_str().len() > QUEUE_BYTES {
        return Err(Fault::BadHeader { header, expected: "a shorter name" });
    }
    let topics = match topic {
        Source::Wildcard(wildcard) => wildcard.pattern().clone(),
        Source::Name(name) => Pattern::exactly(name),
        Source::Feed(feed) => feed.topics.clone(),
        Source::List(_) => return Err(Fault::Unsupported("a durable subscription in a list")),
    };
    Ok(Feed { queue, topics, expires_after: expires_after(headers)?, selector: None, is_sole })
}

/// Milliseconds without a reader after which it goes; RabbitMQ says `x-expires`.
fn expires_after(headers: &Headers) -> Result<Option<u64>, Fault> {
    for header in ["expires-after", "x-expires"] {
        let Some(text) = headers.get(header).filter(|text| !text.is_empty()) else { continue };
        let plain = (1..=15).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
        let number = text.parse().ok().filter(|number| plain && *number > 0);
        let expected = "milliseconds, at least 1";
        return number.map(Some).ok_or(Fault::BadHeader { header, expected });
    }
    Ok(None)
}

fn path_of(topic: &Source) -> &str {
    topic.as_str().strip_prefix("/topic/").unwrap_or(topic.as_str())
}

fn checked<'t>(header: &'static str, text: &'t str) -> Result<&'t str, Fault> {
    if text.len() <= NAME_BYTES { Ok(text) } else { Err(Fault::BadHeader { header, expected: "at most 128 octets" }) }
}

/// Writes a text so that it can be part of a name: letters, digits, `-`, `_` and what is in `kept` as they are, every other
/// octet as `%` and two digits.
fn spell(into: &mut String, text: &str, kept: &str) {
    for octet in text.bytes() {
        let letter = char::from(octet);
        if letter.is_ascii_alphanumeric() || letter == '-' || letter == '_' || kept.contains(letter) {
            into.push(letter);
        } else {
            // Writing into a string does not fail.
            let _ = write!(into, "%{octet:02X}");
        }
    }
}
