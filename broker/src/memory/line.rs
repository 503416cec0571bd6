//! Those who wait for bytes: each goes on when there is room, and one of them, the first in line, without.
//!
//! If all of a share were held by frames of which none is complete, all would wait for each other. So one at a time may go
//! beyond the share: what it holds is complete some time, or is given up. The same holds for what a user or an address may
//! have of it: one of its connections at a time may go beyond that, within the share. Only that one stands in the line for the
//! share, so users and addresses have it in turns, however many connections each of them has.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::account::Account;
use super::charge::Charge;
use super::holder::Holders;
use super::purpose::Purpose;

/// Those who wait for bytes of one purpose.
#[derive(Debug, Default)]
pub(super) struct Line {
    first: First,
    moved: Notify,
}

/// The place of the first in line.
#[derive(Debug)]
pub(super) struct First(Arc<Semaphore>);

/// The right of the first in line to go beyond what its user may have, then its address, then the share, until dropped.
#[derive(Debug, Default)]
pub struct Turn(Vec<OwnedSemaphorePermit>);

impl Turn {
    /// How many of these bounds it goes beyond.
    pub(super) fn level(&self) -> usize {
        self.0.len()
    }
}

impl Default for First {
    fn default() -> First {
        First(Arc::new(Semaphore::new(1)))
    }
}

impl Line {
    /// Bytes have been given back.
    pub(super) fn move_up(&self) {
        self.moved.notify_waiters();
    }
}

impl Charge {
    /// Waits until there is room for so many bytes more, or until it is the caller's turn to go on without. `turn` is what it
    /// has of that already.
    pub fn room(&self, bytes: u64, turn: Option<Turn>) -> impl Future<Output = Option<Turn>> + Send + use<> {
        wait((Arc::clone(&self.account), self.holders.clone()), self.purpose, bytes, turn.unwrap_or_default())
    }
}

async fn wait(
    (account, holders): (Arc<Account>, Holders),
    purpose: Purpose,
    bytes: u64,
    mut turn: Turn,
) -> Option<Turn> {
    let line = account.line(purpose)?;
    let firsts = holders.all().iter().map(|holder| holder.first(purpose)).chain([&line.first]);
    // Always in this order, or two could wait for each other.
    for first in firsts.skip(turn.level()) {
        let mut first = pin!(Arc::clone(&first.0).acquire_owned());
        loop {
            let moved = line.moved.notified();
            if account.short_for(purpose, bytes, holders.behind(turn.level())).is_none() {
                return (turn.level() > 0).then_some(turn);
            }
            tokio::select! {
                biased;
                permit = &mut first => {
                    // It is never closed.
                    turn.0.push(permit.ok()?);
                    break;
                }
                () = moved => {}
            }
        }
    }
    Some(turn)
}
