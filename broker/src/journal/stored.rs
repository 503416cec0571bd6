//! Records as they are read back from a batch.
//!
//! The inverse of `record`. What is not exactly a record that this program knows is `None`; nothing is skipped.

use std::sync::Arc;

use super::agreed::{read_standing, read_terms};
use super::change::{Arrival, Override};
use super::format::{Key, SegmentId, Sequence};
use super::message::{ACCEPTED_SUM_AT, ACCEPTED_SUMMED_FROM, COPY_SHAPE};
use super::octets::Octets;
use super::orders;
use super::plan::read_plan;
use super::record::{
    ACCEPTED, BOUND, CARRIED, CLAIM, CONTINUED, COPIED, CREATED, DELETED, EXTENT, ID_BLOCK, KEYED, MOVED, OVERRIDE,
    PARKED, PLAN, RANKED, RETURNED, SCHEDULED, SETTLED, STOPPED, SUMMARY, SUSPECTED, TERMS, UNBOUND, WOKEN,
};
use super::record::{Entry, ExtentRecord};
use super::record::{SETTLED_RANGE_BYTES, SUMMARY_ENTRY_BYTES};
use super::status::{ATTACHED, FORGOTTEN, REPORTED, TRACKED, read_job};
use crate::model::{
    Bound, Carried, DeathNote, DeathReason, DestinationId, DestinationName, Epoch, Keyed, MessageId, Pattern, Place,
    Position, Record, Returned, Schedule, Standing, Terms, Timestamp, Urgency,
};

/// A record as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stored<'a> {
    Accepted { entry: Entry, head_bytes: u32, content: &'a [u8] },
    Copied { entry: Entry, head: &'a [u8], body: Elsewhere },
    Settled(Vec<(Position, u32)>),
    Returned(Back),
    Ranked { position: Position, destination: DestinationId, place: Place },
    Woken(Position),
    Terms { position: Position, terms: Box<Terms> },
    Planned { position: Position, schedule: Box<Schedule> },
    Scheduled { position: Position, schedule: Box<Schedule> },
    Moved { position: Position, from: DestinationId, arrival: Arrival },
    Created { destination: DestinationId, name: DestinationName },
    Deleted { destination: DestinationId },
    Bound(Bound),
    Unbound { queue: DestinationId },
    Keyed(Keyed),
    Job(Record),
    Ordered(Record),
    IdBlock { next: u64 },
    Suspected { below: u64 },
    Claim { epoch: Epoch },
    Extent(ExtentRecord),
    Override { position: Position, change: Override },
    Summary(Vec<Entry>),
    Continued { base: SegmentId, sequence: Sequence },
    Stopped,
}

/// A body that is in another record of the same segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Elsewhere {
    /// Where that record begins.
    pub(super) holder: u32,
    pub(super) bytes: u32,
}

/// What a message's record has of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub(super) head: &'a [u8],
    pub(super) body: Result<&'a [u8], Elsewhere>,
}

/// A return as the log has it, which knows a message by its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Back {
    pub(super) position: Position,
    pub(super) destination: DestinationId,
    pub(super) place: Place,
    pub(super) attempts: u16,
    pub(super) nacks: u8,
    pub(super) standing: Standing,
}

impl Back {
    pub(super) fn of(returned: &Returned) -> Back {
        let Returned { destination, place, position, attempts, nacks, standing, .. } = *returned;
        Back { position, destination, place, attempts, nacks, standing }
    }
}

/// Takes the first record off a batch's body. `offset` is where it lies in the segment. `None`: not a record we know.
pub(super) fn take<'a>(body: &mut &'a [u8], offset: u64) -> Option<Stored<'a>> {
    let length = Octets::new(body).u32()? as usize;
    let (record, rest) = body.split_at_checked(length)?;
    let mut fields = Octets::new(record);
    fields.take(4)?;
    let kind = fields.u8()?;
    if fields.take(3)? != [0; 3] {
        return None;
    }
    let stored = match kind {
        ACCEPTED => read_accepted(record, offset)?,
        COPIED => read_copied(record, offset)?,
        SUMMARY => Stored::Summary(read_summary(fields.rest())?),
        SETTLED => Stored::Settled(read_ranges(fields.rest())?),
        EXTENT => Stored::Extent(read_extent(fields)?),
        _ => read_small(kind, fields)?,
    };
    *body = rest;
    Some(stored)
}

