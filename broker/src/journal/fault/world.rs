//! The state of a simulated disk: what was written apart from what was synced, and the fault that is planned.
//!
//! It must not know about handles or locks.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::{Fault, SECTOR_BYTES};

#[derive(Default)]
pub(super) struct World {
    pub(super) inodes: Vec<Inode>,
    pub(super) names: BTreeMap<String, usize>,
    pub(super) durable_names: BTreeMap<String, usize>,
    pub(super) pending: Vec<Change>,
    pub(super) operations: u64,
    pub(super) plan: Option<Plan>,
    pub(super) dead: bool,
    /// What all files together may have.
    pub(super) capacity: Option<u64>,
    /// The same for this user, which free space says nothing of.
    pub(super) quota: Option<u64>,
    /// Numbers of the operations that change something.
    pub(super) changes: Vec<u64>,
    /// Octets of all writes.
    pub(super) written: u64,
    pub(super) dice: u64,
}

#[derive(Clone, Default)]
pub(super) struct Inode {
    pub(super) cached: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) dirty: BTreeSet<usize>,
}

#[derive(Clone)]
pub(super) enum Change {
    Link(String, usize),
    Unlink(String),
    /// From, to: a file system that keeps a journal does both or none; another may leave both names, and never loses both.
    Rename(String, String, usize),
}

impl Change {
    /// Makes the change; a rename may leave the old name behind.
    pub(super) fn apply(&self, names: &mut BTreeMap<String, usize>, is_whole: bool) {
        match self {
            Change::Link(name, inode) => drop(names.insert(name.clone(), *inode)),
            Change::Unlink(name) => drop(names.remove(name)),
            Change::Rename(from, to, inode) => {
                names.insert(to.clone(), *inode);
                if is_whole {
                    names.remove(from);
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) at: u64,
    pub(super) fault: Fault,
    pub(super) for_ever: bool,
}

impl Fault {
    pub(super) fn error(self) -> io::Error {
        match self {
            Fault::Io | Fault::Short => io::Error::other("injected I/O error"),
            Fault::NoSpace => io::ErrorKind::StorageFull.into(),
            Fault::Quota => io::ErrorKind::QuotaExceeded.into(),
        }
    }
}

impl World {
    /// Counts an operation and says how it fails, if it does.
    pub(super) fn step(&mut self) -> Option<Fault> {
        let number = self.operations;
        self.operations += 1;
        if self.dead {
            return Some(Fault::Io);
        }
        let plan = self.plan?;
        (number == plan.at || (plan.for_ever && number > plan.at)).then_some(plan.fault)
    }

    /// The same for an operation that changes what is on the disk.
    pub(super) fn step_change(&mut self) -> Option<Fault> {
        self.changes.push(self.operations);
        self.step()
    }

    /// Octets that may still be created.
    pub(super) fn free(&self) -> Option<u64> {
        self.capacity.map(|capacity| capacity.saturating_sub(self.used()))
    }

    /// Octets of all files.
    pub(super) fn used(&self) -> u64 {
        let linked: BTreeSet<usize> = self.names.values().copied().collect();
        linked.iter().filter_map(|inode| self.inodes.get(*inode)).map(|inode| inode.cached.len() as u64).sum()
    }

    pub(super) fn find(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn change(&mut self, change: Change) {
        change.apply(&mut self.names, true);
        self.pending.push(change);
    }
}

impl Inode {
    pub(super) fn survive(&self, mut survives: impl FnMut() -> bool) -> Inode {
        let mut image = self.durable.clone();
        if self.cached.len() != image.len() && survives() {
            image.resize(self.cached.len(), 0);
        }
        for sector in &self.dirty {
            let range = sector * SECTOR_BYTES..((sector + 1) * SECTOR_BYTES).min(image.len());
            if survives()
                && let (Some(to), Some(from)) = (image.get_mut(range.clone()), self.cached.get(range))
            {
                to.copy_from_slice(from);
            }
        }
        Inode { cached: image.clone(), durable: image, dirty: BTreeSet::new() }
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if self.cached.len() < end {
            self.cached.resize(end, 0);
        }
        if let Some(range) = self.cached.get_mut(offset..end) {
            range.copy_from_slice(bytes);
        }
        self.dirty.extend(offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES));
    }

    pub(super) fn sync(&mut self) {
        self.durable.resize(self.cached.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            let range = sector * SECTOR_BYTES..((sector + 1) * SECTOR_BYTES).min(self.cached.len());
            if let (Some(to), Some(from)) = (self.durable.get_mut(range.clone()), self.cached.get(range)) {
                to.copy_from_slice(from);
            }
        }
    }
}
