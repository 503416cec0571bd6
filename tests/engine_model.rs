//! The engine against a naive model: random clients, any interleaving, crashes (TESTING.md, T2).
//!
//! The model keeps each queue as a plain list, and for each subscriber of the topic what it has still to get. It does not
//! foretell who gets a message of a queue; it checks that every delivery was allowed (the first ready message, to somebody
//! with credit, with the right marks), and that nothing that could be handed out was kept back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use kolejka::destination::{Policies, Policy};
use kolejka::engine::{Departure, Engine, Options};
use kolejka::model::{
    AckMode, Action, Answer, Content, Credit, Delivery, DestinationName, Durability, Durable, Effects, Event, Feed,
    Filter, Message, MessageId, Now, Outcome, Pattern, Payload, Position, Publish, Reader, Record, Refusal, Replay,
    Request, SessionId, Settle, ShardId, Source, Subscribe, SubscriptionId, Ticket, Timestamp, Urgency, Wildcard,
    Windows,
};
use kolejka::selector::Selector;
use proptest::prelude::*;

const PLACES: [&str; 3] = ["/queue/a", "/queue/b", "/topic/t"];
const QUEUES: usize = 2;
/// Behind the places one may subscribe to all queues of one part, and to a queue that the topic feeds from then on.
const SOURCES: usize = PLACES.len() + 2;
const FED: &str = "/queue/Consumer.g.t";
/// Stands for a subscription where a message is kept from everybody.
const NOBODY: u32 = 0;
const MAX_DELIVERIES: u16 = 3;

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish { place: usize, urgency: u32, durable: bool },
    Repeat { queue: usize, key: u8, durable: bool },
    Subscribe { client: usize, source: usize, mode: AckMode, credit: u32, wants: Option<u32> },
    Unsubscribe { client: usize, which: usize },
    Settle { client: usize, which: usize, verdict: Verdict },
    Written { client: usize, which: usize },
    Commit { client: usize, sends: [(usize, bool); 3], settles: [(usize, Verdict); 2] },
    Quarantine { client: usize, which: usize },
    Sync,
    Idle,
    Leave { client: usize, departure: Departure },
    Crash,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ack,
    Retry,
    DeadLetter,
    Release,
}

impl Verdict {
    fn outcome(self) -> Outcome {
        match self {
            Verdict::Ack => Outcome::Ack,
            Verdict::Retry => Outcome::Retry { reason: None, delay_ms: Some(0) },
            Verdict::DeadLetter => Outcome::DeadLetter { reason: None },
            Verdict::Release => Outcome::Release,
        }
    }
}

fn verdict() -> impl Strategy<Value = Verdict> + Clone {
    let ack = || Just(Verdict::Ack);
    prop_oneof![4 => ack(), 2 => Just(Verdict::Retry), 1 => Just(Verdict::DeadLetter), 1 => Just(Verdict::Release)]
}

fn step() -> impl Strategy<Value = Step> {
    let (client, place, which) = (0..3usize, 0..PLACES.len(), 0..8usize);
    let mode = prop_oneof![Just(AckMode::Auto), Just(AckMode::Client), Just(AckMode::ClientIndividual)];
    let sends = prop::array::uniform3((place.clone(), any::<bool>()));
    let settles = prop::array::uniform2((which.clone(), verdict()));
    let departure = prop_oneof![Just(Departure::Clean), Just(Departure::Lost)];
    prop_oneof![
        6 => (place.clone(), 0..3u32, any::<bool>())
            .prop_map(|(place, urgency, durable)| Step::Publish { place, urgency, durable }),
        3 => (0..QUEUES, 0..3u8, any::<bool>())
            .prop_map(|(queue, key, durable)| Step::Repeat { queue, key, durable }),
        3 => (client.clone(), 0..SOURCES, mode, 1..4u32, prop::option::of(0..3u32))
            .prop_map(|(client, source, mode, credit, wants)| Step::Subscribe { client, source, mode, credit, wants }),
        1 => (client.clone(), which.clone()).prop_map(|(client, which)| Step::Unsubscribe { client, which }),
        6 => (client.clone(), which.clone(), verdict())
            .prop_map(|(client, which, verdict)| Step::Settle { client, which, verdict }),
        2 => (client.clone(), which.clone()).prop_map(|(client, which)| Step::Written { client, which }),
        2 => (client.clone(), sends, settles)
            .prop_map(|(client, sends, settles)| Step::Commit { client, sends, settles }),
        1 => (client.clone(), which).prop_map(|(client, which)| Step::Quarantine { client, which }),
        4 => Just(Step::Sync),
        1 => Just(Step::Idle),
        1 => (client, departure).prop_map(|(client, departure)| Step::Leave { client, departure }),
        1 => Just(Step::Crash),
    ]
}

