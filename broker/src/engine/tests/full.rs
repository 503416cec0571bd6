//! Time on a full disk: what would make a new message waits, what finishes work goes on. That no record of a new message
//! comes about meanwhile is asserted wherever records are taken.

use std::sync::Arc;

use super::feeds::follow;
use super::schedule::{every, once};
use super::*;
use crate::destination::Policy;
use crate::model::{Feed, Retain, Room, Source, StateBytes, Terms};

fn world(policy: Policy) -> (World, SessionId) {
    let policies = Policies { default: policy, rules: Vec::new() };
    let mut world = World::with(Options { policies, ..Options::default() });
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 1000));
    (world, client)
}

/// A durable subscription that is not there yet.
fn other() -> Request {
    let Request::Subscribe(mut wish) = follow(3, "/topic/other", None, true) else { unreachable!("a subscription") };
    if let Source::Feed(feed) = &wish.to {
        let queue = DestinationName::subscription("me/~/other/t").expect("a name");
        wish.to = Source::Feed(Arc::new(Feed { queue, ..(**feed).clone() }));
    }
    Request::Subscribe(wish)
}

#[test]
fn a_state_at_its_limit_takes_nothing_that_adds_to_it_and_goes_on() {
    let (mut world, client) = world(Policy::default());
    assert!(world.ask(client, send("/queue/a", "held")).is_done());
    world.sync();
    let held = world.deliveries(client);
    world.ask(client, follow(2, "/topic/t", None, true));
    world.engine.set_state(StateBytes { used: 100, most: 100 });
    let with = |key: Option<&str>, terms: Option<Terms>, durability| {
        let message = Message { durability, terms: terms.map(Box::new), ..message("more") };
        Publish { to: name("/queue/a"), message, key: key.map(Into::into), retain: None }
    };
    let life = Terms { expires: Some(Timestamp(1_000_000)), ..Terms::default() };
    let refused = Refusal::StateFull { used: 100, limit: 100 };
    let keyed = with(Some("k"), None, Durability::Persistent);
    let requests = [
        Request::Publish(keyed.clone()),
        Request::Publish(with(None, Some(life.clone()), Durability::Persistent)),
        Request::Commit(vec![Action::Publish(keyed)]),
        other(),
    ];
    for request in requests {
        assert!(world.engine.has_to_wait(&request));
        assert_eq!(world.try_ask(client, request), Err(refused.clone()));
    }
    assert_eq!(refused.to_string(), "limits.state is 100 bytes and 100 are used: nothing is taken that adds to them");
    // What is not kept by the log, adds nothing, or finishes something.
    let requests = [
        Request::Publish(with(None, Some(life), Durability::Transient)),
        send("/queue/a", "plain"),
        follow(4, "/topic/t", None, true),
        ack(held[0].message),
    ];
    for request in requests {
        assert!(!world.engine.has_to_wait(&request));
        assert!(world.ask(client, request).is_done());
    }
    world.engine.set_state(StateBytes { used: 99, most: 100 });
    assert!(world.ask(client, other()).is_done());
}

#[test]
fn a_schedule_waits_for_room_and_what_it_missed_is_sent_once() {
    let (mut world, client) = world(Policy::default());
    world.plan(client, "/queue/a", "tick", every(100, None));
    world.plan(client, "/queue/a", "once", once(50));
    world.engine.set_full(true);
    let records = world.log.len();
    for _ in 0..10 {
        world.elapse(100);
    }
    assert_eq!(world.log.len(), records, "a postponed schedule writes nothing");
    let asks_again = world.now.monotonic + Duration::from_secs(1);
    assert_eq!(world.engine.deadline(world.now), Some(asks_again));
    assert!(world.bodies(client).is_empty());
    world.engine.set_full(false);
    assert!(world.engine.deadline(world.now) <= Some(world.now.monotonic), "at once, whether a client asks or not");
    world.elapse(0);
    let mut bodies = world.bodies(client);
    bodies.sort();
    assert_eq!(bodies, ["once", "tick"]);
    world.elapse(100);
    assert_eq!(world.bodies(client), ["tick"]);
}

