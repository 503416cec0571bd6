//! Several queues in one subscription.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::destination::State;
use crate::model::{Candidate, Filter, List, Manner, Order, Source, Take};

const QUEUES: [&str; 3] = ["/queue/a", "/queue/b", "/queue/c"];

/// Wants messages whose text begins so.
#[derive(Debug)]
struct Begins(&'static str);

impl Filter for Begins {
    fn wants(&self, candidate: &Candidate<'_>) -> bool {
        candidate.head.starts_with(self.0.as_bytes())
    }
}

fn list(names: &[&str], order: Order) -> Source {
    Source::List(Arc::new(List::new(names.iter().map(|text| name(text)), order)))
}

fn wish(id: u32, order: Order, mode: AckMode, messages: u32) -> Subscribe {
    let credit = Credit { messages, bytes: 1 << 20 };
    Subscribe { id: SubscriptionId(id), to: list(&QUEUES, order), mode, credit, time_to_run_ms: None, filter: None }
}

fn read(order: Order, messages: u32) -> Request {
    Request::Subscribe(wish(1, order, AckMode::ClientIndividual, messages))
}

/// A transient message of that urgency, whose text is its head.
fn urgent(to: &str, text: &str, urgency: u32) -> Request {
    let content = Content::small(text.as_bytes(), text.len());
    let message = Message { content, urgency: Urgency(urgency), durability: Durability::Transient, ..message("") };
    Request::Publish(Publish { to: name(to), message, key: None, retain: None })
}

fn text(delivery: &Delivery) -> String {
    match &delivery.payload {
        Payload::Memory(content) => String::from_utf8_lossy(content.head()).into_owned(),
        Payload::Stored { .. } => "(stored)".into(),
    }
}

impl World {
    /// Acknowledges what comes, one after the other, and tells what it was.
    fn work(&mut self, client: SessionId) -> Vec<String> {
        let mut texts = Vec::new();
        loop {
            let delivered = self.deliveries(client);
            if delivered.is_empty() {
                return texts;
            }
            for delivery in delivered {
                texts.push(text(&delivery));
                self.ask(client, ack(delivery.message));
            }
        }
    }
}

fn filled(world: &mut World, client: SessionId) {
    for (to, text, urgency) in [
        ("/queue/b", "b1", 5),
        ("/queue/c", "c1", 5),
        ("/queue/a", "a1", 9),
        ("/queue/b", "b2", 5),
        ("/queue/a", "a2", 5),
        ("/queue/c", "c2", 1),
    ] {
        world.ask(client, urgent(to, text, urgency));
    }
}

#[test]
fn the_most_urgent_comes_first_and_of_equals_the_oldest() {
    for credit in [1, 2, 100] {
        let mut world = World::new();
        let client = world.client("c");
        filled(&mut world, client);
        world.ask(client, read(Order::Priority, credit));
        assert_eq!(world.work(client), ["c2", "b1", "c1", "b2", "a2", "a1"], "{credit}");
    }
}

#[test]
fn the_first_queue_of_a_strict_list_comes_first() {
    for credit in [1, 2, 100] {
        let mut world = World::new();
        let client = world.client("c");
        filled(&mut world, client);
        world.ask(client, read(Order::Strict, credit));
        assert_eq!(world.work(client), ["a2", "a1", "b1", "b2", "c2", "c1"], "{credit}");
    }
}

#[test]
fn a_fair_list_takes_from_each_in_turn() {
    for credit in [1, 2, 100] {
        let mut world = World::new();
        let client = world.client("c");
        filled(&mut world, client);
        world.ask(client, urgent("/queue/b", "b3", 5));
        world.ask(client, read(Order::Fair, credit));
        assert_eq!(world.work(client), ["a2", "b1", "c2", "a1", "b2", "c1", "b3"], "{credit}");
    }
}

#[test]
fn what_comes_later_is_chosen_when_there_is_room_again() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, read(Order::Strict, 1));
    world.ask(client, urgent("/queue/c", "c1", 5));
    let first = world.deliveries(client).remove(0);
    for to in ["/queue/c", "/queue/b", "/queue/a"] {
        world.ask(client, urgent(to, to, 5));
    }
    assert!(world.deliveries(client).is_empty(), "one at a time, over all queues");
    world.ask(client, ack(first.message));
    assert_eq!(world.work(client), ["/queue/a", "/queue/b", "/queue/c"]);
}

