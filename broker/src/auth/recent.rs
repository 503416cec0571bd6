//! Logins that succeeded a moment ago, so that a client that connects once per request pays for one hash and not for all.
//! Must not keep anything from which a password could be found.

use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};
use subtle::ConstantTimeEq;

use super::Secret;

/// How long a success is remembered after it was last used.
const KEPT: Duration = Duration::from_secs(5 * 60);

/// A keyed digest of a user and a passcode: worthless without the key, which never leaves the process.
pub(super) type Tag = [u8; 32];

/// Makes tags.
pub(super) struct Key {
    octets: [u8; 32],
    /// The least Argon2 there is: a few microseconds. What protects the tag is the key, not the effort.
    params: Params,
}

impl Key {
    /// A key of this process. `None` if there are no random numbers.
    pub(super) fn random() -> Option<Key> {
        let mut octets = [0; 32];
        for half in octets.chunks_mut(16) {
            half.copy_from_slice(&argon2::password_hash::try_generate_salt().ok()?);
        }
        Some(Key { octets, params: Params::new(8, 1, 1, Some(32)).ok()? })
    }

    /// The tag of a passcode for the user with that index.
    pub(super) fn tag(&self, user: usize, passcode: &Secret) -> Option<Tag> {
        let mut tag = Tag::default();
        let hasher =
            Argon2::new_with_secret(&self.octets, Algorithm::Argon2id, Version::V0x13, self.params.clone()).ok()?;
        // As a salt the index keeps equal passcodes of two users apart.
        hasher.hash_password_into(passcode.expose().as_bytes(), &(user as u64).to_le_bytes(), &mut tag).ok()?;
        Some(tag)
    }
}

/// The last success of each user.
pub(super) struct Recent {
    entries: Vec<Option<Entry>>,
}

struct Entry {
    tag: Tag,
    until: Duration,
}

impl Recent {
    /// Nothing remembered yet. One entry per user, so it is as bounded as the users are.
    pub(super) fn new(users: usize) -> Recent {
        Recent { entries: std::iter::repeat_with(|| None).take(users).collect() }
    }

    /// Remembers a success.
    pub(super) fn remember(&mut self, now: Duration, user: usize, tag: Tag) {
        if let Some(slot) = self.entries.get_mut(user) {
            *slot = Some(Entry { tag, until: now + KEPT });
        }
    }

    /// Whether the same passcode succeeded a moment ago; if so, it is remembered for longer.
    pub(super) fn knows(&mut self, now: Duration, user: usize, tag: &Tag) -> bool {
        let Some(Some(entry)) = self.entries.get_mut(user) else { return false };
        let known = now < entry.until && bool::from(entry.tag.ct_eq(tag));
        if known {
            entry.until = now + KEPT;
        }
        known
    }
}
