//! Where segments come from and where they go: a small pool of spare files, zero-filled once, used again and again.
//!
//! A spare gets its number and header, and both are durable, before anything refers to it. It must not know what is in a
//! segment, nor decide when one is dead.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::format::{BLOCK_BYTES, SEGMENT_BYTES_MAX, SegmentHeader, SegmentId};
use super::fs::File;
use super::segment::Segment;
use super::store::Store;
use crate::seeded::{self, Bug};

/// The pool.
#[derive(Debug)]
pub(super) struct Spares {
    store: Arc<Store>,
    pool: Mutex<Pool>,
    changed: Condvar,
    full: AtomicBool,
    /// Bytes of a segment with the next checkpoint, if no spare takes it.
    room: AtomicU64,
}

#[derive(Debug, Default)]
struct Pool {
    ready: Vec<(String, Arc<dyn File>)>,
    /// Number of the next spare's name.
    next: u64,
    closed: bool,
}

impl Spares {
    pub(super) fn new(store: Arc<Store>) -> Spares {
        Spares {
            store,
            pool: Mutex::default(),
            changed: Condvar::new(),
            full: AtomicBool::new(false),
            room: AtomicU64::new(0),
        }
    }

    /// The pool is below its size and the disk has no room to fill it: new work must wait, finishing work goes on.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// The next checkpoint will need a segment of that length: from now on a disk without room for it is full.
    pub(super) fn keep_room_for(&self, length: u64) {
        let large = if length > self.store.options.segment_bytes { length } else { 0 };
        self.room.store(large, Ordering::Relaxed);
    }

    /// Whether a segment of that length may be made for a checkpoint that gives back so many bytes. One as long as a spare
    /// always may: the log needs one anyway. A larger one takes of the reserve only what it gives back, and leaves room for a
    /// spare.
    pub(super) fn has_room_for(&self, length: u64, given_back: u64) -> io::Result<bool> {
        let options = &self.store.options;
        if length <= options.segment_bytes {
            return Ok(true);
        }
        let is_worth_it = self.is_full() && given_back >= length;
        let left = if is_worth_it { options.segment_bytes } else { options.disk_reserve_bytes };
        Ok(length <= SEGMENT_BYTES_MAX && self.store.fs.free_bytes()? >= length.saturating_add(left))
    }

    /// Whether a segment of that length can be had now. For what may be left undone: a segment that the log needs is taken.
    pub(super) fn can_take(&self, length: u64) -> io::Result<bool> {
        let has_spare = length <= self.store.options.segment_bytes && !self.pool().ready.is_empty();
        Ok(has_spare || self.store.fs.free_bytes()? >= length)
    }

    /// A segment of at least that many octets under that number, durable in the directory.
    pub(super) fn take(&self, id: SegmentId, length: u64) -> io::Result<Segment> {
        let ordinary = self.store.options.segment_bytes;
        let length = length.max(ordinary);
        // The last one of a full disk is kept as long as there is other room: a start needs it.
        let kept = usize::from(self.is_full());
        let pooled = if length == ordinary { self.pop(kept) } else { None };
        let (name, file) = match pooled {
            Some(spare) => spare,
            None => self.make_room_and(length)?,
        };
        self.changed.notify_all();
        self.head(file.as_ref(), id, length)?;
        self.store.fs.rename(&name, &id.file_name())?;
        if !seeded::is(Bug::DirectoryNotSynced) {
            self.store.fs.sync_dir()?;
        }
        Ok(Segment { id, file, length })
    }

    /// Takes a segment back that nothing durable refers to any more.
    pub(super) fn give_back(&self, ids: &[SegmentId]) -> io::Result<()> {
        for id in ids {
            self.adopt(&id.file_name())?;
        }
        if !ids.is_empty() {
            self.store.fs.sync_dir()?;
            if self.is_full() {
                self.look();
            }
        }
        Ok(())
    }

    /// Makes a file that is lying about into a spare, or removes it. The caller syncs the directory.
    pub(super) fn adopt(&self, name: &str) -> io::Result<()> {
        let file = self.store.fs.open(name)?;
        let mut pool = self.pool();
        let wanted = pool.ready.len() < self.store.options.spare_segments;
        if !wanted || file.size()? != self.store.options.segment_bytes {
            return self.store.fs.unlink(name);
        }
        let spare = pool.next_name();
        self.store.fs.rename(name, &spare)?;
        pool.ready.push((spare, file));
        Ok(())
    }

    /// Takes over the spares that an earlier run left. Where a power cut kept both names of a file that was renamed, only
    /// the segment's counts: under the other one it would be given away while something refers to it.
    pub(super) fn inherit(&self, names: &[String], segments: &[SegmentId]) -> io::Result<()> {
        for name in names {
            self.pool().avoid(name);
        }
        for name in names {
            if self.number(name)?.is_some_and(|number| segments.contains(&number)) && !seeded::is(Bug::SpareIsASegment)
            {
                self.store.fs.unlink(name)?;
            } else {
                self.adopt(name)?;
            }
        }
        if !names.is_empty() {
            self.store.fs.sync_dir()?;
        }
        Ok(())
    }