/// A message as the model sees it.
#[derive(Clone, Debug)]
struct Known {
    id: MessageId,
    urgency: u32,
    order: u64,
    attempts: u16,
    handed_out: bool,
    durable: bool,
    visible: bool,
    /// Which subscription has it, if it is out.
    holder: Option<u32>,
}

/// A subscription as the model sees it; numbers are never used twice in a run.
#[derive(Clone, Debug)]
struct Sub {
    client: usize,
    from: Vec<&'static str>,
    mode: AckMode,
    credit: u32,
    /// It selects messages of that urgency only.
    wants: Option<u32>,
    /// Unsettled deliveries, oldest first.
    out: Vec<Held>,
    /// Numbers of a topic's messages that it has still to get.
    waiting: VecDeque<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    number: u64,
    message: MessageId,
    /// Its ack token names the message alone.
    plain: bool,
}

impl Sub {
    fn is_of_topic(&self) -> bool {
        self.from == [PLACES[QUEUES]]
    }

    fn wants(&self, urgency: u32) -> bool {
        self.wants.is_none_or(|wanted| wanted == urgency)
    }

    fn is_hungry(&self) -> bool {
        self.out.len() < self.credit as usize
    }
}

#[derive(Clone, Debug, Default)]
struct Model {
    queues: BTreeMap<String, Vec<Known>>,
    subs: BTreeMap<u32, Sub>,
    order: u64,
    /// The queue behind the topic is there.
    is_bound: bool,
    /// When each queue first saw a key, and whether the log knows.
    keys: BTreeMap<(usize, u8), (Timestamp, bool)>,
}

struct World {
    options: Options,
    now: Now,
    engine: Engine,
    effects: Effects,
    clients: Vec<SessionId>,
    log: Vec<(Record, Option<Position>)>,
    synced: usize,
    tickets: u64,
    places: u64,
    next_sub: u32,
    /// The number in the body of the last message.
    last: u64,
    model: Model,
    /// What a crash falls back to.
    durable_model: Model,
}

fn options(shard: ShardId) -> Options {
    let default = Policy { max_deliveries: MAX_DELIVERIES, ..Policy::default() };
    Options { shard, policies: Policies { default, rules: Vec::new() }, ..Options::default() }
}

fn name(text: &str) -> DestinationName {
    DestinationName::parse(text, "x").expect("a name")
}

#[derive(Debug)]
struct Anybody;

impl Reader for Anybody {
    fn may_read(&self, _: &DestinationName) -> bool {
        true
    }
}

/// What a subscription reads from, and where it then gets messages.
fn source(number: usize) -> (Source, Vec<&'static str>) {
    if let Some(place) = PLACES.get(number) {
        return (name(place).into(), vec![place]);
    }
    if number == PLACES.len() {
        let wildcard = Wildcard::parse("/queue/*", Arc::new(Anybody)).expect("a pattern");
        return (Source::Wildcard(Arc::new(wildcard)), PLACES[..QUEUES].to_vec());
    }
    let topics = Pattern::exactly(&name(PLACES[QUEUES]));
    let feed = Feed { queue: name(FED), topics, expires_after: None, selector: None, is_sole: false };
    (Source::Feed(Arc::new(feed)), vec![FED])
}

fn selector(urgency: u32) -> Arc<dyn Filter> {
    Arc::new(Selector::parse(&format!("u = {urgency}")).expect("a selector"))
}

impl World {
    fn new(shard: ShardId) -> World {
        let options = options(shard);
        let mut engine = Engine::new(options.clone());
        let clients = (0..3).map(|number| engine.open(format!("c{number}"))).collect();
        World {
            options,
            now: Now { monotonic: Duration::from_secs(1), wall: Timestamp(1) },
            engine,
            effects: Effects::default(),
            clients,
            log: Vec::new(),
            synced: 0,
            tickets: 0,
            places: 0,
            next_sub: 1,
            last: 0,
            model: Model::default(),
            durable_model: Model::default(),
        }
    }

