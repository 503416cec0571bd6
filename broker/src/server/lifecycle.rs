//! A server's life: start, serve, reload, drain, stop.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use super::accept::Reception;
use super::admission::Admission;
use super::banner::{Banner, Listening};
use super::descriptors::Descriptors;
use super::gate::Door;
use super::plan;
use super::repeats::Repeats;
use super::signals::{Signals, Wish};
use super::timekeeping;
use crate::auth::{Authenticator, PasswordError};
use crate::clock::Clock;
use crate::config::Config;
use crate::connection::Surroundings;
use crate::engine::{Engine, Handle};
use crate::journal::{Disk, Journal, OpenError, Stopper};
use crate::model::{Epoch, LogError, Timestamp};
use crate::transport::{BindError, Listener, Reloader};

/// Why a server did not start, or came to an end that nobody asked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The data cannot be used.
    #[error("{}: {source}", path.display())]
    Journal {
        /// Where they lie.
        path: PathBuf,
        /// What is wrong with them.
        source: OpenError,
    },
    /// The data directory cannot be made or opened.
    #[error("the data directory {} cannot be used: {source}", path.display())]
    Data {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The journal's threads cannot be started.
    #[error("the journal cannot be started: {0}")]
    Thread(#[source] io::Error),
    /// The log holds messages without a queue.
    #[error("the journal holds {0} messages that belong to no queue: it is damaged")]
    Homeless(usize),
    /// An address cannot be listened on, or its certificate not be served.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The system gives no random numbers.
    #[error("passwords cannot be checked: {0}")]
    Auth(#[from] PasswordError),
    /// Signals cannot be received.
    #[error("signals cannot be received: {0}")]
    Signals(#[source] io::Error),
    /// A part that cannot be missed has panicked.
    #[error("{0} panicked, which is a bug; what was confirmed is safe, and a new start goes on from there")]
    Panicked(&'static str),
    /// A write or sync of the journal failed.
    #[error("the journal failed, nothing more can be promised: {0}")]
    Log(LogError),
}

impl From<LogError> for ServerError {
    fn from(failure: LogError) -> ServerError {
        match failure {
            LogError::Panicked(part) => ServerError::Panicked(part),
            failure => ServerError::Log(failure),
        }
    }
}

/// A running broker.
#[derive(Debug)]
pub struct Server {
    handle: Handle,
    door: Arc<Door>,
    stopper: Stopper,
    tasks: TaskTracker,
    /// No new connections.
    stopping: CancellationToken,
    /// Those that are there come to an end.
    shutdown: CancellationToken,
    listeners: Vec<Reloader>,
    repeats: Repeats,
    drain: Duration,
    banner: Banner,
}

impl Server {
    /// Recovers, opens the ports, and serves from then on. Called within a tokio runtime.
    pub fn start(config: &Config) -> Result<Server, ServerError> {
        let boot = Clock::start(Timestamp::default());
        // What may fail for reasons of its own comes before the journal is claimed: such a start leaves no trace there.
        let authenticator = Authenticator::new(config.auth.clone())?;
        let mut bound = Vec::new();
        for wanted in &config.listeners {
            bound.push((Listener::bind(plan::listener(config, wanted))?, wanted.clone()));
        }
        let descriptors = Descriptors::claim(config.limits.connections);
        let mut engine = Engine::new(plan::engine(config));
        let disk = Disk::at(&config.data).map_err(|source| ServerError::Data { path: config.data.clone(), source })?;
        let opened = Journal::open(plan::journal(config, descriptors), Arc::new(disk), &mut engine, boot.now().wall)
            .map_err(|source| ServerError::Journal { path: config.data.clone(), source })?;
        let (recovered, recovery) = (opened.recovered, boot.now().monotonic);
        match engine.replayed(recovered.clean) {
            0 => {}
            homeless => return Err(ServerError::Homeless(homeless)),
        }
        let clock = timekeeping::start(recovered.clock);
        let handle = Handle::new(engine, clock);
        let running = opened.journal.start(Arc::new(handle.clone())).map_err(ServerError::Thread)?;
        handle.attach(running.log, running.reader);

        let repeats = Repeats::default();
        let (stopping, shutdown) = (CancellationToken::new(), CancellationToken::new());
        let looking = plan::looking(config);
        let door = Arc::new(Door::new(authenticator, clock, repeats.clone(), looking, shutdown.clone()));
        let tasks = TaskTracker::new();
        let surroundings = Surroundings {
            handle: handle.clone(),
            gate: door.clone(),
            open: plan::users(config),
            options: plan::connection(config),
            shutdown: shutdown.clone(),
        };
        let admission = Admission::new(plan::admission(config, descriptors));
        let session = plan::session(config);
        let mut listeners = Vec::new();
        for (listener, wanted) in bound {
            let reception = Reception {
                surroundings: surroundings.clone(),
                session: Arc::clone(&session),
                trailing_lf: wanted.trailing_lf,
                anonymous: wanted.anonymous,
                admission: admission.clone(),
                repeats: repeats.clone(),
                tasks: tasks.clone(),
                stopping: stopping.clone(),
            };
            listeners.push((listener, reception));
        }
        warn_of(config);
        let banner = Banner {
            data: config.data.clone(),
            is_new: recovered.epoch == Epoch(1),
            recovered: recovered.messages,
            recovery,
            clean: recovered.clean,
            listeners: listeners.iter().map(|(listener, _)| Listening::of(listener)).collect(),
            users: config.auth.users.len(),
            took: boot.now().monotonic,
        };
        let reloaders = listeners.iter().map(|(listener, _)| listener.reloader()).collect();
        let drain = config.shutdown_timeout;
        let stopper = running.stopper;
        let server =
            Server { handle, door, stopper, tasks, stopping, shutdown, listeners: reloaders, repeats, drain, banner };
        server.begin(listeners);
        Ok(server)
    }

    /// Starts what goes on until the server stops.
    fn begin(&self, listeners: Vec<(Listener, Reception)>) {
        for (listener, reception) in listeners {
            self.tasks.spawn(reception.run(listener));
        }
        self.tasks.spawn(self.repeats.clone().report(self.stopping.clone()));
        self.tasks.spawn(timekeeping::follow(self.handle.clone(), self.stopping.clone()));
        let (driven, until) = (self.handle.clone(), self.shutdown.clone());
        self.tasks.spawn(async move { until.run_until_cancelled(driven.drive()).await });
    }

    /// What there is to say about the start.
    pub fn banner(&self) -> &Banner {
        &self.banner
    }

    /// The engine.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Serves until the process is told to stop, or the journal fails. `reload` reads the configuration again when SIGHUP
    /// asks for it.
    pub async fn run(
        self,
        mut signals: Signals,
        mut reload: impl FnMut() -> Option<Config>,
    ) -> Result<(), ServerError> {
        loop {
            tokio::select! {
                failure = self.handle.failed() => return Err(failure.into()),
                wish = signals.next() => match wish {
                    Wish::Reload => self.reload_if_right(reload()),
                    Wish::Stop => break,
                },
            }
        }
        info!("stopping");
        tokio::select! {
            outcome = self.stop() => outcome,
            () = second_stop(&mut signals) => {
                warn!("stopped at once; what was confirmed is safe");
                Ok(())
            }
        }
    }

    /// Ends in order: no new connections, receipts for what was read, the last sync, the mark of a clean stop.
    pub async fn stop(self) -> Result<(), ServerError> {
        self.stopping.cancel();
        self.shutdown.cancel();
        self.tasks.close();
        // The rest of the time belongs to the last sync.
        if timeout(self.drain.mul_f64(CONNECTIONS_SHARE), self.tasks.wait()).await.is_err() {
            warn!(left = self.tasks.len(), "some connections did not end in time");
        }
        self.repeats.write();
        self.handle.finish_closing();
        if self.handle.clients() > 0 {
            // Somebody may hold messages of which the log does not know that they were handed out (P8): everything
            // appended becomes durable, but without the mark of a clean stop.
            drop(self.handle.detach());
        }
        let stopper = self.stopper;
        let outcome = tokio::task::spawn_blocking(move || stopper.stop()).await;
        drop(self.handle.detach());
        match outcome {
            Ok(Ok(())) => Ok(()),
            Ok(Err(failure)) => Err(failure.into()),
            Err(panic) => Err(ServerError::Log(LogError::Poisoned(panic.to_string()))),
        }
    }

    fn replace_users(&self, config: &Config, has_users: bool) {
        let demand = |same_port| self.listeners.iter().for_each(|listener| listener.demand_same_port(same_port));
        if has_users {
            demand(true);
        }
        match self.door.replace(config.auth.clone()) {
            Ok(()) => demand(has_users),
            Err(failure) => error!(%failure, "the old users stay"),
        }
    }

    fn reload_if_right(&self, config: Option<Config>) {
        let Some(config) = config else { return warn!("the configuration is not right, the old one stays") };
        self.reload(&config);
    }

    /// Takes over what can change while clients are connected: users, policies, routes and certificates.
    /// Clients that are connected are judged by the new users at once: what they may do changes, and those who would not be
    /// let in any more are told so and disconnected.
    pub fn reload(&self, config: &Config) {
        match (exposed(&self.banner.listeners), config.auth.users.len()) {
            // Its file may name other listeners, but these are open.
            (Some(address), 0) => error!(
                %address,
                "the old users stay: there would be none, and the listener can be reached from other machines until a restart"
            ),
            (_, users) => self.replace_users(config, users > 0),
        }
        warn_of(config);
        self.handle.set_policies(plan::policies(config));
        self.handle.set_routes(plan::routes(config));
        for listener in &self.listeners {
            if let Err(failure) = listener.reload() {
                error!(%failure, "the old certificate stays");
            }
        }
        info!(
            users = config.auth.users.len(),
            policies = config.policies.len(),
            routes = config.routes.len(),
            "users, policies, routes and certificates re-read; listeners, limits and data change with a restart"
        );
    }
}

/// A listener that must not be without users.
pub(super) fn exposed(listeners: &[Listening]) -> Option<SocketAddr> {
    listeners.iter().find(|listener| !listener.is_loopback()).map(|listener| listener.address)
}

/// What is allowed, and perhaps not meant.
fn warn_of(config: &Config) {
    config.warnings.iter().for_each(|text| warn!("{text}"));
}

/// Connections may take that much of the time that a stop may take.
const CONNECTIONS_SHARE: f64 = 0.9;

async fn second_stop(signals: &mut Signals) {
    while signals.next().await != Wish::Stop {}
}
