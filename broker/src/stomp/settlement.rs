//! From an ACK or NACK to what became of which delivery. Keeps nothing: what a client sends back says it all.

use std::sync::Arc;

use bytes::BytesMut;
use kolejka_codec::Command;
use kolejka_codec::Frame;
use kolejka_codec::Headers;
use kolejka_codec::Version;
use kolejka_codec::encoder::{put_header, put_number_header};
use kolejka_codec::header::names::{ACK, DESTINATION, ID, MESSAGE_ID, SUBSCRIPTION};

use super::error::Fault;
use super::moment;
use super::subscription::Subscriptions;
use super::understand::urgency;
use crate::model::Delivery;
use crate::model::MessageId;
use crate::model::Nth;
use crate::model::Outcome;
use crate::model::Refusal;
use crate::model::Settle;
use crate::model::SubscriptionId;
use crate::model::Urgency;
use crate::model::Which;

/// How the `message-id` of a marker begins: no message's does.
const MARKER: &str = "end-";

/// Whether an ACK or NACK is about a marker, as it is with clients that acknowledge whatever comes. It means nothing.
pub(super) fn is_of_marker(headers: &Headers) -> bool {
    [ACK, ID, MESSAGE_ID].into_iter().find_map(|name| headers.get(name)).is_some_and(is_marker)
}

fn is_marker(id: &str) -> bool {
    id.starts_with(MARKER) || id == Token::END_OF_BROWSE
}

/// The delivery that an `ack` header names: the message's id, behind a dash the number of the subscription where the client
/// holds the message through several, and behind another one that of the delivery where there may have been earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) message: MessageId,
    pub(super) which: Which,
}

impl Token {
    /// The `message-id` of the marker at the end of a browse: no message has it.
    pub(super) const END_OF_BROWSE: &str = "0";

    /// The `message-id` of the marker at the end of a subscription.
    pub(super) fn marker(subscription: SubscriptionId) -> String {
        format!("{MARKER}{}", subscription.0)
    }

    /// Reads it. Without a number it is the delivery that was told so.
    pub(super) fn parse(text: &str) -> Option<Token> {
        let mut parts = text.splitn(3, '-');
        let message = parts.next()?.parse().ok()?;
        let mut number = || parts.next().map(|text| text.parse().ok().filter(|_| !text.starts_with(['+', '0'])));
        let subscription = match number() {
            None => None,
            Some(number) => Some(SubscriptionId(u32::try_from(number?).ok()?)),
        };
        let nth = match number() {
            None => Nth::Unnumbered,
            Some(number) => Nth::Number(number?),
        };
        Some(Token { message, which: Which { subscription, nth } })
    }

    /// The same where a message is named and not a delivery: it is the one that is out, unless the name says more.
    pub(super) fn of_message(text: &str) -> Option<Token> {
        let token = Token::parse(text)?;
        let Which { subscription, nth } = token.which;
        let nth = if nth == Nth::Unnumbered { Nth::Any } else { nth };
        Some(Token { which: Which { subscription, nth }, ..token })
    }

    /// Writes it for a delivery through that subscription.
    pub(super) fn write(delivery: &Delivery, to: SubscriptionId, into: &mut BytesMut) {
        let id = delivery.message.to_bits();
        match (delivery.is_numbered, delivery.held_twice) {
            (false, false) => put_number_header(into, ACK, id),
            // Digits and dashes: there is nothing to escape in any version.
            (false, true) => put_header(into, ACK, &format!("{id}-{}", to.0), Version::V1_2),
            (true, _) => put_header(into, ACK, &format!("{id}-{}-{}", to.0, delivery.number), Version::V1_2),
        }
    }

