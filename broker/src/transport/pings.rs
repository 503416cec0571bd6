//! How many control messages a peer may send.

use std::time::Duration;

use tokio::time::Instant;

/// Counts pings and pongs, by the second.
#[derive(Debug, Default)]
pub(super) struct Pings {
    since: Option<Instant>,
    taken: u32,
}

impl Pings {
    /// More of them in one second are too many. Each ping costs an answer; no library sends even one a second.
    pub(super) const PER_SECOND: u32 = 10;

    /// One came; `false` if it is one too many.
    #[expect(clippy::disallowed_methods, reason = "a rate cannot be held without a clock")]
    pub(super) fn take(&mut self) -> bool {
        let now = Instant::now();
        if self.since.is_none_or(|since| now - since >= Duration::from_secs(1)) {
            *self = Pings { since: Some(now), taken: 0 };
        }
        self.taken += 1;
        self.taken <= Pings::PER_SECOND
    }
}
