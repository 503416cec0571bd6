//! What a client says about one job, at the address `/job/<name>`: `<name>` is its token, or `x-job-id` of its MESSAGE.
//!
//! Such an address is no queue: what makes no sense there is refused softly, in the RECEIPT.

use std::sync::Arc;

use bytes::Bytes;
use kolejka_codec::Frame;
use kolejka_codec::Headers;
use kolejka_codec::header::names::{ACK, CONTENT_TYPE};

use super::error::Fault;
use super::moment;
use super::settlement::{self, Token};
use super::tracking::{TEXT_BYTES, cut};
use crate::model::DestinationName;
use crate::model::Job;
use crate::model::JobError;
use crate::model::JobEvent;
use crate::model::JobName;
use crate::model::JobResult;
use crate::model::Outcome;
use crate::model::Progress;
use crate::model::Reply;
use crate::model::SoftRefusal;
use crate::model::Source;

/// How the addresses of jobs begin.
pub(super) const PREFIX: &str = "/job/";

/// Octets of the first line of an error.
const MESSAGE_BYTES: usize = 1024;
/// Octets of all of it.
const TRACE_BYTES: usize = 8192;

/// Reads a SEND to a job; `name` is what stands behind [`PREFIX`]. What it cannot mean is refused softly.
pub(super) fn event(name: &str, frame: &Frame, reply: Option<Reply>) -> Result<Result<Job, SoftRefusal>, Fault> {
    let Some(name) = named(name) else { return Ok(Err(SoftRefusal::Unknown)) };
    let headers = &frame.headers;
    let content_type = || headers.get(CONTENT_TYPE).map(|text| cut(text, TEXT_BYTES));
    let body = || Bytes::copy_from_slice(&frame.body);
    let event = match headers.get("x-event") {
        Some("touch") => JobEvent::Touch(moment::time_to_run(headers)?),
        Some("progress") => match progress(headers.get("x-progress"), &frame.body) {
            Some(progress) => JobEvent::Progress(progress),
            None => return Ok(Err(SoftRefusal::BadRequest)),
        },
        Some(word @ ("data" | "warning")) => {
            JobEvent::Data { is_warning: word == "warning", content_type: content_type(), body: body() }
        }
        Some("complete") if frame.body.len() > JobResult::BYTES => return Ok(Err(SoftRefusal::TooLarge)),
        Some("complete") => {
            let delivery = match headers.get(ACK).map(Token::parse) {
                None => None,
                Some(Some(Token { message, which })) => Some((message, which)),
                Some(None) => return Ok(Err(SoftRefusal::NotHolder)),
            };
            JobEvent::Complete { delivery, content_type: content_type(), body: body() }
        }
        Some("fail") => {
            let error = failure(headers, &String::from_utf8_lossy(&frame.body));
            let outcome = settlement::nack(headers)?;
            JobEvent::Fail { outcome: with_reason(outcome, &error), error }
        }
        Some("cancel") => JobEvent::Cancel,
        Some("kick") => JobEvent::Kick,
        Some("get") => JobEvent::Get(reply),
        _ => return Ok(Err(SoftRefusal::BadRequest)),
    };
    Ok(Ok(Job { name, event }))
}

/// What a NACK says beyond its verdict, if it says more than a reason in a line.
pub(super) fn refused(headers: &Headers, outcome: &Outcome) -> Option<JobError> {
    let class = headers.get("x-error-class").is_some();
    let buries = |outcome: &Outcome| match outcome {
        Outcome::Ranked { outcome, .. } => **outcome == Outcome::Bury,
        outcome => *outcome == Outcome::Bury,
    };
    let hidden = buries(outcome) && headers.get("x-error").is_some();
    (class || hidden).then(|| failure(headers, headers.get("x-error").or(headers.get("reason")).unwrap_or_default()))
}

/// Where a job is watched.
pub(super) fn watched(name: &str) -> Result<Source, Fault> {
    let expected = "/job/ and a token";
    let token = name.parse().map_err(|_| Fault::BadHeader { header: "destination", expected })?;
    Ok(Source::Name(DestinationName::job(token)))
}

fn named(name: &str) -> Option<JobName> {
    if let Ok(token) = name.parse() {
        return Some(JobName::Token(token));
    }
    let Token { message, which } = Token::of_message(name)?;
    Some(JobName::Delivery { message, which })
}

/// `done/of`, with words in the body.
fn progress(text: Option<&str>, body: &[u8]) -> Option<Progress> {
    let (done, of) = text?.split_once('/')?;
    let (done, of) = (moment::milliseconds(done)?, moment::milliseconds(of)?);
    let text = cut(&String::from_utf8_lossy(body), Progress::TEXT_BYTES);
    (done <= of).then(|| Progress { done, of, text: (&*text).into() })
}

/// The first line says what happened, all of it where.
fn failure(headers: &Headers, text: &str) -> JobError {
    let said = headers.get("x-error").or_else(|| text.lines().find(|line| !line.trim().is_empty()));
    let message = cut(said.unwrap_or("no reason given"), MESSAGE_BYTES);
    let trace = (text.trim_end() != &*message && !text.trim().is_empty()).then(|| cut(text, TRACE_BYTES));
    let class = headers.get("x-error-class").map(|class| cut(class, TEXT_BYTES));
    JobError { attempt: 0, class, message, trace }
}

/// The verdict, with the error's first line for whoever finds it as a dead letter.
fn with_reason(outcome: Outcome, error: &JobError) -> Outcome {
    let reason: Option<Arc<str>> = Some(settlement::reason(&error.message));
    match outcome {
        Outcome::Retry { delay_ms, .. } => Outcome::Retry { reason, delay_ms },
        Outcome::DeadLetter { .. } => Outcome::DeadLetter { reason },
        Outcome::Ranked { urgency, outcome } => {
            Outcome::Ranked { urgency, outcome: Box::new(with_reason(*outcome, error)) }
        }
        other => other,
    }
}
