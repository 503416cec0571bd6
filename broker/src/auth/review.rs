//! Who is in when the users change. Each client that was let in is asked about again; what it may do from then on is what
//! the new users say.

use std::time::Duration;

use thiserror::Error;

use super::Peer;
use super::authenticator::{Authenticator, Options};
use super::grants::{Grants, Principal};
use super::password::PasswordError;

/// Counts the configurations that there have been since the process began.
pub type Generation = u64;

/// A client that was let in.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// What it may do.
    pub grants: Grants,
    /// By the users of which configuration.
    pub generation: Generation,
}

impl Authenticator {
    /// The door that takes this one's place, with the users of a changed configuration. It knows no earlier success or
    /// failure. Fails only if the system gives no random numbers.
    pub fn successor(&self, options: Options) -> Result<Authenticator, PasswordError> {
        let mut next = Authenticator::new(options)?;
        next.generation = self.generation + 1;
        for (user, since) in next.users.iter().zip(&mut next.since) {
            let before = self.by_name.get(user.name()).map(|at| (&self.users[*at], self.since[*at]));
            *since = match before {
                Some((old, since)) if old.has_password_of(user) => since,
                _ => next.generation,
            };
        }
        Ok(next)
    }

    /// Which configuration it is of.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// What a client that came in before may do now, or why it has to go.
    pub fn review(&self, peer: Peer, who: &Principal, generation: Generation) -> Result<Grants, Revoked> {
        if who.as_str() == Principal::ANONYMOUS {
            let nobody = super::Credentials::default();
            return self.verify(Duration::ZERO, peer, &nobody).map_err(|_| Revoked::Anonymous);
        }
        let user = *self.by_name.get(who.as_str()).ok_or(Revoked::Removed)?;
        if self.since[user] > generation {
            return Err(Revoked::OtherPassword);
        }
        Ok(self.users[user].grants())
    }
}

/// Why a client that was let in has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum Revoked {
    /// Its user is gone.
    #[error("the user was removed")]
    Removed,
    /// Its user has another password than the one that it came with.
    #[error("the password was changed")]
    OtherPassword,
    /// It came without a login.
    #[error("a login is needed now")]
    Anonymous,
}