#[test]
fn it_takes_its_turn_among_the_consumers_of_each_queue() {
    let mut world = World::new();
    let (many, one) = (world.client("m"), world.client("o"));
    world.ask(one, subscribe(1, "/queue/b", AckMode::ClientIndividual, 100));
    world.ask(many, read(Order::Priority, 100));
    for number in 1..=6 {
        world.ask(one, urgent("/queue/b", &number.to_string(), 5));
    }
    let (theirs, others): (Vec<_>, Vec<_>) =
        (world.deliveries(many).iter().map(text).collect(), world.deliveries(one).iter().map(text).collect());
    assert_eq!((theirs.len(), others.len()), (3, 3), "{theirs:?} {others:?}");
}

#[test]
fn a_failed_message_returns_to_its_own_queue_and_a_client_ack_covers_all_of_them() {
    let mut world = World::new();
    let client = world.client("c");
    filled(&mut world, client);
    world.ask(client, Request::Subscribe(wish(1, Order::Strict, AckMode::Client, 100)));
    let delivered = world.deliveries(client);
    world.ask(client, ack(delivered[3].message));
    world.ask(client, nack(delivered[4].message));
    assert_eq!(world.work(client), ["c2"]);
    let left: Vec<_> = world.engine.queues().iter().map(|queue| queue.entries.len()).collect();
    assert_eq!(left, [0, 0, 0], "the last ACK covered c1");
}

#[test]
fn a_selector_chooses_in_each_queue_and_passes_nothing_by() {
    for (order, expected) in [
        (Order::Priority, ["x c2", "x b1", "x c1", "x b2", "x a2", "x a1"]),
        (Order::Strict, ["x a2", "x a1", "x b1", "x b2", "x c2", "x c1"]),
        (Order::Fair, ["x a2", "x b1", "x c2", "x a1", "x b2", "x c1"]),
    ] {
        for credit in [1, 100] {
            let mut world = World::new();
            let client = world.client("c");
            for (to, text, urgency) in [
                ("/queue/b", "x b1", 5),
                ("/queue/c", "x c1", 5),
                ("/queue/a", "x a1", 9),
                ("/queue/a", "y", 0),
                ("/queue/b", "x b2", 5),
                ("/queue/b", "y", 5),
                ("/queue/a", "x a2", 5),
                ("/queue/c", "x c2", 1),
            ] {
                world.ask(client, urgent(to, text, urgency));
            }
            let filter: Option<Arc<dyn Filter>> = Some(Arc::new(Begins("x")));
            let subscribe = Subscribe { filter, ..wish(1, order, AckMode::ClientIndividual, credit) };
            world.ask(client, Request::Subscribe(subscribe));
            assert_eq!(world.work(client), expected, "{order:?} {credit}");
            world.ask(client, urgent("/queue/a", "x later", 5));
            assert_eq!(world.work(client), ["x later"], "{order:?} {credit}");
        }
    }
}

