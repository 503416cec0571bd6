//! The engine's lock: whoever waits for it gets it from whoever has had it for long, and a panic under it is not forgotten.
//!
//! The lock of the standard library lets a thread that releases it take it again before the one that waits has woken up,
//! as often as it likes. This one is handed over.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::{Mutex, MutexGuard};

/// A value that one thread has at a time.
#[derive(Debug)]
pub(super) struct Lock<T> {
    value: Mutex<T>,
    waiting: AtomicUsize,
    is_poisoned: AtomicBool,
}

/// The value, for as long as this lives.
pub(super) struct Guard<'a, T> {
    // Dropped first: a panic is noted before another thread gets in.
    _witness: Witness<'a>,
    held: MutexGuard<'a, T>,
}

/// Notes that a panic came while the lock was held.
struct Witness<'a>(&'a AtomicBool);

impl<T> Lock<T> {
    pub(super) fn new(value: T) -> Lock<T> {
        Lock { value: Mutex::new(value), waiting: AtomicUsize::new(0), is_poisoned: AtomicBool::new(false) }
    }

    /// Waits until nobody else has it. Says whether somebody panicked who had it.
    pub(super) fn lock(&self) -> (Guard<'_, T>, bool) {
        let held = self.value.try_lock().unwrap_or_else(|| {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            let held = self.value.lock();
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            held
        });
        (Guard { _witness: Witness(&self.is_poisoned), held }, self.is_poisoned.load(Ordering::Acquire))
    }

    /// How many threads wait for it.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl<T> Guard<'_, T> {
    /// Gives it to the thread that has waited longest, if one waits: it has it before this one can come back for more.
    pub(super) fn hand_over(self) {
        MutexGuard::unlock_fair(self.held);
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.held
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.held
    }
}

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Release);
        }
    }
}
