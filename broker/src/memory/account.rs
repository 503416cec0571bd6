//! The account: bytes by purpose, each share with its bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;

use super::holder::{Holder, Kind};
use super::line::Line;
use super::purpose::{Purpose, Share};

/// Bytes in use by purpose, against the bounds of their shares.
#[derive(Debug)]
pub struct Account {
    total: u64,
    used: [AtomicU64; Purpose::ALL.len()],
    pub(super) frames: Line,
    pub(super) output: Line,
}

/// A share is used up, or what one holder may have of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("memory for {} is used up{}: {}{limit} bytes of limits.memory.total", .share.words(), by(*.holder), part(*.holder))]
pub struct Short {
    /// Which.
    pub share: Share,
    /// Its bound in bytes.
    pub limit: u64,
    /// Who has as much of it as one may have, where there is some left for others.
    pub holder: Option<Kind>,
}

fn by(holder: Option<Kind>) -> &'static str {
    holder.map_or("", Kind::words)
}

fn part(holder: Option<Kind>) -> &'static str {
    holder.map_or("", Kind::part)
}

impl Default for Account {
    /// An account without a bound, for an engine that is used without a server.
    fn default() -> Account {
        Account::new(u64::MAX)
    }
}

impl Account {
    /// An account of so many bytes in all.
    pub fn new(total: u64) -> Account {
        Account { total, used: Default::default(), frames: Line::default(), output: Line::default() }
    }

    /// Bytes that all purposes may use together.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Bytes that a share may use.
    pub fn limit(&self, share: Share) -> u64 {
        self.total / 16 * share.sixteenths()
    }

    /// Bytes in use for a purpose.
    pub fn used(&self, purpose: Purpose) -> u64 {
        self.used[purpose as usize].load(Ordering::Relaxed)
    }

    /// Bytes in use of a share.
    pub fn used_of(&self, share: Share) -> u64 {
        let purposes = Purpose::ALL.into_iter().filter(|purpose| purpose.share() == share);
        purposes.map(|purpose| self.used(purpose)).fold(0, u64::saturating_add)
    }

    /// Bytes in use for anything.
    pub fn all_used(&self) -> u64 {
        Purpose::ALL.into_iter().map(|purpose| self.used(purpose)).fold(0, u64::saturating_add)
    }

    /// Whether a purpose may use so many bytes more.
    pub fn has_room(&self, purpose: Purpose, bytes: u64) -> bool {
        self.free(purpose).is_some_and(|free| bytes <= free)
    }

    /// Bytes that the share of a purpose has left; `None` if more are used than it has.
    fn free(&self, purpose: Purpose) -> Option<u64> {
        let share = purpose.share();
        let used = if share == Share::Queues { self.used_of(share) } else { self.used(purpose) };
        self.limit(share).checked_sub(used)
    }

    /// The share of a purpose, where so many bytes more do not fit into it.
    pub fn short_of(&self, purpose: Purpose, bytes: u64) -> Option<Short> {
        (!self.has_room(purpose, bytes)).then(|| self.short(purpose))
    }

    /// Uses bytes, if the share of the purpose has room for them.
    ///
    /// # Errors
    /// [`Short`] if it has not; then nothing is used.
    pub fn take(&self, purpose: Purpose, bytes: u64) -> Result<(), Short> {
        self.take_for(purpose, bytes, (&[], &[]))
    }

    /// The same for some holders, of which those may have no more than their parts that are `asked`.
    pub(super) fn take_for(
        &self,
        purpose: Purpose,
        bytes: u64,
        (holders, asked): (&[Arc<Holder>], &[Arc<Holder>]),
    ) -> Result<(), Short> {
        // Added before it is looked at: two that come at once may both be refused, but never both be let in.
        self.add_for(purpose, bytes, holders);
        match self.short_for(purpose, 0, asked) {
            Some(short) if bytes > 0 => {
                self.give_for(purpose, bytes, holders);
                Err(short)
            }
            _ => Ok(()),
        }
    }

    /// What is short where these use so many bytes more of a purpose.
    pub(super) fn short_for(&self, purpose: Purpose, bytes: u64, holders: &[Arc<Holder>]) -> Option<Short> {
        let left = self.free(purpose).and_then(|free| free.checked_sub(bytes));
        let Some(free) = left else { return Some(self.short(purpose)) };
        let is_over = |holder: &&Arc<Holder>| {
            holder.used(purpose).saturating_add(bytes) > free.saturating_mul(holder.kind().times())
        };
        let holder = holders.iter().find(is_over)?;
        Some(Short { holder: Some(holder.kind()), ..self.short(purpose) })
    }

    pub(super) fn add_for(&self, purpose: Purpose, bytes: u64, holders: &[Arc<Holder>]) {
        self.add(purpose, bytes);
        for holder in holders {
            holder.add(purpose, bytes);
        }
    }

    pub(super) fn give_for(&self, purpose: Purpose, bytes: u64, holders: &[Arc<Holder>]) {
        // Who waits looks at all of it when the account is told.
        for holder in holders {
            holder.give(purpose, bytes);
        }
        self.give(purpose, bytes);
    }

    /// Uses bytes, whether there is room or not: they are in use already.
    pub fn add(&self, purpose: Purpose, bytes: u64) {
        self.used[purpose as usize].fetch_add(bytes, Ordering::Relaxed);
    }

    /// Uses bytes no more.
    pub fn give(&self, purpose: Purpose, bytes: u64) {
        let before = self.used[purpose as usize].fetch_sub(bytes, Ordering::Relaxed);
        debug_assert!(before >= bytes, "no more is given back than was taken for {purpose:?}");
        if let Some(line) = self.line(purpose) {
            line.move_up();
        }
    }

    /// Notes how much a purpose uses whose bytes one owner adds up.
    pub fn set(&self, purpose: Purpose, bytes: u64) {
        self.used[purpose as usize].store(bytes, Ordering::Relaxed);
    }

    /// Those who wait for bytes of that purpose, if that is a thing to wait for.
    pub(super) fn line(&self, purpose: Purpose) -> Option<&Line> {
        match purpose {
            Purpose::Frames => Some(&self.frames),
            Purpose::Output => Some(&self.output),
            _ => None,
        }
    }

    fn short(&self, purpose: Purpose) -> Short {
        let share = purpose.share();
        Short { share, limit: self.limit(share), holder: None }
    }
}
