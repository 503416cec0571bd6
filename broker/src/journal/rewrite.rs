//! Writes the opening of a run: the state, the messages of the segment that was being written, at new places, and the claim
//! that makes it count.
//!
//! It holds no bodies but the one it copies, and touches nothing old.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::OpenError;
use super::appender::{Appender, Base, batch_span, put_checkpoint};
use super::change::Override;
use super::compaction::Compaction;
use super::format::{FIRST_BATCH_AT, Key, SEGMENT_BYTES_MAX, SegmentId, padded};
use super::live::{Extent, Taken};
use super::message;
use super::notes::Said;
use super::reader::{Shelf, read_holder, read_record};
use super::record;
use super::record::Entry;
use super::recovery::{Tail, tell};
use super::roll::Spares;
use super::segment::{Chain, Segment, Tape, chain_bytes, reserve_bytes};
use super::store::Store;
use super::stored;
use super::stored::Elsewhere;
use crate::model::{Position, Replay, Terms};
use crate::seeded::{self, Bug};

/// Most octets of a claim.
pub(super) const CLAIM_BYTES_MAX: usize = 64;

/// Writes the opening into a segment after the newest of all: in the file of an opening that was never completed, if that is
/// large enough, which is then no longer `void`.
pub(super) fn rewrite(
    store: Arc<Store>,
    shelf: Arc<Shelf>,
    spares: Arc<Spares>,
    (mut tail, newest, void): (Tail, SegmentId, &mut Option<SegmentId>),
    replay: &mut dyn Replay,
) -> Result<Appender, OpenError> {
    let io = |error| OpenError::io("the new segment", error);
    let old = tail.segment.take();
    let Taken { extent, mut overrides, mut terms } =
        tail.live.take_extent(old.as_ref().map(|s| s.id).unwrap_or_default());
    drop(tail.live.take_dead(SegmentId(u64::MAX)));
    let most = tail.live.checkpoint_bytes();
    let mut bodies = Bodies::of(&tail, &extent);
    let batch_bytes = store.options.batch_bytes;
    let changes = overrides.values().map(Override::bytes).chain(terms.values().map(Said::bytes)).sum::<usize>();
    let bytes = most + bodies.bytes + changes;
    let opening = chain_bytes(batch_bytes, bytes + CLAIM_BYTES_MAX) + batch_span(0);
    let length = FIRST_BATCH_AT + opening + reserve_bytes(batch_bytes, extent.living.into());
    let id = newest.next().ok_or_else(|| io(io::Error::other("the numbers of segments have run out")))?;
    let length = padded(length as usize) as u64;
    if length > SEGMENT_BYTES_MAX {
        return Err(io(io::Error::other("the state is larger than a segment may be")));
    }
    let segment = segment_of(&spares, void, (id, length)).map_err(io)?;
    shelf.hold(&segment);

    let mut tape = Tape::new(store.meta.key, store.meta.shard, batch_bytes, segment, tail.thread);
    let mut live = tail.live;
    let mut chain = Chain::new(&mut tape, true);
    let base = Base { segment: id, sequence: chain.tape.thread.sequence, written: 0 };
    put_checkpoint(&mut chain, &live, most).map_err(io)?;
    for (slot, entry) in (0..).zip(&tail.entries) {
        let is_cut = seeded::is(Bug::TailCutShort) && slot as usize + 1 == tail.entries.len();
        let Some(old) = old.as_ref().filter(|_| extent.is_live(slot) && !is_cut) else { continue };
        let old_position = old.id.position(store.meta.shard, slot);
        let (change, said) = (overrides.remove(&old_position), terms.remove(&old_position));
        let mut entry = *entry;
        let at = entry.offset;
        if let Some(change) = &change {
            (entry.destination, entry.place) = (change.destination, change.place);
        }
        let position = bodies.carry(&store, &mut chain, old, (at, entry))?;
        live.accept(id);
        let terms = said.as_ref().map(Said::terms);
        put_known(&mut chain, position, (change.as_ref(), terms.as_ref())).map_err(io)?;
        tell(replay, &entry, position, (change.as_ref(), terms));
        live.know(position, (change, said));
    }
    chain.put(CLAIM_BYTES_MAX, |bytes| record::put_claim(bytes, tail.thread.epoch)).map_err(io)?;
    chain.finish().map_err(io)?;
    tape.seal().map_err(io)?;
    shelf.extend(id, tape.entries.iter().map(|entry| entry.offset));
    let (opened_at, carried) = (tape.offset, bodies.bytes);
    let state = Arc::new(AtomicU64::new(live.state_bytes() as u64));
    let positions = Vec::new();
    let (listed, compaction) = (0, Compaction::new(&store.options));
    Ok(Appender { store, shelf, spares, live, tape, opened_at, carried, listed, base, state, positions, compaction })
}

/// Writes what is known of a message, in the order of a checkpoint: what changed would change terms that came before it.
pub(super) fn put_known(
    chain: &mut Chain<'_>,
    position: Position,
    (change, terms): (Option<&Override>, Option<&Terms>),
) -> io::Result<()> {
    if let Some(change) = change {
        put_change(chain, position, change)?;
    }
    terms.map_or(Ok(()), |terms| put_terms(chain, position, terms))
}

