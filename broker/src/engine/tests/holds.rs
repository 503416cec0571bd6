//! No call of the engine takes more than a bounded number of steps, whatever there is and whatever is asked.
//!
//! The state is larger than what one call may look at. With `KOLEJKA_HOLDS=full` it is as large as the limits' defaults let a
//! broker become in practice: a million messages, 50,000 queues and 10,000 schedules.

use std::sync::Arc;

use super::oversee::{ALWAYS, Operator, oversee};
use super::schedule::{every, planned};
use super::select::{line, with_head};
use super::*;
use crate::engine::UserLimits;
use crate::model::{
    Browse, Filter, Inquiry, Manage, Operation, Oversight, Reply, Source, Stage, States, Subject, Terms, Transfer,
};

/// The requests of a hold may go over their budget by the largest single one; so may the dispatch.
const MOST: u64 = 2 * (Engine::REQUESTS + Engine::DISPATCH);

struct Size {
    messages: usize,
    queues: usize,
    schedules: usize,
}

fn size() -> Size {
    match std::env::var("KOLEJKA_HOLDS").as_deref() {
        Ok("full") => Size { messages: 1_000_000, queues: 50_000, schedules: 10_000 },
        _ => Size { messages: 24_000, queues: 12_000, schedules: 3_000 },
    }
}

fn transient(to: &str, head: &str) -> Request {
    let message = with_head(head, "x", Durability::Transient);
    Request::Publish(Publish { to: name(to), message, key: None, retain: None })
}

fn selective(id: u32, to: Source, head: &'static str) -> Subscribe {
    let filter: Arc<dyn Filter> = line(head);
    let (credit, mode) = (Credit { messages: 10_000, bytes: 1 << 30 }, AckMode::Client);
    Subscribe { id: SubscriptionId(id), to, mode, credit, time_to_run_ms: None, filter: Some(filter) }
}

fn all_queues() -> Source {
    wildcards::wildcard("/queue/q.>")
}

impl World {
    /// What the driver does until nothing is left. Says how many ticks that took.
    fn settle_down(&mut self) -> usize {
        for ticks in 0..1_000_000 {
            if self.engine.wants_heads() {
                self.drive();
            }
            self.sync();
            if self.engine.deadline(self.now).is_none_or(|due| due > self.now.monotonic) {
                return ticks;
            }
            self.engine.tick(self.now, &mut self.effects);
            self.absorb();
        }
        panic!("it never comes to rest");
    }

    /// Checks what the calls since the last check have cost.
    fn assert_bounded(&mut self, what: &str) {
        let most = std::mem::take(&mut self.most_steps);
        assert!(most <= MOST, "{what} took {most} steps in one call, and {MOST} are allowed");
        self.told.clear();
    }

    fn operate(&mut self, client: SessionId, operation: Operation, filter: Option<Arc<dyn Filter>>) {
        let manage = Manage { operation, queue: name("/queue/big"), filter, writer: None, reply: None };
        self.ask(client, Request::Manage(Box::new(manage)));
    }
}

fn large() -> (World, SessionId) {
    let Size { messages, queues, schedules } = size();
    // One client makes all of it here.
    let user = UserLimits { destinations: 1 << 30, subscriptions: 1 << 30, schedules: 1 << 30 };
    let mut world = World::with(Options { transient_bytes: 1 << 40, user, address: user, ..Options::default() });
    let client = world.client("c");
    for number in 0..queues {
        world.ask(client, transient(&format!("/queue/q.{number}"), "blue\n"));
    }
    for _ in 0..messages {
        world.ask(client, transient("/queue/big", "blue\n"));
    }
    for number in 0..schedules {
        let to = format!("/queue/s.{}", number % 100);
        world.ask(client, Request::Publish(planned(&to, "tick", every(1000, None))));
    }
    world.sync();
    world.settle_down();
    world.assert_bounded("to build it");
    (world, client)
}

