//! What is known of live messages beyond their records: what changed since, and what their senders said.
//!
//! Both are kept small, since there may be one for each of millions of messages, and their size in a checkpoint is known
//! at any time. It must not know which messages are alive.

use std::collections::BTreeMap;

use super::change::{Arrival, Override};
use super::checkpoint::Checkpoint;
use super::format::{SegmentId, locate};
use super::record;
use super::stored::Back;
use crate::model::{DestinationId, Place, Position, Schedule, ShardId, Standing, Terms, Timestamp};

/// What is known, by the places of the messages.
#[derive(Debug, Default)]
pub(super) struct Notes {
    overrides: BTreeMap<Position, Override>,
    /// What senders said about their messages.
    terms: BTreeMap<Position, Said>,
    /// Bytes of the records that say all of it.
    bytes: usize,
}

/// Terms in few bytes: most that have any say one time and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// What was said is over.
    Nothing,
    Due(Timestamp),
    Expires(Timestamp),
    More(Box<Terms>),
}

impl Said {
    pub(super) fn of(terms: &Terms) -> Said {
        let times = Terms { due: terms.due, expires: terms.expires, ..Terms::default() };
        match (terms.due, terms.expires) {
            _ if times != *terms => Said::More(Box::new(terms.clone())),
            (None, None) => Said::Nothing,
            (Some(due), None) => Said::Due(due),
            (None, Some(expires)) => Said::Expires(expires),
            (Some(_), Some(_)) => Said::More(Box::new(times)),
        }
    }

    pub(super) fn terms(&self) -> Terms {
        match self {
            Said::Nothing => Terms::default(),
            Said::Due(due) => Terms { due: Some(*due), ..Terms::default() },
            Said::Expires(expires) => Terms { expires: Some(*expires), ..Terms::default() },
            Said::More(terms) => (**terms).clone(),
        }
    }

    /// Bytes of the records that say it.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Said::Nothing => record::RECORD_HEAD_BYTES + 9,
            Said::Due(_) | Said::Expires(_) => record::RECORD_HEAD_BYTES + 17,
            Said::More(terms) => {
                let (mut records, position) = (Vec::new(), Position::new(ShardId::default(), 0));
                record::put_agreed(&mut records, position, terms);
                if let Some(schedule) = &terms.schedule {
                    record::put_planned(&mut records, position, schedule);
                }
                records.len()
            }
        }
    }
}

impl Notes {
    /// Bytes of the records that say all of it.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Messages in a row are gone.
    pub(super) fn forget(&mut self, positions: impl Iterator<Item = Position>) {
        if self.overrides.is_empty() && self.terms.is_empty() {
            return;
        }
        for position in positions {
            let change = self.overrides.remove(&position).map_or(0, |change| change.bytes());
            let said = self.terms.remove(&position).map_or(0, |said| said.bytes());
            self.bytes -= change + said;
        }
    }

    /// A delivery of a message ended without success.
    pub(super) fn returned(&mut self, back: Back) {
        let Back { position, attempts, nacks, standing, .. } = back;
        let mut change = self.take_override(position).unwrap_or_else(|| Override::of_return(back));
        (change.attempts, change.nacks, change.standing, change.out) = (attempts, nacks, standing, true);
        self.put_override(position, change);
        self.forget_due(position);
    }

    /// A message has another place.
    pub(super) fn ranked(&mut self, position: Position, destination: DestinationId, place: Place) {
        let mut change = self.take_override(position).unwrap_or_else(|| Override::of_rank(destination, place));
        change.place = place;
        self.put_override(position, change);
    }

    /// A message that waited is ready.
    pub(super) fn woken(&mut self, position: Position) {
        if let Some(change) = self.take_override(position) {
            self.put_override(position, Override { standing: Standing::Ready, ..change });
        }
        self.forget_due(position);
    }

    /// A message changed its queue.
    pub(super) fn moved(&mut self, position: Position, arrival: Arrival) {
        let begins_anew = arrival.carried.is_none();
        let change = Override::of_move(self.take_override(position).as_ref(), arrival);
        self.put_override(position, change);
        self.change_terms(position, |terms| terms.move_over(begins_anew));
    }

