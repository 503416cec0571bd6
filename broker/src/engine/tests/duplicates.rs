//! Messages that are sent again.

use std::sync::Arc;
use std::time::Duration;

use super::{Departure, Options, World, message, name, subscribe};
use crate::model::{
    AckMode, Action, Answer, Credit, DestinationName, Durability, Feed, Message, Pattern, Publish, Record, Refusal,
    Request, Source, Subscribe, SubscriptionId, Timestamp, Windows,
};

fn publish(to: &str, key: &str, durability: Durability) -> Publish {
    let message = Message { durability, ..message(key) };
    Publish { to: name(to), message, key: Some(key.into()), retain: None }
}

fn send(to: &str, key: &str) -> Request {
    Request::Publish(publish(to, key, Durability::Persistent))
}

fn later(world: &mut World, ms: u64) {
    world.now.monotonic += Duration::from_millis(ms);
    world.now.wall = Timestamp(world.now.wall.0 + ms);
}

fn held(world: &World, queue: &str) -> usize {
    world.engine.queues().iter().find(|view| view.name.as_str() == queue).map_or(0, |view| view.entries.len())
}

#[test]
fn a_key_that_is_sent_again_brings_nothing_and_is_a_key_of_its_queue_only() {
    let mut world = World::new();
    let (first, second) = (world.client("a"), world.client("b"));
    assert!(world.ask(first, send("/queue/a", "k")).is_done());
    let tickets = world.tickets;
    assert_eq!(world.ask(second, send("/queue/a", "k")), Answer::Duplicate);
    assert!(world.effects.leans, "its receipt waits for what the other one appended");
    assert_eq!((world.tickets, held(&world, "/queue/a")), (tickets, 1));
    assert!(world.ask(second, send("/queue/b", "k")).is_done());
    assert!(world.ask(second, send("/queue/a", "other")).is_done());
}

#[test]
fn it_is_known_after_a_restart_and_after_its_message_is_gone() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, send("/queue/a", "k"));
    world.sync();
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 1));
    let delivered = world.deliveries(client);
    world.ask(client, super::ack(delivered[0].message));
    world.close(client, Departure::Clean);
    later(&mut world, 300_000);
    world.engine.tick(world.now, &mut world.effects);
    world.absorb();
    world.sync();
    let engine = world.replayed(false);
    assert_eq!(engine.windows, world.engine.windows);
    world.engine = engine;
    let client = world.client("c");
    assert_eq!(world.ask(client, send("/queue/a", "k")), Answer::Duplicate);
    later(&mut world, 300_000);
    assert!(world.ask(client, send("/queue/a", "k")).is_done(), "ten minutes are over");
}

#[test]
fn an_idle_queue_is_kept_until_it_has_forgotten() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, Request::Publish(publish("/queue/a", "k", Durability::Transient)));
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 1));
    let delivered = world.deliveries(client);
    world.ask(client, super::ack(delivered[0].message));
    world.close(client, Departure::Clean);
    for (ms, queues) in [(100_000, 1), (490_000, 1), (10_000, 0)] {
        later(&mut world, ms);
        world.engine.tick(world.now, &mut world.effects);
        assert_eq!(world.engine.queues().len(), queues, "after {ms} more");
    }
    assert_eq!(world.engine.windows, Windows::default());
}

#[test]
fn a_key_of_a_message_that_a_crash_makes_lost_is_lost_with_it() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, Request::Publish(publish("/queue/a", "transient", Durability::Transient)));
    world.sync();
    world.ask(client, send("/queue/a", "unsynced"));
    let engine = world.replayed(false);
    assert_eq!(engine.windows, Windows::default());
}

#[test]
fn the_window_holds_twenty_thousand() {
    let mut windows = Windows::default();
    let queue = crate::model::DestinationId(1);
    for number in 0..=Windows::KEYS {
        windows.insert(queue, number.to_string().into(), Timestamp(1));
    }
    assert!(!windows.holds(queue, "0", Timestamp(1)) && windows.holds(queue, "1", Timestamp(1)));
    assert_eq!(windows.iter().count(), Windows::KEYS);
    windows.forget(queue);
    assert_eq!(windows, Windows::default());
}

#[test]
fn in_a_transaction_each_message_is_looked_at_by_itself() {
    let mut world = World::new();
    let client = world.client("c");
    let action = |key: &str| Action::Publish(publish("/queue/a", key, Durability::Persistent));
    assert_eq!(world.ask(client, Request::Commit(vec![action("k"), action("k"), action("l")])), Answer::Done);
    assert_eq!(held(&world, "/queue/a"), 2);
    assert_eq!(world.ask(client, Request::Commit(vec![action("k"), action("l")])), Answer::Duplicate);
    assert_eq!(world.ask(client, Request::Commit(vec![action("k"), action("m")])), Answer::Done);
    assert_eq!(held(&world, "/queue/a"), 3);
}

#[test]
fn a_duplicate_is_none_too_many_for_a_full_queue() {
    let mut options = Options::default();
    options.policies.default.max_length = 1;
    let mut world = World::with(options);
    let client = world.client("c");
    world.ask(client, send("/queue/a", "k"));
    assert_eq!(world.ask(client, send("/queue/a", "k")), Answer::Duplicate);
    assert!(matches!(world.try_ask(client, send("/queue/a", "l")), Err(Refusal::QueueFull { .. })));
    assert!(matches!(world.try_ask(client, send("/queue/a", "l")), Err(Refusal::QueueFull { .. })), "it was not taken");
}

#[test]
fn the_queues_behind_a_topic_remember_when_the_topic_does_not() {
    let mut world = World::new();
    let client = world.client("c");
    let queue = DestinationName::subscription("me/~/n/t").expect("a name");
    let topics = Pattern::parse("/topic/t").expect("a pattern");
    let feed = Arc::new(Feed { queue, topics, expires_after: None, selector: None, is_sole: false });
    let wish = |id| Subscribe {
        id: SubscriptionId(id),
        to: Source::Feed(feed.clone()),
        mode: AckMode::ClientIndividual,
        credit: Credit { messages: 1, bytes: 1 << 20 },
        time_to_run_ms: None,
        filter: None,
    };
    world.ask(client, Request::Subscribe(wish(1)));
    world.ask(client, subscribe(2, "/topic/t", AckMode::Auto, 10));
    assert_eq!(world.ask(client, send("/topic/t", "k")), Answer::Done);
    assert_eq!(world.ask(client, send("/topic/t", "k")), Answer::Duplicate);
    assert_eq!(world.bodies(client), ["k"]);
    world.sync();
    assert!(world.log.iter().any(|(record, _)| matches!(record, Record::Keyed(_))));
    world.engine = world.replayed(true);
    let client = world.client("c");
    world.ask(client, subscribe(2, "/topic/t", AckMode::Auto, 10));
    assert_eq!(world.ask(client, send("/topic/t", "k")), Answer::Done, "to those who listen now it may be new");
    assert_eq!(held(&world, "/dsub/me/~/n/t"), 1, "the queue has it once");
}
