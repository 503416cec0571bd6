//! What one append may hold: what a request would bring is refused before anything changes, and what goes on by itself is cut.

use std::sync::Arc;

use super::jobs::{operate, submit_on, tracking};
use super::schedule::{every, once};
use super::*;
use crate::engine::Append;
use crate::model::{Candidate, Feed, Filter, Operation, Retain, Source, States, Terms, Waiter, Weight};
use crate::router::{Route, Routes};

const MOST: usize = 64 << 10;

fn options(messages: usize) -> Options {
    Options { append: Append { messages, bytes: MOST }, transient_bytes: 1 << 30, ..Options::default() }
}

fn large(bytes: usize) -> Message {
    let content = Content::new(b"destination:/topic/t\n", vec![b'x'; bytes].into());
    Message { content, ..message("") }
}

fn publish(to: &str, message: Message) -> Publish {
    Publish { to: name(to), message, key: None, retain: None }
}

/// A durable subscription of a topic.
fn durable(id: u32, topics: &str) -> Request {
    let queue = DestinationName::subscription(&format!("me/~/s{id}/t")).expect("a name");
    let topics = Pattern::parse(topics).expect("a pattern");
    let feed = Feed { queue, topics, expires_after: None, selector: None, is_sole: false };
    let (mode, credit) = (AckMode::ClientIndividual, Credit { messages: 1, bytes: 1 });
    let (id, to) = (SubscriptionId(id), Source::Feed(Arc::new(feed)));
    Request::Subscribe(Subscribe { id, to, mode, credit, time_to_run_ms: None, filter: None })
}

impl World {
    /// What the log is given by a call: the bytes of each append. What the engine knows is what the log knows.
    fn units(&mut self) -> Vec<usize> {
        let mut units = Vec::new();
        while !self.effects.records.is_empty() {
            let mut unit = Vec::new();
            if self.effects.fits(MOST) {
                self.effects.take_whole();
                unit.append(&mut self.effects.records);
            } else {
                self.effects.take_unit(MOST, &mut unit);
            }
            units.push(Weight::of(&unit).bytes);
            self.keep(unit);
        }
        self.told.append(&mut self.effects.events);
        units
    }

    fn keep(&mut self, records: Vec<Record>) {
        self.tickets += 1;
        self.engine.appended(Ticket(self.tickets));
        for record in records {
            let position = matches!(record, Record::Accepted(_)).then(|| {
                self.next_place += 1;
                Position::new(ShardId::default(), self.next_place)
            });
            self.log.push((record, position));
        }
    }

    fn call(&mut self, client: SessionId, request: Request) -> (Result<Answer, Refusal>, Vec<usize>) {
        let mut answer = self.engine.apply(self.now, client, request, &mut self.effects);
        self.engine.dispatch(self.now, &mut self.effects);
        let mut units = self.units();
        while self.engine.is_busy(client) {
            if let Some(last) = self.engine.go_on(self.now, client, &mut self.effects) {
                answer = last;
            }
            self.engine.dispatch(self.now, &mut self.effects);
            units.extend(self.units());
        }
        (answer, units)
    }

    fn assert_refused(&mut self, client: SessionId, request: Request, unit: &str) {
        let before = (self.engine.queues(), self.log.len());
        let (answer, units) = self.call(client, request);
        assert!(matches!(&answer, Err(Refusal::TooLarge { unit: of, .. }) if *of == unit), "{answer:?}");
        assert!(units.is_empty());
        let without = |views: Vec<crate::engine::QueueView>| -> Vec<_> {
            views.into_iter().filter(|view| !view.entries.is_empty()).collect()
        };
        assert_eq!((without(self.engine.queues()), self.log.len()), (without(before.0), before.1), "nothing changed");
    }
}

#[test]
fn a_body_that_goes_to_many_queues_counts_once() {
    let mut world = World::with(options(1000));
    let client = world.client("c");
    for id in 1..=60 {
        world.ask(client, durable(id, "/topic/t"));
    }
    let (answer, units) = world.call(client, Request::Publish(publish("/topic/t", large(MOST / 2))));
    assert!(answer.is_ok(), "{answer:?}");
    assert!(units.len() == 1 && units[0] <= MOST, "{units:?}");
}

