//! Room that is kept aside: what a start needs is there as files, the rest is counted against what the disk has free.
//!
//! Another program may take what is free at any moment, all of it. It must not decide what a full disk means for those who append.

use std::io;
use std::sync::atomic::Ordering;

use super::format::SEGMENT_BYTES_MAX;
use super::fs::is_no_space;
use super::roll::Spares;

impl Spares {
    /// The next checkpoint will need a segment of that length, and the next start one of that: from now on a disk without
    /// room for them is full.
    pub(super) fn keep_room_for(&self, checkpoint: u64, start: u64) {
        let length = checkpoint.max(start);
        let large = if length > self.store.options.segment_bytes { length } else { 0 };
        self.room.store(large, Ordering::Relaxed);
        self.start.store(start, Ordering::Relaxed);
    }

    /// How many spares starts need. No segment takes them while there is other room.
    pub(super) fn kept(&self) -> usize {
        let bytes = self.for_starts(self.start.load(Ordering::Relaxed));
        bytes.div_ceil(self.store.options.segment_bytes).max(1) as usize
    }

    /// Bytes for any number of starts that are killed, of which each writes so many before it gives anything back. The first
    /// one gives back a segment, those after it what the one before has written.
    pub(super) fn for_starts(&self, opening: u64) -> u64 {
        opening.saturating_add(opening.saturating_sub(self.store.options.segment_bytes))
    }

    /// A start will need a segment of that length, which is kept from now on.
    pub(super) fn keep_for_start(&self, length: u64) -> io::Result<()> {
        let is_more = self.start.fetch_max(length, Ordering::Relaxed) < length;
        if is_more && self.ready() < self.kept() { self.secure() } else { Ok(()) }
    }

    /// How many spares there are to be: one is to be had beside those that are kept.
    pub(super) fn size(&self) -> usize {
        self.store.options.spare_segments.max(self.kept() + 1)
    }

    /// Makes at once what a start needs and is not there. Unwritten, which takes no time.
    pub(super) fn secure(&self) -> io::Result<()> {
        let segment = self.store.options.segment_bytes;
        while self.ready() < self.kept() && self.free()? >= segment {
            match self.make(segment, false) {
                Ok(spare) => self.put_back(spare),
                Err(error) if is_no_space(&error) => break,
                Err(error) => return Err(error),
            }
        }
        self.look();
        Ok(())
    }

    /// Whether spares and what is free have so many bytes together. A start gives spares up for what is longer than one.
    pub(super) fn has(&self, bytes: u64) -> io::Result<bool> {
        let ready = self.ready() as u64 * self.store.options.segment_bytes;
        Ok(ready >= bytes || ready.saturating_add(self.free()?) >= bytes)
    }

    /// Looks anew before spares are used that a start might need.
    pub(super) fn look_before_the_last(&self) {
        if !self.is_full() && self.ready() <= self.kept() {
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
        let has_spare = length <= self.store.options.segment_bytes && self.ready() > 0;
        Ok(has_spare || self.free()? >= length)
    }

    /// Looks whether there is room for what has to be kept aside, and says so: the spares that are missing, the next
    /// checkpoint, and the reserve of the disk. While new messages are taken, finishing work can count on all of that.
    pub(super) fn look(&self) {
        let wanted = self.wanted(self.missing());
        self.judge(if wanted == 0 { Ok(true) } else { self.free().map(|free| free >= wanted) });
    }

    pub(super) fn judge(&self, has_space: io::Result<bool>) {
        let error = match has_space {
            Ok(true) => return self.full.store(false, Ordering::Relaxed),
            Ok(false) => io::ErrorKind::StorageFull.into(),
            Err(error) => error,
        };
        let (free, room) = (self.free().unwrap_or(0), self.room.load(Ordering::Relaxed));
        let more = self.for_starts(self.start.load(Ordering::Relaxed)).saturating_add(self.store.options.segment_bytes);
        self.scarce.store(free < room || !self.has(more).unwrap_or(false), Ordering::Relaxed);
        if !self.full.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "no room for another segment: new messages have to wait");
        }
    }

    /// How many spares are wanted.
    pub(super) fn missing(&self) -> usize {
        self.size().saturating_sub(self.ready())
    }

    /// Free bytes of the disk for so many spares, the next checkpoint and the reserve.
    pub(super) fn wanted(&self, spares: usize) -> u64 {
        let options = &self.store.options;
        let spares = options.segment_bytes.saturating_mul(spares as u64);
        spares.saturating_add(options.disk_reserve_bytes).saturating_add(self.room.load(Ordering::Relaxed))
    }

    /// Free bytes that can be believed in.
    fn free(&self) -> io::Result<u64> {
        if self.is_refused() { Ok(0) } else { self.store.fs.free_bytes() }
    }
}
