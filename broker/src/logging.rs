//! Log lines: to standard error, in the format and with the filter that the configuration asks for.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use kolejka::config::{LogConfig, LogFormat};

/// The variable that overrides the filter of the configuration.
const VARIABLE: &str = "KOLEJKA_LOG";

/// Starts logging, once per process.
pub(crate) fn start(config: &LogConfig) -> Result<(), String> {
    let text = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty());
    let filter = match &text {
        Some(text) => filter(text).map_err(|error| format!("{VARIABLE}: {error}"))?,
        None => filter(&config.level)?,
    };
    let is_terminal = io::stderr().is_terminal();
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(is_terminal && colours());
    let outcome = match config.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Compact => builder.compact().try_init(),
        LogFormat::Auto if !is_terminal => builder.compact().try_init(),
        LogFormat::Auto | LogFormat::Pretty => builder.with_target(false).try_init(),
    };
    outcome.map_err(|error| error.to_string())
}

/// Has panics reported as lines of the log, with the place in the source where they began.
pub(crate) fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let words = payload.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("without a word");
        let thread = std::thread::current();
        tracing::error!(thread = thread.name().unwrap_or("unnamed"), place, words, "a panic, which is a bug");
    }));
}

/// Reads a filter.
pub(crate) fn filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::builder().parse(text).map_err(|error| format!("`{text}` is no filter for the log: {error}"))
}

/// Whether the user wants colours (no-color.org).
pub(crate) fn colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
