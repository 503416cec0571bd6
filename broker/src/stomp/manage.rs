//! What an operator sends to `/queue/Kolejka.Manage`: `x-op` says what is to be done with the queue in `x-queue`.
//!
//! The address is no queue: what makes no sense there is refused softly, in the RECEIPT and to `reply-to`.

use bytes::BytesMut;
use kolejka_codec::Headers;
use kolejka_codec::Version;
use kolejka_codec::encoder::{put_header, put_number_header};
use kolejka_codec::header::names::{CONTENT_TYPE, DESTINATION};

use super::error::Fault;
use super::gate::Gate;
use super::moment::milliseconds;
use super::understand;
use crate::auth::Action;
use crate::model::DestinationKind;
use crate::model::DestinationName;
use crate::model::Manage;
use crate::model::Operation;
use crate::model::Reply;
use crate::model::Side;
use crate::model::SoftRefusal;
use crate::model::States;
use crate::model::Timestamp;
use crate::model::Transfer;

/// The address.
pub(super) fn is_meant(written: &str) -> bool {
    written.strip_prefix("/queue/").unwrap_or(written) == "Kolejka.Manage"
}

/// Reads a SEND to it. `reply` is the destination of its `reply-to`, as written and what it means.
pub(super) fn read(
    headers: &Headers,
    reply: Option<(&str, DestinationName)>,
    gate: &Gate,
    now: Timestamp,
) -> Result<Manage, Fault> {
    let named = headers.get("x-queue").unwrap_or_default();
    let queue = gate.name(named).ok().filter(|name| name.kind().is_queue());
    let operation = operation(headers, queue.as_ref(), gate)?;
    let filter = understand::selector(headers)?;
    let operation = match &queue {
        None => refuse(&operation, SoftRefusal::UnknownQueue),
        Some(name) if !gate.may(Action::Manage, name) => refuse(&operation, SoftRefusal::Forbidden),
        Some(_) => operation,
    };
    let queue = match queue {
        Some(queue) => queue,
        // A name of its own that is no queue: the answer says so.
        None => DestinationName::queue("Kolejka.Manage").map_err(Fault::BadDestination)?,
    };
    let reply = reply.map(|(written, to)| Reply { to, head: head(written, headers, now) });
    Ok(Manage { operation, queue, filter, writer: Some(gate.writer()), reply })
}

fn refuse(operation: &Operation, why: SoftRefusal) -> Operation {
    Operation::Refuse { wanted: operation.as_str(), why }
}

fn operation(headers: &Headers, queue: Option<&DestinationName>, gate: &Gate) -> Result<Operation, Fault> {
    let bad = |wanted| Operation::Refuse { wanted, why: SoftRefusal::BadRequest };
    Ok(match headers.get("x-op") {
        Some("kick") => match count(headers, "x-count") {
            Ok(count) => Operation::Kick { count: count.map_or(1, |count| u32::try_from(count).unwrap_or(u32::MAX)) },
            Err(why) => Operation::Refuse { wanted: "kick", why },
        },
        Some("purge") => states(headers).map_or(bad("purge"), Operation::Purge),
        Some("move") => transfer(headers, queue, gate)?,
        Some("pause") => pause(headers).unwrap_or(bad("pause")),
        Some("resume") => match headers.get("x-side").map_or(Some(Side::Both), Side::from_word) {
            Some(side) => Operation::Resume { side },
            None => bad("resume"),
        },
        _ => bad(""),
    })
}

/// Without `x-to` dead letters go back to where they died.
fn transfer(headers: &Headers, queue: Option<&DestinationName>, gate: &Gate) -> Result<Operation, Fault> {
    const PER_SECOND: u64 = 1_000_000;
    let no = |why| Ok(Operation::Refuse { wanted: "move", why });
    let to = match headers.get("x-to") {
        None => None,
        Some(text) => match gate.name(text) {
            Ok(name) if name.kind() == DestinationKind::Queue && Some(&name) != queue => Some(name),
            _ => return no(SoftRefusal::BadRequest),
        },
    };
    if to.as_ref().is_some_and(|to| !gate.may(Action::Write, to)) {
        return no(SoftRefusal::Forbidden);
    }
    let (Some(states), Ok(count), Ok(rate)) = (states(headers), count(headers, "x-count"), count(headers, "x-rate"))
    else {
        return no(SoftRefusal::BadRequest);
    };
    if rate.is_some_and(|rate| !(1..=PER_SECOND).contains(&rate)) {
        return no(SoftRefusal::BadRequest);
    }
    let rate = rate.map(|rate| rate as u32);
    Ok(Operation::Move(Transfer { to, states, count, rate }))
}

/// A number, if there is one.
fn count(headers: &Headers, name: &str) -> Result<Option<u64>, SoftRefusal> {
    let plain = |text: &&str| (1..=15).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
    let number = |text| Some(text).filter(plain)?.parse().ok();
    headers.get(name).map(|text| number(text).ok_or(SoftRefusal::BadRequest)).transpose()
}

fn pause(headers: &Headers) -> Option<Operation> {
    let side = headers.get("x-side").map_or(Some(Side::default()), Side::from_word)?;
    let for_ms = match headers.get("x-for") {
        None => None,
        Some(text) => Some(milliseconds(text)?),
    };
    Some(Operation::Pause { side, for_ms })
}

fn states(headers: &Headers) -> Option<States> {
    headers.get("x-states").map_or(Some(States::ALL), States::from_words)
}

/// The head of an answer.
pub(super) fn head(written: &str, headers: &Headers, now: Timestamp) -> Box<[u8]> {
    let mut head = BytesMut::new();
    put_header(&mut head, DESTINATION, written, Version::V1_2);
    put_header(&mut head, CONTENT_TYPE, "application/json", Version::V1_2);
    if let Some(id) = headers.get("correlation-id") {
        put_header(&mut head, "correlation-id", id, Version::V1_2);
    }
    put_number_header(&mut head, "timestamp", now.0);
    head[..].into()
}
