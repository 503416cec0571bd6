//! Each kind of record, brought about and replayed: from a list of all records, and from the journal. The process that was
//! told has to be the one that wrote, now and at every later moment.
//!
//! The kinds stand in one list. A record of a new kind does not compile before it stands there, and a kind that stands
//! there does not compile before something brings it about.

use std::sync::Arc;
use std::time::Duration;

use kolejka::engine::{Departure, Engine, Options};
use kolejka::model::{
    AckMode, Answer, Content, Credit, Delivery, Durability, Durable, Effects, Event, Feed, JobToken, Limits, Manage,
    Message, MessageId, Now, OnDuplicate, Operation, Outcome, Pattern, Publish, Record, Request, Schedule, SessionId,
    Settle, Shape, ShardId, Side, Source, Status, Subscribe, SubscriptionId, Terms, Ticket, Timestamp, Tracking,
    Unique, Until, Urgency, Waiter, Which,
};

use super::disk::OnDisk;
use super::log::{Plain, Store};
use super::setting::{SHARED_FEED, TOPICS, compile, condition, name};

macro_rules! kinds {
    ($($kind:ident),*) => {
        /// Kinds of records.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Kind { $($kind),* }

        impl Kind {
            const ALL: &[Kind] = &[$(Kind::$kind),*];

            fn of(record: &Record) -> Kind {
                match record { $(Record::$kind { .. } => Kind::$kind),* }
            }
        }
    };
}

kinds!(
    Created, Deleted, Accepted, Settled, Returned, Ranked, Woken, Scheduled, Moved, Bound, Unbound, Keyed, Paused,
    Limited, IdBlock, Suspected, Tracked, Reported, Attached, Forgotten
);

impl Kind {
    /// Has the engine write a record of this kind.
    fn bring_about(self, stage: &mut Stage) {
        match self {
            Kind::Created | Kind::Accepted | Kind::IdBlock => {}
            Kind::Deleted => {
                stage.send("/queue/b", Terms::default());
                stage.settle("/queue/b", Outcome::Ack);
                stage.wait(100_000);
            }
            Kind::Settled => stage.settle("/queue/a", Outcome::Ack),
            Kind::Returned => stage.settle("/queue/a", Outcome::Retry { reason: None, delay_ms: Some(500) }),
            Kind::Ranked => {
                let outcome = Box::new(Outcome::Release);
                stage.settle("/queue/a", Outcome::Ranked { urgency: Urgency(7), outcome });
            }
            Kind::Woken => {
                stage.send("/queue/b", Terms { due: Some(Timestamp(stage.now.wall.0 + 10)), ..Terms::default() });
                stage.wait(10);
            }
            Kind::Scheduled => {
                stage.schedule("/queue/b");
                stage.wait(10);
            }
            Kind::Moved => stage.settle("/queue/a", Outcome::DeadLetter { reason: Some("no".into()) }),
            Kind::Bound => stage.bind(),
            Kind::Unbound => {
                stage.bind();
                stage.ask(Request::Unsubscribe(SubscriptionId(2)));
                stage.ask(Request::Discard(name(SHARED_FEED)));
            }
            Kind::Keyed => stage.send_keyed("/queue/b", "k"),
            Kind::Paused => {
                let operation = Operation::Pause { side: Side::Both, for_ms: Some(700) };
                let queue = name("/queue/a");
                let manage = Manage { operation, queue, filter: None, writer: None, reply: None };
                stage.ask(Request::Manage(Box::new(manage)));
            }
            Kind::Limited => {
                let limits = Limits { max_length: Some(7), idle_ms: Some(90_000), ..Limits::default() };
                let queue = Some(name("/queue/limited"));
                stage.ask(Request::Shape(Box::new(Shape { queue, limits, more: false, may_create: true })));
            }
            Kind::Suspected => stage.revive(false),
            Kind::Tracked => stage.submit("/queue/b", 7, 500),
            Kind::Reported => {
                stage.submit("/queue/b", 7, 500);
                let reason = Some("no".into());
                stage.settle("/queue/b", Outcome::Retry { reason, delay_ms: Some(500) });
            }
            Kind::Attached => {
                stage.submit("/queue/b", 7, 100_000);
                stage.submit("/queue/b", 8, 100_000);
            }
            Kind::Forgotten => {
                stage.submit("/queue/c", 7, 50);
                stage.submit("/queue/b", 8, 100_000);
                stage.settle("/queue/c", Outcome::Ack);
                stage.wait(50);
            }
        }
    }
}

