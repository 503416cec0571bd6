//! What of the log still matters: live messages per segment, destinations, changes since a message was written.
//!
//! It is what a checkpoint carries. It must not do any I/O and never holds a body.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change::{Arrival, Override};
use super::format::{SegmentId, locate};
use super::orders::Orders;
use super::record;
use super::record::ExtentRecord;
use super::status::Statuses;
use super::stored::{Back, Stored};
use crate::model::{Bound, DestinationId, DestinationName, Keyed, Place, Position, Record};
use crate::model::{Schedule, Standing, Terms, Timestamp, Windows};

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
    overrides: BTreeMap<Position, Override>,
    /// What senders said about their messages.
    terms: BTreeMap<Position, Box<Terms>>,
}

/// A segment with what is known about its messages beyond their records.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) extent: Extent,
    pub(super) overrides: BTreeMap<Position, Override>,
    pub(super) terms: BTreeMap<Position, Box<Terms>>,
}

/// The messages of one segment.
#[derive(Debug, Default)]
pub(super) struct Extent {
    pub(super) length: u64,
    pub(super) summary_at: u64,
    pub(super) slots: u32,
    pub(super) living: u32,
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

    /// A run of messages is gone.
    pub(super) fn settle(&mut self, first: Position, count: u32) {
        let (segment, slot) = locate(first);
        if let Some(extent) = self.extents.get_mut(&segment) {
            for slot in slot..slot.saturating_add(count).min(extent.slots) {
                extent.clear(slot);
            }
        }
        if !self.overrides.is_empty() || !self.terms.is_empty() {
            for slot in slot..slot.saturating_add(count) {
                let position = segment.position(first.shard(), slot);
                self.overrides.remove(&position);
                self.terms.remove(&position);
            }
        }
    }

    /// A delivery of a message ended without success.
    pub(super) fn returned(&mut self, back: Back) {
        let Back { position, attempts, nacks, standing, .. } = back;
        if !self.is_live(position) {
            return;
        }
        let change = self.overrides.entry(position).or_insert_with(|| Override::of_return(back));
        (change.attempts, change.nacks, change.standing, change.out) = (attempts, nacks, standing, true);
        self.forget_due(position);
    }

    /// A message has another place.
    fn ranked(&mut self, position: Position, destination: DestinationId, place: Place) {
        if self.is_live(position) {
            let fresh = || Override::of_rank(destination, place);
            self.overrides.entry(position).or_insert_with(fresh).place = place;
        }
    }

    /// A message that waited is ready.
    pub(super) fn woken(&mut self, position: Position) {
        if let Some(change) = self.overrides.get_mut(&position) {
            change.standing = Standing::Ready;
        }
        self.forget_due(position);
    }

    /// What the sender of a message said about it.
    pub(super) fn agreed(&mut self, position: Position, terms: Box<Terms>) {
        if self.is_live(position) {
            self.terms.insert(position, terms);
        }
    }

    /// A message is a schedule.
    fn planned(&mut self, position: Position, schedule: Box<Schedule>) {
        if self.is_live(position) {
            self.terms.entry(position).or_default().schedule = Some(schedule);
        }
    }

    /// A schedule has a new plan. Whatever it had to wait for beyond that is over.
    fn scheduled(&mut self, position: Position, schedule: Box<Schedule>) {
        if self.is_live(position) {
            self.overrides.remove(&position);
            self.terms.entry(position).or_default().reschedule(schedule);
        }
    }

    fn forget_due(&mut self, position: Position) {
        if let Some(terms) = self.terms.get_mut(&position) {
            terms.due = None;
        }
    }

    /// A message changed its queue.
    pub(super) fn moved(&mut self, position: Position, arrival: Arrival) {
        if !self.is_live(position) {
            return;
        }
        let begins_anew = arrival.carried.is_none();
        let change = Override::of_move(self.overrides.get(&position), arrival);
        self.overrides.insert(position, change);
        if let Some(terms) = self.terms.get_mut(&position) {
            terms.move_over(begins_anew);
        }
    }

