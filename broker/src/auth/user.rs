//! Somebody with a name, a password and rights.

use std::sync::Arc;

use thiserror::Error;

use super::grants::{Grants, Principal, Rights};
use super::password::{PasswordError, PasswordHash};
use super::{Credentials, Secret};
use crate::model::is_invisible;

/// One user.
#[derive(Clone, Debug)]
pub struct User {
    principal: Principal,
    password: PasswordHash,
    rights: Arc<Rights>,
}

impl User {
    /// A user with a stored password, as [`hash_password`](super::hash_password) makes it.
    pub fn new(name: &str, password: &str, rights: Rights) -> Result<User, UserError> {
        check_name(name)?;
        Ok(User { principal: Principal::new(name), password: password.parse()?, rights: Arc::new(rights) })
    }

    /// The name.
    pub fn name(&self) -> &str {
        self.principal.as_str()
    }

    /// Whether rules let it read or send, but none lets it create: it reaches only what is there already.
    pub fn lacks_create(&self) -> bool {
        self.rights.lacks_create()
    }

    pub(super) fn has_password(&self, passcode: &Secret) -> bool {
        self.password.matches(passcode.expose())
    }

    /// Whether it is let in by the same password, as far as can be told: a password that was hashed again counts as another.
    pub(super) fn has_password_of(&self, other: &User) -> bool {
        self.password == other.password
    }

    pub(super) fn grants(&self) -> Grants {
        Grants::limited(self.principal.clone(), Arc::clone(&self.rights))
    }
}

fn check_name(name: &str) -> Result<(), UserError> {
    if name.is_empty() || name.len() > Credentials::MAX_LOGIN_BYTES {
        return Err(UserError::Length);
    }
    if name.chars().any(|c| c.is_control() || is_invisible(c)) {
        return Err(UserError::Unprintable);
    }
    if name == Principal::ANONYMOUS {
        return Err(UserError::Reserved);
    }
    Ok(())
}

/// Why there cannot be such a user.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UserError {
    /// Empty or too long.
    #[error("a user's name has 1 to {} octets", Credentials::MAX_LOGIN_BYTES)]
    Length,
    /// Control characters.
    #[error(
        "a user's name holds no control characters, no invisible ones and none that change the direction of writing"
    )]
    Unprintable,
    /// The name of those who have none.
    #[error("`{}` is the user without a login; it has rights, but no password", Principal::ANONYMOUS)]
    Reserved,
    /// The stored password is none.
    #[error(transparent)]
    Password(#[from] PasswordError),
}
