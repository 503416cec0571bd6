//! The broker in one thread: real connections, engine and journal over a disk that breaks on demand, and a clock that stands
//! still unless it is moved. Which of its tasks runs next is chosen by dice.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kolejka::auth::{self, Admitted, Credentials, Denied, Generation, Grants, Principal, Revoked};
use kolejka::clock::Clock;
use kolejka::connection::{Arrival, Connection, Ending, Gate, Place, Surroundings, UserLimits, Users};
use kolejka::engine::{Engine, Handle};
use kolejka::journal::fault::{CrashDisk, Dice};
use kolejka::journal::{ByHand, Journal};
use kolejka::memory::Account;
use kolejka::model::{LogError, Timestamp};
use kolejka::stomp::{PeerFacts, Session};
use kolejka::transport::{Kind, Peer, Stream};
use tokio::io::DuplexStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::setting;
use super::task::Task;

/// The promise that is broken, and how.
pub(crate) type Failure = String;

/// A machine with one broker on it, which may be down.
pub(crate) struct Broker {
    runtime: Runtime,
    began: Instant,
    micros: &'static AtomicU64,
    /// What the machine's clock shows at the beginning of the run, in milliseconds.
    pub(crate) wall: u64,
    pub(crate) disk: CrashDisk,
    pub(crate) process: Option<Process>,
    /// The operation of the disk at which the power is cut.
    pub(crate) cut_at: Option<u64>,
    /// The operation of the disk at which others take all its room.
    pub(crate) fill_at: Option<u64>,
    /// A fault of the disk that may end the process is planned.
    pub(crate) may_fail: bool,
    pub(crate) polls: u64,
    arrivals: u64,
    seed: u64,
}

/// A running broker.
pub(crate) struct Process {
    pub(crate) handle: Handle,
    pub(crate) hand: ByHand,
    driver: Task<()>,
    failed: Task<LogError>,
    pub(crate) connections: BTreeMap<u64, Task<Ending>>,
    surroundings: Surroundings,
    pub(crate) memory: Arc<Account>,
    pub(crate) shutdown: CancellationToken,
}

/// What can run.
enum Runner {
    Driver,
    Journal,
    Connection(u64),
}

/// What became of a broker that was let run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Fine,
    /// The power went, or is about to go.
    Cut,
    /// The journal failed, as it was made to.
    Failed,
}

impl Broker {
    /// A machine with an empty disk, and no broker on it yet.
    #[expect(clippy::disallowed_methods, reason = "the moment at which the simulated clock begins")]
    pub(crate) fn new(seed: u64) -> Broker {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        let began = runtime.block_on(async { tokio::time::Instant::now().into_std() });
        Broker {
            runtime,
            began,
            micros: Box::leak(Box::new(AtomicU64::new(0))),
            wall: 1_700_000_000_000,
            disk: CrashDisk::new(),
            process: None,
            cut_at: None,
            fill_at: None,
            may_fail: false,
            polls: 0,
            arrivals: 0,
            seed,
        }
    }

    /// Milliseconds since the beginning.
    pub(crate) fn elapsed(&self) -> u64 {
        self.micros.load(Ordering::Relaxed) / 1000
    }

    /// What the broker's clock shows, which does not go back where the machine's does.
    pub(crate) fn time(&self) -> u64 {
        let running = self.process.as_ref().map(|process| process.handle.clock().now().wall.0);
        running.unwrap_or(self.wall + self.elapsed())
    }

