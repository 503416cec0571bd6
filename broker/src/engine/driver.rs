//! What moves the engine when no client does: the log, and time.

use std::time::Duration;

use tracing::{info, warn};

use super::handle::{Core, Handle};
use super::holds::Verb;
use super::reading::Unread;
use crate::model::{Content, Durable, LogError, LogSink, MessageId};

impl LogSink for Handle {
    fn durable(&self, mut durable: Durable<'_>) {
        while let (used, false) = self.take_durable(durable) {
            durable.positions = &durable.positions[used..];
        }
        self.shared.begun.notify_waiters();
    }

    fn failed(&self, error: LogError) {
        self.shared.fail(error);
    }
}

impl Handle {
    /// Takes in a part of what has become durable. Returns how many positions were used, and whether that was all.
    fn take_durable(&self, durable: Durable<'_>) -> (usize, bool) {
        let mut guard = self.lock();
        let now = self.shared.clock.now();
        let core = &mut *guard;
        core.verb = Verb::Durable;
        core.durable = durable.through;
        core.ask_for_room();
        let taken = core.engine.persisted(now, durable, &mut core.effects);
        core.update_room(&self.shared);
        self.finish(now, guard);
        taken
    }

    /// Does what is due, and reads what is wanted, for ever.
    pub async fn drive(&self) {
        let _vital = self.vital("the engine's clock");
        tokio::join!(self.keep_time(), self.keep_reading());
    }

    async fn keep_time(&self) {
        loop {
            match self.tick() {
                Duration::ZERO => tokio::task::yield_now().await,
                wait => tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = self.shared.sooner.notified() => {}
                },
            }
        }
    }

    /// Does what is due now, or a slice of it, and says how long nothing else is. [`drive`](Self::drive) does so in time.
    pub fn tick(&self) -> Duration {
        let mut guard = self.lock();
        let now = self.shared.clock.now();
        let core = &mut *guard;
        core.verb = Verb::Tick;
        core.engine.hold_errands(self.is_spent());
        let was_full = core.engine.is_full();
        core.ask_for_room();
        let is_full = core.engine.is_full();
        core.engine.tick(now, &mut core.effects);
        let ended = self.shared.clock.now().monotonic;
        let mut served = core.served_before_tick;
        let rest = self.rest(core, &mut served, ended.saturating_sub(now.monotonic));
        core.served_before_tick = served;
        let due = core.engine.deadline(now).map_or(LONGEST_WAIT, |due| due.saturating_sub(ended));
        let wait = due.clamp(rest, LONGEST_WAIT);
        core.alarm = ended + wait;
        core.rest_until = ended + rest.max(SHORTEST_WAIT);
        self.finish(now, guard);
        match (was_full, is_full) {
            (false, true) => {
                warn!("the disk is full: schedules wait until there is room, and consumers go on");
            }
            (true, false) => info!("the disk has room again: schedules go on"),
            _ => {}
        }
        wait
    }

    /// Ends what clients that are gone have left to be ended, before the broker stops: what they held is free, and the log knows
    /// that it was handed out.
    pub fn finish_closing(&self) {
        while self.lock().engine.is_closing() {
            self.tick();
        }
    }

    /// How long background work that has just had the engine for so long leaves it to others.
    fn rest(&self, core: &Core, served: &mut u64, lasted: Duration) -> Duration {
        let is_alone = std::mem::replace(served, core.served) == core.served && self.shared.core.waiting() == 0;
        rest_after(lasted, is_alone)
    }

    /// Brings the engine the heads that it wants, off its lock and off the threads of the runtime.
    async fn keep_reading(&self) {
        let mut served = 0;
        loop {
            match self.next_unread() {
                Some(unread) => match self.read_heads(unread, &mut served).await {
                    Duration::ZERO => {}
                    rest => tokio::time::sleep(rest).await,
                },
                None => self.shared.unread.notified().await,
            }
        }
    }

    fn next_unread(&self) -> Option<Unread> {
        let mut guard = self.lock();
        let now = self.shared.clock.now();
        let core = &mut *guard;
        core.verb = Verb::Read;
        core.ask_for_room();
        let unread = core.engine.next_unread(now, &mut core.effects);
        self.finish(now, guard);
        unread
    }

    async fn read_heads(&self, unread: Unread, served: &mut u64) -> Duration {
        let Unread { destination, messages } = unread;
        let reader = self.reader();
        let read = tokio::task::spawn_blocking(move || {
            let content = |position| reader.as_ref().map(|reader| reader.read(position));
            messages.into_iter().map(|(message, position)| (message, content(position))).collect()
        });
        let read: Vec<(MessageId, Option<Result<Content, LogError>>)> = read.await.unwrap_or_default();
        let (mut contents, mut later) = (Vec::new(), Vec::new());
        for (message, read) in read {
            match read {
                Some(Ok(content)) => contents.push((message, Some(content))),
                Some(Err(LogError::Unreadable(error))) => {
                    warn!(%message, error, "a message cannot be read now and is tried again");
                    later.push(message);
                }
                // The log names it, with its file.
                Some(Err(_)) | None => contents.push((message, None)),
            }
        }
        if !later.is_empty() {
            tokio::time::sleep(READ_AGAIN).await;
        }
        let mut guard = self.lock();
        let now = self.shared.clock.now();
        let core = &mut *guard;
        core.verb = Verb::Read;
        core.ask_for_room();
        core.engine.not_read(now, destination, &later);
        core.engine.heads_read(now, destination, contents, &mut core.effects);
        let lasted = self.shared.clock.now().monotonic.saturating_sub(now.monotonic);
        let rest = self.rest(core, served, lasted);
        self.finish(now, guard);
        rest
    }
}

/// What cannot be read now is not asked for again at once: nor is anything else, the disk or the process has trouble.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// While others want the engine, background work has a quarter of it: it rests three times as long as it worked.
fn rest_after(lasted: Duration, is_alone: bool) -> Duration {
    if is_alone { Duration::ZERO } else { (3 * lasted).max(SHORTEST_WAIT) }
}

impl Core {
    /// Tells the engine whether the log takes new messages, and has it look how much memory is left. The log holds the room that it says it has for the next append
    /// alone, so it is asked before every call of the engine that may lead to one.
    pub(super) fn ask_for_room(&mut self) {
        self.engine.look_at_memory();
        if let Some(log) = &mut self.log {
            self.engine.set_full(log.is_full());
            self.engine.set_room(log.room());
            self.engine.set_state(log.state());
        }
    }
}

/// Whoever brings a deadline forward wakes us; looking once a minute all the same costs nothing.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// What has more to do than is done in a row goes on after this, at the earliest, unless it has the engine for itself.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn background_work_leaves_three_quarters_to_others_while_there_are_others() {
        for micros in [1, 300, 2_000, 40_000] {
            let lasted = Duration::from_micros(micros);
            let rest = rest_after(lasted, false);
            assert!(rest >= SHORTEST_WAIT && lasted * 4 <= rest + lasted, "{lasted:?} and then {rest:?}");
            assert_eq!(rest_after(lasted, true), Duration::ZERO);
        }
    }
}