#[test]
fn no_verb_takes_more_than_a_bounded_number_of_steps() {
    let (mut world, client) = large();
    for (what, request) in [
        ("a wildcard subscription", Request::Subscribe(selective(1, all_queues(), "blue\n"))),
        ("its end", Request::Unsubscribe(SubscriptionId(1))),
        (
            "a wildcard without a selector",
            Request::Subscribe(Subscribe { filter: None, ..selective(2, all_queues(), "") }),
        ),
        ("its end", Request::Unsubscribe(SubscriptionId(2))),
        ("a selector that finds nothing", {
            Request::Subscribe(selective(3, Source::Name(name("/queue/big")), "red\n"))
        }),
        ("a browser that finds nothing", {
            let subscribe = selective(4, Source::Name(name("/queue/big")), "red\n");
            Request::Browse(Box::new(Browse { subscribe, stages: vec![Stage::Ready], limit: None, tail: false }))
        }),
        ("a browser that finds everything", {
            let subscribe = Subscribe { filter: None, ..selective(5, Source::Name(name("/queue/big")), "") };
            Request::Browse(Box::new(Browse { subscribe, stages: vec![Stage::Ready], limit: None, tail: true }))
        }),
        ("schedules that are listed", {
            let to = name("/queue/answers");
            oversee(Oversight::Browse { due: ALWAYS, to, scribe: Arc::new(Operator) })
        }),
        ("a schedule that is not there", {
            oversee(Oversight::Remove { message: MessageId::new(ShardId::default(), 1 << 40) })
        }),
        ("schedules of no name", oversee(Oversight::RemoveNamed { name: "n".into(), of: None })),
    ] {
        world.ask(client, request);
        world.settle_down();
        world.assert_bounded(what);
    }
    for about in [Subject::Broker, Subject::Subscriptions, Subject::Destinations(wild())] {
        let what = format!("statistics of {about:?}");
        let reply = Reply { to: name("/queue/answers"), head: (*b"a:b\n").into() };
        let inquiry = Inquiry { about, reader: Arc::new(Operator), reply };
        world.ask(client, Request::Inquire(Box::new(inquiry)));
        world.settle_down();
        world.assert_bounded(&what);
    }
    let states = States { ready: true, delayed: false, buried: false };
    let to = Some(name("/queue/other"));
    for (what, operation, filter) in [
        ("a move", Operation::Move(Transfer { to, states, count: Some(9000), rate: None }), None),
        ("a purge with a selector", Operation::Purge(states), Some(line("red\n") as Arc<dyn Filter>)),
        ("a purge", Operation::Purge(states), None),
        ("a purge of all with a selector", Operation::Purge(states), Some(line("blue\n") as Arc<dyn Filter>)),
    ] {
        world.operate(client, operation, filter);
        world.settle_down();
        world.assert_bounded(what);
    }
    world.now.wall = Timestamp(world.now.wall.0 + 5000);
    world.settle_down();
    world.assert_bounded("schedules that are due together");
    world.engine.set_policies(Policies::default());
    let mut behind = world.engine.apply_policies(None, &world.effects);
    assert!(behind.is_some(), "one call gave all queues their rules");
    while behind.is_some() {
        world.engine.dispatch(world.now, &mut world.effects);
        world.absorb();
        behind = world.engine.apply_policies(behind, &world.effects);
    }
    world.assert_bounded("new rules for all queues");
    world.ask(client, oversee(Oversight::RemoveAll { due: ALWAYS }));
    world.settle_down();
    world.assert_bounded("the removal of all schedules");
    world.close(client, Departure::Lost);
    world.settle_down();
    world.assert_bounded("the end of the session");
}

fn wild() -> Arc<crate::model::Wildcard> {
    let Source::Wildcard(wildcard) = all_queues() else { unreachable!("a pattern") };
    wildcard
}

