//! From layers to a [`Config`]: reads the sources, builds every part, reports everything that is wrong at once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::auth;

use super::limits::Limits;
use super::listener::{self, ListenerConfig};
use super::place::{Home, beside, data_directory};
use super::policy::{self, PolicyConfig};
use super::problem::{ConfigError, Origin, Problem};
use super::route::{self, RouteConfig};
use super::settings::{Section, Settings};
use super::sources::{Argument, Files, Sources};
use super::{document, environment, reference, secret, user};

/// Everything that can be chosen. The default is what a broker without a file has.
#[derive(Clone, Debug)]
pub struct Config {
    /// Directory of the journal; may not exist yet.
    pub data: PathBuf,
    /// Where to listen; at least one.
    pub listeners: Vec<ListenerConfig>,
    /// Who may come in.
    pub auth: auth::Options,
    /// The limits.
    pub limits: Limits,
    /// Policies by pattern, in order.
    pub policies: Vec<PolicyConfig>,
    /// Where else messages go than to where they are sent, in order.
    pub routes: Vec<RouteConfig>,
    /// What heart-beat intervals are agreed to.
    pub heart_beat: HeartBeatBounds,
    /// Text of the `server` header.
    pub server: String,
    /// How to log.
    pub log: LogConfig,
    /// How long a stop waits for acknowledgements and receipts.
    pub shutdown_timeout: Duration,
    /// What can be used as it is, and is better not: one sentence each, with the remedy.
    pub warnings: Vec<String>,
}

/// The shortest and the longest heart-beat interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartBeatBounds {
    /// The shortest; a client that asks for less gets this.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
}

/// How to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// What lines look like.
    pub format: LogFormat,
    /// Filter in the syntax of `tracing-subscriber`.
    pub level: String,
}

/// What log lines look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Pretty on a terminal, compact elsewhere.
    Auto,
    /// For eyes.
    Pretty,
    /// One line each.
    Compact,
    /// One JSON object per line.
    Json,
}

/// A configuration, and how it came about.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What holds.
    pub config: Config,
    settings: Settings,
    file: String,
    text: String,
}

impl Loaded {
    /// Builds the configuration, or says everything that is wrong. Reads the files of passwords and TLS, to know that they
    /// are there; reads neither clock nor environment itself.
    pub fn from_sources(sources: &Sources, files: &dyn Files) -> Result<Loaded, ConfigError> {
        let mut problems = Vec::new();
        let settings = gather(sources, &mut problems);
        let path = sources.file.as_ref().map(|(path, _)| path.as_path());
        // A file that was not understood would only cause followers: keys that seem to be missing.
        let config = if problems.is_empty() { build(&settings, sources, files, &mut problems) } else { None };
        let file = path.map_or_else(String::new, |path| path.display().to_string());
        let text = sources.file.as_ref().map_or_else(String::new, |(_, text)| text.clone());
        match config {
            Some(config) if problems.is_empty() => Ok(Loaded { config, settings, file, text }),
            _ => {
                problems.sort_by_key(|problem| match &problem.origin {
                    Origin::File(span) => span.start,
                    _ => usize::MAX,
                });
                Err(ConfigError { file, text: secret::masked(&text, &problems), problems })
            }
        }
    }

    /// Every key with its value and where it comes from, as TOML with comments. Secrets are left out.
    pub fn show(&self) -> String {
        reference::effective(&self.settings, &self.config, &self.file, &self.text)
    }
}

impl Default for Config {
    fn default() -> Config {
        let nothing = Settings::new();
        Config {
            data: PathBuf::from("/var/lib/kolejka"),
            listeners: ListenerConfig::defaults(),
            auth: auth::Options::default(),
            limits: Limits::default(),
            policies: Vec::new(),
            routes: Vec::new(),
            heart_beat: heart_beat(&nothing.root),
            server: "kolejka".to_owned(),
            log: log(&nothing.root),
            shutdown_timeout: shutdown_timeout(&nothing.root),
            warnings: Vec::new(),
        }
    }
}

fn gather(sources: &Sources, problems: &mut Vec<Problem>) -> Settings {
    let mut settings = Settings::new();
    if let Some((_, text)) = &sources.file {
        document::read(text, &mut settings, problems);
    }
    environment::read(&sources.environment, &mut settings, problems);
    let mut listeners = 0;
    for argument in &sources.arguments {
        let (path, text, option) = match argument {
            Argument::Data(path) => ("data".to_owned(), path.display().to_string(), "--data"),
            Argument::LogFormat(format) => ("log.format".to_owned(), format.clone(), "--log-format"),
            Argument::LogLevel(level) => ("log.level".to_owned(), level.clone(), "--log-level"),
            Argument::Listen(address) => {
                if listeners == 0 {
                    settings.listeners.clear();
                }
                listeners += 1;
                (format!("listener.{}.address", listeners - 1), address.clone(), "--listen")
            }
        };
        if let Err(problem) = settings.override_with(&path, &text, Origin::CommandLine(option)) {
            problems.push(problem);
        }
    }
    settings
}

