//! How records are spelled inside a batch.
//!
//! The document of this file is docs/journal-format.md. It must not know where batches lie nor what is still alive.

use std::sync::Arc;

use super::agreed::{STANDING_BYTES, TERMS_BYTES, put_standing, put_terms};
use super::change::Override;
use super::format::{SegmentId, Sequence};
pub(super) use super::message::{ACCEPTED_HEAD_BYTES, Entry};
use super::octets::put_text;
use super::orders;
use super::plan::{plan_bytes, put_plan};
use super::status::{job_bytes, put_job};
use crate::model::{Bound, Carried, DeathNote, DeathReason, DestinationId, DestinationName, Epoch};
use crate::model::{Content, Keyed, Moved, Place, Position, Ranked, Record, Returned, Schedule, Standing, Terms};
use crate::seeded::{self, Bug};

/// Length (32 bits), kind (8), zeros (24).
pub(super) const RECORD_HEAD_BYTES: usize = 4 + 1 + 3;
/// First position (64 bits) and how many follow each other (32 bits).
pub(super) const SETTLED_RANGE_BYTES: usize = 8 + 4;
/// One message in a summary.
pub(super) const SUMMARY_ENTRY_BYTES: usize = 4 + 4 + 8 + 8 + 4 + 8;

/// Kinds of records.
pub(super) const ACCEPTED: u8 = 1;
pub(super) const SETTLED: u8 = 2;
pub(super) const RETURNED: u8 = 3;
pub(super) const MOVED: u8 = 4;
pub(super) const CREATED: u8 = 5;
pub(super) const DELETED: u8 = 6;
pub(super) const ID_BLOCK: u8 = 7;
pub(super) const CLAIM: u8 = 8;
pub(super) const EXTENT: u8 = 9;
pub(super) const OVERRIDE: u8 = 10;
pub(super) const SUMMARY: u8 = 11;
pub(super) const STOPPED: u8 = 12;
pub(super) const PARKED: u8 = 13;
pub(super) const WOKEN: u8 = 14;
pub(super) const TERMS: u8 = 15;
pub(super) const COPIED: u8 = 16;
pub(super) const CONTINUED: u8 = 17;
pub(super) const CARRIED: u8 = 41;
pub(super) const RANKED: u8 = 42;
pub(super) const BOUND: u8 = 24;
pub(super) const UNBOUND: u8 = 25;
pub(super) const KEYED: u8 = 26;
pub(super) const PLAN: u8 = 27;
pub(super) const SCHEDULED: u8 = 28;
pub(super) const SUSPECTED: u8 = 48;

/// A live segment in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExtentRecord {
    pub(super) segment: SegmentId,
    pub(super) length: u64,
    pub(super) summary_at: u64,
    pub(super) slots: u32,
    /// One bit a slot, lowest first, 64 to a word.
    pub(super) bitmap: Vec<u64>,
}

/// Most octets a record takes. Settlements are counted as ranges of one.
pub(super) fn encoded_bytes(record: &Record) -> usize {
    match record {
        Record::Accepted(accepted) => {
            let content = accepted.content.as_ref().map_or(0, Content::len);
            ACCEPTED_HEAD_BYTES + content + accepted.terms.as_ref().map_or(0, |terms| terms_bytes(terms))
        }
        Record::Scheduled(scheduled) => scheduled_bytes(&scheduled.schedule),
        Record::Settled(_) => SETTLED_RANGE_BYTES,
        Record::Returned(_) => RECORD_HEAD_BYTES + 33 + STANDING_BYTES,
        Record::Ranked(_) => RECORD_HEAD_BYTES + 28,
        Record::Moved(moved) => {
            let texts = |note: &Arc<DeathNote>| note.origin.as_str().len() + note.error.as_ref().map_or(0, |e| e.len());
            RECORD_HEAD_BYTES + 49 + 3 + STANDING_BYTES + moved.note.as_ref().map_or(0, texts)
        }
        Record::Created { name, .. } => RECORD_HEAD_BYTES + 10 + name.as_str().len(),
        Record::Deleted { .. }
        | Record::Unbound { .. }
        | Record::IdBlock { .. }
        | Record::Suspected { .. }
        | Record::Woken(_) => RECORD_HEAD_BYTES + 8,
        Record::Keyed(keyed) => RECORD_HEAD_BYTES + 18 + keyed.key.len(),
        job @ (Record::Tracked(_) | Record::Reported(_) | Record::Attached { .. } | Record::Forgotten { .. }) => {
            RECORD_HEAD_BYTES + job_bytes(job)
        }
        Record::Paused(_) | Record::Limited(_) => orders::bytes(record),
        Record::Bound(bound) => {
            RECORD_HEAD_BYTES + 20 + bound.topics.as_str().len() + bound.selector.as_ref().map_or(0, |text| text.len())
        }
    }
}

