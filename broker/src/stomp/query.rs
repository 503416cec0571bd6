//! The query of a destination, `/queue/a?consumer.prefetchSize=10&consumer.exclusive=true`, as clients of ActiveMQ Classic
//! write it on SUBSCRIBE. Each option is another spelling of a header; what follows from it is not known here.

use std::borrow::Cow;

use kolejka_codec::Frame;

use super::error::Fault;

/// Where a query begins. Any other question mark is part of a name.
const BEGINNING: &str = "?consumer.";

/// The options that are understood, the header that says the same, and what a value has to be.
const OPTIONS: [(&str, &str, Value); 6] = [
    ("consumer.exclusive", "activemq.exclusive", Value::Switch),
    ("consumer.noLocal", "activemq.noLocal", Value::Switch),
    ("consumer.prefetchSize", "activemq.prefetchSize", Value::Count),
    ("consumer.priority", "activemq.priority", Value::Rank),
    ("consumer.retroactive", "activemq.retroactive", Value::Switch),
    ("consumer.selector", "selector", Value::Text),
];

/// What an option may be.
#[derive(Clone, Copy)]
enum Value {
    Switch,
    Count,
    Rank,
    Text,
}

impl Value {
    /// What is wrong with a value, if something is.
    fn check(self, text: &str) -> Result<(), &'static str> {
        let is_number = |digits: &str| (1..=10).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
        let (is_right, expected) = match self {
            Value::Switch => (matches!(text, "true" | "false"), "true or false behind an option that is a switch"),
            Value::Count => (is_number(text), "a decimal number of at most ten digits behind consumer.prefetchSize"),
            Value::Rank => {
                let is_rank = is_number(text.strip_prefix('-').unwrap_or(text)) && text.parse::<i32>().is_ok();
                (is_rank, "a whole number behind consumer.priority")
            }
            Value::Text => (true, ""),
        };
        if is_right { Ok(()) } else { Err(expected) }
    }
}

/// The destination, and the options behind it.
pub(super) fn split(written: &str) -> (&str, Option<&str>) {
    match written.find(BEGINNING) {
        Some(at) => (&written[..at], Some(&written[at + 1..])),
        None => (written, None),
    }
}

/// The frame with its options as headers; a header that it has itself goes first, and of an option
/// that is repeated the first counts. As in ActiveMQ, options that are not
/// understood are passed over.
pub(super) fn applied<'f>(frame: &'f Frame, query: Option<&str>) -> Result<Cow<'f, Frame>, Fault> {
    let Some(query) = query else { return Ok(Cow::Borrowed(frame)) };
    let refused = |expected| Fault::BadHeader { header: "destination", expected };
    if query.contains(',') {
        return Err(refused("options behind the last destination of a list, and %2C for a comma in a value"));
    }
    let mut frame = frame.clone();
    for option in query.split('&') {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let Some((_, header, kind)) = OPTIONS.into_iter().find(|(known, ..)| *known == name) else { continue };
        let value = decoded(value).ok_or_else(|| refused("%, two hexadecimal digits and UTF-8 in an option"))?;
        kind.check(&value).map_err(refused)?;
        if frame.headers.get(header).is_none() {
            frame.headers.push(header, &value);
        }
    }
    Ok(Cow::Owned(frame))
}

/// Undoes the encoding of forms: `+` is a blank, `%` and two digits an octet.
fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(octets).ok()
}

fn digit(octet: u8) -> Option<u8> {
    char::from(octet).to_digit(16).map(|digit| digit as u8)
}
