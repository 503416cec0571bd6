//! Keys that clients make: `x-unique`, `idempotency-key`, names of schedules. They belong to the user, so that no one takes,
//! replaces or swallows what another has sent by knowing a key.
//!
//! A key is stored with the name of its user in front, and NUL between the two, which no name and no header has. A user of a
//! broker without users has no name, and neither had the keys of earlier versions: those are everybody's, until they go.

use std::sync::Arc;

const BETWEEN: char = '\0';

/// The key of a user, as it is stored.
pub fn key_of(user: &str, key: &str) -> Arc<str> {
    format!("{user}{BETWEEN}{key}").into()
}

/// The key without its user, as the client made it.
pub fn bare_key(key: &str) -> &str {
    key.split_once(BETWEEN).map_or(key, |(_, bare)| bare)
}
