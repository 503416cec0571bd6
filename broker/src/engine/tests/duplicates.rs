//! Messages that are sent again.

use std::sync::Arc;
use std::time::Duration;

use super::{Departure, Options, World, message, name, subscribe};
use crate::model::{
    AckMode, Action, Answer, Credit, DestinationId, DestinationName, Durability, Feed, Message, Pattern, Publish,
    Record, Refusal, Request, Source, Subscribe, SubscriptionId, Timestamp, Windows,
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
    let queue = DestinationId(1);
    for number in 0..=Windows::KEYS {
        windows.insert(queue, number.to_string().into(), Timestamp(1));
    }
    assert!(!windows.holds(queue, "0", Timestamp(1)) && windows.holds(queue, "1", Timestamp(1)));
    assert_eq!(windows.iter().count(), Windows::KEYS);
    windows.forget(queue);
    assert_eq!(windows, Windows::default());
}

fn fill(windows: &mut Windows, queue: u64, keys: std::ops::Range<usize>, at: u64) {
    for number in keys {
        windows.insert(DestinationId(queue), number.to_string().into(), Timestamp(at));
    }
}

#[test]
fn queues_that_get_no_new_keys_leave_the_window_to_others() {
    let mut windows = Windows::default();
    // As many idle queues as use up the whole, each within its own limit.
    let idle = (Windows::ALL_KEYS / Windows::KEYS) as u64;
    for queue in 1..=idle {
        fill(&mut windows, queue, 0..Windows::KEYS, 1);
    }
    assert_eq!(windows.len(), Windows::ALL_KEYS);
    let newcomer = DestinationId(idle + 1);
    // While all of them are still remembered, a newcomer gets its share from those that have more.
    fill(&mut windows, newcomer.0, 0..1000, 2);
    assert_eq!(windows.len(), Windows::ALL_KEYS);
    assert!((0..1000).all(|key| windows.holds(newcomer, &key.to_string(), Timestamp(2))));
    let left = |windows: &Windows, queue| windows.iter().filter(|(id, _, _)| *id == DestinationId(queue)).count();
    let shares: Vec<_> = (1..=idle).map(|queue| left(&windows, queue)).collect();
    assert!(shares.iter().all(|share| share.abs_diff(Windows::KEYS - 1000 / idle as usize) <= 1), "{shares:?}");
    // Once they are too old they go, a few with each new key, and the tables with them.
    let later = 2 + Windows::MS;
    for number in 0..Windows::ALL_KEYS / 3 {
        let queue = newcomer.0 + number as u64 % 20;
        windows.insert(DestinationId(queue), format!("n{number}").into(), Timestamp(later));
    }
    assert_eq!((1..=idle).map(|queue| left(&windows, queue)).sum::<usize>(), 0);
    assert!(!windows.knows(DestinationId(1)), "nothing is kept of a queue that has forgotten");
    assert_eq!(windows.len(), Windows::ALL_KEYS / 3);
}

#[test]
fn old_keys_go_without_new_ones_and_no_more_at_once_than_is_asked() {
    let mut windows = Windows::default();
    fill(&mut windows, 1, 0..100, 1);
    windows.age(Timestamp(Windows::MS), 1000);
    assert_eq!(windows.len(), 100, "none is too old");
    windows.age(Timestamp(1 + Windows::MS), 64);
    assert_eq!(windows.len(), 36);
    windows.age(Timestamp(1 + Windows::MS), 64);
    assert_eq!(windows, Windows::default());
}

#[test]
fn the_window_is_bounded_in_bytes_and_a_newcomer_keeps_its_only_key() {
    let mut windows = Windows::default();
    let key = |number: usize| Arc::<str>::from(format!("{number:0>width$}", width = Windows::KEY_BYTES));
    let queues = Windows::ALL_BYTES / (Windows::KEYS * (Windows::KEY_BYTES + Windows::OVERHEAD_BYTES)) + 2;
    for number in 0..queues * Windows::KEYS {
        windows.insert(DestinationId((number % queues) as u64 + 1), key(number), Timestamp(1));
        assert!(windows.bytes() <= Windows::ALL_BYTES);
    }
    let newcomer = DestinationId(queues as u64 + 1);
    windows.insert(newcomer, "only".into(), Timestamp(1));
    fill(&mut windows, 1, 0..Windows::KEYS, 1);
    assert!(windows.holds(newcomer, "only", Timestamp(1)) && windows.bytes() <= Windows::ALL_BYTES);
}

#[test]
fn the_same_is_remembered_after_it_was_told_anew() {
    let mut windows = Windows::default();
    for number in 0..5000_usize {
        let at = Timestamp(number as u64 * 300);
        windows.insert(DestinationId((number * number) as u64 % 7), (number % 1900).to_string().into(), at);
    }
    let mut told = Windows::default();
    for (queue, at, key) in windows.iter() {
        told.insert(queue, key.clone(), at);
    }
    let now = Timestamp(4999 * 300);
    let held = |windows: &Windows| {
        let keys = (0..7).flat_map(|queue| (0..1900).map(move |key| (DestinationId(queue), key.to_string())));
        keys.filter(|(queue, key)| windows.holds(*queue, key, now)).collect::<Vec<_>>()
    };
    assert!(held(&windows).len() > 1000);
    assert_eq!(held(&told), held(&windows));
    // A clock that was far ahead makes nobody's message a duplicate.
    windows.insert(DestinationId(1), "early".into(), Timestamp(now.0 + 2 * Windows::MS));
    assert!(!windows.holds(DestinationId(1), "early", now));
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
