//! Where settings come from: the file, the environment, the command line, and the files that they name.

use std::io;
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
}

/// Real files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    #[expect(clippy::disallowed_methods, reason = "the configuration is where files are read at start")]
    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}
