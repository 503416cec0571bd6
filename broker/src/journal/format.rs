//! How a batch and a segment's first block are framed: lengths, places, checksums.
//!
//! The document of this file is docs/journal-format.md. It must not know what records mean, nor do any I/O.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::octets::Octets;
use crate::model::Position;
use crate::model::ShardId;

/// The format of a directory that this program writes, and the newest it reads.
pub(super) const DIRECTORY_VERSION: u32 = 2;

/// How batches and segments are framed.
pub(super) const VERSION: u8 = 1;

/// Everything on disk begins at a multiple of this, so that no append rewrites a block with acknowledged data.
pub(super) const BLOCK_BYTES: usize = 4096;

/// Octets in front of a batch's records.
pub(super) const BATCH_HEADER_BYTES: usize = HEADER_SUM_AT + 4 + 4 * 2 + 8 * 2 + 4 * 2 + 8 * 6;

/// Most messages a segment holds: bounds its summary and the table of the one being written.
pub(super) const SLOTS_MAX: u32 = 1 << 18;

/// Most octets of a segment: offsets are kept in 32 bits.
pub(super) const SEGMENT_BYTES_MAX: u64 = 1 << 32;

/// First offset of a segment that holds a batch.
pub(super) const FIRST_BATCH_AT: u64 = BLOCK_BYTES as u64;

const BATCH_MAGIC: [u8; 2] = *b"KJ";
const SEGMENT_MAGIC: [u8; 8] = *b"KOLEJSEG";
const HEADER_SUM_AT: usize = 4;
const LINK_MASK: u8 = 0b11;
const OPENING: u8 = 0b100;
const SLOT_BITS: u32 = 24;
const SEGMENT_BITS: u32 = 28;

const _: () = assert!(BATCH_HEADER_BYTES == 88 && SLOTS_MAX <= 1 << SLOT_BITS && SLOT_BITS + SEGMENT_BITS == 52);

/// Number of a segment. Only grows; never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SegmentId(pub(super) u64);

impl SegmentId {
    const MAX: u64 = (1 << SEGMENT_BITS) - 1;

    /// The one after it; `None` when numbers have run out.
    pub(super) fn next(self) -> Option<SegmentId> {
        (self.0 < Self::MAX).then_some(SegmentId(self.0 + 1))
    }

    pub(super) fn file_name(self) -> String {
        format!("seg-{:016x}", self.0)
    }

    pub(super) fn from_file_name(name: &str) -> Option<SegmentId> {
        let digits = name.strip_prefix("seg-").filter(|digits| digits.len() == 16)?;
        u64::from_str_radix(digits, 16).ok().filter(|id| *id <= Self::MAX).map(SegmentId)
    }

    /// The place of its `slot`-th message.
    pub(super) fn position(self, shard: ShardId, slot: u32) -> Position {
        Position::new(shard, (self.0 << SLOT_BITS) | u64::from(slot))
    }
}

/// Segment and slot of a place.
pub(super) fn locate(position: Position) -> (SegmentId, u32) {
    let place = position.place();
    (SegmentId(place >> SLOT_BITS), (place & ((1 << SLOT_BITS) - 1)) as u32)
}

/// Number of a batch: one more than that of the batch before it, over the whole life of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Sequence(pub(super) u64);

/// Octets up to the end of the block.
pub(super) const fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(BLOCK_BYTES)
}

/// The secret of a store: what a client writes into a body can never validate as a batch.
#[derive(Clone, Copy)]
pub(super) struct Key(pub(super) u64);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl Key {
    /// The seed of what lies at that place.
    fn seed(self, segment: SegmentId, offset: u64) -> u64 {
        let mut place = [0; 16];
        place[..8].copy_from_slice(&segment.0.to_le_bytes());
        place[8..].copy_from_slice(&offset.to_le_bytes());
        xxh3_64_with_seed(&place, self.0)
    }

    /// Checksum of a batch's body.
    pub(super) fn body_sum(self, segment: SegmentId, offset: u64, body: &[u8]) -> u64 {
        xxh3_64_with_seed(body, self.seed(segment, offset))
    }

    /// Checksum of one stored message, so that reading one does not need its whole batch. `shape` is what stands in front
    /// of the sum, which is not under it: the record's length, and whether its body is elsewhere.
    pub(super) fn record_sum(self, segment: SegmentId, offset: u64, shape: u64, rest: &[u8]) -> u64 {
        xxh3_64_with_seed(rest, self.seed(segment, offset).wrapping_add(shape))
    }

    /// Names a batch by its header, which holds the checksum of its body.
    pub(super) fn digest(self, header: &[u8; BATCH_HEADER_BYTES]) -> u64 {
        xxh3_64_with_seed(header, self.0)
    }

    fn header_sum(self, header: &[u8; BATCH_HEADER_BYTES]) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.0.to_le_bytes());
        hasher.update(&header[..HEADER_SUM_AT]);
        hasher.update(&header[HEADER_SUM_AT + 4..]);
        hasher.finalize()
    }
}

/// What a batch is in its chain. A chain is void until its last batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// A unit of its own.
    Whole,
    First,
    Middle,
    Last,
}

impl Link {
    fn to_bits(self) -> u8 {
        match self {
            Link::Whole => 0,
            Link::First => 1,
            Link::Middle => 2,
            Link::Last => 3,
        }
    }

    fn from_bits(bits: u8) -> Link {
        match bits & LINK_MASK {
            0 => Link::Whole,
            1 => Link::First,
            2 => Link::Middle,
            _ => Link::Last,
        }
    }

    /// The flags of a batch.
    pub(super) fn flags(self, opening: bool) -> u8 {
        self.to_bits() | if opening { OPENING } else { 0 }
    }

