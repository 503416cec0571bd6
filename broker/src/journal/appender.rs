//! Turns what was appended into batches, and keeps the segments in order: when one is full it gets its summary, the next
//! begins with a checkpoint, and what the checkpoint no longer lists is free.
//!
//! One owner, no thread, no clock: the writer's thread drives it, and so do the tests. Any error is its end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::checkpoint::{Checkpoint, GROWTH};
use super::compaction::Compaction;
use super::fanout::Fanout;
use super::format::{BATCH_HEADER_BYTES, FIRST_BATCH_AT, Link, SegmentId, Sequence, padded};
use super::fs::is_no_space;
use super::live::Live;
use super::message;
use super::notes::Said;
use super::places::placed;
use super::reader::Shelf;
use super::record;
use super::roll::Spares;
use super::segment::{Chain, Tape, reserve_bytes};
use super::store::Store;
use super::weight::Scale;
use super::work::{Step, Unit, Work, Written};
use crate::model::{Accepted, Position, Record};
use crate::seeded::{self, Bug};

/// How many dead segments, of how many times its size, make an idle journal, or one without room, begin a new segment with a
/// checkpoint so that they become free.
const DEAD_WORTH_A_ROLL: usize = 2;

/// Octets of an opening that continues another.
const CONTINUED_BYTES: usize = record::RECORD_HEAD_BYTES + 16;

/// The segment that has the last checkpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Base {
    pub(super) segment: SegmentId,
    /// Of the first batch of that checkpoint.
    pub(super) sequence: Sequence,
    /// Bytes of batches since, in segments that have their summary.
    pub(super) written: u64,
}

/// The writing half of an open journal.
#[derive(Debug)]
pub(super) struct Appender {
    pub(super) store: Arc<Store>,
    pub(super) shelf: Arc<Shelf>,
    pub(super) spares: Arc<Spares>,
    pub(super) live: Live,
    pub(super) tape: Tape,
    /// Where the segment's own batches begin, behind its opening.
    pub(super) opened_at: u64,
    /// Bytes of the records of the segment's messages, which a start writes anew.
    pub(super) carried: usize,
    /// Bytes that the last checkpoint, or the one that was not made, took for which messages are live.
    pub(super) listed: usize,
    pub(super) base: Base,
    /// Bytes of the state, for those who append.
    pub(super) state: Arc<AtomicU64>,
    /// Places of the messages that became durable last.
    pub(super) positions: Vec<Position>,
    pub(super) compaction: Compaction,
}

impl Appender {
    /// Writes one batch of what waits, and syncs it.
    pub(super) fn advance(&mut self, work: &mut Work) -> io::Result<Step> {
        self.positions.clear();
        let Some(first) = work.unit() else { return Ok(Step::Nothing) };
        let is_long = !self.tape.batch_takes(first.bytes);
        let need = if is_long { self.tape.chain_bytes(first.bytes) } else { batch_span(first.bytes) };
        let has_room =
            self.tape.fits(need, first.accepted) && self.leaves_room_for_a_start(first.bytes, first.accepted);
        if !has_room && !self.roll(need, first.accepted, false)? || !self.is_safe(first, work.shown(first))? {
            return Ok(Step::NoRoom);
        }
        let written = if is_long { self.write_long(first, work.pass(first)) } else { self.write_short(first, work) }?;
        self.state.store(self.live.state_bytes() as u64, Ordering::Relaxed);
        self.compaction.earn(written.bytes);
        Ok(Step::Written(written))
    }

    /// As many units as a batch takes.
    fn write_short(&mut self, first: Unit, work: &mut Work) -> io::Result<Written> {
        let mut written = Written { through: first.ticket, bytes: 0, units: 0 };
        while let Some(unit) = work.unit() {
            let grown = batch_span(self.tape.body_bytes() + unit.bytes);
            let has_room = self.tape.batch_takes(unit.bytes) && self.tape.fits(grown, unit.accepted);
            if written.units > 0 && !has_room {
                break;
            }
            self.tape.clock(unit.wall);
            let mut fanout = Fanout::default();
            for record in work.pass(unit) {
                self.add(record, &mut fanout);
            }
            written = Written { through: unit.ticket, bytes: written.bytes + unit.bytes, units: written.units + 1 };
        }
        self.flush(Link::Whole)?;
        Ok(written)
    }

    /// A unit that is larger than a batch: a chain in one segment.
    fn write_long(&mut self, unit: Unit, records: &[Record]) -> io::Result<Written> {
        self.tape.clock(unit.wall);
        let (mut begun, mut fanout) = (false, Fanout::default());
        for record in records {
            if self.tape.body_bytes() > 0 && !self.tape.batch_takes(fanout.bytes(record)) {
                self.flush(if begun { Link::Middle } else { Link::First })?;
                begun = true;
            }
            self.add(record, &mut fanout);
        }
        self.flush(if begun { Link::Last } else { Link::Whole })?;
        Ok(Written { through: unit.ticket, bytes: unit.bytes, units: 1 })
    }

