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
use crate::memory::Purpose;
use crate::model::{
    Browse, DestinationKind, Feed, Filter, Inquiry, Manage, Operation, Oversight, Permissions, Reader, Reply, Retain,
    Right, Source, Stage, States, Subject, Terms, Transfer, Wildcard,
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

/// A durable subscription to all topics `t.`: with a selector, or one whose reader the next one replaces.
fn durable(id: u32, selector: Option<&str>, is_sole: bool) -> Request {
    let feed = Feed {
        queue: DestinationName::subscription("me/~/all/t").expect("a name"),
        topics: Pattern::parse("/topic/t.>").expect("a pattern"),
        expires_after: None,
        selector: selector.map(Into::into),
        is_sole,
    };
    let (credit, mode) = (Credit { messages: 100_000, bytes: 1 << 30 }, AckMode::ClientIndividual);
    let (id, to) = (SubscriptionId(id), Source::Feed(Arc::new(feed)));
    Request::Subscribe(Subscribe { id, to, mode, credit, time_to_run_ms: None, filter: None })
}

fn large_in_topics(topics: usize) -> (World, SessionId) {
    let user = UserLimits { destinations: 1 << 30, subscriptions: 1 << 30, schedules: 1 << 30 };
    let unsettled_per_session = Credit { messages: 1 << 20, bytes: 1 << 40 };
    let options = Options { transient_bytes: 1 << 40, user, unsettled_per_session, ..Options::default() };
    let compile = |head: &str| Some(line(if head == "blue" { "blue\n" } else { "red\n" }) as Arc<dyn Filter>);
    let mut world = World::with(Options { destinations: 1 << 30, compile, ..options });
    let client = world.client("c");
    for number in 0..topics {
        let Request::Publish(mut publish) = transient(&format!("/topic/t.{number}"), "blue\n") else { unreachable!() };
        publish.retain = Some(Retain::Set);
        world.ask(client, Request::Publish(publish));
    }
    world.settle_down();
    world.assert_bounded("to build it");
    (world, client)
}

/// A binding by a pattern is asked for at all topics in parts, and comes about and ends for all of them at once.
#[test]
fn a_durable_subscription_to_very_many_topics_begins_and_ends_in_bounded_steps() {
    let topics = size().queues;
    let (mut world, client) = large_in_topics(topics);
    let reader = world.client("r");
    world.ask(reader, durable(1, Some("blue"), false));
    world.settle_down();
    world.assert_bounded("a binding by a pattern");
    let kept =
        |world: &World| world.engine.queues().iter().find(|queue| queue.name.as_str().contains("all")).map(|q| q.ready);
    let queue = world.engine.queues().into_iter().find(|queue| queue.name.kind() == DestinationKind::Subscription);
    assert_eq!(queue.map(|queue| queue.entries.len()), Some(topics), "it has what is retained");
    world.ask(reader, Request::Unsubscribe(SubscriptionId(1)));
    world.settle_down();
    world.assert_bounded("the end of its reader");
    for (head, more) in [("blue\n", 1), ("red\n", 1)] {
        world.ask(client, transient("/topic/t.7", head));
        assert_eq!(kept(&world), Some(topics + more), "after {head:?}");
    }
    world.ask(client, transient("/topic/t.new", "blue\n"));
    assert_eq!(kept(&world), Some(topics + 2), "also where the topic comes later");
    world.sync();
    world.most_steps = 0;
    let name = DestinationName::subscription("me/~/all/t").expect("a name");
    world.ask(reader, Request::Discard(name.clone()));
    assert!(world.most_steps < 64, "its end took {} steps", world.most_steps);
    assert_eq!(world.engine.router.resolve(&name), None);
    world.settle_down();
    world.assert_bounded("what it held");
    world.ask(client, transient("/topic/t.7", "blue\n"));
    assert_eq!(kept(&world), None, "nothing goes there any more");
}

/// Whoever takes over a durable subscription waits until all that the other holds has gone back, uncounted.
#[test]
fn a_reader_that_holds_very_much_is_replaced_in_parts() {
    let (mut world, _) = large_in_topics(1);
    let (sender, first, second) = (world.client("s"), world.client("a"), world.client("b"));
    let count = size().messages.min(100_000);
    world.ask(first, durable(1, None, true));
    for _ in 0..count {
        world.ask(sender, transient("/topic/t.0", "blue\n"));
    }
    world.settle_down();
    assert_eq!(world.deliveries(first).len(), count + 1, "it holds all of it, and what was retained");
    world.assert_bounded("to give it all that");
    world.ask(second, durable(1, None, true));
    world.settle_down();
    let is_told = |(to, event): &(SessionId, Event)| *to == first && matches!(event, Event::Disconnect(_));
    assert_eq!(world.told.iter().filter(|told| is_told(told)).count(), 1, "once");
    let delivered = world.deliveries(second);
    assert_eq!(delivered.len(), count + 1);
    assert!(delivered.iter().all(|delivery| delivery.attempt == 1 && delivery.redelivered));
    world.assert_bounded("to replace its reader");
    world.close(first, Departure::Lost);
    world.settle_down();
    assert_eq!(world.deliveries(second).len(), 0);
}

/// A request that is not done when its client goes leaves nothing behind.
#[test]
fn a_client_may_go_while_its_request_goes_on() {
    let (mut world, _) = large_in_topics(1);
    let (sender, first, second) = (world.client("s"), world.client("a"), world.client("b"));
    let count = 2 * Engine::REQUESTS as usize;
    let begin = |world: &mut World, client, request| {
        let answer = world.engine.apply(world.now, client, request, &mut world.effects);
        world.engine.dispatch(world.now, &mut world.effects);
        world.absorb();
        assert!(answer.is_ok() && world.engine.is_busy(client), "{answer:?}");
    };
    let rest = |world: &mut World, is_sole| {
        world.settle_down();
        let reader = world.client("x");
        world.ask(reader, durable(1, None, is_sole));
        world.settle_down();
        let told = world.deliveries(reader);
        assert_eq!(told.iter().filter(|delivery| delivery.attempt == 1).count(), count + 1, "of {}", told.len());
        reader
    };
    world.ask(first, durable(1, None, true));
    for _ in 0..count {
        world.ask(sender, transient("/topic/t.0", "blue\n"));
    }
    world.settle_down();
    // One that takes over goes, and so does the one that was told to.
    begin(&mut world, second, durable(1, None, true));
    world.close(second, Departure::Lost);
    world.close(first, Departure::Lost);
    let third = rest(&mut world, true);
    // One that gives back what it holds goes.
    begin(&mut world, third, Request::Unsubscribe(SubscriptionId(1)));
    world.close(third, Departure::Lost);
    // This one sends nobody away.
    rest(&mut world, false);
}

/// May read queues whose names do not end in these digits.
#[derive(Debug)]
struct AllBut(&'static str);

impl Reader for AllBut {
    fn may_read(&self, name: &DestinationName) -> bool {
        !name.as_str().ends_with(self.0)
    }
}

impl Permissions for AllBut {
    fn user(&self) -> &'static str {
        "ann"
    }

    fn may_take(&self, _: Right, _: &DestinationName, _: &DestinationName) -> bool {
        false
    }

    fn may(&self, right: Right, name: &DestinationName) -> bool {
        right != Right::Read || self.may_read(name)
    }

    fn may_all(&self, _: Right, _: &Pattern) -> bool {
        false
    }
}

/// Rights that become fewer hold from then on, however many destinations a pattern has to leave for that.
#[test]
fn a_pattern_leaves_what_may_not_be_read_any_more_in_bounded_steps_and_is_given_nothing_of_it_meanwhile() {
    let queues = size().queues;
    let (mut world, sender) = large();
    let reader = world.client("r");
    let topics = Source::Wildcard(Arc::new(Wildcard::parse("/topic/*", Arc::new(AllBut("!"))).expect("a pattern")));
    for (id, to) in [(1, all_queues()), (2, topics)] {
        let (mode, credit) = (AckMode::Auto, Credit { messages: 1 << 20, bytes: 1 << 30 });
        world.ask(reader, Request::Subscribe(Subscribe { filter: None, mode, credit, ..selective(id, to, "") }));
    }
    world.settle_down();
    assert_eq!(world.deliveries(reader).len(), queues);
    world.most_steps = 0;
    let permissions: Arc<dyn Permissions> = Arc::new(AllBut("7"));
    world.engine.apply(world.now, reader, Request::Permit(permissions), &mut world.effects).expect("it is taken");
    let mut parts = 0;
    while world.engine.is_busy(reader) {
        world.engine.dispatch(world.now, &mut world.effects);
        world.absorb();
        for to in ["/topic/1", "/topic/7", "/queue/q.1", "/queue/q.7"] {
            world.ask(sender, transient(to, "blue\n"));
        }
        world.engine.go_on(world.now, reader, &mut world.effects);
        parts += 1;
    }
    world.engine.dispatch(world.now, &mut world.effects);
    world.absorb();
    assert!(parts > 1, "one call did all of it");
    world.settle_down();
    assert_eq!(world.deliveries(reader).len(), 2 * parts, "what was sent where it may read, and nothing else");
    let left = world.engine.queues().into_iter().find(|queue| queue.name == name("/queue/q.7"));
    assert_eq!(left.map(|queue| queue.ready), Some(parts));
    world.assert_bounded("rights that become fewer");
}

/// What the broker says of very many jobs to very many listeners is told in parts, in order, and to everybody.
#[test]
fn events_that_come_together_are_told_in_parts() {
    const LISTENERS: u32 = 200;
    const JOBS: usize = 1500;
    let topic_backlog = Credit { messages: 1 << 30, bytes: 1 << 40 };
    let mut world = World::with(Options { topic_backlog, transient_bytes: 1 << 40, ..Options::default() });
    let (sender, listener, worker) = (world.client("s"), world.client("l"), world.client("w"));
    for _ in 0..JOBS {
        world.ask(sender, transient("/queue/jobs", ""));
    }
    for id in 1..=LISTENERS {
        let to = Source::Name(name("/topic/Kolejka.Job.reserved.jobs"));
        let (mode, credit) = (AckMode::Auto, Credit { messages: 1 << 20, bytes: 1 << 30 });
        world.ask(listener, Request::Subscribe(Subscribe { filter: None, mode, credit, ..selective(id, to, "") }));
    }
    world.settle_down();
    world.most_steps = 0;
    world.ask(worker, subscribe(1, "/queue/jobs", AckMode::Client, JOBS as u32));
    assert!(world.engine.is_unfinished(), "one call told all of it");
    world.settle_down();
    let jobs: Vec<MessageId> = world.deliveries(worker).iter().map(|delivery| delivery.message).collect();
    assert_eq!(jobs.len(), JOBS);
    let told = world.deliveries(listener);
    assert_eq!(told.len(), JOBS * LISTENERS as usize);
    for id in [1, LISTENERS] {
        let texts = told.iter().filter(|delivery| delivery.subscription == SubscriptionId(id)).map(body);
        let in_order = texts.zip(&jobs).all(|(text, job)| text.contains(&format!("\"{job}\"")));
        assert!(in_order, "listener {id} heard of something else");
    }
    world.assert_bounded("to tell of them");
}

fn wild() -> Arc<Wildcard> {
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

/// What was kept for one that read too slowly goes little by little once it was told to go, also when it has gone.
#[test]
fn what_is_kept_for_a_slow_subscriber_goes_in_parts() {
    const KEPT: usize = 20_000;
    for closes in [false, true] {
        let topic_backlog = Credit { messages: KEPT as u32, bytes: 1 << 40 };
        let mut world = World::with(Options { topic_backlog, ..Options::default() });
        let (sender, slow) = (world.client("s"), world.client("slow"));
        world.ask(slow, subscribe(1, "/topic/t", AckMode::Client, 1));
        for _ in 0..=KEPT {
            world.ask(sender, transient("/topic/t", ""));
        }
        let kept = |world: &World| world.engine.options.memory.used(Purpose::Topics);
        let before = kept(&world);
        world.settle_down();
        assert_eq!(kept(&world), before, "it is slow, but not too slow");
        world.most_steps = 0;
        world.ask(sender, transient("/topic/t", ""));
        assert!(world.told.iter().any(|(to, event)| *to == slow && matches!(event, Event::Disconnect(_))));
        assert!(kept(&world) > before / 2 && world.engine.is_unfinished(), "one call let go of all of it");
        if closes {
            world.close(slow, Departure::Lost);
            assert!(kept(&world) > 0, "one call let go of all of it");
        }
        world.settle_down();
        assert_eq!(kept(&world), 0);
        world.assert_bounded("to let go of it");
    }
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

/// What is told of many messages that one request is about is bounded with it, and so is what is thought of at each of them.
#[test]
fn an_acknowledgement_of_very_many_that_others_hear_of_is_carried_out_in_parts() {
    const JOBS: usize = 10_000;
    for mode in [AckMode::Client, AckMode::Auto] {
        let topic_backlog = Credit { messages: 1 << 30, bytes: 1 << 40 };
        let mut world = World::with(Options { topic_backlog, transient_bytes: 1 << 40, ..Options::default() });
        let (sender, listener, worker) = (world.client("s"), world.client("l"), world.client("w"));
        for _ in 0..JOBS {
            world.ask(sender, transient("/queue/jobs", ""));
        }
        let to = Source::Name(name("/topic/Kolejka.Job.completed.jobs"));
        let credit = Credit { messages: 1 << 20, bytes: 1 << 30 };
        let heard = Subscribe { filter: None, mode: AckMode::Auto, credit, ..selective(1, to, "") };
        world.ask(listener, Request::Subscribe(heard));
        world.ask(worker, subscribe(1, "/queue/jobs", mode, JOBS as u32));
        world.settle_down();
        let jobs: Vec<MessageId> = world.deliveries(worker).iter().map(|delivery| delivery.message).collect();
        assert_eq!(jobs.len(), JOBS);
        world.most_steps = 0;
        let last = jobs.last().copied().expect("a job");
        let request = match mode {
            AckMode::Auto => Request::Written { subscription: SubscriptionId(1), through: JOBS as u64 },
            _ => settle(last, Outcome::Ack),
        };
        let answer = world.engine.apply(world.now, worker, request, &mut world.effects).expect("it is carried out");
        world.engine.dispatch(world.now, &mut world.effects);
        world.absorb();
        assert!(world.engine.is_busy(worker), "one call did all of it: {answer:?}");
        let mut parts = 1;
        while world.engine.is_busy(worker) {
            // Others are served in between.
            world.ask(sender, transient("/topic/t", ""));
            world.engine.go_on(world.now, worker, &mut world.effects);
            world.engine.dispatch(world.now, &mut world.effects);
            world.absorb();
            parts += 1;
        }
        world.settle_down();
        assert!(parts > 4, "{parts} parts");
        let told = world.deliveries(listener);
        assert_eq!(told.len(), JOBS);
        assert!(told.iter().zip(&jobs).all(|(told, job)| body(told).contains(&format!("\"{job}\""))), "in order");
        world.assert_bounded("an acknowledgement of very many");
        assert!(world.engine.queues().iter().all(|queue| queue.ready == 0 && queue.entries.is_empty()));
    }
}

/// A client that goes while its acknowledgement is carried out has settled what was reached, and the rest goes back.
#[test]
fn a_client_may_go_while_what_it_acknowledged_is_settled() {
    const JOBS: usize = 10_000;
    let mut world = World::new();
    let (sender, worker) = (world.client("s"), world.client("w"));
    for _ in 0..JOBS {
        world.ask(sender, transient("/queue/jobs", ""));
    }
    world.ask(worker, subscribe(1, "/queue/jobs", AckMode::Client, JOBS as u32));
    world.settle_down();
    let last = world.deliveries(worker).last().map(|delivery| delivery.message).expect("a job");
    world.engine.apply(world.now, worker, settle(last, Outcome::Ack), &mut world.effects).expect("it is begun");
    world.engine.dispatch(world.now, &mut world.effects);
    world.absorb();
    assert!(world.engine.is_busy(worker));
    world.close(worker, Departure::Lost);
    world.settle_down();
    let left =
        world.engine.queues().into_iter().find(|queue| queue.name == name("/queue/jobs")).map(|queue| queue.ready);
    assert!(left.is_some_and(|left| left > 0 && left < JOBS), "{left:?} are left");
}

/// What is put down of what happened costs as much as it does, also where there is one who listens.
#[test]
fn no_call_brings_about_more_events_than_it_could_tell() {
    let (mut world, client) = large();
    let listener = world.client("l");
    let to = Source::Wildcard(Arc::new(wild_topics()));
    let credit = Credit { messages: 1 << 20, bytes: 1 << 30 };
    let heard = Subscribe { filter: None, mode: AckMode::Auto, credit, ..selective(1, to, "") };
    world.ask(listener, Request::Subscribe(heard));
    world.settle_down();
    let states = States { ready: true, delayed: false, buried: false };
    let operation = Operation::Purge(states);
    let manage = Manage { operation, queue: name("/queue/big"), filter: None, writer: None, reply: None };
    let request = Request::Manage(Box::new(manage));
    world.engine.apply(world.now, client, request, &mut world.effects).expect("it is begun");
    let waiting = world.engine.announcements.len();
    assert!(waiting > 0 && waiting < 1024, "{waiting} events came about in one call");
}

fn wild_topics() -> Wildcard {
    Wildcard::parse("/topic/Kolejka.Job.>", Arc::new(AllBut("!"))).expect("a pattern")
}

/// Destinations are dearer than messages: a transaction has them made before it is carried out, and is a whole all the same.
#[test]
fn a_transaction_whose_queues_are_all_new_has_them_made_in_parts() {
    let mut world = World::new();
    let most = world.engine.options.append.messages;
    let (client, other) = (world.client("c"), world.client("o"));
    let publish = |to: &str| {
        let Request::Publish(mut publish) = transient(to, "") else { unreachable!() };
        publish.message.durability = Durability::Persistent;
        Action::Publish(publish)
    };
    let actions = (0..most).map(|number| publish(&format!("/queue/new.{number}"))).collect();
    let started = world.engine.apply(world.now, client, Request::Commit(actions), &mut world.effects);
    assert!(started.is_ok() && world.engine.is_busy(client), "{started:?}");
    world.engine.dispatch(world.now, &mut world.effects);
    let mut parts = 1;
    while world.engine.is_busy(client) {
        let sent = |record: &Record| matches!(record, Record::Accepted(_));
        assert!(!world.effects.records.iter().any(sent), "a part of it was carried out");
        world.absorb();
        assert!(world.most_steps <= Engine::REQUESTS + Engine::DISPATCH, "{} steps to make queues", world.most_steps);
        world.ask(other, transient("/topic/t", ""));
        world.engine.go_on(world.now, client, &mut world.effects);
        world.engine.dispatch(world.now, &mut world.effects);
        parts += 1;
    }
    let accepted = world.effects.records.iter().filter(|record| matches!(record, Record::Accepted(_))).count();
    assert_eq!(accepted, most, "all of it at once");
    assert!(parts > 5, "{parts} parts");
    world.absorb();
    world.settle_down();
    // One more than may be is refused, and nothing was sent.
    let actions = (0..=most).map(|number| publish(&format!("/queue/more.{number}"))).collect();
    let refused = world.try_ask(client, Request::Commit(actions));
    assert!(matches!(refused, Err(Refusal::TooLarge { .. })), "{refused:?}");
    assert_eq!(world.engine.queues().iter().filter(|queue| queue.ready > 0).count(), most);
}

/// Queues that have gone while others were being made are made in parts as well, and not in the hold that carries it out.
#[test]
fn queues_of_a_transaction_that_go_before_it_is_carried_out_are_made_again_in_parts() {
    let idle_destination = Duration::from_millis(10);
    let mut world = World::with(Options { idle_destination, ..Options::default() });
    let most = world.engine.options.append.messages;
    let client = world.client("c");
    let publish = |number| {
        let Request::Publish(publish) = transient(&format!("/queue/new.{number}"), "") else { unreachable!() };
        Action::Publish(publish)
    };
    let started =
        world.engine.apply(world.now, client, Request::Commit((0..most).map(publish).collect()), &mut world.effects);
    assert!(started.is_ok() && world.engine.is_busy(client), "{started:?}");
    let (mut has_waited, mut made) = (false, 0);
    while world.engine.is_busy(client) {
        world.engine.dispatch(world.now, &mut world.effects);
        world.absorb();
        if !has_waited && world.engine.queues().len() == most {
            has_waited = true;
            world.now.monotonic += 2 * idle_destination;
            // Not to the end: a client that goes on is served between any two slices.
            while world.engine.queues().len() > most / 4 {
                world.engine.tick(world.now, &mut world.effects);
                world.absorb();
            }
        }
        made = world.engine.queues().len();
        world.engine.go_on(world.now, client, &mut world.effects);
    }
    assert!(has_waited, "they went meanwhile");
    assert!((most - made) as u64 * Engine::CREATED <= Engine::PART, "{} were made in the last hold", most - made);
    assert_eq!(world.engine.queues().iter().map(|queue| queue.entries.len()).sum::<usize>(), most);
}

/// What waits for a destination by patterns is counted where that comes into being: not many more are made in the same hold.
#[test]
fn queues_that_many_patterns_wait_for_are_made_in_parts() {
    const WAITING: u32 = 2000;
    let mut world = World::new();
    let (sender, waiting) = (world.client("s"), world.client("w"));
    for id in 1..=WAITING {
        let all = Subscribe { filter: None, ..selective(id, all_queues(), "") };
        world.ask(waiting, Request::Subscribe(all));
    }
    world.settle_down();
    let publish = |number| {
        let Request::Publish(publish) = transient(&format!("/queue/q.{number}"), "") else { unreachable!() };
        Action::Publish(publish)
    };
    let before = world.engine.queues().len();
    let actions = (0..100).map(publish).collect();
    let started = world.engine.apply(world.now, sender, Request::Commit(actions), &mut world.effects);
    assert!(started.is_ok(), "{started:?}");
    let mut most = world.engine.queues().len() - before;
    while world.engine.is_busy(sender) {
        world.engine.dispatch(world.now, &mut world.effects);
        world.absorb();
        let before = world.engine.queues().len();
        world.engine.go_on(world.now, sender, &mut world.effects);
        most = most.max(world.engine.queues().len() - before);
    }
    assert!(most <= 1, "{most} queues in one hold");
}

/// Room that comes back to a client with very many slow subscriptions is given to them in turns, as far as there are steps.
#[test]
fn room_goes_to_the_subscriptions_of_a_client_in_turns() {
    const SUBSCRIPTIONS: u32 = 7500;
    let topic_backlog = Credit { messages: 1 << 20, bytes: 4000 };
    let user = UserLimits { destinations: 1 << 30, subscriptions: 1 << 30, schedules: 1 << 30 };
    let mut world = World::with(Options { topic_backlog, user, address: user, ..Options::default() });
    let (sender, slow) = (world.client("s"), world.client("slow"));
    for id in 1..=SUBSCRIPTIONS {
        world.ask(slow, subscribe(id, "/topic/t", AckMode::Auto, 10));
    }
    world.settle_down();
    world.most_steps = 0;
    world.ask(sender, transient("/topic/t", ""));
    world.settle_down();
    // The message to all of them at once is one unit; what is told of room is not.
    let most = std::mem::take(&mut world.most_steps);
    assert!(most <= MOST, "{most} steps to send it");
    let mut got = std::collections::BTreeMap::new();
    for _ in 0..SUBSCRIPTIONS {
        let delivered = world.deliveries(slow);
        if delivered.is_empty() {
            break;
        }
        for delivery in &delivered {
            *got.entry(delivery.subscription).or_insert(0) += 1;
            let Delivery { subscription, number, .. } = *delivery;
            world.ask(slow, Request::Written { subscription, through: number });
        }
        world.settle_down();
        let most = std::mem::take(&mut world.most_steps);
        assert!(most <= Engine::REQUESTS, "{most} steps");
    }
    assert_eq!(got.len(), SUBSCRIPTIONS as usize, "each has it");
    assert!(got.values().all(|count| *count == 1), "once");
}

/// Very many that cannot be given anything are passed over a part at a time.
#[test]
fn room_is_found_a_taker_for_in_parts() {
    const SUBSCRIPTIONS: u32 = 20_000;
    let topic_backlog = Credit { messages: 1 << 20, bytes: 2 * u64::from(SUBSCRIPTIONS) + 1 };
    let user = UserLimits { destinations: 1 << 30, subscriptions: 1 << 30, schedules: 1 << 30 };
    let unsettled_per_session = Credit { messages: 1 << 20, bytes: 1 << 40 };
    let mut world =
        World::with(Options { topic_backlog, unsettled_per_session, user, address: user, ..Options::default() });
    let (sender, slow) = (world.client("s"), world.client("slow"));
    for id in 1..=SUBSCRIPTIONS {
        world.ask(slow, subscribe(id, "/topic/t", AckMode::ClientIndividual, 1));
    }
    let last = SubscriptionId(SUBSCRIPTIONS + 1);
    world.ask(slow, subscribe(last.0, "/topic/u", AckMode::ClientIndividual, 10));
    let send = |world: &mut World, to: &str, text: &str| {
        let message = with_head("", text, Durability::Transient);
        world.ask(sender, Request::Publish(Publish { to: name(to), message, key: None, retain: None }));
        world.settle_down();
    };
    send(&mut world, "/topic/t", "xx");
    send(&mut world, "/topic/u", "x");
    let first = world.deliveries(slow);
    assert_eq!(first.len(), SUBSCRIPTIONS as usize + 1, "all of it is out, and there is no more room");
    send(&mut world, "/topic/t", "x");
    send(&mut world, "/topic/u", "x");
    assert!(world.deliveries(slow).is_empty());
    world.most_steps = 0;
    let which = Which { subscription: Some(first[0].subscription), ..Which::default() };
    world.ask(slow, Request::Settle(Settle { message: first[0].message, which, outcome: Outcome::Ack }));
    assert!(world.most_steps <= Engine::REQUESTS + 64, "{} steps", world.most_steps);
    world.settle_down();
    let given: Vec<_> = world.deliveries(slow).iter().map(|delivery| delivery.subscription).collect();
    assert_eq!(given, [first[0].subscription, last]);
}
