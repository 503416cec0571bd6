//! What a client says about one job, at the address `/job/<id>`: `<id>` is `x-job-id` of its MESSAGE.
//!
//! Such an address is no queue: what makes no sense there is refused softly, in the RECEIPT.

use kolejka_codec::Frame;
use kolejka_codec::header::names::TRANSACTION;

use super::error::Fault;
use super::moment;
use super::settlement::Token;
use crate::model::Request;
use crate::model::SoftRefusal;
use crate::model::Touch;

/// How the addresses of jobs begin.
pub(super) const PREFIX: &str = "/job/";

/// Reads a SEND to a job; `id` is what stands behind [`PREFIX`].
pub(super) fn event(id: &str, frame: &Frame) -> Result<Request, Fault> {
    if frame.headers.get(TRANSACTION).is_some() {
        return Err(Fault::Unsupported("an event of a job in a transaction"));
    }
    let Some(Token { message, subscription }) = Token::parse(id) else {
        return Ok(Request::Decline(SoftRefusal::Unknown));
    };
    match frame.headers.get("x-event") {
        Some("touch") => {
            let time_to_run_ms = moment::time_to_run(&frame.headers)?;
            Ok(Request::Touch(Touch { message, subscription, time_to_run_ms }))
        }
        Some("progress" | "data" | "warning" | "complete" | "fail" | "cancel" | "kick" | "get") => {
            Err(Fault::Unsupported("an event of a job other than touch"))
        }
        _ => Ok(Request::Decline(SoftRefusal::BadRequest)),
    }
}
