//! What of the log still matters: live messages per segment, destinations, changes since a message was written.
//!
//! It is what a checkpoint carries. It must not do any I/O and never holds a body.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change::{Arrival, Override};
use super::checkpoint::Checkpoint;
use super::format::{SLOTS_MAX, SegmentId, locate};
use super::notes::{Notes, Said};
use super::orders::Orders;
use super::record;
use super::record::ExtentRecord;
use super::status::Statuses;
use super::stored::{Back, Stored};
use super::weight::Weight;
use crate::model::{Bound, DestinationId, DestinationName, Keyed, Place, Position, Record};
use crate::model::{Terms, Timestamp, Windows};

/// The state behind the log.
#[derive(Debug, Default)]
pub(super) struct Live {
    destinations: BTreeMap<DestinationId, DestinationName>,
    /// The highest number ever given, so that it is not given again after its destination was deleted.
    newest: Option<(DestinationId, DestinationName)>,
    /// Queues that are fed, and those that are not any more (`None`) and still hold something.
    bindings: BTreeMap<DestinationId, Option<Bound>>,
    windows: Windows,
    statuses: Statuses,
    orders: Orders,
    next_id: u64,
    /// Messages with ids below may have been handed out.
    suspected: u64,
    extents: BTreeMap<SegmentId, Extent>,
    notes: Notes,
    /// Bytes of the records of destinations and bindings.
    heads_bytes: usize,
}

/// A segment with what is known about its messages beyond their records.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) extent: Extent,
    pub(super) overrides: BTreeMap<Position, Override>,
    pub(super) terms: BTreeMap<Position, Said>,
}

/// The messages of one segment.
#[derive(Debug, Default)]
pub(super) struct Extent {
    pub(super) length: u64,
    pub(super) summary_at: u64,
    pub(super) slots: u32,
    pub(super) living: u32,
    /// Bytes of its live messages, once it is sealed.
    pub(super) weight: Weight,
    bitmap: Vec<u64>,
}

impl Extent {
    pub(super) fn is_live(&self, slot: u32) -> bool {
        self.bitmap.get(slot as usize / 64).is_some_and(|word| word & (1 << (slot % 64)) != 0)
    }

    fn push(&mut self) {
        if self.slots.is_multiple_of(64) {
            self.bitmap.push(0);
        }
        if let Some(word) = self.bitmap.last_mut() {
            *word |= 1 << (self.slots % 64);
        }
        self.slots += 1;
        self.living += 1;
    }

    fn clear(&mut self, slot: u32) {
        if self.is_live(slot)
            && let Some(word) = self.bitmap.get_mut(slot as usize / 64)
        {
            *word &= !(1 << (slot % 64));
            self.living -= 1;
        }
    }
}

impl Live {
    /// A message was written as the next slot of that segment.
    pub(super) fn accept(&mut self, segment: SegmentId) {
        self.extents.entry(segment).or_default().push();
    }

    /// Messages of that segment up to a slot were written, of which no more is known. They are there until something says
    /// otherwise.
    pub(super) fn accept_up_to(&mut self, segment: SegmentId, slot: u32) {
        let extent = self.extents.entry(segment).or_default();
        while extent.slots < slot.min(SLOTS_MAX) {
            extent.push();
        }
    }

    /// The name of a destination that is there.
    pub(super) fn name_of(&self, destination: DestinationId) -> Option<&DestinationName> {
        self.destinations.get(&destination)
    }

    /// A run of messages is gone.
    pub(super) fn settle(&mut self, first: Position, count: u32) {
        let (segment, slot) = locate(first);
        if let Some(extent) = self.extents.get_mut(&segment) {
            for slot in slot..slot.saturating_add(count).min(extent.slots) {
                extent.clear(slot);
            }
        }
        let positions = (slot..slot.saturating_add(count)).map(|slot| segment.position(first.shard(), slot));
        self.notes.forget(positions);
    }

    /// Whatever is known of a message that is still there.
    fn note(&mut self, position: Position, note: impl FnOnce(&mut Notes)) {
        if self.is_live(position) {
            note(&mut self.notes);
        }
    }

    /// What the sender of a message said about it.
    pub(super) fn agreed(&mut self, position: Position, said: Said) {
        self.note(position, |notes| notes.agreed(position, said));
    }

