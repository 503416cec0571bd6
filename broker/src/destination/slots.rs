//! Where a queue keeps its entries.

use std::sync::Arc;

use super::Entry;
use super::slab::Slab;
use crate::memory::Account;

/// Where a queue keeps an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(u32);

/// The entries of a queue, by row.
#[derive(Debug)]
pub(super) struct Slots(Slab<Entry>);

/// A backlog is made of rows: one that grows is a decision.
const _: () = assert!(size_of::<Option<Entry>>() == 48);

/// Rows that an empty queue keeps room for: there are many such.
const KEPT: usize = 8;

impl Default for Slots {
    fn default() -> Slots {
        Slots(Slab::new(KEPT))
    }
}

impl Slots {
    /// Counts the memory of the rows there.
    pub(super) fn count_in(&mut self, account: Arc<Account>) {
        self.0.count_in(account);
    }

    /// Stores an entry.
    pub(super) fn insert(&mut self, entry: Entry) -> SlotId {
        SlotId(self.0.insert(entry))
    }

    /// Takes an entry out.
    pub(super) fn remove(&mut self, slot: SlotId) -> Option<Entry> {
        self.0.remove(slot.0)
    }

    /// The entry in a row.
    pub(super) fn get(&self, slot: SlotId) -> Option<&Entry> {
        self.0.get(slot.0)
    }

    /// The entry in a row, to be changed.
    pub(super) fn get_mut(&mut self, slot: SlotId) -> Option<&mut Entry> {
        self.0.get_mut(slot.0)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.0.iter_mut()
    }

    /// All of them, in no order that means anything.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }
}
