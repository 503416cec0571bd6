//! The file system as the journal sees it: one directory of plain files. The only file of the broker that touches a disk.
//!
//! It must not know what is in the files. A sync that fails is reported and never tried again.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::claim;

/// Whether there was no room for something: on the disk, or for this user on it.
pub(super) fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// One directory.
pub trait FileSystem: Send + Sync + fmt::Debug {
    /// Makes a file of that length that reads as zeros; the name must be free. `fill` writes the zeros, so that later
    /// writes meet no unwritten extents. Durable only after the file and the directory were synced.
    fn create(&self, name: &str, length: u64, fill: bool) -> io::Result<Arc<dyn File>>;

    /// Opens a file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Arc<dyn File>>;

    /// Gives a file another name, over one that may exist.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a name.
    fn unlink(&self, name: &str) -> io::Result<()>;

    /// Makes all creations, renames and removals so far durable.
    fn sync_dir(&self) -> io::Result<()>;

    /// A directory in this one, for files that are not the journal's own; made if it is missing. Files are moved between
    /// the two under their paths, such as `name/file`.
    fn folder(&self, name: &str) -> io::Result<Arc<dyn FileSystem>> {
        Err(io::Error::new(io::ErrorKind::Unsupported, format!("{name}: this file system has one directory")))
    }

    /// Names of the plain files, in no order.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Takes the directory for this process until the lock is dropped; `WouldBlock` if somebody has it.
    fn lock(&self) -> io::Result<Box<dyn Lock>>;

    /// Octets that can still be written.
    fn free_bytes(&self) -> io::Result<u64>;

    /// Fills the slice with random octets.
    fn random(&self, into: &mut [u8]) -> io::Result<()>;
}

/// One open file.
pub trait File: Send + Sync + fmt::Debug {
    /// Writes all of it, or fails; a short write is a failure.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Reads what is there, at most the slice; less only at the end of the file.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Makes all that was written, and the length, durable.
    fn sync_data(&self) -> io::Result<()>;

    /// Octets.
    fn size(&self) -> io::Result<u64>;
}

/// A taken directory.
pub trait Lock: Send + fmt::Debug {}

/// The real thing.
#[derive(Debug)]
pub struct Disk {
    directory: PathBuf,
    is_read_only: bool,
}

impl Disk {
    /// A directory of the real file system; made if it is missing, readable for its owner only, and durable then. One that is
    /// there and open to others is closed to them, if it is ours to close.
    pub fn at(directory: &Path) -> io::Result<Disk> {
        use std::os::unix::fs::DirBuilderExt as _;
        let directory = std::path::absolute(directory)?;
        let missing = directory.ancestors().take_while(|path| !path.exists()).count();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        for parent in directory.ancestors().skip(1).take(missing) {
            Disk { directory: parent.to_owned(), is_read_only: false }.sync_dir()?;
        }
        claim::close(&directory)?;
        Ok(Disk { directory, is_read_only: false })
    }

    /// A directory that must be there, and of which nothing is changed. Files are opened for reading only.
    pub fn to_read(directory: &Path) -> io::Result<Disk> {
        let directory = std::path::absolute(directory)?;
        if !fs::metadata(&directory)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Disk { directory, is_read_only: true })
    }

    #[expect(clippy::disallowed_methods, reason = "the journal's files are opened here and nowhere else")]
    fn open_with(&self, name: &str, options: &fs::OpenOptions) -> io::Result<fs::File> {
        options.open(self.directory.join(name))
    }
}

impl FileSystem for Disk {
    fn create(&self, name: &str, length: u64, fill: bool) -> io::Result<Arc<dyn File>> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let mut options = fs::OpenOptions::new();
        let file = self.open_with(name, options.read(true).write(true).create_new(true).mode(0o600))?;
        let made = allocate(&file, length).and_then(|()| if fill { zero(&file, length) } else { Ok(()) });
        match made {
            Ok(()) => Ok(Arc::new(DiskFile(file))),
            Err(error) => {
                drop(fs::remove_file(self.directory.join(name)));
                Err(error)
            }
        }
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(DiskFile(self.open_with(name, fs::OpenOptions::new().read(true).write(!self.is_read_only))?)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.directory.join(from), self.directory.join(to))
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.directory.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.open_with("", fs::OpenOptions::new().read(true))?.sync_all()
    }

    fn folder(&self, name: &str) -> io::Result<Arc<dyn FileSystem>> {
        use std::os::unix::fs::DirBuilderExt as _;
        let directory = self.directory.join(name);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        self.sync_dir()?;
        Ok(Arc::new(Disk { directory, is_read_only: self.is_read_only }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            if let (true, Some(name)) = (entry.file_type()?.is_file(), OsStr::to_str(&entry.file_name())) {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    fn lock(&self) -> io::Result<Box<dyn Lock>> {
        Ok(Box::new(DiskLock { _file: claim::lock(&self.directory)? }))
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let space = rustix::fs::statvfs(&self.directory)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }

    fn random(&self, into: &mut [u8]) -> io::Result<()> {
        self.open_with("/dev/urandom", fs::OpenOptions::new().read(true))?.read_exact(into)
    }
}

/// Reserves the blocks. Where the file system cannot, its length is set and the zeros must reserve them.
fn allocate(file: &fs::File, length: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, length) {
        Err(rustix::io::Errno::OPNOTSUPP) => zero(file, length),
        other => other.map_err(io::Error::from),
    }
}

fn zero(file: &fs::File, length: u64) -> io::Result<()> {
    const STEP_BYTES: u64 = 1 << 20;
    let zeros = vec![0; STEP_BYTES.min(length) as usize];
    let mut offset = 0;
    while offset < length {
        let step = STEP_BYTES.min(length - offset);
        file.write_all_at(zeros.get(..step as usize).unwrap_or_default(), offset)?;
        offset += step;
    }
    Ok(())
}

#[derive(Debug)]
struct DiskFile(fs::File);

impl File for DiskFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let written = self.0.write_at(bytes, offset)?;
        if written < bytes.len() {
            return Err(io::Error::new(io::ErrorKind::WriteZero, "the disk took only a part of a write"));
        }
        Ok(())
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = into.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

#[derive(Debug)]
struct DiskLock {
    _file: fs::File,
}

impl Lock for DiskLock {}
