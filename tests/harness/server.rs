//! A whole server inside the test's process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use kolejka::config::{Argument, Config, Disk, ListenerConfig, Loaded, Sources};
use kolejka::memory::Account;
use kolejka::server::Server;
use tempfile::TempDir;

/// A server with a data directory of its own, stopped in order when dropped.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it counts memory.
    pub memory: Arc<Account>,
    reload: tokio::sync::mpsc::Sender<Config>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    config: Config,
    thread: Option<JoinHandle<()>>,
    data: Option<TempDir>,
}

/// What a server without a file has, in a directory of its own and on a free port of loopback.
///
/// # Panics
/// If there is no room for a directory.
pub fn config(data: &TempDir) -> Config {
    let sources = Sources { arguments: vec![Argument::Data(data.path().to_owned())], ..Sources::default() };
    let mut config = Loaded::from_sources(&sources, &Disk).expect("the default is right").config;
    // Every test has a server of its own, and a file of zeroes takes its time.
    config.limits.segment = 16 << 20;
    config.listeners = vec![ListenerConfig::on(SocketAddr::from(([127, 0, 0, 1], 0)))];
    config
}

impl Running {
    /// Starts a server that differs from the default by what `change` does.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(change: impl FnOnce(&mut Config)) -> Running {
        let data = TempDir::new().expect("a directory");
        let mut config = config(&data);
        change(&mut config);
        let mut running = Running::with(config);
        running.data = Some(data);
        running
    }

    /// Starts a server with this configuration.
    ///
    /// # Panics
    /// If it does not start.
    #[expect(clippy::disallowed_methods, reason = "a server of its own in a thread of its own")]
    pub fn with(config: Config) -> Running {
        let (told, address) = sync_channel(1);
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (reload, reloads) = tokio::sync::mpsc::channel(1);
        let own = config.clone();
        let thread = std::thread::spawn(move || serve(&own, &told, reloads, stopped));
        let (address, memory) = address.recv().expect("the server starts");
        Running { address, memory, reload, stop: Some(stop), config, thread: Some(thread), data: None }
    }

    /// Has the server read its configuration again, which differs from the one before by what `change` does. It may take
    /// effect a little later.
    ///
    /// # Panics
    /// If the server is gone.
    pub fn reload(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        self.reload.blocking_send(self.config.clone()).expect("a server that runs");
    }
}

fn serve(
    config: &Config,
    told: &SyncSender<(SocketAddr, Arc<Account>)>,
    mut reloads: tokio::sync::mpsc::Receiver<Config>,
    mut stopped: tokio::sync::oneshot::Receiver<()>,
) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let server = Server::start(config).expect("the server starts");
        told.send((server.banner().listeners[0].address, server.handle().memory())).expect("somebody who waits");
        loop {
            tokio::select! {
                Some(config) = reloads.recv() => server.reload(&config),
                _ = &mut stopped => break,
            }
        }
        server.stop().await.expect("the server stops in order");
    });
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && let Err(panic) = thread.join()
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
        drop(self.data.take());
    }
}
