//! Those who wait for bytes: each goes on when there is room, and one of them, the first in line, without.
//!
//! If all of a share were held by frames of which none is complete, all would wait for each other. So one at a time may go
//! beyond the share, in the order in which they came: what it holds is complete some time, or is given up.

use std::sync::Arc;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::account::Account;
use super::purpose::Purpose;

/// Those who wait for bytes of one purpose.
#[derive(Debug)]
pub(super) struct Line {
    first: Arc<Semaphore>,
    moved: Notify,
}

/// The right of the first in line to go beyond its share, until dropped.
#[derive(Debug)]
pub struct Turn {
    _permit: OwnedSemaphorePermit,
}

impl Default for Line {
    fn default() -> Line {
        Line { first: Arc::new(Semaphore::new(1)), moved: Notify::new() }
    }
}

impl Line {
    /// Bytes have been given back.
    pub(super) fn move_up(&self) {
        self.moved.notify_waiters();
    }
}

impl Account {
    /// Waits until a purpose has room for so many bytes, or until it is the caller's turn to go on without.
    pub async fn room(self: Arc<Account>, purpose: Purpose, bytes: u64) -> Option<Turn> {
        let line = self.line(purpose)?;
        let mut first = std::pin::pin!(Arc::clone(&line.first).acquire_owned());
        loop {
            let moved = line.moved.notified();
            if self.has_room(purpose, bytes) {
                return None;
            }
            tokio::select! {
                biased;
                // It is never closed.
                permit = &mut first => return permit.ok().map(|permit| Turn { _permit: permit }),
                () = moved => {}
            }
        }
    }
}
