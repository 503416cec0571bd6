//! A log in memory, with faults. For the engine's tests: they decide when something becomes durable and what goes wrong.
//!
//! It keeps the promises of the trait and nothing on a disk. It must not know what the records mean.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{Capacity, Content, Durable, Log, LogError, LogReader, LogSink, Position, Record, Replay, ShardId};
use crate::model::{Ticket, Timestamp};

/// When appends become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Inside [`Log::append`]; the sink is called there, so it may not take a lock that the caller of `append` holds.
    AtOnce,
    /// When [`MemoryLog::sync`] or [`MemoryLog::sync_one`] says so.
    OnDemand,
}

/// A log in memory. Cloning gives another handle to the same log; one of them is the engine's.
#[derive(Clone, Debug)]
pub struct MemoryLog {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    shard: ShardId,
    when: When,
    sink: Option<Arc<dyn LogSink>>,
    last: Ticket,
    next_place: u64,
    waiting: VecDeque<Unit>,
    durable: Vec<(Record, Option<Position>)>,
    contents: BTreeMap<Position, Content>,
    ended: Option<LogError>,
    full: bool,
    largest_bytes: usize,
    in_flight_bytes: usize,
    in_flight_batches: usize,
}

#[derive(Debug)]
struct Unit {
    ticket: Ticket,
    bytes: usize,
    records: Vec<(Record, Option<Position>)>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("last", &self.last).field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl MemoryLog {
    /// An empty log of that shard.
    pub fn new(shard: ShardId, when: When) -> MemoryLog {
        let inner = Inner {
            shard,
            when,
            sink: None,
            last: Ticket(0),
            next_place: 0,
            waiting: VecDeque::new(),
            durable: Vec::new(),
            contents: BTreeMap::new(),
            ended: None,
            full: false,
            largest_bytes: usize::MAX,
            in_flight_bytes: 32 << 20,
            in_flight_batches: 4096,
        };
        MemoryLog { inner: Arc::new(Mutex::new(inner)) }
    }

    /// Says who is told; without one nobody is.
    pub fn set_sink(&self, sink: Arc<dyn LogSink>) {
        self.inner().sink = Some(sink);
    }

    /// Makes everything durable that was appended, unit by unit.
    pub fn sync(&self) {
        while self.sync_one() {}
    }

    /// Makes the oldest waiting append durable and tells the sink. `false` if there was none.
    pub fn sync_one(&self) -> bool {
        let mut inner = self.inner();
        if inner.ended.is_some() {
            return false;
        }
        let Some(unit) = inner.waiting.pop_front() else { return false };
        let positions: Vec<Position> = unit.records.iter().filter_map(|(_, position)| *position).collect();
        for (record, position) in unit.records {
            inner.keep(record, position);
        }
        let sink = inner.sink.clone();
        drop(inner);
        if let Some(sink) = sink {
            sink.durable(Durable { through: unit.ticket, positions: &positions });
        }
        true
    }

    /// Ends the log with that error and tells the sink; nothing that waits becomes durable.
    pub fn fail(&self, error: LogError) {
        let mut inner = self.inner();
        if inner.ended.is_some() {
            return;
        }
        inner.ended = Some(error.clone());
        inner.waiting.clear();
        let sink = inner.sink.clone();
        drop(inner);
        if let Some(sink) = sink {
            sink.failed(error);
        }
    }

    /// Lets appends with new messages fail for lack of space, or not any more.
    pub fn set_full(&self, full: bool) {
        self.inner().full = full;
    }

    /// Most octets of one append.
    pub fn set_largest(&self, bytes: usize) {
        self.inner().largest_bytes = bytes;
    }

    /// What may be in flight.
    pub fn set_in_flight(&self, bytes: usize, batches: usize) {
        let mut inner = self.inner();
        (inner.in_flight_bytes, inner.in_flight_batches) = (bytes, batches);
    }

    /// Cuts the power: what was not durable is gone. Gives the log as the next run finds it, without a sink.
    #[must_use]
    pub fn crash(&self) -> MemoryLog {
        let mut inner = self.inner();
        let next = MemoryLog::new(inner.shard, inner.when);
        {
            let mut after = next.inner();
            after.durable.clone_from(&inner.durable);
            after.contents.clone_from(&inner.contents);
            after.next_place = inner.next_place;
        }
        inner.ended = Some(LogError::Fenced);
        inner.waiting.clear();
        next
    }

    /// Tells everything durable, oldest first, as it was appended.
    pub fn replay(&self, replay: &mut dyn Replay) {
        for (record, position) in self.inner().durable.clone() {
            replay.record(record, position);
        }
    }

    /// Spoils a stored message: reading it fails from now on.
    pub fn spoil(&self, position: Position) {
        self.inner().contents.remove(&position);
    }

    /// Appends that are not durable yet.
    pub fn waiting(&self) -> usize {
        self.inner().waiting.len()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn keep(&mut self, mut record: Record, position: Option<Position>) {
        match (&mut record, position) {
            (Record::Accepted(accepted), Some(position)) => {
                if let Some(content) = accepted.content.take() {
                    self.contents.insert(position, content);
                }
            }
            (Record::Settled(settled), _) => drop(self.contents.remove(&settled.position)),
            _ => {}
        }
        self.durable.push((record, position));
    }

    fn place(&mut self, record: &Record) -> Option<Position> {
        matches!(record, Record::Accepted(_)).then(|| {
            self.next_place += 1;
            Position::new(self.shard, self.next_place)
        })
    }
}

impl Log for MemoryLog {
    fn append(&mut self, records: &mut Vec<Record>, _wall: Timestamp) -> Result<Ticket, LogError> {
        let mut inner = self.inner();
        let bytes = super::fanout::unit_bytes(records);
        if let Some(error) = &inner.ended {
            return Err(error.clone());
        }
        if bytes > inner.largest_bytes {
            return Err(LogError::TooLarge { size: bytes, limit: inner.largest_bytes });
        }
        if inner.full && records.iter().any(|record| matches!(record, Record::Accepted(_))) {
            return Err(LogError::Full);
        }
        inner.last.0 += 1;
        let ticket = inner.last;
        let mut placed = Vec::with_capacity(records.len());
        for record in records.drain(..) {
            let position = inner.place(&record);
            placed.push((record, position));
        }
        inner.waiting.push_back(Unit { ticket, bytes, records: placed });
        let when = inner.when;
        drop(inner);
        if when == When::AtOnce {
            self.sync();
        }
        Ok(ticket)
    }

    fn unit_bytes(&self) -> usize {
        self.inner().largest_bytes
    }

    fn capacity(&self) -> Capacity {
        let inner = self.inner();
        let waiting: usize = inner.waiting.iter().map(|unit| unit.bytes).sum();
        Capacity {
            bytes: inner.in_flight_bytes.saturating_sub(waiting),
            batches: inner.in_flight_batches.saturating_sub(inner.waiting.len()),
        }
    }

    fn is_full(&mut self) -> bool {
        self.inner().full
    }
}

impl LogReader for MemoryLog {
    fn read(&self, position: Position) -> Result<Content, LogError> {
        let content = self.inner().contents.get(&position).cloned();
        content.ok_or_else(|| LogError::Damaged("no message at that place".to_owned()))
    }
}