fn build(settings: &Settings, sources: &Sources, files: &dyn Files, problems: &mut Vec<Problem>) -> Option<Config> {
    let file = sources.file.as_ref().map(|(path, _)| path.as_path());
    let listeners = listener::read_all(settings, file, files, problems);
    let auth = user::read_all(settings, file, files, problems);
    user::check_anonymous(settings, &auth, problems);
    let root = &settings.root;
    let heart_beat = heart_beat(root);
    if heart_beat.min > heart_beat.max {
        problems.push(Problem::new(root.origin("heart_beat.min"), "heart_beat.min is longer than heart_beat.max"));
    }
    let server: String = root.get("server").unwrap_or_else(|| "kolejka".to_owned());
    if server.is_empty() || server.len() > 128 || server.contains([':', '\\']) || server.chars().any(char::is_control) {
        problems.push(
            Problem::new(root.origin("server"), "`server` is not as it should be")
                .label("1 to 128 octets without colon, backslash and control characters are wanted here"),
        );
    }
    check_disk(root, problems);
    let mut warnings: Vec<String> = listeners.iter().filter_map(ListenerConfig::warning).collect();
    warnings.extend(auth.users.iter().filter(|user| user.lacks_create()).map(user::without_create));
    warnings.extend(secret::open_files(settings, &listeners, file, files));
    Some(Config {
        data: data(root, file, &sources.home, problems)?,
        listeners,
        auth,
        limits: Limits::read(root),
        policies: policy::read_all(settings, problems),
        routes: route::read_all(settings, problems),
        heart_beat,
        server,
        log: log(root),
        shutdown_timeout: shutdown_timeout(root),
        warnings,
    })
}

/// What one request appends has to fit into what is kept free of the disk, with what stands around it: a log that is not
/// full takes it, and then would wait for room that nobody makes.
fn check_disk(root: &Section, problems: &mut Vec<Problem>) {
    let limits = Limits::read(root);
    let reserve = limits.disk_reserve.max(limits.segment);
    let most = reserve / 4 * 3;
    if limits.append_bytes <= most {
        return;
    }
    let mib = |bytes: u64| format!("{}MiB", bytes.div_ceil(1 << 20));
    let (append, reserve_key) = (root.origin("limits.append.bytes"), root.origin("limits.disk_reserve"));
    let at = if append == Origin::Default { reserve_key } else { append };
    let message = format!(
        "limits.append.bytes ({}) is more than three quarters of limits.disk_reserve ({})",
        mib(limits.append_bytes),
        mib(reserve)
    );
    let help = format!(
        "write append.bytes = \"{}MiB\" at most, or disk_reserve = \"{}\" at least",
        most >> 20,
        mib(limits.append_bytes.div_ceil(3) * 4)
    );
    problems.push(Problem::new(at, message).help(help));
}

fn data(root: &Section, file: Option<&Path>, home: &Home, problems: &mut Vec<Problem>) -> Option<PathBuf> {
    let Some(text) = root.get::<String>("data") else {
        let place = data_directory(home);
        if place.is_none() {
            problems.push(
                Problem::new(Origin::Default, "there is no home directory to keep data in")
                    .help("choose one: --data DIR"),
            );
        }
        return place;
    };
    if text.is_empty() {
        problems.push(Problem::new(root.origin("data"), "`data` is empty").label("a directory is wanted here"));
        return None;
    }
    // Only what is written in the file is relative to it.
    let from_file = matches!(root.origin("data"), Origin::File(_));
    Some(beside(file.filter(|_| from_file), &text))
}

fn heart_beat(root: &Section) -> HeartBeatBounds {
    HeartBeatBounds {
        min: root.get("heart_beat.min").unwrap_or(Duration::from_secs(1)),
        max: root.get("heart_beat.max").unwrap_or(Duration::from_secs(300)),
    }
}

fn log(root: &Section) -> LogConfig {
    let format = match root.get::<String>("log.format").as_deref() {
        Some("pretty") => LogFormat::Pretty,
        Some("compact") => LogFormat::Compact,
        Some("json") => LogFormat::Json,
        _ => LogFormat::Auto,
    };
    LogConfig { format, level: root.get("log.level").unwrap_or_else(|| "info".to_owned()) }
}

fn shutdown_timeout(root: &Section) -> Duration {
    root.get("shutdown.timeout").unwrap_or(Duration::from_secs(10))
}
