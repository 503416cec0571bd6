//! Reads the live messages of a segment in parts, and writes a part at the end of the log.
//!
//! A message that is there no more where it was is there again, with all that is known of it, once its part is durable. It
//! must not know which segment is emptied, nor when.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::appender::Appender;
use super::format::{SegmentId, locate};
use super::fs::File;
use super::message::{ACCEPTED_HEAD_BYTES, COPY_HEAD_BYTES};
use super::notes::Said;
use super::reader::{read_holder, read_record};
use super::record::{Entry, RECORD_HEAD_BYTES, SETTLED_RANGE_BYTES};
use super::rewrite::put_known;
use super::segment::Chain;
use super::stored;
use super::stored::Stored;
use crate::model::{Content, Position};

/// A segment that is being emptied.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) segment: SegmentId,
    pub(super) file: Arc<dyn File>,
    pub(super) next: u32,
    /// Where bodies that messages may share are in the segment that is being written, by where they were.
    pub(super) bodies: BTreeMap<u32, u32>,
    /// The segment that is meant.
    pub(super) into: SegmentId,
}

/// A message on its way.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) from: Position,
    pub(super) entry: Entry,
    pub(super) head: Vec<u8>,
    /// `None` if it shares that of one before it.
    pub(super) body: Option<Vec<u8>>,
    /// Where the record with its body was.
    pub(super) holder: u32,
}

/// What a part found.
pub(super) enum Part {
    Pieces(Vec<Piece>, u32),
    Unreadable,
}

impl Appender {
    /// Reads the next live messages of the segment, as many as make a part.
    pub(super) fn gather(&mut self, task: &mut Task) -> Part {
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

    /// Most bytes of the records of a part.
    pub(super) fn bytes(&self, pieces: &[Piece]) -> usize {
        pieces.iter().map(|piece| self.bytes_of(piece)).sum()
    }

    /// Most bytes of the records about a message that is copied.
    fn bytes_of(&self, piece: &Piece) -> usize {
        let body = piece.body.as_ref().map_or(0, Vec::len);
        let settled = RECORD_HEAD_BYTES + SETTLED_RANGE_BYTES;
        COPY_HEAD_BYTES + piece.head.len() + body + self.live.known_bytes(piece.from) + settled
    }

    /// Writes a part and makes it durable; then the messages are there and nowhere else.
    pub(super) fn copy(&mut self, task: &mut Task, pieces: Vec<Piece>) -> io::Result<()> {
        if pieces.is_empty() {
            return Ok(());
        }
        let (segment, first) = (self.tape.segment.id, self.tape.entries.len());
        let bytes = self.bytes(&pieces);
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
            self.carried += whole;
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