    fn apply(&mut self, client: usize, request: Request) -> Result<Answer, Refusal> {
        let answer = self.engine.apply(self.now, self.clients[client], request, &mut self.effects);
        self.engine.dispatch(self.now, &mut self.effects);
        answer
    }

    /// Takes what came about: records into the log, deliveries past the model.
    fn absorb(&mut self) {
        self.tickets += u64::from(!self.effects.records.is_empty());
        for record in self.effects.records.drain(..) {
            let position = matches!(record, Record::Accepted(_)).then(|| {
                self.places += 1;
                Position::new(self.options.shard, self.places)
            });
            self.log.push((record, position));
        }
        for (session, event) in std::mem::take(&mut self.effects.events) {
            if let Event::Deliver(delivery) = event {
                let client = self.clients.iter().position(|&known| known == session).expect("a client that is there");
                self.model.delivered(client, &delivery);
            }
        }
        if self.read_heads() {
            return self.absorb();
        }
        self.model.check_nothing_kept_back();
    }

    /// What the driver does for selective consumers.
    fn read_heads(&mut self) -> bool {
        let unread = self.engine.next_unread(self.now, &mut self.effects);
        let Some(unread) = unread else { return !self.effects.is_empty() };
        let read = |wanted: Position| {
            self.log.iter().find_map(|(record, position)| match record {
                Record::Accepted(accepted) if *position == Some(wanted) => accepted.content.clone(),
                _ => None,
            })
        };
        let contents = unread.messages.into_iter().map(|(message, position)| (message, read(position))).collect();
        self.engine.heads_read(self.now, unread.destination, contents, &mut self.effects);
        true
    }

    fn message(&mut self, place: usize, urgency: u32, durable: bool) -> Publish {
        self.last += 1;
        let message = Message {
            content: Content::new(format!("u:{urgency}\n").as_bytes(), self.last.to_be_bytes().to_vec().into()),
            urgency: Urgency(urgency),
            durability: if durable { Durability::Persistent } else { Durability::Transient },
            terms: None,
        };
        if place >= QUEUES {
            self.model.publish(self.last, urgency);
        }
        Publish { to: name(PLACES[place]), message, key: None, retain: None }
    }

