//! What has changed about a message since it was written, as a checkpoint keeps it.
//!
//! It must not know where messages lie, nor how a change is spelled on disk.

use std::sync::Arc;

use super::record::RECORD_HEAD_BYTES;
use super::stored::Back;
use crate::model::{
    Carried, DeathNote, DeathReason, DestinationId, MessageId, Moved, Place, Position, Record, Returned, Standing,
};

/// What has changed about a message since it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Override {
    pub(super) destination: DestinationId,
    pub(super) place: Place,
    /// Failed deliveries before it last died.
    pub(super) attempts_before: u16,
    /// Why it was moved, if it died.
    pub(super) note: Option<Arc<DeathNote>>,
    /// Failed deliveries since, or all if it did not.
    pub(super) attempts: u16,
    /// NACKs among them.
    pub(super) nacks: u8,
    /// How it stands.
    pub(super) standing: Standing,
    /// It has been out: a consumer gave it back, or it died.
    pub(super) out: bool,
}

/// Where a message went, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    pub(super) to: DestinationId,
    pub(super) place: Place,
    pub(super) note: Option<Arc<DeathNote>>,
    pub(super) carried: Option<Carried>,
}

impl Arrival {
    pub(super) fn of(moved: &Moved) -> Arrival {
        let Moved { to, to_place, note, carried, .. } = moved.clone();
        Arrival { to, place: to_place, note, carried }
    }
}

impl Override {
    /// A delivery of a message that had not changed before came to nothing.
    pub(super) fn of_return(back: Back) -> Override {
        let Back { destination, place, attempts, nacks, standing, .. } = back;
        Override { destination, place, attempts_before: 0, note: None, attempts, nacks, standing, out: true }
    }

    /// A message that had not changed before got another place.
    pub(super) fn of_rank(destination: DestinationId, place: Place) -> Override {
        let (note, standing) = (None, Standing::Ready);
        Override { destination, place, attempts_before: 0, note, attempts: 0, nacks: 0, standing, out: false }
    }

    /// A message went to another queue; `old` is what had changed before.
    pub(super) fn of_move(old: Option<&Override>, arrival: Arrival) -> Override {
        let Arrival { to: destination, place, note, carried } = arrival;
        let before = old.map_or(0, |old| old.attempts_before);
        let was_out = old.is_some_and(|old| old.out);
        if let Some(Carried { attempts, nacks, standing }) = carried {
            return Override {
                destination,
                place,
                attempts_before: before,
                note,
                attempts,
                nacks,
                standing,
                out: was_out,
            };
        }
        let attempts_before = old.map(|old| old.attempts).filter(|attempts| *attempts > 0).unwrap_or(before);
        // What has expired dies without having been out.
        let died_out = note.as_ref().is_some_and(|note| note.reason != DeathReason::Expired);
        let (out, standing) = (was_out || died_out, Standing::Ready);
        Override { destination, place, attempts_before, note, attempts: 0, nacks: 0, standing, out }
    }

    /// Bytes of the records that say it.
    pub(super) fn bytes(&self) -> usize {
        const OVERRIDE: usize = RECORD_HEAD_BYTES + 33;
        const WAITS: usize = RECORD_HEAD_BYTES + 40;
        const INSTEAD: usize = RECORD_HEAD_BYTES + 49;
        let text = |note: &Arc<DeathNote>| note.error.as_ref().map_or(0, |error| 2 + error.len());
        let note = self.note.as_ref().map_or(0, |note| 6 + note.origin.as_str().len() + text(note));
        let rest = match self.out {
            false => INSTEAD,
            true if self.is_plain() => OVERRIDE,
            true => OVERRIDE + WAITS,
        };
        rest + note
    }

    fn is_plain(&self) -> bool {
        self.nacks == 0 && self.standing == Standing::Ready
    }

    /// What an override record cannot say, as a record to follow it.
    pub(super) fn waits(&self, position: Position) -> Option<Record> {
        let Override { destination, place, attempts, nacks, standing, .. } = *self;
        // The log knows a message by its position.
        let message = MessageId::new(position.shard(), 0);
        let returned = Returned { destination, message, place, position, attempts, nacks, standing };
        (!self.is_plain()).then_some(Record::Returned(returned))
    }

    /// For a message that has never been out: all of it as a record that stands in the place of an override, since that
    /// would say that it has.
    pub(super) fn instead(&self, position: Position) -> Option<Record> {
        let message = MessageId::new(position.shard(), 0);
        (!self.out).then(|| Record::Moved(self.moved((message, position), 0)))
    }

    /// A move to where the message is.
    pub(super) fn moved(&self, (message, position): (MessageId, Position), size: u32) -> Moved {
        let Override { destination, place, ref note, attempts, nacks, standing, out, .. } = *self;
        let carried = (!out).then_some(Carried { attempts, nacks, standing });
        Moved {
            message,
            position,
            from: destination,
            from_place: place,
            to: destination,
            to_place: place,
            size,
            note: note.clone(),
            carried,
        }
    }
}
