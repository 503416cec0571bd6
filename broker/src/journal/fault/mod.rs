//! A disk in memory that loses power, tears writes, fails and rots on demand. For tests.
//!
//! It keeps what was written apart from what was synced, per file and for the directory. It must not know who uses it.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

mod dice;
mod file;
mod folder;
mod world;

pub use self::dice::Dice;
use self::file::CrashFile;
use self::folder::Folder;
use self::world::{Change, Inode, Plan, World};
use crate::journal::fs::{File, FileSystem, Lock};

/// What a disk writes at once.
pub const SECTOR_BYTES: usize = 512;

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An I/O error.
    Io,
    /// No space.
    NoSpace,
    /// No space for this user.
    Quota,
    /// A write that takes only a part; an I/O error for everything else.
    Short,
}

/// What a power cut leaves of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survival {
    /// Nothing.
    Nothing,
    /// Everything.
    Everything,
    /// Each sector, each length and each change of the directory, or not, by that seed.
    Random(u64),
}

/// One directory on the simulated disk. Cloning gives another handle to the same disk.
#[derive(Clone)]
pub struct CrashDisk {
    world: Arc<Mutex<World>>,
    locked: Arc<AtomicBool>,
}

impl CrashDisk {
    /// An empty disk without a limit of space.
    pub fn new() -> CrashDisk {
        CrashDisk::of(World::default())
    }

    fn of(world: World) -> CrashDisk {
        CrashDisk { world: Arc::new(Mutex::new(world)), locked: Arc::default() }
    }

    /// Lets the operation with that number, counted from 0, fail; and all later ones too if asked.
    pub fn fail_at(&self, at: u64, fault: Fault, for_ever: bool) {
        self.world().plan = Some(Plan { at, fault, for_ever });
    }

    /// No further faults.
    pub fn heal(&self) {
        self.world().plan = None;
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.world().operations
    }

    /// The numbers of those that changed something: writes, syncs, files made, renamed and removed.
    pub fn changes(&self) -> Vec<u64> {
        self.world().changes.clone()
    }

    /// Octets of all writes.
    pub fn written(&self) -> u64 {
        self.world().written
    }

    /// Octets of all files.
    pub fn used(&self) -> u64 {
        self.names().iter().map(|name| self.contents(name).len() as u64).sum()
    }

    /// Limits what may still be created.
    pub fn set_free(&self, bytes: u64) {
        let mut world = self.world();
        world.capacity = Some(u64::MAX);
        let used = u64::MAX - world.free().unwrap_or(u64::MAX);
        world.capacity = Some(used.saturating_add(bytes));
    }

    /// Limits what all files together may have, without a word of that where free space is asked for.
    pub fn set_quota(&self, bytes: u64) {
        self.world().quota = Some(bytes);
    }

    /// Cuts the power: this disk is dead, and what survives is on the one that is returned.
    #[must_use]
    pub fn crash(&self, survival: Survival) -> CrashDisk {
        let mut world = self.world();
        world.dead = true;
        let mut dice = Dice::new(if let Survival::Random(seed) = survival { seed } else { 0 });
        let mut survives = || match survival {
            Survival::Nothing => false,
            Survival::Everything => true,
            Survival::Random(_) => dice.roll().is_multiple_of(2),
        };
        let mut names = world.durable_names.clone();
        for change in &world.pending {
            if survives() {
                change.apply(&mut names, survives());
            }
        }
        let inodes = world.inodes.iter().map(|inode| inode.survive(&mut survives)).collect();
        let World { dice, capacity, .. } = *world;
        CrashDisk::of(World { inodes, durable_names: names.clone(), names, dice, capacity, ..World::default() })
    }

    /// Kills the process and not the machine: this handle is dead, the page cache lives on in the one returned.
    #[must_use]
    pub fn kill(&self) -> CrashDisk {
        let other = self.copy_pending();
        self.world().dead = true;
        other
    }

    /// A copy that shares nothing, with what is not durable yet.
    #[must_use]
    pub fn copy_pending(&self) -> CrashDisk {
        let world = self.world();
        let World { inodes, names, durable_names, pending, dice, capacity, .. } = &*world;
        CrashDisk::of(World {
            inodes: inodes.clone(),
            names: names.clone(),
            durable_names: durable_names.clone(),
            pending: pending.clone(),
            dice: *dice,
            capacity: *capacity,
            ..World::default()
        })
    }

