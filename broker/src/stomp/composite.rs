//! Lists of destinations on SEND: `/queue/a,b,/topic/c`, one message for each.

use std::borrow::Cow;

use super::error::Fault;
use crate::model::NameError;

/// Most destinations in a list.
const DESTINATIONS: usize = 64;

/// Kinds of destinations, as a name begins.
const PREFIXES: [&str; 8] = [
    "/queue/",
    "/topic/",
    "/temp-queue/",
    "/temp-topic/",
    "/remote-temp-queue/",
    "/remote-temp-topic/",
    "/amq/queue/",
    "/exchange/amq.topic/",
];

/// Whether a text is a list.
pub(super) fn is_list(written: &str) -> bool {
    written.as_bytes().contains(&b',')
}

/// The parts of a list, each once. A part without a kind of its own has that of the first, as in ActiveMQ; blanks around
/// commas count for nothing.
pub(super) fn parts(list: &str) -> Result<Vec<Cow<'_, str>>, Fault> {
    let first = list.trim_start();
    let inherited = PREFIXES.into_iter().find(|prefix| first.starts_with(prefix)).unwrap_or_default();
    let mut parts: Vec<Cow<'_, str>> = Vec::new();
    for part in list.split(',').map(str::trim) {
        let part = match inherited {
            "" => Cow::Borrowed(part),
            _ if part.starts_with('/') => Cow::Borrowed(part),
            kind => Cow::Owned(format!("{kind}{part}")),
        };
        if parts.contains(&part) {
            continue;
        }
        if parts.len() >= DESTINATIONS {
            return Err(Fault::BadDestination(NameError::TooMany { limit: DESTINATIONS }));
        }
        parts.push(part);
    }
    Ok(parts)
}
