//! Room for the next start: it writes the state and the messages of the newest segment anew before it gives anything back. On a
//! full disk the log goes on only as far as that still fits.

use std::io;

use super::appender::{Appender, batch_span};
use super::format::{BLOCK_BYTES, FIRST_BATCH_AT, padded};
use super::message::ACCEPTED_HEAD_BYTES;
use super::rewrite::CLAIM_BYTES_MAX;
use super::segment::reserve_bytes;
use super::work::Unit;
use crate::model::Record;

/// How much of a segment is left free by the opening of a start that writes the messages of the tail anew: one part of so
/// many.
const OPENING_LEAVES: u64 = 16;
/// A checkpoint of at most one part of so many of a segment makes the log care that a start needs one segment only.
const SMALL_CHECKPOINT: u64 = 4;

impl Appender {
    /// Whether a start could write the messages of this segment and those of a unit anew into one of the same length, and go
    /// on there: on a full disk it may have no more. Where the state is large it needs more anyway, which is kept for it.
    pub(super) fn leaves_room_for_a_start(&self, bytes: usize, accepted: u32) -> bool {
        let segment = self.store.options.segment_bytes;
        let bytes = bytes.max(self.store.options.batch_bytes);
        if accepted == 0 || self.carried == 0 || (self.carried + bytes) as u64 * 2 < segment {
            return true;
        }
        let most = self.live.state_bytes() + self.listed;
        let margin = (segment / OPENING_LEAVES).max(2 * BLOCK_BYTES as u64);
        most as u64 > segment / SMALL_CHECKPOINT || self.opening_of_start(bytes, accepted) + margin <= segment
    }

    /// Whether a start would still find room after a unit. What it needs is there as files before it does; on a disk that is full
    /// it is weighed.
    pub(super) fn is_safe(&self, unit: Unit, records: &[Record]) -> io::Result<bool> {
        if !self.spares.is_full() {
            // With all that the batch may take up beside it.
            let batch_bytes = self.store.options.batch_bytes;
            let slots = unit.accepted.max((batch_bytes / ACCEPTED_HEAD_BYTES) as u32);
            self.spares.keep_for_start(self.opening_of_start(unit.bytes.max(batch_bytes), slots))?;
        }
        let adds = |record: &Record| !matches!(record, Record::Settled(_) | Record::Forgotten { .. });
        if !self.spares.is_full() || !records.iter().any(adds) {
            return Ok(true);
        }
        self.spares.has(self.spares.for_starts(self.opening_of_start(unit.bytes, unit.accepted)))
    }

    /// Bytes of the segment that a start would need after so many bytes of records more.
    pub(super) fn opening_of_start(&self, bytes: usize, slots: u32) -> u64 {
        self.opening_of(self.carried + bytes, self.tape.entries.len() as u64 + u64::from(slots))
    }

    /// The same, of a start with so many bytes of messages in the newest segment.
    pub(super) fn opening_of(&self, bytes: usize, slots: u64) -> u64 {
        let opening = self.live.state_bytes() + self.listed + bytes + CLAIM_BYTES_MAX;
        let batch_bytes = self.store.options.batch_bytes;
        let length =
            FIRST_BATCH_AT + self.tape.chain_bytes(opening) + batch_span(0) + reserve_bytes(batch_bytes, slots);
        padded(length as usize) as u64
    }

    /// Has room kept for the next checkpoint and the next start.
    pub(super) fn keep_room(&mut self) {
        let most = self.live.checkpoint_bytes();
        self.listed = most - self.live.state_bytes();
        self.spares.keep_room_for(self.length_for(most, 0, 0), self.opening_of_start(0, 0));
    }
}
