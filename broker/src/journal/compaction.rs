//! Copies what still lives out of segments in which little does, so that they are given back.
//!
//! A part of it is a unit like any other: it has the messages anew, with what is known of them, and settles them where they
//! were. So a crash at any moment finds each of them once, and a segment that was emptied is given back as any other in
//! which nothing lives. It is done in parts between the batches of the log's owner, and must not know the reason of a record.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::appender::Appender;
use super::copying::{Part, Piece, Task};
use super::format::SegmentId;
use super::live::Extent;
use super::record::{Entry, SUMMARY_ENTRY_BYTES};
use super::summary::read_summary;
use super::walk::open_segment;
use super::weight::Scale;
use super::{OpenError, Options};

/// Most bytes of a part, unless a single message is larger.
const PART_BYTES: usize = 256 << 10;

/// While the log is in use, a byte is copied for so many that are written otherwise, until it is behind.
const BYTES_FOR_ONE: usize = 4;

/// What may be on the disk beside twice what lives, in segments.
const FLOOR: u64 = 2;

/// How much may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// The log is in use: a part, if its share of what was written allows it.
    Busy,
    /// Nothing waits.
    Idle,
}

/// What is being copied, and how much may be.
#[derive(Debug)]
pub(super) struct Compaction {
    pub(super) part_bytes: usize,
    task: Option<Task>,
    /// Bytes that may be copied, and bytes that were copied beyond: a part may end with a large message.
    credit: usize,
    debt: usize,
    bytes_for_one: usize,
    /// Bytes that may be copied while nothing is written otherwise: what lived when that began. So it comes to an end, whatever
    /// new segments hold beside messages.
    idle_left: Option<u64>,
    /// Something has changed since no segment was found.
    looks: bool,
    /// Segments of which something could not be read; they stay as they are.
    pub(super) left_alone: BTreeSet<SegmentId>,
    pub(super) copied: Copied,
}

/// What was copied in this run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Copied {
    pub(super) segments: u64,
    pub(super) messages: u64,
    /// With what is known of them.
    pub(super) bytes: u64,
}

/// What was found to do.
enum Found {
    Task(Task),
    /// Nothing yet; a segment was counted again.
    Looked,
    Nothing,
}

impl Compaction {
    pub(super) fn new(options: &Options) -> Compaction {
        Compaction {
            part_bytes: PART_BYTES.min(options.batch_bytes / 2),
            task: None,
            credit: 0,
            debt: 0,
            bytes_for_one: BYTES_FOR_ONE,
            idle_left: None,
            looks: true,
            left_alone: BTreeSet::new(),
            copied: Copied::default(),
        }
    }

    /// So many bytes were written otherwise.
    pub(super) fn earn(&mut self, bytes: usize) {
        let earned = bytes / self.bytes_for_one;
        let paid = earned.min(self.debt);
        self.debt -= paid;
        self.idle_left = None;
        self.credit = (self.credit + earned - paid).min(2 * self.part_bytes);
    }

    /// So many bytes were copied.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.debt += bytes.saturating_sub(self.credit);
        self.credit = self.credit.saturating_sub(bytes);
        self.idle_left = self.idle_left.map(|left| left.saturating_sub(bytes as u64));
    }

    fn may_go_on(&self) -> bool {
        self.credit >= self.part_bytes && (self.looks || self.task.is_some())
    }

    /// There may be something to do.
    pub(super) fn look_again(&mut self) {
        self.looks = true;
    }

    pub(super) fn has_copied(&self) -> bool {
        self.copied.messages > 0
    }
}

impl Appender {
    /// Does a part of it. `false` if there is nothing to do, or not now.
    pub(super) fn compact(&mut self, pace: Pace) -> io::Result<bool> {
        if pace == Pace::Busy && !self.compaction.may_go_on() && !self.spares.is_full() {
            return Ok(false);
        }
        let task = match self.compaction.task.take() {
            Some(task) => task,
            None => match self.choose(pace) {
                Found::Task(task) => task,
                Found::Looked => return Ok(true),
                Found::Nothing => {
                    self.compaction.looks = false;
                    return Ok(false);
                }
            },
        };
        self.go_on(task)
    }

    /// Copies the next part of a segment, into the next one if there is no room in this.
    fn go_on(&mut self, mut task: Task) -> io::Result<bool> {
        let Part::Pieces(mut pieces, mut next) = self.gather(&mut task) else { return Ok(true) };
        if !self.takes(&pieces) {
            // The segments that are left on a full disk are for what makes room: it goes on in the next one of those.
            if self.spares.is_full() || !self.begin_next(&pieces)? {
                self.compaction.task = Some(task);
                return Ok(false);
            }
            let Part::Pieces(again, end) = self.gather(&mut task) else { return Ok(true) };
            (pieces, next) = (again, end);
            if !self.takes(&pieces) {
                self.compaction.task = Some(task);
                return Ok(false);
            }
        }
        self.copy(&mut task, pieces)?;
        task.next = next;
        if next < self.live.extent(task.segment).map_or(0, |extent| extent.slots) {
            self.compaction.task = Some(task);
            return Ok(true);
        }
        self.compaction.copied.segments += 1;
        tracing::debug!(segment = task.segment.file_name(), copied = ?self.compaction.copied, "a segment was emptied");
        self.seal()?;
        self.release()?;
        Ok(true)
    }

