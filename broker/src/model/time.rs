//! Time as a parameter: nobody in the core reads a clock.

use std::time::Duration;

/// Wall clock in milliseconds since 1970. For what is written down, never for waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

/// The two readings of the clock, taken once per batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Since the process started; never goes back. For waiting.
    pub monotonic: Duration,
    /// Broker time: the wall clock at the start plus `monotonic`, so it does not jump inside a run (P19).
    pub wall: Timestamp,
}