    /// Tells the model which ids the engine gave to what was just published, in this order.
    fn learn(&mut self, sends: &[(usize, u32, bool)]) {
        let known: Vec<_> = self.model.queues.values().flatten().map(|known| known.id).collect();
        let mut new: Vec<_> = Vec::new();
        for view in self.engine.queues() {
            let fresh = view.entries.iter().map(|entry| entry.message).filter(|id| !known.contains(id));
            new.extend(fresh.map(|id| (id, view.name.as_str().to_owned())));
        }
        new.sort_unstable();
        let queue_of =
            |place: usize| if place < QUEUES { Some(PLACES[place]) } else { self.model.is_bound.then_some(FED) };
        let sends: Vec<_> = sends.iter().filter_map(|(place, u, d)| Some((queue_of(*place)?, u, d))).collect();
        assert_eq!(new.len(), sends.len(), "as many messages as were sent");
        for ((id, queue), (expected, urgency, durable)) in new.into_iter().zip(sends) {
            assert_eq!((queue.as_str(), id.shard()), (expected, self.options.shard));
            self.model.accept(&queue, id, *urgency, *durable);
        }
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Publish { place, urgency, durable } => {
                let publish = self.message(place, urgency, durable);
                assert!(self.apply(0, Request::Publish(publish)).is_ok_and(|answer| answer.is_done()));
                self.learn(&[(place, urgency, durable)]);
            }
            Step::Repeat { queue, key, durable } => {
                let mut publish = self.message(queue, 1, durable);
                publish.key = Some(key.to_string().into());
                let now = self.now.wall;
                let seen = self.model.keys.get(&(queue, key)).filter(|(at, _)| now.0 - at.0 < Windows::MS);
                let is_new = seen.is_none();
                let answer = self.apply(0, Request::Publish(publish));
                assert!(answer.is_ok_and(|answer| answer.is_done() == is_new));
                if is_new {
                    self.model.keys.insert((queue, key), (now, durable));
                    self.learn(&[(queue, 1, durable)]);
                }
            }
            Step::Subscribe { client, source: number, mode, credit, wants } => {
                let id = self.next_sub;
                self.next_sub += 1;
                let (out, waiting) = (Vec::new(), VecDeque::new());
                let (to, from) = source(number);
                self.model.is_bound |= matches!(to, Source::Feed(_));
                self.model.subs.insert(id, Sub { client, from, mode, credit, wants, out, waiting });
                let credit = Credit { messages: credit, bytes: 1 << 20 };
                let filter = wants.map(selector);
                let wish = Subscribe { id: SubscriptionId(id), to, mode, credit, time_to_run_ms: None, filter };
                assert_eq!(self.apply(client, Request::Subscribe(wish)), Ok(Answer::Done));
            }
            Step::Unsubscribe { client, which } => {
                let Some(id) = self.model.sub_of(client, which) else { return };
                assert_eq!(self.apply(client, Request::Unsubscribe(SubscriptionId(id))), Ok(Answer::Done));
                self.model.end_sub(id, false);
            }
            Step::Settle { client, which, verdict } => self.settle(client, which, verdict),
            Step::Written { client, which } => {
                let Some(id) = self.model.sub_of(client, which) else { return };
                let Some(&Held { number: through, message, .. }) = self.model.subs[&id].out.first() else { return };
                let subscription = SubscriptionId(id);
                assert_eq!(self.apply(client, Request::Written { subscription, through }), Ok(Answer::Done));
                if self.model.subs[&id].mode == AckMode::Auto {
                    self.model.settle(id, message, Verdict::Ack);
                }
            }
            Step::Commit { client, sends, settles } => self.commit(client, sends, settles),
            Step::Quarantine { client, which } => {
                let Some((id, held)) = self.model.held_by(client, which) else { return };
                let request = Request::Quarantine { subscription: SubscriptionId(id), number: held.number };
                assert_eq!(self.apply(client, request), Ok(Answer::Done));
                self.model.quarantine(id, held.message);
            }
            Step::Sync => self.sync(),
            Step::Idle => {
                self.now.monotonic += Duration::from_secs(100);
                self.now.wall.0 += 100_000;
                self.engine.tick(self.now, &mut self.effects);
                self.engine.dispatch(self.now, &mut self.effects);
            }
            Step::Leave { client, departure } => {
                self.engine.close(self.now, self.clients[client], departure, &mut self.effects);
                self.engine.dispatch(self.now, &mut self.effects);
                for id in self.model.subs_of(client) {
                    self.model.end_sub(id, departure == Departure::Lost);
                }
                self.absorb();
                self.clients[client] = self.engine.open(format!("c{client}"));
            }
            Step::Crash => self.crash(),
        }
        self.absorb();
        self.compare();
    }

    fn settle(&mut self, client: usize, which: usize, verdict: Verdict) {
        let Some((id, held)) = self.model.held_by(client, which) else { return };
        assert_eq!(self.apply(client, Request::Settle(settle(id, held, verdict))), Ok(Answer::Done));
        self.model.settle(id, held.message, verdict);
    }

    /// Several sends and settlements, together.
    fn commit(&mut self, client: usize, sends: [(usize, bool); 3], settles: [(usize, Verdict); 2]) {
        let sends = sends.map(|(place, durable)| (place, 1, durable));
        let mut actions: Vec<_> =
            sends.iter().map(|send| Action::Publish(self.message(send.0, send.1, send.2))).collect();
        let mut settled = Vec::new();
        for (which, verdict) in settles {
            let Some((id, held)) = self.model.held_by(client, which) else { continue };
            actions.push(Action::Settle(settle(id, held, verdict)));
            settled.push((id, held.message, verdict));
        }
        let before = self.tickets;
        assert_eq!(self.apply(client, Request::Commit(actions)), Ok(Answer::Done));
        self.learn(&sends);
        for (id, message, verdict) in settled {
            self.model.settle(id, message, verdict);
        }
        self.absorb();
        assert!(self.tickets <= before + 1, "a transaction is one append at most");
    }

    fn sync(&mut self) {
        let positions: Vec<_> = self.log[self.synced..].iter().filter_map(|(_, position)| *position).collect();
        self.synced = self.log.len();
        // What is durable is what stands before the deliveries that it makes possible.
        self.model.make_visible();
        let durable = Durable { through: Ticket(self.tickets), positions: &positions };
        self.engine.persisted(self.now, durable, &mut self.effects);
        self.durable_model = self.model.clone();
    }

    /// The process is gone, and with it all that the log had not made durable.
    fn crash(&mut self) {
        self.log.truncate(self.synced);
        let mut engine = Engine::new(self.options.clone());
        for (record, position) in &self.log {
            let mut record = record.clone();
            if let Record::Accepted(accepted) = &mut record {
                accepted.content = None;
            }
            engine.record(record, *position);
        }
        assert_eq!(engine.replayed(false), 0);
        self.engine = engine;
        self.clients = (0..3).map(|number| self.engine.open(format!("c{number}"))).collect();
        self.model = self.durable_model.clone();
        self.model.subs.clear();
        self.model.keys.retain(|_, (_, durable)| *durable);
        for queue in self.model.queues.values_mut() {
            queue.retain(|known| known.durable && known.visible);
            for known in queue {
                known.holder = None;
                known.handed_out = true;
            }
        }
        self.durable_model = self.model.clone();
    }

    /// The queues hold the same messages in the same order, with the same counts.
    fn compare(&self) {
        let views = self.engine.queues();
        for view in &views {
            let seen: Vec<_> = view.entries.iter().map(|entry| (entry.message, entry.attempts)).collect();
            let mut expected = self.model.queues.get(view.name.as_str()).cloned().unwrap_or_default();
            expected.sort_by_key(|known| (!known.is_ready(), known.urgency, known.order));
            let expected: Vec<_> = expected.iter().map(|known| (known.id, known.attempts)).collect();
            assert_eq!(seen, expected, "{}", view.name);
        }
        let held: usize = views.iter().map(|view| view.entries.len()).sum();
        assert_eq!(held, self.model.queues.values().map(Vec::len).sum::<usize>(), "a queue is missing");
    }
}