#[test]
fn a_start_on_a_full_disk_postpones_and_a_disk_that_fills_up_while_a_content_is_read_does_too() {
    let (mut world, client) = world(Policy::default());
    world.plan(client, "/queue/a", "once", once(50));
    world.engine = world.replayed(true);
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 1000));
    world.engine.set_full(true);
    world.elapse(100);
    world.engine.set_full(false);
    world.engine.tick(world.now, &mut world.effects);
    let unread = world.engine.next_unread(world.now, &mut world.effects).expect("the schedule's content");
    world.engine.set_full(true);
    let read = unread.messages.iter().map(|(id, position)| (*id, world.stored(*position))).collect();
    world.engine.heads_read(world.now, unread.destination, read, &mut world.effects);
    world.absorb();
    world.elapse(100);
    assert!(world.bodies(client).is_empty());
    world.engine.set_full(false);
    world.elapse(0);
    assert_eq!(world.bodies(client), ["once"]);
}

#[test]
fn what_expires_on_a_full_disk_becomes_a_dead_letter() {
    let policy = Policy { expiry_ms: Some(100), dead_letter_expired: true, ..Policy::default() };
    let (mut world, client) = world(policy);
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    world.ask(client, send("/queue/a", "durable"));
    world.ask(client, send_transient("/queue/a", "in memory"));
    world.sync();
    world.engine.set_full(true);
    world.elapse(100);
    world.ask(client, subscribe(2, "/queue/DLQ.a", AckMode::ClientIndividual, 10));
    assert_eq!(world.bodies(client), ["durable", "in memory"]);
}

#[test]
fn a_copy_of_a_retained_message_waits_for_room() {
    let mut world = World::new();
    let client = world.client("c");
    let publish = Publish { to: name("/topic/t"), message: message("kept"), key: None, retain: Some(Retain::Set) };
    world.ask(client, Request::Publish(publish));
    world.sync();
    for has_restarted in [false, true] {
        if has_restarted {
            world.engine = world.replayed(true);
        }
        let client = world.client("c");
        world.engine.set_full(true);
        world.ask(client, follow(1, "/topic/t", None, true));
        world.elapse(100);
        assert!(world.bodies(client).is_empty() && !world.engine.wants_heads());
        world.engine.set_full(false);
        world.elapse(0);
        assert_eq!(world.bodies(client), ["kept"]);
        world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
        world.ask(client, Request::Discard(DestinationName::subscription("me/~/news/t").expect("a name")));
        world.elapse(0);
    }
}

#[test]
fn what_a_topic_retains_does_not_spill_onto_a_full_disk() {
    let mut world = World::with(Options { transient_bytes: 10, ..Options::default() });
    let client = world.client("c");
    let message = Message { durability: Durability::Transient, ..message("more than there is room for") };
    let publish = || Publish { to: name("/topic/t"), message: message.clone(), key: None, retain: Some(Retain::Set) };
    world.engine.set_full(true);
    let records = world.log.len();
    assert!(world.engine.has_to_wait(&Request::Publish(publish())));
    assert_eq!(world.try_ask(client, Request::Publish(publish())), Err(Refusal::DiskFull));
    let actions = vec![Action::Publish(publish())];
    assert!(world.engine.has_to_wait(&Request::Commit(actions.clone())));
    assert_eq!(world.try_ask(client, Request::Commit(actions)), Err(Refusal::DiskFull));
    assert_eq!(world.log.len(), records);
    world.engine.set_full(false);
    assert!(world.ask(client, Request::Publish(publish())).is_done());
    assert!(world.log.len() > records, "it goes to the log where there is room");
}

#[test]
fn an_answer_that_should_be_durable_is_told_all_the_same() {
    let (mut world, client) = world(Policy::default());
    let waiter = Some(crate::model::Waiter { to: name("/queue/replies"), correlation: None });
    let terms = Terms { expires: Some(Timestamp(1000)), ..Terms::default() };
    let tracking = crate::model::Tracking { waiter, ..jobs::tracking(7) };
    world.ask(client, jobs::submit_on("/queue/b", message("x"), tracking, terms));
    world.sync();
    world.engine.set_full(true);
    world.elapse(2000);
    world.ask(client, subscribe(2, "/queue/replies", AckMode::ClientIndividual, 10));
    assert!(!world.deliveries(client).is_empty(), "the job is over, and who waited is told");
}

