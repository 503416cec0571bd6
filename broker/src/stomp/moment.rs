//! Times as clients write them: so many milliseconds, or a moment.

use jiff::Timestamp as Parsed;
use kolejka_codec::Headers;

use super::error::Fault;
use crate::model::Timestamp;

/// Milliseconds: a plain number of at most fifteen digits, which are thirty thousand years.
pub(super) fn milliseconds(text: &str) -> Option<u64> {
    let digits = text.trim_matches(' ');
    let plain = (1..=15).contains(&digits.len()) && digits.bytes().all(|octet| octet.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

/// Milliseconds under a header whose value can mean nothing else.
pub(super) fn span(header: &'static str, text: &str) -> Result<u64, Fault> {
    milliseconds(text).ok_or(Fault::BadHeader { header, expected: "a number of milliseconds" })
}

/// A moment: milliseconds since 1970, or ISO 8601 with its offset, such as `2030-01-31T12:00:00Z`. 0 and nothing are none.
pub(super) fn moment(header: &'static str, text: &str) -> Result<Option<Timestamp>, Fault> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(ms) = milliseconds(text) {
        return Ok((ms != 0).then_some(Timestamp(ms)));
    }
    let parsed = text.parse::<Parsed>().ok().and_then(|parsed| u64::try_from(parsed.as_millisecond()).ok());
    let expected = "milliseconds since 1970, or ISO 8601 such as 2030-01-31T12:00:00Z";
    parsed.map(|ms| Some(Timestamp(ms))).ok_or(Fault::BadHeader { header, expected })
}

/// `x-ttr`: how long a message may stay out, from a tenth of a second to twelve hours.
pub(super) fn time_to_run(headers: &Headers) -> Result<Option<u32>, Fault> {
    headers.get("x-ttr").filter(|text| !text.is_empty()).map(read_time_to_run).transpose()
}

/// Its value.
pub(super) fn read_time_to_run(text: &str) -> Result<u32, Fault> {
    let ms = milliseconds(text).filter(|ms| (100..=43_200_000).contains(ms));
    ms.map(|ms| ms as u32).ok_or(Fault::BadHeader { header: "x-ttr", expected: "milliseconds, 100 to 43200000" })
}
