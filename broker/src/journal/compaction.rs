//! Copies what still lives out of segments in which little does, so that they are given back.
//!
//! A part of it is a unit like any other: it has the messages anew, with what is known of them, and settles them where they
//! were. So a crash at any moment finds each of them once, and a segment that was emptied is given back as any other in
//! which nothing lives. It is done in parts between the batches of the log's owner, and must not know the reason of a record.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::appender::Appender;
use super::format::{SegmentId, locate};
use super::fs::File;
use super::live::Extent;
use super::message::{ACCEPTED_HEAD_BYTES, COPY_HEAD_BYTES};
use super::reader::{read_holder, read_record};
use super::record::{Entry, RECORD_HEAD_BYTES, SETTLED_RANGE_BYTES, SUMMARY_ENTRY_BYTES};
use super::rewrite::put_known;
use super::segment::Chain;
use super::stored;
use super::stored::Stored;
use super::summary::read_summary;
use super::walk::open_segment;
use super::weight::Scale;
use super::{OpenError, Options, notes::Said};
use crate::model::{Content, Position};

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
    part_bytes: usize,
    task: Option<Task>,
    /// Bytes that may be copied, and bytes that were copied beyond: a part may end with a large message.
    credit: usize,
    debt: usize,
    bytes_for_one: usize,
    /// Something has changed since no segment was found.
    looks: bool,
    /// Segments of which something could not be read; they stay as they are.
    left_alone: BTreeSet<SegmentId>,
    copied: Copied,
}

/// What was copied in this run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Copied {
    pub(super) segments: u64,
    pub(super) messages: u64,
    /// With what is known of them.
    pub(super) bytes: u64,
}

/// A segment that is being emptied.
#[derive(Debug)]
struct Task {
    segment: SegmentId,
    file: Arc<dyn File>,
    next: u32,
    /// Where bodies that messages may share are in the segment that is being written, by where they were.
    bodies: BTreeMap<u32, u32>,
    /// The segment that is meant.
    into: SegmentId,
}

/// A message on its way.
#[derive(Debug)]
struct Piece {
    from: Position,
    entry: Entry,
    head: Vec<u8>,
    /// `None` if it shares that of one before it.
    body: Option<Vec<u8>>,
    /// Where the record with its body was.
    holder: u32,
}

/// What was found to do.
enum Found {
    Task(Task),
    /// Nothing yet; a segment was counted again.
    Looked,
    Nothing,
}

/// What a part found.
enum Part {
    Pieces(Vec<Piece>, u32),
    Unreadable,
}