#[test]
fn dead_letters_of_time_wait_where_room_is_scarce_until_the_queue_is_read() {
    let policy = Policy { expiry_ms: Some(100), dead_letter_expired: true, ..Policy::default() };
    let (mut world, client) = world(policy);
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    world.ask(client, send("/queue/a", "a"));
    world.ask(client, send("/queue/b", "b"));
    world.sync();
    world.engine.set_full(true);
    world.engine.set_room(Room::Scarce);
    let records = world.log.len();
    for _ in 0..3 {
        world.elapse(100);
    }
    assert_eq!(world.log.len(), records, "nothing is added by time");
    let asks_again = world.now.monotonic + Duration::from_secs(1);
    assert_eq!(world.engine.deadline(world.now), Some(asks_again));
    // What is read can be finished.
    world.ask(client, subscribe(2, "/queue/a", AckMode::ClientIndividual, 10));
    world.ask(client, subscribe(3, "/queue/DLQ.a", AckMode::ClientIndividual, 10));
    world.sync();
    assert_eq!(world.deliveries(client).len(), 1);
    world.engine.set_full(false);
    world.engine.set_room(Room::Enough);
    assert!(world.engine.deadline(world.now) <= Some(world.now.monotonic), "at once, whether a client asks or not");
    world.elapse(0);
    world.ask(client, subscribe(4, "/queue/DLQ.b", AckMode::ClientIndividual, 10));
    world.sync();
    assert_eq!(world.deliveries(client).len(), 1);
}

#[test]
fn what_was_delayed_is_woken_where_room_is_scarce_once_the_queue_is_read() {
    let (mut world, client) = world(Policy::default());
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    for queue in ["/queue/a", "/queue/b"] {
        let due = Some(Timestamp(world.now.wall.0 + 100));
        let message = Message { terms: Some(Box::new(Terms { due, ..Terms::default() })), ..message(queue) };
        world.ask(client, Request::Publish(Publish { to: name(queue), message, key: None, retain: None }));
    }
    world.sync();
    world.engine.set_full(true);
    world.engine.set_room(Room::Scarce);
    let records = world.log.len();
    for _ in 0..3 {
        world.elapse(100);
    }
    assert_eq!(world.log.len(), records, "nothing is added by time");
    let asks_again = world.now.monotonic + Duration::from_secs(1);
    assert_eq!(world.engine.deadline(world.now), Some(asks_again));
    world.ask(client, subscribe(2, "/queue/a", AckMode::ClientIndividual, 10));
    world.elapse(0);
    world.sync();
    assert_eq!(world.bodies(client), ["/queue/a"], "what is read can be finished");
    world.engine.set_full(false);
    world.engine.set_room(Room::Enough);
    world.elapse(0);
    world.ask(client, subscribe(3, "/queue/b", AckMode::ClientIndividual, 10));
    world.sync();
    assert_eq!(world.bodies(client), ["/queue/b"]);
}

#[test]
fn a_log_without_any_room_gets_nothing_more_and_goes_on_when_there_is_some() {
    let policy = Policy { expiry_ms: Some(1000), dead_letter_expired: true, ..Policy::default() };
    let (mut world, client) = world(policy);
    for body in ["held", "other"] {
        world.ask(client, send("/queue/a", body));
    }
    world.sync();
    let held = world.deliveries(client);
    world.ask(client, send("/queue/b", "waits"));
    world.sync();
    world.engine.set_full(true);
    world.engine.set_room(Room::None);
    let records = world.log.len();
    let requests = [ack(held[0].message), Request::Commit(Vec::new()), send("/queue/a", "more")];
    for request in requests {
        assert!(world.engine.may_have_to_wait() && world.engine.has_to_wait(&request));
        assert_eq!(world.try_ask(client, request), Err(Refusal::DiskFull));
    }
    world.ask(client, subscribe(2, "/queue/b", AckMode::ClientIndividual, 10));
    for _ in 0..3 {
        world.elapse(1000);
    }
    assert!(world.bodies(client).is_empty(), "what is handed out would have to be settled");
    assert_eq!(world.log.len(), records);
    let asks_again = world.now.monotonic + Duration::from_secs(1);
    assert_eq!(world.engine.deadline(world.now), Some(asks_again));
    world.engine.set_full(false);
    world.engine.set_room(Room::Enough);
    assert!(world.ask(client, ack(held[0].message)).is_done());
    world.elapse(0);
    world.ask(client, subscribe(3, "/queue/DLQ.b", AckMode::ClientIndividual, 10));
    assert_eq!(world.bodies(client), ["waits"]);
}