#[test]
fn a_topic_with_too_many_queues_refuses_a_message_that_would_be_too_much() {
    let mut world = World::with(options(1000));
    let client = world.client("c");
    for id in 1..=200 {
        world.ask(client, durable(id, "/topic/t"));
    }
    world.assert_refused(client, Request::Publish(publish("/topic/t", large(MOST / 2))), "bytes");
    let mut fewer = World::with(options(199));
    let client = fewer.client("c");
    for id in 1..=200 {
        fewer.ask(client, durable(id, "/topic/t"));
    }
    fewer.assert_refused(client, Request::Publish(publish("/topic/t", message("x"))), "messages");
}

/// Lets everything through, at a step for each 64 bytes of the head.
#[derive(Debug)]
struct Slow;

impl Filter for Slow {
    fn wants(&self, _: &Candidate<'_>) -> bool {
        true
    }

    fn steps(&self, head: usize) -> u64 {
        head as u64 / 64
    }
}

fn selective(id: u32, topics: &str) -> Request {
    let Request::Subscribe(mut subscribe) = durable(id, topics) else { unreachable!("that is what it makes") };
    let Source::Feed(feed) = &subscribe.to else { unreachable!("a durable subscription is one") };
    subscribe.to = Source::Feed(Arc::new(Feed { selector: Some("a = 1".into()), ..Feed::clone(feed) }));
    Request::Subscribe(subscribe)
}

#[test]
fn selectors_behind_one_topic_have_a_limit_and_a_long_head_is_not_judged_by_too_many() {
    let mut world = World::with(Options { topic_selectors: 10, compile: |_| Some(Arc::new(Slow)), ..options(1000) });
    let client = world.client("c");
    world.ask(client, selective(1, "/topic/t"));
    world.ask(client, selective(2, "/topic/t"));
    let refused = |steps, limit| Err(Refusal::TooManySelectors { topic: name("/topic/t"), steps, limit });
    assert_eq!(world.try_ask(client, selective(3, "/topic/t")), refused(12, 10));
    world.ask(client, send("/topic/t", "now it is there"));
    assert_eq!(world.try_ask(client, selective(3, "/topic/*")), refused(12, 10));
    world.ask(client, Request::Unsubscribe(SubscriptionId(2)));
    world.ask(client, selective(2, "/topic/t"));
    world.ask(client, durable(4, "/topic/t"));
    assert_eq!(world.engine.queues().len(), 3, "nothing came of what was refused");

    let long = |bytes| Message { content: Content::new(&vec![b'h'; bytes], bytes::Bytes::new()), ..message("") };
    world.ask(client, Request::Publish(publish("/topic/t", long(1024))));
    let before = world.engine.queues();
    let too_long = || publish("/topic/t", long(2048));
    assert_eq!(world.try_ask(client, Request::Publish(too_long())), refused(64, 40));
    let commit = Request::Commit(vec![Action::Publish(too_long())]);
    assert_eq!(world.try_ask(client, commit), refused(64, 40));
    assert_eq!(world.engine.queues(), before, "nothing came of it");
}

#[test]
fn a_topic_that_several_patterns_reach_is_bounded_where_it_is_sent_to() {
    let slow = |_: &str| Some(Arc::new(Slow) as Arc<dyn Filter>);
    let mut world = World::with(Options { topic_selectors: 10, topic_queues: 2, compile: slow, ..options(4) });
    let client = world.client("c");
    let send = |bytes| {
        let head = Content::new(&vec![b'h'; bytes], bytes::Bytes::new());
        Request::Publish(publish("/topic/a.b.c", Message { content: head, ..message("") }))
    };
    // Nothing is there yet that two of them reach.
    for (id, topics) in (1..).zip(["/topic/a.>", "/topic/*.b.c", "/topic/a.*.c", "/topic/a.b.*"]) {
        world.ask(client, selective(id, topics));
    }
    world.ask(client, durable(5, "/topic/*.*.c"));
    let refused = |steps, limit| Err(Refusal::TooManySelectors { topic: name("/topic/a.b.c"), steps, limit });
    assert_eq!(world.try_ask(client, send(1024)), refused(64, 40));
    let refused = world.try_ask(client, send(64));
    assert_eq!(refused, Err(Refusal::TooLarge { unit: "messages", size: 5, limit: 4 }));
    assert!(world.engine.queues().iter().all(|queue| queue.entries.is_empty()), "nothing came of it");
    // Now the topic is there, and one more is not let in.
    let refused = world.try_ask(client, durable(6, "/topic/a.>"));
    assert_eq!(refused, Err(Refusal::TooManyBindings { topic: name("/topic/a.b.c"), limit: 2 }));
    world.ask(client, Request::Unsubscribe(SubscriptionId(5)));
    world.ask(client, Request::Discard(DestinationName::subscription("me/~/s5/t").expect("a name")));
    world.ask(client, send(64));
    world.sync();
    assert_eq!(world.engine.queues().iter().map(|queue| queue.entries.len()).sum::<usize>(), 4);
}

