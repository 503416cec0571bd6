//! `kolejka config`: finds the file, reads it, says what is wrong or what holds.

use std::path::{Path, PathBuf};

use kolejka::config::{Argument, Config, DEFAULT_FILE, Disk, Files as _, Home, Loaded, Sources};

use crate::args::Serve;
use crate::logging;

use super::output;
use super::report;
use super::status::{Failure, Status};

/// Reads everything that a broker started with these arguments would use.
pub(crate) fn load(serve: &Serve) -> Result<Loaded, Failure> {
    let mut arguments: Vec<Argument> = serve.listen.iter().cloned().map(Argument::Listen).collect();
    arguments.extend(serve.data.clone().map(Argument::Data));
    arguments.extend(serve.log_format.clone().map(Argument::LogFormat));
    arguments.extend(serve.log_level.clone().map(Argument::LogLevel));
    let sources = Sources {
        file: read_file(serve.config.as_deref())?,
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        arguments,
        home: home(),
    };
    let loaded = Loaded::from_sources(&sources, &Disk)
        .map_err(|error| Failure::new(Status::BadConfig, report::paint(&error)))?;
    logging::filter(&loaded.config.log.level).map_err(|text| Failure::new(Status::BadConfig, text))?;
    Ok(loaded)
}

/// `kolejka config check`.
pub(crate) fn check_config(file: Option<PathBuf>) -> Result<Status, Failure> {
    let name = file.clone().unwrap_or_else(default_name);
    let loaded = load(&Serve { config: file, ..Serve::default() })?;
    loaded.config.warnings.iter().for_each(|text| output::tell(&format!("warning: {text}")));
    output::print(&format!("ok  {}  {}\n", name.display(), summary(&loaded.config)))
}

/// `kolejka config show`.
pub(crate) fn show_config(file: Option<PathBuf>) -> Result<Status, Failure> {
    let loaded = load(&Serve { config: file, ..Serve::default() })?;
    output::print(&loaded.show())
}

fn summary(config: &Config) -> String {
    let count = |number: usize, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
    format!(
        "{}, {}, {}",
        count(config.listeners.len(), "listener", "listeners"),
        count(config.policies.len(), "policy", "policies"),
        count(config.auth.users.len(), "user", "users"),
    )
}

fn default_name() -> PathBuf {
    if Path::new(DEFAULT_FILE).exists() { PathBuf::from(DEFAULT_FILE) } else { PathBuf::from("(no file)") }
}

/// A file that is named must be there; the default one need not.
fn read_file(named: Option<&Path>) -> Result<Option<(PathBuf, String)>, Failure> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    if named.is_none() && !path.exists() {
        return Ok(None);
    }
    match Disk.read(path) {
        Ok(text) => Ok(Some((path.to_owned(), text))),
        Err(error) => Err(Failure::new(Status::BadConfig, format!("cannot read {}: {error}", path.display()))),
    }
}

fn home() -> Home {
    let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    Home { is_root: rustix::process::geteuid().is_root(), data_home: path("XDG_DATA_HOME"), home: path("HOME") }
}
