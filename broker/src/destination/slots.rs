//! Storage of queue entries that neither moves nor doubles.

use super::Entry;

/// Where a queue keeps an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(u32);

/// Entries in chunks that grow up to a fixed size. One vector that doubles would copy tens of megabytes under the engine's
/// lock and take twice what it holds. An empty queue gives its chunks back, but for a few rows: a message that comes and
/// goes alone should not allocate.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// All but the last one are full.
    chunks: Vec<Vec<Option<Entry>>>,
    free: Vec<u32>,
    /// Rows below this have been used since the store was last empty.
    used: u32,
    len: usize,
}

const CHUNK: usize = 256;

/// Rows that an empty store keeps room for.
const KEPT: usize = 8;

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
            self.chunks.push(Vec::new());
        }
        let rows = &mut self.chunks[chunk];
        if offset == rows.len() {
            rows.push(Some(entry));
        } else {
            rows[offset] = Some(entry);
        }
        self.len += 1;
        SlotId(row)
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, slot: SlotId) -> Option<Entry> {
        let (chunk, offset) = split(slot.0);
        let entry = self.chunks.get_mut(chunk)?.get_mut(offset)?.take()?;
        self.len -= 1;
        if self.len == 0 {
            self.clear();
        } else {
            self.free.push(slot.0);
        }
        Some(entry)
    }

    fn clear(&mut self) {
        self.chunks.truncate(1);
        self.chunks.shrink_to(1);
        for rows in &mut self.chunks {
            rows.clear();
            rows.shrink_to(KEPT);
        }
        self.free.clear();
        self.free.shrink_to(KEPT);
        self.used = 0;
    }

    /// The entry in a row.
    pub(super) fn get(&self, slot: SlotId) -> Option<&Entry> {
        let (chunk, offset) = split(slot.0);
        self.chunks.get(chunk)?.get(offset)?.as_ref()
    }

    /// The entry in a row, to be changed.
    pub(super) fn get_mut(&mut self, slot: SlotId) -> Option<&mut Entry> {
        let (chunk, offset) = split(slot.0);
        self.chunks.get_mut(chunk)?.get_mut(offset)?.as_mut()
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
