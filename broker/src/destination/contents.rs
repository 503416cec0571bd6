//! Bodies in memory, within a bound.

use std::num::NonZeroU32;

use super::Entry;
use super::heads::{Head, Heads};
use crate::model::{Content, MessageId};

/// Where a content is kept. One based, so that an optional key costs no more than a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentKey(NonZeroU32);

/// The contents that are in memory: all of transient messages, and of durable ones as many as the cache has room for.
///
/// A backlog is consumed from its front, so what came first is worth keeping and what comes when the room is used up is
/// not: nothing is evicted in favour of something newer.
#[derive(Debug, Default)]
pub struct Contents {
    rows: Vec<Option<Content>>,
    free: Vec<ContentKey>,
    bytes: u64,
    /// Heads of messages whose contents are not here.
    heads: Heads,
}

/// Rows that are kept when nothing is left: there is one such store in a broker.
const KEPT: usize = 1024;

impl Contents {
    /// Keeps a content.
    pub fn insert(&mut self, content: Content) -> Option<ContentKey> {
        let size = content.len() as u64;
        let key = if let Some(key) = self.free.pop() {
            self.rows[key.row()] = Some(content);
            key
        } else {
            self.rows.push(Some(content));
            ContentKey(NonZeroU32::new(u32::try_from(self.rows.len()).ok()?)?)
        };
        self.bytes += size;
        Some(key)
    }

    /// Shares a content.
    pub fn get(&self, key: ContentKey) -> Option<&Content> {
        self.rows.get(key.row())?.as_ref()
    }

    /// Gives a content away.
    pub fn remove(&mut self, key: ContentKey) -> Option<Content> {
        let content = self.rows.get_mut(key.row())?.take()?;
        self.bytes -= content.len() as u64;
        if self.bytes == 0 && self.rows.len() > KEPT && self.free.len() + 1 == self.rows.len() {
            // Nothing is left: give the memory of a past flood back.
            *self = Contents { heads: std::mem::take(&mut self.heads), ..Contents::default() };
        } else {
            self.free.push(key);
        }
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
    fn row(self) -> usize {
        self.0.get() as usize - 1
    }
}
