//! A segment file that is being written: where the next batch goes, and how one is put together and made durable.
//!
//! One batch is in flight at a time: each is written by one call and synced before the next begins. It must not know
//! what is alive, nor where segments come from.

use std::io;
use std::sync::Arc;

use super::format::{BATCH_HEADER_BYTES, BLOCK_BYTES, BatchHeader, FIRST_BATCH_AT, Key, Link, SLOTS_MAX};
use super::format::{SegmentId, Sequence, VERSION, padded};
use super::fs::File;
use super::message;
use super::record;
use super::record::{Entry, RECORD_HEAD_BYTES, SETTLED_RANGE_BYTES, SUMMARY_ENTRY_BYTES};
use crate::model::{Epoch, Position, ShardId, Timestamp};
use crate::seeded::{self, Bug};

/// A segment's file.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) id: SegmentId,
    pub(super) file: Arc<dyn File>,
    pub(super) length: u64,
}

/// What the next batch continues.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Thread {
    pub(super) epoch: Epoch,
    /// Of the next batch.
    pub(super) sequence: Sequence,
    /// Digest of the batch before it.
    pub(super) previous: u64,
    /// Highest sequence known to be synced.
    pub(super) watermark: Sequence,
    pub(super) clock: Timestamp,
}

/// The end of the log.
#[derive(Debug)]
pub(super) struct Tape {
    key: Key,
    shard: ShardId,
    batch_bytes: usize,
    pub(super) segment: Segment,
    pub(super) thread: Thread,
    pub(super) offset: u64,
    /// Every message of this segment, for its summary.
    pub(super) entries: Vec<Entry>,
    /// Messages in batches before the one being put together.
    flushed: usize,
    buffer: Vec<u8>,
    records: u32,
    settled: Vec<u64>,
    /// The last batch held nothing: what is before it is known to be followed.
    pub(super) quiet: bool,
}

impl Tape {
    pub(super) fn new(key: Key, shard: ShardId, batch_bytes: usize, segment: Segment, thread: Thread) -> Tape {
        Tape {
            key,
            shard,
            batch_bytes,
            segment,
            thread,
            offset: FIRST_BATCH_AT,
            entries: Vec::new(),
            flushed: 0,
            buffer: vec![0; BATCH_HEADER_BYTES],
            records: 0,
            settled: Vec::new(),
            quiet: false,
        }
    }

    /// Goes on in another segment.
    pub(super) fn switch(&mut self, segment: Segment) {
        self.segment = segment;
        self.offset = FIRST_BATCH_AT;
        self.entries.clear();
        self.flushed = 0;
    }

    /// The clock of the next batches. It does not go back, unless it was wrong.
    pub(super) fn clock(&mut self, wall: Timestamp) {
        self.thread.clock = self.thread.clock.or_machine(wall);
    }

    /// Adds a message and says where it is. The entry's offset is filled in here.
    pub(super) fn accepted(&mut self, mut entry: Entry, content: (&[u8], &[u8])) -> Position {
        let position = self.segment.id.position(self.shard, self.entries.len() as u32);
        entry.offset = (self.offset + self.buffer.len() as u64) as u32;
        message::put_accepted(&mut self.buffer, self.key, self.segment.id, entry, content);
        self.entries.push(entry);
        self.records += 1;
        position
    }

    /// Adds a message whose body is in the record that begins at `holder`.
    pub(super) fn copied(&mut self, mut entry: Entry, head: &[u8], holder: u32) -> Position {
        let position = self.segment.id.position(self.shard, self.entries.len() as u32);
        entry.offset = (self.offset + self.buffer.len() as u64) as u32;
        let body_bytes = entry.size - head.len() as u32;
        message::put_copied(&mut self.buffer, (self.key, self.segment.id), entry, head, (holder, body_bytes));
        self.entries.push(entry);
        self.records += 1;
        position
    }

    /// Where the record of the last message begins.
    pub(super) fn last_offset(&self) -> u32 {
        self.entries.last().map_or(0, |entry| entry.offset)
    }

    /// Adds a settlement.
    pub(super) fn settled(&mut self, position: Position) {
        self.settled.push(position.to_bits());
    }