    /// Finds the token in an ACK or NACK of any version. 1.2 says `id`, 1.1 `message-id` and `subscription`, 1.0
    /// `message-id`; clients mix them. One that sends back the whole MESSAGE sends our `ack` and `message-id`, and an `id`
    /// that is the application's: so `ack` counts first, and an `id` that contradicts `message-id` not at all.
    ///
    /// `ack`, and in 1.2 `id`, name a delivery; `message-id` names a message, and before 1.2 so may `id`.
    fn find(frame: &Frame, version: Version) -> Result<Token, Fault> {
        let (command, headers) = (frame.command, &frame.headers);
        let (ack, id, message_id) = (headers.get(ACK), headers.get(ID), headers.get(MESSAGE_ID));
        let of_id = if version == Version::V1_2 { Token::parse } else { Token::of_message };
        let unknown = Fault::Refused(Refusal::UnknownDelivery);
        if let Some(token) = ack.and_then(Token::parse) {
            return Ok(token);
        }
        match (id.map(of_id), message_id.map(Token::of_message)) {
            (Some(Some(id)), Some(Some(message))) if id.message == message.message => Ok(id),
            (_, Some(Some(message))) => Ok(message),
            (Some(Some(id)), None) => Ok(id),
            (None, None) => Err(Fault::MissingHeader { command, header: ID }),
            _ => Err(unknown),
        }
    }
}

/// What an ACK or NACK says.
pub(super) fn settle(frame: &Frame, subscriptions: &Subscriptions) -> Result<Settle, Fault> {
    let Token { message, which } = Token::find(frame, subscriptions.version())?;
    // A name that is not there, any more or ever, must not fall back to whoever holds the message now.
    let named = frame.headers.get(SUBSCRIPTION).map(|id| subscriptions.called(id).unwrap_or(Subscriptions::NONE));
    let outcome = match frame.command {
        Command::Nack => nack(&frame.headers)?,
        _ => Outcome::Ack,
    };
    let which = Which { subscription: which.subscription.or(named), ..which };
    Ok(Settle { message, which, outcome })
}

/// `x-bury` beats `requeue:false` beats a delay.
pub(super) fn nack(headers: &Headers) -> Result<Outcome, Fault> {
    let reason = failure(headers);
    let delay_ms = delay(headers)?;
    let outcome = unranked(headers, reason, delay_ms);
    Ok(match rank(headers)? {
        Some(urgency) => Outcome::Ranked { urgency, outcome: Box::new(outcome) },
        None => outcome,
    })
}

fn unranked(headers: &Headers, reason: Option<Arc<str>>, delay_ms: Option<u64>) -> Outcome {
    if headers.get("x-bury") == Some("true") {
        return Outcome::Bury;
    }
    match headers.get("requeue") {
        Some("false") => Outcome::DeadLetter { reason },
        _ => Outcome::Retry { reason, delay_ms },
    }
}

/// Another urgency for the next attempt: exactly by `x-urgency`, in bands by `priority`. That is delivered with every
/// message that was sent with it, so it counts only where the client does not send back the whole MESSAGE: a NACK of
/// its own has no `destination`.
fn rank(headers: &Headers) -> Result<Option<Urgency>, Fault> {
    let exact = headers.get("x-urgency").filter(|text| !text.is_empty());
    let priority = headers.get("priority").filter(|_| headers.get(DESTINATION).is_none());
    if exact.is_none() && priority.is_none() {
        return Ok(None);
    }
    urgency(exact, priority).map(Some)
}

/// What the consumer says about its failure: a class and a text, or either.
fn failure(headers: &Headers) -> Option<Arc<str>> {
    let text = headers.get("x-error").or_else(|| headers.get("reason"));
    let class = headers.get("x-error-class").filter(|class| !class.is_empty());
    match (class, text) {
        (Some(class), Some(text)) => Some(reason(&format!("{class}: {text}"))),
        (class, text) => class.or(text).map(reason),
    }
}

/// How long the message shall wait. Under the bare word, what is no number is the application's.
fn delay(headers: &Headers) -> Result<Option<u64>, Fault> {
    match headers.get("x-delay").filter(|text| !text.is_empty()) {
        Some(text) => moment::span("x-delay", text).map(Some),
        None => Ok(headers.get("delay").and_then(moment::milliseconds)),
    }
}

/// At most 256 octets, on one line: it becomes a header that every version must be able to say.
pub(super) fn reason(text: &str) -> Arc<str> {
    const REASON_BYTES: usize = 256;
    let kept = text.char_indices().take_while(|(at, c)| at + c.len_utf8() <= REASON_BYTES);
    kept.map(|(_, c)| if c.is_control() { ' ' } else { c }).collect::<String>().into()
}
