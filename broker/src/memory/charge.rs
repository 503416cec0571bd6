//! Bytes that one owner uses, given back when it goes.

use std::sync::Arc;

use super::account::{Account, Short};
use super::purpose::Purpose;
use crate::seeded::{self, Bug};

/// Bytes in use for one purpose, given back when dropped.
#[derive(Debug)]
pub struct Charge {
    account: Arc<Account>,
    purpose: Purpose,
    bytes: u64,
}

impl Charge {
    /// Nothing in use yet.
    pub fn new(account: Arc<Account>, purpose: Purpose) -> Charge {
        Charge { account, purpose, bytes: 0 }
    }

    /// Bytes in use.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Uses so many bytes in all.
    ///
    /// # Errors
    /// [`Short`] if that is more than before and there is no room for it; then as many are in use as before.
    pub fn resize(&mut self, bytes: u64) -> Result<(), Short> {
        if bytes > self.bytes {
            self.account.take(self.purpose, bytes - self.bytes)?;
            self.bytes = bytes;
        } else {
            self.force(bytes);
        }
        Ok(())
    }

    /// Uses so many bytes in all, whether there is room or not.
    pub fn force(&mut self, bytes: u64) {
        if bytes > self.bytes {
            self.account.add(self.purpose, bytes - self.bytes);
        } else if bytes < self.bytes {
            self.account.give(self.purpose, self.bytes - bytes);
        }
        self.bytes = bytes;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if seeded::is(Bug::MemoryNotGivenBack) {
            return;
        }
        self.force(0);
    }
}