    /// What the sender of a message said about it.
    pub(super) fn agreed(&mut self, position: Position, said: Said) {
        self.bytes += said.bytes();
        self.bytes -= self.terms.insert(position, said).map_or(0, |old| old.bytes());
    }

    /// A message is a schedule.
    pub(super) fn planned(&mut self, position: Position, schedule: Box<Schedule>) {
        self.expect_terms(position);
        self.change_terms(position, |terms| terms.schedule = Some(schedule));
    }

    /// A schedule has a new plan. Whatever it had to wait for beyond that is over.
    pub(super) fn scheduled(&mut self, position: Position, schedule: Box<Schedule>) {
        drop(self.take_override(position));
        self.expect_terms(position);
        self.change_terms(position, |terms| terms.reschedule(schedule));
    }

    /// Notes what changed about a message that was written anew.
    pub(super) fn put_override(&mut self, position: Position, change: Override) {
        self.bytes += change.bytes();
        self.bytes -= self.overrides.insert(position, change).map_or(0, |old| old.bytes());
    }

    pub(super) fn override_of(&self, position: Position) -> Option<&Override> {
        self.overrides.get(&position)
    }

    pub(super) fn terms_of(&self, position: Position) -> Option<Terms> {
        self.terms.get(&position).map(Said::terms)
    }

    /// Takes out what is known of the messages of a segment.
    pub(super) fn take(&mut self, segment: SegmentId) -> (BTreeMap<Position, Override>, BTreeMap<Position, Said>) {
        let (overrides, kept) =
            std::mem::take(&mut self.overrides).into_iter().partition(|(at, _)| locate(*at).0 == segment);
        self.overrides = kept;
        let (terms, kept) = std::mem::take(&mut self.terms).into_iter().partition(|(at, _)| locate(*at).0 == segment);
        self.terms = kept;
        let changes: usize = overrides.values().map(Override::bytes).sum();
        self.bytes -= changes + terms.values().map(Said::bytes).sum::<usize>();
        (overrides, terms)
    }

    /// Takes out what is known of a message.
    pub(super) fn take_one(&mut self, position: Position) -> (Option<Override>, Option<Said>) {
        let (change, said) = (self.take_override(position), self.terms.remove(&position));
        self.bytes -= said.as_ref().map_or(0, Said::bytes);
        (change, said)
    }

    /// Bytes of the records that say what is known of a message.
    pub(super) fn bytes_of(&self, position: Position) -> usize {
        let change = self.overrides.get(&position).map_or(0, Override::bytes);
        change + self.terms.get(&position).map_or(0, Said::bytes)
    }

    /// All of it as records.
    pub(super) fn put(&self, checkpoint: &mut Checkpoint<'_, '_>) {
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
        for (position, said) in &self.terms {
            let terms = said.terms();
            checkpoint.put(|bytes| record::put_agreed(bytes, *position, &terms));
            if let Some(schedule) = &terms.schedule {
                checkpoint.put(|bytes| record::put_planned(bytes, *position, schedule));
            }
        }
    }

    fn take_override(&mut self, position: Position) -> Option<Override> {
        let change = self.overrides.remove(&position)?;
        self.bytes -= change.bytes();
        Some(change)
    }

    fn forget_due(&mut self, position: Position) {
        if !matches!(self.terms.get(&position), None | Some(Said::Expires(_) | Said::Nothing)) {
            self.change_terms(position, |terms| terms.due = None);
        }
    }

    fn expect_terms(&mut self, position: Position) {
        if !self.terms.contains_key(&position) {
            self.agreed(position, Said::Nothing);
        }
    }

    fn change_terms(&mut self, position: Position, change: impl FnOnce(&mut Terms)) {
        let Some(said) = self.terms.get(&position) else { return };
        let mut terms = said.terms();
        change(&mut terms);
        self.agreed(position, Said::of(&terms));
    }
}
