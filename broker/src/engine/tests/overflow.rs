//! Queues that drop what has waited longest.

use super::wildcards::wildcard;
use super::{Options, World, ack, message, name, send, send_transient, settle, subscribe};
use crate::destination::Overflow;
use crate::engine::Engine;
use crate::model::{
    AckMode, Credit, Durability, Message, Outcome, Publish, Record, Refusal, Request, Subscribe, SubscriptionId, Terms,
    Timestamp,
};

fn ring(length: u64, bytes: u64) -> World {
    let mut options = Options::default();
    let policy = &mut options.policies.default;
    (policy.max_length, policy.max_bytes, policy.overflow) = (length, bytes, Overflow::DropOldest);
    World::with(options)
}

#[test]
fn the_newest_are_kept_and_the_log_forgets_the_others() {
    let mut world = ring(2, 1 << 20);
    let client = world.client("c");
    for number in 0..5 {
        world.ask(client, send("/queue/a", &number.to_string()));
    }
    world.sync();
    world.sync();
    assert_eq!(world.log.iter().filter(|(record, _)| matches!(record, Record::Settled(_))).count(), 3);
    let left = |engine: &Engine| engine.queues()[0].entries.iter().map(|entry| entry.message).collect::<Vec<_>>();
    assert_eq!(left(&world.replayed(true)), left(&world.engine));
    world.ask(client, subscribe(1, "/queue/a", AckMode::Auto, 10));
    assert_eq!(world.bodies(client), ["3", "4"]);
}

#[test]
fn what_is_out_is_not_touched_and_does_not_count() {
    let mut world = ring(1, 1 << 20);
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 2));
    for number in 0..5 {
        world.ask(client, send_transient("/queue/a", &number.to_string()));
    }
    let delivered = world.deliveries(client);
    assert_eq!(delivered.iter().map(super::body).collect::<Vec<_>>(), ["0", "1"]);
    world.ask(client, ack(delivered[0].message));
    assert_eq!(world.bodies(client), ["4"]);
}

#[test]
fn what_waits_for_its_time_is_not_dropped_but_takes_its_place() {
    let mut world = ring(2, 1 << 20);
    let client = world.client("c");
    let later = |body: &str| {
        let terms = Terms { due: Some(Timestamp(1_000_000)), ..Terms::default() };
        let message = Message { terms: Some(Box::new(terms)), ..message(body) };
        Request::Publish(Publish { to: name("/queue/a"), message, key: None, retain: None })
    };
    world.ask(client, later("delayed"));
    for body in ["one", "two"] {
        world.ask(client, send("/queue/a", body));
    }
    world.sync();
    world.sync();
    let view = &world.engine.queues()[0];
    assert_eq!((view.delayed, view.ready), (1, 1), "of those that are ready the newest stays");
    world.ask(client, later("delayed too"));
    world.sync();
    let refused = world.try_ask(client, send("/queue/a", "three"));
    assert!(matches!(refused, Err(Refusal::QueueFull { .. })), "full of what may not be dropped: {refused:?}");
}

#[test]
fn octets_count_too_and_one_message_always_stays() {
    let mut world = ring(100, 10);
    let client = world.client("c");
    for body in ["12345", "1234567", "a message of more than ten"] {
        world.ask(client, send_transient("/queue/a", body));
        assert_eq!(world.engine.queues()[0].entries.len(), 1);
    }
    world.ask(client, subscribe(1, "/queue/a", AckMode::Auto, 10));
    assert_eq!(world.bodies(client), ["a message of more than ten"]);
}

#[test]
fn the_least_urgent_do_not_push_out_what_goes_first() {
    let mut world = ring(1, 1 << 20);
    let client = world.client("c");
    for urgency in [1, 9] {
        let message = Message {
            urgency: crate::model::Urgency(urgency),
            durability: Durability::Transient,
            ..message(&urgency.to_string())
        };
        world.ask(client, Request::Publish(Publish { to: name("/queue/a"), message, key: None, retain: None }));
    }
    world.ask(client, subscribe(1, "/queue/a", AckMode::Auto, 10));
    assert_eq!(world.bodies(client), ["1"]);
}

#[test]
fn what_a_wildcard_subscription_has_credit_for_is_not_dropped() {
    let mut world = ring(1, 1 << 20);
    let client = world.client("c");
    let credit = Credit { messages: 1, bytes: 1 << 20 };
    world.ask(client, send_transient("/queue/a", "first"));
    world.ask(
        client,
        Request::Subscribe(Subscribe {
            id: SubscriptionId(1),
            to: wildcard("/queue/*"),
            mode: AckMode::ClientIndividual,
            credit,
            time_to_run_ms: None,
            filter: None,
        }),
    );
    world.ask(client, send_transient("/queue/a", "second"));
    let first = world.deliveries(client).remove(0);
    world.ask(client, settle(first.message, Outcome::Release));
    assert_eq!(world.bodies(client), ["first"], "given back, it is the first again");
}
