//! Password hashes: Argon2 in PHC strings, and nothing weaker. Slow by design; must not run where others wait.

use std::fmt;
use std::str::FromStr;

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use thiserror::Error;

use super::Credentials;

/// Memory of one new hash, in KiB: the least that OWASP recommends for two passes.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Most memory of one verification, in KiB. A hash that asks for more would let each login take it.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
/// Most passes of one verification.
const MAX_PASSES: u32 = 16;

/// A stored password: a PHC string such as `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(phc::PasswordHash);

impl PasswordHash {
    /// Whether this is the password. Takes 20 to 50 ms of CPU and as much memory as the hash says.
    pub(super) fn matches(&self, password: &str) -> bool {
        // The library compares in constant time.
        Argon2::default().verify_password(password.as_bytes(), &self.0).is_ok()
    }
}

impl FromStr for PasswordHash {
    type Err = PasswordError;

    fn from_str(text: &str) -> Result<PasswordHash, PasswordError> {
        if !text.starts_with('$') {
            return Err(PasswordError::Plain);
        }
        let hash = phc::PasswordHash::new(text).map_err(|_| PasswordError::Malformed)?;
        if Algorithm::new(hash.algorithm).is_err() {
            return Err(PasswordError::Algorithm { name: hash.algorithm.as_str().to_owned() });
        }
        let params = Params::try_from(&hash).map_err(|_| PasswordError::Malformed)?;
        if hash.salt.is_none() || hash.hash.is_none() {
            return Err(PasswordError::Malformed);
        }
        if params.m_cost() > MAX_MEMORY_KIB || params.t_cost() > MAX_PASSES {
            return Err(PasswordError::TooDear);
        }
        Ok(PasswordHash(hash))
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Makes the PHC string of a new password: Argon2id, 19 MiB, two passes, one lane, a random salt.
pub fn hash_password(password: &str) -> Result<String, PasswordError> {
    if password.is_empty() {
        return Err(PasswordError::Empty);
    }
    if password.len() > Credentials::MAX_PASSCODE_BYTES {
        return Err(PasswordError::TooLong);
    }
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| PasswordError::Failed)?;
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash: phc::PasswordHash = hasher.hash_password(password.as_bytes()).map_err(|_| PasswordError::Failed)?;
    Ok(hash.to_string())
}

/// Why a text is no stored password, or a password cannot be stored. Never holds the text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// Does not begin with `$`: somebody wrote the password itself.
    #[error("a password is stored as a hash, never as it is")]
    Plain,
    /// Begins like a hash, but is none.
    #[error("this is no Argon2 hash: it looks like $argon2id$v=19$m=19456,t=2,p=1$salt$hash")]
    Malformed,
    /// A hash of another kind.
    #[error("hashes of the kind `{name}` are not supported, only argon2id, argon2i and argon2d")]
    Algorithm {
        /// Its kind.
        name: String,
    },
    /// A hash whose verification would hurt the broker.
    #[error("verifying this hash would take more than {} MiB or {MAX_PASSES} passes", MAX_MEMORY_KIB / 1024)]
    TooDear,
    /// No password.
    #[error("the password is empty")]
    Empty,
    /// Longer than a client may send.
    #[error("the password is longer than {} octets", Credentials::MAX_PASSCODE_BYTES)]
    TooLong,
    /// No memory or no randomness.
    #[error("hashing failed: no memory or no random numbers")]
    Failed,
}
