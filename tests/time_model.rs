//! Time against a naive model: delays, back-off, expiry and leases of random clients, any interleaving, crashes.
//!
//! The model keeps each queue as a plain list. It does not foretell who gets a message; it checks that every delivery
//! was allowed (the first ready message, to somebody with credit, with the right marks), and that nothing that could be
//! handed out was kept back.

use std::collections::BTreeMap;
use std::time::Duration;

use kolejka::destination::{Policies, Policy};
use kolejka::engine::{Departure, Engine, Options};
use kolejka::model::{
    AckMode, Action, Answer, Backoff, Content, Credit, Delivery, DestinationName, Durability, Durable, Effects, Event,
    Message, MessageId, Now, Outcome, Position, Publish, Record, Refusal, Replay, Request, SessionId, Settle, ShardId,
    SoftRefusal, Standing, Subscribe, SubscriptionId, Terms, Ticket, Timestamp, Urgency,
};
use proptest::prelude::*;

const QUEUES: [&str; 2] = ["/queue/a", "/queue/b"];
const MAX_DELIVERIES: u16 = 3;
/// How long a message waits after a NACK, in milliseconds.
const BACKOFF_MS: u64 = 20;

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish {
        queue: usize,
        what: What,
    },
    Subscribe {
        client: usize,
        queue: usize,
        mode: AckMode,
        credit: u32,
        /// In milliseconds, 0 for none.
        time_to_run: u64,
    },
    Unsubscribe {
        client: usize,
        which: usize,
    },
    Settle {
        client: usize,
        which: usize,
        verdict: Verdict,
    },
    Written {
        client: usize,
        which: usize,
    },
    Commit {
        client: usize,
        queue: usize,
        which: usize,
    },
    /// So many milliseconds pass.
    Wait(u64),
    Sync,
    Leave {
        client: usize,
        departure: Departure,
    },
    Crash,
}

/// A message that is sent. Delay and life are in milliseconds, 0 for none.
#[derive(Clone, Copy, Debug)]
struct What {
    urgency: u32,
    durable: bool,
    delay: u64,
    life: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ack,
    Retry,
    RetryAtOnce,
    Lost,
    Bury,
    DeadLetter,
}

