//! What happens between taking the lock and the first append: find the newest checkpoint, walk what follows it, tell a
//! torn tail from damage, write the tail anew under a new epoch, and only then remove what is no longer needed.
//!
//! Killed at any point, the next run reaches the same state: the new segment is void until the claim that closes its
//! opening is durable, and nothing old is touched before. It holds no bodies but the one it copies.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::OpenError;
use super::Recovered;
use super::appender::Appender;
use super::certain::make_certain;
use super::change::Override;
use super::format::{DIRECTORY_VERSION, SegmentId, Sequence};
use super::live::Live;
use super::meta::Meta;
use super::reader::Shelf;
use super::record::Entry;
use super::rewrite::rewrite;
use super::roll::{SPARE_PREFIX, Spares};
use super::segment::{Segment, Thread};
use super::store::Store;
use super::stored;
use super::stored::{Elsewhere, Stored};
use super::summary::read_summary;
use super::torn;
use super::walk::{Last, Void, Walk, is_taken_over, open_segment};
use super::weight::{Scale, Weight};
use crate::model::{Accepted, Position, Record, Replay, Returned, Terms, Timestamp};

/// The log as it was found.
#[derive(Debug, Default)]
pub(super) struct Tail {
    pub(super) live: Live,
    pub(super) thread: Thread,
    /// The segment that was being written, and its messages.
    pub(super) segment: Option<Segment>,
    pub(super) entries: Vec<Entry>,
    /// Those of them, by their slots, whose body is in another's record.
    pub(super) copies: BTreeMap<u32, Elsewhere>,
    pub(super) clean: bool,
    /// A batch follows the opening, which was durable before that was written: what it does not list is not needed.
    pub(super) is_certain: bool,
    /// The segment that has the checkpoint, and the sequence it begins with, if it is not this one.
    base: Option<(SegmentId, Sequence)>,
    /// Where the walk ended.
    pub(super) end: u64,
}

/// Opens the journal of a directory that is locked and known.
pub(super) fn recover(
    store: Store,
    replay: &mut dyn Replay,
    now: Timestamp,
) -> Result<(Appender, Recovered), OpenError> {
    let store = Arc::new(store);
    let names = store.fs.list().map_err(|error| OpenError::io("the data directory", error))?;
    let mut segments: Vec<SegmentId> = names.iter().filter_map(|name| SegmentId::from_file_name(name)).collect();
    segments.sort_unstable();
    let mut spare_names: Vec<String> = names.into_iter().filter(|name| name.starts_with(SPARE_PREFIX)).collect();
    spare_names.sort_unstable();

    let mut tail = read_tail(&store, &segments)?;
    if let Some(segment) = &tail.segment {
        torn::keep(&store, segment, tail.end);
    }
    let shelf = Arc::new(Shelf::new(store.clone()));
    for head in tail.live.heads() {
        replay.record(head, None);
    }
    for (id, weight) in replay_sealed(&store, &tail, &shelf, replay)? {
        tail.live.weighed(id, weight);
    }

    let spares = Arc::new(Spares::new(store.clone()));
    let io = |error| OpenError::io("the new segment", error);
    spares.inherit(&spare_names, &segments).map_err(io)?;
    make_certain(&store, &mut tail).map_err(io)?;
    let (gone, mut void) = reclaim(&tail, &segments, &spares).map_err(io)?;
    segments.retain(|id| !gone.contains(id));
    tail.thread.epoch.0 += 1;
    let clock = tail.thread.clock;
    tail.thread.clock = clock.or_machine(now);
    let newest = segments.last().copied().unwrap_or_default();
    let clean = tail.clean;
    let save = |meta: Meta| meta.save(store.fs.as_ref()).map_err(|error| OpenError::io("store.meta", error));
    if store.meta.version < DIRECTORY_VERSION {
        // Before there is anything in the directory that a program of that version does not know.
        save(store.meta)?;
    }
    let unfinished = void;
    let mut appender = rewrite(store.clone(), shelf, spares, (tail, newest, &mut void), replay)?;
    if void.is_none() {
        segments.retain(|id| Some(*id) != unfinished);
    }
    if !store.meta.begun {
        save(Meta { begun: true, ..store.meta })?;
    }
    let leftover = |id: &SegmentId| appender.live.extents().all(|(live, _)| live != *id);
    let leftovers: Vec<SegmentId> = segments.into_iter().filter(leftover).collect();
    appender.spares.give_back(&leftovers).map_err(|error| OpenError::io("a segment no longer needed", error))?;
    appender.keep_room();
    appender.spares.secure().map_err(|error| OpenError::io("a spare segment", error))?;
    let recovered = Recovered { messages: appender.live.messages(), clean, epoch: appender.tape.thread.epoch, clock };
    Ok((appender, recovered))
}