    /// Starts a broker on what the disk has. Tells whether the last one had stopped in order.
    pub(crate) fn open(&mut self) -> Result<bool, String> {
        let _guard = self.runtime.enter();
        let options = setting::engine(self.seed);
        let memory = Arc::clone(&options.memory);
        let mut engine = Engine::new(options);
        let now = self.wall + self.elapsed();
        let disk = Arc::new(self.disk.clone());
        let opened = Journal::open(setting::journal(), disk, &mut engine, Timestamp(now));
        let opened = opened.map_err(|error| error.to_string())?;
        let recovered = opened.recovered;
        let homeless = engine.replayed(recovered.clean);
        if homeless > 0 {
            return Err(format!("{homeless} messages belong to no queue"));
        }
        // The broker's time never goes back; the machine's may.
        let wall = Timestamp(now.max(recovered.clock.0) - self.elapsed());
        let handle = Handle::new(engine, Clock::simulated(self.began, wall, self.micros));
        let (log, reader, mut hand) = opened.journal.start_by_hand(Arc::new(handle.clone()));
        handle.attach(log, reader);
        while hand.has_work() && hand.turn() {}
        let (driven, watched, shutdown) = (handle.clone(), handle.clone(), CancellationToken::new());
        let surroundings = Surroundings {
            handle: handle.clone(),
            gate: Arc::new(Open(watch::channel(0).0)),
            open: Users::new(UserLimits { connections: 100, transactions: 100, transactions_per_address: 100 }),
            options: setting::connection(),
            shutdown: shutdown.clone(),
        };
        self.process = Some(Process {
            driver: Task::new(async move { driven.drive().await }),
            failed: Task::new(async move { watched.failed().await }),
            connections: BTreeMap::new(),
            handle,
            hand,
            surroundings,
            memory,
            shutdown,
        });
        Ok(recovered.clean)
    }

    /// A client connects: what it speaks through, and the number of its connection.
    pub(crate) fn connect(&mut self, window: usize) -> Option<(u64, DuplexStream)> {
        let process = self.process.as_mut()?;
        let _guard = self.runtime.enter();
        self.arrivals += 1;
        let (ours, theirs) = tokio::io::duplex(window);
        let accepted = tokio::time::Instant::from_std(self.began);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let peer = Peer { address, accepted, kind: Kind::Stomp, tls: false, subprotocol: None };
        let facts = PeerFacts {
            websocket: false,
            trailing_lf: true,
            owner_token: format!("owner{}", self.arrivals),
            session_name: format!("session{}", self.arrivals),
        };
        let arrival = Arrival {
            owner: facts.owner_token.clone(),
            session: Session::new(setting::session(), facts, process.handle.clock().now()),
            peer: auth::Peer::local(),
            place: Box::new(Anywhere),
            stream: Stream::through(peer, theirs),
        };
        let connection = Box::new(Connection::new(arrival, process.surroundings.clone()));
        process.connections.insert(self.arrivals, Task::new(connection.run()));
        Some((self.arrivals, ours))
    }

    /// Lets one task run, if one can.
    pub(crate) fn run_one(&mut self, dice: &mut Dice) -> Result<Option<Health>, Failure> {
        let Some(process) = &mut self.process else { return Ok(None) };
        let mut runners = Vec::new();
        runners.extend(process.driver.is_woken().then_some(Runner::Driver));
        runners.extend(process.hand.has_work().then_some(Runner::Journal));
        let woken = process.connections.iter().filter(|(_, task)| task.is_woken());
        runners.extend(woken.map(|(number, _)| Runner::Connection(*number)));
        if runners.is_empty() {
            return Ok(None);
        }
        self.polls += 1;
        if self.fill_at.is_some_and(|at| self.disk.operations() > at) {
            self.fill_at = None;
            self.disk.set_free(0);
        }
        let guard = self.runtime.enter();
        match runners.swap_remove(dice.below(runners.len() as u64) as usize) {
            Runner::Driver => drop(process.driver.poll()),
            Runner::Journal => drop(process.hand.turn()),
            Runner::Connection(number) => {
                let ending = process.connections.get_mut(&number).and_then(Task::poll);
                if let Some(ending) = ending {
                    process.connections.remove(&number);
                    if ending.words == "it panicked" {
                        return Err("panic: a connection panicked".to_owned());
                    }
                }
            }
        }
        drop(guard);
        self.health().map(Some)
    }

