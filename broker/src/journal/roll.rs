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

    /// Whether a segment of that length may be made for a checkpoint. One as long as a spare always may: the log needs one
    /// anyway.
    pub(super) fn has_room_for(&self, length: u64) -> io::Result<bool> {
        let options = &self.store.options;
        Ok(length <= options.segment_bytes
            || length <= SEGMENT_BYTES_MAX
                && self.store.fs.free_bytes()? >= length.saturating_add(options.disk_reserve_bytes))
    }

    /// A segment of at least that many octets under that number, durable in the directory.
    pub(super) fn take(&self, id: SegmentId, length: u64) -> io::Result<Segment> {
        let ordinary = self.store.options.segment_bytes;
        let length = length.max(ordinary);
        let pooled = if length == ordinary { self.pop() } else { None };
        let (name, file) = match pooled {
            Some(spare) => spare,
            None => self.make_room_and(length)?,
        };
        self.changed.notify_all();
        self.head(file.as_ref(), id, length)?;
        self.store.fs.rename(&name, &id.file_name())?;
        self.store.fs.sync_dir()?;
        Ok(Segment { id, file, length })
    }

    /// Takes a segment back that nothing durable refers to any more.
    pub(super) fn give_back(&self, ids: &[SegmentId]) -> io::Result<()> {
        for id in ids {
            self.adopt(&id.file_name())?;
        }
        if !ids.is_empty() {
            self.store.fs.sync_dir()?;
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
        if pool.ready.len() >= self.store.options.spare_segments {
            self.full.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Takes over the spares that an earlier run left. Where a power cut kept both names of a file that was renamed, only
    /// the segment's counts: under the other one it would be given away while something refers to it.
    pub(super) fn inherit(&self, names: &[String], segments: &[SegmentId]) -> io::Result<()> {
        for name in names {
            self.pool().avoid(name);
        }
        for name in names {
            if self.number(name)?.is_some_and(|number| segments.contains(&number)) {
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

    /// Looks whether the disk has room for the spares that are missing, without making them.
    pub(super) fn look(&self) {
        let is_short = self.pool().ready.len() < self.store.options.spare_segments;
        if !self.has_space(is_short).unwrap_or(false) {
            self.full.store(true, Ordering::Relaxed);
            tracing::warn!("no room for another segment: new messages have to wait");
        }
    }

    /// Makes one more spare if the pool is short of one. Says whether there may be more to do.
    pub(super) fn top_up(&self) -> bool {
        let is_complete = self.pool().ready.len() >= self.store.options.spare_segments;
        let made = self.has_space(!is_complete).and_then(|has_space| match (has_space, is_complete) {
            (false, _) => Err(io::ErrorKind::StorageFull.into()),
            (true, true) => Ok(None),
            (true, false) => self.make(self.store.options.segment_bytes, true).map(Some),
        });
        match made {
            Ok(Some(spare)) => {
                self.pool().ready.push(spare);
                true
            }
            Ok(None) => {
                self.full.store(false, Ordering::Relaxed);
                false
            }
            Err(error) => {
                if !self.full.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "no room for another segment: new messages have to wait");
                }
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

    /// Whether the disk has room for a spare, if one is wanted, and for the next checkpoint.
    fn has_space(&self, wants_spare: bool) -> io::Result<bool> {
        let options = &self.store.options;
        let needed = self.room.load(Ordering::Relaxed) + if wants_spare { options.segment_bytes } else { 0 };
        Ok(needed == 0 || self.store.fs.free_bytes()? >= needed.saturating_add(options.disk_reserve_bytes))
    }

    /// A spare, but not the last one of a full disk: a start needs that.
    fn pop(&self) -> Option<(String, Arc<dyn File>)> {
        let kept = usize::from(self.is_full());
        let mut pool = self.pool();
        if pool.ready.len() > kept { pool.ready.pop() } else { None }
    }

    /// Makes a file, giving up spares for it where the disk has no other room.
    fn make_room_and(&self, length: u64) -> io::Result<(String, Arc<dyn File>)> {
        loop {
            match self.make(length, false) {
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                    let Some((spare, file)) = self.pop() else { return Err(error) };
                    drop(file);
                    self.store.fs.unlink(&spare)?;
                }
                made => return made,
            }
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