    pub(super) fn created(&mut self, destination: DestinationId, name: DestinationName) {
        if self.newest.as_ref().is_none_or(|(newest, _)| *newest < destination) {
            self.newest = Some((destination, name.clone()));
        }
        self.destinations.insert(destination, name);
    }

    pub(super) fn deleted(&mut self, destination: DestinationId) {
        self.destinations.remove(&destination);
        self.bindings.remove(&destination);
        self.windows.forget(destination);
        self.orders.forget(destination);
    }

    fn bound(&mut self, queue: DestinationId, bound: Option<Bound>) {
        self.bindings.insert(queue, bound);
    }

    pub(super) fn id_block(&mut self, next: u64) {
        self.next_id = self.next_id.max(next);
    }

    /// Any record of the engine's that is no [`Record::Accepted`].
    pub(super) fn apply(&mut self, record: &Record) {
        match record {
            Record::Accepted(_) => {}
            Record::Settled(settled) => self.settle(settled.position, 1),
            Record::Returned(returned) => self.returned(Back::of(returned)),
            Record::Ranked(ranked) => {
                let place = Place { urgency: ranked.urgency, ..ranked.place };
                self.ranked(ranked.position, ranked.destination, place);
            }
            Record::Woken(woken) => self.woken(woken.position),
            Record::Scheduled(scheduled) => self.scheduled(scheduled.position, scheduled.schedule.clone()),
            Record::Moved(moved) => self.moved(moved.position, Arrival::of(moved)),
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
            Stored::Returned(back) => self.returned(back),
            Stored::Ranked { position, destination, place } => self.ranked(position, destination, place),
            Stored::Woken(position) => self.woken(position),
            Stored::Terms { position, terms } => self.agreed(position, terms),
            Stored::Planned { position, schedule } => self.planned(position, schedule),
            Stored::Scheduled { position, schedule } => self.scheduled(position, schedule),
            Stored::Moved { position, arrival, .. } => self.moved(position, arrival),
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
            Stored::Override { position, change } => {
                self.overrides.insert(position, change);
            }
            Stored::Claim { .. } | Stored::Summary(_) | Stored::Stopped => {}
        }
    }

    fn listed(&mut self, record: ExtentRecord) {
        let living = record.bitmap.iter().map(|word| word.count_ones()).sum();
        let ExtentRecord { segment, length, summary_at, slots, bitmap } = record;
        self.extents.insert(segment, Extent { length, summary_at, slots, living, bitmap });
    }

    /// A segment got its summary and will not grow any more.
    pub(super) fn sealed(&mut self, segment: SegmentId, length: u64, summary_at: u64) {
        let extent = self.extents.entry(segment).or_default();
        (extent.length, extent.summary_at) = (length, summary_at);
        extent.bitmap.shrink_to_fit();
    }

    /// Forgets the segments in which nothing lives, and says which they are.
    pub(super) fn take_dead(&mut self) -> Vec<SegmentId> {
        let is_dead = |(segment, extent): (&SegmentId, &Extent)| (extent.living == 0).then_some(*segment);
        let dead: Vec<SegmentId> = self.extents.iter().filter_map(is_dead).collect();
        self.extents.retain(|_, extent| extent.living > 0);
        dead
    }

    /// How many segments but that one hold nothing live.
    pub(super) fn dead_besides(&self, current: SegmentId) -> usize {
        self.extents.iter().filter(|(segment, extent)| **segment != current && extent.living == 0).count()
    }

    /// How many messages of that segment are live.
    pub(super) fn living(&self, segment: SegmentId) -> u32 {
        self.extents.get(&segment).map_or(0, |extent| extent.living)
    }

    /// Takes a segment out together with what changed about its messages.
    pub(super) fn take_extent(&mut self, segment: SegmentId) -> Taken {
        let extent = self.extents.remove(&segment).unwrap_or_default();
        let (overrides, kept) =
            std::mem::take(&mut self.overrides).into_iter().partition(|(at, _)| locate(*at).0 == segment);
        self.overrides = kept;
        let (terms, kept) = std::mem::take(&mut self.terms).into_iter().partition(|(at, _)| locate(*at).0 == segment);
        self.terms = kept;
        Taken { extent, overrides, terms }
    }