    /// Whether a part goes into the segment that is being written.
    fn takes(&self, pieces: &[Piece]) -> bool {
        let (bytes, slots) = (self.bytes(pieces), pieces.len() as u32);
        slots == 0 || self.tape.fits(self.tape.chain_bytes(bytes), slots) && self.leaves_room_for_a_start(bytes, slots)
    }

    /// Begins a segment that has room for a part, if one can be had.
    fn begin_next(&mut self, pieces: &[Piece]) -> io::Result<bool> {
        // Where a body was shared with what is in this segment it is needed in the next.
        let shared = pieces.iter().filter(|piece| piece.body.is_none()).map(|piece| piece.entry.size as usize);
        let bytes = self.bytes(pieces) + shared.sum::<usize>();
        let (need, slots) = (self.tape.chain_bytes(bytes), pieces.len() as u32);
        Ok(self.spares.can_take(self.length_for(0, need, slots))? && self.roll(need, slots, false)?)
    }

    /// What was copied in this run.
    #[cfg(test)]
    pub(super) fn copied(&self) -> Copied {
        self.compaction.copied
    }

    /// The segment in which least lives, if copying that is worth it. What has been written since the checkpoint is needed as
    /// a whole, so emptying it would give nothing back.
    fn choose(&mut self, pace: Pace) -> Found {
        let floor = FLOOR * self.store.options.segment_bytes;
        let (mut total, mut live) = (0, 0);
        for (_, extent) in self.candidates() {
            total += extent.length;
            live += extent.weight.of(extent.living);
        }
        let is_full = self.spares.is_full();
        if pace == Pace::Busy && !is_full && total <= 2 * live + floor {
            return Found::Nothing;
        }
        if pace == Pace::Idle && *self.compaction.idle_left.get_or_insert(live) == 0 {
            return Found::Nothing;
        }
        let is_behind = total > 3 * live + 2 * floor;
        self.compaction.bytes_for_one = if is_behind { 1 } else { BYTES_FOR_ONE };
        // Of what was written to it: a segment may end before it is full.
        let fill = |extent: &Extent| extent.weight.of(extent.living) as f64 / extent.summary_at.max(1) as f64;
        let emptiest = self.candidates().min_by(|(_, a), (_, b)| fill(a).total_cmp(&fill(b)));
        let Some((segment, extent)) = emptiest else { return Found::Nothing };
        let bytes = extent.weight.of(extent.living);
        if bytes * 2 > extent.summary_at || is_full && !self.takes_all(bytes, extent.living) {
            return Found::Nothing;
        }
        let is_counted = extent.weight.is_of(extent.living);
        let found = if is_counted { self.begin(segment) } else { self.weigh_again(segment) };
        found.unwrap_or_else(|error| {
            tracing::error!(segment = segment.file_name(), %error, "a segment cannot be read, and keeps its room");
            self.compaction.left_alone.insert(segment);
            Found::Looked
        })
    }

    /// Whether all of a segment goes into the one that is being written, and a start still finds room then.
    fn takes_all(&self, bytes: u64, living: u32) -> bool {
        // Twice the bytes, for what is known of the messages and the ends of blocks.
        let twice = bytes as usize * 2;
        self.tape.fits(twice as u64, living)
            && self.leaves_room_for_a_start(twice, living)
            && self.spares.has(self.opening_of_start(twice, living)).unwrap_or(false)
    }

    fn candidates(&self) -> impl Iterator<Item = (SegmentId, &Extent)> {
        let left_alone = &self.compaction.left_alone;
        let is_one = |segment: SegmentId, extent: &Extent| {
            segment < self.base.segment && extent.living > 0 && !left_alone.contains(&segment)
        };
        self.live.extents().filter(move |(segment, extent)| is_one(*segment, extent))
    }

    fn begin(&mut self, segment: SegmentId) -> Result<Found, OpenError> {
        let file = open_segment(self.store.fs.as_ref(), &self.store.meta, segment)?.file;
        Ok(Found::Task(Task { segment, file, next: 0, bodies: BTreeMap::new(), into: SegmentId::default() }))
    }

    fn weigh_again(&mut self, segment: SegmentId) -> Result<Found, OpenError> {
        let Some(extent) = self.live.extent(segment) else { return Ok(Found::Nothing) };
        let (store, mut scale) = (&self.store, Scale::default());
        let file = open_segment(store.fs.as_ref(), &store.meta, segment)?;
        let each = |first, entries: &[Entry]| {
            for (slot, entry) in (first..).zip(entries) {
                scale.put(entry, extent.is_live(slot));
            }
        };
        read_summary(&store.meta, file, (extent.summary_at, extent.slots), each)?;
        let (weight, read) = (scale.weight(extent.summary_at), extent.slots as usize * SUMMARY_ENTRY_BYTES);
        self.live.weighed(segment, weight);
        self.compaction.spend(read);
        Ok(Found::Looked)
    }
}
