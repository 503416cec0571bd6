//! How a SUBSCRIBE wants to take, and what an ACK grants it. Knows headers, not what becomes of them.

use kolejka_codec::Headers;
use kolejka_codec::header::names::{ACK, ID, MESSAGE_ID, SUBSCRIPTION};

use super::credit;
use super::error::Fault;
use super::moment;
use super::subscription::Subscriptions;
use crate::model::Credit;
use crate::model::Grant;
use crate::model::Manner;
use crate::model::Source;

/// Longest wait: a day.
const WAIT_MS: u64 = 86_400_000;

/// Reads the headers of a SUBSCRIBE to a source, behind which another one may stand that is read in its place. `pull` is
/// what it has to begin with, if it pulls.
pub(super) fn manner(
    headers: &Headers,
    (asked, read): (&Source, &Source),
    pull: Option<Credit>,
) -> Result<Manner, Fault> {
    let priority = priority(headers)?;
    let says = |names: [&str; 2]| names.into_iter().any(|name| headers.get(name) == Some("true"));
    let manner = Manner {
        pull,
        wait_ms: wait(headers)?,
        until_empty: until_empty(headers)?,
        limit: limit(headers)?,
        ..Manner::default()
    };
    let no_local = says(["no-local", "activemq.noLocal"]) && !asked.kind().is_queue();
    if read.kind().is_queue() {
        if no_local {
            // What is kept for later says nothing of who sent it.
            return Err(Fault::Unsupported("no-local on a durable subscription"));
        }
        let exclusive_groups = exclusive_groups(headers, read)?;
        return Ok(Manner {
            priority,
            exclusive: says(["exclusive", "activemq.exclusive"]),
            exclusive_groups,
            ..manner
        });
    }
    // Nothing of a topic waits to be taken, and nobody is before others there.
    let header = match manner {
        _ if said(headers, "x-groups").is_some() => "x-groups",
        Manner { pull: Some(_), .. } => "prefetch",
        Manner { wait_ms: Some(_), .. } => "x-wait",
        Manner { until_empty: true, .. } => "x-until-empty",
        Manner { limit: Some(_), .. } => "x-limit",
        _ => return Ok(Manner { no_local, ..manner }),
    };
    Err(Fault::BadHeader {
        header,
        expected: "a queue to take from; a topic only pushes, at least one message at a time",
    })
}

/// What an ACK grants, and to which subscription. It may be named by the header `subscription`, and need not be if there is
/// only one.
pub(super) fn grant(headers: &Headers, subscriptions: &Subscriptions) -> Result<Option<Grant>, Fault> {
    let Some(credit) = credit::granted(headers) else { return Ok(None) };
    let subscription = match headers.get(SUBSCRIPTION) {
        Some(name) => subscriptions.called(name).ok_or(Fault::UnknownSubscription)?,
        None => subscriptions.only()?,
    };
    Ok(Some(Grant { subscription, credit }))
}

/// Whether an ACK names a message. There are clients that cannot leave the name out, but leave it empty.
pub(super) fn names_message(headers: &Headers) -> bool {
    [ACK, ID, MESSAGE_ID].into_iter().any(|name| said(headers, name).is_some())
}

/// Queues that are named, and not for all that a pattern means.
fn exclusive_groups(headers: &Headers, read: &Source) -> Result<bool, Fault> {
    let is_named = !matches!(read, Source::Wildcard(_));
    match said(headers, "x-groups") {
        None | Some("sticky") => Ok(false),
        Some("exclusive") if is_named => Ok(true),
        Some("exclusive") => Err(Fault::BadHeader { header: "x-groups", expected: "the name of a queue with it" }),
        Some(_) => Err(Fault::BadHeader { header: "x-groups", expected: "sticky or exclusive" }),
    }
}

/// ActiveMQ's name, then RabbitMQ's.
fn priority(headers: &Headers) -> Result<i32, Fault> {
    for header in ["activemq.priority", "x-priority"] {
        let Some(text) = said(headers, header) else { continue };
        let number = text.parse().ok().filter(|_| !text.starts_with('+'));
        return number.ok_or(Fault::BadHeader { header, expected: "a whole number; the highest is served first" });
    }
    Ok(0)
}

fn wait(headers: &Headers) -> Result<Option<u32>, Fault> {
    let Some(text) = said(headers, "x-wait") else { return Ok(None) };
    let ms = moment::milliseconds(text).filter(|ms| *ms <= WAIT_MS);
    let expected = "milliseconds, 0 to 86400000";
    ms.map(|ms| Some(ms as u32)).ok_or(Fault::BadHeader { header: "x-wait", expected })
}

fn until_empty(headers: &Headers) -> Result<bool, Fault> {
    match said(headers, "x-until-empty") {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Fault::BadHeader { header: "x-until-empty", expected: "true or false" }),
    }
}

/// 0 is no limit.
fn limit(headers: &Headers) -> Result<Option<u32>, Fault> {
    let Some(text) = said(headers, "x-limit") else { return Ok(None) };
    let plain = text.bytes().all(|octet| octet.is_ascii_digit());
    let count: Option<u32> = text.parse().ok().filter(|_| plain);
    let expected = "a number of messages, 0 to 4294967295, where 0 is no limit";
    count.map(|count| Some(count).filter(|count| *count > 0)).ok_or(Fault::BadHeader { header: "x-limit", expected })
}

fn said<'h>(headers: &'h Headers, name: &str) -> Option<&'h str> {
    headers.get(name).filter(|text| !text.is_empty())
}