/// What expires together, what leaves with its connection, and what nobody will read again goes little by little.
#[test]
fn what_ends_together_ends_in_parts() {
    let messages = size().messages.min(100_000);
    let mut world = World::with(Options { transient_bytes: 1 << 40, ..Options::default() });
    let (client, other) = (world.client("c"), world.client("owner"));
    for _ in 0..messages {
        let terms = Some(Box::new(Terms { expires: Some(Timestamp(1000)), ..Terms::default() }));
        let message = Message { terms, ..with_head("", "x", Durability::Transient) };
        world.ask(client, Request::Publish(Publish { to: name("/queue/old"), message, key: None, retain: None }));
    }
    world.ask(other, subscribe(1, "/temp-queue/reply", AckMode::Client, 1));
    for _ in 0..messages {
        world.ask(client, transient("/temp-queue/reply", ""));
    }
    world.settle_down();
    world.assert_bounded("to build it");
    world.now.wall = Timestamp(1000);
    let ticks = world.settle_down();
    world.assert_bounded("a mass expiry");
    assert!(ticks > 1, "one call did all of it");
    assert_eq!(world.engine.queues().iter().find(|queue| queue.name == name("/queue/old")).map(|q| q.ready), Some(0));
    world.close(other, Departure::Clean);
    assert!(!world.engine.queues().is_empty());
    world.settle_down();
    world.assert_bounded("the end of a temporary queue");
    assert_eq!(world.engine.transient_bytes, 0, "nothing of it is left");
}

/// Thousands of subscribers with selectors make a message of a topic dear: most of them are asked in the background.
#[test]
fn selectors_of_a_topic_are_asked_in_parts_and_in_order() {
    const SUBSCRIBERS: u32 = 6000;
    let mut world = World::new();
    let (sender, reader, last) = (world.client("s"), world.client("r"), world.client("l"));
    let topic = || Source::Name(name("/topic/t"));
    for id in 1..=SUBSCRIBERS {
        let red = Subscribe { mode: AckMode::Auto, ..selective(id, topic(), "red\n") };
        world.ask(reader, Request::Subscribe(red));
    }
    let blue = Subscribe { mode: AckMode::Auto, ..selective(1, topic(), "blue\n") };
    world.ask(last, Request::Subscribe(blue));
    let before = world.most_steps;
    for text in ["1", "2", "3"] {
        for head in ["blue\n", "green\n"] {
            let message = with_head(head, text, Durability::Transient);
            world.ask(sender, Request::Publish(Publish { to: name("/topic/t"), message, key: None, retain: None }));
        }
    }
    assert!(world.most_steps <= MOST && before <= MOST, "{} steps", world.most_steps);
    world.settle_down();
    assert_eq!(world.bodies(last), ["1", "2", "3"]);
    assert!(world.bodies(reader).is_empty());
    world.assert_bounded("what was left");
}

/// Background work does not ride on the calls of others, and lets them in between any two of its slices.
#[test]
fn others_do_not_pay_for_background_work_and_get_in_between() {
    let (mut world, client) = large();
    let other = world.client("o");
    for id in 1..=64 {
        let wish = selective(id, Source::Name(name("/queue/big")), "red\n");
        let (subscribe, stages) = (wish.clone(), vec![Stage::Ready]);
        if id % 2 == 0 {
            world.ask(client, Request::Browse(Box::new(Browse { subscribe, stages, limit: None, tail: false })));
        } else {
            world.ask(client, Request::Subscribe(wish));
        }
    }
    world.ask(other, subscribe(1, "/queue/mine", AckMode::Auto, 100));
    world.most_steps = 0;
    let mut slices = 0;
    while world.engine.is_unfinished() {
        world.ask(other, transient("/queue/mine", "hello\n"));
        assert_eq!(world.deliveries(other).len(), 1, "after {slices} slices");
        assert!(world.engine.last_steps() < 64, "a message paid {} steps", world.engine.last_steps());
        world.ask(other, Request::Written { subscription: SubscriptionId(1), through: u64::MAX });
        world.engine.tick(world.now, &mut world.effects);
        world.absorb();
        slices += 1;
    }
    assert!(slices > 10, "{slices} slices");
    assert!(world.most_steps <= 8 * Engine::SLICE, "a slice took {} steps", world.most_steps);
}