    /// Whether what it belongs to is complete with it.
    pub(super) fn closes(self) -> bool {
        matches!(self, Link::Whole | Link::Last)
    }

    /// Whether what it belongs to begins with it.
    pub(super) fn begins(self) -> bool {
        matches!(self, Link::Whole | Link::First)
    }
}

/// The fields in front of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BatchHeader {
    pub(super) version: u8,
    pub(super) flags: u8,
    pub(super) body_bytes: u32,
    pub(super) records: u32,
    pub(super) segment: SegmentId,
    pub(super) offset: u64,
    pub(super) shard: u32,
    pub(super) first_slot: u32,
    pub(super) epoch: u64,
    pub(super) clock: u64,
    pub(super) sequence: Sequence,
    pub(super) previous: u64,
    pub(super) watermark: Sequence,
    pub(super) body_sum: u64,
}

impl BatchHeader {
    pub(super) fn encode(&self, key: Key) -> [u8; BATCH_HEADER_BYTES] {
        let mut bytes = Vec::with_capacity(BATCH_HEADER_BYTES);
        bytes.extend_from_slice(&BATCH_MAGIC);
        bytes.extend_from_slice(&[self.version, self.flags, 0, 0, 0, 0]);
        bytes.extend_from_slice(&self.body_bytes.to_le_bytes());
        bytes.extend_from_slice(&self.records.to_le_bytes());
        bytes.extend_from_slice(&self.segment.0.to_le_bytes());
        bytes.extend_from_slice(&self.offset.to_le_bytes());
        bytes.extend_from_slice(&self.shard.to_le_bytes());
        bytes.extend_from_slice(&self.first_slot.to_le_bytes());
        for field in [self.epoch, self.clock, self.sequence.0, self.previous, self.watermark.0, self.body_sum] {
            bytes.extend_from_slice(&field.to_le_bytes());
        }
        let mut header = [0; BATCH_HEADER_BYTES];
        header.copy_from_slice(&bytes);
        let sum = key.header_sum(&header);
        header[HEADER_SUM_AT..HEADER_SUM_AT + 4].copy_from_slice(&sum.to_le_bytes());
        header
    }

    /// The header in these octets, if it is intact. Says nothing about the body, nor whether it belongs here.
    pub(super) fn decode(key: Key, bytes: &[u8]) -> Option<BatchHeader> {
        let header: &[u8; BATCH_HEADER_BYTES] = bytes.first_chunk()?;
        let mut fields = Octets::new(header);
        let (magic, version, flags, sum) = (fields.take(2)?, fields.u8()?, fields.u8()?, fields.u32()?);
        if magic != BATCH_MAGIC || sum != key.header_sum(header) {
            return None;
        }
        Some(BatchHeader {
            version,
            flags,
            body_bytes: fields.u32()?,
            records: fields.u32()?,
            segment: SegmentId(fields.u64()?),
            offset: fields.u64()?,
            shard: fields.u32()?,
            first_slot: fields.u32()?,
            epoch: fields.u64()?,
            clock: fields.u64()?,
            sequence: Sequence(fields.u64()?),
            previous: fields.u64()?,
            watermark: Sequence(fields.u64()?),
            body_sum: fields.u64()?,
        })
    }

    /// Whether this program knows all that the header says.
    pub(super) fn is_known(&self) -> bool {
        self.version == VERSION && self.flags & !(LINK_MASK | OPENING) == 0
    }

    /// What it is in its chain.
    pub(super) fn link(&self) -> Link {
        Link::from_bits(self.flags)
    }

    /// Whether it belongs to the checkpoint at the head of a segment.
    pub(super) fn is_opening(&self) -> bool {
        self.flags & OPENING != 0
    }

    /// Octets from its first to the first of the next batch.
    pub(super) fn span(&self) -> u64 {
        padded(BATCH_HEADER_BYTES + self.body_bytes as usize) as u64
    }
}

/// The first block of a segment. Every file of segments has one with its length, spare ones with number 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) store: u128,
    pub(super) segment: SegmentId,
    pub(super) length: u64,
}

impl SegmentHeader {
    /// Its octets; the rest of the block is zero.
    const BYTES: usize = SEGMENT_MAGIC.len() + 4 + 4 + 16 + 8 + 8 + 8;

    pub(super) fn encode(&self, key: Key) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BLOCK_BYTES);
        bytes.extend_from_slice(&SEGMENT_MAGIC);
        bytes.extend_from_slice(&u32::from(VERSION).to_le_bytes());
        bytes.extend_from_slice(&0u32.to_le_bytes());
        bytes.extend_from_slice(&self.store.to_le_bytes());
        bytes.extend_from_slice(&self.segment.0.to_le_bytes());
        bytes.extend_from_slice(&self.length.to_le_bytes());
        let sum = xxh3_64_with_seed(&bytes, key.0);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes.resize(BLOCK_BYTES, 0);
        bytes
    }

    pub(super) fn decode(key: Key, block: &[u8]) -> Option<SegmentHeader> {
        let bytes = block.get(..Self::BYTES)?;
        let (summed, sum) = bytes.split_at_checked(Self::BYTES - 8)?;
        if Octets::new(sum).u64()? != xxh3_64_with_seed(summed, key.0) {
            return None;
        }
        let mut fields = Octets::new(summed);
        let (magic, version, features) = (fields.take(8)?, fields.u32()?, fields.u32()?);
        if magic != SEGMENT_MAGIC || version != u32::from(VERSION) || features != 0 {
            return None;
        }
        Some(SegmentHeader { store: fields.u128()?, segment: SegmentId(fields.u64()?), length: fields.u64()? })
    }
}