impl Compaction {
    pub(super) fn new(options: &Options) -> Compaction {
        Compaction {
            part_bytes: PART_BYTES.min(options.batch_bytes / 2),
            task: None,
            credit: 0,
            debt: 0,
            bytes_for_one: BYTES_FOR_ONE,
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
        self.credit = (self.credit + earned - paid).min(2 * self.part_bytes);
    }

    fn spend(&mut self, bytes: usize) {
        self.debt += bytes.saturating_sub(self.credit);
        self.credit = self.credit.saturating_sub(bytes);
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
        let need = self.need(&pieces);
        if !pieces.is_empty() && !self.tape.fits(need, pieces.len() as u32) {
            // Where a body was shared with what is in this segment it is needed in the next.
            let need = need + shared_bytes(&pieces);
            if self.spares.is_full() || !self.spares.can_take(self.length_for(0, need, pieces.len() as u32))? {
                // The segments that are left are for what makes room. It goes on in the next one of those.
                self.compaction.task = Some(task);
                return Ok(false);
            }
            self.roll(need, pieces.len() as u32, false)?;
            let Part::Pieces(again, end) = self.gather(&mut task) else { return Ok(true) };
            (pieces, next) = (again, end);
            if !self.tape.fits(self.need(&pieces), pieces.len() as u32) {
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
        self.seal()?;
        self.release()?;
        Ok(true)
    }

    fn need(&self, pieces: &[Piece]) -> u64 {
        self.tape.chain_bytes(pieces.iter().map(|piece| self.bytes_of(piece)).sum())
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
        let is_behind = total > 3 * live + 2 * floor;
        self.compaction.bytes_for_one = if is_behind { 1 } else { BYTES_FOR_ONE };
        let fill = |extent: &Extent| extent.weight.of(extent.living) as f64 / extent.length.max(1) as f64;
        let emptiest = self.candidates().min_by(|(_, a), (_, b)| fill(a).total_cmp(&fill(b)));
        let Some((segment, extent)) = emptiest else { return Found::Nothing };
        let bytes = extent.weight.of(extent.living);
        if bytes * 2 > extent.length || is_full && !self.tape.fits(bytes * 2, extent.living) {
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
        let each = |slot, entry| scale.put(&entry, extent.is_live(slot));
        read_summary(&store.meta, file, (extent.summary_at, extent.slots), each)?;
        let (weight, read) = (scale.weight(extent.summary_at), extent.slots as usize * SUMMARY_ENTRY_BYTES);
        self.live.weighed(segment, weight);
        self.compaction.spend(read);
        Ok(Found::Looked)
    }

    /// Reads the next live messages of the segment, as many as make a part.
    fn gather(&mut self, task: &mut Task) -> Part {
        if task.into != self.tape.segment.id {
            task.bodies.clear();
            task.into = self.tape.segment.id;
        }
        let Some(extent) = self.live.extent(task.segment) else { return Part::Pieces(Vec::new(), u32::MAX) };
        let (mut pieces, mut bytes, mut slot) = (Vec::new(), 0, task.next);
        let mut held = BTreeSet::new();
        while slot < extent.slots {
            if extent.is_live(slot) {
                let from = task.segment.position(self.store.meta.shard, slot);
                let piece = match self.piece(task, from, &held) {
                    Ok(piece) => piece,
                    Err(error) => {
                        match (error, self.shelf.offset(from)) {
                            (Some(error), _) => tracing::error!(%error, "a segment cannot be read, and keeps its room"),
                            (None, at) => drop(self.shelf.is_damaged(task.segment, at, "a stored message is damaged")),
                        }
                        self.compaction.left_alone.insert(task.segment);
                        return Part::Unreadable;
                    }
                };
                let more = self.bytes_of(&piece);
                if bytes > 0 && bytes + more > self.compaction.part_bytes {
                    break;
                }
                bytes += more;
                if piece.body.as_ref().is_some_and(|body| body.len() >= Content::SHARED_IN_LOG) {
                    held.insert(piece.holder);
                }
                pieces.push(piece);
            }
            slot += 1;
        }
        Part::Pieces(pieces, slot)
    }

    /// Reads a message. `held` are the bodies that this part has.
    fn piece(&self, task: &Task, from: Position, held: &BTreeSet<u32>) -> Result<Piece, Option<io::Error>> {
        let (key, most, file) = (self.store.meta.key, self.store.options.unit_bytes, task.file.as_ref());
        let at = self.shelf.offset(from).ok_or(None)?;
        let mut record = read_record(file, at, most)?.ok_or(None)?;
        let is_whole = stored::check_message(key, task.segment, at, &record).is_some();
        let mut fields = record.as_slice();
        let (mut entry, head_bytes, elsewhere) = match stored::take(&mut fields, at).filter(|_| is_whole) {
            Some(Stored::Accepted { entry, head_bytes, .. }) => (entry, head_bytes as usize, None),
            Some(Stored::Copied { entry, head, body }) => (entry, head.len(), Some(body)),
            _ => return Err(None),
        };
        if let Some(change) = self.live.override_of(from) {
            (entry.destination, entry.place) = (change.destination, change.place);
        }
        let holder = elsewhere.map_or(at as u32, |body| body.holder);
        let body = match elsewhere {
            None => Some(record.split_off(ACCEPTED_HEAD_BYTES + head_bytes)),
            Some(_) if held.contains(&holder) || task.bodies.contains_key(&holder) => None,
            Some(body) => {
                let held = read_holder((file, key, task.segment), (body.holder, body.bytes), most)?.ok_or(None)?;
                Some(held.get(held.len() - body.bytes as usize..).unwrap_or_default().to_vec())
            }
        };
        let head = record.split_off(if elsewhere.is_some() { COPY_HEAD_BYTES } else { ACCEPTED_HEAD_BYTES });
        Ok(Piece { from, entry, head, body, holder })
    }

    /// Most bytes of the records about a message that is copied.
    fn bytes_of(&self, piece: &Piece) -> usize {
        let body = piece.body.as_ref().map_or(0, Vec::len);
        let settled = RECORD_HEAD_BYTES + SETTLED_RANGE_BYTES;
        COPY_HEAD_BYTES + piece.head.len() + body + self.live.known_bytes(piece.from) + settled
    }

    /// Writes a part and makes it durable; then the messages are there and nowhere else.
    fn copy(&mut self, task: &mut Task, pieces: Vec<Piece>) -> io::Result<()> {
        if pieces.is_empty() {
            return Ok(());
        }
        let (segment, first) = (self.tape.segment.id, self.tape.entries.len());
        let bytes: usize = pieces.iter().map(|piece| self.bytes_of(piece)).sum();
        let mut moves = Vec::with_capacity(pieces.len());
        let mut chain = Chain::new(&mut self.tape, false);
        for Piece { from, entry, head, body, holder } in pieces {
            let whole = COPY_HEAD_BYTES + head.len() + body.as_ref().map_or(0, Vec::len);
            chain.make_room(whole)?;
            let to = match (body, task.bodies.get(&holder)) {
                (None, Some(now)) => chain.tape.copied(entry, &head, *now),
                (body, _) => {
                    let body = body.unwrap_or_default();
                    let to = chain.tape.accepted(entry, (&head, &body));
                    if body.len() >= Content::SHARED_IN_LOG {
                        task.bodies.insert(holder, chain.tape.last_offset());
                    }
                    to
                }
            };
            self.live.accept(segment);
            let (change, said) = self.live.take_known(from);
            put_known(&mut chain, to, (change.as_ref(), said.as_ref().map(Said::terms).as_ref()))?;
            self.live.know(to, (change, said));
            chain.tape.settled(from);
            self.live.settle(from, 1);
            moves.push((from, to));
        }
        chain.finish()?;
        let written = self.tape.entries.get(first..).unwrap_or_default();
        self.shelf.extend(segment, written.iter().map(|entry| entry.offset));
        self.shelf.moved(&moves);
        debug_assert!(moves.iter().all(|(from, _)| locate(*from).0 == task.segment));
        self.compaction.copied.messages += moves.len() as u64;
        self.compaction.copied.bytes += bytes as u64;
        self.compaction.spend(bytes);
        Ok(())
    }
}

/// Most bytes of the bodies that these do not have of their own.
fn shared_bytes(pieces: &[Piece]) -> u64 {
    let shared = pieces.iter().filter(|piece| piece.body.is_none());
    shared.map(|piece| u64::from(piece.entry.size)).sum()
}
