//! The simplest engine there could be: what a log's records add up to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::model::{
    Accepted, Bound, Carried, DeathNote, DestinationId, DestinationName, Limits, MessageId, Moved, Place, Position,
};
use crate::model::{Pause, Record, Replay, Standing, Status, Terms, Urgency, Windows};

/// The state that records add up to: the simplest engine there could be.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Destinations that exist.
    pub destinations: BTreeMap<DestinationId, DestinationName>,
    /// Highest number of a destination ever.
    pub newest: Option<DestinationId>,
    /// Queues that are fed, or not any more.
    pub bindings: BTreeMap<DestinationId, Option<Bound>>,
    /// Keys that were seen lately.
    pub windows: Windows,
    /// Jobs that are followed.
    pub statuses: BTreeMap<MessageId, Status>,
    /// Queues that stand still.
    pub pauses: BTreeMap<DestinationId, Pause>,
    /// What the makers of queues asked for.
    pub limits: BTreeMap<DestinationId, Limits>,
    /// Messages that are there.
    pub messages: BTreeMap<MessageId, Kept>,
    /// Ids below this may be in use.
    pub next_id: u64,
    /// Messages with ids below this may have been handed out.
    pub suspected: u64,
}

/// One message of a [`Ledger`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its queue.
    pub destination: DestinationId,
    /// Its place there.
    pub place: Place,
    /// Octets.
    pub size: u32,
    /// Failed deliveries.
    pub attempts: u16,
    /// NACKs among them.
    pub nacks: u8,
    /// How it stands since it was given back.
    pub standing: Standing,
    /// Why it was moved.
    pub note: Option<Arc<DeathNote>>,
    /// What its sender said about it.
    pub terms: Option<Box<Terms>>,
}

impl Kept {
    /// Whether it has never been moved nor ranked: only then can it be a schedule.
    pub fn is_at_first_place(&self) -> bool {
        self.place.urgency == Urgency::NORMAL
    }

    fn forget_due(&mut self) {
        if let Some(terms) = &mut self.terms {
            terms.due = None;
        }
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "destinations {:?} newest {:?} next id {}", self.destinations, self.newest, self.next_id)?;
        writeln!(f, "suspected below {}", self.suspected)?;
        writeln!(f, "bindings {:?} windows {:?}", self.bindings, self.windows)?;
        writeln!(f, "statuses {:?}", self.statuses)?;
        self.messages.iter().try_for_each(|(message, kept)| writeln!(f, "  {message} {kept:?}"))
    }
}