    /// Notes what changed about a message that was written anew.
    pub(super) fn keep_override(&mut self, position: Position, change: Override) {
        self.overrides.insert(position, change);
    }

    pub(super) fn is_live(&self, position: Position) -> bool {
        let (segment, slot) = locate(position);
        self.extents.get(&segment).is_some_and(|extent| extent.is_live(slot))
    }

    pub(super) fn extents(&self) -> impl Iterator<Item = (SegmentId, &Extent)> {
        self.extents.iter().map(|(segment, extent)| (*segment, extent))
    }

    pub(super) fn override_of(&self, position: Position) -> Option<&Override> {
        self.overrides.get(&position)
    }

    pub(super) fn terms_of(&self, position: Position) -> Option<&Terms> {
        self.terms.get(&position).map(AsRef::as_ref)
    }

    pub(super) fn messages(&self) -> u64 {
        self.extents.values().map(|extent| u64::from(extent.living)).sum()
    }

    /// Destinations and the high-water mark of ids, as an engine that starts needs them. The highest destination number
    /// is there even if it was deleted.
    pub(super) fn heads(&self) -> Vec<Record> {
        let mut records = Vec::new();
        if let Some((destination, name)) = &self.newest
            && !self.destinations.contains_key(destination)
        {
            records.push(Record::Created { destination: *destination, name: name.clone() });
            records.push(Record::Deleted { destination: *destination });
        }
        let created =
            |(id, name): (&DestinationId, &DestinationName)| Record::Created { destination: *id, name: name.clone() };
        records.extend(self.destinations.iter().map(created));
        records.extend(self.bindings.iter().map(|(queue, bound)| match bound {
            Some(bound) => Record::Bound(bound.clone()),
            None => Record::Unbound { queue: *queue },
        }));
        let keyed = |(queue, at, key): (DestinationId, Timestamp, &Arc<str>)| Keyed { queue, key: key.clone(), at };
        records.extend(self.windows.iter().map(keyed).map(Record::Keyed));
        records.extend(self.statuses.heads());
        records.extend(self.orders.records());
        records.push(Record::IdBlock { next: self.next_id });
        if self.suspected > 0 {
            records.push(Record::Suspected { below: self.suspected });
        }
        records
    }

    /// All of it as records.
    pub(super) fn checkpoint(&self) -> Checkpoint {
        let mut checkpoint = Checkpoint::default();
        for (segment, extent) in &self.extents {
            let Extent { length, summary_at, slots, ref bitmap, .. } = *extent;
            let record = ExtentRecord { segment: *segment, length, summary_at, slots, bitmap: bitmap.clone() };
            checkpoint.put(|bytes| record::put_extent(bytes, &record));
        }
        for head in self.heads() {
            checkpoint.put(|bytes| record::put_record(bytes, &head));
        }
        for (position, change) in &self.overrides {
            if let Some(moved) = change.instead(*position) {
                checkpoint.put(|bytes| record::put_record(bytes, &moved));
                continue;
            }
            checkpoint.put(|bytes| record::put_override(bytes, *position, change));
            if let Some(waits) = change.waits(*position) {
                checkpoint.put(|bytes| record::put_record(bytes, &waits));
            }
        }
        for (position, terms) in &self.terms {
            checkpoint.put(|bytes| record::put_agreed(bytes, *position, terms));
            if let Some(schedule) = &terms.schedule {
                checkpoint.put(|bytes| record::put_planned(bytes, *position, schedule));
            }
        }
        checkpoint
    }
}

/// A checkpoint's records, encoded.
#[derive(Debug, Default)]
pub(super) struct Checkpoint {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Checkpoint {
    fn put(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).filter_map(|(start, end)| self.bytes.get(start..*end))
    }
}