    /// A copy that shares nothing, with everything durable.
    #[must_use]
    pub fn copy(&self) -> CrashDisk {
        let world = self.world();
        let settle = |inode: &Inode| Inode {
            cached: inode.cached.clone(),
            durable: inode.cached.clone(),
            dirty: BTreeSet::new(),
        };
        let inodes = world.inodes.iter().map(settle).collect();
        let (names, World { dice, capacity, .. }) = (world.names.clone(), &*world);
        let (dice, capacity) = (*dice, *capacity);
        CrashDisk::of(World { inodes, durable_names: names.clone(), names, dice, capacity, ..World::default() })
    }

    /// Names of the files, sorted.
    pub fn names(&self) -> Vec<String> {
        self.world().names.keys().cloned().collect()
    }

    /// The octets of a file.
    pub fn contents(&self, name: &str) -> Vec<u8> {
        let world = self.world();
        world.names.get(name).and_then(|inode| world.inodes.get(*inode)).map_or_else(Vec::new, |i| i.cached.clone())
    }

    /// Puts octets in a file's place, durable; makes it if need be.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        let mut world = self.world();
        let inode = world.inodes.len();
        world.inodes.push(Inode { cached: bytes.clone(), durable: bytes, dirty: BTreeSet::new() });
        world.names.insert(name.to_owned(), inode);
        world.durable_names.insert(name.to_owned(), inode);
    }

    /// Turns one bit of a file over, on the disk and in the cache.
    pub fn flip(&self, name: &str, octet: usize, bit: u32) {
        let mut world = self.world();
        let Some(inode) = world.names.get(name).copied() else { return };
        let Some(inode) = world.inodes.get_mut(inode) else { return };
        for image in [&mut inode.cached, &mut inode.durable] {
            if let Some(octet) = image.get_mut(octet) {
                *octet ^= 1 << bit;
            }
        }
    }

    /// Removes a file, durably.
    pub fn lose(&self, name: &str) {
        let mut world = self.world();
        world.names.remove(name);
        world.durable_names.remove(name);
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> io::Result<MutexGuard<'_, World>> {
        let mut world = self.world();
        match world.step() {
            Some(fault) => Err(fault.error()),
            None => Ok(world),
        }
    }

    fn begin_change(&self) -> io::Result<MutexGuard<'_, World>> {
        let mut world = self.world();
        match world.step_change() {
            Some(fault) => Err(fault.error()),
            None => Ok(world),
        }
    }
}

impl Default for CrashDisk {
    fn default() -> CrashDisk {
        CrashDisk::new()
    }
}

impl fmt::Debug for CrashDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CrashDisk")
    }
}

impl FileSystem for CrashDisk {
    fn create(&self, name: &str, length: u64, _fill: bool) -> io::Result<Arc<dyn File>> {
        let mut world = self.begin_change()?;
        if world.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if world.free().is_some_and(|free| free < length) {
            return Err(Fault::NoSpace.error());
        }
        if world.quota.is_some_and(|quota| world.used() + length > quota) {
            return Err(Fault::Quota.error());
        }
        let inode = world.inodes.len();
        let sectors = 0..(length as usize).div_ceil(SECTOR_BYTES);
        world.inodes.push(Inode { cached: vec![0; length as usize], durable: Vec::new(), dirty: sectors.collect() });
        world.change(Change::Link(name.to_owned(), inode));
        Ok(Arc::new(CrashFile { disk: self.clone(), inode }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let inode = self.begin()?.find(name)?;
        Ok(Arc::new(CrashFile { disk: self.clone(), inode }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.begin_change()?;
        let inode = world.find(from)?;
        world.change(Change::Rename(from.to_owned(), to.to_owned(), inode));
        Ok(())
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        let mut world = self.begin_change()?;
        world.find(name)?;
        world.change(Change::Unlink(name.to_owned()));
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut world = self.begin_change()?;
        world.durable_names = world.names.clone();
        world.pending.clear();
        Ok(())
    }

    fn folder(&self, name: &str) -> io::Result<Arc<dyn FileSystem>> {
        Ok(Arc::new(Folder { disk: self.clone(), prefix: format!("{name}/"), locked: Arc::default() }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.begin()?.names.keys().filter(|name| !name.contains('/')).cloned().collect())
    }

    fn lock(&self) -> io::Result<Box<dyn Lock>> {
        if self.locked.swap(true, Ordering::SeqCst) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(CrashLock(self.locked.clone())))
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(self.begin()?.free().unwrap_or(u64::MAX))
    }

    fn random(&self, into: &mut [u8]) -> io::Result<()> {
        let mut world = self.begin()?;
        let mut dice = Dice::new(world.dice);
        for octet in into {
            *octet = dice.roll() as u8;
        }
        world.dice = dice.roll();
        Ok(())
    }
}

#[derive(Debug)]
struct CrashLock(Arc<AtomicBool>);

impl Lock for CrashLock {}

impl Drop for CrashLock {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}