/// Takes back what is certainly not needed before anything is written: there may be no other room. Void segments are removed
/// from the highest on, since one may count on those below it. The first one stays: behind a sealed segment as a sign that
/// the log goes on there, and in any case since its file may be all the room that there is; it is given, too. What the
/// checkpoint does not list becomes a spare.
fn reclaim(
    tail: &Tail,
    segments: &[SegmentId],
    spares: &Spares,
) -> std::io::Result<(Vec<SegmentId>, Option<SegmentId>)> {
    let newest = tail.segment.as_ref().map(|segment| segment.id);
    let mut voids = segments.iter().copied().filter(|id| Some(*id) > newest);
    let first = voids.next();
    let mut gone: Vec<SegmentId> = voids.collect();
    gone.reverse();
    spares.remove(&gone)?;
    let is_old = |id: &SegmentId| tail.is_certain && Some(*id) < newest && !tail.live.lists(*id);
    let old: Vec<SegmentId> = segments.iter().copied().filter(is_old).collect();
    spares.give_back(&old)?;
    gone.extend(old);
    Ok((gone, first))
}

/// Finds the newest complete opening and walks on from it.
pub(super) fn read_tail(store: &Store, segments: &[SegmentId]) -> Result<Tail, OpenError> {
    let mut voids = Vec::new();
    for (index, id) in segments.iter().enumerate().rev() {
        if is_taken_over(store.fs.as_ref(), &store.meta, *id)? {
            continue;
        }
        let segment = open_segment(store.fs.as_ref(), &store.meta, *id)?;
        let mut walk = Walk::new(&store.meta, segment);
        let mut opening = Tail::default();
        if opening.read_opening(&mut walk)? {
            let tail = match opening.base {
                Some(base) => read_since(store, base, *id)?,
                None => walk_on(walk, opening)?,
            };
            check_successors(&tail, *id, &voids, index + 1 < segments.len())?;
            return Ok(tail);
        }
        walk.expect_end()?;
        voids.extend(walk.void());
    }
    if store.meta.begun {
        return Err(OpenError::damaged("the data directory", 0, "no segment of the log is left"));
    }
    Ok(Tail { thread: Thread { sequence: Sequence(1), ..Thread::default() }, clean: true, ..Tail::default() })
}

/// The log from its last checkpoint on, where the newest segment does not begin with one: every segment between them must
/// be there, whole, and continue the one before.
fn read_since(store: &Store, (base, sequence): (SegmentId, Sequence), newest: SegmentId) -> Result<Tail, OpenError> {
    let (mut tail, mut id, mut last) = (Tail::default(), base, None);
    loop {
        let segment = open_segment(store.fs.as_ref(), &store.meta, id)?;
        let mut walk = Walk::after(&store.meta, segment, last);
        tail.begin();
        let is_whole = tail.read_opening(&mut walk)?;
        let is_right = if id == base { tail.base.is_none() } else { tail.base == Some((base, sequence)) };
        let begins = walk.first_sequence();
        if !is_whole || !is_right || id == base && begins != Some(sequence) {
            return Err(OpenError::damaged(id.file_name(), walk.offset, "the segment does not continue the log"));
        }
        let (read, end) = walk_on_to(walk, tail)?;
        (tail, last) = (read, end);
        if id == newest {
            return Ok(tail);
        }
        if !tail.is_sealed(id) {
            return Err(OpenError::damaged(id.file_name(), tail.end, "the segment is not complete"));
        }
        id = id
            .next()
            .filter(|id| *id <= newest)
            .ok_or_else(|| OpenError::damaged(newest.file_name(), 0, "the segment continues a later one"))?;
    }
}