/// Most octets of the records of these terms.
pub(super) fn terms_bytes(terms: &Terms) -> usize {
    let own = RECORD_HEAD_BYTES + 8 + TERMS_BYTES + terms.dead_letter.as_ref().map_or(0, |name| name.as_str().len());
    let own = own + terms.group.as_ref().map_or(0, |group| group.name.len());
    let own = own + terms.unique.as_ref().map_or(0, |unique| unique.key.len());
    let own = own + terms.last_value.as_ref().map_or(0, |value| value.len());
    own + terms.schedule.as_ref().map_or(0, |schedule| scheduled_bytes(schedule))
}

/// Most octets of the record of a schedule.
pub(super) fn scheduled_bytes(schedule: &Schedule) -> usize {
    RECORD_HEAD_BYTES + 8 + plan_bytes(schedule)
}

/// Writes any other record of the engine's. Settlements have [`put_settled`].
pub(super) fn put_record(into: &mut Vec<u8>, record: &Record) {
    match record {
        Record::Accepted(_) | Record::Settled(_) => {}
        Record::Returned(returned) => put_returned(into, returned),
        Record::Ranked(ranked) => put_ranked(into, *ranked),
        Record::Woken(woken) => {
            framed(into, WOKEN, |bytes| bytes.extend_from_slice(&woken.position.to_bits().to_le_bytes()));
        }
        Record::Scheduled(scheduled) => put_schedule(into, SCHEDULED, (scheduled.position, &scheduled.schedule)),
        Record::Moved(moved) => put_moved(into, moved),
        Record::Created { destination, name } => put_created(into, *destination, name),
        Record::Deleted { destination } => framed(into, DELETED, |b| b.extend_from_slice(&destination.0.to_le_bytes())),
        Record::Bound(bound) => put_bound(into, bound),
        Record::Paused(_) | Record::Limited(_) => orders::put(into, record),
        Record::Keyed(keyed) => put_keyed(into, keyed),
        Record::Tracked(_) | Record::Reported(_) | Record::Attached { .. } | Record::Forgotten { .. } => {
            framed_job(into, record);
        }
        Record::Unbound { queue } => framed(into, UNBOUND, |b| b.extend_from_slice(&queue.0.to_le_bytes())),
        Record::IdBlock { next } => put_id_block(into, *next),
        Record::Suspected { below } => framed(into, SUSPECTED, |b| b.extend_from_slice(&below.to_le_bytes())),
    }
}

/// Writes what a batch settles. Sorts the positions, so that those in a row share a range; leaves the list empty.
pub(super) fn put_settled(into: &mut Vec<u8>, positions: &mut Vec<u64>) {
    positions.sort_unstable();
    framed(into, SETTLED, |bytes| {
        let mut ranges = positions.chunk_by(|a, b| a + 1 == *b);
        for range in &mut ranges {
            if let Some(first) = range.first() {
                bytes.extend_from_slice(&first.to_le_bytes());
                bytes.extend_from_slice(&(range.len() as u32).to_le_bytes());
            }
        }
    });
    positions.clear();
}

pub(super) fn put_created(into: &mut Vec<u8>, destination: DestinationId, name: &DestinationName) {
    framed(into, CREATED, |bytes| {
        bytes.extend_from_slice(&destination.0.to_le_bytes());
        put_text(bytes, name.as_str());
    });
}