#[test]
fn queues_behind_one_topic_have_a_limit_also_before_the_topic_is_there() {
    let mut world = World::with(Options { topic_queues: 3, ..options(1000) });
    let client = world.client("c");
    for id in 1..=3 {
        world.ask(client, durable(id, "/topic/t"));
    }
    let refused = world.try_ask(client, durable(4, "/topic/t"));
    assert_eq!(refused, Err(Refusal::TooManyBindings { topic: name("/topic/t"), limit: 3 }));
    assert!(world.engine.queues().len() == 3, "nothing came of it");
    world.ask(client, send("/topic/t", "now it is there"));
    assert!(matches!(world.try_ask(client, durable(5, "/topic/*")), Err(Refusal::TooManyBindings { .. })));
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    world.ask(client, durable(1, "/topic/t"));
}

#[test]
fn a_transaction_is_refused_whole_by_its_copies_and_by_what_it_settles() {
    let mut world = World::with(options(1000));
    let client = world.client("c");
    for id in 1..=20 {
        world.ask(client, durable(id, "/topic/t"));
    }
    let frames = |count: usize| (0..count).map(|_| Action::Publish(publish("/topic/t", large(4000)))).collect();
    world.assert_refused(client, Request::Commit(frames(16)), "bytes");
    let (answer, units) = world.call(client, Request::Commit(frames(4)));
    assert!(answer.is_ok() && units.len() == 1 && units[0] <= MOST, "{answer:?} {units:?}");
    let mut world = World::with(options(10));
    let client = world.client("c");
    let list = (0..11).map(|at| Action::Publish(publish(&format!("/queue/q{at}"), message("x")))).collect();
    world.assert_refused(client, Request::Commit(list), "messages");
    world.ask(client, subscribe(1, "/queue/a", AckMode::Client, 1000));
    for _ in 0..200 {
        world.ask(client, send("/queue/a", "x"));
    }
    world.sync();
    let last = world.deliveries(client).last().expect("a delivery").message;
    let reason: Arc<str> = "y".repeat(256).into();
    let outcome = Outcome::DeadLetter { reason: Some(reason) };
    let settle = Settle { message: last, which: Which::default(), outcome };
    world.assert_refused(client, Request::Commit(vec![Action::Settle(settle.clone())]), "bytes");
    let (answer, units) = world.call(client, Request::Settle(settle));
    assert!(
        answer.is_ok() && units.len() > 1 && units.iter().all(|unit| *unit <= MOST),
        "outside it is cut: {units:?}"
    );
}

#[test]
fn routes_and_what_is_retained_are_counted() {
    let to = (0..12).map(|at| name(&format!("/queue/copy{at}"))).collect();
    let from = Pattern::parse("/queue/a").expect("a pattern");
    let routes = Routes::new(vec![Route { from, filter: None, to, is_exclusive: false }]);
    let mut world = World::with(Options { routes, ..options(12) });
    let client = world.client("c");
    world.assert_refused(client, send("/queue/a", "x"), "messages");
    let mut world = World::with(options(1));
    let client = world.client("c");
    let set = |body: usize| Request::Publish(Publish { retain: Some(Retain::Set), ..publish("/topic/t", large(body)) });
    assert!(world.call(client, set(100)).0.is_ok());
    world.ask(client, durable(1, "/topic/t"));
    world.assert_refused(client, set(100), "messages");
}

