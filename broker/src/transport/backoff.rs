//! How long to wait when the system has nothing left to accept with. Pure.

use std::time::Duration;

/// The first wait.
const FIRST: Duration = Duration::from_millis(10);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(1);

/// Waits that double while the trouble lasts.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    last: Option<Duration>,
}

impl Backoff {
    /// It happened, again or for the first time: wait this long.
    pub(super) fn grow(&mut self) -> Duration {
        let wait = self.last.map_or(FIRST, |last| (last * 2).min(LONGEST));
        self.last = Some(wait);
        wait
    }

    /// It is over.
    pub(super) fn reset(&mut self) {
        self.last = None;
    }

    /// Whether the trouble lasts since an earlier wait.
    pub(super) fn is_growing(&self) -> bool {
        self.last.is_some()
    }
}
