//! What an operator asks about everything that waits for its time: delayed messages and schedules.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::{Content, DestinationName, MessageId, Reader, Schedule, Timestamp};

/// One thing asked.
#[derive(Clone, Debug)]
pub struct Oversee {
    /// What.
    pub operation: Oversight,
    /// Whose it may be: what goes to destinations that the client may not read is not there for it.
    pub reader: Arc<dyn Reader>,
}

/// What can be asked.
#[derive(Clone, Debug)]
pub enum Oversight {
    /// Tell of each that is due in a time, the next one first, and then that this was all.
    Browse {
        /// When.
        due: RangeInclusive<Timestamp>,
        /// Where it is told.
        to: DestinationName,
        /// In which words.
        scribe: Arc<dyn Scribe>,
    },
    /// Remove one.
    Remove {
        /// Which.
        message: MessageId,
    },
    /// Remove the schedules of a name.
    RemoveNamed {
        /// The name.
        name: Arc<str>,
        /// Their destination, if not of all.
        of: Option<DestinationName>,
    },
    /// Remove all that are due in a time.
    RemoveAll {
        /// When.
        due: RangeInclusive<Timestamp>,
    },
}

/// Something that waits for its time.
#[derive(Clone, Debug)]
pub struct Upcoming {
    /// The message, or the one that the schedule is.
    pub message: MessageId,
    /// Where it goes.
    pub to: DestinationName,
    /// When.
    pub due: Timestamp,
    /// How it goes on, for a schedule.
    pub schedule: Option<Box<Schedule>>,
}

/// Whoever knows how a client is told of it.
pub trait Scribe: fmt::Debug + Send + Sync {
    /// A message that tells of one.
    fn write(&self, upcoming: &Upcoming) -> Content;

    /// The message behind the last one.
    fn end(&self) -> Content;
}
