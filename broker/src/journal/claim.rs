//! A directory for one process, and for no other user of the machine: its mode, and the lock in it.
//!
//! A lock asks for no more than an open file, and to open a file it is enough to be allowed to read it. So the directory and
//! the lock are closed to others; and where one of them had opened the lock before, it is told from a broker and passed over.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::process::geteuid;

/// What others have no share in.
const OTHERS: u32 = 0o077;
/// What others could write to.
const WRITABLE: u32 = 0o022;
/// A directory that many users share, such as `/tmp`.
const SHARED: u32 = 0o1000;

/// Closes a directory to other users of the machine, if it is ours and holds nothing but what a journal holds.
pub(super) fn close(directory: &Path) -> io::Result<()> {
    let metadata = fs::metadata(directory)?;
    let mode = metadata.mode();
    if mode & OTHERS == 0 {
        return Ok(());
    }
    let shown = directory.display();
    if !is_ours(&metadata) || mode & SHARED != 0 || has_directories(directory)? {
        tracing::warn!(
            directory = %shown,
            mode = format_args!("{:04o}", mode & 0o7777),
            "other users of this machine can look into the data directory: chmod 700, or keep the data in one of its own"
        );
        return Ok(());
    }
    if let Err(error) = fs::set_permissions(directory, fs::Permissions::from_mode(mode & 0o700)) {
        tracing::warn!(directory = %shown, %error, "other users of this machine can look into the data directory");
    } else {
        tracing::warn!(directory = %shown, "the data directory was open to other users of this machine: closed to them");
    }
    Ok(())
}

/// Locks the directory: `WouldBlock` if a broker has it.
pub(super) fn lock(directory: &Path) -> io::Result<fs::File> {
    let (file, is_writable) = open(directory, "lock")?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        // A process that replaces the lock may have come in between.
        Ok(()) if fs::metadata(directory.join("lock"))?.ino() == file.metadata()?.ino() => return closed(file),
        Ok(()) => return Err(io::ErrorKind::WouldBlock.into()),
        Err(error) if error != rustix::io::Errno::WOULDBLOCK => return Err(error.into()),
        Err(_) => {}
    }
    // Who cannot write to the lock cannot be a broker: one opens it for writing.
    if is_writable || fs::metadata(directory)?.mode() & OTHERS != 0 || !is_held_by_others_only(&file)? {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    drop(file);
    replace(directory)
}

/// Puts another lock in the place of one that only processes of other users hold.
fn replace(directory: &Path) -> io::Result<fs::File> {
    // One process at a time, or two could each replace the lock of the other.
    let (guard, is_writable) = open(directory, "lock-guard")?;
    flock(&guard, FlockOperation::NonBlockingLockExclusive)?;
    let (held, _) = open(directory, "lock")?;
    if flock(&held, FlockOperation::NonBlockingLockExclusive).is_ok() {
        return closed(held);
    }
    if is_writable || !is_held_by_others_only(&held)? {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    let (fresh, _) = open(directory, "lock-new")?;
    flock(&fresh, FlockOperation::NonBlockingLockExclusive)?;
    fs::rename(directory.join("lock-new"), directory.join("lock"))?;
    tracing::warn!("processes of other users held the lock of the data directory; it has been replaced");
    Ok(fresh)
}

/// Whether those who hold a lock are known, and all of them users who are neither we nor the administrator.
fn is_held_by_others_only(file: &fs::File) -> io::Result<bool> {
    let holders = holders(&read_to_string("/proc/locks")?, &file.metadata()?);
    let is_foreign = |pid: &u32| fs::metadata(format!("/proc/{pid}")).is_ok_and(|it| it.uid() != 0 && !is_ours(&it));
    Ok(!holders.is_empty() && holders.iter().all(is_foreign))
}

/// Opens a file, which only we may open if it is new. Says whether others can write to it.
#[expect(clippy::disallowed_methods, reason = "locks are opened here and nowhere else")]
fn open(directory: &Path, name: &str) -> io::Result<(fs::File, bool)> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    // Whoever could write to the directory may have put a link there.
    let file = options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(directory.join(name))?;
    let metadata = file.metadata()?;
    let is_writable = !is_ours(&metadata) || metadata.mode() & WRITABLE != 0;
    Ok((file, is_writable))
}

/// Closes a lock that we hold to others.
fn closed(file: fs::File) -> io::Result<fs::File> {
    let metadata = file.metadata()?;
    if is_ours(&metadata) && metadata.mode() & OTHERS != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

/// The processes that hold a lock on a file, from the text of `/proc/locks`: `1: FLOCK  ADVISORY  WRITE 712 08:01:4711 0 EOF`.
/// Nobody if one of them is in another container, and has no number here.
pub(super) fn holders(table: &str, file: &fs::Metadata) -> Vec<u32> {
    let device = (rustix::fs::major(file.dev()), rustix::fs::minor(file.dev()));
    let wanted = format!("{:02x}:{:02x}:{}", device.0, device.1, file.ino());
    let mut found = Vec::new();
    for line in table.lines() {
        let fields: Vec<_> = line.split_whitespace().collect();
        // A process that waits for the lock has an arrow in front, and one field more.
        if let [_, "FLOCK", _, _, pid, place, ..] = fields[..]
            && place == wanted
        {
            match pid.parse() {
                Ok(pid) if pid > 0 => found.push(pid),
                _ => return Vec::new(),
            }
        }
    }
    found
}

fn is_ours(metadata: &fs::Metadata) -> bool {
    metadata.uid() == geteuid().as_raw()
}

fn has_directories(directory: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // A file system of its own has the first one, and a repair leaves the second.
        if entry.file_type()?.is_dir() && entry.file_name() != "lost+found" && entry.file_name() != "quarantine" {
            return Ok(true);
        }
    }
    Ok(false)
}

#[expect(clippy::disallowed_methods, reason = "the kernel's table of locks is no file of the journal")]
fn read_to_string(path: &str) -> io::Result<String> {
    fs::read_to_string(path)
}