    /// Adds any other record.
    pub(super) fn put(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.buffer);
        self.records += 1;
    }

    /// Writes the batch and makes it durable. Gives the messages it held.
    pub(super) fn flush(&mut self, link: Link, opening: bool) -> io::Result<&[Entry]> {
        if !self.settled.is_empty() {
            record::put_settled(&mut self.buffer, &mut self.settled);
            self.records += 1;
        }
        self.quiet = self.records == 0;
        let (segment, offset) = (self.segment.id, self.offset);
        let body = self.buffer.get(BATCH_HEADER_BYTES..).unwrap_or_default();
        let header = BatchHeader {
            version: VERSION,
            flags: link.flags(opening),
            body_bytes: body.len() as u32,
            records: self.records,
            segment,
            offset,
            shard: u32::from(self.shard.get()),
            first_slot: self.flushed as u32,
            epoch: self.thread.epoch.0,
            clock: self.thread.clock.0,
            sequence: self.thread.sequence,
            previous: self.thread.previous,
            watermark: self.thread.watermark,
            body_sum: self.key.body_sum(segment, offset, body),
        };
        let octets = header.encode(self.key);
        if let Some(room) = self.buffer.get_mut(..BATCH_HEADER_BYTES) {
            room.copy_from_slice(&octets);
        }
        self.buffer.resize(padded(self.buffer.len()), 0);
        if offset + self.buffer.len() as u64 > self.segment.length {
            return Err(io::Error::other("a batch would not fit the segment: this is a bug of the broker"));
        }
        self.segment.file.write_at(&self.buffer, offset)?;
        let synced = if seeded::is(Bug::DataNotSynced) { Ok(()) } else { self.segment.file.sync_data() };
        if !seeded::is(Bug::SyncErrorIgnored) {
            synced?;
        }
        self.thread.previous = self.key.digest(&octets);
        self.thread.watermark = header.sequence;
        self.thread.sequence.0 += 1;
        self.offset += header.span();
        self.buffer.truncate(BATCH_HEADER_BYTES);
        self.buffer.shrink_to(2 * self.batch_bytes);
        self.records = 0;
        let first = std::mem::replace(&mut self.flushed, self.entries.len());
        Ok(self.entries.get(first..).unwrap_or_default())
    }

    /// Writes a batch of nothing, so that damage to the one before it can be told from a torn write.
    pub(super) fn seal(&mut self) -> io::Result<()> {
        self.flush(Link::Whole, false).map(|_| ())
    }

    /// Writes the segment's summary. Room for it was kept by [`fits`](Self::fits).
    pub(super) fn summarise(&mut self) -> io::Result<()> {
        let entries = std::mem::take(&mut self.entries);
        self.flushed = 0;
        let mut chain = Chain::new(self, false);
        for part in entries.chunks(entries_per_record(chain.tape.batch_bytes)) {
            chain.put(RECORD_HEAD_BYTES + part.len() * SUMMARY_ENTRY_BYTES, |b| record::put_summary(b, part))?;
        }
        if entries.is_empty() {
            chain.put(RECORD_HEAD_BYTES, |bytes| record::put_summary(bytes, &[]))?;
        }
        chain.finish()
    }

    /// Octets of the body so far.
    pub(super) fn body_bytes(&self) -> usize {
        let settled = if self.settled.is_empty() { 0 } else { RECORD_HEAD_BYTES };
        self.buffer.len() - BATCH_HEADER_BYTES + settled + self.settled.len() * SETTLED_RANGE_BYTES
    }

    /// Whether the batch, grown by that much, stays below the size of a batch.
    pub(super) fn batch_takes(&self, bytes: usize) -> bool {
        self.body_bytes() + bytes + RECORD_HEAD_BYTES <= self.batch_bytes
    }

    /// Whether batches of that many octets and messages still go into this segment, in front of one seal and its
    /// summary. With nothing: whether the seal does.
    pub(super) fn fits(&self, bytes: u64, slots: u32) -> bool {
        let slots = self.entries.len() as u64 + u64::from(slots);
        slots <= u64::from(SLOTS_MAX) && self.offset + bytes + self.reserve(slots) <= self.segment.length
    }

    /// What must stay free behind a segment's messages: its summary and one seal.
    pub(super) fn reserve(&self, slots: u64) -> u64 {
        reserve_bytes(self.batch_bytes, slots)
    }

    /// Most octets that a chain with that many octets of records takes.
    pub(super) fn chain_bytes(&self, bytes: usize) -> u64 {
        chain_bytes(self.batch_bytes, bytes)
    }
}

/// See [`Tape::chain_bytes`]. Two batches in a row hold more than one may, so there are at most twice as many.
pub(super) fn chain_bytes(batch_bytes: usize, bytes: usize) -> u64 {
    let is_one = bytes + RECORD_HEAD_BYTES <= batch_bytes;
    let batches = if is_one { 1 } else { 2 * bytes / batch_bytes + 2 };
    padded(bytes + batches * (BATCH_HEADER_BYTES + RECORD_HEAD_BYTES + BLOCK_BYTES)) as u64
}

/// See [`Tape::reserve`].
pub(super) fn reserve_bytes(batch_bytes: usize, slots: u64) -> u64 {
    let each = entries_per_record(batch_bytes) as u64;
    let batch =
        |entries: u64| padded(BATCH_HEADER_BYTES + RECORD_HEAD_BYTES + entries as usize * SUMMARY_ENTRY_BYTES) as u64;
    (slots / each) * batch(each) + batch(slots % each) + BLOCK_BYTES as u64
}

fn entries_per_record(batch_bytes: usize) -> usize {
    (batch_bytes - RECORD_HEAD_BYTES) / SUMMARY_ENTRY_BYTES
}

/// Records that count as one unit, in as many batches as they need.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    pub(super) tape: &'a mut Tape,
    opening: bool,
    begun: bool,
}

impl<'a> Chain<'a> {
    pub(super) fn new(tape: &'a mut Tape, opening: bool) -> Chain<'a> {
        Chain { tape, opening, begun: false }
    }

    /// Adds a record of that many octets.
    pub(super) fn put(&mut self, bytes: usize, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.make_room(bytes)?;
        self.tape.put(write);
        Ok(())
    }

    /// Writes what is there if that many octets more would be too many.
    pub(super) fn make_room(&mut self, bytes: usize) -> io::Result<()> {
        if self.tape.body_bytes() > 0 && !self.tape.batch_takes(bytes) {
            let link = if self.begun { Link::Middle } else { Link::First };
            self.tape.flush(link, self.opening)?;
            self.begun = true;
        }
        Ok(())
    }

    /// Closes the unit.
    pub(super) fn finish(self) -> io::Result<()> {
        let link = if self.begun { Link::Last } else { Link::Whole };
        self.tape.flush(link, self.opening).map(|_| ())
    }
}
