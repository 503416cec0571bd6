//! Where things are when nobody says: the data directory and the file.

use std::path::{Path, PathBuf};

/// The file that is read if none is named and this one exists.
pub const DEFAULT_FILE: &str = "/etc/kolejka/kolejka.toml";

/// What is known of whoever started the program.
#[derive(Clone, Debug, Default)]
pub struct Home {
    /// Whether it is the system's administrator.
    pub is_root: bool,
    /// `$XDG_DATA_HOME`.
    pub data_home: Option<PathBuf>,
    /// `$HOME`.
    pub home: Option<PathBuf>,
}

/// The data directory: `/var/lib/kolejka` for root, since a service of the system has no home; for everybody else
/// `$XDG_DATA_HOME/kolejka`, or `~/.local/share/kolejka`. Relative paths in these variables are ignored, as the XDG base
/// directory specification asks. `None` if there is no home either. Nothing is tried out: the same user always gets the
/// same directory, or a broker started once as somebody else would seem to have lost its messages.
pub fn data_directory(home: &Home) -> Option<PathBuf> {
    if home.is_root {
        return Some(PathBuf::from("/var/lib/kolejka"));
    }
    let absolute = |path: &Option<PathBuf>| path.clone().filter(|path| path.is_absolute());
    absolute(&home.data_home)
        .or_else(|| absolute(&home.home).map(|home| home.join(".local/share")))
        .map(|data| data.join("kolejka"))
}

/// A path of the file: a relative one starts where the file is.
pub(super) fn beside(file: Option<&Path>, path: &str) -> PathBuf {
    match file.and_then(Path::parent) {
        Some(directory) => directory.join(path),
        None => PathBuf::from(path),
    }
}
