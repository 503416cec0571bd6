//! A directory on the simulated disk: the same disk, under names that begin with its own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{CrashDisk, CrashLock};
use crate::journal::fs::{File, FileSystem, Lock};

/// One directory in that of a disk.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) disk: CrashDisk,
    /// What the names of its files begin with on the disk.
    pub(super) prefix: String,
    pub(super) locked: Arc<AtomicBool>,
}

impl Folder {
    fn path(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

impl FileSystem for Folder {
    fn create(&self, name: &str, length: u64, fill: bool) -> io::Result<Arc<dyn File>> {
        self.disk.create(&self.path(name), length, fill)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.disk.open(&self.path(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(&self.path(from), &self.path(to))
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        self.disk.unlink(&self.path(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.disk.sync_dir()
    }

    fn folder(&self, name: &str) -> io::Result<Arc<dyn FileSystem>> {
        self.disk.folder(&self.path(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let world = self.disk.begin()?;
        let inside =
            |name: &String| name.strip_prefix(&self.prefix).filter(|name| !name.contains('/')).map(str::to_owned);
        Ok(world.names.keys().filter_map(inside).collect())
    }

    fn lock(&self) -> io::Result<Box<dyn Lock>> {
        if self.locked.swap(true, Ordering::SeqCst) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(CrashLock(self.locked.clone())))
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }

    fn random(&self, into: &mut [u8]) -> io::Result<()> {
        self.disk.random(into)
    }
}
