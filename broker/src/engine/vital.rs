//! A panic never leaves half a broker behind: what cannot be missed ends the process when it panics.
//!
//! A panic under the engine's lock leaves the engine half changed, and a task that has panicked is gone for good. Either is
//! told at once, not when the next caller comes. The log stays true: what is not in it was not promised.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;
use std::thread;

use parking_lot::MutexGuard;

use super::handle::{Core, Handle, Shared};
use crate::model::LogError;

/// The engine, locked.
#[derive(Debug)]
pub(super) struct Locked<'a> {
    // Dropped first: a panic is noted before another thread gets in.
    _witness: Witness<'a>,
    core: MutexGuard<'a, Core>,
}

/// Notes that a panic came while the engine was locked.
#[derive(Debug)]
struct Witness<'a> {
    shared: &'a Shared,
    /// The lock was taken while a panic from elsewhere unwound.
    was_panicking: bool,
}

impl Locked<'_> {
    /// Gives the lock to the thread that has waited longest, if one waits: it has it before this one can come back for more.
    pub(super) fn hand_over(self) {
        MutexGuard::unlock_fair(self.core);
    }
}

impl Deref for Locked<'_> {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Core {
        &mut self.core
    }
}

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        if thread::panicking() && !self.was_panicking {
            self.shared.panicked.store(true, Ordering::Release);
            self.shared.fail(LogError::Panicked("the engine"));
        }
    }
}

/// Held by a task that cannot be missed.
#[derive(Debug)]
pub struct Vital {
    handle: Handle,
    name: &'static str,
}

impl Drop for Vital {
    fn drop(&mut self) {
        if thread::panicking() {
            self.handle.shared.fail(LogError::Panicked(self.name));
        }
    }
}

impl Core {
    /// Half of a change may be left there: nothing is appended any more.
    fn give_up(&mut self) {
        self.effects.records.clear();
        self.log = None;
    }
}

impl Handle {
    /// Takes the lock.
    pub(super) fn lock(&self) -> Locked<'_> {
        let mut core = self.shared.core.lock();
        if self.shared.panicked.load(Ordering::Acquire) {
            core.give_up();
        }
        Locked { _witness: Witness { shared: &self.shared, was_panicking: thread::panicking() }, core }
    }

    /// Whoever holds this ends the process with [`LogError::Panicked`] if it panics. `name` says what it is.
    pub fn vital(&self, name: &'static str) -> Vital {
        Vital { handle: self.clone(), name }
    }

    /// Panics as a bug in the engine would.
    #[cfg(any(test, feature = "internals"))]
    #[expect(clippy::panic, clippy::missing_panics_doc, reason = "that is what it is for")]
    pub fn panic_under_the_lock(&self) {
        let _core = self.lock();
        panic!("a test wanted it");
    }
}
