//! The engine against a naive model: random clients, any interleaving, crashes (TESTING.md, T2).
//!
//! The model keeps each queue as a plain list. It does not foretell who gets a message; it checks that every delivery
//! was allowed (the first ready message, to somebody with credit, with the right marks), and that nothing that could be
//! handed out was kept back.

use std::collections::BTreeMap;
use std::time::Duration;

use kolejka::destination::{Policies, Policy};
use kolejka::engine::{Departure, Engine, Options};
use kolejka::model::{
    AckMode, Action, Answer, Content, Credit, Delivery, DestinationName, Durability, Durable, Effects, Event, Message,
    MessageId, Now, Outcome, Position, Publish, Record, Refusal, Replay, Request, SessionId, Settle, ShardId,
    Subscribe, SubscriptionId, Ticket, Timestamp, Urgency,
};
use proptest::prelude::*;

const QUEUES: [&str; 2] = ["/queue/a", "/queue/b"];
const MAX_DELIVERIES: u16 = 3;

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish { queue: usize, urgency: u32, durable: bool },
    Subscribe { client: usize, queue: usize, mode: AckMode, credit: u32 },
    Unsubscribe { client: usize, which: usize },
    Settle { client: usize, which: usize, verdict: Verdict },
    Written { client: usize, which: usize },
    Commit { client: usize, queue: usize, which: usize },
    Sync,
    Leave { client: usize, departure: Departure },
    Crash,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ack,
    Retry,
    DeadLetter,
}

