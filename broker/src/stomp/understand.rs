//! From a SEND or SUBSCRIBE to words of the model: what decides about a message is lifted into typed fields once, and
//! the rest becomes its stored head, unread.

use std::sync::Arc;

use bytes::Bytes;
use bytes::BytesMut;
use kolejka_codec::Frame;
use kolejka_codec::Headers;
use kolejka_codec::Version;
use kolejka_codec::encoder::{put_header, put_number_header};
use kolejka_codec::header::names::{ACK, DESTINATION};

use super::error::Fault;
use super::gate::Gate;
use super::names::{self, Meaning};
use super::terms::Asked;
use super::tracking;
use super::unique;
use crate::model::AckMode;
use crate::model::Content;
use crate::model::DestinationKind;
use crate::model::DestinationName;
use crate::model::Durability;
use crate::model::Filter;
use crate::model::Message;
use crate::model::Retain;
use crate::model::Timestamp;
use crate::model::Urgency;
use crate::model::Windows;
use crate::selector::Selector;

/// What a SEND says beside its destination.
#[derive(Debug)]
pub(super) struct Sending<'f> {
    /// The message.
    pub(super) message: Message,
    /// By which it is known if it is sent again.
    pub(super) key: Option<Arc<str>>,
    /// What it does to what its topic retains.
    pub(super) retain: Option<Retain>,
    /// The transaction that takes it.
    pub(super) transaction: Option<&'f str>,
    /// It asks for limits of the queue that it may bring into being.
    pub(super) limits: bool,
    /// A temporary destination of the sender that waits for the answer: as written, and its full name.
    pub(super) reply: Option<(&'f str, DestinationName)>,
}

/// What is lifted while the head is written. The first of a name counts.
#[derive(Default)]
struct Lifted<'f> {
    priority: Option<&'f str>,
    urgency: Option<&'f str>,
    key: Option<&'f str>,
    retain: Option<Retain>,
    persistent: Option<&'f str>,
    transaction: Option<&'f str>,
    reply: Option<(&'f str, DestinationName)>,
    has_reply: bool,
    limits: bool,
    is_tracked: bool,
    is_unique: bool,
    has_id: bool,
    has_timestamp: bool,
    asked: Asked<'f>,
}

/// Reads a SEND. `written` is its destination as the client wrote it and `to` what it means. The stored head is written
/// in `scratch`; the message takes one allocation of its own.
pub(super) fn sending<'f>(
    (frame, body): (&'f Frame, &mut Option<Bytes>),
    (written, to): (&str, &DestinationName),
    gate: &mut Gate,
    now: Timestamp,
    scratch: &mut BytesMut,
) -> Result<Sending<'f>, Fault> {
    scratch.clear();
    put_header(scratch, DESTINATION, written, Version::V1_2);
    let mut lifted = Lifted::default();
    for (name, value) in frame.headers.iter() {
        lifted.take(name, value, gate, scratch)?;
    }
    scratch.extend_from_slice(gate.stamp());
    let mut terms = lifted.asked.terms(now, to, gate)?;
    let schedule = terms.as_mut().and_then(|terms| terms.schedule.as_mut());
    if !lifted.has_timestamp && schedule.is_none() {
        put_number_header(scratch, "timestamp", now.0);
    }
    if lifted.retain.is_some() && to.kind() != DestinationKind::Topic {
        return Err(Fault::BadHeader { header: "retain", expected: "a topic to retain it" });
    }
    let is_planned = schedule.is_some();
    if let Some(schedule) = schedule {
        schedule.is_transient = lifted.persistent == Some("false");
        schedule.retain = lifted.retain.take();
    }
    let mut message = Message {
        content: content(frame, scratch, body),
        urgency: urgency(lifted.urgency, lifted.priority)?,
        durability: match lifted.persistent {
            Some("false") if !is_planned => Durability::Transient,
            _ if to.kind().is_temporary() => Durability::Transient,
            // To a topic too: there may be queues behind it.
            _ => Durability::Persistent,
        },
        terms,
    };
    if lifted.is_unique
        && let Some(unique) = unique::asked(&frame.headers, to, gate, now)?
    {
        if is_planned {
            return Err(Fault::Unsupported("x-unique of a job that repeats"));
        }
        message.terms.get_or_insert_default().unique = Some(unique);
    }
    if lifted.is_tracked
        && let Some(tracking) = tracking::asked(&frame.headers, to, gate)?
    {
        if is_planned {
            return Err(Fault::Unsupported("tracking of a job that repeats"));
        }
        message.terms.get_or_insert_default().tracking = Some(tracking);
    }
    let key = match lifted.key {
        Some(key) if key.len() > Windows::KEY_BYTES => {
            return Err(Fault::BadHeader { header: "idempotency-key", expected: "at most 255 octets" });
        }
        key => key.map(|key| gate.own_key(key)),
    };
    let Lifted { retain, transaction, limits, reply, .. } = lifted;
    Ok(Sending { message, key, retain, transaction, limits, reply })
}

