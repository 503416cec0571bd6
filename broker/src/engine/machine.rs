//! The engine: what it holds, and the few things that can be asked of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;

use super::announce::Announcements;
use super::destination::{Destination, Kind};
use super::errand::Errands;
use super::happening::Word;
use super::holds::Holds;
use super::ids::Ids;
use super::jitter::Jitter;
use super::late::Late;
use super::legacy::Legacy;
use super::notice::Notice;
use super::options::Options;
use super::quotas::Quotas;
use super::room::ASKED_AGAIN;
use super::schedules::Schedules;
use super::sessions::Sessions;
use super::slow::Slow;
use super::unique::Uniques;
use super::unlogged::Unlogged;
use crate::destination::{ConsumerKey, Consumers, Contents, Queue, SlotId, Topic};
use crate::jobs::{Book, Outbox};
use crate::model::{
    Answer, DestinationId, DestinationName, Effects, Manner, MessageId, Now, Record, Refusal, Request, Room, SessionId,
    StateBytes, Steps, Take, Terms, Ticket, Timestamp, Windows,
};
use crate::router::{Patterns, Router};
use crate::scheduler::Scheduler;
use crate::table::Pieces;

/// Places that are kept for destinations.
pub(super) const DESTINATIONS_KEPT: usize = 1024;

/// All destinations and all clients of one shard. Pure: requests in, records and events out.
#[derive(Debug)]
pub struct Engine {
    pub(super) options: Options,
    pub(super) ids: Ids,
    pub(super) router: Router,
    /// Each in a block of its own, so that the table moves little when it grows, which is in the hold of one request.
    pub(super) destinations: HashMap<DestinationId, Box<Destination>, RandomState>,
    pub(super) next_destination: u64,
    pub(super) consumers: Consumers,
    /// Wildcard subscriptions by their patterns.
    pub(super) watchers: Patterns<ConsumerKey>,
    /// Queues behind topics, by the patterns of these.
    pub(super) feeds: Patterns<DestinationId>,
    /// How often a binding with a wildcard has come or gone.
    pub(super) wild_feeds: u64,
    /// Jobs that are followed.
    pub(super) jobs: Book,
    /// Who holds which key, of messages that are alone in their queues.
    pub(super) uniques: Uniques,
    /// Subscriptions and feeds that hear what happens to jobs.
    pub(super) ears: usize,
    /// What a worker says about the delivery that is being settled.
    pub(super) word: Option<Word>,
    /// What is told once the log has what it speaks of.
    pub(super) outbox: Outbox<Notice>,
    /// What is told is durable up to here.
    pub(super) told_through: Ticket,
    /// What the broker says by itself in the present call.
    pub(super) announcements: Announcements,
    /// Keys that were seen lately, by destination.
    pub(super) windows: Windows,
    /// Queues whose messages are to be dropped.
    pub(super) doomed: BTreeSet<DestinationId>,
    /// Wildcard subscriptions that have credit again.
    pub(super) refilled: Vec<ConsumerKey>,
    /// Consumers that may be at their end: something was handed to them, or they have room again.
    pub(super) examined: Vec<ConsumerKey>,
    /// Such of which it cannot be said yet: they are looked at again when background work has gone on.
    pub(super) undecided: Vec<ConsumerKey>,
    /// Consumers by the end of their patience.
    pub(super) waits: Scheduler<Duration, ConsumerKey>,
    /// Whose request is carried out; nobody's, when time does something.
    pub(super) author: Option<SessionId>,
    pub(super) sessions: Sessions,
    pub(super) quotas: Quotas,
    /// Those for which topics keep something.
    pub(super) slow: Slow,
    pub(super) contents: Contents,
    /// Octets of `contents` that belong to transient messages.
    pub(super) transient_bytes: u64,
    /// Messages that nobody may see yet, in the order of appends: durable ones whose records are on the way to the log,
    /// and transient ones that came to a queue behind such.
    pub(super) pending: Pieces<(DestinationId, SlotId), 256>,
    /// Messages whose last records are on the way to the log.
    pub(super) unlogged: Unlogged,
    /// Who waits for which append.
    pub(super) promises: VecDeque<(Ticket, SessionId)>,
    pub(super) idle: Scheduler<Duration, DestinationId>,
    /// Queues by the next moment that something in them waits for.
    pub(super) moments: Scheduler<Timestamp, DestinationId>,
    pub(super) schedules: Schedules,
    /// What new durable subscriptions get once it has been read, and the one that is being read.
    pub(super) legacies: VecDeque<Legacy>,
    pub(super) legacy: Option<Legacy>,
    /// Those who look through queues and may go on.
    pub(super) views: Vec<ConsumerKey>,
    /// Those who wait for heads.
    pub(super) dim: VecDeque<ConsumerKey>,
    pub(super) jitter: Jitter,
    /// Destinations where something may be handed out, each once.
    pub(super) touched: Vec<DestinationId>,
    /// What a dispatch has left for background work.
    pub(super) late: Late,
    /// Work of the call that goes on.
    pub(super) steps: Steps,
    /// Work of the last one.
    pub(super) last_steps: u64,
    /// Queues whose selective consumers wait for heads.
    pub(super) unread: VecDeque<DestinationId>,
    /// Messages at replay whose queue is gone; a record further on says where they went.
    pub(super) homeless: BTreeMap<MessageId, Option<Box<Terms>>>,
    /// Work on many messages that goes on.
    pub(super) errands: Errands,
    /// Messages with ids below this sequence may have been handed out by an earlier process.
    pub(super) suspected: u64,
    /// The same, as long as the log does not know it.
    pub(super) suspicion: Option<u64>,
    /// The log takes no new messages.
    pub(super) full: bool,
    /// How long the lock was held, which the shell counts; told to whoever asks about the broker.
    pub(super) holds: Holds,
    /// How much room it has for what finishes work.
    pub(super) room: Room,
    /// Queues with dead letters of time that wait until it is not scarce.
    pub(super) held: BTreeSet<DestinationId>,
    /// What the log keeps beside messages.
    pub(super) state: StateBytes,
    /// Settlements and other requests that had no effect.
    pub(super) declined: u64,
    /// There is more memory for messages than one hold of the lock can use.
    pub(super) has_ample_memory: bool,
}

