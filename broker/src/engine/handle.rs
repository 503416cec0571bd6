//! The shared engine: one lock, taken once per batch, or as often as a long batch needs.
//!
//! Under the lock: requests are applied, touched destinations dispatched, records handed to the log and events to the
//! inboxes. No I/O, no encoding. Lock order: engine, then the log's inbox; engine, then a connection's inbox.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;
use tracing::warn;

use super::audit;
use super::client::Client;
use super::holds::{Holds, SlowHold, Verb};
use super::inbox::Inbox;
use super::lock::Lock;
use super::machine::Engine;
use super::vital::Locked;
use crate::clock::Clock;
use crate::model::{Effects, Log, LogError, LogReader, Now, Record, SessionId, Ticket, Whose};
use crate::router::Routes;

/// A share of the engine.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) core: Lock<Core>,
    /// A panic came while the engine was locked: it is not to be trusted any more.
    pub(super) panicked: AtomicBool,
    pub(super) clock: Clock,
    reader: OnceLock<Arc<dyn LogReader>>,
    /// The log has as much in flight as it wants.
    pub(super) spent: AtomicBool,
    pub(super) room: Notify,
    /// Something is due earlier than the driver knows.
    pub(super) sooner: Notify,
    /// Something has become durable.
    pub(super) begun: Notify,
    pub(super) failure: OnceLock<LogError>,
    pub(super) failed: Notify,
    /// The engine wants heads from the log.
    pub(super) unread: Notify,
}

#[derive(Debug)]
pub(super) struct Core {
    pub(super) engine: Engine,
    pub(super) log: Option<Box<dyn Log>>,
    pub(super) effects: Effects,
    /// A part of the effects on its way to the log; empty in between.
    pub(super) unit: Vec<Record>,
    pub(super) clients: Vec<Option<Attached>>,
    pub(super) durable: Ticket,
    /// When the driver looks again, on the monotonic clock.
    pub(super) alarm: Duration,
    /// The driver does not look again before that: what it has left undone must not wake it at once, nor may others do so
    /// with every batch.
    pub(super) rest_until: Duration,
    /// The last append.
    appended: Ticket,
    /// Inboxes to be woken once the lock is released.
    pub(super) woken: Vec<Arc<Inbox>>,
    /// What the lock is held for.
    pub(super) verb: Verb,
    /// How often it was held for others than background work, and how often before the last tick.
    pub(super) served: u64,
    pub(super) served_before_tick: u64,
}

/// What the shell keeps of a client.
#[derive(Debug)]
pub(super) struct Attached {
    session: SessionId,
    inbox: Arc<Inbox>,
    /// The last append that holds something of it.
    last: Ticket,
}

impl Handle {
    /// Shares an engine into which the log has been replayed. Nothing may be applied before [`attach`](Self::attach).
    pub fn new(engine: Engine, clock: Clock) -> Handle {
        let core = Core {
            engine,
            log: None,
            effects: Effects::default(),
            unit: Vec::new(),
            clients: Vec::new(),
            durable: Ticket::default(),
            alarm: Duration::ZERO,
            rest_until: Duration::ZERO,
            appended: Ticket::default(),
            woken: Vec::new(),
            verb: Verb::default(),
            served: 0,
            served_before_tick: 0,
        };
        Handle {
            shared: Arc::new(Shared {
                core: Lock::new(core),
                panicked: AtomicBool::new(false),
                clock,
                reader: OnceLock::new(),
                spent: AtomicBool::new(false),
                room: Notify::new(),
                begun: Notify::new(),
                failure: OnceLock::new(),
                failed: Notify::new(),
                sooner: Notify::new(),
                unread: Notify::new(),
            }),
        }
    }

