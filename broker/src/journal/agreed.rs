//! How the terms of a message and its standing are spelled inside a record, both ways.
//!
//! The document of this file is docs/journal-format.md. It must not know which record they stand in.

use super::octets::{Octets, put_text};
use crate::model::{Backoff, DestinationName, OnDuplicate, OnExhaust, Standing, Terms, Timestamp, Unique, Until};

/// Most octets of terms beside the name of a dead-letter queue, a key and a value.
pub(super) const TERMS_BYTES: usize = 1 + 8 + 8 + 4 + 2 + 21 + 1 + 2 + 1 + 8 + 2 + 2;

/// Octets of a standing.
pub(super) const STANDING_BYTES: usize = 1 + 8;

const DUE: u8 = 1;
const EXPIRES: u8 = 1 << 1;
const TIME_TO_RUN: u8 = 1 << 2;
const MAX_DELIVERIES: u8 = 1 << 3;
const BACKOFF: u8 = 1 << 4;
const ON_EXHAUST: u8 = 1 << 5;
const DEAD_LETTER: u8 = 1 << 6;
/// A key, a value, or both.
const MORE: u8 = 1 << 7;

/// In the first octet of what is behind that: there is no key, and there is a value.
const NO_KEY: u8 = 3;
const LAST_VALUE: u8 = 1 << 2;

pub(super) fn put_terms(into: &mut Vec<u8>, terms: &Terms) {
    let flag = |is: bool, bit: u8| if is { bit } else { 0 };
    into.push(
        flag(terms.due.is_some(), DUE)
            | flag(terms.expires.is_some(), EXPIRES)
            | flag(terms.time_to_run_ms.is_some(), TIME_TO_RUN)
            | flag(terms.max_deliveries.is_some(), MAX_DELIVERIES)
            | flag(terms.backoff.is_some(), BACKOFF)
            | flag(terms.on_exhaust.is_some(), ON_EXHAUST)
            | flag(terms.dead_letter.is_some(), DEAD_LETTER)
            | flag(terms.unique.is_some() || terms.last_value.is_some(), MORE),
    );
    for moment in [terms.due, terms.expires].into_iter().flatten() {
        into.extend_from_slice(&moment.0.to_le_bytes());
    }
    if let Some(ms) = terms.time_to_run_ms {
        into.extend_from_slice(&ms.to_le_bytes());
    }
    if let Some(deliveries) = terms.max_deliveries {
        into.extend_from_slice(&deliveries.to_le_bytes());
    }
    if let Some(backoff) = terms.backoff {
        put_backoff(into, backoff);
    }
    if let Some(on_exhaust) = terms.on_exhaust {
        into.push(match on_exhaust {
            OnExhaust::DeadLetter => 1,
            OnExhaust::Bury => 2,
            OnExhaust::Drop => 3,
        });
    }
    if let Some(name) = &terms.dead_letter {
        put_text(into, name.as_str());
    }
    if terms.unique.is_some() || terms.last_value.is_some() {
        put_more(into, terms);
    }
}

/// What becomes of others that come with the key is theirs to say, and not kept.
fn put_more(into: &mut Vec<u8>, terms: &Terms) {
    let value = if terms.last_value.is_some() { LAST_VALUE } else { 0 };
    match &terms.unique {
        Some(unique) => put_unique(into, unique, value),
        None => into.push(NO_KEY | value),
    }
    if let Some(value) = &terms.last_value {
        put_text(into, value);
    }
}

fn put_unique(into: &mut Vec<u8>, unique: &Unique, more: u8) {
    let (kind, moment) = match unique.until {
        Until::Done => (0, 0),
        Until::Start => (1, 0),
        Until::Moment(moment) => (2, moment.0),
    };
    into.push(kind | more);
    into.extend_from_slice(&moment.to_le_bytes());
    put_text(into, &unique.key);
}

fn read_more(fields: &mut Octets<'_>, terms: &mut Terms) -> Option<()> {
    let kind = fields.u8()?;
    if kind & !LAST_VALUE != NO_KEY {
        terms.unique = Some(Box::new(read_unique(fields, kind & !LAST_VALUE)?));
    }
    if kind & LAST_VALUE != 0 {
        terms.last_value = Some(fields.text()?.into());
    }
    (terms.unique.is_some() || terms.last_value.is_some()).then_some(())
}

fn read_unique(fields: &mut Octets<'_>, kind: u8) -> Option<Unique> {
    let until = match (kind, fields.u64()?) {
        (0, 0) => Until::Done,
        (1, 0) => Until::Start,
        (2, moment) => Until::Moment(Timestamp(moment)),
        _ => return None,
    };
    Some(Unique { key: fields.text()?.into(), until, on_duplicate: OnDuplicate::default(), waiter: None })
}

pub(super) fn read_terms(fields: &mut Octets<'_>) -> Option<Terms> {
    let flags = fields.u8()?;
    let has = |bit: u8| flags & bit != 0;
    let mut terms = Terms::default();
    if has(DUE) {
        terms.due = Some(Timestamp(fields.u64()?));
    }
    if has(EXPIRES) {
        terms.expires = Some(Timestamp(fields.u64()?));
    }
    if has(TIME_TO_RUN) {
        terms.time_to_run_ms = Some(fields.u32()?);
    }
    if has(MAX_DELIVERIES) {
        terms.max_deliveries = Some(fields.u16()?);
    }
    if has(BACKOFF) {
        terms.backoff = Some(read_backoff(fields)?);
    }
    if has(ON_EXHAUST) {
        terms.on_exhaust = Some(match fields.u8()? {
            1 => OnExhaust::DeadLetter,
            2 => OnExhaust::Bury,
            3 => OnExhaust::Drop,
            _ => return None,
        });
    }
    if has(DEAD_LETTER) {
        terms.dead_letter = Some(DestinationName::from_full(fields.text()?).ok()?);
    }
    if has(MORE) {
        read_more(fields, &mut terms)?;
    }
    Some(terms)
}

fn put_backoff(into: &mut Vec<u8>, backoff: Backoff) {
    match backoff {
        Backoff::Fixed { ms } => {
            into.push(1);
            into.extend_from_slice(&ms.to_le_bytes());
        }
        Backoff::Exponential { first_ms, factor_milli, max_ms } => {
            into.push(2);
            into.extend_from_slice(&first_ms.to_le_bytes());
            into.extend_from_slice(&factor_milli.to_le_bytes());
            into.extend_from_slice(&max_ms.to_le_bytes());
        }
    }
}

fn read_backoff(fields: &mut Octets<'_>) -> Option<Backoff> {
    match fields.u8()? {
        1 => Some(Backoff::Fixed { ms: fields.u64()? }),
        2 => Some(Backoff::Exponential { first_ms: fields.u64()?, factor_milli: fields.u32()?, max_ms: fields.u64()? }),
        _ => None,
    }
}

pub(super) fn put_standing(into: &mut Vec<u8>, standing: Standing) {
    let (kind, moment) = match standing {
        Standing::Ready => (0, 0),
        Standing::Delayed(due) => (1, due.0),
        Standing::Buried(since) => (2, since.0),
    };
    into.push(kind);
    into.extend_from_slice(&moment.to_le_bytes());
}

pub(super) fn read_standing(fields: &mut Octets<'_>) -> Option<Standing> {
    match (fields.u8()?, fields.u64()?) {
        (0, 0) => Some(Standing::Ready),
        (1, due) => Some(Standing::Delayed(Timestamp(due))),
        (2, since) => Some(Standing::Buried(Timestamp(since))),
        _ => None,
    }
}
