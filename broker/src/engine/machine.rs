//! The engine: what it holds, and the few things that can be asked of it.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use foldhash::fast::RandomState;

use super::ids::Ids;
use super::options::Options;
use super::sessions::{Held, Sessions};
use super::view::QueueView;
use crate::destination::{Consumer, ConsumerKey, Consumers, Contents, Queue, SlotId, Topic};
use crate::dispatcher::{self, Round};
use crate::model::{
    AckMode, Answer, Delivery, DestinationId, DestinationName, Durable, Effects, Event, MessageId, Now, Record,
    Refusal, Request, SessionId, Ticket,
};
use crate::router::Router;
use crate::scheduler::Scheduler;

/// All destinations and all clients of one shard. Pure: requests in, records and events out.
#[derive(Debug)]
pub struct Engine {
    pub(super) options: Options,
    pub(super) ids: Ids,
    pub(super) router: Router,
    pub(super) destinations: HashMap<DestinationId, Destination, RandomState>,
    pub(super) next_destination: u64,
    pub(super) consumers: Consumers,
    pub(super) sessions: Sessions,
    pub(super) contents: Contents,
    /// Octets of `contents` that belong to transient messages.
    pub(super) transient_bytes: u64,
    /// Messages that nobody may see yet, in the order of appends: durable ones whose records are on the way to the log,
    /// and transient ones that came to a queue behind such.
    pub(super) pending: VecDeque<(DestinationId, SlotId)>,
    /// Who waits for which append.
    promises: VecDeque<(Ticket, SessionId)>,
    idle: Scheduler<DestinationId>,
    /// Destinations where something may be handed out, each once.
    touched: Vec<DestinationId>,
    /// Queues whose selective consumers wait for heads.
    pub(super) unread: VecDeque<DestinationId>,
    /// Messages at replay whose queue is gone; a record further on says where they went.
    pub(super) homeless: BTreeSet<MessageId>,
    /// The log takes no new messages.
    full: bool,
}

/// A queue or a topic, and what the engine needs to know about either.
#[derive(Debug)]
pub(super) struct Destination {
    pub(super) kind: Kind,
    /// It waits in `touched`.
    pub(super) touched: bool,
    /// The session whose temporary destination it is.
    pub(super) owner: Option<SessionId>,
    /// A check for idleness is scheduled.
    idle_check: bool,
    last_used: Duration,
}

#[derive(Debug)]
pub(super) enum Kind {
    Queue(Box<Queue>),
    Topic(Topic),
}

impl Engine {
    /// An engine without destinations. What a log holds is replayed into it before the first client comes.
    pub fn new(options: Options) -> Engine {
        Engine {
            ids: Ids::new(options.shard),
            options,
            router: Router::default(),
            destinations: HashMap::default(),
            next_destination: 1,
            consumers: Consumers::with_key(),
            sessions: Sessions::default(),
            contents: Contents::default(),
            transient_bytes: 0,
            pending: VecDeque::new(),
            promises: VecDeque::new(),
            idle: Scheduler::new(),
            touched: Vec::new(),
            unread: VecDeque::new(),
            homeless: BTreeSet::new(),
            full: false,
        }
    }

    /// Reserves ids for what is to come. Before that is durable nobody should be let in: a transient message is handed
    /// out without a record of its own, and the next process would give its id again.
    pub fn reserve_ids(&mut self, effects: &mut Effects) {
        self.ids.reserve(&mut effects.records);
    }

    /// A client comes. `owner` is a text that nobody can guess; names of its temporary destinations begin with it.
    pub fn open(&mut self, owner: String) -> SessionId {
        self.sessions.open(owner)
    }

    /// Carries out one request. Deliveries that it makes possible wait for [`dispatch`](Self::dispatch).
    ///
    /// A refused request leaves everything as it was.
    pub fn apply(
        &mut self,
        now: Now,
        session: SessionId,
        request: Request,
        effects: &mut Effects,
    ) -> Result<Answer, Refusal> {
        match request {
            Request::Publish(publish) => self.publish(now, publish, effects).map(|()| Answer::Done),
            Request::Subscribe(subscribe) => self.subscribe(now, session, &subscribe).map(|()| Answer::Done),
            Request::Unsubscribe(subscription) => {
                self.unsubscribe(now, session, subscription, effects);
                Ok(Answer::Done)
            }
            Request::Settle(settle) => self.settle(now, session, &settle, effects),
            Request::Commit(actions) => self.commit(now, session, actions, effects),
            Request::Written { subscription, through } => {
                self.written(now, (session, subscription), through, effects);
                Ok(Answer::Done)
            }
            Request::Quarantine { subscription, number } => {
                self.quarantine(session, subscription, number, effects);
                Ok(Answer::Done)
            }
        }
    }