fn settle(id: u32, held: Held, verdict: Verdict) -> Settle {
    let subscription = (!held.plain).then_some(SubscriptionId(id));
    Settle { message: held.message, subscription, outcome: verdict.outcome() }
}

impl Known {
    fn is_ready(&self) -> bool {
        self.visible && self.holder.is_none()
    }
}

impl Model {
    fn accept(&mut self, queue: &str, id: MessageId, urgency: u32, durable: bool) {
        self.order += 1;
        let list = self.queues.entry(queue.to_owned()).or_default();
        // Nobody overtakes what waits for the log.
        let visible = !durable && list.iter().all(|known| known.visible);
        let known =
            Known { id, urgency, order: self.order, attempts: 0, handed_out: false, durable, visible, holder: None };
        list.push(known);
    }

    fn make_visible(&mut self) {
        self.queues.values_mut().flatten().for_each(|known| known.visible = true);
    }

    /// A topic gets a message: every subscriber is to have it.
    fn publish(&mut self, number: u64, urgency: u32) {
        let wanting = self.subs.values_mut().filter(|sub| sub.is_of_topic() && sub.wants(urgency));
        wanting.for_each(|sub| sub.waiting.push_back(number));
    }

    fn delivered(&mut self, client: usize, delivery: &Delivery) {
        let (id, message) = (delivery.subscription.0, delivery.message);
        let others = self.subs.values().filter(|sub| sub.client == client && sub.mode != AckMode::Auto);
        let taken = others.flat_map(|sub| &sub.out).any(|held| held.message == message && held.plain);
        let sub = self.subs.get_mut(&id).expect("a subscription that is there");
        assert_eq!(sub.client, client);
        assert!(sub.is_hungry(), "no more than the credit");
        let plain = !delivery.held_twice;
        assert!(!(plain && taken) || sub.mode == AckMode::Auto, "tokens tell deliveries apart");
        sub.out.push(Held { number: delivery.number, message, plain });
        if sub.is_of_topic() {
            let Payload::Memory(content) = &delivery.payload else { panic!("a topic keeps nothing in the log") };
            let next = sub.waiting.pop_front().expect("a message that was sent after it came");
            assert_eq!(content.body(), next.to_be_bytes(), "in the order in which they were sent");
            return;
        }
        let holds = |name: &&&str| self.queues.get(**name).is_some_and(|q| q.iter().any(|known| known.id == message));
        let from = sub.from.iter().find(holds).expect("a message of a queue that it reads");
        let queue = self.queues.get_mut(*from).expect("a queue that is there");
        let ready = queue.iter_mut().filter(|known| known.is_ready() && sub.wants(known.urgency));
        let first = ready.min_by_key(|k| (k.urgency, k.order));
        let first = first.expect("a ready message");
        assert_eq!(first.id, message, "the first ready message");
        assert_eq!(first.handed_out, delivery.redelivered);
        assert_eq!(first.attempts + 1, delivery.attempt);
        first.handed_out = true;
        first.holder = Some(id);
    }

