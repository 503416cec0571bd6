//! What a new durable subscription gets of what is retained.

use super::feeds::follow;
use super::{World, ack, message, name};
use crate::engine::Departure;
use crate::model::{Durability, Message, Publish, Record, Request, Retain};

fn set(to: &str, body: &str) -> Request {
    Request::Publish(Publish { to: name(to), message: message(body), key: None, retain: Some(Retain::Set) })
}

#[test]
fn the_retained_message_comes_first_and_has_to_be_acknowledged() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, set("/topic/t", "kept"));
    world.ask(client, super::send("/topic/t", "passed"));
    world.sync();
    world.ask(client, follow(1, "/topic/t", None, true));
    world.ask(client, super::send("/topic/t", "next"));
    world.sync();
    let got = world.deliveries(client);
    assert_eq!(got.iter().map(super::body).collect::<Vec<_>>(), ["kept", "next"]);
    world.close(client, Departure::Lost);
    let client = world.client("c");
    world.ask(client, follow(1, "/topic/t", None, true));
    world.sync();
    let again = world.deliveries(client);
    assert_eq!(again.len(), 2, "not a third time, but what was not acknowledged");
    world.ask(client, ack(again[0].message));
    assert_eq!(again[0].message, got[0].message);
}

#[test]
fn it_survives_a_restart_before_anybody_has_read_it() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, set("/topic/t", "kept"));
    world.ask(client, follow(1, "/topic/t", None, true));
    world.sync();
    assert_eq!(world.bodies(client), ["kept"]);
    world.close(client, Departure::Clean);
    world.sync();
    world.engine = world.replayed(true);
    let client = world.client("c");
    world.ask(client, follow(1, "/topic/t", None, true));
    assert_eq!(world.deliveries(client).len(), 1);
}

#[test]
fn one_that_only_the_log_has_is_read_first() {
    let mut world = World::new();
    let client = world.client("c");
    for topic in ["/topic/a.one", "/topic/a.two", "/topic/b"] {
        world.ask(client, set(topic, topic));
    }
    world.sync();
    world.engine = world.replayed(true);
    let client = world.client("c");
    world.ask(client, follow(1, "/topic/a.>", None, true));
    world.elapse(0);
    assert_eq!(world.bodies(client), ["/topic/a.one", "/topic/a.two"]);
    let copies = world.log.iter().filter(|(record, _)| matches!(record, Record::Accepted(_))).count();
    assert_eq!(copies, 5);
}

#[test]
fn one_that_is_replaced_while_it_is_read_is_left_out() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, set("/topic/t", "old"));
    world.sync();
    world.engine = world.replayed(true);
    let client = world.client("c");
    world.ask(client, follow(1, "/topic/t", None, true));
    let unread = world.engine.next_unread(world.now, &mut world.effects).expect("it is asked for");
    world.ask(client, set("/topic/t", "new"));
    world.sync();
    let read = unread.messages.iter().map(|(id, position)| (*id, world.stored(*position))).collect();
    world.engine.heads_read(world.now, unread.destination, read, &mut world.effects);
    world.absorb();
    world.sync();
    assert_eq!(world.bodies(client), ["new"]);
}

#[test]
fn what_lives_in_memory_is_given_too() {
    let mut world = World::new();
    let client = world.client("c");
    let Request::Publish(publish) = set("/topic/t", "light") else { unreachable!("a publish") };
    let message = Message { durability: Durability::Transient, ..publish.message };
    world.ask(client, Request::Publish(Publish { message, ..publish }));
    world.ask(client, follow(1, "/topic/t", None, true));
    world.sync();
    assert_eq!(world.bodies(client), ["light"]);
}