/// Everything behind the opening.
fn walk_on(walk: Walk<'_>, tail: Tail) -> Result<Tail, OpenError> {
    walk_on_to(walk, tail).map(|(tail, _)| tail)
}

/// The same, with what the next batch has to follow. A chain that is not closed counts for nothing.
fn walk_on_to(mut walk: Walk<'_>, mut tail: Tail) -> Result<(Tail, Option<Last>), OpenError> {
    let segment = walk.segment.clone();
    let mut chain_at = None;
    let mut end = walk.thread().unwrap_or_default();
    loop {
        let at = walk.offset;
        let Some((header, body)) = walk.next()? else { break };
        if header.is_opening() || header.link().begins() != chain_at.is_none() {
            return Err(OpenError::damaged(segment.id.file_name(), at, "a batch is not where its chain says"));
        }
        match (header.link().closes(), chain_at) {
            (true, None) => tail.apply(&segment, at, body)?,
            (true, Some(first)) => {
                tail.apply_chain(Walk::at(walk.meta, segment.clone(), first))?;
                chain_at = None;
            }
            (false, _) => chain_at = chain_at.or(Some(at)),
        }
        tail.is_certain = true;
        end = walk.thread().unwrap_or_default();
    }
    walk.expect_end()?;
    tail.end = walk.offset;
    tail.thread = end;
    let last = walk.last();
    tail.segment = Some(walk.segment);
    Ok((tail, last))
}

/// What lies behind a segment that was found to be the newest must fit: nothing but openings that were never completed,
/// and at least the file of the next one if this one is sealed. `voids` begins with the highest.
///
/// A void opening counts on what its first batch says was durable: the tail it continues, or a void opening below it that
/// was complete when it was written and lost its last batch in a later power cut.
fn check_successors(tail: &Tail, id: SegmentId, voids: &[Void], has_later: bool) -> Result<(), OpenError> {
    let is_sealed = tail.is_sealed(id);
    let damaged = |what| Err(OpenError::damaged(id.file_name(), tail.end, what));
    if is_sealed && !has_later {
        return damaged("the segment that follows is missing");
    }
    let mut reached = tail.thread.sequence;
    for void in voids.iter().rev() {
        if void.epoch == tail.thread.epoch && !is_sealed {
            return damaged("the log goes on in a later segment");
        }
        if void.watermark >= reached {
            return damaged("batches known to be durable are missing");
        }
        reached = if crate::seeded::is(crate::seeded::Bug::VoidsDoNotCount) { reached } else { reached.max(void.next) };
    }
    Ok(())
}

impl Tail {
    /// Goes on with another segment.
    fn begin(&mut self) {
        self.base = None;
        self.entries.clear();
        self.copies.clear();
    }

    /// Takes in the opening; `false` if it is not complete.
    fn read_opening(&mut self, walk: &mut Walk<'_>) -> Result<bool, OpenError> {
        let mut first = true;
        loop {
            let (at, segment) = (walk.offset, walk.segment.clone());
            let Some((header, body)) = walk.next()? else { return Ok(false) };
            if !header.is_opening() || header.link().begins() != first {
                let what = "the segment does not begin with a checkpoint";
                return Err(OpenError::damaged(segment.id.file_name(), at, what));
            }
            first = false;
            self.apply(&segment, at, body)?;
            if header.link().closes() {
                return Ok(true);
            }
        }
    }

    fn is_sealed(&self, id: SegmentId) -> bool {
        self.live.summary_at(id).is_some()
    }

