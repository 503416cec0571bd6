//! The configuration: one TOML file, overridden by the environment, overridden by the command line.
//!
//! What is written becomes settings with the place where each was written; settings become a [`Config`] that is fully
//! typed and checked, or a [`ConfigError`] that points at everything that is wrong. Only this room reads configuration
//! files. It knows the names and bounds of settings, not what the broker does with them.

mod document;
mod environment;
mod keys;
mod limits;
mod listener;
mod load;
mod place;
mod policy;
mod problem;
mod reference;
mod route;
mod secret;
mod settings;
mod sources;
mod units;
mod user;
mod value;

#[cfg(test)]
mod tests;

pub use limits::Limits;
pub use listener::{ListenerConfig, Protocols, TlsFiles};
pub use load::{Config, HeartBeatBounds, Loaded, LogConfig, LogFormat};
pub use place::{DEFAULT_FILE, Home, data_directory};
pub use policy::PolicyConfig;
pub use problem::{ConfigError, Origin, Problem};
pub use reference::{commented_file, reference_page};
pub use route::RouteConfig;
pub use sources::{Access, Argument, Disk, Files, Sources};
pub use units::parse_duration;
