//! The way in: logins off the runtime's threads, a bounded number at a time.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::repeats::Repeats;
use crate::auth::{
    Admitted, Authenticator, Credentials, Denied, Generation, Grants, LoginFailure, Options, PasswordError, Peer,
    Principal, Revoked,
};
use crate::clock::Clock;
use crate::connection::{Gate, Place};
use crate::model::Network;
use crate::transport::FairPermits;

/// Passwords are checked here. One hash takes some 20 ms of CPU and 19 MiB, so a few run at once, and networks that wait
/// for one are served in turns: a flood of guesses from one does not hold up a login from another. Each login that waits
/// belongs to a connection that has not logged in, and of those there is a limited number.
#[derive(Debug)]
pub(super) struct Door {
    authenticator: RwLock<Arc<Authenticator>>,
    hashing: FairPermits,
    clock: Clock,
    repeats: Repeats,
    changes: watch::Sender<Generation>,
    /// Passwords that are being looked at, the refusals that are held back included.
    looking: FairPermits,
    shutdown: CancellationToken,
}

/// Where lines go that tell who came in and who did not; `log.level` may name it.
const AUDIT: &str = "kolejka::audit";

/// Passwords that are hashed at once, where there are as many cores.
const HASHES: usize = 8;

impl Door {
    /// `looking` is how many passwords are looked at, at a time and of one network.
    pub(super) fn new(
        authenticator: Authenticator,
        clock: Clock,
        repeats: Repeats,
        looking: FairPermits,
        shutdown: CancellationToken,
    ) -> Door {
        let hashes = std::thread::available_parallelism().map_or(1, usize::from).min(HASHES);
        Door {
            authenticator: RwLock::new(Arc::new(authenticator)),
            hashing: FairPermits::new(hashes, hashes),
            clock,
            repeats,
            changes: watch::Sender::new(0),
            looking,
            shutdown,
        }
    }

    /// Other users from now on. All who are in are asked about again at once, each by its own connection.
    pub(super) fn replace(&self, users: Options) -> Result<(), PasswordError> {
        let mut current = self.authenticator.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(current.successor(users)?);
        self.changes.send_replace(current.generation());
        Ok(())
    }

    fn current(&self) -> Arc<Authenticator> {
        Arc::clone(&self.authenticator.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn check(&self, peer: Peer, credentials: Credentials, place: &dyn Place) -> Result<Admitted, Denied> {
        let (authenticator, network) = (self.current(), Network::of(peer.address));
        let generation = authenticator.generation();
        let admitted = |grants| Admitted { grants, generation };
        if let Some(verdict) = authenticator.recall(self.clock.now().monotonic, peer, &credentials) {
            self.write_down(network, &verdict);
            return verdict.map(admitted).map_err(|failure| failure.why);
        }
        // Held until the answer leaves. Those who wait for it have told nothing yet, and give way to others like silent ones.
        let _turn = self.looking.acquire(network).await;
        place.logs_in();
        let verdict = self.judge(authenticator, peer, credentials).await;
        self.write_down(network, &verdict);
        if let Err(failure) = &verdict {
            // The connection keeps its place among strangers meanwhile, whether the client is still there or not.
            self.shutdown.run_until_cancelled(tokio::time::sleep(failure.delay)).await;
            place.is_refused();
        }
        verdict.map(admitted).map_err(|failure| failure.why)
    }

    /// For the log: the first login and the first failure from a network. How many more there were is told later.
    fn write_down(&self, network: Network, verdict: &Result<Grants, LoginFailure>) {
        match verdict {
            Ok(grants) if self.repeats.is_first("login", network) => {
                info!(target: AUDIT, user = grants.principal().as_str(), "logged in");
            }
            Ok(grants) => debug!(target: AUDIT, user = grants.principal().as_str(), "logged in"),
            Err(failure) if self.repeats.is_first(failure.why.reason(), network) => {
                warn!(target: AUDIT, reason = failure.why.reason(), "login refused");
            }
            Err(failure) => debug!(target: AUDIT, reason = failure.why.reason(), "login refused"),
        }
    }

    async fn judge(
        &self,
        authenticator: Arc<Authenticator>,
        peer: Peer,
        credentials: Credentials,
    ) -> Result<Grants, LoginFailure> {
        let permit = self.hashing.acquire(Network::of(peer.address)).await;
        let clock = self.clock;
        let hash = move || {
            // Goes with the hash, which goes on if nobody waits for it any more.
            let _permit = permit;
            authenticator.verify(clock.now().monotonic, peer, &credentials)
        };
        let failed = LoginFailure { why: Denied::WrongPasscode, delay: Duration::ZERO };
        tokio::task::spawn_blocking(hash).await.unwrap_or(Err(failed))
    }
}

impl Gate for Door {
    fn verify<'a>(
        &'a self,
        peer: Peer,
        credentials: Credentials,
        place: &'a dyn Place,
    ) -> Pin<Box<dyn Future<Output = Result<Admitted, Denied>> + Send + 'a>> {
        Box::pin(self.check(peer, credentials, place))
    }

    fn changes(&self) -> watch::Receiver<Generation> {
        self.changes.subscribe()
    }

    fn review(&self, peer: Peer, who: &Principal, generation: Generation) -> Result<Grants, Revoked> {
        self.current().review(peer, who, generation)
    }
}
