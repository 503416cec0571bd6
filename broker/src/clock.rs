//! The one clock of the process. Everyone else gets the time as a parameter.

#[cfg(any(test, feature = "internals"))]
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::model::{Now, Timestamp};

/// Broker time: the wall clock at the start plus what has passed since, so that it never jumps inside a run (P19).
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    wall: Timestamp,
    /// Microseconds since the start, where time is simulated.
    #[cfg(any(test, feature = "internals"))]
    simulated: Option<&'static AtomicU64>,
}

impl Clock {
    /// A clock that starts now. `not_before` is the highest wall time that the log has seen: broker time never goes back,
    /// also over a restart.
    #[expect(clippy::disallowed_methods, reason = "this is the place that reads the clocks")]
    pub fn start(not_before: Timestamp) -> Clock {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Clock {
            start: Instant::now(),
            wall: Timestamp(wall.as_millis() as u64).max(not_before),
            #[cfg(any(test, feature = "internals"))]
            simulated: None,
        }
    }

    /// A clock that shows what `micros` holds: microseconds since `start`, at which the wall clock showed `wall`.
    #[cfg(any(test, feature = "internals"))]
    pub fn simulated(start: Instant, wall: Timestamp, micros: &'static AtomicU64) -> Clock {
        Clock { start, wall, simulated: Some(micros) }
    }

    /// Whether time passes only when a test lets it.
    pub fn is_simulated(&self) -> bool {
        #[cfg(any(test, feature = "internals"))]
        return self.simulated.is_some();
        #[cfg(not(any(test, feature = "internals")))]
        false
    }

    fn elapsed(&self) -> Duration {
        #[cfg(any(test, feature = "internals"))]
        if let Some(micros) = self.simulated {
            return Duration::from_micros(micros.load(Ordering::Relaxed));
        }
        self.start.elapsed()
    }

    /// Both readings.
    pub fn now(&self) -> Now {
        let monotonic = self.elapsed();
        Now { monotonic, wall: Timestamp(self.wall.0 + monotonic.as_millis() as u64) }
    }

    /// A moment of the monotonic reading, as the timers of the runtime want it.
    pub fn instant(&self, monotonic: Duration) -> Instant {
        self.start + monotonic
    }
}
