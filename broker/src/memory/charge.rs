//! Bytes that one owner uses, given back when it goes.

use std::sync::Arc;

use super::account::{Account, Short};
use super::holder::Holders;
use super::line::Turn;
use super::purpose::Purpose;

/// Bytes in use for one purpose, given back when dropped.
#[derive(Debug)]
pub struct Charge {
    pub(super) account: Arc<Account>,
    pub(super) purpose: Purpose,
    /// Whose they are.
    pub(super) holders: Holders,
    bytes: u64,
}

impl Charge {
    /// Nothing in use yet.
    pub fn new(account: Arc<Account>, purpose: Purpose) -> Charge {
        Charge { account, purpose, holders: Holders::default(), bytes: 0 }
    }

    /// Says whose the bytes are, also those that are in use already.
    pub fn belong_to(&mut self, holders: Holders) {
        let bytes = self.bytes;
        self.force(0);
        self.holders = holders;
        self.force(bytes);
    }

    /// Bytes in use.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Uses so many bytes in all.
    ///
    /// # Errors
    /// [`Short`] if that is more than before and there is no room for it, or the holder has as much as one may have; then as
    /// many are in use as before.
    pub fn resize(&mut self, bytes: u64) -> Result<(), Short> {
        self.resize_beyond(bytes, 0)
    }

    /// The same for one whose turn it may be to go beyond what it may have.
    ///
    /// # Errors
    /// The same.
    pub fn resize_in(&mut self, turn: Option<&Turn>, bytes: u64) -> Result<(), Short> {
        let level = turn.map_or(0, Turn::level);
        if level > self.holders.all().len() {
            self.force(bytes);
            return Ok(());
        }
        self.resize_beyond(bytes, level)
    }

    fn resize_beyond(&mut self, bytes: u64, level: usize) -> Result<(), Short> {
        if bytes > self.bytes {
            let holders = (self.holders.all(), self.holders.behind(level));
            self.account.take_for(self.purpose, bytes - self.bytes, holders)?;
            self.bytes = bytes;
        } else {
            self.force(bytes);
        }
        Ok(())
    }

    /// Whether so many bytes more may be used.
    pub fn has_room(&self, bytes: u64) -> bool {
        self.account.short_for(self.purpose, bytes, self.holders.all()).is_none()
    }

    /// Uses so many bytes in all, whether there is room or not.
    pub fn force(&mut self, bytes: u64) {
        if bytes > self.bytes {
            self.account.add_for(self.purpose, bytes - self.bytes, self.holders.all());
        } else if bytes < self.bytes {
            self.account.give_for(self.purpose, self.bytes - bytes, self.holders.all());
        }
        self.bytes = bytes;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.force(0);
    }
}