    pub(super) fn created(&mut self, destination: DestinationId, name: DestinationName) {
        if self.newest.as_ref().is_none_or(|(newest, _)| *newest < destination) {
            self.newest = Some((destination, name.clone()));
        }
        self.heads_bytes += created_bytes(&name);
        self.heads_bytes -= self.destinations.insert(destination, name).map_or(0, |old| created_bytes(&old));
    }

    pub(super) fn deleted(&mut self, destination: DestinationId) {
        self.heads_bytes -= self.destinations.remove(&destination).map_or(0, |old| created_bytes(&old));
        self.heads_bytes -= self.bindings.remove(&destination).map_or(0, |old| bound_bytes(old.as_ref()));
        self.windows.forget(destination);
        self.orders.forget(destination);
    }

    fn bound(&mut self, queue: DestinationId, bound: Option<Bound>) {
        self.heads_bytes += bound_bytes(bound.as_ref());
        self.heads_bytes -= self.bindings.insert(queue, bound).map_or(0, |old| bound_bytes(old.as_ref()));
    }

    pub(super) fn id_block(&mut self, next: u64) {
        self.next_id = self.next_id.max(next);
    }

    /// Any record of the engine's that is no [`Record::Accepted`].
    pub(super) fn apply(&mut self, record: &Record) {
        match record {
            Record::Accepted(_) => {}
            Record::Settled(settled) => self.settle(settled.position, 1),
            Record::Returned(returned) => self.note(returned.position, |notes| notes.returned(Back::of(returned))),
            Record::Ranked(ranked) => {
                let (place, position) = (Place { urgency: ranked.urgency, ..ranked.place }, ranked.position);
                self.note(position, |notes| notes.ranked(position, ranked.destination, place));
            }
            Record::Woken(woken) => self.note(woken.position, |notes| notes.woken(woken.position)),
            Record::Scheduled(scheduled) => {
                let schedule = scheduled.schedule.clone();
                self.note(scheduled.position, |notes| notes.scheduled(scheduled.position, schedule));
            }
            Record::Moved(moved) => self.note(moved.position, |notes| notes.moved(moved.position, Arrival::of(moved))),
            Record::Created { destination, name } => self.created(*destination, name.clone()),
            Record::Deleted { destination } => self.deleted(*destination),
            Record::Bound(bound) => self.bound(bound.queue, Some(bound.clone())),
            Record::Unbound { queue } => self.bound(*queue, None),
            Record::Keyed(keyed) => self.windows.insert(keyed.queue, keyed.key.clone(), keyed.at),
            Record::Paused(_) | Record::Limited(_) => self.orders.note(record),
            Record::IdBlock { next } => self.id_block(*next),
            Record::Suspected { below } => self.suspected = self.suspected.max(*below),
            job => self.statuses.apply(job),
        }
    }

    /// A record that was read back from that segment.
    pub(super) fn restore(&mut self, segment: SegmentId, stored: Stored<'_>) {
        match stored {
            Stored::Accepted { .. } | Stored::Copied { .. } => self.accept(segment),
            Stored::Settled(ranges) => ranges.into_iter().for_each(|(first, count)| self.settle(first, count)),
            Stored::Returned(back) => self.note(back.position, |notes| notes.returned(back)),
            Stored::Ranked { position, destination, place } => {
                self.note(position, |notes| notes.ranked(position, destination, place));
            }
            Stored::Woken(position) => self.note(position, |notes| notes.woken(position)),
            Stored::Terms { position, terms } => self.agreed(position, Said::of(&terms)),
            Stored::Planned { position, schedule } => self.note(position, |notes| notes.planned(position, schedule)),
            Stored::Scheduled { position, schedule } => {
                self.note(position, |notes| notes.scheduled(position, schedule));
            }
            Stored::Moved { position, arrival, .. } => self.note(position, |notes| notes.moved(position, arrival)),
            Stored::Created { destination, name } => self.created(destination, name),
            Stored::Deleted { destination } => self.deleted(destination),
            Stored::Bound(bound) => self.bound(bound.queue, Some(bound)),
            Stored::Unbound { queue } => self.bound(queue, None),
            Stored::Keyed(keyed) => self.windows.insert(keyed.queue, keyed.key, keyed.at),
            Stored::Job(record) => self.statuses.apply(&record),
            Stored::Ordered(record) => self.orders.note(&record),
            Stored::IdBlock { next } => self.id_block(next),
            Stored::Suspected { below } => self.suspected = self.suspected.max(below),
            Stored::Extent(extent) => self.listed(extent),
            Stored::Override { position, change } => self.notes.put_override(position, change),
            Stored::Claim { .. } | Stored::Summary(_) | Stored::Stopped | Stored::Continued { .. } => {}
        }
    }

