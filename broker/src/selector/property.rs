//! What a name in a selector stands for: a header of the message, or something that the broker knows about it.

use std::borrow::Cow;

use super::value::Value;
use crate::model::{Candidate, DeathNote, Durability};

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(super) enum Property {
    /// A header: its name as it stands in a stored head, with the colon.
    Header(Box<[u8]>),
    /// The same, and a number where it is missing.
    HeaderOr(Box<[u8]>, i64),
    /// `JMSPriority`: 0–9 with 9 first, also where the sender gave an exact urgency.
    Priority,
    /// `JMSMessageID`, `message-id`, `x-job-id`: a number.
    Message,
    /// `JMSDeliveryMode`: `PERSISTENT` or `NON_PERSISTENT`.
    DeliveryMode,
    /// `JMSRedelivered`, `redelivered`.
    Redelivered,
    /// `JMSXDeliveryCount`, `delivery-count`: 1 at first.
    DeliveryCount,
    /// `original-destination` of a dead letter.
    Origin,
    /// `x-death-reason`.
    DeathReason,
    /// `x-death-deliveries`.
    DeathDeliveries,
    /// `x-error`.
    DeathError,
}

impl Property {
    /// What the name means. JMS calls the headers of STOMP by names of its own.
    pub(super) fn of(name: &str) -> Property {
        match name {
            "JMSPriority" => Property::Priority,
            "JMSMessageID" | "message-id" | "x-job-id" => Property::Message,
            "JMSDeliveryMode" => Property::DeliveryMode,
            "JMSRedelivered" | "redelivered" => Property::Redelivered,
            "JMSXDeliveryCount" | "delivery-count" => Property::DeliveryCount,
            "JMSTimestamp" => Property::Header(spelled("timestamp")),
            "JMSExpiration" => Property::HeaderOr(spelled("expires"), 0),
            "JMSType" => Property::Header(spelled("type")),
            "JMSCorrelationID" => Property::Header(spelled("correlation-id")),
            "JMSReplyTo" => Property::Header(spelled("reply-to")),
            "JMSDestination" => Property::Header(spelled("destination")),
            "original-destination" => Property::Origin,
            "x-death-reason" => Property::DeathReason,
            "x-death-deliveries" => Property::DeathDeliveries,
            "x-error" => Property::DeathError,
            name => Property::Header(spelled(name)),
        }
    }

    /// Its value in one message.
    pub(super) fn of_message<'a>(&self, candidate: &Candidate<'a>) -> Value<'a> {
        let note = |value: fn(&'a DeathNote) -> Value<'a>| candidate.death.map_or(Value::Unknown, value);
        match self {
            Property::Header(name) => header(candidate.head, name).map_or(Value::Unknown, Value::Text),
            Property::HeaderOr(name, missing) => {
                header(candidate.head, name).map_or(Value::Integer(*missing), Value::Text)
            }
            Property::Priority => Value::Integer(i64::from(candidate.urgency.to_priority())),
            Property::Message => Value::Integer(candidate.message.to_bits().cast_signed()),
            Property::DeliveryMode => Value::Text(Cow::Borrowed(match candidate.durability {
                Durability::Persistent => "PERSISTENT",
                Durability::Transient => "NON_PERSISTENT",
            })),
            Property::Redelivered => Value::Boolean(candidate.redelivered),
            Property::DeliveryCount => Value::Integer(i64::from(candidate.attempts) + 1),
            Property::Origin => note(|note| Value::Text(Cow::Borrowed(note.origin.as_str()))),
            Property::DeathReason => note(|note| Value::Text(Cow::Borrowed(note.reason.as_str()))),
            Property::DeathDeliveries => note(|note| Value::Integer(i64::from(note.attempts))),
            Property::DeathError => note(|note| match &note.error {
                Some(error) => Value::Text(Cow::Borrowed(error)),
                None => Value::Unknown,
            }),
        }
    }
}

/// A name in the escapes of STOMP 1.2, with the colon behind it.
fn spelled(name: &str) -> Box<[u8]> {
    let mut octets = Vec::with_capacity(name.len() + 1);
    for octet in name.bytes() {
        match octet {
            b'\\' => octets.extend(b"\\\\"),
            b'\n' => octets.extend(b"\\n"),
            b'\r' => octets.extend(b"\\r"),
            b':' => octets.extend(b"\\c"),
            other => octets.push(other),
        }
    }
    octets.push(b':');
    octets.into()
}

/// The first header of that name. Allocates only for a value that holds an escape.
fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<Cow<'a, str>> {
    let mut rest = head;
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        if let Some(value) = rest[..end].strip_prefix(name) {
            return plain(value);
        }
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    None
}

fn plain(value: &[u8]) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(value).ok()?;
    if !text.contains('\\') {
        return Some(Cow::Borrowed(text));
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next()? {
                'n' => '\n',
                'r' => '\r',
                'c' => ':',
                other => other,
            },
            other => other,
        });
    }
    Some(Cow::Owned(plain))
}
