//! Where segments come from and where they go: a small pool of spare files, zero-filled once, used again and again.
//!
//! A spare gets its number and header, and both are durable, before anything refers to it. It must not know what is in a
//! segment, nor decide when one is dead.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::format::{BLOCK_BYTES, SegmentHeader, SegmentId};
use super::fs::{File, is_no_space};
use super::segment::Segment;
use super::store::Store;
use crate::model::Room;
use crate::seeded::{self, Bug};

/// The pool.
#[derive(Debug)]
pub(super) struct Spares {
    pub(super) store: Arc<Store>,
    pool: Mutex<Pool>,
    changed: Condvar,
    pub(super) full: AtomicBool,
    /// Beyond full: the next segment that gives nothing back would take what a start needs.
    pub(super) scarce: AtomicBool,
    /// Something waits for a segment that cannot be had.
    out: AtomicBool,
    /// Bytes of a segment with the next checkpoint, or with the opening of the next start, if no spare takes it.
    pub(super) room: AtomicU64,
    /// Bytes of a segment with the opening of the next start.
    pub(super) start: AtomicU64,
}

#[derive(Debug, Default)]
struct Pool {
    ready: Vec<(String, Arc<dyn File>)>,
    /// Number of the next spare's name.
    next: u64,
    /// The last file could not be made: what the file system says of its free space is not to be believed, as where a
    /// user has a quota.
    is_refused: bool,
    closed: bool,
}

impl Spares {
    pub(super) fn new(store: Arc<Store>) -> Spares {
        Spares {
            store,
            pool: Mutex::default(),
            changed: Condvar::new(),
            full: AtomicBool::new(false),
            scarce: AtomicBool::new(false),
            out: AtomicBool::new(false),
            room: AtomicU64::new(0),
            start: AtomicU64::new(0),
        }
    }

    /// The pool is below its size and the disk has no room to fill it: new work must wait, finishing work goes on.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// How much room there is for what finishes work.
    pub(super) fn room(&self) -> Room {
        match (self.out.load(Ordering::Relaxed), self.is_full() && self.scarce.load(Ordering::Relaxed)) {
            (true, _) => Room::None,
            (false, true) => Room::Scarce,
            (false, false) => Room::Enough,
        }
    }

    /// Something waits for a segment that cannot be had, or does so no more.
    pub(super) fn set_out(&self, is_out: bool) {
        if self.out.swap(is_out, Ordering::Relaxed) == is_out {
            return;
        }
        if is_out {
            self.full.store(true, Ordering::Relaxed);
            tracing::error!(
                "no room is left for the log: even what finishes work waits, until something else is removed from its disk"
            );
        } else {
            tracing::warn!("the log has room again: what finishes work goes on");
        }
    }

    /// A segment of at least that many bytes under that number, durable in the directory, which leaves so many spares where it
    /// is. Where there is no room for it nothing has changed.
    pub(super) fn take(&self, id: SegmentId, length: u64, kept: usize) -> io::Result<Segment> {
        let ordinary = self.store.options.segment_bytes;
        let length = length.max(ordinary);
        let pooled = if length == ordinary { self.pop(kept) } else { None };
        let (name, file) = match pooled {
            Some(spare) => spare,
            None => self.make_room_and(length, kept)?,
        };
        self.changed.notify_all();
        let taken = self.become_segment(&name, file.clone(), id, length);
        if taken.as_ref().is_err_and(is_no_space) {
            if length == ordinary {
                self.put_back((name, file));
            } else {
                self.store.fs.unlink(&name)?;
            }
        }
        taken
    }

    /// Takes the file of an opening that was never completed, if it is of that length at least. What it holds belongs to
    /// another number, and so counts for nothing.
    pub(super) fn take_over(&self, void: SegmentId, id: SegmentId, length: u64) -> io::Result<Option<Segment>> {
        let name = void.file_name();
        let file = self.store.fs.open(&name)?;
        let has = file.size()?;
        if has < length {
            return Ok(None);
        }
        self.become_segment(&name, file, id, has).map(Some)
    }

    /// A crash before the new name is durable leaves a file whose header has a higher number than its name. A file system that
    /// copies on write may have no room for the header or the name: then the file still is what it was.
    fn become_segment(&self, name: &str, file: Arc<dyn File>, id: SegmentId, length: u64) -> io::Result<Segment> {
        self.head(file.as_ref(), id, length)?;
        self.store.fs.rename(name, &id.file_name())?;
        if !seeded::is(Bug::DirectoryNotSynced) {
            self.store.fs.sync_dir().map_err(finally)?;
        }
        Ok(Segment { id, file, length })
    }

