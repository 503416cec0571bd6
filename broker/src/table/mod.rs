//! A hash table that neither doubles at once nor keeps the room of its largest day.
//!
//! The usual table is moved whole when it grows, which takes tens of milliseconds at a million entries, and keeps its room
//! while one entry stays. This one is made of many small tables. It grows by one of them at a time, which takes over its part
//! of another, and shrinks the same way (linear hashing, Litwin 1980). It must not know what is in it.

mod pieces;
mod room;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;

pub use pieces::Pieces;
pub use room::{give_back, give_back_map, give_back_rows};

/// One whose entries come and go with each batch: what is out.
pub type BusyTable<K, V> = Table<K, V, RandomState, 448>;

/// Entries of a part, on average, beyond which there is one more.
const FULL: usize = 512;
/// Entries of a part, on average, below which there is one less.
const SPARSE: usize = FULL / 4;
/// Parts of a list of parts that it keeps room for.
const PARTS_KEPT: usize = 16;

/// Values by their keys, in no order that means anything. Until there is an entry it costs nothing. Of the room of a part that for
/// `KEPT` entries stays: what comes and goes with each batch should not allocate.
#[derive(Clone, Debug)]
pub struct Table<K, V, S = RandomState, const KEPT: usize = 16> {
    parts: Vec<HashMap<K, V, S>>,
    len: usize,
    hasher: S,
}

impl<K, V, S: Default, const KEPT: usize> Default for Table<K, V, S, KEPT> {
    fn default() -> Table<K, V, S, KEPT> {
        Table { parts: Vec::new(), len: 0, hasher: S::default() }
    }
}

/// Which of so many parts has keys with that hash.
fn place(hash: u64, parts: usize) -> usize {
    // The low bits choose a row within a part, and the highest ones tell keys of a row apart.
    let hash = (hash >> 20) as usize;
    let mask = parts.next_power_of_two() - 1;
    let place = hash & mask;
    if place < parts { place } else { hash & (mask >> 1) }
}

impl<K: Eq + Hash, V, S: BuildHasher + Default, const KEPT: usize> Table<K, V, S, KEPT> {
    /// How many entries there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Entries that there is room for.
    pub fn capacity(&self) -> usize {
        self.parts.iter().map(HashMap::capacity).sum()
    }

    /// The value of a key.
    #[inline]
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        if self.len == 0 {
            return None;
        }
        self.parts.get(self.place(key))?.get(key)
    }

    /// Whether a key has a value.
    #[inline]
    pub fn contains_key<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// The value of a key, to be changed.
    #[inline]
    pub fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        if self.len == 0 {
            return None;
        }
        let place = self.place(key);
        self.parts.get_mut(place)?.get_mut(key)
    }

    /// The value of a key, to be changed; a first one is made where it has none.
    pub fn get_or_default(&mut self, key: K) -> Option<&mut V>
    where
        V: Default,
    {
        if self.len >= self.parts.len() * FULL {
            self.grow();
        }
        let place = self.place(&key);
        match self.parts.get_mut(place)?.entry(key) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(none) => {
                self.len += 1;
                Some(none.insert(V::default()))
            }
        }
    }

    /// Gives a key a value. Returns the one that it had.
    #[inline]
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        if self.len >= self.parts.len() * FULL {
            self.grow();
        }
        let place = self.place(&key);
        let old = self.parts.get_mut(place)?.insert(key, value);
        self.len += usize::from(old.is_none());
        old
    }

    /// Takes a key out. Returns its value.
    #[inline]
    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        if self.len == 0 {
            return None;
        }
        let place = self.place(key);
        let part = self.parts.get_mut(place)?;
        let value = part.remove(key)?;
        self.len -= 1;
        if part.capacity() > 2 * KEPT && part.len() * 8 < part.capacity() {
            part.shrink_to((part.len() * 2).max(KEPT));
        }
        if self.parts.len() > 1 && self.len < self.parts.len() * SPARSE {
            self.shrink();
        }
        Some(value)
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.parts.iter().flat_map(HashMap::keys)
    }

    /// All keys with their values.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.parts.iter().flatten()
    }

    /// All values.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.parts.iter().flat_map(HashMap::values)
    }

    /// All values, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.parts.iter_mut().flat_map(HashMap::values_mut)
    }

    #[inline]
    fn place<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        // Most tables are small, and their keys are hashed once.
        if self.parts.len() <= 1 { 0 } else { place(self.hasher.hash_one(key), self.parts.len()) }
    }

    /// One part more, with what one of the others has for it.
    #[cold]
    fn grow(&mut self) {
        let parts = self.parts.len() + 1;
        let hasher = &self.hasher;
        let mut fresh = HashMap::default();
        if let Some(from) = buddy(parts).and_then(|buddy| self.parts.get_mut(buddy)) {
            let moved = from.extract_if(|key, _| place(hasher.hash_one(key), parts) == parts - 1);
            fresh.extend(moved);
        }
        self.parts.push(fresh);
    }

    /// One part less: one of the others takes over what it has.
    #[cold]
    fn shrink(&mut self) {
        let Some(buddy) = buddy(self.parts.len()) else { return };
        let Some(last) = self.parts.pop() else { return };
        if let Some(into) = self.parts.get_mut(buddy) {
            into.extend(last);
        }
        give_back_rows(&mut self.parts, PARTS_KEPT);
    }
}

/// Which part shares its keys with the last one of so many; `None` for the first.
fn buddy(parts: usize) -> Option<usize> {
    let last = parts - 1;
    (last > 0).then(|| last - (1 << last.ilog2()))
}
