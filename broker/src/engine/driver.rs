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
        self.finish(now, guard);
        self.shared.begun.notify_waiters();
    }

    fn failed(&self, error: LogError) {
        self.shared.fail(error);
    }
}

impl Handle {
    /// Does what is due, for ever.
    pub async fn drive(&self) {
        loop {
            let wait = self.tick();
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.shared.sooner.notified() => {}
            }
        }
    }

    /// Does what is due now, and says how long nothing else is.
    fn tick(&self) -> Duration {
        let now = self.shared.clock.now();
        let mut guard = self.lock();
        let core = &mut *guard;
        core.engine.tick(now, &mut core.effects);
        let due = core.engine.deadline(now).map_or(LONGEST_WAIT, |due| due.saturating_sub(now.monotonic));
        let wait = due.clamp(SHORTEST_WAIT, LONGEST_WAIT);
        core.alarm = now.monotonic + wait;
        self.finish(now, guard);
        wait
    }
}

/// Whoever brings a deadline forward wakes us; looking once a minute all the same costs nothing.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// What has more to do than is done in a row goes on after this.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);