    fn add(&mut self, record: &Record, fanout: &mut Fanout) {
        match record {
            Record::Settled(_) if seeded::is(Bug::AckLost) => {}
            Record::Keyed(_) if seeded::is(Bug::KeysForgotten) => {}
            Record::Bound(_) if seeded::is(Bug::SubscriptionForgotten) => {}
            Record::Accepted(accepted) => {
                let position = self.add_message(accepted, fanout);
                self.live.accept(self.tape.segment.id);
                if let Some(terms) = &accepted.terms {
                    self.tape.put(|bytes| record::put_agreed(bytes, position, terms));
                    if let Some(schedule) = &terms.schedule {
                        self.tape.put(|bytes| record::put_planned(bytes, position, schedule));
                    }
                    self.live.agreed(position, Said::of(terms));
                }
                self.positions.push(position);
            }
            Record::Settled(settled) => {
                let position = self.place(settled.position);
                self.tape.settled(position);
                self.live.settle(position, 1);
            }
            other => {
                let placed = placed(other, |given| self.place(given));
                let record = placed.as_ref().unwrap_or(other);
                self.tape.put(|bytes| record::put_record(bytes, record));
                self.live.apply(record);
            }
        }
    }

    /// Where the message is now that was given that place.
    fn place(&self, given: Position) -> Position {
        let is_there = !self.compaction.has_copied() || self.live.is_live(given);
        if is_there { given } else { self.shelf.place(given) }
    }

    /// Adds a message, with its body unless one before it in the same append has that.
    fn add_message(&mut self, accepted: &Accepted, fanout: &mut Fanout) -> Position {
        let (entry, before) = (message::entry_of(accepted, 0), self.tape.body_bytes());
        let position = match &accepted.content {
            None => self.tape.accepted(entry, (&[], &[])),
            Some(content) => {
                if let Some(holder) = fanout.holder(content) {
                    self.tape.copied(entry, content.head(), holder)
                } else {
                    let position = self.tape.accepted(entry, (content.head(), content.body()));
                    fanout.hold(content, self.tape.last_offset());
                    position
                }
            }
        };
        self.carried += self.tape.body_bytes() - before;
        position
    }

    fn flush(&mut self, link: Link) -> io::Result<()> {
        let segment = self.tape.segment.id;
        let written = self.tape.flush(link, false)?;
        if !written.is_empty() {
            self.shelf.extend(segment, written.iter().map(|entry| entry.offset));
        }
        Ok(())
    }

    /// Nothing has come for a while: makes the last batch certain, and looks after the space.
    pub(super) fn idle(&mut self) -> io::Result<()> {
        self.seal()?;
        self.release()?;
        self.renew()
    }

    /// Gives back what it can to a log that has no room.
    pub(super) fn relieve(&mut self) -> io::Result<()> {
        if !self.spares.is_full() {
            return Ok(());
        }
        if self.live.dead(self.base.segment).0 > 0 {
            self.seal()?;
            self.release()?;
        }
        if self.spares.is_full() {
            self.renew()?;
        }
        if self.spares.is_full() {
            self.keep_room();
            self.spares.look();
        }
        Ok(())
    }

    /// Makes the last batch certain: another one follows it.
    pub(super) fn seal(&mut self) -> io::Result<()> {
        if !self.tape.quiet && self.tape.fits(0, 0) { self.tape.seal() } else { Ok(()) }
    }

    /// Gives back the segments in which nothing lives, if it is certain. What has been written since the checkpoint is
    /// needed as a whole.
    pub(super) fn release(&mut self) -> io::Result<()> {
        if !self.tape.quiet {
            return Ok(());
        }
        let dead = self.live.take_dead(self.base.segment);
        self.free(&dead)
    }

    /// Begins a new segment with a checkpoint if that frees more than it takes.
    fn renew(&mut self) -> io::Result<()> {
        let current = self.tape.segment.id;
        let (mut count, mut bytes) = self.live.dead(current);
        if self.tape.offset > self.opened_at && self.live.living(current) == 0 {
            (count, bytes) = (count + 1, bytes + self.tape.segment.length);
        }
        let length = self.length_for(self.live.checkpoint_bytes(), 0, 0);
        if count < DEAD_WORTH_A_ROLL
            || bytes < length * DEAD_WORTH_A_ROLL as u64
            || !self.spares.has_room_for(length, bytes)?
            || !self.spares.can_take(length)?
        {
            return Ok(());
        }
        self.roll(0, 0, true).map(|_| ())
    }

    fn free(&self, dead: &[SegmentId]) -> io::Result<()> {
        if dead.is_empty() {
            return Ok(());
        }
        self.shelf.forget(dead);
        self.spares.give_back(dead)
    }

    /// The last word of an orderly stop. Without room for it the stop is not an orderly one.
    pub(super) fn stop(&mut self) -> io::Result<()> {
        if !self.tape.fits(0, 0) && !self.roll(0, 0, false)? {
            tracing::warn!("the log has no room for its last word: the next start takes this stop for a crash");
            return Ok(());
        }
        self.tape.put(record::put_stopped);
        self.tape.flush(Link::Whole, false).map(|_| ())
    }

