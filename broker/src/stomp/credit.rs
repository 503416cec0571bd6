//! Prefetch: what each vendor calls it, and what a subscription gets. Knows numbers only.

use kolejka_codec::Headers;

use super::error::Fault;
use super::options::Options;
use crate::model::Credit;

/// What a SUBSCRIBE asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// How much may be out.
    pub(super) credit: Credit,
    /// What it has to begin with, if all the rest comes by grants.
    pub(super) pull: Option<Credit>,
}

/// A value of the header `credit`: messages, octets, and whether they come back by themselves.
#[derive(Clone, Copy)]
struct Parts {
    messages: u64,
    octets: Option<u64>,
    returns: bool,
}

/// The credit that a SUBSCRIBE in a client mode asks for, within the limits; our default where it does not say.
///
/// Messages by `prefetch-count` (RabbitMQ; 0 is *no limit* and means our default), `activemq.prefetchSize` or `prefetch`;
/// both messages and octets by `credit:messages,octets` (Apollo); octets by `consumer-window-size` (Artemis; 0 is one
/// message at a time, −1 *no limit*). Whichever limit is reached first counts. Who asks for 0 messages, or for
/// `credit:messages,octets,false`, pulls: it gets what it grants, and never more than the default out at a time unless it
/// began with more.
pub(super) fn asked(headers: &Headers, options: &Options) -> Result<Asked, Fault> {
    let by_credit = headers.get("credit").map(|text| parts(text, "messages, or messages,octets")).transpose()?;
    let (count, is_pulled) = count(headers)?;
    let pull = match by_credit {
        Some(parts) if !parts.returns || parts.messages == 0 && count.is_none() => Some(parts.credit()),
        _ => is_pulled.then_some(Credit { messages: 0, bytes: 0 }),
    };
    let messages = count.or(by_credit.map(|parts| parts.messages)).unwrap_or(u64::from(options.credit.messages));
    let octets = by_credit.and_then(|parts| parts.octets);
    let mut credit = Credit {
        messages: messages.min(u64::from(options.credit_limit.messages)) as u32,
        bytes: octets.unwrap_or(options.credit.bytes).min(options.credit_limit.bytes),
    };
    match headers.get("consumer-window-size") {
        None => {}
        Some("-1") => credit.bytes = options.credit_limit.bytes,
        Some(text) => match number("consumer-window-size", text)? {
            0 => credit.messages = 1,
            octets => credit.bytes = octets.min(options.credit_limit.bytes),
        },
    }
    if pull.is_some() {
        credit.messages = credit.messages.max(options.credit.messages);
        credit.bytes = credit.bytes.max(options.credit.bytes);
    }
    Ok(Asked { credit, pull })
}

/// What an ACK grants, if it does: `credit:messages` or `credit:messages,octets`. A word that is nothing of the kind is the
/// application's, come back with the rest of its MESSAGE.
pub(super) fn granted(headers: &Headers) -> Option<Credit> {
    let parts = parts(headers.get("credit")?, "").ok()?;
    (parts.messages > 0).then(|| parts.credit())
}

impl Parts {
    /// Without octets they are no matter.
    fn credit(self) -> Credit {
        let messages = u32::try_from(self.messages).unwrap_or(u32::MAX);
        Credit { messages, bytes: self.octets.unwrap_or(u64::MAX) }
    }
}

/// A count of messages, if one is given, and whether it is the 0 of those who pull.
fn count(headers: &Headers) -> Result<(Option<u64>, bool), Fault> {
    if let Some(text) = headers.get("prefetch-count") {
        return Ok((Some(number("prefetch-count", text)?).filter(|count| *count > 0), false));
    }
    for header in ["activemq.prefetchSize", "prefetch"] {
        if let Some(text) = headers.get(header) {
            let count = number(header, text)?;
            return Ok((Some(count), count == 0));
        }
    }
    Ok((None, false))
}

/// `messages`, `messages,octets`, or both with `true` or `false` behind them: credit comes back with each ACK, or is
/// granted by frames of its own.
fn parts(text: &str, expected: &'static str) -> Result<Parts, Fault> {
    let mut parts = text.split(',');
    let messages = number("credit", parts.next().unwrap_or_default())?;
    let octets = parts.next().map(|part| number("credit", part)).transpose()?;
    let returns = match parts.next().map(|part| part.trim_matches(' ')) {
        None | Some("true") => true,
        Some("false") => false,
        Some(_) => return Err(Fault::BadHeader { header: "credit", expected }),
    };
    Ok(Parts { messages, octets, returns })
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
