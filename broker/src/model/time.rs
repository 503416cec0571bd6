//! Time as a parameter: nobody in the core reads a clock.

use std::time::Duration;

/// Wall clock in milliseconds since 1970. For what is written down, never for waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// So many milliseconds later. Clients name such numbers, so the end of time is reached and not passed.
    #[must_use]
    pub const fn after(self, ms: u64) -> Timestamp {
        Timestamp(self.0.saturating_add(ms))
    }
}

/// The two readings of the clock, taken once per batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Since the process started; never goes back. For waiting.
    pub monotonic: Duration,
    /// Broker time: the wall clock at the start plus `monotonic`, so it does not jump inside a run (P19).
    pub wall: Timestamp,
}