/// An engine, and a store that has everything at once.
struct Stage {
    engine: Engine,
    now: Now,
    effects: Effects,
    client: SessionId,
    store: Box<dyn Store>,
    tickets: u64,
    written: Vec<Kind>,
    told: Vec<Delivery>,
    sent: u8,
}

impl Stage {
    fn new(store: Box<dyn Store>) -> Stage {
        let mut engine = Engine::new(options());
        let client = engine.open("c".to_owned());
        let mut stage = Stage {
            engine,
            now: Now { monotonic: Duration::from_secs(1), wall: Timestamp(1_000) },
            effects: Effects::default(),
            client,
            store,
            tickets: 0,
            written: Vec::new(),
            told: Vec::new(),
            sent: 0,
        };
        stage.engine.reserve_ids(&mut stage.effects);
        stage.absorb();
        // Something of everything that a message may have, for all of it to come back.
        stage
            .send("/queue/a", Terms { max_deliveries: Some(9), expires: Some(Timestamp(900_000)), ..Terms::default() });
        stage
    }

    /// The records go to the store, and are durable at once.
    fn absorb(&mut self) {
        loop {
            for (_, event) in std::mem::take(&mut self.effects.events) {
                if let Event::Deliver(delivery) = event {
                    self.told.push(delivery);
                }
            }
            let unit = std::mem::take(&mut self.effects.records);
            if !unit.is_empty() {
                self.written.extend(unit.iter().map(Kind::of));
                let positions = self.store.append(unit);
                self.tickets += 1;
                let durable = Durable { through: Ticket(self.tickets), positions: &positions };
                self.engine.persisted(self.now, durable, &mut self.effects);
            } else if let Some(unread) = self.engine.next_unread(self.now, &mut self.effects) {
                let read = |(message, position)| (message, self.store.read(position));
                let contents = unread.messages.into_iter().map(read).collect();
                self.engine.heads_read(self.now, unread.destination, contents, &mut self.effects);
            } else if self.effects.is_empty() {
                return;
            }
        }
    }

    fn ask(&mut self, request: Request) -> Answer {
        let answer = self.engine.apply(self.now, self.client, request, &mut self.effects).expect("it is carried out");
        self.engine.dispatch(self.now, &mut self.effects);
        self.absorb();
        answer
    }

    fn publish(&mut self, to: &str, terms: Terms, key: Option<&str>) -> Answer {
        self.sent += 1;
        let message = Message {
            content: Content::new(b"u:1\n", vec![self.sent].into()),
            urgency: Urgency(1),
            durability: Durability::Persistent,
            terms: (!terms.is_empty()).then(|| Box::new(terms)),
        };
        self.ask(Request::Publish(Publish { to: name(to), message, key: key.map(Into::into), retain: None }))
    }

    fn send(&mut self, to: &str, terms: Terms) {
        assert!(self.publish(to, terms, None).is_done());
    }

    /// A job that is followed, and alone in its queue; somebody waits for it.
    fn submit(&mut self, to: &str, token: u128, keep_ms: u64) {
        let waiter = Some(Waiter { to: name("/queue/answers"), correlation: Some(token.to_string().into()) });
        let token = Some(JobToken::from_bits(token));
        let tracking = Tracking {
            token,
            kind: Some("t".into()),
            keeps_result: true,
            keep_ms: Some(keep_ms),
            is_open: true,
            waiter: waiter.clone(),
            drops: false,
        };
        let (until, on_duplicate) = (Until::Done, OnDuplicate::Attach);
        let unique = Unique { key: "k".into(), until, on_duplicate, waiter };
        let terms = Terms { tracking: Some(Box::new(tracking)), unique: Some(Box::new(unique)), ..Terms::default() };
        let answer = self.publish(to, terms, None);
        assert!(matches!(answer, Answer::Submitted(_)), "{answer:?}");
    }

    fn send_keyed(&mut self, to: &str, key: &str) {
        assert!(self.publish(to, Terms::default(), Some(key)).is_done());
    }

    fn schedule(&mut self, to: &str) {
        let next = Timestamp(self.now.wall.0 + 10);
        let schedule = Schedule {
            name: Some("s".into()),
            cron: None,
            delay_ms: 10,
            period_ms: Some(40),
            repeat: Some(2),
            next,
            left: Some(2),
            life_ms: None,
            is_transient: false,
            retain: None,
        };
        let terms = Terms { due: Some(next), schedule: Some(Box::new(schedule)), ..Terms::default() };
        let answer = self.publish(name(to).schedules().as_str(), terms, None);
        assert!(matches!(answer, Answer::Scheduled(_)), "{answer:?}");
    }