#[test]
fn heads_that_are_not_in_memory_are_waited_for() {
    // Nothing stays in memory beside the log.
    let mut world = World::with(Options { cache_bytes: 0, ..Options::default() });
    let client = world.client("c");
    for (to, text) in [("/queue/b", "x b1"), ("/queue/a", "y"), ("/queue/a", "x a1"), ("/queue/c", "x c1")] {
        let content = Content::small(text.as_bytes(), text.len());
        let message = Message { content, ..message("") };
        world.ask(client, Request::Publish(Publish { to: name(to), message, key: None, retain: None }));
        world.sync();
    }
    let filter: Option<Arc<dyn Filter>> = Some(Arc::new(Begins("x")));
    let subscribe = Subscribe { filter, ..wish(1, Order::Strict, AckMode::Client, 1) };
    world.ask(client, Request::Subscribe(subscribe));
    let mut order = Vec::new();
    for _ in 0..3 {
        world.drive();
        let delivery = world.deliveries(client).remove(0);
        order.push(delivery.message);
        world.ask(client, ack(delivery.message));
    }
    world.drive();
    assert!(world.deliveries(client).is_empty());
    let mut by_age = order.clone();
    by_age.sort();
    assert_eq!(order, [by_age[1], by_age[0], by_age[2]], "a, then b, then c");
}

#[test]
fn it_pulls_and_ends_as_any_other() {
    let mut world = World::new();
    let client = world.client("c");
    filled(&mut world, client);
    let subscribe = wish(1, Order::Strict, AckMode::Auto, 100);
    let manner = Manner { until_empty: true, limit: Some(5), ..Manner::default() };
    world.ask(client, Request::Take(Box::new(Take { subscribe, manner })));
    let ends = |world: &World| world.told.iter().filter(|(_, event)| matches!(event, Event::End { .. })).count();
    assert_eq!(ends(&world), 1);
    assert_eq!(world.deliveries(client).len(), 5);
    let subscribe = wish(2, Order::Strict, AckMode::Auto, 100);
    let manner = Manner { until_empty: true, ..Manner::default() };
    world.ask(client, Request::Take(Box::new(Take { subscribe, manner })));
    assert_eq!(ends(&world), 1);
    assert_eq!(world.deliveries(client).iter().map(text).collect::<Vec<_>>(), ["c1"]);
}

#[test]
fn the_queues_are_kept_in_being_until_it_ends() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, read(Order::Fair, 1));
    world.now.monotonic += Duration::from_secs(3600);
    world.engine.tick(world.now, &mut world.effects);
    assert_eq!(world.engine.queues().len(), 3);
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    world.now.monotonic += Duration::from_secs(3600);
    world.engine.tick(world.now, &mut world.effects);
    assert!(world.engine.queues().is_empty());
}

#[test]
fn topics_push_and_queues_are_chosen_from() {
    let mut world = World::new();
    let client = world.client("c");
    let to = list(&["/topic/t", "/queue/a", "/topic/u"], Order::Priority);
    let subscribe = Subscribe { to, ..wish(1, Order::Priority, AckMode::ClientIndividual, 2) };
    world.ask(client, Request::Subscribe(subscribe));
    for to in ["/topic/u", "/queue/a", "/topic/t", "/queue/a"] {
        world.ask(client, urgent(to, to, 5));
    }
    assert_eq!(world.work(client), ["/topic/u", "/queue/a", "/topic/t", "/queue/a"]);
}

/// A consumer as a test knows it.
struct Reads {
    session: SessionId,
    id: u32,
    queues: Vec<&'static str>,
    begins: &'static str,
    credit: usize,
    out: Vec<MessageId>,
}

#[derive(Clone, Debug)]
enum Step {
    Send { queue: usize, red: bool, urgency: u32 },
    Read { queues: usize, order: Order, begins: usize, credit: usize },
    Settle { reader: usize, which: usize, done: bool },
    Leave { reader: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let order = prop_oneof![Just(Order::Priority), Just(Order::Strict), Just(Order::Fair)];
    let step = prop_oneof![
        6 => (0..3usize, any::<bool>(), 0..3u32).prop_map(|(queue, red, urgency)| Step::Send { queue, red, urgency }),
        2 => (0..4usize, order, 0..3usize, 1..4usize)
            .prop_map(|(queues, order, begins, credit)| Step::Read { queues, order, begins, credit }),
        5 => (any::<usize>(), any::<usize>(), any::<bool>())
            .prop_map(|(reader, which, done)| Step::Settle { reader, which, done }),
        1 => any::<usize>().prop_map(|reader| Step::Leave { reader }),
    ];
    prop::collection::vec(step, 1..60)
}

impl World {
    /// Lets everything come to rest and writes down who got what.
    fn rest(&mut self, readers: &mut [Reads]) {
        self.sync();
        self.drive();
        for (session, event) in std::mem::take(&mut self.told) {
            let Event::Deliver(delivery) = event else { continue };
            let reader = readers.iter_mut().find(|it| it.session == session && it.id == delivery.subscription.0);
            reader.expect("a reader that is there").out.push(delivery.message);
        }
    }