    /// Hands out what the calls since the last dispatch have made ready. Where selective consumers have much to look at,
    /// something is left for the next call, and [`deadline`](Self::deadline) is now.
    pub fn dispatch(&mut self, now: Now, effects: &mut Effects) {
        let mut unfinished = Vec::new();
        while let Some(id) = self.touched.pop() {
            let Some(destination) = self.destinations.get_mut(&id) else { continue };
            destination.touched = false;
            destination.last_used = now.monotonic;
            if let Kind::Queue(queue) = &mut destination.kind {
                let sessions = &mut self.sessions;
                let tell = |key, consumer: &Consumer, delivery| {
                    deliver(sessions, key, consumer.session, consumer.mode, delivery, effects);
                };
                if dispatcher::pump(queue, &mut self.consumers, &mut self.contents, tell) == Round::Unfinished {
                    unfinished.push(id);
                }
                if queue.wants_heads() && !self.unread.contains(&id) {
                    self.unread.push_back(id);
                }
            }
            if destination.is_idle() && !destination.idle_check {
                destination.idle_check = true;
                self.idle.at(now.monotonic + self.options.idle_destination, id);
            }
        }
        for id in unfinished {
            self.touch(id);
        }
    }

    /// The session waits for that append: it is told with [`Event::Durable`].
    pub fn promise(&mut self, session: SessionId, ticket: Ticket) {
        self.promises.push_back((ticket, session));
    }