impl Ledger {
    /// Changes the state by one record.
    pub fn apply(&mut self, record: &Record) {
        match record {
            Record::Created { destination, name } => {
                self.newest = self.newest.max(Some(*destination));
                self.destinations.insert(*destination, name.clone());
            }
            Record::Deleted { destination } => {
                self.destinations.remove(destination);
                self.bindings.remove(destination);
                self.windows.forget(*destination);
                self.pauses.remove(destination);
                self.limits.remove(destination);
            }
            Record::Bound(bound) => drop(self.bindings.insert(bound.queue, Some(bound.clone()))),
            Record::Keyed(keyed) => self.windows.insert(keyed.queue, keyed.key.clone(), keyed.at),
            Record::Tracked(_) | Record::Reported(_) | Record::Attached { .. } | Record::Forgotten { .. } => {
                self.apply_to_job(record);
            }
            Record::Unbound { queue } => drop(self.bindings.insert(*queue, None)),
            Record::Accepted(Accepted { destination, message, place, size, terms, .. }) => {
                let (destination, place, size) = (*destination, *place, *size);
                let (standing, terms) = (Standing::Ready, terms.clone());
                let kept = Kept { destination, place, size, attempts: 0, nacks: 0, standing, note: None, terms };
                let old = self.messages.insert(*message, kept);
                assert!(old.is_none(), "message {message} came twice");
                assert!(self.destinations.contains_key(&destination), "message {message} came into no queue");
            }
            Record::Settled(settled) => drop(self.messages.remove(&settled.message)),
            Record::Returned(returned) => {
                if let Some(kept) = self.messages.get_mut(&returned.message) {
                    assert_eq!((kept.destination, kept.place), (returned.destination, returned.place));
                    kept.attempts = returned.attempts;
                    (kept.nacks, kept.standing) = (returned.nacks, returned.standing);
                    kept.forget_due();
                }
            }
            Record::Ranked(ranked) => {
                if let Some(kept) = self.messages.get_mut(&ranked.message) {
                    assert_eq!((kept.destination, kept.place), (ranked.destination, ranked.place));
                    kept.place.urgency = ranked.urgency;
                }
            }
            Record::Woken(woken) => {
                if let Some(kept) = self.messages.get_mut(&woken.message) {
                    kept.standing = Standing::Ready;
                    kept.forget_due();
                }
            }
            Record::Scheduled(scheduled) => {
                if let Some(kept) = self.messages.get_mut(&scheduled.message) {
                    assert_eq!((kept.destination, kept.place), (scheduled.destination, scheduled.place));
                    (kept.attempts, kept.nacks, kept.standing) = (0, 0, Standing::Ready);
                    kept.terms.get_or_insert_default().reschedule(scheduled.schedule.clone());
                }
            }
            Record::Moved(moved) => self.carry(moved),
            Record::Limited(limited) => drop(self.limits.insert(limited.queue, limited.limits.clone())),
            Record::Paused(paused) if paused.pause.is_over() => drop(self.pauses.remove(&paused.queue)),
            Record::Paused(paused) => drop(self.pauses.insert(paused.queue, paused.pause)),
            Record::IdBlock { next } => self.next_id = self.next_id.max(*next),
            Record::Suspected { below } => self.suspected = self.suspected.max(*below),
        }
    }

    fn carry(&mut self, moved: &Moved) {
        if let Some(kept) = self.messages.get_mut(&moved.message) {
            assert_eq!((kept.destination, kept.place), (moved.from, moved.from_place));
            (kept.destination, kept.place) = (moved.to, moved.to_place);
            kept.note.clone_from(&moved.note);
            let anew = Carried { attempts: 0, nacks: 0, standing: Standing::Ready };
            let Carried { attempts, nacks, standing } = moved.carried.unwrap_or(anew);
            (kept.attempts, kept.nacks, kept.standing) = (attempts, nacks, standing);
            if let Some(terms) = &mut kept.terms {
                terms.move_over(moved.carried.is_none());
            }
        }
    }

    fn apply_to_job(&mut self, record: &Record) {
        match record {
            Record::Tracked(status) => drop(self.statuses.insert(status.job, (**status).clone())),
            Record::Reported(report) => {
                if let Some(status) = self.statuses.get_mut(&report.job) {
                    status.apply(report);
                }
            }
            Record::Attached { job, waiter } => {
                if let Some(status) = self.statuses.get_mut(job) {
                    status.attach((**waiter).clone());
                }
            }
            Record::Forgotten { job } => drop(self.statuses.remove(job)),
            _ => {}
        }
    }
}

/// A [`Ledger`] that is filled by a replay, and where each message lies.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The state.
    pub ledger: Ledger,
    /// Positions of the messages, in the order in which they were told.
    pub positions: Vec<(MessageId, Position)>,
}

impl Reading {
    /// Where a message lies.
    pub fn position(&self, message: MessageId) -> Option<Position> {
        self.positions.iter().find(|(id, _)| *id == message).map(|(_, position)| *position)
    }
}

impl Replay for Reading {
    fn record(&mut self, record: Record, position: Option<Position>) {
        if let Record::Accepted(accepted) = &record {
            assert!(accepted.content.is_none(), "content stays in the log");
            let position = position.expect("a message has a position");
            assert!(self.positions.last().is_none_or(|(_, last)| *last < position), "positions rise");
            self.positions.push((accepted.message, position));
        }
        self.ledger.apply(&record);
    }
}
