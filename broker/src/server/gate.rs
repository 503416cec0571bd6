//! The way in: logins off the runtime's threads, a bounded number at a time.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Semaphore;

use crate::auth::{Authenticator, Credentials, Denied, Grants, Peer};
use crate::clock::Clock;
use crate::connection::Gate;

/// Passwords are checked here. One hash takes some 20 ms of CPU and 19 MiB, so a few run at once, a few more wait, and
/// the rest is refused.
#[derive(Debug)]
pub(super) struct Door {
    authenticator: RwLock<Arc<Authenticator>>,
    hashing: Semaphore,
    waiting: Semaphore,
    clock: Clock,
}

/// Logins that may wait for their hash.
const WAITING: usize = 64;

impl Door {
    pub(super) fn new(authenticator: Authenticator, clock: Clock) -> Door {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Door {
            authenticator: RwLock::new(Arc::new(authenticator)),
            hashing: Semaphore::new(cores.min(8)),
            waiting: Semaphore::new(WAITING),
            clock,
        }
    }

    /// Other users from now on. Who is in stays in.
    pub(super) fn replace(&self, authenticator: Authenticator) {
        *self.authenticator.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(authenticator);
    }

    fn current(&self) -> Arc<Authenticator> {
        Arc::clone(&self.authenticator.read().unwrap_or_else(PoisonError::into_inner))
    }

    async fn check(&self, peer: Peer, credentials: Credentials) -> Result<Grants, Denied> {
        let authenticator = self.current();
        if let Some(verdict) = authenticator.recall(self.clock.now().monotonic, peer, &credentials) {
            return verdict;
        }
        let Ok(_place) = self.waiting.try_acquire() else { return Err(Denied::TooManyFailures) };
        let Ok(_core) = self.hashing.acquire().await else { return Err(Denied::TooManyFailures) };
        let clock = self.clock;
        let hash = move || authenticator.verify(clock.now().monotonic, peer, &credentials);
        tokio::task::spawn_blocking(hash).await.unwrap_or(Err(Denied::WrongPasscode))
    }
}

impl Gate for Door {
    fn verify(
        &self,
        peer: Peer,
        credentials: Credentials,
    ) -> Pin<Box<dyn Future<Output = Result<Grants, Denied>> + Send + '_>> {
        Box::pin(self.check(peer, credentials))
    }
}
