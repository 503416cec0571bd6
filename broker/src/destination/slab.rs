//! Storage that neither moves nor doubles, and gives back what is empty.

use std::sync::Arc;

use crate::memory::{Account, Purpose};

/// Values in chunks that grow up to a fixed size. One vector that doubles would copy tens of megabytes under the engine's
/// lock and take twice what it holds. A chunk without values gives its memory back, whatever the others hold: one value
/// that stays keeps one chunk, not the table of the largest backlog. An empty store keeps a few rows: what comes and
/// goes alone should not allocate.
#[derive(Debug)]
pub(super) struct Slab<T> {
    chunks: Vec<Chunk<T>>,
    /// Chunks with free rows, each once here or among the vacant; the last one is filled first. Any other is full.
    roomy: Vec<u32>,
    /// Chunks that have given their memory back: filled when no other has room.
    vacant: Vec<u32>,
    len: usize,
    /// Rows that it keeps room for when it is empty.
    kept: usize,
    /// Where the memory of the rows is counted.
    account: Option<Arc<Account>>,
}

#[derive(Debug)]
struct Chunk<T> {
    rows: Vec<Option<T>>,
    /// Which rows hold a value, a bit for each.
    used: [u64; CHUNK / 64],
    /// It is among the roomy ones.
    is_roomy: bool,
}

const CHUNK: usize = 256;

impl<T> Chunk<T> {
    fn new() -> Chunk<T> {
        Chunk { rows: Vec::new(), used: [0; CHUNK / 64], is_roomy: true }
    }

    fn is_empty(&self) -> bool {
        self.used.iter().all(|word| *word == 0)
    }

    /// The first row without a value.
    fn free_row(&self) -> Option<usize> {
        let word = self.used.iter().position(|word| *word != u64::MAX)?;
        Some(word * 64 + self.used[word].trailing_ones() as usize)
    }

    fn bytes(&self) -> u64 {
        (self.rows.capacity() * size_of::<Option<T>>()) as u64
    }
}

impl<T> Slab<T> {
    /// An empty store that keeps room for so many rows, up to a chunk of them, when it is empty again.
    pub(super) fn new(kept: usize) -> Slab<T> {
        Slab { chunks: Vec::new(), roomy: Vec::new(), vacant: Vec::new(), len: 0, kept, account: None }
    }

    /// Counts the memory of the rows there.
    pub(super) fn count_in(&mut self, account: Arc<Account>) {
        account.add(Purpose::Messages, self.chunks.iter().map(Chunk::<T>::bytes).sum());
        self.account = Some(account);
    }

    /// Stores a value, and says in which row.
    pub(super) fn insert(&mut self, value: T) -> u32 {
        let (at, row) = self.free_place();
        let chunk = &mut self.chunks[at];
        chunk.used[row / 64] |= 1 << (row % 64);
        if let Some(free) = chunk.rows.get_mut(row) {
            *free = Some(value);
        } else if chunk.rows.len() < chunk.rows.capacity() {
            // The first free row is never further than one behind the last one.
            chunk.rows.push(Some(value));
        } else {
            let before = chunk.bytes();
            chunk.rows.push(Some(value));
            let after = chunk.bytes();
            self.recount(before, after);
        }
        self.len += 1;
        (at * CHUNK + row) as u32
    }

    /// A row without a value. Chunks that turn out to be full are roomy no more.
    fn free_place(&mut self) -> (usize, usize) {
        while let Some(&at) = self.roomy.last() {
            let chunk = &mut self.chunks[at as usize];
            match chunk.free_row() {
                Some(_) if chunk.rows.capacity() == 0 && self.len > 0 => self.vacant.push(at),
                Some(row) => return (at as usize, row),
                None => chunk.is_roomy = false,
            }
            self.roomy.pop();
        }
        if let Some(at) = self.vacant.pop() {
            self.roomy.push(at);
            return (at as usize, 0);
        }
        self.chunks.push(Chunk::new());
        self.roomy.push(self.chunks.len() as u32 - 1);
        (self.chunks.len() - 1, 0)
    }

    /// Takes a value out.
    pub(super) fn remove(&mut self, row: u32) -> Option<T> {
        let (at, row) = split(row);
        let chunk = self.chunks.get_mut(at)?;
        let value = chunk.rows.get_mut(row)?.take()?;
        chunk.used[row / 64] &= !(1 << (row % 64));
        self.len -= 1;
        if self.len == 0 {
            self.clear();
            return Some(value);
        }
        if !std::mem::replace(&mut chunk.is_roomy, true) {
            self.roomy.push(at as u32);
        }
        if chunk.is_empty() {
            let before = chunk.bytes();
            chunk.rows = Vec::new();
            self.recount(before, 0);
        }
        Some(value)
    }

    fn clear(&mut self) {
        let before = self.chunks.iter().map(Chunk::<T>::bytes).sum();
        self.chunks.truncate(1);
        self.chunks.shrink_to(1);
        self.roomy.clear();
        self.roomy.shrink_to(1);
        self.vacant = Vec::new();
        if let Some(chunk) = self.chunks.first_mut() {
            chunk.rows.clear();
            chunk.rows.shrink_to(self.kept);
            chunk.is_roomy = true;
            self.roomy.push(0);
        }
        let after = self.chunks.iter().map(Chunk::<T>::bytes).sum();
        self.recount(before, after);
    }

    fn recount(&self, before: u64, after: u64) {
        if before != after
            && let Some(account) = &self.account
        {
            account.add(Purpose::Messages, after.saturating_sub(before));
            account.give(Purpose::Messages, before.saturating_sub(after));
        }
    }

    /// The value in a row.
    pub(super) fn get(&self, row: u32) -> Option<&T> {
        let (at, row) = split(row);
        self.chunks.get(at)?.rows.get(row)?.as_ref()
    }

    /// The value in a row, to be changed.
    pub(super) fn get_mut(&mut self, row: u32) -> Option<&mut T> {
        let (at, row) = split(row);
        self.chunks.get_mut(at)?.rows.get_mut(row)?.as_mut()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All of them, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.chunks.iter_mut().flat_map(|chunk| chunk.rows.iter_mut().flatten())
    }

    /// All of them, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.rows.iter().flatten())
    }
}

impl<T> Drop for Slab<T> {
    fn drop(&mut self) {
        self.recount(self.chunks.iter().map(Chunk::<T>::bytes).sum(), 0);
    }
}

fn split(row: u32) -> (usize, usize) {
    (row as usize / CHUNK, row as usize % CHUNK)
}
