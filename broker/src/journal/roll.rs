//! Where segments come from and where they go: a small pool of spare files, zero-filled once, used again and again.
//!
//! A spare gets its number and header, and both are durable, before anything refers to it. It must not know what is in a
//! segment, nor decide when one is dead.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::format::{BLOCK_BYTES, SEGMENT_BYTES_MAX, SegmentHeader, SegmentId};
use super::fs::{File, is_no_space};
use super::segment::Segment;
use super::store::Store;
use crate::model::Room;

/// The pool.
#[derive(Debug)]
pub(super) struct Spares {
    store: Arc<Store>,
    pool: Mutex<Pool>,
    changed: Condvar,
    full: AtomicBool,
    /// Beyond full: the next segment that gives nothing back would take what a start needs.
    scarce: AtomicBool,
    /// Something waits for a segment that cannot be had.
    out: AtomicBool,
    /// Bytes of a segment with the next checkpoint, or with the opening of the next start, if no spare takes it.
    room: AtomicU64,
    /// Bytes of a segment with the opening of the next start.
    start: AtomicU64,
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

    /// The next checkpoint will need a segment of that length, and the next start one of that: from now on a disk without
    /// room for them is full.
    pub(super) fn keep_room_for(&self, checkpoint: u64, start: u64) {
        let length = checkpoint.max(start);
        let large = if length > self.store.options.segment_bytes { length } else { 0 };
        self.room.store(large, Ordering::Relaxed);
        self.start.store(start, Ordering::Relaxed);
    }

    /// How many spares a start needs.
    fn kept(&self) -> usize {
        self.start.load(Ordering::Relaxed).div_ceil(self.store.options.segment_bytes).max(1) as usize
    }

    /// Whether spares and what is free have so many bytes together. A start gives spares up for what is longer than one.
    pub(super) fn has(&self, bytes: u64) -> io::Result<bool> {
        let ready = self.pool().ready.len() as u64 * self.store.options.segment_bytes;
        Ok(ready >= bytes || ready.saturating_add(self.free()?) >= bytes)
    }

    /// Looks anew before spares are used that a start might need.
    pub(super) fn look_before_the_last(&self) {
        if !self.is_full() && self.pool().ready.len() <= self.kept() {
            self.look();
        }
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
        Ok(length <= SEGMENT_BYTES_MAX && self.free()? >= length.saturating_add(left))
    }

    /// Whether a segment of that length can be had now. For what may be left undone: a segment that the log needs is taken.
    pub(super) fn can_take(&self, length: u64) -> io::Result<bool> {
        let has_spare = length <= self.store.options.segment_bytes && !self.pool().ready.is_empty();
        Ok(has_spare || self.free()? >= length)
    }

    /// A segment of at least that many octets under that number, durable in the directory. Where there is no room for it
    /// nothing has changed.
    pub(super) fn take(&self, id: SegmentId, length: u64) -> io::Result<Segment> {
        let ordinary = self.store.options.segment_bytes;
        let length = length.max(ordinary);
        // What a start needs of a full disk is kept as long as there is other room.
        let kept = if self.is_full() { self.kept() } else { 0 };
        let pooled = if length == ordinary { self.pop(kept) } else { None };
        let (name, file) = match pooled {
            Some(spare) => spare,
            None => self.make_room_and(length)?,
        };
        self.changed.notify_all();
        self.become_segment(&name, file, id, length)
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

    /// A crash before the new name is durable leaves a file whose header has a higher number than its name.
    fn become_segment(&self, name: &str, file: Arc<dyn File>, id: SegmentId, length: u64) -> io::Result<Segment> {
        self.head(file.as_ref(), id, length)?;
        self.store.fs.rename(name, &id.file_name())?;
        self.store.fs.sync_dir()?;
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

    /// Looks whether there is room for what has to be kept aside, and says so: the spares that are missing, the next
    /// checkpoint, and the reserve of the disk. While new messages are taken, finishing work can count on all of that.
    pub(super) fn look(&self) {
        let wanted = self.wanted(self.missing());
        self.judge(if wanted == 0 { Ok(true) } else { self.free().map(|free| free >= wanted) });
    }

    fn judge(&self, has_space: io::Result<bool>) {
        let error = match has_space {
            Ok(true) => return self.full.store(false, Ordering::Relaxed),
            Ok(false) => io::ErrorKind::StorageFull.into(),
            Err(error) => error,
        };
        let (free, room) = (self.free().unwrap_or(0), self.room.load(Ordering::Relaxed));
        let more = self.start.load(Ordering::Relaxed).saturating_add(self.store.options.segment_bytes);
        self.scarce.store(free < room || !self.has(more).unwrap_or(false), Ordering::Relaxed);
        if !self.full.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "no room for another segment: new messages have to wait");
        }
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
        let wanted = if self.pool().ready.len() < self.kept() { segment } else { self.wanted(1) };
        let made = match if wanted == 0 { Ok(0) } else { self.store.fs.free_bytes() } {
            Ok(free) if free >= wanted => self.make(segment, true),
            Ok(_) => Err(io::ErrorKind::StorageFull.into()),
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

    /// Waits until a spare is wanted at once, or for a while, after which the pool is filled and a disk without room is
    /// looked at again; `false` when the pool is closed. For the thread that fills it.
    pub(super) fn wait_until_wanted(&self, a_while: Duration) -> bool {
        // Mostly the next one is a segment that is given back soon; a new one would be written twice.
        let enough = |pool: &Pool| pool.ready.len() * 2 > self.store.options.spare_segments || self.is_full();
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

    /// Free bytes of the disk for so many spares, the next checkpoint and the reserve.
    fn wanted(&self, spares: usize) -> u64 {
        let options = &self.store.options;
        let spares = options.segment_bytes.saturating_mul(spares as u64);
        spares.saturating_add(options.disk_reserve_bytes).saturating_add(self.room.load(Ordering::Relaxed))
    }

    /// Free bytes that can be believed in.
    fn free(&self) -> io::Result<u64> {
        if self.pool().is_refused { Ok(0) } else { self.store.fs.free_bytes() }
    }

    /// A spare, if there are more than those that are kept.
    fn pop(&self, kept: usize) -> Option<(String, Arc<dyn File>)> {
        let mut pool = self.pool();
        if pool.ready.len() > kept { pool.ready.pop() } else { None }
    }

    /// Whether a file of that length could be made from spares and what is free.
    fn could_make(&self, length: u64) -> bool {
        let segment = self.store.options.segment_bytes;
        let spares = self.pool().ready.len() as u64 * segment;
        // Where there is a quota, all that is known is that it takes what is given up.
        length == segment || spares.saturating_add(self.store.fs.free_bytes().unwrap_or(0)) >= length
    }

    /// Makes a file. Where the disk has no other room it is a spare, or spares are given up for it.
    fn make_room_and(&self, length: u64) -> io::Result<(String, Arc<dyn File>)> {
        loop {
            let error = match self.make(length, false) {
                Err(error) if is_no_space(&error) => error,
                made => return made,
            };
            // Spares that are not enough are not given up for nothing.
            if !self.could_make(length) {
                return Err(error);
            }
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
