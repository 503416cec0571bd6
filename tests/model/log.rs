//! The log of a run: what was appended, unit by unit, and how much of it is durable. A crash cuts between units.

use std::collections::{BTreeMap, VecDeque};

use kolejka::model::{Content, MessageId, Position, Record, Replay, ShardId, Ticket};

use super::reference::Model;

/// What keeps the units that are durable.
pub(super) trait Store {
    /// Makes a unit durable and says where its messages lie.
    fn append(&mut self, unit: Vec<Record>) -> Vec<Position>;

    /// A message's content.
    fn read(&self, position: Position) -> Option<Content>;

    /// Ends this process, in order or not, and tells the next one everything.
    fn reopen(&mut self, is_clean: bool, replay: &mut dyn Replay);
}

/// An append that is not durable yet.
struct Unit {
    records: Vec<Record>,
    /// The model as it was then: what a crash right behind this unit falls back to.
    after: Model,
}

/// Appends, the durable ones in the store.
pub(super) struct Log {
    store: Box<dyn Store>,
    waiting: VecDeque<Unit>,
    appended: Ticket,
    /// Where messages lie whose append is durable.
    positions: BTreeMap<MessageId, Position>,
    /// What a crash falls back to.
    pub(super) fallback: Model,
}

impl Log {
    pub(super) fn new(store: Box<dyn Store>, fallback: Model) -> Log {
        Log { store, waiting: VecDeque::new(), appended: Ticket(0), positions: BTreeMap::new(), fallback }
    }

    /// Takes all records as one unit.
    pub(super) fn append(&mut self, records: &mut Vec<Record>, after: &Model) -> Ticket {
        if !records.is_empty() {
            self.appended.0 += 1;
            self.waiting.push_back(Unit { records: std::mem::take(records), after: after.clone() });
        }
        self.appended
    }

    /// So many units more are durable. Gives the last ticket and where messages lie that have become durable.
    pub(super) fn sync(&mut self, units: usize) -> (Ticket, Vec<Position>) {
        let units = units.min(self.waiting.len());
        let mut all = Vec::new();
        for unit in self.waiting.drain(..units) {
            let messages: Vec<_> = unit.records.iter().filter_map(accepted).collect();
            let positions = self.store.append(unit.records);
            assert_eq!(positions.len(), messages.len(), "each message has a position");
            self.positions.extend(messages.into_iter().zip(positions.iter().copied()));
            all.extend(positions);
            self.fallback = unit.after;
        }
        (Ticket(self.appended.0 - self.waiting.len() as u64), all)
    }

    /// Units that are not durable.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn read(&self, position: Position) -> Option<Content> {
        self.store.read(position)
    }

    pub(super) fn position(&self, message: MessageId) -> Option<Position> {
        self.positions.get(&message).copied()
    }

    /// The process is gone, and with it all that was not durable. The next one is told the rest.
    pub(super) fn reopen(&mut self, is_clean: bool, replay: &mut dyn Replay) {
        self.appended = Ticket(self.appended.0 - self.waiting.len() as u64);
        self.waiting.clear();
        self.positions.clear();
        let positions = &mut self.positions;
        self.store.reopen(is_clean, &mut Noting { replay, positions });
    }
}

fn accepted(record: &Record) -> Option<MessageId> {
    match record {
        Record::Accepted(accepted) => Some(accepted.message),
        _ => None,
    }
}

/// Notes where messages lie now: they may have been carried elsewhere.
struct Noting<'a> {
    replay: &'a mut dyn Replay,
    positions: &'a mut BTreeMap<MessageId, Position>,
}

impl Replay for Noting<'_> {
    fn record(&mut self, record: Record, position: Option<Position>) {
        if let Some((message, position)) = accepted(&record).zip(position) {
            self.positions.insert(message, position);
        }
        self.replay.record(record, position);
    }
}

/// A store that keeps every record as it came.
pub(super) struct Plain {
    shard: ShardId,
    records: Vec<(Record, Option<Position>)>,
    contents: BTreeMap<Position, Content>,
}

impl Plain {
    pub(super) fn new(shard: ShardId) -> Plain {
        Plain { shard, records: Vec::new(), contents: BTreeMap::new() }
    }
}

impl Store for Plain {
    fn append(&mut self, unit: Vec<Record>) -> Vec<Position> {
        let before = self.contents.len();
        for mut record in unit {
            let position = match &mut record {
                Record::Accepted(accepted) => {
                    let position = Position::new(self.shard, self.contents.len() as u64 + 1);
                    self.contents.insert(position, accepted.content.take().expect("a new message has a content"));
                    Some(position)
                }
                _ => None,
            };
            self.records.push((record, position));
        }
        self.contents.keys().skip(before).copied().collect()
    }

    fn read(&self, position: Position) -> Option<Content> {
        self.contents.get(&position).cloned()
    }

    fn reopen(&mut self, _: bool, replay: &mut dyn Replay) {
        for (record, position) in &self.records {
            replay.record(record.clone(), *position);
        }
    }
}
