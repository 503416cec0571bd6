//! The one clock of the process. Everyone else gets the time as a parameter.

use std::sync::atomic::AtomicI64;
#[cfg(any(test, feature = "internals"))]
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::model::{Now, Timestamp};

/// Broker time: the wall clock at the start plus what has passed since, so that it does not go back inside a run (P19), unless
/// the machine's clock is found to be [more than a minute](Timestamp::TOLERANCE_MS) behind it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    wall: Timestamp,
    /// Milliseconds by which the machine's clock was moved since the start, and was followed. One clock, one number.
    moved: &'static AtomicI64,
    /// Microseconds since the start, where time is simulated.
    #[cfg(any(test, feature = "internals"))]
    simulated: Option<&'static AtomicU64>,
}

impl Clock {
    /// A clock that starts now. `seen` is the highest time that the log has seen: broker time does not go back over a restart
    /// either, unless that was wrong.
    #[expect(clippy::disallowed_methods, reason = "this is the place that reads the clocks")]
    pub fn start(seen: Timestamp) -> Clock {
        Clock {
            start: Instant::now(),
            wall: seen.or_machine(machine()),
            moved: Box::leak(Box::default()),
            #[cfg(any(test, feature = "internals"))]
            simulated: None,
        }
    }

    /// A clock that shows what `micros` holds: microseconds since `start`, at which the wall clock showed `wall`.
    #[cfg(any(test, feature = "internals"))]
    pub fn simulated(start: Instant, wall: Timestamp, micros: &'static AtomicU64) -> Clock {
        Clock { start, wall, moved: Box::leak(Box::default()), simulated: Some(micros) }
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
        let moved = self.moved.load(Ordering::Relaxed);
        let wall = (self.wall.0 + monotonic.as_millis() as u64).saturating_add_signed(moved);
        Now { monotonic, wall: Timestamp(wall) }
    }

    /// Follows the machine's clock where it was moved: forwards always, back only by more than a minute; so broker time is at
    /// most a minute ahead of it. Says which time it left for which, if they are a second apart or more.
    pub fn follow(&self) -> Option<(Timestamp, Timestamp)> {
        let (shown, machine) = (self.now().wall, machine());
        let step = step(shown, machine);
        self.moved.fetch_add(step, Ordering::Relaxed);
        (step.unsigned_abs() >= 1000).then_some((shown, machine))
    }

    /// A moment of the monotonic reading, as the timers of the runtime want it.
    pub fn instant(&self, monotonic: Duration) -> Instant {
        self.start + monotonic
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the place that reads the clocks")]
fn machine() -> Timestamp {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp(wall.as_millis() as u64)
}

/// By how many milliseconds broker time moves where the machine shows another one.
const fn step(shown: Timestamp, machine: Timestamp) -> i64 {
    shown.or_machine(machine).0.cast_signed().wrapping_sub(shown.0.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_goes_forwards_with_the_machine_and_back_only_by_more_than_a_minute() {
        let hour = Timestamp(3_600_000);
        let year = hour.after(365 * 86_400_000);
        for (shown, machine, moves) in [
            (hour, hour, 0),
            (hour, hour.after(5), 5),
            (hour.after(5), hour, 0),
            (hour.after(60_000), hour, 0),
            (hour.after(60_001), hour, -60_001),
            (hour, year, 365 * 86_400_000),
            (year, hour, -365 * 86_400_000),
        ] {
            assert_eq!(step(shown, machine), moves, "{shown:?} {machine:?}");
        }
    }

    #[test]
    fn a_start_believes_the_machine_and_not_a_log_that_is_a_day_ahead() {
        let now = Clock::start(Timestamp::default()).now().wall;
        let soon = Clock::start(now.after(50_000)).now().wall;
        assert!(soon >= now.after(50_000) && soon < now.after(60_000), "{soon:?} after {now:?}");
        let right = Clock::start(now.after(86_400_000)).now().wall;
        assert!(right >= now && right < now.after(10_000), "{right:?} after {now:?}");
        let clock = Clock::start(now.after(50_000));
        assert_eq!(clock.follow(), None);
        assert!(clock.now().wall >= now.after(50_000), "it waits until the machine has come up to it");
    }

    #[test]
    fn a_clock_that_was_moved_is_told_once_to_all_who_have_it() {
        let clock = Clock::start(Timestamp::default());
        let (copy, before) = (clock, clock.now().wall);
        clock.moved.fetch_add(86_400_000, Ordering::Relaxed);
        assert!(copy.now().wall >= before.after(86_400_000));
        let (left, machine) = copy.follow().expect("a jump");
        assert!(left >= machine.after(86_000_000) && clock.now().wall < left);
        assert_eq!(clock.follow(), None);
    }
}
