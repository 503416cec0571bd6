//! What moves the engine when no client does: the log, and time.

use std::time::Duration;

use super::handle::Handle;
use crate::model::{Durable, LogError, LogSink};

impl LogSink for Handle {
    fn durable(&self, durable: Durable<'_>) {
        let now = self.shared.clock.now();
        let mut guard = self.lock();
        let core = &mut *guard;
        core.durable = durable.through;
        core.engine.persisted(now, durable, &mut core.effects);
        core.update_room(&self.shared);
        self.finish(guard);
        self.shared.begun.notify_waiters();
    }

    fn failed(&self, error: LogError) {
        self.shared.fail(error);
    }
}

impl Handle {
    /// Does what is due, for ever. Timers are checked at least once a second.
    pub async fn drive(&self) {
        loop {
            let wait = self.tick().map_or(LONGEST_WAIT, |wait| wait.clamp(SHORTEST_WAIT, LONGEST_WAIT));
            tokio::time::sleep(wait).await;
        }
    }

    /// Does what is due now, and says how long nothing else is.
    fn tick(&self) -> Option<Duration> {
        let now = self.shared.clock.now();
        let mut guard = self.lock();
        let core = &mut *guard;
        core.engine.tick(now, &mut core.effects);
        core.engine.dispatch(now, &mut core.effects);
        let due = core.engine.deadline();
        self.finish(guard);
        due.map(|due| due.saturating_sub(now.monotonic))
    }
}

/// A request may bring a deadline forward while we sleep; this is how late we may notice.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
const SHORTEST_WAIT: Duration = Duration::from_millis(1);