    /// Lets everything run until all of it waits.
    pub(crate) fn settle(&mut self, dice: &mut Dice) -> Result<Health, Failure> {
        for _ in 0..50_000 {
            match self.run_one(dice)? {
                None => return Ok(Health::Fine),
                Some(Health::Fine) => {}
                Some(other) => return Ok(other),
            }
        }
        Err("rest: the broker does not come to rest".to_owned())
    }

    /// Lets the journal do what an idle one does.
    pub(crate) fn idle(&mut self) -> Result<Health, Failure> {
        let Some(process) = &mut self.process else { return Ok(Health::Fine) };
        let guard = self.runtime.enter();
        process.hand.turn();
        drop(guard);
        self.health()
    }

    /// Lets time pass at once, as when the machine was suspended.
    pub(crate) fn jump(&mut self, ms: u64) {
        self.micros.fetch_add(ms * 1000, Ordering::Relaxed);
        self.runtime.block_on(tokio::time::advance(Duration::from_millis(ms)));
        if let Some(process) = &mut self.process {
            process.hand.look_again();
        }
    }

    fn health(&mut self) -> Result<Health, Failure> {
        if self.cut_at.is_some_and(|at| self.disk.operations() > at) {
            return Ok(Health::Cut);
        }
        let Some(process) = &mut self.process else { return Ok(Health::Fine) };
        match process.failed.is_woken().then(|| process.failed.poll()).flatten() {
            None => Ok(Health::Fine),
            Some(LogError::Panicked(part)) => Err(format!("panic: {part} panicked")),
            Some(_) if self.may_fail => Ok(Health::Failed),
            Some(error) => Err(format!("failed: the log failed by itself: {error}")),
        }
    }

    /// Ends the process as it is. What it would still write goes nowhere, for its disk is dead.
    pub(crate) fn drop_process(&mut self) {
        let _guard = self.runtime.enter();
        drop(self.process.take());
        (self.cut_at, self.may_fail) = (None, false);
    }

    /// The broker stops in order, as the server does it. Tells whether the log was closed in order.
    pub(crate) fn stop(&mut self, dice: &mut Dice) -> Result<Health, Failure> {
        if let Some(process) = &self.process {
            process.shutdown.cancel();
        }
        for _ in 0..4 {
            match self.settle(dice)? {
                Health::Fine => self.jump(1500),
                other => return Ok(other),
            }
        }
        let Some(mut process) = self.process.take() else { return Ok(Health::Fine) };
        let _guard = self.runtime.enter();
        process.handle.finish_closing();
        let has_clients = process.handle.clients() > 0;
        if has_clients {
            drop(process.handle.detach());
        }
        let stopped = process.hand.stop();
        drop(process.handle.detach());
        process.connections.clear();
        if self.cut_at.is_some_and(|at| self.disk.operations() > at) {
            return Ok(Health::Cut);
        }
        match stopped {
            Ok(()) => Ok(Health::Fine),
            Err(_) if self.may_fail => Ok(Health::Failed),
            Err(error) => Err(format!("failed: the log did not stop: {error}")),
        }
    }
}

/// Lets everybody in.
struct Open(watch::Sender<Generation>);

impl Gate for Open {
    fn verify<'a>(
        &'a self,
        _: auth::Peer,
        _: Credentials,
        _: &'a dyn Place,
    ) -> Pin<Box<dyn Future<Output = Result<Admitted, Denied>> + Send + 'a>> {
        Box::pin(async { Ok(Admitted { grants: Grants::everything(), generation: 0 }) })
    }

    fn changes(&self) -> watch::Receiver<Generation> {
        self.0.subscribe()
    }

    fn review(&self, _: auth::Peer, _: &Principal, _: Generation) -> Result<Grants, Revoked> {
        Ok(Grants::everything())
    }
}

/// There is room for everybody.
struct Anywhere;

impl Place for Anywhere {
    fn logs_in(&self) {}

    fn is_refused(&self) {}

    fn is_in(&self) {}
}
