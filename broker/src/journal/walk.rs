//! Walks the batches of a segment by their lengths, and looks ahead from where that ends.
//!
//! Data is only ever taken from an unbroken walk; looking ahead merely tells a torn tail from damage. It must not know
//! what records mean for the state.

use super::OpenError;
use super::format::{
    BATCH_HEADER_BYTES, BLOCK_BYTES, BatchHeader, FIRST_BATCH_AT, SegmentHeader, SegmentId, Sequence, VERSION, padded,
};
use super::fs::FileSystem;
use super::meta::Meta;
use super::segment::{Segment, Thread};
use crate::model::{Epoch, Timestamp};
use crate::seeded::{self, Bug};

/// Octets read at a time when looking ahead.
const LOOK_BYTES: usize = 64 * BLOCK_BYTES;

/// The beginning of an opening that was never completed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Void {
    pub(super) epoch: Epoch,
    /// What was known to be durable before its first batch. Its later batches name those before them.
    pub(super) watermark: Sequence,
    /// The sequence after its last batch.
    pub(super) next: Sequence,
}

/// Reads one segment.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) meta: &'a Meta,
    pub(super) segment: Segment,
    pub(super) offset: u64,
    body: Vec<u8>,
    first: Option<BatchHeader>,
    last: Option<Last>,
}

/// A batch and its digest, which the next one has to follow.
pub(super) type Last = (BatchHeader, u64);

