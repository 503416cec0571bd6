//! Sizes and durations as people write them: a number and a unit. A bare number is refused, for nobody can tell what it
//! means.

use std::time::Duration;

use bytesize::ByteSize;
use jiff::SignedDuration;

/// Reads a size such as `64KiB`, `4 MiB` or `10GB`.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    if is_bare(text) {
        return Err(format!("a size needs a unit: \"{0}B\", \"{0}KiB\", \"{0}MiB\" or \"{0}GiB\"", text.trim()));
    }
    match text.parse::<ByteSize>() {
        Ok(size) if !text.trim_start().starts_with('-') => Ok(size.as_u64()),
        _ => Err("this is no size; write one as \"64KiB\", \"4MiB\" or \"10GiB\"".to_owned()),
    }
}

/// Reads a duration such as `250ms`, `30s`, `1h 30min` or `3d`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    if is_bare(text) {
        return Err(format!("a duration needs a unit: \"{0}ms\", \"{0}s\", \"{0}min\" or \"{0}h\"", text.trim()));
    }
    let refusal = || "this is no duration; write one as \"250ms\", \"30s\", \"5min\", \"1h\" or \"3d\"".to_owned();
    // The library leaves out days, since a calendar day is not always 24 hours. Ours are.
    let (days, rest) = match text.trim().split_once('d') {
        Some((days, rest)) if is_bare(days) => (days.trim().parse::<u64>().map_err(|_| refusal())?, rest.trim()),
        _ => (0, text.trim()),
    };
    let rest = match rest {
        "" if days > 0 => Duration::ZERO,
        rest => {
            let signed: SignedDuration = rest.parse().map_err(|_| refusal())?;
            Duration::try_from(signed).map_err(|_| refusal())?
        }
    };
    days.checked_mul(24 * 60 * 60).and_then(|days| rest.checked_add(Duration::from_secs(days))).ok_or_else(refusal)
}

/// Writes a size in the largest unit that divides it.
pub(super) fn format_size(octets: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = UNITS.into_iter().find(|(size, _)| octets != 0 && octets.is_multiple_of(*size));
    unit.map_or_else(|| format!("{octets}B"), |(size, name)| format!("{}{name}", octets / size))
}

/// Writes a duration in the largest unit that divides it.
pub(super) fn format_duration(duration: Duration) -> String {
    const UNITS: [(u128, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")];
    let millis = duration.as_millis();
    let unit = UNITS.into_iter().find(|(size, _)| millis != 0 && millis.is_multiple_of(*size));
    unit.map_or_else(|| format!("{millis}ms"), |(size, name)| format!("{}{name}", millis / size))
}

fn is_bare(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit() || matches!(octet, b'.' | b'_'))
}
