//! What a SEND or SUBSCRIBE asks of the queue that it may bring into being, in the words of RabbitMQ (JOBS 5, ruling 25).

use kolejka_codec::Frame;
use kolejka_codec::Headers;

use super::client::Client;
use super::error::Fault;
use super::gate::Gate;
use super::moment::milliseconds;
use super::turn::Turn;
use crate::auth::Action;
use crate::model::DestinationKind;
use crate::model::DestinationName;
use crate::model::Limits;
use crate::model::Request;
use crate::model::Shape;
use crate::model::Source;

/// What can be asked for.
const KNOWN: [&str; 8] = [
    "x-max-length",
    "x-max-length-bytes",
    "x-overflow",
    "x-message-ttl",
    "x-expires",
    "x-delivery-limit",
    "x-dead-letter-routing-key",
    "x-dead-letter-exchange",
];

/// What `RabbitMQ` knows and this server has no use for: it is ignored, and the RECEIPT says so.
const IGNORED: [&str; 6] = [
    "x-single-active-consumer",
    "x-queue-type",
    "x-queue-mode",
    "x-queue-version",
    "x-max-priority",
    "x-queue-leader-locator",
];

impl Client {
    /// What a SEND asks of the queue that it may bring into being comes first.
    pub(super) fn shape(
        &self,
        turn: &mut Turn<'_>,
        frame: &Frame,
        to: &DestinationName,
        transaction: Option<&str>,
    ) -> Result<(), Fault> {
        if transaction.is_some() {
            return Err(Fault::Unsupported("limits of a queue in a transaction"));
        }
        if let Some(shape) = asked(&frame.headers, to, &self.gate, false)? {
            turn.ask_before(Request::Shape(Box::new(shape)));
        }
        Ok(())
    }

    /// The same for a SUBSCRIBE to one queue. There `auto-delete` is a wish too; `x-expires` of a topic is another matter.
    pub(super) fn shape_subscribed(&self, turn: &mut Turn<'_>, frame: &Frame, from: &Source) -> Result<(), Fault> {
        let Source::Name(to) = from else { return Ok(()) };
        if to.kind() != DestinationKind::Queue {
            return Ok(());
        }
        let auto_delete = frame.headers.get("auto-delete") == Some("true");
        if let Some(shape) = asked(&frame.headers, to, &self.gate, auto_delete)? {
            turn.ask_before(Request::Shape(Box::new(shape)));
        }
        Ok(())
    }
}

fn asked(headers: &Headers, to: &DestinationName, gate: &Gate, auto_delete: bool) -> Result<Option<Shape>, Fault> {
    let is_there = |name: &&&str| headers.get(name).is_some_and(|value| !value.is_empty());
    let more = IGNORED.iter().find(|name| is_there(name)).is_some();
    if !more && !auto_delete && KNOWN.iter().find(|name| is_there(name)).is_none() {
        return Ok(None);
    }
    let limits = Limits {
        max_length: number(headers, "x-max-length")?,
        max_bytes: number(headers, "x-max-length-bytes")?,
        drops_oldest: overflow(headers)?,
        expiry_ms: number(headers, "x-message-ttl")?,
        idle_ms: number(headers, "x-expires")?,
        max_deliveries: number(headers, "x-delivery-limit")?.map(|most| u16::try_from(most).unwrap_or(u16::MAX)),
        dead_letter: dead_letter(headers, to, gate)?,
        auto_delete,
    };
    let queue = Some(to.clone()).filter(|to| to.kind() == DestinationKind::Queue);
    Ok(Some(Shape { queue, limits, more, may_create: gate.may(Action::Create, to) }))
}

/// A number that is not 0: a queue that can hold nothing is of no use.
fn number(headers: &Headers, name: &'static str) -> Result<Option<u64>, Fault> {
    let Some(text) = headers.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let number = milliseconds(text).filter(|number| *number > 0);
    number.map(Some).ok_or(Fault::BadHeader { header: name, expected: "a number, at least 1" })
}

fn overflow(headers: &Headers) -> Result<Option<bool>, Fault> {
    match headers.get("x-overflow") {
        None | Some("") => Ok(None),
        Some("drop-head" | "drop-oldest") => Ok(Some(true)),
        Some("reject-publish" | "refuse") => Ok(Some(false)),
        Some(_) => Err(Fault::BadHeader {
            header: "x-overflow",
            expected: "drop-head (or drop-oldest), or reject-publish (or refuse)",
        }),
    }
}

/// Through the exchange without a name a routing key is a queue; there are no other exchanges here. The messages of all
/// senders would go there, so who asks for it must be able to read them.
fn dead_letter(headers: &Headers, of: &DestinationName, gate: &Gate) -> Result<Option<DestinationName>, Fault> {
    let exchange = headers.get("x-dead-letter-exchange").filter(|text| !text.is_empty());
    if exchange.is_some_and(|exchange| exchange != "amq.default") {
        return Err(Fault::BadHeader { header: "x-dead-letter-exchange", expected: "nothing, or amq.default" });
    }
    let Some(text) = headers.get("x-dead-letter-routing-key").filter(|text| !text.is_empty()) else { return Ok(None) };
    let name = gate.name(text)?;
    if name.kind() != DestinationKind::Queue {
        return Err(Fault::BadHeader { header: "x-dead-letter-routing-key", expected: "the name of a queue" });
    }
    for (action, name) in [(Action::Write, &name), (Action::Read, of)] {
        if !gate.may(action, name) {
            return Err(Fault::Forbidden { action, name: name.as_str().into() });
        }
    }
    Ok(Some(name))
}
