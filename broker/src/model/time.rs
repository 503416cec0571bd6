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

    /// How far one clock may be ahead of the machine's, in milliseconds, and still be followed by waiting for it. What is further
    /// ahead was wrong: time that it has said is not kept.
    pub const TOLERANCE_MS: u64 = 60_000;

    /// The time that holds where a log has seen this one and the machine says the other: it does not go back, unless this was
    /// wrong by more than [the tolerance](Self::TOLERANCE_MS).
    #[must_use]
    pub const fn or_machine(self, machine: Timestamp) -> Timestamp {
        if self.0 > machine.0 && self.0 - machine.0 <= Timestamp::TOLERANCE_MS { self } else { machine }
    }
}

/// The two readings of the clock, taken once per batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Since the process started; never goes back. For waiting.
    pub monotonic: Duration,
    /// Broker time: the wall clock at the start plus `monotonic`. It jumps only where the machine's clock does (decision 029).
    pub wall: Timestamp,
}