fn step() -> impl Strategy<Value = Step> {
    let (client, queue, which) = (0..3usize, 0..QUEUES.len(), 0..8usize);
    let mode = prop_oneof![Just(AckMode::Auto), Just(AckMode::Client), Just(AckMode::ClientIndividual)];
    let verdict = prop_oneof![
        4 => Just(Verdict::Ack),
        2 => Just(Verdict::Retry),
        1 => Just(Verdict::RetryAtOnce),
        1 => Just(Verdict::Bury),
        1 => Just(Verdict::DeadLetter)
    ];
    let time_to_run = prop_oneof![1 => Just(0), 1 => 1..30u64];
    let delay = prop_oneof![2 => Just(0), 1 => 1..40u64];
    let life = prop_oneof![3 => Just(0), 1 => 1..60u64];
    let what = (0..3u32, any::<bool>(), delay, life).prop_map(|(urgency, durable, delay, life)| What {
        urgency,
        durable,
        delay,
        life,
    });
    let departure = prop_oneof![Just(Departure::Clean), Just(Departure::Lost)];
    prop_oneof![
        6 => (queue.clone(), what).prop_map(|(queue, what)| Step::Publish { queue, what }),
        4 => (1..30u64).prop_map(Step::Wait),
        3 => (client.clone(), queue.clone(), mode, 1..4u32, time_to_run).prop_map(
            |(client, queue, mode, credit, time_to_run)| Step::Subscribe { client, queue, mode, credit, time_to_run }
        ),
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
    /// How it stands if it is not.
    standing: Standing,
    expires: Option<Timestamp>,
}

/// A subscription as the model sees it; numbers are never used twice in a run.
#[derive(Clone, Debug)]
struct Sub {
    client: usize,
    queue: String,
    mode: AckMode,
    credit: u32,
    time_to_run: u64,
    /// Unsettled deliveries, oldest first.
    out: Vec<Out>,
}

#[derive(Clone, Copy, Debug)]
struct Out {
    number: u64,
    message: MessageId,
    /// When its lease ends.
    end: Option<Timestamp>,
    /// It has ended.
    lost: bool,
}

#[derive(Clone, Debug, Default)]
struct Model {
    queues: BTreeMap<String, Vec<Known>>,
    subs: BTreeMap<u32, Sub>,
    order: u64,
}

struct World {
    engine: Engine,
    now: Now,
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

const START: Now = Now { monotonic: Duration::from_secs(1), wall: Timestamp(1) };

fn options() -> Options {
    let backoff = Backoff::Fixed { ms: BACKOFF_MS };
    let default = Policy { max_deliveries: MAX_DELIVERIES, backoff, ..Policy::default() };
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
            now: START,
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
                Position::new(ShardId::default(), self.places)
            });
            self.log.push((record, position));
        }
        for (session, event) in std::mem::take(&mut self.effects.events) {
            if let Event::Deliver(delivery) = event {
                let client = self.clients.iter().position(|&known| known == session).expect("a client that is there");
                self.model.delivered(client, &delivery, self.now.wall);
            }
        }
        self.model.check_nothing_kept_back();
    }

    fn message(&self, queue: usize, what: What) -> Publish {
        let after = |ms: u64| (ms > 0).then_some(Timestamp(self.now.wall.0 + ms));
        let terms = Terms { due: after(what.delay), expires: after(what.life), ..Terms::default() };
        let message = Message {
            content: Content::small(b"body", 0),
            urgency: Urgency(what.urgency),
            durability: if what.durable { Durability::Persistent } else { Durability::Transient },
            terms: (!terms.is_empty()).then(|| Box::new(terms)),
        };
        Publish { to: name(QUEUES[queue]), message, key: None, retain: None }
    }

    /// Tells the model which ids the engine gave to what was just published.
    fn learn(&mut self, queue: usize, what: What) {
        let known: Vec<_> = self.model.queues.values().flatten().map(|known| known.id).collect();
        let views = self.engine.queues();
        let view = views.iter().find(|view| view.name.as_str() == QUEUES[queue]).expect("the queue is there");
        let new: Vec<_> = view.entries.iter().filter(|entry| !known.contains(&entry.message)).collect();
        assert_eq!(new.len(), 1, "one message came");
        let message = new[0].message;
        self.model.accept(QUEUES[queue], message, what, self.now.wall);
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Publish { queue, what } => {
                let publish = self.message(queue, what);
                assert!(self.apply(0, Request::Publish(publish)).is_ok_and(|answer| answer.is_done()));
                self.learn(queue, what);
            }
            Step::Wait(ms) => {
                self.now.monotonic += Duration::from_millis(ms);
                self.now.wall.0 += ms;
                self.tick();
            }
            Step::Subscribe { client, queue, mode, credit, time_to_run } => {
                let id = self.next_sub;
                self.next_sub += 1;
                let sub = Sub { client, queue: QUEUES[queue].into(), mode, credit, time_to_run, out: Vec::new() };
                self.model.subs.insert(id, sub);
                let credit = Credit { messages: credit, bytes: 1 << 20 };
                let time_to_run_ms = (time_to_run > 0).then_some(time_to_run as u32);
                let wish = Subscribe {
                    id: SubscriptionId(id),
                    to: name(QUEUES[queue]).into(),
                    mode,
                    credit,
                    time_to_run_ms,
                    filter: None,
                };
                assert_eq!(self.apply(client, Request::Subscribe(wish)), Ok(Answer::Done));
            }
            Step::Unsubscribe { client, which } => {
                let Some(id) = self.model.sub_of(client, which) else { return };
                assert_eq!(self.apply(client, Request::Unsubscribe(SubscriptionId(id))), Ok(Answer::Done));
                self.model.end_sub(id, false, self.now.wall);
            }
            Step::Settle { client, which, verdict } => self.settle(client, which, verdict),
            Step::Written { client, which } => {
                let Some(id) = self.model.sub_of(client, which) else { return };
                let Some(&Out { number: through, .. }) = self.model.subs[&id].out.first() else { return };
                let subscription = SubscriptionId(id);
                assert_eq!(self.apply(client, Request::Written { subscription, through }), Ok(Answer::Done));
                if self.model.subs[&id].mode == AckMode::Auto {
                    self.model.settle(id, 0, Verdict::Ack, self.now.wall);
                }
            }
            Step::Commit { client, queue, which } => self.commit(client, queue, which),
            Step::Sync => self.sync(),
            Step::Leave { client, departure } => {
                self.engine.close(self.now, self.clients[client], departure, &mut self.effects);
                self.engine.dispatch(self.now, &mut self.effects);
                for id in self.model.subs_of(client) {
                    self.model.end_sub(id, departure == Departure::Lost, self.now.wall);
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
        let Out { message, lost, .. } = self.model.subs[&id].out[index];
        let outcome = match verdict {
            Verdict::Ack => Outcome::Ack,
            Verdict::Retry | Verdict::Lost => Outcome::Retry { reason: None, delay_ms: None },
            Verdict::RetryAtOnce => Outcome::Retry { reason: None, delay_ms: Some(0) },
            Verdict::Bury => Outcome::Bury,
            Verdict::DeadLetter => Outcome::DeadLetter { reason: None },
        };
        let request = Request::Settle(Settle { message, subscription: Some(SubscriptionId(id)), outcome });
        let answer = if lost { Answer::Soft(SoftRefusal::LeaseLost) } else { Answer::Done };
        assert_eq!(self.apply(client, request), Ok(answer));
        self.model.settle(id, index, verdict, self.now.wall);
    }

    /// One send and one acknowledgement, together.
    fn commit(&mut self, client: usize, queue: usize, which: usize) {
        let what = What { urgency: 1, durable: true, delay: 0, life: 0 };
        let publish = self.message(queue, what);
        let mut actions = vec![Action::Publish(publish)];
        let held = self.model.held_by(client, which);
        if let Some((id, index)) = held {
            let Out { message, lost, .. } = self.model.subs[&id].out[index];
            let subscription = Some(SubscriptionId(id));
            actions.push(Action::Settle(Settle { message, subscription, outcome: Outcome::Ack }));
            if lost {
                assert_eq!(self.apply(client, Request::Commit(actions)), Err(Refusal::LeaseLost), "all or nothing");
                return;
            }
        }
        let before = self.tickets;
        assert_eq!(self.apply(client, Request::Commit(actions)), Ok(Answer::Done));
        self.learn(queue, what);
        if let Some((id, index)) = held {
            self.model.settle(id, index, Verdict::Ack, self.now.wall);
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
        self.durable_model = self.model.clone();
        self.model.expire(self.now.wall);
        self.engine.persisted(self.now, durable, &mut self.effects);
    }

    /// Timers fire.
    fn tick(&mut self) {
        self.engine.tick(self.now, &mut self.effects);
        self.model.lapse(self.now.wall);
        self.model.expire(self.now.wall);
        self.model.wake(self.now.wall);
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
        self.tick();
    }

    /// The queues hold the same messages in the same order, with the same counts.
    fn compare(&self) {
        for view in self.engine.queues() {
            let standing = view.standing.iter().map(|(standing, _)| *standing);
            let seen: Vec<_> = view.entries.iter().zip(standing).map(|(e, s)| (e.message, e.attempts, s)).collect();
            let mut expected = self.model.queues.get(view.name.as_str()).cloned().unwrap_or_default();
            expected.sort_by_key(|known| (!known.is_ready(), known.urgency, known.order));
            let expected: Vec<_> = expected.iter().map(|known| (known.id, known.attempts, known.stands())).collect();
            assert_eq!(seen, expected, "{}", view.name);
        }
    }
}

impl Known {
    fn is_ready(&self) -> bool {
        self.is_idle() && self.standing == Standing::Ready
    }

    /// Nobody holds it, and the log has it.
    fn is_idle(&self) -> bool {
        self.visible && self.holder.is_none()
    }

    fn stands(&self) -> Standing {
        if self.is_idle() { self.standing } else { Standing::Ready }
    }
}

impl Model {
    fn accept(&mut self, queue: &str, id: MessageId, what: What, now: Timestamp) {
        let after = |ms: u64| Timestamp(now.0 + ms);
        self.order += 1;
        let list = self.queues.entry(queue.to_owned()).or_default();
        // Nobody overtakes what waits for the log.
        let visible = !what.durable && list.iter().all(|known| known.visible);
        let known = Known {
            id,
            urgency: what.urgency,
            order: self.order,
            attempts: 0,
            handed_out: false,
            durable: what.durable,
            visible,
            holder: None,
            standing: if what.delay > 0 { Standing::Delayed(after(what.delay)) } else { Standing::Ready },
            expires: (what.life > 0).then(|| after(what.life)),
        };
        list.push(known);
    }

    fn make_visible(&mut self) {
        self.queues.values_mut().flatten().for_each(|known| known.visible = true);
    }

    /// What is over, and nobody holds, is gone.
    fn expire(&mut self, now: Timestamp) {
        for queue in self.queues.values_mut() {
            queue.retain(|known| !(known.is_idle() && known.expires.is_some_and(|end| end <= now)));
        }
    }

    /// What waited for this moment is ready.
    fn wake(&mut self, now: Timestamp) {
        for known in self.queues.values_mut().flatten().filter(|known| known.is_idle()) {
            if matches!(known.standing, Standing::Delayed(due) if due <= now) {
                known.standing = Standing::Ready;
            }
        }
    }

    /// What has been out for too long counts and comes back; its holder keeps the place in its window.
    fn lapse(&mut self, now: Timestamp) {
        let mut late: Vec<_> = Vec::new();
        for (&id, sub) in &mut self.subs {
            for out in sub.out.iter_mut().filter(|out| !out.lost && out.end.is_some_and(|end| end <= now)) {
                out.lost = true;
                late.push((out.end, out.message, id));
            }
        }
        late.sort_unstable();
        for (_, message, id) in late {
            let queue = self.subs[&id].queue.clone();
            self.finish(&queue, message, Verdict::Lost, now);
        }
    }

    fn delivered(&mut self, client: usize, delivery: &Delivery, now: Timestamp) {
        let sub = self.subs.get_mut(&delivery.subscription.0).expect("a subscription that is there");
        assert_eq!(sub.client, client);
        assert!(sub.out.len() < sub.credit as usize, "no more than the credit");
        let end = (sub.time_to_run > 0 && sub.mode != AckMode::Auto).then(|| Timestamp(now.0 + sub.time_to_run));
        sub.out.push(Out { number: delivery.number, message: delivery.message, end, lost: false });
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
        let (id, index) = *held.get(which.checked_rem(held.len())?)?;
        // Of several deliveries of one message the client means the one it holds, else the oldest that it lost.
        let out = &self.subs[&id].out;
        let same = |other: &Out| other.message == out[index].message;
        let meant = out.iter().position(|other| same(other) && !other.lost).or(out.iter().position(same));
        meant.map(|index| (id, index))
    }

    fn settle(&mut self, id: u32, index: usize, verdict: Verdict, now: Timestamp) {
        let sub = self.subs.get_mut(&id).expect("a subscription that is there");
        let queue = sub.queue.clone();
        let settled: Vec<_> = match sub.mode {
            AckMode::Client => sub.out.drain(..=index).collect(),
            AckMode::ClientIndividual | AckMode::Auto => vec![sub.out.remove(index)],
        };
        for out in settled.iter().filter(|out| !out.lost) {
            self.finish(&queue, out.message, verdict, now);
        }
        self.expire(now);
    }

    fn finish(&mut self, queue: &str, message: MessageId, verdict: Verdict, now: Timestamp) {
        let list = self.queues.get_mut(queue).expect("a queue that is there");
        let at = list.iter().position(|known| known.id == message).expect("a message that is there");
        match verdict {
            Verdict::Ack => drop(list.remove(at)),
            Verdict::Bury => {
                list[at].attempts += 1;
                list[at].holder = None;
                list[at].standing = Standing::Buried(now);
            }
            Verdict::Retry | Verdict::RetryAtOnce | Verdict::Lost if list[at].attempts + 1 < MAX_DELIVERIES => {
                list[at].attempts += 1;
                list[at].holder = None;
                if verdict == Verdict::Retry {
                    list[at].standing = Standing::Delayed(Timestamp(now.0 + BACKOFF_MS));
                }
            }
            Verdict::Retry | Verdict::RetryAtOnce | Verdict::Lost | Verdict::DeadLetter => {
                let mut dead = list.remove(at);
                self.order += 1;
                (dead.order, dead.attempts, dead.holder) = (self.order, 0, None);
                dead.expires = None;
                let target = queue.replace("/queue/", "/queue/DLQ.");
                self.queues.entry(target).or_default().push(dead);
            }
        }
    }

    /// What the subscription holds goes back; of a lost connection the oldest one counts.
    fn end_sub(&mut self, id: u32, lost: bool, now: Timestamp) {
        let sub = self.subs.remove(&id).expect("a subscription that is there");
        for (index, Out { message, .. }) in sub.out.iter().filter(|out| !out.lost).enumerate() {
            if lost && index == 0 && sub.mode != AckMode::Auto {
                self.finish(&sub.queue, *message, Verdict::Lost, now);
            } else if let Some(known) =
                self.queues.get_mut(&sub.queue).and_then(|q| q.iter_mut().find(|k| k.id == *message))
            {
                known.holder = None;
            }
        }
        self.expire(now);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn time_does_what_the_model_allows(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in steps {
            world.run(step);
        }
    }
}