impl<'a> Walk<'a> {
    /// From the segment's first batch.
    pub(super) fn new(meta: &'a Meta, segment: Segment) -> Walk<'a> {
        Walk { meta, segment, offset: FIRST_BATCH_AT, body: Vec::new(), first: None, last: None }
    }

    /// From the segment's first batch, which has to follow that one.
    pub(super) fn after(meta: &'a Meta, segment: Segment, last: Option<Last>) -> Walk<'a> {
        Walk { last, ..Walk::new(meta, segment) }
    }

    /// From a batch further back, whose predecessor is not known.
    pub(super) fn at(meta: &'a Meta, segment: Segment, offset: u64) -> Walk<'a> {
        Walk { offset, ..Walk::new(meta, segment) }
    }

    /// The next batch and its body, checked; `None` where the walk ends. A batch that is intact but does not follow the
    /// one before it is damage.
    pub(super) fn next(&mut self) -> Result<Option<(BatchHeader, &[u8])>, OpenError> {
        let Some((header, octets)) = self.header()? else { return Ok(None) };
        let length = header.body_bytes as usize;
        self.body.resize(length, 0);
        let read = self.segment.file.read_at(&mut self.body, self.offset + BATCH_HEADER_BYTES as u64);
        let read = read.map_err(|error| OpenError::io(self.segment.id.file_name(), error))?;
        let sum = self.meta.key.body_sum(self.segment.id, self.offset, &self.body);
        if read < length || sum != header.body_sum && !seeded::is(Bug::ChecksumIgnored) {
            return Ok(None);
        }
        if let Some((last, digest)) = &self.last
            && (header.sequence.0 != last.sequence.0 + 1 || header.previous != *digest || header.epoch < last.epoch)
        {
            return Err(self.damaged("a batch does not follow the one before it"));
        }
        self.offset += header.span();
        self.first = self.first.or(Some(header));
        self.last = Some((header, self.meta.key.digest(&octets)));
        Ok(Some((header, &self.body)))
    }

    fn header(&self) -> Result<Option<(BatchHeader, [u8; BATCH_HEADER_BYTES])>, OpenError> {
        let mut octets = [0; BATCH_HEADER_BYTES];
        let read = self.segment.file.read_at(&mut octets, self.offset);
        let read = read.map_err(|error| OpenError::io(self.segment.id.file_name(), error))?;
        if read < octets.len() {
            return Ok(None);
        }
        let here = |header: &BatchHeader| header.segment == self.segment.id && header.offset == self.offset;
        match BatchHeader::decode(self.meta.key, &octets).filter(here) {
            Some(BatchHeader { version, .. }) if version != VERSION => {
                Err(OpenError::Newer { file: self.segment.id.file_name(), version: u32::from(version) })
            }
            Some(header) if !header.is_known() => Err(self.damaged("a batch with flags that are not known")),
            Some(header) if header.shard != u32::from(self.meta.shard.get()) => {
                Err(self.damaged("a batch of another shard"))
            }
            Some(header) if self.offset + header.span() <= self.segment.length => Ok(Some((header, octets))),
            _ => Ok(None),
        }
    }

    /// Refuses if there is a sign of a batch behind the place where the walk ended: then what ended it is damage, not the
    /// tear of the last write. A batch of this segment, or of a later one, that lies where it was not written is a sign
    /// too; those of earlier segments are what the file was used for before.
    pub(super) fn expect_end(&self) -> Result<(), OpenError> {
        let rest = self.segment.length.saturating_sub(self.offset);
        let mut chunk = vec![0; (LOOK_BYTES as u64).min(rest) as usize];
        let mut at = self.offset;
        while at < self.segment.length {
            let read = self.segment.file.read_at(&mut chunk, at);
            let read = read.map_err(|error| OpenError::io(self.segment.id.file_name(), error))?;
            let blocks = chunk.get(..read).unwrap_or_default().chunks(BLOCK_BYTES);
            for (block, offset) in blocks.zip((at..).step_by(BLOCK_BYTES)) {
                let Some(header) = BatchHeader::decode(self.meta.key, block) else { continue };
                let is_torn = header.segment == self.segment.id && header.offset == offset && offset == self.offset;
                if header.segment >= self.segment.id && !is_torn {
                    return Err(self.damaged("an unreadable batch is followed by others"));
                }
            }
            if read == 0 {
                break;
            }
            at += padded(read) as u64;
        }
        Ok(())
    }

    /// What the next batch of the log continues.
    pub(super) fn thread(&self) -> Option<Thread> {
        let (last, digest) = self.last.as_ref()?;
        Some(Thread {
            epoch: Epoch(last.epoch),
            sequence: Sequence(last.sequence.0 + 1),
            previous: *digest,
            watermark: last.watermark,
            clock: Timestamp(last.clock),
        })
    }

    /// The batch that was read last.
    pub(super) fn last(&self) -> Option<Last> {
        self.last
    }

    /// The sequence of the first batch that was read.
    pub(super) fn first_sequence(&self) -> Option<Sequence> {
        self.first.map(|first| first.sequence)
    }

    /// What is left of an opening that was never completed, if anything is.
    pub(super) fn void(&self) -> Option<Void> {
        let (first, (last, _)) = (self.first?, self.last.as_ref()?);
        Some(Void { epoch: Epoch(first.epoch), watermark: first.watermark, next: Sequence(last.sequence.0 + 1) })
    }

    pub(super) fn damaged(&self, what: &'static str) -> OpenError {
        OpenError::damaged(self.segment.id.file_name(), self.offset, what)
    }
}

/// Whether a file was on its way from that number to a higher one: its header has that already, and only its name not yet.
/// Nothing that counts is in it.
pub(super) fn is_taken_over(fs: &dyn FileSystem, meta: &Meta, id: SegmentId) -> Result<bool, OpenError> {
    let io = |error| OpenError::io(id.file_name(), error);
    let mut block = vec![0; BLOCK_BYTES];
    let file = fs.open(&id.file_name()).map_err(io)?;
    let read = file.read_at(&mut block, 0).map_err(io)?;
    let header = SegmentHeader::decode(meta.key, block.get(..read).unwrap_or_default());
    Ok(header.is_some_and(|header| header.store == meta.store && header.segment > id))
}

/// Opens a segment and checks its header against its name, its length and the store.
pub(super) fn open_segment(fs: &dyn FileSystem, meta: &Meta, id: SegmentId) -> Result<Segment, OpenError> {
    let name = id.file_name();
    let io = |error| OpenError::io(name.clone(), error);
    let file = fs.open(&name).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => OpenError::damaged(name.clone(), 0, "the segment is missing"),
        _ => io(error),
    })?;
    let mut block = vec![0; BLOCK_BYTES];
    let read = file.read_at(&mut block, 0).map_err(io)?;
    block.truncate(read);
    let Some(header) = SegmentHeader::decode(meta.key, &block) else {
        return Err(OpenError::damaged(name, 0, "the segment's header is damaged"));
    };
    if header.store != meta.store || header.segment != id {
        return Err(OpenError::damaged(name, 0, "the segment belongs somewhere else"));
    }
    if header.length != file.size().map_err(io)? {
        return Err(OpenError::damaged(name, 0, "the segment's length is not the one it was made with"));
    }
    Ok(Segment { id, file, length: header.length })
}