/// Jobs with so many who wait for each, of which each answer is a durable message.
fn awaited(world: &mut World, client: SessionId, jobs: u128) {
    for job in 1..=jobs {
        let waiter =
            Some(Waiter { to: name(&format!("/queue/replies{job}")), correlation: Some("c".repeat(200).into()) });
        let tracking = crate::model::Tracking { waiter, ..tracking(job) };
        let submission = submit_on("/queue/a", message("x"), tracking, Terms::default());
        assert!(world.call(client, submission).0.is_ok());
    }
    world.sync();
}

#[test]
fn a_purge_of_jobs_that_are_awaited_is_cut_and_each_job_stays_with_its_answers() {
    let mut world = World::with(options(1000));
    let client = world.client("c");
    awaited(&mut world, client, 400);
    let before = world.log.len();
    let (_, units) = world.call(client, operate("/queue/a", Operation::Purge(States::ALL)));
    assert!(units.len() > 1 && units.iter().all(|unit| *unit <= MOST), "{units:?}");
    let answers = world.log[before..].iter().filter(|(record, _)| matches!(record, Record::Accepted(_))).count();
    assert_eq!(answers, 400);
    // Each job leaves its queue right before its own answer: nothing is cut between them, and nothing is far apart.
    let mut open = 0_i32;
    for (record, _) in &world.log[before..] {
        open += match record {
            Record::Settled(_) => 1,
            Record::Accepted(_) => -1,
            _ => 0,
        };
        assert!((0..=1).contains(&open));
    }
}

#[test]
fn schedules_of_a_topic_with_many_queues_are_cut() {
    let mut world = World::with(options(1000));
    let client = world.client("c");
    for id in 1..=100 {
        world.ask(client, durable(id, "/topic/t"));
    }
    for _ in 0..50 {
        let terms = Terms { due: Some(Timestamp(101)), schedule: Some(Box::new(every(100, None))), ..Terms::default() };
        let message = Message { terms: Some(Box::new(terms)), ..large(3000) };
        world.ask(
            client,
            Request::Publish(Publish { to: name("/topic/t").schedules(), message, key: None, retain: None }),
        );
    }
    world.sync();
    world.now.wall.0 += 100;
    world.now.monotonic += Duration::from_millis(100);
    world.engine.tick(world.now, &mut world.effects);
    let units = world.units();
    assert!(units.len() > 1 && units.iter().all(|unit| *unit <= MOST), "{units:?}");
    assert_eq!(world.replayed_schedules(), 50);
}

impl World {
    fn replayed_schedules(&mut self) -> usize {
        self.sync();
        let engine = self.replayed(true);
        engine.queues().iter().filter(|view| view.name.scheduled().is_some()).map(|view| view.entries.len()).sum()
    }
}

#[test]
fn a_tick_that_has_brought_enough_stops_and_the_next_goes_on() {
    const QUEUES: usize = 5;
    const EACH: usize = 1000;
    const ENOUGH: usize = (16 << 20) + 8192;
    let mut world = World::with(Options { cache_bytes: 1 << 30, ..Options::default() });
    let client = world.client("c");
    for queue in 0..QUEUES {
        for _ in 0..EACH {
            let terms = Terms { due: Some(Timestamp(50)), schedule: Some(Box::new(once(50))), ..Terms::default() };
            let message = Message { terms: Some(Box::new(terms)), ..large(4000) };
            let to = name(&format!("/queue/q{queue}")).schedules();
            world.ask(client, Request::Publish(Publish { to, message, key: None, retain: None }));
        }
    }
    world.sync();
    world.now.wall.0 += 100;
    let left = |world: &World| -> usize {
        let views = world.engine.queues();
        views.iter().filter(|view| view.name.scheduled().is_some()).map(|view| view.entries.len()).sum()
    };
    let mut ticks = 0;
    while left(&world) > 0 {
        let before = world.log.len();
        world.wait(0);
        ticks += 1;
        let brought: Vec<_> = world.log[before..].iter().map(|(record, _)| record.clone()).collect();
        assert!((1..=ENOUGH).contains(&Weight::of(&brought).bytes), "a tick does something, and not too much");
        let goes_on = world.engine.deadline(world.now) <= Some(world.now.monotonic);
        assert!(goes_on || left(&world) == 0, "it goes on at once");
    }
    assert!(ticks > 1);
}