impl Engine {
    /// An engine without destinations. What a log holds is replayed into it before the first client comes.
    pub fn new(options: Options) -> Engine {
        let mut contents = Contents::default();
        contents.count_in(Arc::clone(&options.memory));
        Engine {
            ids: Ids::new(options.shard),
            jitter: Jitter::new(options.seed),
            options,
            router: Router::default(),
            destinations: HashMap::default(),
            next_destination: 1,
            consumers: Consumers::with_key(),
            watchers: Patterns::default(),
            feeds: Patterns::default(),
            wild_feeds: 0,
            jobs: Book::default(),
            uniques: Uniques::default(),
            ears: 0,
            word: None,
            outbox: Outbox::default(),
            told_through: Ticket::default(),
            announcements: Announcements::default(),
            windows: Windows::default(),
            doomed: BTreeSet::new(),
            refilled: Vec::new(),
            examined: Vec::new(),
            undecided: Vec::new(),
            waits: Scheduler::new(),
            author: None,
            sessions: Sessions::default(),
            quotas: Quotas::default(),
            slow: Slow::default(),
            contents,
            transient_bytes: 0,
            pending: Pieces::default(),
            unlogged: Unlogged::default(),
            promises: VecDeque::new(),
            idle: Scheduler::new(),
            moments: Scheduler::new(),
            schedules: Schedules::default(),
            legacies: VecDeque::new(),
            legacy: None,
            views: Vec::new(),
            dim: VecDeque::new(),
            touched: Vec::new(),
            late: Late::default(),
            steps: Steps::new(Self::REQUESTS),
            last_steps: 0,
            unread: VecDeque::new(),
            homeless: BTreeMap::new(),
            errands: Errands::default(),
            suspected: 0,
            suspicion: None,
            full: false,
            holds: Holds::default(),
            room: Room::Enough,
            held: BTreeSet::new(),
            state: StateBytes::UNBOUNDED,
            declined: 0,
            has_ample_memory: false,
        }
    }

    /// Reserves ids for what is to come. Before that is durable nobody should be let in: a transient message is handed
    /// out without a record of its own, and the next process would give its id again.
    ///
    /// After an unclean stop what was found is marked here, too, for all starts to come.
    pub fn reserve_ids(&mut self, effects: &mut Effects) {
        self.ids.reserve(&mut effects.records);
        effects.records.extend(self.suspicion.take().map(|below| Record::Suspected { below }));
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
        self.author = Some(session);
        effects.begin();
        let answer = self.carry_out(now, session, request, effects);
        self.publish_announced(now, effects);
        effects.cut();
        answer
    }

