//! How many bytes a copy of a segment's live messages takes: what a segment is chosen by to be copied forward.
//!
//! It goes by the summary alone. It must not know which segments there are.

use super::message::ACCEPTED_HEAD_BYTES;
use super::record::Entry;

/// The bytes of a segment's live messages, as they were when they were counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    /// How many lived then.
    pub(super) living: u32,
    pub(super) bytes: u64,
}

impl Weight {
    /// About the bytes of as many as live now. They are taken to be of one size only once an eighth is gone, so that a
    /// segment is counted again a few times at most, however it is emptied.
    pub(super) fn of(self, living: u32) -> u64 {
        if self.is_of(living) { self.bytes } else { self.bytes * u64::from(living) / u64::from(self.living.max(1)) }
    }

    /// Whether it is good enough where so many live.
    pub(super) fn is_of(self, living: u32) -> bool {
        u64::from(living) * 8 > u64::from(self.living) * 7
    }
}

/// Counts the bytes of a segment's messages in the order of their slots. A message whose record is shorter than its content
/// has its body in another record: that of the last one before it which is longer, or the first live copy's if that is gone.
#[derive(Debug, Default)]
pub(super) struct Scale {
    weight: Weight,
    last: Option<(Entry, bool)>,
    has_body: bool,
}

impl Scale {
    /// The next message.
    pub(super) fn put(&mut self, entry: &Entry, is_live: bool) {
        self.count(entry.offset.into());
        self.last = Some((*entry, is_live));
    }

    /// All of it; the summary begins at `end`.
    pub(super) fn weight(mut self, end: u64) -> Weight {
        self.count(end);
        self.weight
    }

    fn count(&mut self, next: u64) {
        let Some((entry, is_live)) = self.last.take() else { return };
        let (room, whole) =
            (next.saturating_sub(entry.offset.into()), ACCEPTED_HEAD_BYTES as u64 + u64::from(entry.size));
        let is_copy = room < whole;
        self.has_body &= is_copy;
        if is_live {
            self.weight.living += 1;
            self.weight.bytes += if is_copy && self.has_body { room } else { whole };
            self.has_body = true;
        }
    }
}
