//! How a SEND wants its job to be followed: `x-track`, `x-job-token` and what belongs to them.

use std::sync::Arc;

use kolejka_codec::Headers;

use super::error::Fault;
use super::gate::{Gate, Routing};
use super::moment::milliseconds;
use crate::model::Backoff;
use crate::model::DestinationName;
use crate::model::JobToken;
use crate::model::Tracking;
use crate::model::Waiter;

/// Octets of what a sender calls its jobs and its answers.
pub(super) const TEXT_BYTES: usize = 255;

/// Reads it; `None` if nothing of it is asked for.
pub(super) fn asked(headers: &Headers, to: &DestinationName, gate: &mut Gate) -> Result<Option<Box<Tracking>>, Fault> {
    let token = headers.get("x-job-token").filter(|text| !text.is_empty()).map(token).transpose()?;
    let track = headers.get("x-track").filter(|text| !text.is_empty());
    let keeps_result = match track {
        None | Some("true" | "false") => false,
        Some("result") => true,
        Some(_) => return Err(Fault::BadHeader { header: "x-track", expected: "true, result or false" }),
    };
    let keep_ms = headers.get("x-result-ttl").filter(|text| !text.is_empty()).map(keep).transpose()?;
    let is_open = match headers.get("x-token-scope") {
        None | Some("" | "read") => false,
        Some("full") => true,
        Some(_) => return Err(Fault::BadHeader { header: "x-token-scope", expected: "read or full" }),
    };
    let drops = headers.get("x-drop-if-abandoned") == Some("true");
    if token.is_none() && !drops && matches!(track, None | Some("false")) {
        return Ok(None);
    }
    if !to.kind().is_queue() {
        return Err(Fault::BadHeader { header: "x-track", expected: "a queue to send to" });
    }
    let kind = headers.get("type").map(|text| cut(text, TEXT_BYTES));
    let waiter = waiter(headers, gate)?;
    if drops && waiter.as_ref().is_none_or(|waiter| !waiter.to.kind().is_temporary()) {
        return Err(Fault::BadHeader {
            header: "x-drop-if-abandoned",
            expected: "a temporary destination in reply-to",
        });
    }
    Ok(Some(Box::new(Tracking { token, kind, keeps_result, keep_ms, is_open, waiter, drops })))
}

/// A token as the client writes it.
pub(super) fn token(text: &str) -> Result<JobToken, Fault> {
    let expected = "a UUID, or 32 hexadecimal digits";
    text.parse().map_err(|_| Fault::BadHeader { header: "x-job-token", expected })
}

/// Who waits for the result. The broker sends it in the name of the client, so the client must have the right to.
pub(super) fn waiter(headers: &Headers, gate: &mut Gate) -> Result<Option<Waiter>, Fault> {
    let Some(written) = headers.get("reply-to").filter(|text| !text.is_empty()) else { return Ok(None) };
    let to = gate.writable(written, Routing::Queue)?;
    let correlation = match headers.get("correlation-id") {
        Some(id) if id.len() > TEXT_BYTES => {
            return Err(Fault::BadHeader { header: "correlation-id", expected: "at most 255 octets" });
        }
        id => id.map(Arc::from),
    };
    Ok(Some(Waiter { to, correlation }))
}

fn keep(text: &str) -> Result<u64, Fault> {
    let ms = milliseconds(text).filter(|ms| *ms <= Backoff::LONGEST_MS);
    ms.ok_or(Fault::BadHeader { header: "x-result-ttl", expected: "milliseconds, at most a year" })
}

/// The beginning of a text, of at most so many octets.
pub(super) fn cut(text: &str, bytes: usize) -> Arc<str> {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.get(..end).unwrap_or_default().into()
}
