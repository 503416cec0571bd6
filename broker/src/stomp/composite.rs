//! Lists of destinations, `/queue/a,b,/topic/c`: on SEND one message for each, on SUBSCRIBE one subscription to all.

use std::borrow::Cow;
use std::sync::Arc;

use kolejka_codec::Headers;

use super::error::Fault;
use super::feed;
use super::gate::{Gate, Routing};
use crate::model::List;
use crate::model::NameError;
use crate::model::Order;
use crate::model::Source;

/// Most destinations in a list.
const DESTINATIONS: usize = 64;

/// Kinds of destinations, as a name begins.
const PREFIXES: [&str; 8] = [
    "/queue/",
    "/topic/",
    "/temp-queue/",
    "/temp-topic/",
    "/remote-temp-queue/",
    "/remote-temp-topic/",
    "/amq/queue/",
    "/exchange/amq.topic/",
];

/// Whether a text is a list.
pub(super) fn is_list(written: &str) -> bool {
    // Counts them all: names are short, and that takes fewer steps than to stop at the first.
    written.bytes().filter(|octet| *octet == b',').count() > 0
}

/// The parts of a list, each once. A part without a kind of its own has that of the first, as in ActiveMQ; blanks around
/// commas count for nothing.
pub(super) fn parts(list: &str) -> Result<Vec<Cow<'_, str>>, Fault> {
    let first = list.trim_start();
    let inherited = PREFIXES.into_iter().find(|prefix| first.starts_with(prefix)).unwrap_or_default();
    let mut parts: Vec<Cow<'_, str>> = Vec::new();
    for part in list.split(',').map(str::trim) {
        let part = match inherited {
            "" => Cow::Borrowed(part),
            _ if part.starts_with('/') => Cow::Borrowed(part),
            kind => Cow::Owned(format!("{kind}{part}")),
        };
        if parts.contains(&part) {
            continue;
        }
        if parts.len() >= DESTINATIONS {
            return Err(Fault::BadDestination(NameError::TooMany { limit: DESTINATIONS }));
        }
        parts.push(part);
    }
    Ok(parts)
}

/// What a list of a SUBSCRIBE or UNSUBSCRIBE means, without a look at rights. `x-order` says which of its queues comes first.
pub(super) fn source(list: &str, headers: &Headers, gate: &Gate) -> Result<Source, Fault> {
    let mut names = Vec::new();
    for part in parts(list)? {
        let routing = Routing::of(&part, headers, "subscription-type")?;
        match (gate.any(&part, routing)?, feed::qualified(&part, routing).1) {
            (Source::Name(name), None) => names.push(name),
            _ => return Err(Fault::Unsupported("a wildcard or the queue of an address in a list")),
        }
    }
    Ok(Source::List(Arc::new(List::new(names, order(headers)?.unwrap_or_default()))))
}

/// The order that a SUBSCRIBE asks for.
fn order(headers: &Headers) -> Result<Option<Order>, Fault> {
    let Some(word) = headers.get("x-order").filter(|word| !word.is_empty()) else { return Ok(None) };
    let order = Order::from_word(word);
    order.map(Some).ok_or(Fault::BadHeader { header: "x-order", expected: "priority, strict or fair" })
}

/// An order needs several queues.
pub(super) fn check_order(headers: &Headers, source: &Source) -> Result<(), Fault> {
    match (order(headers)?, source) {
        (Some(_), Source::Name(_) | Source::Wildcard(_) | Source::Feed(_)) => {
            let expected = "a destination that lists several queues, such as /queue/a,/queue/b";
            Err(Fault::BadHeader { header: "x-order", expected })
        }
        _ => Ok(()),
    }
}