/// Reads a message's record that was found by its place, and checks its own checksum.
pub(super) fn check_message(key: Key, segment: SegmentId, offset: u64, record: &[u8]) -> Option<Parts<'_>> {
    let sum = Octets::new(record.get(ACCEPTED_SUM_AT..ACCEPTED_SUMMED_FROM)?).u64()?;
    let mut rest = record;
    let (parts, shape) = match take(&mut rest, offset)? {
        Stored::Accepted { head_bytes, content, .. } => {
            let (head, body) = content.split_at_checked(head_bytes as usize)?;
            (Parts { head, body: Ok(body) }, 0)
        }
        Stored::Copied { head, body, .. } => (Parts { head, body: Err(body) }, COPY_SHAPE),
        _ => return None,
    };
    let summed = record.get(ACCEPTED_SUMMED_FROM..)?;
    let expected = key.record_sum(segment, offset, record.len() as u64 | shape, summed);
    (sum == expected && rest.is_empty()).then_some(parts)
}

fn read_accepted(record: &[u8], offset: u64) -> Option<Stored<'_>> {
    let (mut entry, head_bytes, fields) = read_entry(record, offset)?;
    let content = fields.rest();
    entry.size = content.len() as u32;
    (head_bytes <= entry.size).then_some(Stored::Accepted { entry, head_bytes, content })
}

fn read_copied(record: &[u8], offset: u64) -> Option<Stored<'_>> {
    let (mut entry, head_bytes, mut fields) = read_entry(record, offset)?;
    let body = Elsewhere { bytes: fields.u32()?, holder: fields.u32()? };
    let head = fields.rest();
    entry.size = head_bytes.checked_add(body.bytes)?;
    (head.len() == head_bytes as usize && body.holder < entry.offset).then_some(Stored::Copied { entry, head, body })
}

/// What stands in front of a message's content, and how long its head is.
fn read_entry(record: &[u8], offset: u64) -> Option<(Entry, u32, Octets<'_>)> {
    let mut fields = Octets::new(record.get(ACCEPTED_SUMMED_FROM..)?);
    let destination = DestinationId(fields.u64()?);
    let message = MessageId::from_bits(fields.u64()?);
    let place = read_place(&mut fields)?;
    let head_bytes = fields.u32()?;
    Some((Entry { offset: u32::try_from(offset).ok()?, size: 0, destination, message, place }, head_bytes, fields))
}