fn put_keyed(into: &mut Vec<u8>, keyed: &Keyed) {
    framed(into, KEYED, |bytes| {
        bytes.extend_from_slice(&keyed.queue.0.to_le_bytes());
        bytes.extend_from_slice(&keyed.at.0.to_le_bytes());
        put_text(bytes, &keyed.key);
    });
}

/// A feed without an end has 0 for its time; one that takes everything has no selector behind it.
fn put_bound(into: &mut Vec<u8>, bound: &Bound) {
    framed(into, BOUND, |bytes| {
        bytes.extend_from_slice(&bound.queue.0.to_le_bytes());
        bytes.extend_from_slice(&bound.expires_after.unwrap_or_default().to_le_bytes());
        put_text(bytes, bound.topics.as_str());
        if let Some(selector) = &bound.selector {
            put_text(bytes, selector);
        }
    });
}

pub(super) fn put_id_block(into: &mut Vec<u8>, next: u64) {
    framed(into, ID_BLOCK, |bytes| bytes.extend_from_slice(&next.to_le_bytes()));
}

pub(super) fn put_claim(into: &mut Vec<u8>, epoch: Epoch) {
    framed(into, CLAIM, |bytes| bytes.extend_from_slice(&epoch.0.to_le_bytes()));
}

/// Writes what stands in the place of a checkpoint: which segment has the last one, and the sequence of its first batch.
pub(super) fn put_continued(into: &mut Vec<u8>, base: SegmentId, sequence: Sequence) {
    framed(into, CONTINUED, |bytes| {
        bytes.extend_from_slice(&base.0.to_le_bytes());
        bytes.extend_from_slice(&sequence.0.to_le_bytes());
    });
}

pub(super) fn put_stopped(into: &mut Vec<u8>) {
    framed(into, STOPPED, |_| {});
}

