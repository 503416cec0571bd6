//! What an operator sends to `ActiveMQ.Scheduler.Management`: to see what waits for its time, and to remove it.
//!
//! The address is no queue: what makes no sense there is refused softly, in the RECEIPT. An answer is a message for each, with
//! nothing but headers, and one behind them that says so.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::BytesMut;
use kolejka_codec::Headers;
use kolejka_codec::Version;
use kolejka_codec::encoder::{put_header, put_number_header};
use kolejka_codec::header::names::DESTINATION;

use super::error::Fault;
use super::gate::Gate;
use super::moment::moment;
use crate::model::Content;
use crate::model::DestinationName;
use crate::model::MessageId;
use crate::model::Oversee;
use crate::model::Oversight;
use crate::model::Request;
use crate::model::Scribe;
use crate::model::SoftRefusal;
use crate::model::Timestamp;
use crate::model::Upcoming;
use crate::model::bare_key;

/// The address, as a queue or a topic.
pub(super) fn is_meant(written: &str) -> bool {
    let path = written.strip_prefix("/queue/").or_else(|| written.strip_prefix("/topic/")).unwrap_or(written);
    path == "ActiveMQ.Scheduler.Management"
}

/// Reads a SEND to it. `reply` is the destination of its `reply-to`, as written and what it means.
pub(super) fn read(headers: &Headers, reply: Option<(&str, DestinationName)>, gate: &Gate) -> Result<Request, Fault> {
    Ok(match operation(headers, reply, gate)? {
        Ok(operation) => Request::Oversee(Box::new(Oversee { operation, reader: gate.reader() })),
        Err(refusal) => Request::Decline(refusal),
    })
}

fn operation(
    headers: &Headers,
    reply: Option<(&str, DestinationName)>,
    gate: &Gate,
) -> Result<Result<Oversight, SoftRefusal>, Fault> {
    let action = headers.get("AMQ_SCHEDULER_ACTION").unwrap_or_default().to_ascii_uppercase();
    Ok(match (action.as_str(), reply) {
        ("BROWSE", Some((written, to))) => {
            let mut head = BytesMut::new();
            put_header(&mut head, DESTINATION, written, Version::V1_2);
            if let Some(id) = headers.get("correlation-id") {
                put_header(&mut head, "correlation-id", id, Version::V1_2);
            }
            Ok(Oversight::Browse { due: window(headers)?, to, scribe: Arc::new(Listing { head: head[..].into() }) })
        }
        ("REMOVE", _) => remove(headers, gate),
        ("REMOVEALL", _) => Ok(Oversight::RemoveAll { due: window(headers)? }),
        _ => Err(SoftRefusal::BadRequest),
    })
}

fn remove(headers: &Headers, gate: &Gate) -> Result<Oversight, SoftRefusal> {
    match (headers.get("scheduledJobId"), headers.get("x-schedule")) {
        (Some(id), _) => {
            let message: MessageId = id.parse().map_err(|_| SoftRefusal::Unknown)?;
            Ok(Oversight::Remove { message })
        }
        (None, Some(name)) => {
            let of = headers.get("x-queue").map(|text| gate.name(text)).transpose();
            Ok(Oversight::RemoveNamed { name: name.into(), of: of.map_err(|_| SoftRefusal::UnknownQueue)? })
        }
        (None, None) => Err(SoftRefusal::BadRequest),
    }
}

/// The time that is asked about; without a word, all of it.
fn window(headers: &Headers) -> Result<RangeInclusive<Timestamp>, Fault> {
    let read = |header| headers.get(header).map_or(Ok(None), |text| moment(header, text));
    let start = read("AMQ_SCHEDULER_ACTION_START_TIME")?.unwrap_or(Timestamp(0));
    let end = read("AMQ_SCHEDULER_ACTION_END_TIME")?.unwrap_or(Timestamp(u64::MAX));
    Ok(start..=end)
}

/// How a client is told.
#[derive(Debug)]
struct Listing {
    /// What each of its messages begins with.
    head: Box<[u8]>,
}

impl Scribe for Listing {
    fn write(&self, upcoming: &Upcoming) -> Content {
        let mut head = BytesMut::from(&self.head[..]);
        put_number_header(&mut head, "scheduledJobId", upcoming.message.to_bits());
        let mut put = |name, value: &str| put_header(&mut head, name, value, Version::V1_2);
        put("original-destination", upcoming.to.as_str());
        put("AMQ_SCHEDULED_TIME", &upcoming.due.0.to_string());
        if let Some(schedule) = &upcoming.schedule {
            if let Some(period) = schedule.period_ms {
                put("AMQ_SCHEDULED_PERIOD", &period.to_string());
                put("AMQ_SCHEDULED_REPEAT", &schedule.left.map_or("-1".into(), |left| left.to_string()));
            }
            if let Some(cron) = &schedule.cron {
                put("AMQ_SCHEDULED_CRON", &cron.expression);
                put("x-cron-zone", &cron.zone);
            }
            if let Some(name) = &schedule.name {
                put("x-schedule", bare_key(name));
            }
        }
        Content::small(&head, head.len())
    }

    fn end(&self) -> Content {
        let mut head = BytesMut::from(&self.head[..]);
        put_header(&mut head, "browser", "end", Version::V1_2);
        Content::small(&head, head.len())
    }
}
