//! What waits to be written, in order, and how it ended. It must not know what the records mean.

use crate::model::{Record, Ticket, Timestamp};

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

    pub(super) fn unit(&self) -> Option<Unit> {
        self.units.get(self.next_unit).copied()
    }

    /// The records of the unit that [`unit`](Self::unit) showed.
    pub(super) fn shown(&self, unit: Unit) -> &[Record] {
        self.records.get(self.next_record..self.next_record + unit.records).unwrap_or_default()
    }

    /// The records of the unit that [`unit`](Self::unit) showed, which is then over.
    pub(super) fn pass(&mut self, unit: Unit) -> &[Record] {
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

/// How the next step ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Nothing waits.
    Nothing,
    /// There is no segment for what waits, and nothing has changed.
    NoRoom,
    Written(Written),
}
