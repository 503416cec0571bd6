//! An open file of a simulated disk. It must not know what happens to the directory.

use std::io;

use super::world::{Inode, World};
use super::{CrashDisk, Fault};
use crate::journal::fs::File;

#[derive(Debug)]
pub(super) struct CrashFile {
    pub(super) disk: CrashDisk,
    pub(super) inode: usize,
}

impl CrashFile {
    fn with<T>(&self, world: &mut World, act: impl FnOnce(&mut Inode) -> T) -> io::Result<T> {
        world.inodes.get_mut(self.inode).map(act).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl File for CrashFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        world.written += bytes.len() as u64;
        match world.step_change() {
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
        match world.step_change() {
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
