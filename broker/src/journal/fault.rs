//! A disk in memory that loses power, tears writes, fails and rots on demand. For tests.
//!
//! It keeps what was written apart from what was synced, per file and for the directory. It must not know who uses it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fs::{File, FileSystem, Lock};

/// What a disk writes at once.
pub const SECTOR_BYTES: usize = 512;

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An I/O error.
    Io,
    /// No space.
    NoSpace,
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

/// A small generator of numbers for tests, the same for the same seed.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Begins at that seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// Any number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below that bound, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }
}

/// One directory on the simulated disk. Cloning gives another handle to the same disk.
#[derive(Clone)]
pub struct CrashDisk {
    world: Arc<Mutex<World>>,
    locked: Arc<AtomicBool>,
}

#[derive(Default)]
struct World {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending: Vec<Change>,
    operations: u64,
    plan: Option<Plan>,
    dead: bool,
    free: Option<u64>,
    dice: u64,
}

#[derive(Clone, Default)]
struct Inode {
    cached: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
}

#[derive(Clone)]
enum Change {
    Link(String, usize),
    Unlink(String),
}

#[derive(Clone, Copy)]
struct Plan {
    at: u64,
    fault: Fault,
    for_ever: bool,
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

    /// Limits what may still be created.
    pub fn set_free(&self, bytes: u64) {
        self.world().free = Some(bytes);
    }

    /// Cuts the power: this disk is dead, and what survives is on the one that is returned.
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
        for change in world.pending.iter().filter(|_| survives()).collect::<Vec<_>>() {
            match change.clone() {
                Change::Link(name, inode) => drop(names.insert(name, inode)),
                Change::Unlink(name) => drop(names.remove(&name)),
            }
        }
        let inodes = world.inodes.iter().map(|inode| inode.survive(&mut survives)).collect();
        CrashDisk::of(World { inodes, durable_names: names.clone(), names, dice: world.dice, ..World::default() })
    }

    /// Kills the process and not the machine: this handle is dead, the page cache lives on in the one returned.
    pub fn kill(&self) -> CrashDisk {
        let mut world = self.world();
        world.dead = true;
        let World { inodes, names, durable_names, pending, dice, free, .. } = &*world;
        CrashDisk::of(World {
            inodes: inodes.clone(),
            names: names.clone(),
            durable_names: durable_names.clone(),
            pending: pending.clone(),
            dice: *dice,
            free: *free,
            ..World::default()
        })
    }

    /// A copy that shares nothing, with everything durable.
    pub fn copy(&self) -> CrashDisk {
        let world = self.world();
        let settle = |inode: &Inode| Inode {
            cached: inode.cached.clone(),
            durable: inode.cached.clone(),
            dirty: BTreeSet::new(),
        };
        let inodes = world.inodes.iter().map(settle).collect();
        let names = world.names.clone();
        CrashDisk::of(World { inodes, durable_names: names.clone(), names, dice: world.dice, ..World::default() })
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

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Fault::Io | Fault::Short => io::Error::other("injected I/O error"),
            Fault::NoSpace => io::ErrorKind::StorageFull.into(),
        }
    }
}

impl World {
    /// Counts an operation and says how it fails, if it does.
    fn step(&mut self) -> Option<Fault> {
        let number = self.operations;
        self.operations += 1;
        if self.dead {
            return Some(Fault::Io);
        }
        let plan = self.plan?;
        (number == plan.at || (plan.for_ever && number > plan.at)).then_some(plan.fault)
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change(&mut self, change: Change) {
        match change.clone() {
            Change::Link(name, inode) => drop(self.names.insert(name, inode)),
            Change::Unlink(name) => drop(self.names.remove(&name)),
        }
        self.pending.push(change);
    }
}

impl Inode {
    fn survive(&self, mut survives: impl FnMut() -> bool) -> Inode {
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

    fn write(&mut self, bytes: &[u8], offset: usize) {
        let end = offset + bytes.len();
        if self.cached.len() < end {
            self.cached.resize(end, 0);
        }
        if let Some(range) = self.cached.get_mut(offset..end) {
            range.copy_from_slice(bytes);
        }
        self.dirty.extend(offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES));
    }

    fn sync(&mut self) {
        self.durable.resize(self.cached.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            let range = sector * SECTOR_BYTES..((sector + 1) * SECTOR_BYTES).min(self.cached.len());
            if let (Some(to), Some(from)) = (self.durable.get_mut(range.clone()), self.cached.get(range)) {
                to.copy_from_slice(from);
            }
        }
    }
}

impl FileSystem for CrashDisk {
    fn create(&self, name: &str, length: u64, _fill: bool) -> io::Result<Arc<dyn File>> {
        let mut world = self.begin()?;
        if world.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if let Some(free) = world.free {
            world.free = Some(free.checked_sub(length).ok_or(io::ErrorKind::StorageFull)?);
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
        let mut world = self.begin()?;
        let inode = world.find(from)?;
        world.change(Change::Unlink(from.to_owned()));
        world.change(Change::Link(to.to_owned(), inode));
        Ok(())
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        let mut world = self.begin()?;
        let inode = world.find(name)?;
        let length = world.inodes.get(inode).map_or(0, |inode| inode.cached.len() as u64);
        world.free = world.free.map(|free| free + length);
        world.change(Change::Unlink(name.to_owned()));
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut world = self.begin()?;
        world.durable_names = world.names.clone();
        world.pending.clear();
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.begin()?.names.keys().cloned().collect())
    }

    fn lock(&self) -> io::Result<Box<dyn Lock>> {
        if self.locked.swap(true, Ordering::SeqCst) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(CrashLock(self.locked.clone())))
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(self.begin()?.free.unwrap_or(u64::MAX))
    }

    fn random(&self, into: &mut [u8]) -> io::Result<()> {
        let mut world = self.begin()?;
        let mut dice = Dice::new(world.dice);
        into.iter_mut().for_each(|octet| *octet = dice.roll() as u8);
        world.dice = dice.roll();
        Ok(())
    }
}

#[derive(Debug)]
struct CrashFile {
    disk: CrashDisk,
    inode: usize,
}

impl CrashFile {
    fn with<T>(&self, world: &mut World, act: impl FnOnce(&mut Inode) -> T) -> io::Result<T> {
        world.inodes.get_mut(self.inode).map(act).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl File for CrashFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        match world.step() {
            Some(Fault::Short) => {
                let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
                self.with(&mut world, |inode| inode.write(half, offset as usize))?;
                Err(Fault::Short.error())
            }
            Some(fault) => Err(fault.error()),
            None => self.with(&mut world, |inode| inode.write(bytes, offset as usize)),
        }
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut world = self.disk.begin()?;
        self.with(&mut world, |inode| {
            let rest = inode.cached.get(offset as usize..).unwrap_or_default();
            let count = rest.len().min(into.len());
            if let (Some(to), Some(from)) = (into.get_mut(..count), rest.get(..count)) {
                to.copy_from_slice(from);
            }
            count
        })
    }

    /// A sync that fails leaves the pages marked clean: they stay readable, and no later sync writes them.
    fn sync_data(&self) -> io::Result<()> {
        let mut world = self.disk.world();
        match world.step() {
            Some(fault) => {
                self.with(&mut world, |inode| inode.dirty.clear())?;
                Err(fault.error())
            }
            None => self.with(&mut world, Inode::sync),
        }
    }

    fn size(&self) -> io::Result<u64> {
        let mut world = self.disk.begin()?;
        self.with(&mut world, |inode| inode.cached.len() as u64)
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