    /// Nobody with room is passed over by what it wants.
    fn check(&self, readers: &[Reads], texts: &BTreeMap<MessageId, &'static str>) {
        for reader in readers {
            assert!(reader.out.len() <= reader.credit, "credit is never exceeded");
        }
        for view in self.engine.queues() {
            for entry in view.entries.iter().filter(|entry| entry.state == State::Ready) {
                let wants = |it: &&Reads| {
                    it.queues.contains(&view.name.as_str()) && texts[&entry.message].starts_with(it.begins)
                };
                let starved = readers.iter().filter(wants).find(|it| it.out.len() < it.credit);
                assert!(starved.is_none(), "{} waits in {} for nobody", texts[&entry.message], view.name.as_str());
            }
        }
    }
}

proptest! {
    #[test]
    fn whoever_has_room_gets_what_is_there_for_it(steps in steps(), cache_bytes in prop_oneof![Just(0), Just(1 << 20)]) {
        let mut world = World::with(Options { cache_bytes, ..Options::default() });
        let (writer, mut readers, mut texts, mut last) = (world.client("w"), Vec::<Reads>::new(), BTreeMap::new(), 0);
        for step in steps {
            match step {
                Step::Send { queue, red, urgency } => {
                    let text = if red { "red" } else { "blue" };
                    let content = Content::small(text.as_bytes(), text.len());
                    let message = Message { content, urgency: Urgency(urgency), ..message("") };
                    let to = name(QUEUES[queue]);
                    world.ask(writer, Request::Publish(Publish { to, message, key: None, retain: None }));
                    for (record, _) in &world.log {
                        if let Record::Accepted(accepted) = record {
                            texts.entry(accepted.message).or_insert(text);
                        }
                    }
                }
                Step::Read { queues, order, begins, credit } => {
                    last += 1;
                    let session = world.client("r");
                    let queues = if queues == 3 { QUEUES.to_vec() } else { vec![QUEUES[queues], QUEUES[(queues + 1) % 3]] };
                    let begins = ["", "red", "blue"][begins];
                    let filter = (!begins.is_empty()).then(|| Arc::new(Begins(begins)) as Arc<dyn Filter>);
                    let to = if credit == 3 { name(queues[0]).into() } else { list(&queues, order) };
                    let queues = if credit == 3 { vec![queues[0]] } else { queues };
                    let subscribe =
                        Subscribe { to, filter, ..wish(last, order, AckMode::ClientIndividual, credit as u32) };
                    readers.push(Reads { session, id: last, queues, begins, credit, out: Vec::new() });
                    world.ask(session, Request::Subscribe(subscribe));
                }
                Step::Settle { reader, which, done } => {
                    if readers.is_empty() { continue }
                    let at = reader % readers.len();
                    if readers[at].out.is_empty() { continue }
                    let which = which % readers[at].out.len();
                    let message = readers[at].out.remove(which);
                    world.ask(readers[at].session, if done { ack(message) } else { nack(message) });
                }
                Step::Leave { reader } => {
                    if readers.is_empty() { continue }
                    let gone = readers.remove(reader % readers.len());
                    world.close(gone.session, Departure::Clean);
                }
            }
            world.rest(&mut readers);
            world.check(&readers, &texts);
        }
    }
}