    fn carry_out(
        &mut self,
        now: Now,
        session: SessionId,
        request: Request,
        effects: &mut Effects,
    ) -> Result<Answer, Refusal> {
        self.check_creation(session, &request)?;
        if self.state.is_spent() {
            self.check_state(&request)?;
        }
        self.check_room(&request)?;
        match request {
            Request::Permit(permissions) => Ok(self.permit(now, session, &permissions, effects)),
            Request::Publish(publish) => self.publish(now, publish, effects),
            Request::Subscribe(subscribe) => {
                self.begin_subscription(now, session, (subscribe, Manner::default()), effects)
            }
            Request::Take(take) => {
                let Take { subscribe, manner } = *take;
                self.begin_subscription(now, session, (subscribe, manner), effects)
            }
            Request::Grant(grant) => Ok(self.allow(now, session, grant, effects)),
            Request::Shape(shape) => self.shape(now, *shape, effects),
            Request::Unsubscribe(subscription) => Ok(self.unsubscribe(now, session, subscription, effects)),
            Request::Discard(queue) => Ok(self.discard(&queue, effects)),
            Request::Settle(settle) => self.settle(now, session, &settle, effects),
            Request::Touch(touch) => self.lengthen(now, session, touch),
            Request::Job(said) => self.hear(now, session, *said, effects),
            Request::Manage(manage) => Ok(self.manage(now, session, *manage, effects)),
            Request::Inquire(inquiry) => Ok(self.inquire(now, session, *inquiry, effects)),
            Request::Browse(browse) => self.browse(now, session, &browse, effects),
            Request::Oversee(oversee) => Ok(self.oversee(now, session, *oversee, effects)),
            Request::Decline(refusal) => Ok(self.decline(refusal)),
            Request::Commit(actions) => self.begin_commit(now, session, actions, effects),
            Request::Written { subscription, through } => {
                self.written(now, (session, subscription), through, effects);
                Ok(Answer::Done)
            }
            Request::Quarantine { subscription, number, is_damaged } => {
                self.quarantine(now, (session, subscription), (number, is_damaged), effects);
                Ok(Answer::Done)
            }
        }
    }

    /// The session waits for that append: it is told with [`Event::Durable`](crate::model::Event::Durable).
    pub fn promise(&mut self, session: SessionId, ticket: Ticket) {
        self.promises.push_back((ticket, session));
    }

    /// How long a destination is kept although nothing is in it: what it knows of keys must not be forgotten early.
    pub(super) fn patience(&self, id: DestinationId) -> Duration {
        let asked = self.destinations.get(&id).and_then(|found| found.kind.queue()?.policy().idle_ms);
        let idle = asked.map_or(self.options.idle_destination, Duration::from_millis);
        if self.windows.knows(id) { idle.max(Duration::from_millis(Windows::MS)) } else { idle }
    }

    /// When something is due on the monotonic clock.
    pub fn deadline(&self, now: Now) -> Option<Duration> {
        if self.room == Room::None {
            return Some(now.monotonic + ASKED_AGAIN);
        }
        if !self.doomed.is_empty() || self.is_unfinished() {
            return Some(Duration::ZERO);
        }
        let until = |moment: Timestamp| Duration::from_millis(moment.0.saturating_sub(now.wall.0));
        let moment = self.moments.deadline().into_iter().chain(self.jobs.deadline()).min();
        let moment = moment.map(|moment| now.monotonic + until(moment));
        let others = [self.idle.deadline(), self.waits.deadline(), self.errands.deadline(now.monotonic)];
        let asks_again = self.waits_for_room().then(|| now.monotonic + ASKED_AGAIN);
        others.into_iter().chain([moment, asks_again]).flatten().min()
    }

    /// Whether the log has as much in flight as it wants: then what goes on by itself waits.
    pub fn hold_errands(&mut self, is_held: bool) {
        self.errands.is_held = is_held;
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
        let maker = self.new_destination()?;
        self.steps.charge(Engine::CREATED);
        let id = self.create(DestinationId(self.next_destination), name.clone());
        self.made(id, maker);
        self.touch_new(now, id);
        Ok(id)
    }

    /// Makes a destination, within no limit.
    pub(super) fn create(&mut self, id: DestinationId, name: DestinationName) -> DestinationId {
        self.next_destination = self.next_destination.max(id.0 + 1);
        let kind = if name.kind().is_queue() {
            let mut queue = Queue::new(name.clone(), self.options.policies.resolve(&name));
            queue.count_in(Arc::clone(&self.options.memory));
            Kind::Queue(Box::new(queue))
        } else {
            Kind::Topic(Topic::new(name.clone()))
        };
        self.destinations.insert(id, Box::new(Destination::new(kind)));
        self.attract(id, &name);
        self.connect(id, &name);
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
    #[inline]
    pub(super) fn touch(&mut self, id: DestinationId) {
        if let Some(destination) = self.destinations.get_mut(&id)
            && !destination.touched
        {
            destination.touched = true;
            self.touched.push(id);
        }
    }

    /// Removes an empty destination.
    pub(super) fn remove_destination(&mut self, id: DestinationId, effects: &mut Effects) {
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
}

/// The queue of that number.
pub(super) fn queue_of(
    destinations: &mut HashMap<DestinationId, Box<Destination>, RandomState>,
    id: DestinationId,
) -> Option<&mut Queue> {
    match &mut destinations.get_mut(&id)?.kind {
        Kind::Queue(queue) => Some(queue),
        Kind::Topic(_) => None,
    }
}