    /// Seals the segment and goes on in the next, which has room for that many octets and messages, with a checkpoint if
    /// one is due or `wanted`. The order matters: the next file exists, the old one is complete, the opening is durable and
    /// known to be followed by another batch, and only then is anything given back. `false` if there is no room for the next
    /// file: then nothing has changed.
    pub(super) fn roll(&mut self, need: u64, slots: u32, wanted: bool) -> io::Result<bool> {
        let full = self.tape.segment.clone();
        let id = full.id.next().ok_or_else(|| io::Error::other("the numbers of segments have run out"))?;
        let written = self.base.written + self.tape.offset - self.opened_at;
        // What it holds is known from here on, whether there is a next one already or not.
        self.live.sealed(full.id, full.length, self.tape.offset);
        self.weigh(full.id);
        self.compaction.look_again();
        self.spares.look_before_the_last();
        let most = self.live.checkpoint_bytes();
        let length = self.length_for(most, need, slots);
        // On a full disk each roll gives back what it can: what only finished work needs no more room than that.
        let given_back = self.live.dead(id).1;
        let wanted = wanted || seeded::is(Bug::CheckpointsAlways);
        let is_due = wanted || written >= GROWTH * most as u64 || self.spares.is_full() && given_back > 0;
        // Where there is no room for a checkpoint the log goes on without.
        let begins_anew = is_due && self.spares.has_room_for(length, given_back)?;
        let length = if begins_anew { length } else { self.length_for(CONTINUED_BYTES, need, slots) };
        let start = self.opening_of(need as usize, slots.into());
        let segment = self.store.options.segment_bytes;
        // What gives back as much as it takes may have the last spare: a start finds the file that was taken, or the other.
        let gives_back = begins_anew && given_back >= segment && start <= segment;
        if self.spares.is_full()
            && !gives_back
            && !self.spares.has(length.saturating_add(self.spares.for_starts(start)))?
        {
            return Ok(false);
        }
        // What is longer than a spare has been weighed in bytes.
        let is_weighed = gives_back || self.spares.is_full() && length > segment;
        let kept = if is_weighed { 0 } else { self.spares.kept() };
        let next = match self.spares.take(id, length, kept) {
            Err(error) if is_no_space(&error) => return Ok(false),
            taken => taken?,
        };
        let dead = self.live.take_dead(if begins_anew { id } else { self.base.segment });
        if seeded::is(Bug::SegmentGivenBackEarly) {
            self.free(&dead)?;
        }
        self.base.written = written;
        self.tape.summarise()?;
        self.shelf.seal(full.id);
        self.shelf.hold(&next);
        self.tape.switch(next);
        let sequence = self.tape.thread.sequence;
        let mut chain = Chain::new(&mut self.tape, true);
        if begins_anew {
            tracing::debug!(segment = id.file_name(), "a checkpoint begins");
            put_checkpoint(&mut chain, &self.live, most)?;
        } else {
            let Base { segment, sequence, .. } = self.base;
            chain.put(CONTINUED_BYTES, |bytes| record::put_continued(bytes, segment, sequence))?;
        }
        chain.finish()?;
        self.tape.seal()?;
        (self.opened_at, self.carried) = (self.tape.offset, 0);
        if begins_anew {
            self.base = Base { segment: id, sequence, written: 0 };
        }
        self.keep_room();
        if !seeded::is(Bug::SegmentGivenBackEarly) {
            self.free(&dead)?;
        }
        // At once, and not when the next spare is made: until then more and more would be taken that there is no room for.
        self.spares.secure()?;
        Ok(true)
    }

    /// Counts the bytes of the live messages of the segment that is being written.
    fn weigh(&mut self, segment: SegmentId) {
        let Some(extent) = self.live.extent(segment) else { return };
        let mut scale = Scale::default();
        for (slot, entry) in (0..).zip(&self.tape.entries) {
            scale.put(entry, extent.is_live(slot));
        }
        self.live.weighed(segment, scale.weight(self.tape.offset));
    }

    /// Bytes of a segment with an opening of so many, batches of so many and the summary of so many messages.
    pub(super) fn length_for(&self, opening: usize, need: u64, slots: u32) -> u64 {
        let room = self.tape.chain_bytes(opening)
            + batch_span(0)
            + need
            + reserve_bytes(self.store.options.batch_bytes, u64::from(slots));
        (padded((FIRST_BATCH_AT + room) as usize) as u64).max(self.store.options.segment_bytes)
    }
}

/// Adds the records of a checkpoint of at most so many bytes.
pub(super) fn put_checkpoint(chain: &mut Chain<'_>, live: &Live, most: usize) -> io::Result<()> {
    let mut checkpoint = Checkpoint::new(chain);
    live.put_checkpoint(&mut checkpoint);
    checkpoint.finish(most)
}

/// Octets of a batch with a body of so many.
pub(super) fn batch_span(body_bytes: usize) -> u64 {
    padded(BATCH_HEADER_BYTES + body_bytes + record::RECORD_HEAD_BYTES) as u64
}
