//! The engine's lock: whoever waits for it gets it from whoever has had it for long.
//!
//! The lock of the standard library lets a thread that releases it take it again before the one that waits has woken up,
//! as often as it likes. This one is handed over.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, MutexGuard};

/// A value that one thread has at a time.
#[derive(Debug)]
pub(super) struct Lock<T> {
    value: Mutex<T>,
    waiting: AtomicUsize,
}

impl<T> Lock<T> {
    pub(super) fn new(value: T) -> Lock<T> {
        Lock { value: Mutex::new(value), waiting: AtomicUsize::new(0) }
    }

    /// Waits until nobody else has it.
    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        self.value.try_lock().unwrap_or_else(|| {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            let held = self.value.lock();
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            held
        })
    }

    /// How many threads wait for it.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}
