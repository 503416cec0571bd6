//! What the engine's shell asks of a log. The disk journal is one, the memory log of the tests another.
//!
//! A batch is the unit of durability, order and fencing. Errors are final: there is no *timeout* and no *unknown*. A log
//! that does not know an outcome finds out, or poisons itself and reports nothing durable any more.

use std::fmt;

use thiserror::Error;

use super::{Content, Position, Record, Ticket, Timestamp};

/// The writing side of an open log. One owner, under the engine's lock.
pub trait Log: Send + fmt::Debug {
    /// Takes all records out of the vector as one unit: after a crash either all of them are there or none. Never waits;
    /// the order of calls is the order in the log. `wall` is the owner's clock.
    fn append(&mut self, records: &mut Vec<Record>, wall: Timestamp) -> Result<Ticket, LogError>;

    /// Most bytes of one append. Whoever appends has to see to it that what it brings stays below, before anything has
    /// changed: by [`Record::bytes`], of which a body that several messages share counts once.
    fn unit_bytes(&self) -> usize;

    /// What is kept beside messages: keys, the times and failures of messages, jobs, subscriptions. It is in memory, and is
    /// written anew now and then; over its limit nothing should be asked for that adds to it. Finishing work always may.
    fn state(&self) -> StateBytes {
        StateBytes::UNBOUNDED
    }

    /// How much more may be in flight now. A log over its bound still takes what is appended (finishing work may not fail
    /// for lack of room); whoever makes new work waits while [`Capacity::is_spent`]. A full disk is another matter: see
    /// [`is_full`](Self::is_full).
    fn capacity(&self) -> Capacity;

    /// Whether new messages are refused for lack of space. Records that finish work (settled, returned, moved) are still
    /// taken: room for them is kept aside. A log that says no here does not answer [`LogError::Full`] until it
    /// is asked again.
    fn is_full(&mut self) -> bool;

    /// How much room there is for records that finish work. They are taken in any case; while there is none they wait, and
    /// nothing becomes durable.
    fn room(&self) -> Room {
        Room::Enough
    }
}

/// Room for records that finish work, where a disk is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// It goes on.
    #[default]
    Enough,
    /// It goes on, but nothing should be added that can wait: dead letters of messages that expire, moves.
    Scarce,
    /// None: what has been appended waits until there is, and nothing more should be asked for.
    None,
}

/// The reading side: bodies of a deep backlog. Used from several threads, may wait for the disk.
pub trait LogReader: Send + Sync + fmt::Debug {
    /// Head and body of the message accepted at that position. The caller holds the message unsettled, so it is there.
    fn read(&self, position: Position) -> Result<Content, LogError>;

    /// In how many places something was found that cannot be read.
    fn damaged(&self) -> usize {
        0
    }
}

/// Who wants to know when appends are durable. Called by the log, in order, from a thread of its own.
pub trait LogSink: Send + Sync {
    /// Appends up to a ticket are durable.
    fn durable(&self, durable: Durable<'_>);

    /// The log is at its end; nothing will become durable any more.
    fn failed(&self, error: LogError);
}

/// A stretch of the log that has become durable.
#[derive(Clone, Copy, Debug)]
pub struct Durable<'a> {
    /// The newest ticket covered; all earlier ones are covered too.
    pub through: Ticket,
    /// Where each [`Record::Accepted`] lies that has become durable since the last call, in the order of appends.
    pub positions: &'a [Position],
}

/// Who is told what a log holds when it is opened, oldest first.
pub trait Replay {
    /// One record. `position` is given with [`Record::Accepted`], whose content stays in the log.
    fn record(&mut self, record: Record, position: Option<Position>);
}

/// Room for new work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Octets that may still be handed over.
    pub bytes: usize,
    /// Batches that may still be handed over.
    pub batches: usize,
}

impl Capacity {
    /// No room: wait until something has become durable.
    pub const fn is_spent(self) -> bool {
        self.bytes == 0 || self.batches == 0
    }
}

/// How large the state of a log is, beside its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateBytes {
    /// Bytes that it takes.
    pub used: u64,
    /// From here on nothing new should add to it.
    pub most: u64,
}

impl StateBytes {
    /// None, of any number.
    pub const UNBOUNDED: StateBytes = StateBytes { used: 0, most: u64::MAX };

    /// Whether nothing new should add to it.
    pub const fn is_spent(self) -> bool {
        self.used >= self.most
    }
}

/// Why a log will not do something. Each is final for this opening of the log, but for [`LogError::TooLarge`] and
/// [`LogError::Damaged`], which concern one append or one message, and [`LogError::Unreadable`], which concerns the moment.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LogError {
    /// Somebody else has claimed the log since.
    #[error("the log has been claimed by another process")]
    Fenced,
    /// No space is left for new records.
    #[error("no space is left for the log")]
    Full,
    /// The append is larger than [`Log::unit_bytes`]: a mistake of the caller, who is to ask before it changes anything.
    #[error("an append of {size} bytes is larger than the log's maximum of {limit}: this is a bug of the broker")]
    TooLarge {
        /// Its octets.
        size: usize,
        /// The most allowed.
        limit: usize,
    },
    /// What was durable before is not there any more.
    #[error("the log's tail is lost: {0}")]
    LostTail(String),
    /// A write or sync failed: what became of it is unknown, so nothing more is promised.
    #[error("the log failed: {0}")]
    Poisoned(String),
    /// A part of the process that cannot be missed has panicked, which is a bug.
    #[error("{0} panicked")]
    Panicked(&'static str),
    /// What is stored at a position cannot be read now: the system says why, and may say otherwise a moment later.
    #[error("a stored message cannot be read now: {0}")]
    Unreadable(String),
    /// What is stored at a position does not match its checksum.
    #[error("a stored message is damaged: {0}")]
    Damaged(String),
}

impl LogError {
    /// Whether whoever appended should have known: it did not ask [`Log::is_full`] or [`Log::unit_bytes`] before.
    pub const fn is_a_mistake(&self) -> bool {
        matches!(self, LogError::Full | LogError::TooLarge { .. })
    }
}
