//! What was said about queues beside their messages, as records and as what a checkpoint keeps of it.
//!
//! The document of this file is docs/journal-format.md. It must not know what comes of such an order.

use std::collections::BTreeMap;

use super::octets::{Octets, put_text};
use super::record::{RECORD_HEAD_BYTES, framed};
use crate::model::{DestinationId, DestinationName, Limited, Limits, Pause, Paused, Record, Timestamp};

/// Kinds of records.
pub(super) const PAUSED: u8 = 40;
pub(super) const LIMITED: u8 = 43;

/// The orders in force.
#[derive(Debug, Default)]
pub(super) struct Orders {
    pauses: BTreeMap<DestinationId, Pause>,
    limits: BTreeMap<DestinationId, Limits>,
    /// Most bytes of the limits' records.
    limits_bytes: usize,
}

impl Orders {
    /// Takes in what a record says; others say nothing here.
    pub(super) fn note(&mut self, record: &Record) {
        match record {
            Record::Paused(Paused { queue, pause }) if pause.is_over() => drop(self.pauses.remove(queue)),
            Record::Paused(Paused { queue, pause }) => drop(self.pauses.insert(*queue, *pause)),
            Record::Limited(Limited { queue, limits }) => {
                self.limits_bytes += limited_bytes(limits);
                self.limits_bytes -= self.limits.insert(*queue, limits.clone()).map_or(0, |old| limited_bytes(&old));
            }
            _ => {}
        }
    }

    /// A queue is gone.
    pub(super) fn forget(&mut self, queue: DestinationId) {
        self.pauses.remove(&queue);
        self.limits_bytes -= self.limits.remove(&queue).map_or(0, |old| limited_bytes(&old));
    }

    /// Most bytes of the records that say all of them.
    pub(super) fn bytes(&self) -> usize {
        self.pauses.len() * PAUSED_BYTES + self.limits_bytes
    }

    /// All of them as records.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        let limited = |(queue, limits): (&DestinationId, &Limits)| Limited { queue: *queue, limits: limits.clone() };
        let paused = |(queue, pause): (&DestinationId, &Pause)| Paused { queue: *queue, pause: *pause };
        self.limits.iter().map(limited).map(Record::Limited).chain(self.pauses.iter().map(paused).map(Record::Paused))
    }
}

/// Most octets of such a record.
pub(super) fn bytes(record: &Record) -> usize {
    match record {
        Record::Paused(_) => PAUSED_BYTES,
        Record::Limited(limited) => limited_bytes(&limited.limits),
        _ => 0,
    }
}

const PAUSED_BYTES: usize = RECORD_HEAD_BYTES + 24;

fn limited_bytes(limits: &Limits) -> usize {
    RECORD_HEAD_BYTES + LIMITS_BYTES + limits.dead_letter.as_ref().map_or(0, |name| name.as_str().len())
}

/// Writes such a record. A side that runs has 0 for its end.
pub(super) fn put(into: &mut Vec<u8>, record: &Record) {
    match record {
        Record::Paused(Paused { queue, pause }) => framed(into, PAUSED, |bytes| {
            bytes.extend_from_slice(&queue.0.to_le_bytes());
            for until in [pause.input, pause.output] {
                bytes.extend_from_slice(&until.unwrap_or_default().0.to_le_bytes());
            }
        }),
        Record::Limited(Limited { queue, limits }) => framed(into, LIMITED, |bytes| {
            bytes.extend_from_slice(&queue.0.to_le_bytes());
            put_limits(bytes, limits);
        }),
        _ => {}
    }
}

/// Most octets of limits beside a name, and of the queue.
const LIMITS_BYTES: usize = 8 + 2 + 4 * 8 + 2 + 2;

const HAS_OVERFLOW: u16 = 1 << 4;
const DROPS: u16 = 1 << 5;
const AUTO_DELETE: u16 = 1 << 6;
const HAS_DELIVERIES: u16 = 1 << 7;
const HAS_DEAD_LETTER: u16 = 1 << 8;
const ALL: u16 = (1 << 9) - 1;

/// What is there, then each number that is, and the name.
fn put_limits(into: &mut Vec<u8>, limits: &Limits) {
    let numbers = [limits.max_length, limits.max_bytes, limits.expiry_ms, limits.idle_ms];
    let flag = |is: bool, bit: u16| if is { bit } else { 0 };
    let mut flags = flag(limits.auto_delete, AUTO_DELETE)
        | flag(limits.drops_oldest.is_some(), HAS_OVERFLOW)
        | flag(limits.drops_oldest == Some(true), DROPS)
        | flag(limits.max_deliveries.is_some(), HAS_DELIVERIES)
        | flag(limits.dead_letter.is_some(), HAS_DEAD_LETTER);
    for (bit, number) in numbers.iter().enumerate() {
        flags |= flag(number.is_some(), 1 << bit);
    }
    into.extend_from_slice(&flags.to_le_bytes());
    for number in numbers.into_iter().flatten() {
        into.extend_from_slice(&number.to_le_bytes());
    }
    if let Some(most) = limits.max_deliveries {
        into.extend_from_slice(&most.to_le_bytes());
    }
    if let Some(name) = &limits.dead_letter {
        put_text(into, name.as_str());
    }
}

fn read_limits(fields: &mut Octets<'_>) -> Option<Limits> {
    let flags = fields.u16().filter(|flags| flags & !ALL == 0)?;
    let has = |bit: u16| flags & bit != 0;
    let mut numbers = [None; 4];
    for (bit, number) in numbers.iter_mut().enumerate() {
        if has(1 << bit) {
            *number = Some(fields.u64()?);
        }
    }
    let [max_length, max_bytes, expiry_ms, idle_ms] = numbers;
    let max_deliveries = if has(HAS_DELIVERIES) { Some(fields.u16()?) } else { None };
    let dead_letter = if has(HAS_DEAD_LETTER) { Some(DestinationName::from_full(fields.text()?).ok()?) } else { None };
    let drops_oldest = has(HAS_OVERFLOW).then_some(has(DROPS));
    let auto_delete = has(AUTO_DELETE);
    Some(Limits { max_length, max_bytes, drops_oldest, expiry_ms, idle_ms, max_deliveries, dead_letter, auto_delete })
}

/// Reads such a record back.
pub(super) fn read(kind: u8, fields: &mut Octets<'_>) -> Option<Record> {
    match kind {
        PAUSED => {
            let queue = DestinationId(fields.u64()?);
            let mut until = || Some(Some(Timestamp(fields.u64()?)).filter(|until| until.0 > 0));
            Some(Record::Paused(Paused { queue, pause: Pause { input: until()?, output: until()? } }))
        }
        LIMITED => Some(Record::Limited(Limited { queue: DestinationId(fields.u64()?), limits: read_limits(fields)? })),
        _ => None,
    }
}
