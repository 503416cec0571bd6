//! Where messages are that were copied forward, by the places that they were given when they came.
//!
//! A place that was told outside of the journal stays good for the run: what is known there need not follow a copy. It must
//! not know what is alive, nor what lies at a place.

use std::collections::BTreeMap;

use super::format::{SegmentId, locate};
use crate::model::{Position, Record};

/// Where copied messages are. About 45 bytes for each, until the segment with its copy is given back.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Where a message is now, by the place it was given.
    now: BTreeMap<Position, Position>,
    /// The places given to what was copied into a segment, in the order of its slots.
    given: BTreeMap<SegmentId, Vec<(u32, Position)>>,
}

impl Places {
    /// Where the message is now that was given that place.
    pub(super) fn of(&self, given: Position) -> Position {
        self.now.get(&given).copied().unwrap_or(given)
    }

    /// A message was copied. `to` is behind all that was copied into its segment before.
    pub(super) fn moved(&mut self, from: Position, to: Position) {
        let given = self.given_to(from).unwrap_or(from);
        let (segment, slot) = locate(to);
        self.now.insert(given, to);
        self.given.entry(segment).or_default().push((slot, given));
    }

    /// A segment is given back, with what is still there.
    pub(super) fn forget(&mut self, segment: SegmentId) {
        for (slot, given) in self.given.remove(&segment).unwrap_or_default() {
            if self.now.get(&given).is_some_and(|now| locate(*now) == (segment, slot)) {
                self.now.remove(&given);
            }
        }
    }

    fn given_to(&self, copy: Position) -> Option<Position> {
        let (segment, slot) = locate(copy);
        let given = self.given.get(&segment)?;
        let at = given.binary_search_by_key(&slot, |(slot, _)| *slot).ok()?;
        given.get(at).map(|(_, given)| *given)
    }
}

/// The record with the place where its message is now; `None` if it says that already, or none at all.
pub(super) fn placed(record: &Record, place: impl Fn(Position) -> Position) -> Option<Record> {
    let said = match record {
        Record::Returned(returned) => returned.position,
        Record::Moved(moved) => moved.position,
        Record::Woken(woken) => woken.position,
        Record::Ranked(ranked) => ranked.position,
        Record::Scheduled(scheduled) => scheduled.position,
        _ => return None,
    };
    let now = place(said);
    if now == said {
        return None;
    }
    let mut record = record.clone();
    match &mut record {
        Record::Returned(returned) => returned.position = now,
        Record::Moved(moved) => moved.position = now,
        Record::Woken(woken) => woken.position = now,
        Record::Ranked(ranked) => ranked.position = now,
        Record::Scheduled(scheduled) => scheduled.position = now,
        _ => {}
    }
    Some(record)
}
