//! The shared engine: one lock, taken once per batch.
//!
//! Under the lock: requests are applied, touched destinations dispatched, records handed to the log and events to the
//! inboxes. No I/O, no encoding. Lock order: engine, then the log's inbox; engine, then a connection's inbox.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;

use super::inbox::Inbox;
use super::machine::Engine;
use super::sessions::Departure;
use super::vital::Locked;
use crate::clock::Clock;
use crate::destination::Policies;
use crate::model::{Answer, Effects, Log, LogError, LogReader, Now, Record, Refusal, Request, SessionId, Ticket};
use crate::router::Routes;

/// A share of the engine.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) core: Mutex<Core>,
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
    clients: Vec<Option<Attached>>,
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
}

/// What the shell keeps of a client.
#[derive(Debug)]
struct Attached {
    session: SessionId,
    inbox: Arc<Inbox>,
    /// The last append that holds something of it.
    last: Ticket,
}

/// A client's session, closed when dropped.
#[derive(Debug)]
pub struct Client {
    session: SessionId,
    inbox: Arc<Inbox>,
    handle: Handle,
    departure: Departure,
}

/// How a batch of requests is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The caller has receipts to send, and is told with [`Event::Durable`](crate::model::Event::Durable) when they may
    /// leave.
    pub promise: bool,
    /// Where the log has no room for new messages, the request that needs some and all behind it are left to be asked
    /// again. Otherwise it is refused.
    pub patient: bool,
}

/// What became of a batch of requests.
#[derive(Debug)]
pub struct Item {
    /// Receipts of this batch wait for that append; `None` if all that the client asked so far is durable.
    pub wait_for: Option<Ticket>,
    /// The request after the last answered one was refused; nothing behind it was looked at.
    pub refused: Option<Refusal>,
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
        };
        Handle {
            shared: Arc::new(Shared {
                core: Mutex::new(core),
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
        let now = self.shared.clock.now();
        let mut guard = self.lock();
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

    /// Lets a client in.
    pub fn open(&self, owner: String) -> Client {
        let mut core = self.lock();
        let session = core.engine.open(owner);
        let inbox = Arc::new(Inbox::default());
        let index = session.index as usize;
        if core.clients.len() <= index {
            core.clients.resize_with(index + 1, || None);
        }
        core.clients[index] = Some(Attached { session, inbox: Arc::clone(&inbox), last: Ticket::default() });
        Client { session, inbox, handle: self.clone(), departure: Departure::Lost }
    }

    /// Where a stored content is read, off the engine's lock.
    pub fn reader(&self) -> Option<Arc<dyn LogReader>> {
        self.shared.reader.get().cloned()
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

    /// Replaces the rules of destinations.
    pub fn set_policies(&self, policies: Policies) {
        self.lock().engine.set_policies(policies);
    }

    /// Replaces the routes.
    pub fn set_routes(&self, routes: Routes) {
        self.lock().engine.set_routes(routes);
    }

    /// Gives up the log, so that whoever opened it can close it. Nothing is applied any more.
    pub fn detach(&self) -> Option<Box<dyn Log>> {
        self.lock().log.take()
    }

    /// Hands over what came about without a client, releases the lock, wakes who has to be woken.
    pub(super) fn finish(&self, now: Now, mut core: Locked<'_>) {
        core.hand_over(&self.shared, None);
        let due = core.engine.deadline(now).map(|due| due.max(core.rest_until));
        if let Some(due) = due.filter(|due| *due < core.alarm) {
            core.alarm = due;
            self.shared.sooner.notify_one();
        }
        let mut woken = std::mem::take(&mut core.woken);
        let unread = core.engine.wants_heads();
        drop(core);
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
    fn hand_over(&mut self, shared: &Shared, author: Option<SessionId>) {
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
    fn owed(&mut self, shared: &Shared, session: SessionId) -> Option<Ticket> {
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

impl Client {
    /// Carries out requests in order, one answer for each, up to the first that is refused, or left because it has to
    /// wait for room.
    pub fn apply(&self, requests: &mut Vec<Request>, answers: &mut Vec<Answer>, terms: Terms) -> Item {
        let shared = &self.handle.shared;
        let now = shared.clock.now();
        let mut guard = self.handle.lock();
        let core = &mut *guard;
        let Some(log) = core.log.as_mut() else {
            // It has failed, or was closed behind a connection that did not end in time.
            requests.clear();
            return Item { wait_for: Some(Ticket::NEVER), refused: Some(Refusal::ShuttingDown) };
        };
        let full = log.is_full();
        core.engine.set_full(full);
        let stuck = |request: &Request| full && terms.patient && core.engine.needs_room(request);
        let ready = requests.iter().position(stuck).unwrap_or(requests.len());
        let mut refused = None;
        for request in requests.drain(..ready) {
            match core.engine.apply(now, self.session, request, &mut core.effects) {
                Ok(answer) => answers.push(answer),
                Err(refusal) => {
                    refused = Some(refusal);
                    break;
                }
            }
        }
        core.engine.dispatch(now, &mut core.effects);
        core.hand_over(shared, Some(self.session));
        let wait_for = core.owed(shared, self.session);
        if let Some(ticket) = wait_for.filter(|ticket| terms.promise && *ticket != Ticket::NEVER) {
            core.engine.promise(self.session, ticket);
        }
        self.handle.finish(now, guard);
        Item { wait_for, refused }
    }

    /// Where its events arrive.
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// It said goodbye: what it holds will not count as failed.
    pub fn leave_cleanly(&mut self) {
        self.departure = Departure::Clean;
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let now = self.handle.shared.clock.now();
        let mut guard = self.handle.lock();
        let core = &mut *guard;
        core.ask_for_room();
        core.engine.close(now, self.session, self.departure, &mut core.effects);
        core.engine.dispatch(now, &mut core.effects);
        if let Some(row) = core.clients.get_mut(self.session.index as usize) {
            *row = None;
        }
        self.handle.finish(now, guard);
    }
}