/// A segment of that length at least. The file of an opening that was never completed is taken before a spare: there may be
/// no other, after starts that were killed on a full disk.
fn segment_of(spares: &Spares, void: &mut Option<SegmentId>, (id, length): (SegmentId, u64)) -> io::Result<Segment> {
    if let Some(unfinished) = *void
        && let Some(segment) = spares.take_over(unfinished, id, length)?
    {
        *void = None;
        return Ok(segment);
    }
    spares.take(id, length, 0)
}

fn put_terms(chain: &mut Chain<'_>, position: Position, terms: &Terms) -> io::Result<()> {
    chain.put(record::terms_bytes(terms), |bytes| record::put_agreed(bytes, position, terms))?;
    match &terms.schedule {
        Some(schedule) => {
            let bytes = record::scheduled_bytes(schedule);
            chain.put(bytes, |bytes| record::put_planned(bytes, position, schedule))
        }
        None => Ok(()),
    }
}

fn put_change(chain: &mut Chain<'_>, position: Position, change: &Override) -> io::Result<()> {
    if change.out {
        chain.put(change.bytes(), |bytes| record::put_override(bytes, position, change))?;
    }
    match change.instead(position).or_else(|| change.waits(position)) {
        Some(record) => chain.put(change.bytes(), |bytes| record::put_record(bytes, &record)),
        None => Ok(()),
    }
}

/// The bodies that live messages share, before and after. Where the message that held one is gone, the first that refers to
/// it becomes the holder.
#[derive(Debug)]
struct Bodies {
    copies: BTreeMap<u32, Elsewhere>,
    /// By where the record of a holder began: where its body is now, once it is written.
    holders: BTreeMap<u32, Option<u32>>,
    /// Most octets of the records of all live messages.
    bytes: usize,
}

impl Bodies {
    fn of(tail: &Tail, extent: &Extent) -> Bodies {
        let living = || (0..).zip(&tail.entries).filter(|(slot, _)| extent.is_live(*slot));
        let by_offset = |(slot, entry): (u32, &Entry)| Some((entry.offset, *tail.copies.get(&slot)?));
        let copies: BTreeMap<u32, Elsewhere> = living().filter_map(by_offset).collect();
        let mut held: BTreeSet<u32> = BTreeSet::new();
        let mut bytes = 0;
        for (_, entry) in living() {
            let size = entry.size as usize;
            bytes += match copies.get(&entry.offset) {
                Some(body) if !held.insert(body.holder) => message::COPY_HEAD_BYTES + size - body.bytes as usize,
                Some(_) => message::ACCEPTED_HEAD_BYTES + size,
                None => {
                    held.insert(entry.offset);
                    message::ACCEPTED_HEAD_BYTES + size
                }
            };
        }
        let holders = copies.values().map(|body| (body.holder, None)).collect();
        Bodies { copies, holders, bytes }
    }

    /// Copies the message whose record began at `at`; it is found in its queue of now.
    fn carry(
        &mut self,
        store: &Store,
        chain: &mut Chain<'_>,
        old: &Segment,
        (at, entry): (u32, Entry),
    ) -> Result<Position, OpenError> {
        let (key, most, file) = (store.meta.key, store.options.unit_bytes, old.file.as_ref());
        let io = |error| OpenError::io(old.id.file_name(), error);
        let damaged = |at: u32| OpenError::damaged(old.id.file_name(), at.into(), "a stored message is damaged");
        let record = read_record(file, at.into(), most).map_err(io)?.unwrap_or_default();
        let parts = check(key, old.id, at, &record).ok_or_else(|| damaged(at))?;
        let body = self.copies.get(&at).copied();
        let holder = body.map_or(at, |body| body.holder);
        let room = |chain: &mut Chain<'_>, bytes| {
            chain.make_room(bytes).map_err(|error| OpenError::io("the new segment", error))
        };
        if let (Some(_), Some(Some(now))) = (body, self.holders.get(&holder)) {
            room(chain, record.len())?;
            return Ok(chain.tape.copied(entry, parts.head, *now));
        }
        let position = match parts.body {
            Ok(body) => {
                room(chain, record.len())?;
                chain.tape.accepted(entry, (parts.head, body))
            }
            Err(Elsewhere { holder, bytes }) => {
                let held = read_holder((file, key, old.id), (holder, bytes), most).map_err(io)?;
                let held = held.ok_or_else(|| damaged(holder))?;
                let body = held.get(held.len() - bytes as usize..).unwrap_or_default();
                room(chain, message::ACCEPTED_HEAD_BYTES + parts.head.len() + body.len())?;
                chain.tape.accepted(entry, (parts.head, body))
            }
        };
        if let Some(now) = self.holders.get_mut(&holder) {
            *now = Some(chain.tape.last_offset());
        }
        Ok(position)
    }
}

fn check(key: Key, segment: SegmentId, at: u32, record: &[u8]) -> Option<stored::Parts<'_>> {
    stored::check_message(key, segment, at.into(), record)
}