fn step() -> impl Strategy<Value = Step> {
    let (client, queue, which) = (0..3usize, 0..QUEUES.len(), 0..8usize);
    let mode = prop_oneof![Just(AckMode::Auto), Just(AckMode::Client), Just(AckMode::ClientIndividual)];
    let verdict = prop_oneof![4 => Just(Verdict::Ack), 2 => Just(Verdict::Retry), 1 => Just(Verdict::DeadLetter)];
    let departure = prop_oneof![Just(Departure::Clean), Just(Departure::Lost)];
    prop_oneof![
        6 => (queue.clone(), 0..3u32, any::<bool>())
            .prop_map(|(queue, urgency, durable)| Step::Publish { queue, urgency, durable }),
        3 => (client.clone(), queue.clone(), mode, 1..4u32)
            .prop_map(|(client, queue, mode, credit)| Step::Subscribe { client, queue, mode, credit }),
        1 => (client.clone(), which.clone()).prop_map(|(client, which)| Step::Unsubscribe { client, which }),
        6 => (client.clone(), which.clone(), verdict)
            .prop_map(|(client, which, verdict)| Step::Settle { client, which, verdict }),
        2 => (client.clone(), which.clone()).prop_map(|(client, which)| Step::Written { client, which }),
        2 => (client.clone(), queue, which)
            .prop_map(|(client, queue, which)| Step::Commit { client, queue, which }),
        4 => Just(Step::Sync),
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
    queue: String,
    mode: AckMode,
    credit: u32,
    /// Unsettled deliveries, oldest first.
    out: Vec<(u64, MessageId)>,
}

#[derive(Clone, Debug, Default)]
struct Model {
    queues: BTreeMap<String, Vec<Known>>,
    subs: BTreeMap<u32, Sub>,
    order: u64,
}

struct World {
    engine: Engine,
    effects: Effects,
    clients: Vec<SessionId>,
    log: Vec<(Record, Option<Position>)>,
    synced: usize,
    tickets: u64,
    places: u64,
    next_sub: u32,
    model: Model,
    /// What a crash falls back to.
    durable_model: Model,
}

const NOW: Now = Now { monotonic: Duration::from_secs(1), wall: Timestamp(1) };

fn options() -> Options {
    let default = Policy { max_deliveries: MAX_DELIVERIES, ..Policy::default() };
    Options { policies: Policies { default, rules: Vec::new() }, ..Options::default() }
}

fn name(text: &str) -> DestinationName {
    DestinationName::parse(text, "x").expect("a name")
}

impl World {
    fn new() -> World {
        let mut engine = Engine::new(options());
        let clients = (0..3).map(|number| engine.open(format!("c{number}"))).collect();
        World {
            engine,
            effects: Effects::default(),
            clients,
            log: Vec::new(),
            synced: 0,
            tickets: 0,
            places: 0,
            next_sub: 1,
            model: Model::default(),
            durable_model: Model::default(),
        }
    }

    fn apply(&mut self, client: usize, request: Request) -> Result<Answer, Refusal> {
        let answer = self.engine.apply(NOW, self.clients[client], request, &mut self.effects);
        self.engine.dispatch(NOW, &mut self.effects);
        answer
    }

    /// Takes what came about: records into the log, deliveries past the model.
    fn absorb(&mut self) {
        self.tickets += u64::from(!self.effects.records.is_empty());
        for record in self.effects.records.drain(..) {
            let position = matches!(record, Record::Accepted(_)).then(|| {
                self.places += 1;
                Position::new(ShardId::default(), self.places)
            });
            self.log.push((record, position));
        }
        for (session, event) in std::mem::take(&mut self.effects.events) {
            if let Event::Deliver(delivery) = event {
                let client = self.clients.iter().position(|&known| known == session).expect("a client that is there");
                self.model.delivered(client, &delivery);
            }
        }
        self.model.check_nothing_kept_back();
    }

    fn message(queue: usize, urgency: u32, durable: bool) -> Publish {
        let message = Message {
            content: Content::small(b"body", 0),
            urgency: Urgency(urgency),
            durability: if durable { Durability::Persistent } else { Durability::Transient },
        };
        Publish { to: name(QUEUES[queue]), message }
    }

    /// Tells the model which ids the engine gave to what was just published.
    fn learn(&mut self, queue: usize, urgency: u32, durable: bool) {
        let known: Vec<_> = self.model.queues.values().flatten().map(|known| known.id).collect();
        let views = self.engine.queues();
        let view = views.iter().find(|view| view.name.as_str() == QUEUES[queue]).expect("the queue is there");
        let new: Vec<_> = view.entries.iter().filter(|entry| !known.contains(&entry.message)).collect();
        assert_eq!(new.len(), 1, "one message came");
        self.model.accept(QUEUES[queue], new[0].message, urgency, durable);
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Publish { queue, urgency, durable } => {
                let publish = World::message(queue, urgency, durable);
                assert_eq!(self.apply(0, Request::Publish(publish)), Ok(Answer::Done));
                self.learn(queue, urgency, durable);
            }
            Step::Subscribe { client, queue, mode, credit } => {
                let id = self.next_sub;
                self.next_sub += 1;
                let sub = Sub { client, queue: QUEUES[queue].into(), mode, credit, out: Vec::new() };
                self.model.subs.insert(id, sub);
                let credit = Credit { messages: credit, bytes: 1 << 20 };
                let wish = Subscribe { id: SubscriptionId(id), to: name(QUEUES[queue]), mode, credit };
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
                let Some(&(through, _)) = self.model.subs[&id].out.first() else { return };
                let subscription = SubscriptionId(id);
                assert_eq!(self.apply(client, Request::Written { subscription, through }), Ok(Answer::Done));
                if self.model.subs[&id].mode == AckMode::Auto {
                    self.model.settle(id, 0, Verdict::Ack);
                }
            }
            Step::Commit { client, queue, which } => self.commit(client, queue, which),
            Step::Sync => self.sync(),
            Step::Leave { client, departure } => {
                self.engine.close(NOW, self.clients[client], departure, &mut self.effects);
                self.engine.dispatch(NOW, &mut self.effects);
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
        let Some((id, index)) = self.model.held_by(client, which) else { return };
        let message = self.model.subs[&id].out[index].1;
        let outcome = match verdict {
            Verdict::Ack => Outcome::Ack,
            Verdict::Retry => Outcome::Retry { reason: None },
            Verdict::DeadLetter => Outcome::DeadLetter { reason: None },
        };
        let request = Request::Settle(Settle { message, subscription: None, outcome });
        assert_eq!(self.apply(client, request), Ok(Answer::Done));
        self.model.settle(id, index, verdict);
    }

    /// One send and one acknowledgement, together.
    fn commit(&mut self, client: usize, queue: usize, which: usize) {
        let publish = World::message(queue, 1, true);
        let mut actions = vec![Action::Publish(publish)];
        let held = self.model.held_by(client, which);
        if let Some((id, index)) = held {
            let message = self.model.subs[&id].out[index].1;
            actions.push(Action::Settle(Settle { message, subscription: None, outcome: Outcome::Ack }));
        }
        let before = self.tickets;
        assert_eq!(self.apply(client, Request::Commit(actions)), Ok(Answer::Done));
        self.learn(queue, 1, true);
        if let Some((id, index)) = held {
            self.model.settle(id, index, Verdict::Ack);
        }
        self.absorb();
        assert_eq!(self.tickets, before + 1, "a transaction is one append");
    }

    fn sync(&mut self) {
        let positions: Vec<_> = self.log[self.synced..].iter().filter_map(|(_, position)| *position).collect();
        self.synced = self.log.len();
        // What is durable is what stands before the deliveries that it makes possible.
        self.model.make_visible();
        let durable = Durable { through: Ticket(self.tickets), positions: &positions };
        self.engine.persisted(NOW, durable, &mut self.effects);
        self.durable_model = self.model.clone();
    }

    /// The process is gone, and with it all that the log had not made durable.
    fn crash(&mut self) {
        self.log.truncate(self.synced);
        let mut engine = Engine::new(options());
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
        for view in self.engine.queues() {
            let seen: Vec<_> = view.entries.iter().map(|entry| (entry.message, entry.attempts)).collect();
            let mut expected = self.model.queues.get(view.name.as_str()).cloned().unwrap_or_default();
            expected.sort_by_key(|known| (!known.is_ready(), known.urgency, known.order));
            let expected: Vec<_> = expected.iter().map(|known| (known.id, known.attempts)).collect();
            assert_eq!(seen, expected, "{}", view.name);
        }
    }
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

    fn delivered(&mut self, client: usize, delivery: &Delivery) {
        let sub = self.subs.get_mut(&delivery.subscription.0).expect("a subscription that is there");
        assert_eq!(sub.client, client);
        assert!(sub.out.len() < sub.credit as usize, "no more than the credit");
        sub.out.push((delivery.number, delivery.message));
        let queue = self.queues.get_mut(&sub.queue).expect("a queue that is there");
        let first = queue.iter_mut().filter(|known| known.is_ready()).min_by_key(|k| (k.urgency, k.order));
        let first = first.expect("a ready message");
        assert_eq!(first.id, delivery.message, "the first ready message");
        assert_eq!(first.handed_out, delivery.redelivered);
        assert_eq!(first.attempts + 1, delivery.attempt);
        first.handed_out = true;
        first.holder = Some(delivery.subscription.0);
    }

    fn check_nothing_kept_back(&self) {
        for (name, queue) in &self.queues {
            let ready = queue.iter().any(Known::is_ready);
            let hungry = self.subs.values().any(|sub| sub.queue == *name && sub.out.len() < sub.credit as usize);
            assert!(!(ready && hungry), "{name} keeps a message back from somebody with credit");
        }
    }

    fn subs_of(&self, client: usize) -> Vec<u32> {
        self.subs.iter().filter(|(_, sub)| sub.client == client).map(|(&id, _)| id).collect()
    }

    fn sub_of(&self, client: usize, which: usize) -> Option<u32> {
        let subs = self.subs_of(client);
        (!subs.is_empty()).then(|| subs[which % subs.len()])
    }

    /// A delivery that the client can acknowledge: its subscription and its index there.
    fn held_by(&self, client: usize, which: usize) -> Option<(u32, usize)> {
        let held: Vec<_> = self
            .subs
            .iter()
            .filter(|(_, sub)| sub.client == client && sub.mode != AckMode::Auto)
            .flat_map(|(&id, sub)| (0..sub.out.len()).map(move |index| (id, index)))
            .collect();
        (!held.is_empty()).then(|| held[which % held.len()])
    }

    fn settle(&mut self, id: u32, index: usize, verdict: Verdict) {
        let sub = self.subs.get_mut(&id).expect("a subscription that is there");
        let queue = sub.queue.clone();
        let settled: Vec<_> = match sub.mode {
            AckMode::Client => sub.out.drain(..=index).collect(),
            AckMode::ClientIndividual | AckMode::Auto => vec![sub.out.remove(index)],
        };
        for (_, message) in settled {
            self.finish(&queue, message, verdict);
        }
    }

    fn finish(&mut self, queue: &str, message: MessageId, verdict: Verdict) {
        let list = self.queues.get_mut(queue).expect("a queue that is there");
        let at = list.iter().position(|known| known.id == message).expect("a message that is there");
        match verdict {
            Verdict::Ack => drop(list.remove(at)),
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
        for (index, (_, message)) in sub.out.iter().enumerate() {
            if lost && index == 0 && sub.mode != AckMode::Auto {
                self.finish(&sub.queue, *message, Verdict::Retry);
            } else if let Some(known) =
                self.queues.get_mut(&sub.queue).and_then(|q| q.iter_mut().find(|k| k.id == *message))
            {
                known.holder = None;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_does_what_the_model_allows(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in steps {
            world.run(step);
        }
    }
}