    /// The log has become durable up to a point: what was accepted there may be handed out, receipts may leave.
    pub fn persisted(&mut self, now: Now, durable: Durable<'_>, effects: &mut Effects) {
        let mut ripe = Vec::with_capacity(durable.positions.len());
        let mut positions = durable.positions.iter();
        while let Some(&(id, slot)) = self.pending.front() {
            let Some(queue) = self.queue_mut(id) else { break };
            if queue.entry(slot).is_some_and(|entry| entry.durable) {
                let Some(&position) = positions.next() else { break };
                queue.set_position(slot, position);
                ripe.push((id, slot));
            }
            queue.make_ready(slot);
            self.pending.pop_front();
            self.touch(id);
        }
        self.dispatch(now, effects);
        self.trim_cache(&ripe);
        while let Some(&(ticket, session)) = self.promises.front().filter(|(ticket, _)| *ticket <= durable.through) {
            self.promises.pop_front();
            effects.events.push((session, Event::Durable(ticket)));
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Now, effects: &mut Effects) {
        while let Some(id) = self.idle.due(now.monotonic) {
            let Some(destination) = self.destinations.get_mut(&id) else { continue };
            destination.idle_check = false;
            if !destination.is_idle() {
                continue;
            }
            let due = destination.last_used + self.options.idle_destination;
            if due <= now.monotonic {
                self.remove_destination(id, effects);
            } else {
                destination.idle_check = true;
                self.idle.at(due, id);
            }
        }
    }

    /// When something is due on the monotonic clock.
    pub fn deadline(&self) -> Option<Duration> {
        if self.touched.is_empty() { self.idle.deadline() } else { Some(Duration::ZERO) }
    }

    /// Whether the log takes new messages. While it does not, publishing is refused; finishing work goes on.
    pub fn set_full(&mut self, full: bool) {
        self.full = full;
    }

    /// Replaces the rules of destinations.
    pub fn set_policies(&mut self, policies: crate::destination::Policies) {
        for destination in self.destinations.values_mut() {
            if let Kind::Queue(queue) = &mut destination.kind {
                queue.set_policy(policies.resolve(queue.name()));
            }
        }
        self.options.policies = policies;
    }

    /// Clients.
    pub fn clients(&self) -> usize {
        self.sessions.len()
    }

    /// What the queues hold, by name. For comparison and inspection.
    pub fn queues(&self) -> Vec<QueueView> {
        let mut views: Vec<_> = self.destinations.values().filter_map(|d| d.kind.queue().map(QueueView::of)).collect();
        views.sort_by(|a, b| a.name.cmp(&b.name));
        views
    }

    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// The destination of that name, made if there is none.
    pub(super) fn obtain(&mut self, now: Now, name: &DestinationName) -> Result<DestinationId, Refusal> {
        if let Some(id) = self.router.resolve(name) {
            return Ok(id);
        }
        let limit = self.options.destinations;
        if self.router.len() >= limit {
            return Err(Refusal::TooManyDestinations { limit });
        }
        let id = self.create(DestinationId(self.next_destination), name.clone());
        self.touch_new(now, id);
        Ok(id)
    }

    /// Makes a destination, within no limit.
    pub(super) fn create(&mut self, id: DestinationId, name: DestinationName) -> DestinationId {
        self.next_destination = self.next_destination.max(id.0 + 1);
        let kind = if name.kind().is_queue() {
            Kind::Queue(Box::new(Queue::new(name.clone(), self.options.policies.resolve(&name))))
        } else {
            Kind::Topic(Topic::new(name.clone()))
        };
        let destination =
            Destination { kind, touched: false, owner: None, idle_check: false, last_used: Duration::ZERO };
        self.destinations.insert(id, destination);
        self.router.bind(name, id);
        id
    }

    fn touch_new(&mut self, now: Now, id: DestinationId) {
        if let Some(destination) = self.destinations.get_mut(&id) {
            destination.last_used = now.monotonic;
        }
        self.touch(id);
    }

    /// Something may be handed out there.
    pub(super) fn touch(&mut self, id: DestinationId) {
        if let Some(destination) = self.destinations.get_mut(&id)
            && !destination.touched
        {
            destination.touched = true;
            self.touched.push(id);
        }
    }

    /// Removes an empty destination.
    fn remove_destination(&mut self, id: DestinationId, effects: &mut Effects) {
        let owner = self.destinations.get(&id).and_then(|destination| destination.owner);
        if let Some(session) = owner.and_then(|owner| self.sessions.get_mut(owner)) {
            session.temporary.remove(&id);
        }
        let declared = self.queue_mut(id).is_some_and(|queue| queue.declared);
        let record = Record::Deleted { destination: id };
        self.evolve(&record, None);
        if declared {
            effects.records.push(record);
        }
    }

    pub(super) fn queue_mut(&mut self, id: DestinationId) -> Option<&mut Queue> {
        queue_of(&mut self.destinations, id)
    }

    /// Lets go of bodies that are in the log, where the cache is over its bound and nobody took them at once.
    fn trim_cache(&mut self, ripe: &[(DestinationId, SlotId)]) {
        for &(id, slot) in ripe {
            if self.contents.bytes() - self.transient_bytes <= self.options.cache_bytes {
                return;
            }
            let key = self.queue_mut(id).and_then(|queue| queue.entry_mut(slot)?.content.take());
            if let Some(key) = key {
                self.contents.remove(key);
            }
        }
    }
}

/// The queue of that number.
pub(super) fn queue_of(
    destinations: &mut HashMap<DestinationId, Destination, RandomState>,
    id: DestinationId,
) -> Option<&mut Queue> {
    match &mut destinations.get_mut(&id)?.kind {
        Kind::Queue(queue) => Some(queue),
        Kind::Topic(_) => None,
    }
}

/// Notes a delivery with its session and tells it.
pub(super) fn deliver(
    sessions: &mut Sessions,
    consumer: ConsumerKey,
    id: SessionId,
    mode: AckMode,
    mut delivery: Delivery,
    effects: &mut Effects,
) {
    if let Some(session) = sessions.get_mut(id) {
        session.handed(delivery.message);
        if mode != AckMode::Auto {
            let held = Held { consumer, subscription: delivery.subscription, number: delivery.number };
            delivery.held_twice = session.hold(delivery.message, held);
        }
    }
    effects.events.push((id, Event::Deliver(delivery)));
}

impl Destination {
    fn is_idle(&self) -> bool {
        match &self.kind {
            Kind::Queue(queue) => queue.is_empty() && queue.consumers() == 0,
            Kind::Topic(topic) => topic.subscribers().is_empty(),
        }
    }
}

impl Kind {
    fn queue(&self) -> Option<&Queue> {
        match self {
            Kind::Queue(queue) => Some(queue),
            Kind::Topic(_) => None,
        }
    }

    pub(super) fn name(&self) -> &DestinationName {
        match self {
            Kind::Queue(queue) => queue.name(),
            Kind::Topic(topic) => topic.name(),
        }
    }
}