pub(super) fn put_extent(into: &mut Vec<u8>, extent: &ExtentRecord) {
    framed(into, EXTENT, |bytes| {
        bytes.extend_from_slice(&extent.segment.0.to_le_bytes());
        bytes.extend_from_slice(&extent.length.to_le_bytes());
        bytes.extend_from_slice(&extent.summary_at.to_le_bytes());
        bytes.extend_from_slice(&extent.slots.to_le_bytes());
        for word in &extent.bitmap {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
    });
}

pub(super) fn put_override(into: &mut Vec<u8>, position: Position, change: &Override) {
    framed(into, OVERRIDE, |bytes| {
        bytes.extend_from_slice(&position.to_bits().to_le_bytes());
        bytes.extend_from_slice(&change.destination.0.to_le_bytes());
        put_place(bytes, change.place);
        bytes.extend_from_slice(&change.attempts_before.to_le_bytes());
        bytes.extend_from_slice(&change.attempts.to_le_bytes());
        bytes.push(u8::from(change.note.is_some()));
        if let Some(note) = &change.note {
            put_note(bytes, note);
        }
    });
}

pub(super) fn put_summary(into: &mut Vec<u8>, entries: &[Entry]) {
    framed(into, SUMMARY, |bytes| {
        for entry in entries {
            bytes.extend_from_slice(&entry.offset.to_le_bytes());
            bytes.extend_from_slice(&entry.size.to_le_bytes());
            bytes.extend_from_slice(&entry.destination.0.to_le_bytes());
            bytes.extend_from_slice(&entry.message.to_bits().to_le_bytes());
            put_place(bytes, entry.place);
        }
    });
}

/// Writes what a message's sender said about it; a schedule has a record of its own.
pub(super) fn put_agreed(into: &mut Vec<u8>, position: Position, terms: &Terms) {
    framed(into, TERMS, |bytes| {
        bytes.extend_from_slice(&position.to_bits().to_le_bytes());
        put_terms(bytes, terms);
    });
}

/// Writes the plan of a schedule beside its other terms.
pub(super) fn put_planned(into: &mut Vec<u8>, position: Position, schedule: &Schedule) {
    put_schedule(into, PLAN, (position, schedule));
}

fn put_schedule(into: &mut Vec<u8>, kind: u8, (position, schedule): (Position, &Schedule)) {
    framed(into, kind, |bytes| {
        bytes.extend_from_slice(&position.to_bits().to_le_bytes());
        put_plan(bytes, schedule);
    });
}

/// Writes a return. A message that waits, or was refused before, has a record of its own kind.
fn put_returned(into: &mut Vec<u8>, returned: &Returned) {
    let waits = returned.standing != Standing::Ready || returned.nacks > 0;
    let attempts = if seeded::is(Bug::CountsNotLogged) { 0 } else { returned.attempts };
    framed(into, if waits { PARKED } else { RETURNED }, |bytes| {
        bytes.extend_from_slice(&returned.position.to_bits().to_le_bytes());
        bytes.extend_from_slice(&returned.destination.0.to_le_bytes());
        put_place(bytes, returned.place);
        bytes.extend_from_slice(&attempts.to_le_bytes());
        if waits {
            bytes.push(returned.nacks);
            put_standing(bytes, returned.standing);
        }
    });
}

fn put_ranked(into: &mut Vec<u8>, ranked: Ranked) {
    framed(into, RANKED, |bytes| {
        bytes.extend_from_slice(&ranked.position.to_bits().to_le_bytes());
        bytes.extend_from_slice(&ranked.destination.0.to_le_bytes());
        put_place(bytes, Place { urgency: ranked.urgency, ..ranked.place });
    });
}

/// Writes a move. What is no new dead letter has a record of its own kind.
fn put_moved(into: &mut Vec<u8>, moved: &Moved) {
    let died = moved.carried.is_none() && moved.note.is_some();
    framed(into, if died { MOVED } else { CARRIED }, |bytes| {
        bytes.extend_from_slice(&moved.position.to_bits().to_le_bytes());
        bytes.extend_from_slice(&moved.from.0.to_le_bytes());
        bytes.extend_from_slice(&moved.to.0.to_le_bytes());
        put_place(bytes, moved.to_place);
        if !died {
            bytes.push(u8::from(moved.note.is_some()) | u8::from(moved.carried.is_some()) << 1);
        }
        if let Some(Carried { attempts, nacks, standing }) = moved.carried {
            bytes.extend_from_slice(&attempts.to_le_bytes());
            bytes.push(nacks);
            put_standing(bytes, standing);
        }
        if let Some(note) = &moved.note {
            put_note(bytes, note);
        }
    });
}

pub(super) fn put_place(into: &mut Vec<u8>, place: Place) {
    into.extend_from_slice(&place.sequence.to_le_bytes());
    into.extend_from_slice(&place.urgency.0.to_le_bytes());
}

fn put_note(into: &mut Vec<u8>, note: &DeathNote) {
    let reason = match note.reason {
        DeathReason::Nack => 1,
        DeathReason::Deliveries => 2,
        DeathReason::Expired => 3,
    };
    into.extend_from_slice(&[reason, u8::from(note.error.is_some())]);
    into.extend_from_slice(&note.attempts.to_le_bytes());
    put_text(into, note.origin.as_str());
    if let Some(error) = &note.error {
        put_text(into, error);
    }
}

/// The kind of a record about a job is known where it is written.
fn framed_job(into: &mut Vec<u8>, record: &Record) {
    let (start, mut kind) = (into.len(), None);
    framed(into, 0, |bytes| kind = put_job(bytes, record));
    if let Some((field, kind)) = into.get_mut(start + 4).zip(kind) {
        *field = kind;
    }
}

/// Head, then what `payload` writes, then the length into the head.
pub(super) fn framed(into: &mut Vec<u8>, kind: u8, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = into.len();
    into.extend_from_slice(&[0, 0, 0, 0, kind, 0, 0, 0]);
    payload(into);
    let length = (into.len() - start) as u32;
    if let Some(field) = into.get_mut(start..start + 4) {
        field.copy_from_slice(&length.to_le_bytes());
    }
}