    /// A chain that is known to be closed, batch by batch, so that no more than one is in memory.
    fn apply_chain(&mut self, mut walk: Walk<'_>) -> Result<(), OpenError> {
        let segment = walk.segment.clone();
        loop {
            let at = walk.offset;
            let Some((header, body)) = walk.next()? else { return Err(walk.damaged("a batch has changed")) };
            self.apply(&segment, at, body)?;
            if header.link().closes() {
                return Ok(());
            }
        }
    }

    fn apply(&mut self, segment: &Segment, batch_at: u64, mut body: &[u8]) -> Result<(), OpenError> {
        let whole = body.len();
        while !body.is_empty() {
            let offset = batch_at + (super::format::BATCH_HEADER_BYTES + whole - body.len()) as u64;
            let Some(stored) = stored::take(&mut body, offset) else {
                return Err(OpenError::damaged(segment.id.file_name(), offset, "a record of a kind that is not known"));
            };
            self.clean = matches!(stored, Stored::Stopped);
            match &stored {
                Stored::Accepted { entry, .. } => self.entries.push(*entry),
                Stored::Copied { entry, body, .. } => {
                    self.copies.insert(self.entries.len() as u32, *body);
                    self.entries.push(*entry);
                }
                // It may take several batches, of which the first counts.
                Stored::Summary(_) if !self.is_sealed(segment.id) => {
                    self.live.sealed(segment.id, segment.length, batch_at);
                }
                Stored::Continued { base, sequence } => self.base = Some((*base, *sequence)),
                _ => {}
            }
            self.live.restore(segment.id, stored);
        }
        Ok(())
    }
}

/// Gives the messages of the sealed segments to the reader and to the engine, and weighs them.
pub(super) fn replay_sealed(
    store: &Store,
    tail: &Tail,
    shelf: &Shelf,
    replay: &mut dyn Replay,
) -> Result<Vec<(SegmentId, Weight)>, OpenError> {
    let newest = tail.segment.as_ref().map(|segment| segment.id);
    let mut weights = Vec::new();
    for (id, extent) in tail.live.extents().filter(|(id, extent)| Some(*id) != newest && extent.living > 0) {
        let segment = open_segment(store.fs.as_ref(), &store.meta, id)?;
        if segment.length != extent.length {
            return Err(OpenError::damaged(id.file_name(), 0, "the segment's length is not the one it was made with"));
        }
        let mut scale = Scale::default();
        read_summary(&store.meta, segment, (extent.summary_at, extent.slots), |first, entries| {
            // First of all: what is told may be read at once.
            shelf.extend(id, entries.iter().map(|entry| entry.offset));
            for (slot, entry) in (first..).zip(entries) {
                let is_live = extent.is_live(slot);
                scale.put(entry, is_live);
                if is_live {
                    let position = id.position(store.meta.shard, slot);
                    let known = (tail.live.override_of(position), tail.live.terms_of(position));
                    tell(replay, entry, position, known);
                }
            }
        })?;
        weights.push((id, scale.weight(extent.summary_at)));
        shelf.seal(id);
    }
    Ok(weights)
}

/// Tells the engine of one message: where it is now, and what happened to it.
pub(super) fn tell(
    replay: &mut dyn Replay,
    entry: &Entry,
    position: Position,
    (change, terms): (Option<&Override>, Option<Terms>),
) {
    let (destination, place) = change.map_or((entry.destination, entry.place), |c| (c.destination, c.place));
    let (message, size) = (entry.message, entry.size);
    let terms = terms.map(Box::new);
    let accepted = Accepted { destination, message, place, size, content: None, terms };
    replay.record(Record::Accepted(accepted), Some(position));
    let Some(change) = change else { return };
    if change.note.is_some() || !change.out {
        replay.record(Record::Moved(change.moved((message, position), size)), None);
    }
    if !change.out {
        return;
    }
    // Told also where nothing was counted: that it was out is what `redelivered` goes by.
    let Override { attempts, nacks, standing, .. } = *change;
    let returned = Returned { destination, message, place, position, attempts, nacks, standing };
    replay.record(Record::Returned(returned), None);
}