    /// Removes segments that a start which was killed has left.
    pub(super) fn remove(&self, ids: &[SegmentId]) -> io::Result<()> {
        // One by one, so that a power cut leaves none behind that counts on one that is gone.
        ids.iter().try_for_each(|id| {
            self.store.fs.unlink(&id.file_name())?;
            self.store.fs.sync_dir()
        })
    }

    /// Looks whether there is room for what has to be kept aside, and says so: the spares that are missing, the next
    /// checkpoint, and the reserve of the disk. While new messages are taken, finishing work can count on all of that.
    pub(super) fn look(&self) {
        self.judge(self.has_space(self.missing()));
    }

    fn judge(&self, has_space: io::Result<bool>) {
        let error = match has_space {
            Ok(true) => return self.full.store(false, Ordering::Relaxed),
            Ok(false) => io::ErrorKind::StorageFull.into(),
            Err(error) => error,
        };
        if !self.full.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "no room for another segment: new messages have to wait");
        }
    }

    /// Makes one more spare if the pool is short of one. Says whether there may be more to do.
    pub(super) fn top_up(&self) -> bool {
        if self.missing() == 0 {
            self.look();
            return false;
        }
        let made = match self.has_space(1) {
            Ok(true) => self.make(self.store.options.segment_bytes, true),
            Ok(false) => Err(io::ErrorKind::StorageFull.into()),
            Err(error) => Err(error),
        };
        match made {
            Ok(spare) => {
                self.pool().ready.push(spare);
                if self.is_full() {
                    // While it was being made it was missing twice: its room was gone and it was not there.
                    self.look();
                }
                true
            }
            Err(error) => {
                self.judge(Err(error));
                false
            }
        }
    }

    /// Waits until a spare is wanted, or for a while, after which a disk without room is looked at again; `false` when the
    /// pool is closed. For the thread that fills it.
    pub(super) fn wait_until_wanted(&self, a_while: Duration) -> bool {
        let enough = |pool: &Pool| pool.ready.len() >= self.store.options.spare_segments || self.is_full();
        let idle = |pool: &mut Pool| !pool.closed && enough(pool);
        let waited = self.changed.wait_timeout_while(self.pool(), a_while, idle);
        !waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    pub(super) fn close(&self) {
        self.pool().closed = true;
        self.changed.notify_all();
    }

    /// How many spares are wanted.
    fn missing(&self) -> usize {
        self.store.options.spare_segments.saturating_sub(self.pool().ready.len())
    }

    /// Whether the disk has room for so many spares and for the next checkpoint, and its reserve.
    fn has_space(&self, spares: usize) -> io::Result<bool> {
        let options = &self.store.options;
        let spares = options.segment_bytes.saturating_mul(spares as u64);
        let wanted =
            spares.saturating_add(options.disk_reserve_bytes).saturating_add(self.room.load(Ordering::Relaxed));
        Ok(wanted == 0 || self.store.fs.free_bytes()? >= wanted)
    }

    /// A spare, if there are more than those that are kept.
    fn pop(&self, kept: usize) -> Option<(String, Arc<dyn File>)> {
        let mut pool = self.pool();
        if pool.ready.len() > kept { pool.ready.pop() } else { None }
    }

    /// Makes a file. Where the disk has no other room it is the last spare, or spares are given up for it.
    fn make_room_and(&self, length: u64) -> io::Result<(String, Arc<dyn File>)> {
        loop {
            let error = match self.make(length, false) {
                Err(error) if error.kind() == io::ErrorKind::StorageFull => error,
                made => return made,
            };
            let Some((spare, file)) = self.pop(0) else { return Err(error) };
            if length == self.store.options.segment_bytes {
                return Ok((spare, file));
            }
            drop(file);
            self.store.fs.unlink(&spare)?;
        }
    }

    fn make(&self, length: u64, fill: bool) -> io::Result<(String, Arc<dyn File>)> {
        let name = self.pool().next_name();
        let file = self.store.fs.create(&name, length, fill)?;
        match self.head(file.as_ref(), SegmentId(0), length) {
            Ok(()) => Ok((name, file)),
            Err(error) => {
                drop(self.store.fs.unlink(&name));
                Err(error)
            }
        }
    }

    /// The number in a file's header.
    fn number(&self, name: &str) -> io::Result<Option<SegmentId>> {
        let mut block = vec![0; BLOCK_BYTES];
        let read = self.store.fs.open(name)?.read_at(&mut block, 0)?;
        let header = SegmentHeader::decode(self.store.meta.key, block.get(..read).unwrap_or_default());
        Ok(header.map(|header| header.segment))
    }

    fn head(&self, file: &dyn File, segment: SegmentId, length: u64) -> io::Result<()> {
        let header = SegmentHeader { store: self.store.meta.store, segment, length };
        file.write_at(&header.encode(self.store.meta.key), 0)?;
        file.sync_data()
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    fn next_name(&mut self) -> String {
        self.next += 1;
        format!("{SPARE_PREFIX}{:016x}", self.next)
    }

    /// Keeps clear of a name that is taken.
    fn avoid(&mut self, name: &str) {
        let number = name.strip_prefix(SPARE_PREFIX).and_then(|digits| u64::from_str_radix(digits, 16).ok());
        self.next = self.next.max(number.unwrap_or_default());
    }
}

/// How the names of spare files begin.
pub(super) const SPARE_PREFIX: &str = "spare-";
