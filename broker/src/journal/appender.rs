//! Turns what was appended into batches, and keeps the segments in order: when one is full it gets its summary, the next
//! begins with a checkpoint, and what the checkpoint no longer lists is free.
//!
//! One owner, no thread, no clock: the writer's thread drives it, and so do the tests. Any error is its end.

use std::io;
use std::sync::Arc;

use super::fanout::Fanout;
use super::format::{BATCH_HEADER_BYTES, FIRST_BATCH_AT, Link, padded};
use super::live::{Checkpoint, Live};
use super::message;
use super::reader::Shelf;
use super::record;
use super::roll::Spares;
use super::segment::{Chain, Segment, Tape, reserve_bytes};
use super::store::Store;
use crate::model::{Accepted, Position, Record, Ticket, Timestamp};

/// How many dead segments make an idle journal, or one without room, begin a new segment so that they become free.
const DEAD_WORTH_A_ROLL: usize = 2;

/// What one append brought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    pub(super) ticket: Ticket,
    pub(super) records: usize,
    /// Octets of its records.
    pub(super) bytes: usize,
    /// Messages among them.
    pub(super) accepted: u32,
    pub(super) wall: Timestamp,
}

/// What waits to be written, in order.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) records: Vec<Record>,
    pub(super) units: Vec<Unit>,
    next_record: usize,
    next_unit: usize,
}

impl Work {
    /// Forgets what has been written, keeping the memory.
    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.units.clear();
        (self.next_record, self.next_unit) = (0, 0);
    }

    fn unit(&self) -> Option<Unit> {
        self.units.get(self.next_unit).copied()
    }

    /// The records of the unit that [`unit`](Self::unit) showed, which is then over.
    fn pass(&mut self, unit: Unit) -> &[Record] {
        let first = self.next_record;
        self.next_record += unit.records;
        self.next_unit += 1;
        self.records.get(first..self.next_record).unwrap_or_default()
    }
}

/// A batch, or a chain of them, that has become durable.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) through: Ticket,
    pub(super) bytes: usize,
    pub(super) units: usize,
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
    /// Places of the messages that became durable last.
    pub(super) positions: Vec<Position>,
}

impl Appender {
    /// Writes one batch of what waits, and syncs it. `None` when nothing waits.
    pub(super) fn advance(&mut self, work: &mut Work) -> io::Result<Option<Written>> {
        self.positions.clear();
        let Some(first) = work.unit() else { return Ok(None) };
        let is_long = !self.tape.batch_takes(first.bytes);
        let need = if is_long { self.tape.chain_bytes(first.bytes) } else { batch_span(first.bytes) };
        if !self.tape.fits(need, first.accepted) {
            self.roll(need, first.accepted)?;
        }
        if is_long {
            return self.write_long(first, work.pass(first)).map(Some);
        }
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
        Ok(Some(written))
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
            Record::Accepted(accepted) => {
                let position = self.add_message(accepted, fanout);
                self.live.accept(self.tape.segment.id);
                if let Some(terms) = &accepted.terms {
                    self.tape.put(|bytes| record::put_agreed(bytes, position, terms));
                    if let Some(schedule) = &terms.schedule {
                        self.tape.put(|bytes| record::put_planned(bytes, position, schedule));
                    }
                    self.live.agreed(position, terms.clone());
                }
                self.positions.push(position);
            }
            Record::Settled(settled) => {
                self.tape.settled(settled.position);
                self.live.apply(record);
            }
            other => {
                self.tape.put(|bytes| record::put_record(bytes, other));
                self.live.apply(other);
            }
        }
    }

    /// Adds a message, with its body unless one before it in the same append has that.
    fn add_message(&mut self, accepted: &Accepted, fanout: &mut Fanout) -> Position {
        let entry = message::entry_of(accepted, 0);
        let Some(content) = &accepted.content else { return self.tape.accepted(entry, (&[], &[])) };
        if let Some(holder) = fanout.holder(content) {
            return self.tape.copied(entry, content.head(), holder);
        }
        let position = self.tape.accepted(entry, (content.head(), content.body()));
        fanout.hold(content, self.tape.last_offset());
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
        if !self.tape.quiet && self.tape.fits(0, 0) {
            self.tape.seal()?;
        }
        if self.reclaimable() >= DEAD_WORTH_A_ROLL {
            self.roll(0, 0)?;
        }
        Ok(())
    }

    /// Begins a new segment if that frees some for a log that has no room.
    pub(super) fn relieve(&mut self) -> io::Result<()> {
        if self.spares.is_full() && self.reclaimable() >= DEAD_WORTH_A_ROLL {
            self.roll(0, 0)?;
        }
        Ok(())
    }

    /// How many segments a roll would free: those without a live message, and this one if it has served its time.
    fn reclaimable(&self) -> usize {
        let current = self.tape.segment.id;
        let is_spent = self.tape.offset > self.opened_at && self.live.living(current) == 0;
        self.live.dead_besides(current) + usize::from(is_spent)
    }

    /// The last word of an orderly stop.
    pub(super) fn stop(&mut self) -> io::Result<()> {
        if !self.tape.fits(0, 0) {
            self.roll(0, 0)?;
        }
        self.tape.put(record::put_stopped);
        self.tape.flush(Link::Whole, false).map(|_| ())
    }

    /// Seals the segment and goes on in the next, which has room for that many octets and messages. The order matters:
    /// the next file exists, the old one is complete, the checkpoint is durable and known to be followed by another
    /// batch, and only then is anything given back.
    fn roll(&mut self, need: u64, slots: u32) -> io::Result<()> {
        let full = self.tape.segment.clone();
        self.live.sealed(full.id, full.length, self.tape.offset);
        let dead = self.live.take_dead();
        let checkpoint = self.live.checkpoint();
        let next = next_segment(&self.spares, &self.store, &self.tape, (checkpoint.bytes(), need, slots))?;
        self.tape.summarise()?;
        self.shelf.seal(full.id);
        self.shelf.hold(&next);
        self.tape.switch(next);
        let mut chain = Chain::new(&mut self.tape, true);
        put_checkpoint(&mut chain, &checkpoint)?;
        chain.finish()?;
        self.tape.seal()?;
        self.opened_at = self.tape.offset;
        self.shelf.forget(&dead);
        self.spares.give_back(&dead)
    }
}

/// The segment after the tape's, with room for a checkpoint of so many octets, for so many octets of batches and for the
/// summary of so many messages.
pub(super) fn next_segment(
    spares: &Spares,
    store: &Store,
    tape: &Tape,
    (checkpoint, need, slots): (usize, u64, u32),
) -> io::Result<Segment> {
    let id = tape.segment.id.next().ok_or_else(|| io::Error::other("the numbers of segments have run out"))?;
    let room = tape.chain_bytes(checkpoint)
        + batch_span(0)
        + need
        + reserve_bytes(store.options.batch_bytes, u64::from(slots));
    spares.take(id, padded((FIRST_BATCH_AT + room) as usize) as u64)
}

/// Adds a checkpoint's records.
pub(super) fn put_checkpoint(chain: &mut Chain<'_>, checkpoint: &Checkpoint) -> io::Result<()> {
    checkpoint.records().try_for_each(|record| chain.put(record.len(), |bytes| bytes.extend_from_slice(record)))
}

/// Octets of a batch with a body of so many.
pub(super) fn batch_span(body_bytes: usize) -> u64 {
    padded(BATCH_HEADER_BYTES + body_bytes + record::RECORD_HEAD_BYTES) as u64
}
