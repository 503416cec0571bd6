//! A directory that is looked at: what would change it is refused.
//!
//! So none of the code that recovery shares with the tools can change what it is asked about.

use std::io;
use std::sync::Arc;

use crate::journal::fs::{File, FileSystem, Lock};

/// A directory of which nothing is changed.
#[derive(Debug)]
pub(super) struct Shown(pub(super) Arc<dyn FileSystem>);

/// No lock: for a directory that cannot be written to, in which no broker can run.
#[derive(Debug)]
struct Unlocked;

impl Lock for Unlocked {}

fn refuse<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "the directory is only looked at"))
}

impl FileSystem for Shown {
    fn create(&self, _: &str, _: u64, _: bool) -> io::Result<Arc<dyn File>> {
        refuse()
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        self.0.open(name)
    }

    fn rename(&self, _: &str, _: &str) -> io::Result<()> {
        refuse()
    }

    fn unlink(&self, _: &str) -> io::Result<()> {
        refuse()
    }

    fn sync_dir(&self) -> io::Result<()> {
        refuse()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    /// Takes the lock, which is the one file that may be made; where even that cannot be, there is no broker either.
    fn lock(&self) -> io::Result<Box<dyn Lock>> {
        match self.0.lock() {
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => Ok(Box::new(Unlocked)),
            taken => taken,
        }
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.0.free_bytes()
    }

    fn random(&self, into: &mut [u8]) -> io::Result<()> {
        self.0.random(into)
    }
}
