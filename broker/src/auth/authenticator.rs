//! The door: logins in, grants out. Blocks for the time of a password hash; must not run on a task that others wait for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;

use super::grants::{Grants, Principal, Rights};
use super::password::PasswordError;
use super::recent::{Key, Recent};
use super::throttle::Throttle;
use super::{Credentials, Peer, Secret, User};

/// Addresses and names whose failures are remembered, each.
const REMEMBERED_FAILURES: usize = 4096;

/// Who may come in.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The users, with different names. None: everybody is anonymous and may do everything.
    pub users: Vec<User>,
    /// What clients without a login may do on loopback listeners, if they may come in at all. Of no meaning without users.
    pub anonymous: Option<Rights>,
}

/// Checks logins. Shared by all connections; locks are held for a look into a table, never during a hash.
pub struct Authenticator {
    users: Vec<User>,
    by_name: HashMap<String, usize>,
    anonymous: Option<Grants>,
    key: Key,
    state: Mutex<State>,
}

struct State {
    recent: Recent,
    by_address: Throttle<IpAddr>,
    by_name: Throttle<String>,
}

impl Authenticator {
    /// A door for these users. Fails only if the system gives no random numbers. A new one knows no earlier success or
    /// failure, so replacing it is how a changed configuration takes effect.
    pub fn new(options: Options) -> Result<Authenticator, PasswordError> {
        let by_name = options.users.iter().enumerate().map(|(index, user)| (user.name().to_owned(), index)).collect();
        let anonymous =
            options.anonymous.map(|rights| Grants::limited(Principal::new(Principal::ANONYMOUS), Arc::new(rights)));
        Ok(Authenticator {
            by_name,
            anonymous,
            key: Key::random().ok_or(PasswordError::Failed)?,
            state: Mutex::new(State {
                recent: Recent::new(options.users.len()),
                by_address: Throttle::new(REMEMBERED_FAILURES),
                by_name: Throttle::new(REMEMBERED_FAILURES),
            }),
            users: options.users,
        })
    }

    /// Lets somebody in or not. `now` is any clock that does not go back, the same at every call.
    ///
    /// Takes 20 to 50 ms of CPU and 19 MiB for a login that did not succeed within the last five minutes; the caller
    /// bounds how many run at once, to fewer than ten, or right logins of one address get into each other's way. Rules: a broker without users ignores whatever login it is sent, since many clients
    /// always send one; both parts missing or empty is anonymous; one part missing or empty always fails.
    pub fn verify(&self, now: Duration, peer: Peer, credentials: &Credentials) -> Result<Grants, Denied> {
        if self.users.is_empty() {
            return Ok(Grants::everything());
        }
        let login = credentials.login.as_deref().filter(|login| !login.is_empty());
        let passcode = credentials.passcode.as_ref().filter(|passcode| !passcode.expose().is_empty());
        match (login, passcode) {
            // Some libraries send both headers empty when they were given neither.
            (None, None) => self.anonymous(peer),
            (Some(login), Some(passcode)) => self.login(now, peer, login, passcode),
            (None, Some(_)) | (Some(_), None) => Err(Denied::Incomplete),
        }
    }

    /// The verdict, where it takes no hash: everything but a login that is not remembered. [`verify`](Self::verify) says
    /// the same, and the rest.
    pub fn recall(&self, now: Duration, peer: Peer, credentials: &Credentials) -> Option<Result<Grants, Denied>> {
        match (credentials.login.as_deref(), &credentials.passcode) {
            (Some(login), Some(passcode)) if !self.users.is_empty() && !login.is_empty() => {
                let user = self.by_name.get(login).copied()?;
                let tag = self.key.tag(user, passcode)?;
                self.state().recent.knows(now, user, &tag).then(|| Ok(self.users[user].grants()))
            }
            _ => Some(self.verify(now, peer, credentials)),
        }
    }

    fn anonymous(&self, peer: Peer) -> Result<Grants, Denied> {
        match &self.anonymous {
            Some(grants) if peer.on_loopback => Ok(grants.clone()),
            _ => Err(Denied::Anonymous),
        }
    }

    fn login(&self, now: Duration, peer: Peer, login: &str, passcode: &Secret) -> Result<Grants, Denied> {
        if login.len() > Credentials::MAX_LOGIN_BYTES || passcode.expose().len() > Credentials::MAX_PASSCODE_BYTES {
            return Err(Denied::TooLong);
        }
        let user = self.by_name.get(login).copied();
        let tag = user.and_then(|user| self.key.tag(user, passcode));
        if let (Some(user), Some(tag)) = (user, &tag)
            && self.state().recent.knows(now, user, tag)
        {
            return Ok(self.users[user].grants());
        }
        let network = peer.network();
        self.state().reserve_failure(now, network, login)?;
        // Somebody unknown is checked against the first user, to no effect but the time it takes.
        let is_right = self.users[user.unwrap_or(0)].has_password(passcode);
        let Some(user) = user else { return Err(Denied::UnknownUser) };
        if !is_right {
            return Err(Denied::WrongPasscode);
        }
        let mut state = self.state();
        state.by_address.give_back(&network);
        state.by_name.give_back(&login.to_owned());
        if let Some(tag) = tag {
            state.recent.remember(now, user, tag);
        }
        Ok(self.users[user].grants())
    }

    /// The tables hold no invariant that a panic elsewhere could have broken.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn reserve_failure(&mut self, now: Duration, network: IpAddr, login: &str) -> Result<(), Denied> {
        if !self.by_address.take(now, &network) {
            return Err(Denied::TooManyFailures);
        }
        if !self.by_name.take(now, &login.to_owned()) {
            self.by_address.give_back(&network);
            return Err(Denied::TooManyFailures);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator").field("users", &self.users.len()).finish_non_exhaustive()
    }
}

/// Nobody was let in. All variants say the same to the client; [`Denied::reason`] is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[error("access refused: a valid login and passcode are needed")]
pub enum Denied {
    /// No such user.
    UnknownUser,
    /// Not this user's passcode.
    WrongPasscode,
    /// A login without a passcode, the reverse, or an empty one.
    Incomplete,
    /// No login, where one is needed.
    Anonymous,
    /// Longer than any login may be.
    TooLong,
    /// Too many failures of this address or name within a minute.
    TooManyFailures,
}

impl Denied {
    /// Why, for the log and for metrics. Never for the client.
    pub const fn reason(self) -> &'static str {
        match self {
            Denied::UnknownUser => "unknown-user",
            Denied::WrongPasscode => "wrong-passcode",
            Denied::Incomplete => "incomplete-login",
            Denied::Anonymous => "anonymous",
            Denied::TooLong => "login-too-long",
            Denied::TooManyFailures => "too-many-failures",
        }
    }
}