    /// Connects the log, which reports to this handle as its [`LogSink`](crate::model::LogSink), and has the first ids
    /// reserved there: nobody is let in before [`ready`](Self::ready).
    pub fn attach(&self, log: Box<dyn Log>, reader: Arc<dyn LogReader>) {
        // A second log is a mistake of the caller; the first one stays.
        let _ = self.shared.reader.set(reader);
        let mut guard = self.lock();
        let now = self.shared.clock.now();
        let core = &mut *guard;
        core.engine.limit_units(log.unit_bytes());
        core.log.get_or_insert(log);
        core.engine.reserve_ids(&mut core.effects);
        self.finish(now, guard);
    }

    /// Waits until the first append is durable.
    pub async fn ready(&self) {
        loop {
            let notified = self.shared.begun.notified();
            if self.lock().durable > Ticket::default() {
                return;
            }
            notified.await;
        }
    }

    /// The clock that all of this goes by.
    pub fn clock(&self) -> Clock {
        self.shared.clock
    }

    /// The clock was moved: what is due is another thing now.
    pub fn look_at_the_time(&self) {
        self.shared.sooner.notify_one();
    }

    /// Lets a client in.
    pub fn open(&self, owner: String) -> Client {
        self.open_for(owner, Whose::default())
    }

    /// Lets a client of that user and address in.
    pub fn open_for(&self, owner: String, whose: Whose) -> Client {
        let mut guard = self.lock();
        let core = &mut *guard;
        let session = core.engine.open(owner);
        core.engine.belongs_to(session, whose);
        let inbox = Arc::new(Inbox::default());
        let index = session.index as usize;
        if core.clients.len() <= index {
            core.clients.resize_with(index + 1, || None);
        }
        core.clients[index] = Some(Attached { session, inbox: Arc::clone(&inbox), last: Ticket::default() });
        drop(guard);
        Client::new(session, inbox, self.clone())
    }

    /// Where a stored content is read, off the engine's lock.
    pub fn reader(&self) -> Option<Arc<dyn LogReader>> {
        self.shared.reader.get().cloned()
    }

    /// Runs what waits for the disk beside the threads of the runtime. Where time is simulated there is one thread, and it
    /// runs there, after others have had their turn. A panic of it is told as text.
    pub async fn aside<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
        if self.shared.clock.is_simulated() {
            tokio::task::yield_now().await;
            return Ok(job());
        }
        tokio::task::spawn_blocking(job).await.map_err(|panic| panic.to_string())
    }

    /// Whether new work has to wait for the log.
    pub fn is_spent(&self) -> bool {
        self.shared.spent.load(Ordering::Acquire)
    }

    /// Waits until the log has room for new work.
    pub async fn room(&self) {
        loop {
            let notified = self.shared.room.notified();
            if !self.is_spent() {
                return;
            }
            notified.await;
        }
    }

    /// Waits until the log has failed.
    pub async fn failed(&self) -> LogError {
        loop {
            let notified = self.shared.failed.notified();
            if let Some(error) = self.shared.failure.get() {
                return error.clone();
            }
            notified.await;
        }
    }

    /// Replaces the routes.
    pub fn set_routes(&self, routes: Routes) {
        self.lock().engine.set_routes(routes);
    }

    /// Gives up the log, so that whoever opened it can close it. Nothing is applied any more.
    pub fn detach(&self) -> Option<Box<dyn Log>> {
        self.lock().log.take()
    }

    /// How long the lock has been held so far, and for what.
    pub fn holds(&self) -> Holds {
        self.lock().engine.holds.clone()
    }

    /// Hands over what came about without a client, releases the lock, wakes who has to be woken.
    pub(super) fn finish(&self, now: Now, mut core: Locked<'_>) {
        core.append(&self.shared, None);
        let due = core.engine.deadline(now).map(|due| due.max(core.rest_until));
        if let Some(due) = due.filter(|due| *due < core.alarm) {
            core.alarm = due;
            self.shared.sooner.notify_one();
        }
        let mut woken = std::mem::take(&mut core.woken);
        let audits = std::mem::take(&mut core.effects.audits);
        let unread = core.engine.wants_heads();
        let (steps, verb) = (core.engine.last_steps(), std::mem::take(&mut core.verb));
        core.served += u64::from(!matches!(verb, Verb::Tick | Verb::Read));
        let slow = core.engine.holds.count(verb, (now.monotonic, self.shared.clock.now().monotonic), steps);
        if steps >= LONG {
            core.hand_over();
        } else {
            drop(core);
        }
        if let Some(slow) = slow {
            report(slow);
        }
        audit::write(audits);
        if unread {
            self.shared.unread.notify_one();
        }
        for inbox in woken.drain(..) {
            inbox.wake();
        }
    }
}