    /// Takes a segment back that nothing durable refers to any more.
    pub(super) fn give_back(&self, ids: &[SegmentId]) -> io::Result<()> {
        for id in ids {
            let name = id.file_name();
            // The other name of a file that has become a later segment, which a power cut has left.
            if self.number(&name)?.is_some_and(|number| number != *id) {
                self.store.fs.unlink(&name)?;
            } else {
                self.adopt(&name)?;
            }
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
        let size = self.size();
        let mut pool = self.pool();
        let wanted = pool.ready.len() < size;
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

    /// Makes one more spare if the pool is short of one. Says whether there may be more to do.
    pub(super) fn top_up(&self) -> bool {
        if self.missing() == 0 {
            self.pool().is_refused = false;
            self.look();
            return false;
        }
        let segment = self.store.options.segment_bytes;
        // What a start needs may be made from the reserve, which is there for that.
        let wanted = if self.ready() < self.kept() { segment } else { self.wanted(1) };
        let made = match if wanted == 0 { Ok(0) } else { self.store.fs.free_bytes() } {
            Ok(free) if free >= wanted => self.make(segment, true),
            Ok(_) => Err(io::ErrorKind::StorageFull.into()),
            Err(error) => Err(error),
        };
        match made {
            Ok(spare) => {
                self.put_back(spare);
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

    /// Waits until a spare is wanted at once, or for a while, after which the pool is filled and a disk without room is
    /// looked at again; `false` when the pool is closed. For the thread that fills it.
    pub(super) fn wait_until_wanted(&self, a_while: Duration) -> bool {
        // Mostly the next one is a segment that is given back soon; a new one would be written twice.
        let (size, kept) = (self.size(), self.kept());
        let enough = |pool: &Pool| pool.ready.len() > kept && pool.ready.len() * 2 > size || self.is_full();
        let idle = |pool: &mut Pool| !pool.closed && enough(pool);
        let waited = self.changed.wait_timeout_while(self.pool(), a_while, idle);
        !waited.unwrap_or_else(PoisonError::into_inner).0.closed
    }

    pub(super) fn close(&self) {
        self.pool().closed = true;
        self.changed.notify_all();
    }

    /// A spare, if there are more than those that are kept.
    fn pop(&self, kept: usize) -> Option<(String, Arc<dyn File>)> {
        let mut pool = self.pool();
        if pool.ready.len() > kept { pool.ready.pop() } else { None }
    }

    /// Whether a file of that length could be made from what is free and spares beside those that are kept.
    fn could_make(&self, length: u64, kept: usize) -> bool {
        let segment = self.store.options.segment_bytes;
        let spares = self.ready().saturating_sub(kept) as u64 * segment;
        // Where there is a quota, all that is known is that it takes what is given up.
        length == segment || spares.saturating_add(self.store.fs.free_bytes().unwrap_or(0)) >= length
    }

    /// Makes a file. Where the disk has no other room it is a spare, or spares are given up for it, but none of those that are
    /// kept.
    fn make_room_and(&self, length: u64, kept: usize) -> io::Result<(String, Arc<dyn File>)> {
        loop {
            let error = match self.make(length, false) {
                Err(error) if is_no_space(&error) => error,
                made => return made,
            };
            // Spares that are not enough are not given up for nothing.
            if !self.could_make(length, kept) {
                return Err(error);
            }
            let Some((spare, file)) = self.pop(kept) else { return Err(error) };
            if length == self.store.options.segment_bytes {
                return Ok((spare, file));
            }
            drop(file);
            self.store.fs.unlink(&spare)?;
        }
    }

    pub(super) fn make(&self, length: u64, fill: bool) -> io::Result<(String, Arc<dyn File>)> {
        let name = self.pool().next_name();
        let created = self.store.fs.create(&name, length, fill);
        self.pool().is_refused = created.as_ref().is_err_and(is_no_space);
        let file = created?;
        match self.head(file.as_ref(), SegmentId(0), length) {
            Ok(()) => Ok((name, file)),
            Err(error) => {
                drop(self.store.fs.unlink(&name));
                Err(error)
            }
        }
    }

    /// How many spares there are.
    pub(super) fn ready(&self) -> usize {
        self.pool().ready.len()
    }

    /// Puts a file into the pool.
    pub(super) fn put_back(&self, spare: (String, Arc<dyn File>)) {
        self.pool().ready.push(spare);
    }

    /// Whether the last file could not be made.
    pub(super) fn is_refused(&self) -> bool {
        self.pool().is_refused
    }

    /// The number in a file's header.
    fn number(&self, name: &str) -> io::Result<Option<SegmentId>> {
        let mut block = vec![0; BLOCK_BYTES];
        let read = self.store.fs.open(name)?.read_at(&mut block, 0)?;
        let header = SegmentHeader::decode(self.store.meta.key, block.get(..read).unwrap_or_default());
        Ok(header.filter(|_| !seeded::is(Bug::SpareIsASegment)).map(|header| header.segment))
    }

    fn head(&self, file: &dyn File, segment: SegmentId, length: u64) -> io::Result<()> {
        let header = SegmentHeader { store: self.store.meta.store, segment, length };
        file.write_at(&header.encode(self.store.meta.key), 0)?;
        file.sync_data().map_err(finally)
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A sync that fails is never tried again, whatever the reason: the system may have dropped what it did not write.
fn finally(error: io::Error) -> io::Error {
    if is_no_space(&error) { io::Error::other(format!("a sync failed: {error}")) } else { error }
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