    fn listed(&mut self, record: ExtentRecord) {
        let living = record.bitmap.iter().map(|word| word.count_ones()).sum();
        let ExtentRecord { segment, length, summary_at, slots, bitmap } = record;
        let extent = Extent { length, summary_at, slots, living, bitmap, ..Extent::default() };
        self.extents.insert(segment, extent);
    }

    /// A segment got its summary and will not grow any more.
    pub(super) fn sealed(&mut self, segment: SegmentId, length: u64, summary_at: u64) {
        let extent = self.extents.entry(segment).or_default();
        (extent.length, extent.summary_at) = (length, summary_at);
        extent.bitmap.shrink_to_fit();
    }

    /// The live messages of a segment that was sealed were counted.
    pub(super) fn weighed(&mut self, segment: SegmentId, weight: Weight) {
        if let Some(extent) = self.extents.get_mut(&segment) {
            extent.weight = weight;
        }
    }

    /// Forgets the segments before that one in which nothing lives, and says which they are.
    pub(super) fn take_dead(&mut self, before: SegmentId) -> Vec<SegmentId> {
        let is_dead = |(segment, extent): (&SegmentId, &Extent)| (extent.living == 0).then_some(*segment);
        let dead: Vec<SegmentId> = self.extents.range(..before).filter_map(is_dead).collect();
        for segment in &dead {
            self.extents.remove(segment);
        }
        dead
    }

    /// How many segments before that one hold nothing live, and their bytes.
    pub(super) fn dead(&self, before: SegmentId) -> (usize, u64) {
        let dead = self.extents.range(..before).filter(|(_, extent)| extent.living == 0);
        dead.fold((0, 0), |(count, bytes), (_, extent)| (count + 1, bytes + extent.length))
    }

    /// Whether the segment is one that a checkpoint lists.
    pub(super) fn lists(&self, segment: SegmentId) -> bool {
        self.extents.contains_key(&segment)
    }

    /// Where the summary of a segment begins, if it has one.
    pub(super) fn summary_at(&self, segment: SegmentId) -> Option<u64> {
        self.extents.get(&segment).map(|extent| extent.summary_at).filter(|at| *at > 0)
    }

    /// What is known of a segment's messages.
    pub(super) fn extent(&self, segment: SegmentId) -> Option<&Extent> {
        self.extents.get(&segment)
    }

    /// How many messages of that segment are live.
    pub(super) fn living(&self, segment: SegmentId) -> u32 {
        self.extents.get(&segment).map_or(0, |extent| extent.living)
    }

    /// Takes a segment out together with what changed about its messages.
    pub(super) fn take_extent(&mut self, segment: SegmentId) -> Taken {
        let extent = self.extents.remove(&segment).unwrap_or_default();
        let (overrides, terms) = self.notes.take(segment);
        Taken { extent, overrides, terms }
    }

    /// Takes out what is known of a message that is written anew.
    pub(super) fn take_known(&mut self, position: Position) -> (Option<Override>, Option<Said>) {
        self.notes.take_one(position)
    }

    /// Bytes of the records that say what is known of a message.
    pub(super) fn known_bytes(&self, position: Position) -> usize {
        self.notes.bytes_of(position)
    }

    /// Notes what is known of a message that was written anew.
    pub(super) fn know(&mut self, position: Position, (change, said): (Option<Override>, Option<Said>)) {
        if let Some(change) = change {
            self.notes.put_override(position, change);
        }
        if let Some(said) = said {
            self.agreed(position, said);
        }
    }

    pub(super) fn is_live(&self, position: Position) -> bool {
        let (segment, slot) = locate(position);
        self.extents.get(&segment).is_some_and(|extent| extent.is_live(slot))
    }

