//! Subscriptions to patterns.

use std::sync::Arc;
use std::time::Duration;

use super::{World, ack, body, nack, send, send_transient, subscribe};
use crate::model::{AckMode, Credit, DestinationName, Reader, Request, Source, Subscribe, SubscriptionId, Wildcard};

/// Reads everything but what is secret.
#[derive(Debug)]
struct Curious;

impl Reader for Curious {
    fn may_read(&self, name: &DestinationName) -> bool {
        !name.path().contains("secret")
    }
}

pub(super) fn wildcard(text: &str) -> Source {
    Source::Wildcard(Arc::new(Wildcard::parse(text, Arc::new(Curious)).expect("a pattern")))
}

fn watch(id: u32, text: &str, mode: AckMode, messages: u32) -> Request {
    let credit = Credit { messages, bytes: 1 << 20 };
    Request::Subscribe(Subscribe {
        id: SubscriptionId(id),
        to: wildcard(text),
        mode,
        credit,
        time_to_run_ms: None,
        filter: None,
    })
}

#[test]
fn a_pattern_reaches_topics_that_are_there_and_topics_to_come() {
    let mut world = World::new();
    let (reader, writer) = (world.client("r"), world.client("w"));
    world.ask(writer, subscribe(1, "/topic/price.gold", AckMode::Auto, 1));
    world.ask(reader, watch(1, "/topic/price.*", AckMode::Auto, 100));
    for topic in ["/topic/price.gold", "/topic/price/tin", "/topic/price", "/topic/price.a.b", "/topic/other.x"] {
        world.ask(writer, send(topic, topic));
    }
    assert_eq!(world.bodies(reader), ["/topic/price.gold", "/topic/price/tin"]);
}

#[test]
fn each_spelling_of_the_rest_means_any_number_of_parts() {
    for text in ["/topic/a.>", "/topic/a.#", "/topic/a/**"] {
        let mut world = World::new();
        let client = world.client("c");
        world.ask(client, watch(1, text, AckMode::Auto, 100));
        for topic in ["/topic/a", "/topic/a.b", "/topic/a/b/c", "/topic/b"] {
            world.ask(client, send(topic, topic));
        }
        assert_eq!(world.bodies(client), ["/topic/a", "/topic/a.b", "/topic/a/b/c"], "{text}");
    }
}

#[test]
fn what_may_not_be_read_is_not_delivered() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, watch(1, "/topic/>", AckMode::Auto, 100));
    world.ask(client, watch(2, "/queue/>", AckMode::Auto, 100));
    for to in ["/topic/secret", "/topic/open", "/queue/secret", "/queue/open"] {
        world.ask(client, send_transient(to, to));
    }
    assert_eq!(world.bodies(client), ["/topic/open", "/queue/open"]);
    let secret = world.engine.queues().into_iter().find(|view| view.name.as_str() == "/queue/secret");
    assert_eq!(secret.map(|view| view.ready), Some(1), "it waits for somebody who may");
}

#[test]
fn dead_letters_are_read_by_those_who_ask_for_them() {
    let mut world = World::new();
    let (all, dead) = (world.client("a"), world.client("d"));
    world.ask(all, watch(1, "/queue/>", AckMode::ClientIndividual, 1));
    world.ask(dead, watch(1, "/queue/DLQ.*", AckMode::ClientIndividual, 1));
    world.ask(all, send_transient("/queue/a", "poison"));
    let delivered = world.deliveries(all);
    world.ask(all, super::settle(delivered[0].message, crate::model::Outcome::DeadLetter { reason: None }));
    assert!(world.deliveries(all).is_empty());
    let letters = world.deliveries(dead);
    assert_eq!(letters[0].from.as_deref().map(DestinationName::as_str), Some("/queue/DLQ.a"));
}

#[test]
fn one_credit_holds_over_all_queues_and_no_queue_is_forgotten() {
    let mut world = World::new();
    let client = world.client("c");
    for queue in ["/queue/q.a", "/queue/q.b", "/queue/q.c"] {
        for number in 0..3 {
            world.ask(client, send_transient(queue, &format!("{queue} {number}")));
        }
    }
    world.ask(client, watch(1, "/queue/q.*", AckMode::ClientIndividual, 2));
    let mut seen = Vec::new();
    loop {
        let delivered = world.deliveries(client);
        if delivered.is_empty() {
            break;
        }
        for delivery in delivered {
            seen.push(body(&delivery));
            assert!(world.engine.queues().iter().map(|view| view.reserved).sum::<usize>() <= 2);
            world.ask(client, ack(delivery.message));
        }
    }
    seen.sort();
    assert_eq!(seen.len(), 9, "{seen:?}");
}

#[test]
fn an_ack_in_client_mode_covers_what_came_before_from_other_queues_too() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, watch(1, "/queue/q.*", AckMode::Client, 10));
    for queue in ["/queue/q.a", "/queue/q.b"] {
        world.ask(client, send_transient(queue, queue));
    }
    let delivered = world.deliveries(client);
    assert_eq!(delivered.len(), 2);
    world.ask(client, ack(delivered[1].message));
    assert!(world.engine.queues().iter().all(|view| view.entries.is_empty()));
}

#[test]
fn a_failed_message_returns_to_its_own_queue() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, watch(1, "/queue/q.*", AckMode::ClientIndividual, 1));
    world.ask(client, send_transient("/queue/q.a", "x"));
    let first = world.deliveries(client);
    world.ask(client, nack(first[0].message));
    let second = world.deliveries(client);
    assert_eq!((second[0].message, second[0].attempt), (first[0].message, 2));
    world.close(client, super::Departure::Clean);
    let view = &world.engine.queues()[0];
    assert_eq!((view.ready, view.reserved, view.consumers), (1, 0, 0));
}

#[test]
fn a_pattern_keeps_no_destination_in_being_and_finds_it_again() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, watch(1, "/queue/>", AckMode::Auto, 10));
    for round in ["one", "two"] {
        world.ask(client, send_transient("/queue/a", round));
        let delivered = world.deliveries(client);
        assert_eq!(delivered.iter().map(body).collect::<Vec<_>>(), [round]);
        let through = delivered[0].number;
        world.ask(client, Request::Written { subscription: SubscriptionId(1), through });
        world.now.monotonic += Duration::from_secs(61);
        world.engine.tick(world.now, &mut world.effects);
        assert!(world.engine.queues().is_empty(), "an idle queue goes");
    }
}

#[test]
fn unsubscribing_ends_it_everywhere() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, watch(1, "/topic/>", AckMode::Auto, 10));
    world.ask(client, send("/topic/a", "one"));
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    world.ask(client, send("/topic/a", "two"));
    world.ask(client, send("/topic/b", "three"));
    assert_eq!(world.bodies(client), ["one"]);
    assert!(world.engine.watchers.is_empty());
}