    fn subscribe(&mut self, id: u32, to: Source) {
        let credit = Credit { messages: 1, bytes: 1 << 20 };
        let (id, mode) = (SubscriptionId(id), AckMode::ClientIndividual);
        self.ask(Request::Subscribe(Subscribe { id, to, mode, credit, time_to_run_ms: None, filter: None }));
    }

    /// Takes the first message of a queue and says what became of it.
    fn settle(&mut self, queue: &str, outcome: Outcome) {
        self.subscribe(1, name(queue).into());
        let message = self.told.pop().expect("a message").message;
        self.ask(Request::Settle(Settle { message, which: Which::default(), outcome }));
        self.ask(Request::Unsubscribe(SubscriptionId(1)));
    }

    /// A queue behind a topic, with something in it.
    fn bind(&mut self) {
        let (queue, topics) = (name(SHARED_FEED), Pattern::exactly(&name(TOPICS[0])));
        let selector = Some(condition(1).into());
        let feed = Feed { queue, topics, expires_after: Some(800), selector, is_sole: false };
        self.subscribe(2, Source::Feed(Arc::new(feed)));
        self.send(TOPICS[0], Terms::default());
    }

    fn wait(&mut self, ms: u64) {
        self.now.monotonic += Duration::from_millis(ms);
        self.now.wall.0 += ms;
        self.engine.tick(self.now, &mut self.effects);
        self.absorb();
    }

    fn leave(&mut self) {
        self.engine.close(self.now, self.client, Departure::Clean, &mut self.effects);
        self.engine.dispatch(self.now, &mut self.effects);
        self.absorb();
        self.client = self.engine.open("c".to_owned());
    }

    /// Another process takes over.
    fn revive(&mut self, is_clean: bool) {
        self.engine = Engine::new(options());
        self.store.reopen(is_clean, &mut self.engine);
        self.tickets = 0;
        assert_eq!(self.engine.replayed(is_clean), 0);
        self.client = self.engine.open("c".to_owned());
        self.engine.reserve_ids(&mut self.effects);
        self.absorb();
    }

    /// What there is, now and later, whoever asks.
    fn story(&mut self) -> Vec<String> {
        let mut story = self.facts();
        for ms in [40, 500, 700, 1_000] {
            self.wait(ms);
            story.push(format!("after {ms} ms"));
            story.extend(self.facts());
        }
        story
    }

    fn facts(&self) -> Vec<String> {
        let mut facts = Vec::new();
        for view in self.engine.queues() {
            facts.push(format!("{} {:?} {}", view.name, view.pause, view.bytes));
            for (entry, (standing, terms)) in view.entries.iter().zip(&view.standing) {
                let content = entry.position().and_then(|position| self.store.read(position));
                let (place, state, seen) = (entry.place(), entry.state, entry.handed_out);
                let counts = (entry.attempts, entry.nacks, entry.size, entry.is_durable());
                let body = content.map(|content| (content.head().to_vec(), content.body().to_vec()));
                facts.push(format!("  {place:?} {state:?} {standing:?} {counts:?} {seen} {terms:?} {body:?}"));
            }
        }
        for row in self.engine.jobs() {
            // Ids are not given twice, so the next process gives others.
            let status = Status { job: MessageId::new(ShardId::default(), 0), ..row.status.clone() };
            facts.push(format!("  {status:?}"));
        }
        facts
    }
}

fn options() -> Options {
    Options { compile, ..Options::default() }
}

/// One engine tells its story; another one, told by a store of the same records, has to tell the same.
fn replay_is_the_same(kind: Kind, store: &dyn Fn() -> Box<dyn Store>) {
    let prepare = || {
        let mut stage = Stage::new(store());
        kind.bring_about(&mut stage);
        stage.leave();
        assert!(stage.written.contains(&kind), "{kind:?} was not brought about, but {:?}", stage.written);
        stage
    };
    let (mut first, mut second) = (prepare(), prepare());
    second.revive(true);
    assert_eq!(
        first.publish("/queue/b", Terms::default(), Some("k")).is_done(),
        second.publish("/queue/b", Terms::default(), Some("k")).is_done()
    );
    first.send(TOPICS[0], Terms::default());
    second.send(TOPICS[0], Terms::default());
    assert_eq!(first.story(), second.story(), "{kind:?}");
}

#[test]
fn each_kind_of_record_is_replayed_to_the_same_engine() {
    for kind in Kind::ALL {
        replay_is_the_same(*kind, &|| Box::new(Plain::new(ShardId::default())));
    }
}

#[test]
fn each_kind_of_record_comes_back_from_the_journal() {
    for kind in Kind::ALL {
        replay_is_the_same(*kind, &|| Box::new(OnDisk::new(ShardId::default())));
    }
}
