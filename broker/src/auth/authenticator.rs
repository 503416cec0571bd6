//! The door: logins in, grants out. Blocks for the time of a password hash; must not run on a task that others wait for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;

use super::grants::{Grants, Principal, Rights};
use super::password::PasswordError;
use super::recent::{Key, Recent, Tag};
use super::review::Generation;
use super::throttle::Throttle;
use super::{Credentials, Peer, Secret, User};
use crate::model::Network;

/// Pairs of a name and a network whose failures are remembered.
const REMEMBERED_FAILURES: usize = 4096;

/// Who may come in.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The users, with different names. None: everybody is anonymous and may do everything.
    pub users: Vec<User>,
    /// What clients without a login may do on the listeners that let them in. Of no meaning without users.
    pub anonymous: Option<Rights>,
}

/// Checks logins. Shared by all connections; locks are held for a look into a table, never during a hash.
pub struct Authenticator {
    pub(super) users: Vec<User>,
    pub(super) by_name: HashMap<String, usize>,
    /// For each user since which configuration it has its password.
    pub(super) since: Vec<Generation>,
    pub(super) generation: Generation,
    anonymous: Option<Grants>,
    key: Key,
    state: Mutex<State>,
}

struct State {
    recent: Recent,
    failures: Throttle<(String, Network)>,
}

impl Authenticator {
    /// A door for these users, of the first configuration. Fails only if the system gives no random numbers.
    pub fn new(options: Options) -> Result<Authenticator, PasswordError> {
        let by_name = options.users.iter().enumerate().map(|(index, user)| (user.name().to_owned(), index)).collect();
        let anonymous =
            options.anonymous.map(|rights| Grants::limited(Principal::new(Principal::ANONYMOUS), Arc::new(rights)));
        Ok(Authenticator {
            by_name,
            since: vec![0; options.users.len()],
            generation: 0,
            anonymous,
            key: Key::random().ok_or(PasswordError::Failed)?,
            state: Mutex::new(State {
                recent: Recent::new(options.users.len()),
                failures: Throttle::new(REMEMBERED_FAILURES),
            }),
            users: options.users,
        })
    }

    /// Lets somebody in or not. `now` is any clock that does not go back, the same at every call.
    ///
    /// Takes 20 to 50 ms of CPU and 19 MiB for a login that did not succeed within the last five minutes; the caller
    /// bounds how many run at once. Rules: a broker without users ignores whatever login it is sent, since many clients
    /// always send one; both parts missing or empty is anonymous; one part missing or empty always fails.
    ///
    /// A right password is right, however many wrong ones came before it and from where. What many failures change is how
    /// long the answer to the next failure is held back ([`LoginFailure::delay`]), by name and network; a name that nobody
    /// has costs as much work and as long a delay as one that somebody has.
    pub fn verify(&self, now: Duration, peer: Peer, credentials: &Credentials) -> Result<Grants, LoginFailure> {
        match self.what_is_asked(peer, credentials)? {
            Asked::Admitted(grants) => Ok(grants),
            Asked::Login(login, passcode) => self.login(now, peer, login, passcode),
        }
    }

    /// The verdict, where it takes no hash: everything but a login that is not remembered. [`verify`](Self::verify) says
    /// the same, and the rest. A wrong password is never told apart here from one that is not remembered: only `verify`
    /// tells, which takes its time and counts.
    pub fn recall(&self, now: Duration, peer: Peer, credentials: &Credentials) -> Option<Result<Grants, LoginFailure>> {
        match self.what_is_asked(peer, credentials) {
            Err(failure) => Some(Err(failure)),
            Ok(Asked::Admitted(grants)) => Some(Ok(grants)),
            Ok(Asked::Login(login, passcode)) => self.remembered(now, &self.claim(login, passcode)).map(Ok),
        }
    }

    fn what_is_asked<'c>(&self, peer: Peer, credentials: &'c Credentials) -> Result<Asked<'c>, LoginFailure> {
        if self.users.is_empty() {
            return Ok(Asked::Admitted(Grants::everything()));
        }
        let login = credentials.login.as_deref().filter(|login| !login.is_empty());
        let passcode = credentials.passcode.as_ref().filter(|passcode| !passcode.expose().is_empty());
        match (login, passcode) {
            // Some libraries send both headers empty when they were given neither.
            (None, None) => self.anonymous(peer).map(Asked::Admitted).map_err(LoginFailure::at_once),
            (Some(login), Some(passcode))
                if login.len() > Credentials::MAX_LOGIN_BYTES
                    || passcode.expose().len() > Credentials::MAX_PASSCODE_BYTES =>
            {
                Err(LoginFailure::at_once(Denied::TooLong))
            }
            (Some(login), Some(passcode)) => Ok(Asked::Login(login, passcode)),
            (None, Some(_)) | (Some(_), None) => Err(LoginFailure::at_once(Denied::Incomplete)),
        }
    }

    fn anonymous(&self, peer: Peer) -> Result<Grants, Denied> {
        match &self.anonymous {
            Some(grants) if peer.anonymous => Ok(grants.clone()),
            _ => Err(Denied::Anonymous),
        }
    }

    /// Whose login this would be. The tag is made for a name that nobody has as well: it takes the same time.
    fn claim(&self, login: &str, passcode: &Secret) -> Claim {
        let user = self.by_name.get(login).copied();
        Claim { user, tag: self.key.tag(user.unwrap_or(0), passcode) }
    }

    fn remembered(&self, now: Duration, claim: &Claim) -> Option<Grants> {
        let (user, tag) = (claim.user?, claim.tag.as_ref()?);
        self.state().recent.knows(now, user, tag).then(|| self.users[user].grants())
    }

    fn login(&self, now: Duration, peer: Peer, login: &str, passcode: &Secret) -> Result<Grants, LoginFailure> {
        let claim = self.claim(login, passcode);
        if let Some(grants) = self.remembered(now, &claim) {
            return Ok(grants);
        }
        // Somebody unknown is checked against the first user, to no effect but the time it takes.
        let is_right = self.users[claim.user.unwrap_or(0)].has_password(passcode);
        let mut state = self.state();
        match claim.user {
            Some(user) if is_right => {
                if let Some(tag) = claim.tag {
                    state.recent.remember(now, user, tag);
                }
                Ok(self.users[user].grants())
            }
            user => {
                let why = if user.is_some() { Denied::WrongPasscode } else { Denied::UnknownUser };
                Err(LoginFailure { why, delay: state.failures.fail(now, &(login.to_owned(), peer.network())) })
            }
        }
    }

    /// The tables hold no invariant that a panic elsewhere could have broken.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a client asks for by what it sent.
enum Asked<'c> {
    /// To come in without a login, which is granted.
    Admitted(Grants),
    /// To come in by this login.
    Login(&'c str, &'c Secret),
}

/// A login, as the tables know it.
struct Claim {
    user: Option<usize>,
    tag: Option<Tag>,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticator").field("users", &self.users.len()).finish_non_exhaustive()
    }
}

/// A login that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct LoginFailure {
    /// Why.
    pub why: Denied,
    /// How long the answer is held back, at most 10 s. Meanwhile the client keeps the place that it takes among those that
    /// have not logged in, also if it is gone: otherwise it could try again at once.
    pub delay: Duration,
}

impl LoginFailure {
    /// One that says nothing about a password, and needs no delay.
    const fn at_once(why: Denied) -> LoginFailure {
        LoginFailure { why, delay: Duration::ZERO }
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
        }
    }
}
