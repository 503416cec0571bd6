//! Where settings come from: the file, the environment, the command line, and the files that they name.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::place::Home;

/// A setting from the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// `--data`.
    Data(PathBuf),
    /// One `--listen`; together they replace the listeners of the file.
    Listen(String),
    /// `--log-format`.
    LogFormat(String),
    /// `--log-level`.
    LogLevel(String),
}

/// Where settings come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file and its text.
    pub file: Option<(PathBuf, String)>,
    /// All environment variables; those that are none of ours are ignored.
    pub environment: Vec<(String, String)>,
    /// The command line.
    pub arguments: Vec<Argument>,
    /// Who starts the program.
    pub home: Home,
}

/// The files that a configuration refers to.
pub trait Files {
    /// The text of a file.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// Who may open it.
    fn access(&self, path: &Path) -> io::Result<Access>;
}

/// Who may open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Its mode, as `chmod` takes it.
    pub mode: u32,
    /// The number of the user that it belongs to.
    pub owner: u32,
}

impl Access {
    /// Whether others than its owner may open it: than those of its group, if it is the administrator's, since a service that
    /// may not change its key reads it by its group.
    pub(super) fn is_open(self) -> bool {
        let allowed = if self.owner == 0 { 0o740 } else { 0o700 };
        self.mode & 0o777 & !allowed != 0
    }

    /// What to do about it.
    pub(super) fn warning(self, path: &Path, holds: &str) -> Option<String> {
        let (shown, mode) = (path.display(), self.mode & 0o7777);
        self.is_open().then(|| {
            format!("{shown} holds {holds}, and its mode {mode:04o} lets other users of this machine open it: chmod 600 {shown}")
        })
    }
}

/// Real files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    #[expect(clippy::disallowed_methods, reason = "the configuration is where files are read at start")]
    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn access(&self, path: &Path) -> io::Result<Access> {
        let metadata = std::fs::metadata(path)?;
        Ok(Access { mode: metadata.mode() & 0o7777, owner: metadata.uid() })
    }
}
