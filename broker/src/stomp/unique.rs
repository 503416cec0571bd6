//! What a SEND says about being the only one of its kind: `x-unique` and what belongs to it.

use kolejka_codec::Headers;

use super::error::Fault;
use super::gate::Gate;
use super::moment::milliseconds;
use super::tracking;
use crate::model::DestinationName;
use crate::model::OnDuplicate;
use crate::model::Timestamp;
use crate::model::Unique;
use crate::model::Until;

/// Reads it; `None` if nothing of it is asked for.
pub(super) fn asked(
    headers: &Headers,
    to: &DestinationName,
    gate: &mut Gate,
    now: Timestamp,
) -> Result<Option<Box<Unique>>, Fault> {
    let Some(key) = headers.get("x-unique").filter(|key| !key.is_empty()) else { return Ok(None) };
    if key.len() > Unique::KEY_BYTES {
        return Err(Fault::BadHeader { header: "x-unique", expected: "at most 255 octets" });
    }
    if !to.kind().is_queue() {
        return Err(Fault::BadHeader { header: "x-unique", expected: "a queue to send to" });
    }
    let expected = "done, start or a number of milliseconds";
    let until = match headers.get("x-unique-until") {
        None | Some("" | "done") => Until::Done,
        Some("start") => Until::Start,
        Some(text) => {
            let ms = milliseconds(text).ok_or(Fault::BadHeader { header: "x-unique-until", expected })?;
            Until::Moment(now.after(ms))
        }
    };
    let on_duplicate = match headers.get("x-on-duplicate") {
        None | Some("" | "attach") => OnDuplicate::Attach,
        Some("drop") => OnDuplicate::Drop,
        Some("reject") => OnDuplicate::Reject,
        Some("replace") => OnDuplicate::Replace,
        Some(_) => {
            return Err(Fault::BadHeader { header: "x-on-duplicate", expected: "attach, drop, reject or replace" });
        }
    };
    // Only of a job that is followed is there a result to wait for.
    let waiter = if on_duplicate == OnDuplicate::Attach { tracking::waiter(headers, gate)? } else { None };
    Ok(Some(Box::new(Unique { key: gate.own_key(key), until, on_duplicate, waiter })))
}
