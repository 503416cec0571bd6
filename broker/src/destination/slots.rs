//! Storage of queue entries that neither moves nor doubles.

use super::Entry;

/// Row of a [`Slots`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(u32);

/// Entries in chunks of fixed size. A vector that doubles would copy tens of megabytes under the engine's lock and take
/// twice what it holds; chunks cost one allocation for 256 messages, and an empty queue gives all of them back.
#[derive(Debug, Default)]
pub(super) struct Slots {
    chunks: Vec<Box<[Option<Entry>]>>,
    free: Vec<u32>,
    /// Rows below this have been used since the store was last empty.
    used: u32,
    len: usize,
}

const CHUNK: usize = 256;

impl Slots {
    /// Stores an entry.
    pub(super) fn insert(&mut self, entry: Entry) -> SlotId {
        let row = self.free.pop().unwrap_or_else(|| {
            let row = self.used;
            self.used += 1;
            row
        });
        let (chunk, offset) = split(row);
        if chunk == self.chunks.len() {
            self.chunks.push((0..CHUNK).map(|_| None).collect());
        }
        self.chunks[chunk][offset] = Some(entry);
        self.len += 1;
        SlotId(row)
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, slot: SlotId) -> Option<Entry> {
        let (chunk, offset) = split(slot.0);
        let entry = self.chunks.get_mut(chunk)?[offset].take()?;
        self.len -= 1;
        if self.len == 0 {
            *self = Slots::default();
        } else {
            self.free.push(slot.0);
        }
        Some(entry)
    }

    /// The entry in a row.
    pub(super) fn get(&self, slot: SlotId) -> Option<&Entry> {
        let (chunk, offset) = split(slot.0);
        self.chunks.get(chunk)?[offset].as_ref()
    }

    /// The entry in a row, to be changed.
    pub(super) fn get_mut(&mut self, slot: SlotId) -> Option<&mut Entry> {
        let (chunk, offset) = split(slot.0);
        self.chunks.get_mut(chunk)?[offset].as_mut()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All of them, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.chunks.iter_mut().flat_map(|chunk| chunk.iter_mut().flatten())
    }

    /// All of them, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.chunks.iter().flat_map(|chunk| chunk.iter().flatten())
    }
}

fn split(row: u32) -> (usize, usize) {
    (row as usize / CHUNK, row as usize % CHUNK)
}