impl Core {
    /// Records to the log, events to the inboxes. Records first: log order is engine order.
    pub(super) fn append(&mut self, shared: &Shared, author: Option<SessionId>) {
        if !self.effects.records.is_empty() {
            let wall = shared.clock.now().wall;
            match self.append_units(wall) {
                Some(Ok(ticket)) => {
                    self.appended = ticket;
                    self.engine.appended(ticket);
                    if let Some(client) = author.and_then(|session| self.attached(session)) {
                        client.last = ticket;
                    }
                    self.update_room(shared);
                }
                Some(Err(error)) => {
                    debug_assert!(!error.is_a_mistake(), "the log was to be asked before: {error}");
                    // The engine has gone on without the log. Whatever was appended from here on would be told apart by
                    // its order only, and be taken for what is missing: so nothing is.
                    self.log = None;
                    shared.fail(error);
                }
                None => shared.fail(LogError::Poisoned("the log is closed".into())),
            }
            self.effects.records.clear();
        }
        let appended = self.appended;
        if std::mem::take(&mut self.effects.leans)
            && let Some(client) = author.and_then(|session| self.attached(session))
        {
            client.last = appended;
        }
        let mut events = std::mem::take(&mut self.effects.events);
        let mut rest = events.drain(..).peekable();
        while let Some(&(session, _)) = rest.peek() {
            let same = std::iter::from_fn(|| rest.next_if(|(other, _)| *other == session).map(|(_, event)| event));
            match self.clients.get(session.index as usize).and_then(Option::as_ref) {
                Some(client) if client.session == session => {
                    if client.inbox.push(same) {
                        self.woken.push(Arc::clone(&client.inbox));
                    }
                }
                _ => same.for_each(drop),
            }
        }
        drop(rest);
        self.effects.events = events;
    }

    fn attached(&mut self, session: SessionId) -> Option<&mut Attached> {
        self.clients.get_mut(session.index as usize)?.as_mut().filter(|client| client.session == session)
    }

    /// What a session's receipts wait for, unless all that it asked for is durable.
    pub(super) fn owed(&mut self, shared: &Shared, session: SessionId) -> Option<Ticket> {
        // A log that has failed keeps no promise any more, not even that of a request which meant no record.
        if self.log.is_none() || shared.failure.get().is_some() {
            return Some(Ticket::NEVER);
        }
        let durable = self.durable;
        self.attached(session).map(|client| client.last).filter(|last| *last > durable)
    }

    /// Says whether the log has room, and wakes those who wait for it. The one place where that changes: an append may
    /// see the room that has come before the log tells of it.
    pub(super) fn update_room(&mut self, shared: &Shared) {
        let spent = self.log.as_ref().is_some_and(|log| log.capacity().is_spent());
        if shared.spent.swap(spent, Ordering::AcqRel) && !spent {
            shared.room.notify_waiters();
        }
    }
}

impl Shared {
    pub(super) fn fail(&self, error: LogError) {
        let _ = self.failure.set(error);
        self.failed.notify_waiters();
    }
}

/// A hold of so many steps gives the lock to whoever waits for it, instead of letting all try for it.
const LONG: u64 = 1024;

fn report(slow: SlowHold) {
    let SlowHold { verb, lasted, steps, unreported } = slow;
    let (verb, ms) = (verb.as_str(), lasted.as_millis() as u64);
    warn!(verb, ms, steps, unreported, "the engine was busy with one call for long; all others waited");
}
