//! The machine's clock may be wrong, and be moved: broker time follows it, and the log says so (decision 029).

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::clock::Clock;
use crate::engine::Handle;
use crate::model::Timestamp;

/// How often it is looked whether the machine's clock was moved.
const PERIOD: Duration = Duration::from_secs(1);

/// The clock of a broker whose log has seen that time.
pub(super) fn start(seen: Timestamp) -> Clock {
    let clock = Clock::start(seen);
    let machine = clock.now().wall;
    if seen > machine {
        let [log, machine] = [seen, machine].map(readable);
        warn!(%log, %machine, "the log is ahead of the machine's clock, which is believed");
    }
    clock
}

/// Looks now and then whether the machine's clock was moved: set late, corrected, or stopped while the machine slept.
pub(super) async fn follow(handle: Handle, stopping: CancellationToken) {
    let clock = handle.clock();
    while stopping.run_until_cancelled(tokio::time::sleep(PERIOD)).await.is_some() {
        if let Some((left, machine)) = clock.follow() {
            handle.look_at_the_time();
            if left.0.abs_diff(machine.0) > Timestamp::TOLERANCE_MS {
                let [broker, machine] = [left, machine].map(readable);
                warn!(%broker, %machine, "the machine's clock was moved, and is followed");
            }
        }
    }
}

fn readable(time: Timestamp) -> String {
    let millis = time.0.cast_signed();
    jiff::Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |time| time.to_string())
}
