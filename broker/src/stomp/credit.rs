//! Prefetch: what each vendor calls it, and what a subscription gets. Knows numbers only.

use kolejka_codec::Headers;

use super::error::Fault;
use super::options::Options;
use crate::model::Credit;

/// The credit that a SUBSCRIBE in a client mode asks for, within the limits; our default where it does not say.
///
/// Messages by `prefetch-count` (RabbitMQ; 0 is *no limit* and means our default), `activemq.prefetchSize` or `prefetch`;
/// both messages and octets by `credit:messages,octets` (Apollo); octets by `consumer-window-size` (Artemis; 0 is one
/// message at a time, −1 *no limit*). Whichever limit is reached first counts. A count of 0 asks to pull messages one by
/// one, which is not there yet.
pub(super) fn asked(headers: &Headers, options: &Options) -> Result<Credit, Fault> {
    let (messages, by_credit) = match headers.get("credit") {
        Some(text) => apollo(text)?,
        None => (None, None),
    };
    let messages = count(headers)?.or(messages).unwrap_or(u64::from(options.credit.messages));
    let mut credit = Credit {
        messages: messages.min(u64::from(options.credit_limit.messages)) as u32,
        bytes: by_credit.unwrap_or(options.credit.bytes).min(options.credit_limit.bytes),
    };
    match headers.get("consumer-window-size") {
        None => {}
        Some("-1") => credit.bytes = options.credit_limit.bytes,
        Some(text) => match number("consumer-window-size", text)? {
            0 => credit.messages = 1,
            octets => credit.bytes = octets.min(options.credit_limit.bytes),
        },
    }
    Ok(credit)
}

/// A count of messages, if one is given.
fn count(headers: &Headers) -> Result<Option<u64>, Fault> {
    if let Some(text) = headers.get("prefetch-count") {
        return Ok(Some(number("prefetch-count", text)?).filter(|count| *count > 0));
    }
    for header in ["activemq.prefetchSize", "prefetch"] {
        if let Some(text) = headers.get(header) {
            return pushed(header, number(header, text)?).map(Some);
        }
    }
    Ok(None)
}

/// `messages`, `messages,octets`, or either with `,true` behind it: credit comes back with each ACK. With `false` the
/// client would grant it by frames of its own.
fn apollo(text: &str) -> Result<(Option<u64>, Option<u64>), Fault> {
    let mut parts = text.split(',');
    let messages = number("credit", parts.next().unwrap_or_default())?;
    let octets = parts.next().map(|part| number("credit", part)).transpose()?;
    match parts.next().map(|part| part.trim_matches(' ')) {
        None | Some("true") => {}
        Some("false") => return Err(Fault::Unsupported("credit without automatic return")),
        Some(_) => return Err(Fault::BadHeader { header: "credit", expected: "messages, or messages,octets" }),
    }
    Ok((Some(pushed("credit", messages)?), octets))
}

fn pushed(header: &'static str, count: u64) -> Result<u64, Fault> {
    match (count, header) {
        (0, "credit") => Err(Fault::Unsupported("credit of 0 messages")),
        (0, _) => Err(Fault::Unsupported("prefetch of 0 messages")),
        (count, _) => Ok(count),
    }
}

fn number(header: &'static str, text: &str) -> Result<u64, Fault> {
    let digits = text.trim_matches(' ');
    let plain = (1..=10).contains(&digits.len()) && digits.bytes().all(|octet| octet.is_ascii_digit());
    digits
        .parse()
        .ok()
        .filter(|_| plain)
        .ok_or(Fault::BadHeader { header, expected: "a decimal number of at most ten digits" })
}