    pub(super) fn extents(&self) -> impl Iterator<Item = (SegmentId, &Extent)> {
        self.extents.iter().map(|(segment, extent)| (*segment, extent))
    }

    pub(super) fn override_of(&self, position: Position) -> Option<&Override> {
        self.notes.override_of(position)
    }

    pub(super) fn terms_of(&self, position: Position) -> Option<Terms> {
        self.notes.terms_of(position)
    }

    pub(super) fn messages(&self) -> u64 {
        self.extents.values().map(|extent| u64::from(extent.living)).sum()
    }

    /// Destinations and the high-water mark of ids, as an engine that starts needs them. The highest destination number
    /// is there even if it was deleted.
    pub(super) fn heads(&self) -> impl Iterator<Item = Record> {
        let gone = self.newest.as_ref().filter(|(destination, _)| !self.destinations.contains_key(destination));
        let gone = gone.into_iter().flat_map(|(destination, name)| {
            let (destination, name) = (*destination, name.clone());
            [Record::Created { destination, name }, Record::Deleted { destination }]
        });
        let created =
            |(id, name): (&DestinationId, &DestinationName)| Record::Created { destination: *id, name: name.clone() };
        let bound = |(queue, bound): (&DestinationId, &Option<Bound>)| match bound {
            Some(bound) => Record::Bound(bound.clone()),
            None => Record::Unbound { queue: *queue },
        };
        let keyed = |(queue, at, key): (DestinationId, Timestamp, &Arc<str>)| Keyed { queue, key: key.clone(), at };
        gone.chain(self.destinations.iter().map(created))
            .chain(self.bindings.iter().map(bound))
            .chain(self.windows.iter().map(keyed).map(Record::Keyed))
            .chain(self.statuses.heads())
            .chain(self.orders.records())
            .chain(std::iter::once(Record::IdBlock { next: self.next_id }))
            .chain((self.suspected > 0).then_some(Record::Suspected { below: self.suspected }))
    }

    /// All of it as records.
    pub(super) fn put_checkpoint(&self, checkpoint: &mut Checkpoint<'_, '_>) {
        for (segment, extent) in &self.extents {
            let Extent { length, summary_at, slots, ref bitmap, .. } = *extent;
            let record = ExtentRecord { segment: *segment, length, summary_at, slots, bitmap: bitmap.clone() };
            checkpoint.put(|bytes| record::put_extent(bytes, &record));
        }
        for head in self.heads() {
            checkpoint.put(|bytes| record::put_record(bytes, &head));
        }
        self.notes.put(checkpoint);
    }

    /// Bytes of what a checkpoint says beside which messages are live: all that clients can make grow without sending
    /// messages, or by what they say about them. Rather more than less.
    pub(super) fn state_bytes(&self) -> usize {
        /// The high-water marks, and the highest destination if it is gone.
        const FIXED_BYTES: usize = 2 * (record::RECORD_HEAD_BYTES + 8);
        let gone = self.newest.as_ref().map_or(0, |(_, name)| created_bytes(name) + record::RECORD_HEAD_BYTES + 8);
        let heads = self.heads_bytes + self.windows.bytes() + self.statuses.bytes() + self.orders.bytes();
        FIXED_BYTES + gone + heads + self.notes.bytes()
    }

    /// Most bytes of a checkpoint, without making one.
    pub(super) fn checkpoint_bytes(&self) -> usize {
        let extent = |extent: &Extent| record::RECORD_HEAD_BYTES + 28 + 8 * extent.slots.div_ceil(64) as usize;
        let living = self.extents.values().filter(|extent| extent.living > 0);
        self.state_bytes() + living.map(extent).sum::<usize>()
    }
}

fn created_bytes(name: &DestinationName) -> usize {
    record::RECORD_HEAD_BYTES + 8 + 2 + name.as_str().len()
}

fn bound_bytes(bound: Option<&Bound>) -> usize {
    let said = bound.map_or(0, |bound| {
        12 + bound.topics.as_str().len() + bound.selector.as_ref().map_or(0, |selector| selector.len())
    });
    record::RECORD_HEAD_BYTES + 8 + said
}
