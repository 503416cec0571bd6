//! The disk journal: one append-only log for all queues, a sync for every batch, segments that are used again.
//!
//! [`Journal::open`] takes the directory, tells a torn tail from damage, replays what survived; [`Journal::start`] gives
//! the two sides of the log. It implements the traits of `model` and knows nothing of queues, connections or STOMP.
//! The format is described octet by octet in docs/journal-format.md.

mod agreed;
mod appender;
mod aside;
#[cfg(any(test, feature = "internals"))]
mod by_hand;
mod certain;
mod change;
mod checkpoint;
mod claim;
mod compaction;
#[cfg(any(test, feature = "internals"))]
pub mod conformance;
mod copying;
mod fanout;
#[cfg(any(test, feature = "internals"))]
pub mod fault;
mod format;
pub mod fs;
pub mod inspect;
mod live;
#[cfg(any(test, feature = "internals"))]
pub mod memory;
mod message;
mod meta;
mod notes;
mod octets;
mod orders;
mod places;
mod plan;
mod reader;
mod record;
mod recovery;
mod rewrite;
mod roll;
mod scrub;
mod segment;
mod start_room;
mod status;
mod store;
mod stored;
mod summary;
mod torn;
mod walk;
mod weight;
mod work;
mod writer;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use thiserror::Error;

#[cfg(any(test, feature = "internals"))]
pub use self::by_hand::ByHand;
pub use self::fs::Disk;
pub use self::fs::FileSystem;
pub use self::writer::Stopper;
use crate::model::{Epoch, Log, LogReader, LogSink, Replay, ShardId, Timestamp};

/// What can be chosen about a journal.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its files are.
    pub directory: PathBuf,
    /// The shard it keeps; fixed when the directory is made.
    pub shard: ShardId,
    /// Octets of a segment.
    pub segment_bytes: u64,
    /// Most octets of a batch, unless a single message is larger.
    pub batch_bytes: usize,
    /// Most octets of one append.
    pub unit_bytes: usize,
    /// Bytes of what is kept beside messages, over which the log says that nothing should be added to it.
    pub state_bytes: u64,
    /// Octets that may wait to become durable before new work has to wait.
    pub in_flight_bytes: usize,
    /// Appends that may wait to become durable before new work has to wait.
    pub in_flight_batches: usize,
    /// Segments kept ready. They are also what finishing work lives on when the disk is full.
    pub spare_segments: usize,
    /// Free octets of the file system that the journal leaves alone.
    pub disk_reserve_bytes: u64,
    /// Bytes a second at which sealed segments are read in the background to check them.
    pub scrub_bytes: u64,
    /// Most files open for reading.
    pub open_files: usize,
    /// After this long without work the last batch is followed by an empty one, and the free space is looked at again.
    pub idle_after: Duration,
    /// Spare segments are made by a thread of their own, and another checks segments; without it the journal's thread makes
    /// spares when it is idle, and nothing is checked before it is read.
    pub spares_thread: bool,
}

impl Options {
    /// The defaults, for that directory.
    pub fn new(directory: &Path) -> Options {
        Options {
            directory: directory.to_owned(),
            shard: ShardId::default(),
            segment_bytes: 64 << 20,
            batch_bytes: 4 << 20,
            unit_bytes: 256 << 20,
            state_bytes: 512 << 20,
            // One batch that is being written, and one that gathers.
            in_flight_bytes: 8 << 20,
            in_flight_batches: 4096,
            spare_segments: 3,
            disk_reserve_bytes: 64 << 20,
            scrub_bytes: 4 << 20,
            open_files: 64,
            idle_after: Duration::from_secs(1),
            spares_thread: true,
        }
    }

    fn check(&self) -> Result<(), OpenError> {
        let block = format::BLOCK_BYTES;
        let least = 2 * self.batch_bytes as u64 + 4 * block as u64;
        match self {
            _ if self.batch_bytes < 1024 => Err(OpenError::Options("a batch has at least 1 KiB")),
            _ if self.segment_bytes < least => {
                Err(OpenError::Options("a segment holds at least two batches and 16 KiB"))
            }
            _ if self.segment_bytes + (self.unit_bytes as u64 + self.state_bytes) * 2 > format::SEGMENT_BYTES_MAX => {
                Err(OpenError::Options("a segment, twice the largest append and twice the state have at most 4 GiB"))
            }
            _ if !self.segment_bytes.is_multiple_of(block as u64) => {
                Err(OpenError::Options("a segment is a multiple of 4 KiB"))
            }
            _ if self.spare_segments == 0 => Err(OpenError::Options("at least one segment is kept ready")),
            _ if self.open_files < 2 => Err(OpenError::Options("at least two files may be open")),
            _ => Ok(()),
        }
    }
}

/// A journal that has recovered and does not yet take anything.
#[derive(Debug)]
pub struct Journal {
    appender: appender::Appender,
}

/// What [`Journal::open`] gives.
#[derive(Debug)]
pub struct Opened {
    /// What was found.
    pub recovered: Recovered,
    /// The journal, which holds the directory's lock.
    pub journal: Journal,
}

