//! How the record of a message is spelled: with its body, or with the place of the record that has it.
//!
//! The document of this file is docs/journal-format.md. It must not know where batches lie nor what is still alive.

use super::format::{Key, SegmentId};
use super::record::{ACCEPTED, COPIED, RECORD_HEAD_BYTES, put_place};
use crate::model::{Accepted, DestinationId, MessageId, Place};

/// What stands in front of a message's content: checksum, queue, message, sequence, urgency, octets of the head.
pub(super) const ACCEPTED_HEAD_BYTES: usize = RECORD_HEAD_BYTES + 8 + 8 + 8 + 8 + 4 + 4;
/// The same of a message whose body is in another record: octets of the body and where that record begins beside it.
pub(super) const COPY_HEAD_BYTES: usize = ACCEPTED_HEAD_BYTES + 4 + 4;
pub(super) const ACCEPTED_SUM_AT: usize = RECORD_HEAD_BYTES;
pub(super) const ACCEPTED_SUMMED_FROM: usize = ACCEPTED_SUM_AT + 8;

/// What the checksum of a record without its body is told apart by.
pub(super) const COPY_SHAPE: u64 = 1 << 32;

/// What a summary says about a message, and what is kept of it until the summary is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where its record begins in the segment.
    pub(super) offset: u32,
    /// Octets of head and body.
    pub(super) size: u32,
    pub(super) destination: DestinationId,
    pub(super) message: MessageId,
    pub(super) place: Place,
}

/// Writes a message's record, which will lie at `offset` of the segment. `head` and `body` are its content.
pub(super) fn put_accepted(into: &mut Vec<u8>, key: Key, segment: SegmentId, entry: Entry, parts: (&[u8], &[u8])) {
    let (start, (head, body)) = (into.len(), parts);
    let length = ACCEPTED_HEAD_BYTES + head.len() + body.len();
    put_entry(into, (length, ACCEPTED), entry, head.len());
    into.extend_from_slice(head);
    into.extend_from_slice(body);
    put_sum(into, start, |summed| key.record_sum(segment, u64::from(entry.offset), length as u64, summed));
}

/// Writes the record of a message whose body of so many octets is in the record that begins at `holder`.
pub(super) fn put_copied(
    into: &mut Vec<u8>,
    (key, segment): (Key, SegmentId),
    entry: Entry,
    head: &[u8],
    (holder, body_bytes): (u32, u32),
) {
    let (start, length) = (into.len(), COPY_HEAD_BYTES + head.len());
    put_entry(into, (length, COPIED), entry, head.len());
    into.extend_from_slice(&body_bytes.to_le_bytes());
    into.extend_from_slice(&holder.to_le_bytes());
    into.extend_from_slice(head);
    let shape = length as u64 | COPY_SHAPE;
    put_sum(into, start, |summed| key.record_sum(segment, u64::from(entry.offset), shape, summed));
}

fn put_entry(into: &mut Vec<u8>, (length, kind): (usize, u8), entry: Entry, head_bytes: usize) {
    into.extend_from_slice(&(length as u32).to_le_bytes());
    into.extend_from_slice(&[kind, 0, 0, 0]);
    into.extend_from_slice(&[0; 8]);
    into.extend_from_slice(&entry.destination.0.to_le_bytes());
    into.extend_from_slice(&entry.message.to_bits().to_le_bytes());
    put_place(into, entry.place);
    into.extend_from_slice(&(head_bytes as u32).to_le_bytes());
}

fn put_sum(into: &mut [u8], start: usize, sum_of: impl FnOnce(&[u8]) -> u64) {
    if let Some((sum, summed)) = into.get_mut(start + ACCEPTED_SUM_AT..).and_then(|r| r.split_at_mut_checked(8)) {
        sum.copy_from_slice(&sum_of(summed).to_le_bytes());
    }
}

/// What a summary will say about a message.
pub(super) fn entry_of(accepted: &Accepted, offset: u64) -> Entry {
    Entry {
        offset: offset as u32,
        size: accepted.content.as_ref().map_or(accepted.size, |content| content.len() as u32),
        destination: accepted.destination,
        message: accepted.message,
        place: accepted.place,
    }
}
