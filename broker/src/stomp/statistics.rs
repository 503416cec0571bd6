//! Questions about numbers at ActiveMQ's addresses: `ActiveMQ.Statistics.Broker`, `.Subscription` and `.Destination.<name>`, as a
//! queue, as a topic or bare. The answers go to `reply-to`.

use super::error::Fault;
use super::gate::{Gate, Routing};
use crate::model::DestinationName;
use crate::model::Inquiry;
use crate::model::Reply;
use crate::model::Request;
use crate::model::SoftRefusal;
use crate::model::Source;
use crate::model::Subject;

/// What of an address stands behind `ActiveMQ.Statistics.`, if it is one of these, and whether it was written as a topic.
pub(super) fn asked(written: &str) -> Option<(&str, Routing)> {
    let (path, routing) = match written.strip_prefix("/topic/") {
        Some(path) => (path, Routing::Topic),
        None => (written.strip_prefix("/queue/").unwrap_or(written), Routing::Queue),
    };
    Some((path.strip_prefix("ActiveMQ.Statistics.")?, routing))
}

/// Reads the question. Without somebody to tell it makes no sense.
pub(super) fn read(
    (asked, routing): (&str, Routing),
    reply: Option<(DestinationName, Box<[u8]>)>,
    gate: &Gate,
) -> Result<Request, Fault> {
    let Some((to, head)) = reply else { return Ok(Request::Decline(SoftRefusal::BadRequest)) };
    let about = match asked {
        "Broker" => Subject::Broker,
        "Subscription" => Subject::Subscriptions,
        _ => match asked.strip_prefix("Destination.").map(|name| gate.any(name, routing)) {
            Some(Ok(Source::Name(name))) => Subject::Destination(name),
            Some(Ok(Source::Wildcard(wildcard))) => Subject::Destinations(wildcard),
            Some(Err(fault)) => return Err(fault),
            _ => return Ok(Request::Decline(SoftRefusal::BadRequest)),
        },
    };
    let inquiry = Inquiry { about, reader: gate.reader(), reply: Reply { to, head } };
    Ok(Request::Inquire(Box::new(inquiry)))
}