fn read_small(kind: u8, mut fields: Octets<'_>) -> Option<Stored<'_>> {
    let stored = match kind {
        RETURNED | PARKED => Stored::Returned(read_returned(kind == PARKED, &mut fields)?),
        RANKED => Stored::Ranked {
            position: Position::from_bits(fields.u64()?),
            destination: DestinationId(fields.u64()?),
            place: read_place(&mut fields)?,
        },
        WOKEN => Stored::Woken(Position::from_bits(fields.u64()?)),
        TERMS => {
            Stored::Terms { position: Position::from_bits(fields.u64()?), terms: Box::new(read_terms(&mut fields)?) }
        }
        PLAN | SCHEDULED => {
            let (position, schedule) = (Position::from_bits(fields.u64()?), Box::new(read_plan(&mut fields)?));
            if kind == PLAN { Stored::Planned { position, schedule } } else { Stored::Scheduled { position, schedule } }
        }
        MOVED | CARRIED => Stored::Moved {
            position: Position::from_bits(fields.u64()?),
            from: DestinationId(fields.u64()?),
            arrival: read_arrival(kind == MOVED, &mut fields)?,
        },
        CREATED => Stored::Created {
            destination: DestinationId(fields.u64()?),
            name: DestinationName::from_full(fields.text()?).ok()?,
        },
        DELETED => Stored::Deleted { destination: DestinationId(fields.u64()?) },
        BOUND => Stored::Bound(read_bound(&mut fields)?),
        KEYED => Stored::Keyed(Keyed {
            queue: DestinationId(fields.u64()?),
            at: Timestamp(fields.u64()?),
            key: fields.text()?.into(),
        }),
        TRACKED | REPORTED | ATTACHED | FORGOTTEN => Stored::Job(read_job(kind, &mut fields)?),
        UNBOUND => Stored::Unbound { queue: DestinationId(fields.u64()?) },
        ID_BLOCK => Stored::IdBlock { next: fields.u64()? },
        SUSPECTED => Stored::Suspected { below: fields.u64()? },
        CLAIM => Stored::Claim { epoch: Epoch(fields.u64()?) },
        OVERRIDE => {
            Stored::Override { position: Position::from_bits(fields.u64()?), change: read_change(&mut fields)? }
        }
        CONTINUED => Stored::Continued { base: SegmentId(fields.u64()?), sequence: Sequence(fields.u64()?) },
        STOPPED => Stored::Stopped,
        _ => Stored::Ordered(orders::read(kind, &mut fields)?),
    };
    fields.end()?;
    Some(stored)
}

fn read_returned(waits: bool, fields: &mut Octets<'_>) -> Option<Back> {
    let mut back = Back {
        position: Position::from_bits(fields.u64()?),
        destination: DestinationId(fields.u64()?),
        place: read_place(fields)?,
        attempts: fields.u16()?,
        nacks: 0,
        standing: Standing::Ready,
    };
    if waits {
        (back.nacks, back.standing) = (fields.u8()?, read_standing(fields)?);
    }
    Some(back)
}

fn read_arrival(died: bool, fields: &mut Octets<'_>) -> Option<Arrival> {
    let (to, place) = (DestinationId(fields.u64()?), read_place(fields)?);
    let flags = if died { 1 } else { fields.u8().filter(|flags| *flags < 4)? };
    let mut carried = None;
    if flags & 2 != 0 {
        let (attempts, nacks) = (fields.u16()?, fields.u8()?);
        carried = Some(Carried { attempts, nacks, standing: read_standing(fields)? });
    }
    let note = if flags & 1 != 0 { Some(read_note(fields)?) } else { None };
    Some(Arrival { to, place, note, carried })
}

fn read_bound(fields: &mut Octets<'_>) -> Option<Bound> {
    let queue = DestinationId(fields.u64()?);
    let expires_after = Some(fields.u64()?).filter(|time| *time > 0);
    let topics = Pattern::parse(fields.text()?).ok()?;
    let selector = if fields.is_empty() { None } else { Some(fields.text()?.into()) };
    Some(Bound { queue, topics, expires_after, selector })
}

fn read_change(fields: &mut Octets<'_>) -> Option<Override> {
    let destination = DestinationId(fields.u64()?);
    let place = read_place(fields)?;
    let (attempts_before, attempts) = (fields.u16()?, fields.u16()?);
    let note = match fields.u8()? {
        0 => None,
        1 => Some(read_note(fields)?),
        _ => return None,
    };
    Some(Override {
        destination,
        place,
        attempts_before,
        note,
        attempts,
        nacks: 0,
        standing: Standing::Ready,
        out: true,
    })
}

fn read_place(fields: &mut Octets<'_>) -> Option<Place> {
    let sequence = fields.i64()?;
    Some(Place { urgency: Urgency(fields.u32()?), sequence })
}

fn read_note(fields: &mut Octets<'_>) -> Option<Arc<DeathNote>> {
    let reason = match fields.u8()? {
        1 => DeathReason::Nack,
        2 => DeathReason::Deliveries,
        3 => DeathReason::Expired,
        _ => return None,
    };
    let has_error = fields.u8()? == 1;
    let attempts = fields.u16()?;
    let origin = DestinationName::from_full(fields.text()?).ok()?;
    let error = if has_error { Some(Arc::from(fields.text()?)) } else { None };
    Some(Arc::new(DeathNote { origin, reason, attempts, error }))
}

fn read_ranges(bytes: &[u8]) -> Option<Vec<(Position, u32)>> {
    let (ranges, []) = bytes.as_chunks::<SETTLED_RANGE_BYTES>() else { return None };
    ranges
        .iter()
        .map(|range| {
            let mut fields = Octets::new(range);
            Some((Position::from_bits(fields.u64()?), fields.u32()?))
        })
        .collect()
}

fn read_summary(bytes: &[u8]) -> Option<Vec<Entry>> {
    let (entries, []) = bytes.as_chunks::<SUMMARY_ENTRY_BYTES>() else { return None };
    entries
        .iter()
        .map(|entry| {
            let mut fields = Octets::new(entry);
            Some(Entry {
                offset: fields.u32()?,
                size: fields.u32()?,
                destination: DestinationId(fields.u64()?),
                message: MessageId::from_bits(fields.u64()?),
                place: read_place(&mut fields)?,
            })
        })
        .collect()
}

fn read_extent(mut fields: Octets<'_>) -> Option<ExtentRecord> {
    let segment = SegmentId(fields.u64()?);
    let (length, summary_at, slots) = (fields.u64()?, fields.u64()?, fields.u32()?);
    let (words, []) = fields.rest().as_chunks::<8>() else { return None };
    let bitmap: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
    (bitmap.len() == slots.div_ceil(64) as usize).then_some(ExtentRecord { segment, length, summary_at, slots, bitmap })
}
