//! A server that can be stopped and started, for what has to outlive it.

use std::net::SocketAddr;

use kolejka::config::{Argument, Config, Disk, Loaded, PolicyConfig, Sources};
use kolejka_codec::Frame;
use tempfile::TempDir;

use crate::server::{Running, config};
use crate::socket::Client;

/// A server with a directory of its own.
pub struct House {
    /// What it is started with next.
    pub config: Config,
    running: Option<Running>,
    _data: TempDir,
}

impl Default for House {
    fn default() -> House {
        let data = TempDir::new().expect("a directory");
        let config = config(&data);
        let running = Some(Running::with(config.clone()));
        House { config, running, _data: data }
    }
}

impl House {
    /// Where it listens now.
    ///
    /// # Panics
    ///
    /// If it could not be started again.
    pub fn address(&self) -> SocketAddr {
        self.running.as_ref().expect("it runs").address
    }

    /// A client of it.
    pub fn client(&self) -> Client {
        Client::logged_in(self.address())
    }

    /// Stops it in an orderly way, and starts it again.
    pub fn restart(&mut self) {
        drop(self.running.take());
        self.running = Some(Running::with(self.config.clone()));
    }
}

/// What a configuration file says.
///
/// # Panics
///
/// If it is not well formed.
pub fn settings(text: &str) -> Config {
    let sources = Sources {
        file: Some(("kolejka.toml".into(), text.to_owned())),
        arguments: vec![Argument::Data("unused".into())],
        ..Sources::default()
    };
    Loaded::from_sources(&sources, &Disk).expect("a good file").config
}

/// The policies of a file.
pub fn policies(text: &str) -> Vec<PolicyConfig> {
    settings(text).policies
}

/// Says something, with `^` for NUL, and hears the answer.
///
/// # Panics
///
/// If there is none.
pub fn ask(client: &mut Client, text: &str) -> Frame {
    client.send(text.replace('^', "\0").as_bytes());
    client.frame().expect("an answer").expect("a connection")
}
