//! What moves the engine when no client does: the log, and time.

use std::time::Duration;

use super::handle::{Core, Handle};
use super::reading::Unread;
use crate::model::{Content, Durable, LogError, LogSink, MessageId};

impl LogSink for Handle {
    fn durable(&self, durable: Durable<'_>) {
        let now = self.shared.clock.now();
        let mut guard = self.lock();
        let core = &mut *guard;
        core.durable = durable.through;
        core.ask_for_room();
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
    /// Does what is due, and reads what is wanted, for ever.
    pub async fn drive(&self) {
        let _vital = self.vital("the engine's clock");
        tokio::join!(self.keep_time(), self.keep_reading());
    }

    async fn keep_time(&self) {
        loop {
            let wait = self.tick();
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.shared.sooner.notified() => {}
            }
        }
    }

    /// Does what is due now, and says how long nothing else is. [`drive`](Self::drive) does so in time.
    pub fn tick(&self) -> Duration {
        let now = self.shared.clock.now();
        let mut guard = self.lock();
        let core = &mut *guard;
        core.engine.hold_errands(self.is_spent());
        let was_full = core.engine.is_full();
        core.ask_for_room();
        let is_full = core.engine.is_full();
        core.engine.tick(now, &mut core.effects);
        let due = core.engine.deadline(now).map_or(LONGEST_WAIT, |due| due.saturating_sub(now.monotonic));
        let wait = due.clamp(SHORTEST_WAIT, LONGEST_WAIT);
        core.alarm = now.monotonic + wait;
        core.rest_until = now.monotonic + SHORTEST_WAIT;
        self.finish(now, guard);
        match (was_full, is_full) {
            (false, true) => {
                tracing::warn!("the disk is full: schedules wait until there is room, and consumers go on");
            }
            (true, false) => tracing::info!("the disk has room again: schedules go on"),
            _ => {}
        }
        wait
    }

    /// Brings the engine the heads that it wants, off its lock and off the threads of the runtime.
    async fn keep_reading(&self) {
        loop {
            match self.next_unread() {
                Some(unread) => self.read_heads(unread).await,
                None => self.shared.unread.notified().await,
            }
        }
    }

    fn next_unread(&self) -> Option<Unread> {
        let now = self.shared.clock.now();
        let mut guard = self.lock();
        let core = &mut *guard;
        core.ask_for_room();
        let unread = core.engine.next_unread(now, &mut core.effects);
        self.finish(now, guard);
        unread
    }

    async fn read_heads(&self, unread: Unread) {
        let Unread { destination, messages } = unread;
        let reader = self.reader();
        let read = tokio::task::spawn_blocking(move || {
            let content = |position| reader.as_ref().and_then(|reader| reader.read(position).ok());
            messages.into_iter().map(|(message, position)| (message, content(position))).collect()
        });
        let contents: Vec<(MessageId, Option<Content>)> = read.await.unwrap_or_default();
        let now = self.shared.clock.now();
        let mut guard = self.lock();
        let core = &mut *guard;
        core.ask_for_room();
        core.engine.heads_read(now, destination, contents, &mut core.effects);
        self.finish(now, guard);
    }
}

impl Core {
    /// Tells the engine whether the log takes new messages. The log holds the room that it says it has for the next append
    /// alone, so it is asked before every call of the engine that may lead to one.
    pub(super) fn ask_for_room(&mut self) {
        if let Some(log) = &mut self.log {
            self.engine.set_full(log.is_full());
        }
    }
}

/// Whoever brings a deadline forward wakes us; looking once a minute all the same costs nothing.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// What has more to do than is done in a row goes on after this.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);
