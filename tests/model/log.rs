//! The log of a run: what was appended, unit by unit, and how much of it is durable. A crash cuts between units.

use std::collections::{BTreeMap, VecDeque};

use kolejka::model::{Content, MessageId, Position, Record, Replay, ShardId, Ticket};

use super::reference::Model;

/// An append that is not durable yet.
#[derive(Debug)]
struct Unit {
    records: Vec<(Record, Option<Position>)>,
    /// The model as it was then: what a crash right behind this unit falls back to.
    after: Model,
}

/// Appends, the durable ones first.
#[derive(Debug)]
pub(super) struct Log {
    shard: ShardId,
    durable: Vec<(Record, Option<Position>)>,
    waiting: VecDeque<Unit>,
    appended: Ticket,
    places: u64,
    contents: BTreeMap<Position, Content>,
    /// Where messages lie whose append is durable.
    positions: BTreeMap<MessageId, Position>,
    /// What a crash falls back to.
    pub(super) fallback: Model,
}

impl Log {
    pub(super) fn new(shard: ShardId, fallback: Model) -> Log {
        Log {
            shard,
            durable: Vec::new(),
            waiting: VecDeque::new(),
            appended: Ticket(0),
            places: 0,
            contents: BTreeMap::new(),
            positions: BTreeMap::new(),
            fallback,
        }
    }

    /// Takes all records as one unit.
    pub(super) fn append(&mut self, records: &mut Vec<Record>, after: &Model) -> Ticket {
        if !records.is_empty() {
            self.appended.0 += 1;
            let placed = records.drain(..).map(|record| self.place(record)).collect();
            self.waiting.push_back(Unit { records: placed, after: after.clone() });
        }
        self.appended
    }

    fn place(&mut self, mut record: Record) -> (Record, Option<Position>) {
        let Record::Accepted(accepted) = &mut record else { return (record, None) };
        self.places += 1;
        let position = Position::new(self.shard, self.places);
        self.contents.extend(accepted.content.take().map(|content| (position, content)));
        (record, Some(position))
    }

    /// So many units more are durable. Gives the last ticket and where messages lie that have become durable.
    pub(super) fn sync(&mut self, units: usize) -> (Ticket, Vec<Position>) {
        let units = units.min(self.waiting.len());
        let mut positions = Vec::new();
        for unit in self.waiting.drain(..units) {
            for (record, position) in unit.records {
                if let (Record::Accepted(accepted), Some(position)) = (&record, position) {
                    positions.push(position);
                    self.positions.insert(accepted.message, position);
                }
                self.durable.push((record, position));
            }
            self.fallback = unit.after;
        }
        (Ticket(self.appended.0 - self.waiting.len() as u64), positions)
    }

    /// Units that are not durable.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn read(&self, position: Position) -> Option<Content> {
        self.contents.get(&position).cloned()
    }

    pub(super) fn position(&self, message: MessageId) -> Option<Position> {
        self.positions.get(&message).copied()
    }

    /// The process is gone, and with it all that was not durable.
    pub(super) fn crash(&mut self) {
        self.appended = Ticket(self.appended.0 - self.waiting.len() as u64);
        self.waiting.clear();
    }

    /// Tells everything durable, oldest first.
    pub(super) fn replay(&self, replay: &mut dyn Replay) {
        for (record, position) in &self.durable {
            replay.record(record.clone(), *position);
        }
    }
}