    fn check_nothing_kept_back(&self) {
        for (name, queue) in &self.queues {
            let readers = self.subs.values().filter(|sub| sub.from.contains(&name.as_str()));
            for sub in readers.filter(|sub| sub.is_hungry()) {
                let wanted = queue.iter().any(|known| known.is_ready() && sub.wants(known.urgency));
                assert!(!wanted, "{name} keeps a message back from somebody with credit");
            }
        }
        for sub in self.subs.values() {
            assert!(sub.waiting.is_empty() || !sub.is_hungry(), "the topic keeps a message back");
        }
    }

    fn subs_of(&self, client: usize) -> Vec<u32> {
        self.subs.iter().filter(|(_, sub)| sub.client == client).map(|(&id, _)| id).collect()
    }

    fn sub_of(&self, client: usize, which: usize) -> Option<u32> {
        let subs = self.subs_of(client);
        (!subs.is_empty()).then(|| subs[which % subs.len()])
    }

    /// A delivery that the client can acknowledge, and its subscription.
    fn held_by(&self, client: usize, which: usize) -> Option<(u32, Held)> {
        let subs = self.subs.iter().filter(|(_, sub)| sub.client == client && sub.mode != AckMode::Auto);
        let held: Vec<_> = subs.flat_map(|(&id, sub)| sub.out.iter().map(move |held| (id, *held))).collect();
        (!held.is_empty()).then(|| held[which % held.len()])
    }

    /// Nothing happens where an earlier part of the same transaction has covered it.
    fn settle(&mut self, id: u32, message: MessageId, verdict: Verdict) {
        let sub = self.subs.get_mut(&id).expect("a subscription that is there");
        let Some(index) = sub.out.iter().position(|held| held.message == message) else { return };
        let settled: Vec<_> = match sub.mode {
            AckMode::Client => sub.out.drain(..=index).collect(),
            AckMode::ClientIndividual | AckMode::Auto => vec![sub.out.remove(index)],
        };
        if sub.is_of_topic() {
            return;
        }
        for held in settled {
            self.finish(held.message, verdict);
        }
    }

    /// It stays where it is, out with nobody.
    fn quarantine(&mut self, id: u32, message: MessageId) {
        let sub = self.subs.get_mut(&id).expect("a subscription that is there");
        sub.out.retain(|held| held.message != message);
        if let Some(known) = self.queues.values_mut().flatten().find(|known| known.id == message) {
            known.holder = Some(NOBODY);
        }
    }

    fn finish(&mut self, message: MessageId, verdict: Verdict) {
        let place = |(name, list): (&String, &mut Vec<Known>)| {
            list.iter().position(|known| known.id == message).map(|at| (name.clone(), at))
        };
        let (queue, at) = self.queues.iter_mut().find_map(place).expect("a message that is there");
        let list = self.queues.get_mut(&queue).expect("a queue that is there");
        match verdict {
            Verdict::Ack => drop(list.remove(at)),
            Verdict::Release => list[at].holder = None,
            Verdict::Retry if list[at].attempts + 1 < MAX_DELIVERIES => {
                list[at].attempts += 1;
                list[at].holder = None;
            }
            Verdict::Retry | Verdict::DeadLetter => {
                let mut dead = list.remove(at);
                self.order += 1;
                (dead.order, dead.attempts, dead.holder) = (self.order, 0, None);
                let target = queue.replace("/queue/", "/queue/DLQ.");
                self.queues.entry(target).or_default().push(dead);
            }
        }
    }

    /// What the subscription holds goes back; of a lost connection the oldest one counts.
    fn end_sub(&mut self, id: u32, lost: bool) {
        let sub = self.subs.remove(&id).expect("a subscription that is there");
        if sub.is_of_topic() {
            return;
        }
        for (index, Held { message, .. }) in sub.out.iter().enumerate() {
            if lost && index == 0 && sub.mode != AckMode::Auto {
                self.finish(*message, Verdict::Retry);
            } else if let Some(known) = self.queues.values_mut().flatten().find(|known| known.id == *message) {
                known.holder = None;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_does_what_the_model_allows(
        shard in prop_oneof![Just(0u16), Just(7)],
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new(ShardId::new(shard).expect("a shard"));
        for step in steps {
            world.run(step);
        }
    }
}
