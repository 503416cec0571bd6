//! Bodies in memory, within a bound.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::Entry;
use super::heads::{Head, Heads};
use super::slab::Slab;
use crate::memory::Account;
use crate::model::{Content, MessageId};

/// Where a content is kept. One based, so that an optional key costs no more than a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentKey(NonZeroU32);

/// The contents that are in memory: all of transient messages, and of durable ones as many as the cache has room for.
///
/// A backlog is consumed from its front, so what came first is worth keeping and what comes when the room is used up is
/// not: nothing is evicted in favour of something newer.
#[derive(Debug)]
pub struct Contents {
    rows: Slab<Content>,
    bytes: u64,
    /// Heads of messages whose contents are not here.
    heads: Heads,
}

/// Rows that are kept when nothing is left: there is one such store in a broker.
const KEPT: usize = 256;

impl Default for Contents {
    fn default() -> Contents {
        Contents { rows: Slab::new(KEPT), bytes: 0, heads: Heads::default() }
    }
}

impl Contents {
    /// Counts the memory of the rows there; that of what is in them is [`bytes`](Self::bytes).
    pub fn count_in(&mut self, account: Arc<Account>) {
        self.rows.count_in(account);
    }

    /// Keeps a content.
    pub fn insert(&mut self, content: Content) -> Option<ContentKey> {
        let size = content.len() as u64;
        let row = self.rows.insert(content);
        self.bytes += size;
        Some(ContentKey(NonZeroU32::new(row.checked_add(1)?)?))
    }

    /// Shares a content.
    pub fn get(&self, key: ContentKey) -> Option<&Content> {
        self.rows.get(key.row())
    }

    /// Gives a content away.
    pub fn remove(&mut self, key: ContentKey) -> Option<Content> {
        let content = self.rows.remove(key.row())?;
        self.bytes -= content.len() as u64;
        Some(content)
    }

    /// Keeps a head for a while that was read back; `None` for one that cannot be read.
    pub fn keep_head(&mut self, message: MessageId, head: Option<&[u8]>) {
        self.heads.insert(message, head);
    }

    /// The head of a message, as far as it is in memory.
    pub(super) fn head(&self, entry: &Entry) -> Head<'_> {
        match entry.content.and_then(|key| self.get(key)) {
            Some(content) => Head::Known(content.head()),
            None => self.heads.get(entry.message),
        }
    }

    /// Octets kept.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl ContentKey {
    fn row(self) -> u32 {
        self.0.get() - 1
    }
}
