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
use crate::auth::Action;
use crate::model::DestinationName;
use crate::model::Manage;
use crate::model::Operation;
use crate::model::Reply;
use crate::model::SoftRefusal;
use crate::model::Timestamp;

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
    let operation = operation(headers)?;
    let operation = match &queue {
        None => refuse(operation, SoftRefusal::UnknownQueue),
        Some(name) if !gate.may(Action::Read, name) => refuse(operation, SoftRefusal::Forbidden),
        Some(_) => operation,
    };
    let queue = match queue {
        Some(queue) => queue,
        // A name of its own that is no queue: the answer says so.
        None => DestinationName::queue("Kolejka.Manage").map_err(Fault::BadDestination)?,
    };
    let reply = reply.map(|(written, to)| self::reply(written, to, headers, now));
    Ok(Manage { operation, queue, reply })
}

fn refuse(operation: Operation, why: SoftRefusal) -> Operation {
    Operation::Refuse { wanted: operation.as_str(), why }
}

fn operation(headers: &Headers) -> Result<Operation, Fault> {
    let bad = |wanted| Operation::Refuse { wanted, why: SoftRefusal::BadRequest };
    if headers.get("selector").is_some_and(|selector| !selector.is_empty()) {
        return Err(Fault::Unsupported("selector"));
    }
    Ok(match headers.get("x-op") {
        Some("kick") => match headers.get("x-count").map(str::parse) {
            None => Operation::Kick { count: 1 },
            Some(Ok(count)) => Operation::Kick { count },
            Some(Err(_)) => bad("kick"),
        },
        Some("purge") => states(headers.get("x-states").unwrap_or("ready,delayed,buried")).unwrap_or(bad("purge")),
        Some("pause" | "resume" | "move") => return Err(Fault::Unsupported("x-op other than kick and purge")),
        _ => bad(""),
    })
}

fn states(text: &str) -> Option<Operation> {
    let (mut ready, mut delayed, mut buried) = (false, false, false);
    for word in text.split(',') {
        match word.trim_matches(' ') {
            "ready" => ready = true,
            "delayed" => delayed = true,
            "buried" => buried = true,
            _ => return None,
        }
    }
    Some(Operation::Purge { ready, delayed, buried })
}

/// Where an answer goes, with its head.
pub(super) fn reply(written: &str, to: DestinationName, headers: &Headers, now: Timestamp) -> Reply {
    Reply { to, head: head(written, headers, now) }
}

/// The head of the answer.
fn head(written: &str, headers: &Headers, now: Timestamp) -> Box<[u8]> {
    let mut head = BytesMut::new();
    put_header(&mut head, DESTINATION, written, Version::V1_2);
    put_header(&mut head, CONTENT_TYPE, "application/json", Version::V1_2);
    if let Some(id) = headers.get("correlation-id") {
        put_header(&mut head, "correlation-id", id, Version::V1_2);
    }
    put_number_header(&mut head, "timestamp", now.0);
    head[..].into()
}
