//! The last message of a topic, for those who come later.

use std::sync::Arc;
use std::time::Duration;

use super::{World, message, name, subscribe};
use crate::model::{
    AckMode, Credit, DestinationName, Durability, Message, Publish, Reader, Request, Retain, Source, Subscribe,
    SubscriptionId, Terms, Timestamp, Wildcard,
};

fn send(to: &str, body: &str, retain: Retain, durability: Durability) -> Request {
    let message = Message { durability, ..message(body) };
    Request::Publish(Publish { to: name(to), message, key: None, retain: Some(retain) })
}

fn set(to: &str, body: &str) -> Request {
    send(to, body, Retain::Set, Durability::Persistent)
}

#[derive(Debug)]
struct Curious;

impl Reader for Curious {
    fn may_read(&self, name: &DestinationName) -> bool {
        !name.path().contains("secret")
    }
}

fn watch(id: u32, text: &str, credit: u32) -> Request {
    let to = Source::Wildcard(Arc::new(Wildcard::parse(text, Arc::new(Curious)).expect("a pattern")));
    let credit = Credit { messages: credit, bytes: 1 << 20 };
    Request::Subscribe(Subscribe {
        id: SubscriptionId(id),
        to,
        mode: AckMode::ClientIndividual,
        credit,
        time_to_run_ms: None,
        filter: None,
    })
}

#[test]
fn who_comes_later_gets_the_last_one_first() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, set("/topic/t", "one"));
    world.ask(client, subscribe(1, "/topic/t", AckMode::Auto, 10));
    assert_eq!(world.bodies(client), ["one"], "before the disk has it, as all messages of a topic");
    world.ask(client, set("/topic/t", "two"));
    assert_eq!(world.bodies(client), ["two"], "to those who are there it comes once");
    world.ask(client, super::send("/topic/t", "passing"));
    world.sync();
    world.ask(client, subscribe(2, "/topic/t", AckMode::Auto, 10));
    assert_eq!(world.bodies(client), ["passing", "two"]);
    let kept: usize = world.engine.queues().iter().map(|view| view.entries.len()).sum();
    assert_eq!(kept, 1, "one is kept");
}

#[test]
fn one_that_has_expired_is_given_to_nobody() {
    let mut world = World::new();
    let client = world.client("c");
    let terms = Terms { expires: Some(Timestamp(50)), ..Terms::default() };
    let message = Message { terms: Some(Box::new(terms)), ..message("short-lived") };
    let retain = Some(Retain::Set);
    world.ask(client, Request::Publish(Publish { to: name("/topic/t"), message, key: None, retain }));
    world.sync();
    world.ask(client, subscribe(1, "/topic/t", AckMode::Auto, 10));
    assert_eq!(world.deliveries(client).len(), 1, "in time");
    world.now.monotonic += Duration::from_millis(100);
    world.now.wall.0 += 100;
    world.engine.tick(world.now, &mut world.effects);
    world.absorb();
    world.ask(client, subscribe(2, "/topic/t", AckMode::Auto, 10));
    assert!(world.deliveries(client).is_empty(), "live");
    world.sync();
    world.engine = world.replayed(true);
    let client = world.client("c");
    world.ask(client, subscribe(1, "/topic/t", AckMode::Auto, 10));
    assert!(world.deliveries(client).is_empty(), "and after a restart");
}

#[test]
fn it_survives_a_restart_unless_it_was_not_to() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, set("/topic/t", "old"));
    world.ask(client, set("/topic/t", "kept"));
    world.ask(client, send("/topic/u", "lost", Retain::Set, Durability::Transient));
    world.sync();
    world.sync();
    world.engine = world.replayed(false);
    let client = world.client("c");
    world.ask(client, watch(1, "/topic/>", 10));
    let delivered = world.deliveries(client);
    assert_eq!(delivered.len(), 1);
    assert!(delivered[0].payload.position().is_some() && !delivered[0].redelivered);
}

#[test]
fn a_pattern_recalls_what_may_be_read_within_its_credit() {
    let mut world = World::new();
    let client = world.client("c");
    for topic in ["/topic/a", "/topic/secret", "/topic/b"] {
        world.ask(client, set(topic, topic));
    }
    world.sync();
    world.ask(client, watch(1, "/topic/*", 1));
    let first = world.deliveries(client);
    assert_eq!(first.iter().map(super::body).collect::<Vec<_>>(), ["/topic/a"]);
    world.ask(client, super::ack(first[0].message));
    assert_eq!(world.bodies(client), ["/topic/b"]);
}

#[test]
fn what_is_removed_is_not_recalled_also_if_it_was_on_its_way() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, set("/topic/t", "one"));
    world.ask(client, send("/topic/t", "gone", Retain::Remove, Durability::Persistent));
    world.sync();
    world.engine.tick(world.now, &mut world.effects);
    world.absorb();
    world.sync();
    world.ask(client, subscribe(1, "/topic/t", AckMode::Auto, 10));
    assert!(world.deliveries(client).is_empty());
    assert!(world.engine.queues().is_empty(), "nothing is left of it");
    world.ask(client, set("/topic/t", "again"));
    world.sync();
    let engine = world.replayed(true);
    assert_eq!(engine.queues().len(), 1);
}
