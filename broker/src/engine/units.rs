//! What a call has brought about goes to the log in as few appends as the log allows.

use super::handle::Core;
use super::machine::Engine;
use crate::model::{LogError, Ticket, Timestamp};
use crate::seeded::{self, Bug};

impl Core {
    /// Appends all of it, cut only where a part may be in the log without the next. Nothing is left out: if the log takes the
    /// first part and not the second, the log is at its end. `None` where there is no log any more.
    pub(super) fn append_units(&mut self, wall: Timestamp) -> Option<Result<Ticket, LogError>> {
        let log = self.log.as_mut()?;
        let most = self.engine.unit_bytes().min(log.unit_bytes());
        if seeded::is(Bug::TransactionSplit) {
            self.effects.take_whole();
            return self.append_one_by_one(wall);
        }
        while !self.effects.fits(most) && !seeded::is(Bug::UnitsNotCut) {
            self.effects.take_unit(most, &mut self.unit);
            if let Err(error) = log.append(&mut self.unit, wall) {
                return Some(Err(error));
            }
        }
        self.effects.take_whole();
        Some(log.append(&mut self.effects.records, wall))
    }
}

impl Core {
    /// What [`Bug::TransactionSplit`] does.
    fn append_one_by_one(&mut self, wall: Timestamp) -> Option<Result<Ticket, LogError>> {
        let log = self.log.as_mut()?;
        let mut last = None;
        for record in self.effects.records.drain(..) {
            self.unit.push(record);
            last = Some(log.append(&mut self.unit, wall));
        }
        last
    }
}

impl Engine {
    /// Most bytes that go to the log in one append, unless what may not be cut is larger by what admission does not count.
    fn unit_bytes(&self) -> usize {
        self.options.append.bytes
    }

    /// A log takes no more than that at once: a request is not admitted that comes near it.
    pub(super) fn limit_units(&mut self, bytes: usize) {
        let append = &mut self.options.append;
        append.bytes = append.bytes.min(bytes / 4 * 3);
    }
}