impl<'f> Lifted<'f> {
    /// Takes one header: keeps what decides, writes what goes on.
    fn take(&mut self, name: &'f str, value: &'f str, gate: &Gate, head: &mut BytesMut) -> Result<(), Fault> {
        let (header, meaning) = names::in_send(name, value)?;
        match meaning {
            Meaning::Forwarded | Meaning::Unsupported(_) => {}
            Meaning::OfTheHop | Meaning::OfTheServer | Meaning::OfNack => return Ok(()),
            Meaning::Term(term) => {
                self.asked.take(term, header, value);
                if !term.is_delivered() {
                    return Ok(());
                }
            }
            Meaning::Tracking => {
                self.is_tracked = true;
                return Ok(());
            }
            Meaning::Unique => {
                self.is_unique = true;
                return Ok(());
            }
            Meaning::Transaction => {
                self.transaction.get_or_insert(value);
                return Ok(());
            }
            Meaning::Limit => {
                self.limits |= !value.is_empty();
                return Ok(());
            }
            Meaning::Urgency => {
                self.urgency.get_or_insert(value);
                return Ok(());
            }
            Meaning::Retain => match value {
                "set" | "true" => {
                    self.retain.get_or_insert(Retain::Set);
                    return Ok(());
                }
                "remove" => {
                    self.retain.get_or_insert(Retain::Remove);
                    return Ok(());
                }
                // A plain word of the application's.
                _ => {}
            },
            Meaning::Key => {
                self.key = self.key.or(Some(value).filter(|key| !key.is_empty()));
                return Ok(());
            }
            Meaning::Renamed => {
                if !std::mem::replace(&mut self.has_id, true) {
                    put_header(head, "orig-message-id", value, Version::V1_2);
                }
                return Ok(());
            }
            Meaning::ReplyTo => return self.reply_to(value, gate, head),
            Meaning::Priority => _ = self.priority.get_or_insert(value),
            Meaning::Persistent => _ = self.persistent.get_or_insert(value),
            Meaning::Timestamp => self.has_timestamp = true,
        }
        put_header(head, name, value, Version::V1_2);
        Ok(())
    }

    /// `/temp-queue/x` means nothing to the one who answers: it is told the full name.
    fn reply_to(&mut self, value: &'f str, gate: &Gate, head: &mut BytesMut) -> Result<(), Fault> {
        if std::mem::replace(&mut self.has_reply, true) {
            return Ok(());
        }
        if value.starts_with("/temp-queue/") || value.starts_with("/temp-topic/") {
            let full = gate.name(value)?;
            put_header(head, "reply-to", full.as_str(), Version::V1_2);
            self.reply = Some((value, full));
        } else {
            put_header(head, "reply-to", value, Version::V1_2);
        }
        Ok(())
    }
}

/// Head and body: together if small, else each by itself. What is kept is a copy in either case: a slice would hold on to
/// the whole read buffer, which the next larger frame may have made as large as the limits allow, while only the slice
/// is counted. All copies of a frame share one `body`.
fn content(frame: &Frame, head: &mut BytesMut, body: &mut Option<Bytes>) -> Content {
    if frame.body.len() > Content::SHARED_BODY {
        let body = body.get_or_insert_with(|| Bytes::copy_from_slice(&frame.body));
        return Content::large(head, body.clone());
    }
    let head_len = head.len();
    head.extend_from_slice(&frame.body);
    Content::small(head, head_len)
}

/// `x-urgency` is exact and beats `priority`, which is 0–9 with 9 first and 4 where it is missing.
pub(super) fn urgency(exact: Option<&str>, priority: Option<&str>) -> Result<Urgency, Fault> {
    if let Some(text) = exact {
        let plain = text.bytes().all(|octet| octet.is_ascii_digit());
        let number = text.parse().ok().filter(|_| plain);
        return number.map(Urgency).ok_or(Fault::BadHeader { header: "x-urgency", expected: "0 to 4294967295" });
    }
    let Some(text) = priority else { return Ok(Urgency::NORMAL) };
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !(1..=10).contains(&digits.len()) || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(Fault::BadHeader { header: "priority", expected: "a number, 0 to 9" });
    }
    let clamped = if text.starts_with('-') { 0 } else { digits.parse().map_or(9, |number: u64| number.min(9)) };
    Ok(Urgency::from_priority(clamped as u8))
}

/// The `ack` header of SUBSCRIBE; `client-individual` is accepted in 1.0 too.
pub(super) fn ack_mode(frame: &Frame) -> Result<AckMode, Fault> {
    match frame.headers.get(ACK) {
        None | Some("auto") => Ok(AckMode::Auto),
        Some("client") => Ok(AckMode::Client),
        Some("client-individual") => Ok(AckMode::ClientIndividual),
        Some(_) => Err(Fault::BadHeader { header: ACK, expected: "auto, client or client-individual" }),
    }
}

/// The condition that a SUBSCRIBE puts on its messages (STOMP 1.0, "SUBSCRIBE", `selector`). An empty one is none.
pub(super) fn selector(headers: &Headers) -> Result<Option<Arc<dyn Filter>>, Fault> {
    match headers.get("selector") {
        Some(text) if !text.trim().is_empty() => {
            let selector = Selector::parse(text).map_err(Fault::BadSelector)?;
            Ok(Some(Arc::new(selector)))
        }
        _ => Ok(None),
    }
}