/// What was found at the start.
#[derive(Clone, Copy, Debug)]
pub struct Recovered {
    /// Messages that are still there.
    pub messages: u64,
    /// The last stop was an orderly one. Otherwise messages may have been out with a consumer.
    pub clean: bool,
    /// The claim of this run, one higher than that of the last.
    pub epoch: Epoch,
    /// The highest time of an owner's clock in it. This run's starts there, unless the machine says that it was wrong: see
    /// [`Timestamp::or_machine`].
    pub clock: Timestamp,
}

/// A running journal.
#[derive(Debug)]
pub struct Running {
    /// The writing side, for the engine.
    pub log: Box<dyn Log>,
    /// The reading side, for whoever needs bodies that are no longer in memory.
    pub reader: Arc<dyn LogReader>,
    /// Ends it.
    pub stopper: Stopper,
}

impl Journal {
    /// Takes the directory and brings back what survived, telling `replay`: destinations, the high-water mark of ids,
    /// then every live message in the order of the log with what happened to it since. A message that was moved is
    /// accepted where it is now and then *moved* from there to there, so that its note is told although the queue it
    /// came from may be gone. `now` is the wall clock. What `replay` was told counts only if this succeeds.
    pub fn open(
        options: Options,
        fs: Arc<dyn FileSystem>,
        replay: &mut dyn Replay,
        now: Timestamp,
    ) -> Result<Opened, OpenError> {
        options.check()?;
        inspect::refuse_half_repaired(fs.as_ref())?;
        let lock = fs.lock().map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => OpenError::Locked,
            _ => OpenError::io("lock", error),
        })?;
        let meta = match meta::Meta::load(fs.as_ref())? {
            Some(meta) if meta.shard != options.shard => {
                return Err(OpenError::Options("the directory keeps another shard"));
            }
            Some(meta) => meta,
            None => first_meta(fs.as_ref(), options.shard, now)?,
        };
        let store = store::Store { fs, options, meta, _lock: Mutex::new(lock) };
        let (appender, recovered) = recovery::recover(store, replay, now)?;
        Ok(Opened { recovered, journal: Journal { appender } })
    }

    /// Starts its threads. `sink` is told what becomes durable, from one of them.
    pub fn start(self, sink: Arc<dyn LogSink>) -> io::Result<Running> {
        let (reader, options) = (self.reader(), self.appender.store.options.clone());
        let (writer, stopper) = writer::start(self.appender, sink, &options)?;
        Ok(Running { log: Box::new(writer), reader, stopper })
    }

    /// Starts it without threads: it works when [`ByHand::turn`] is called.
    #[cfg(any(test, feature = "internals"))]
    pub fn start_by_hand(self, sink: Arc<dyn LogSink>) -> (Box<dyn Log>, Arc<dyn LogReader>, ByHand) {
        let (reader, options) = (self.reader(), self.appender.store.options.clone());
        let (writer, hand) = by_hand::by_hand(self.appender, sink, &options);
        (Box::new(writer), reader, hand)
    }

    /// The reading side, before the journal is started.
    pub fn reader(&self) -> Arc<dyn LogReader> {
        self.appender.shelf.clone()
    }

    /// The random identity of this data directory's node, made with it.
    pub fn node(&self) -> u128 {
        self.appender.store.meta.node
    }

    /// When the data directory was made.
    pub fn created(&self) -> Timestamp {
        self.appender.store.meta.created
    }
}

/// A new directory's identity. A directory that has segments and no identity is not new.
fn first_meta(fs: &dyn FileSystem, shard: ShardId, now: Timestamp) -> Result<meta::Meta, OpenError> {
    let names = fs.list().map_err(|error| OpenError::io("the data directory", error))?;
    if names.iter().any(|name| format::SegmentId::from_file_name(name).is_some()) {
        return Err(OpenError::damaged("store.meta", 0, "there are segments, but the store's identity is missing"));
    }
    let meta = meta::Meta::random(fs, shard, now).map_err(|error| OpenError::io("random numbers", error))?;
    meta.save(fs).map_err(|error| OpenError::io("store.meta", error))?;
    Ok(meta)
}

/// Why a journal does not open.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has the directory.
    #[error("the data directory is in use by another process")]
    Locked,
    /// Data that was durable is not what it was. Nothing was changed; a repair has to be asked for.
    #[error("{file} is damaged at octet {offset}: {what}")]
    Damaged {
        /// Which file.
        file: String,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// Written by a newer program.
    #[error(
        "{file} has format {version}, which this program does not know; it knows format {}",
        format::DIRECTORY_VERSION
    )]
    Newer {
        /// Which file.
        file: String,
        /// Its format.
        version: u32,
    },
    /// The options contradict each other or the directory.
    #[error("{0}")]
    Options(&'static str),
    /// The operating system refused.
    #[error("{file}: {source}")]
    Io {
        /// What it was about.
        file: String,
        /// What it said.
        source: io::Error,
    },
}

impl OpenError {
    fn io(file: impl Into<String>, source: io::Error) -> OpenError {
        OpenError::Io { file: file.into(), source }
    }

    fn damaged(file: impl Into<String>, offset: u64, what: &'static str) -> OpenError {
        OpenError::Damaged { file: file.into(), offset, what }
    }
}
