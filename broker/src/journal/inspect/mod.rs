//! Looks at a data directory without a broker: what is in it, what is damaged, and what of it can be kept.
//!
//! It reads by the code of recovery, so that a tool and a start never disagree, and changes nothing; [`repair`] and
//! [`Scribe`] write, by the code of the journal.

mod check;
mod copy;
mod dump;
mod line;
mod repair;
mod salvage;
mod scribe;
mod shown;
mod sweep;
mod tables;

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::OpenError;
use super::Options;
use super::format::SegmentId;
use super::fs::{Disk, FileSystem};
use super::meta;
use super::reader::Shelf;
use super::recovery::{read_tail, replay_sealed, tell};
use super::store::Store;
use super::walk::is_taken_over;
use crate::model::{DestinationName, LogReader, MessageId, Replay, Timestamp};

pub use self::check::Checked;
pub use self::copy::{Copier, Load, happened_at};
pub use self::dump::Filter;
pub use self::line::{Line, Value, of_terms};
pub(super) use self::repair::refuse_half_repaired;
pub use self::repair::{Repaired, repair};
pub use self::scribe::{Scribe, decode, decode_terms, encode, encode_terms};

/// Most octets of a record that a tool reads: whatever a log may hold.
const RECORD_BYTES_MAX: usize = 1 << 31;

/// Something that is worth telling while a directory is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A segment was read to its end.
    Segment(Segment),
    /// Octets that were durable are not what they were.
    Damage(Damage),
    /// A message that cannot be read any more.
    Lost(Lost),
    /// What else there is to know.
    Note(String),
    /// How far it is.
    Progress {
        /// Octets that have been read.
        done: u64,
        /// Octets there are.
        total: u64,
    },
}

/// A segment, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its file.
    pub file: String,
    /// Octets of the file.
    pub bytes: u64,
    /// Batches that are whole.
    pub batches: u64,
    /// Messages that were written to it.
    pub messages: u64,
    /// Those of them that are still there.
    pub living: u64,
    /// It has its summary and does not grow any more.
    pub is_sealed: bool,
    /// Where a write begins that was never finished.
    pub torn_at: Option<u64>,
}

/// Octets that were durable and are not what they were.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// In which file.
    pub file: String,
    /// From which octet on.
    pub offset: u64,
    /// Up to which one; the same where nothing but the order is wrong.
    pub until: u64,
    /// What is wrong.
    pub what: String,
}

/// A message that cannot be read any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Which, if that is known.
    pub message: Option<MessageId>,
    /// In which queue it was, if that is known.
    pub queue: Option<DestinationName>,
    /// In which file.
    pub file: String,
    /// Where its record begins, if that is known.
    pub offset: Option<u64>,
    /// Which it was stands under a checksum that holds. Otherwise it is what the damaged record says.
    pub is_certain: bool,
    /// How many there are of which no more is known than that.
    pub count: u64,
}

/// A data directory that nobody uses, open for reading.
#[derive(Debug)]
pub struct Inspection {
    store: Arc<Store>,
    shelf: Arc<Shelf>,
    ids: Vec<SegmentId>,
    /// Both copies of the identity are there.
    is_identity_whole: bool,
}

/// What a start would find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Messages that are there.
    pub messages: u64,
    /// The last stop was an orderly one.
    pub clean: bool,
}

impl Inspection {
    /// Takes a directory for reading.
    pub fn open(directory: &Path) -> Result<Inspection, OpenError> {
        let disk = Disk::to_read(directory).map_err(|error| OpenError::io(directory.display().to_string(), error))?;
        Inspection::of(Arc::new(disk))
    }

    /// The same, of any file system.
    pub fn of(fs: Arc<dyn FileSystem>) -> Result<Inspection, OpenError> {
        let lock = fs.lock();
        Inspection::under(fs, lock)
    }

    /// Under a lock that was asked for.
    pub(super) fn under(
        fs: Arc<dyn FileSystem>,
        lock: std::io::Result<Box<dyn super::fs::Lock>>,
    ) -> Result<Inspection, OpenError> {
        let fs: Arc<dyn FileSystem> = Arc::new(shown::Shown(fs));
        let lock = lock.map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => OpenError::Locked,
            _ => OpenError::io("lock", error),
        })?;
        refuse_half_repaired(fs.as_ref())?;
        let Some((meta, is_identity_whole)) = meta::Meta::find(fs.as_ref())? else {
            return Err(OpenError::damaged(meta::NAMES[0], 0, "there is no journal here"));
        };
        let names = fs.list().map_err(|error| OpenError::io("the data directory", error))?;
        let mut ids: Vec<SegmentId> = names.iter().filter_map(|name| SegmentId::from_file_name(name)).collect();
        ids.sort_unstable();
        // The other name of a file that has become a later segment.
        ids.retain(|id| !is_taken_over(fs.as_ref(), &meta, *id).unwrap_or(false));
        let options = Options { unit_bytes: RECORD_BYTES_MAX, shard: meta.shard, ..Options::new(Path::new("")) };
        let store = Arc::new(Store { fs, options, meta, _lock: Mutex::new(lock) });
        let shelf = Arc::new(Shelf::new(store.clone()));
        Ok(Inspection { store, shelf, ids, is_identity_whole })
    }

    /// Tells what a broker would be told that starts here, in the same order; or why it would refuse.
    pub fn replay(&self, replay: &mut dyn Replay) -> Result<State, OpenError> {
        let tail = read_tail(&self.store, &self.ids)?;
        tail.live.heads().for_each(|head| replay.record(head, None));
        replay_sealed(&self.store, &tail, &self.shelf, replay)?;
        let state = State { messages: tail.live.messages(), clean: tail.clean };
        let Some(segment) = &tail.segment else { return Ok(state) };
        self.shelf.extend(segment.id, tail.entries.iter().map(|entry| entry.offset));
        for (slot, entry) in (0..).zip(&tail.entries) {
            let position = segment.id.position(self.store.meta.shard, slot);
            if tail.live.is_live(position) {
                tell(replay, entry, position, (tail.live.override_of(position), tail.live.terms_of(position)));
            }
        }
        Ok(state)
    }

    /// Reads the messages that [`replay`](Self::replay) told of.
    pub fn reader(&self) -> Arc<dyn LogReader> {
        self.shelf.clone()
    }

    /// When the directory was made.
    pub fn created(&self) -> Timestamp {
        self.store.meta.created
    }
}
