//! Who of several consumers is served: the one with the highest priority, the one that is alone; and on a topic not the one
//! that has sent the message.

use super::*;
use crate::model::{End, Manner};

fn join(id: u32, to: &str, credit: u32, manner: Manner) -> Request {
    match subscribe(id, to, AckMode::ClientIndividual, credit) {
        Request::Subscribe(subscribe) => manner.request(subscribe),
        other => other,
    }
}

fn ranked(priority: i32) -> Manner {
    Manner { priority, ..Manner::default() }
}

fn alone() -> Manner {
    Manner { exclusive: true, ..Manner::default() }
}

#[test]
fn the_highest_priority_is_served_first_while_it_has_credit() {
    let mut world = World::new();
    let [low, high, usual, also] = ["l", "h", "u", "a"].map(|owner| world.client(owner));
    world.ask(low, join(1, "/queue/q", 10, ranked(-1)));
    world.ask(high, join(1, "/queue/q", 2, ranked(7)));
    world.ask(usual, join(1, "/queue/q", 1, ranked(0)));
    world.ask(also, join(1, "/queue/q", 1, Manner::default()));
    for number in 1..=6 {
        world.ask(low, send_transient("/queue/q", &number.to_string()));
    }
    let held = world.deliveries(high);
    assert_eq!(held.iter().map(body).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!((world.bodies(usual), world.bodies(also)), (vec!["3".into()], vec!["4".into()]));
    assert_eq!(world.bodies(low), ["5", "6"]);
    world.ask(high, ack(held[0].message));
    world.ask(low, send_transient("/queue/q", "7"));
    assert_eq!(world.bodies(high), ["7"]);
}

#[test]
fn only_one_exclusive_consumer_is_served_and_the_next_in_line_follows() {
    let mut world = World::new();
    let [plain, first, second] = ["p", "f", "s"].map(|owner| world.client(owner));
    world.ask(plain, join(1, "/queue/q", 10, Manner::default()));
    world.ask(first, join(1, "/queue/q", 2, alone()));
    world.ask(second, join(1, "/queue/q", 10, alone()));
    for number in 1..=3 {
        world.ask(plain, send_transient("/queue/q", &number.to_string()));
    }
    assert_eq!(world.bodies(first), ["1", "2"]);
    assert!(world.deliveries(second).is_empty() && world.deliveries(plain).is_empty(), "although there is no credit");
    world.close(first, Departure::Clean);
    assert_eq!(world.bodies(second), ["1", "2", "3"]);
    world.ask(plain, send_transient("/queue/q", "4"));
    world.close(second, Departure::Clean);
    assert_eq!(world.bodies(plain), ["1", "2", "3", "4"], "nobody wants to be alone any more");
}

#[test]
fn a_policy_has_one_consumer_at_a_time_served() {
    let mut world = World::new();
    world.engine.options.policies.default.exclusive_consumer = true;
    let [first, second] = ["f", "s"].map(|owner| world.client(owner));
    world.ask(first, join(1, "/queue/q", 1, Manner::default()));
    world.ask(second, join(1, "/queue/q", 10, Manner::default()));
    for number in 1..=2 {
        world.ask(first, send_transient("/queue/q", &number.to_string()));
    }
    assert_eq!((world.bodies(first), world.bodies(second).len()), (vec!["1".to_owned()], 0));
    world.close(first, Departure::Clean);
    assert_eq!(world.bodies(second), ["1", "2"]);
}

#[test]
fn who_stands_in_line_for_a_queue_finds_it_empty() {
    let mut world = World::new();
    let (first, second) = (world.client("f"), world.client("s"));
    world.ask(first, join(1, "/queue/q", 1, alone()));
    for number in 1..=3 {
        world.ask(first, send_transient("/queue/q", &number.to_string()));
    }
    world.ask(second, join(1, "/queue/q", 1, Manner { until_empty: true, ..alone() }));
    let ends =
        world.told.iter().any(|(to, event)| *to == second && matches!(event, Event::End { why: End::Empty, .. }));
    assert!(ends, "nothing is there for it");
}

#[test]
fn a_pattern_may_be_read_alone_and_by_rank_in_each_of_its_queues() {
    let mut world = World::new();
    let (plain, sole) = (world.client("p"), world.client("s"));
    world.ask(plain, join(1, "/queue/q.a", 10, Manner::default()));
    let Request::Subscribe(mut wish) = subscribe(1, "/queue/q.a", AckMode::ClientIndividual, 10) else { return };
    wish.to = wildcards::wildcard("/queue/q.*");
    world.ask(sole, alone().request(wish));
    world.ask(plain, send_transient("/queue/q.a", "1"));
    world.ask(plain, send_transient("/queue/q.b", "2"));
    assert_eq!(world.bodies(sole), ["1", "2"]);
    world.ask(sole, Request::Unsubscribe(SubscriptionId(1)));
    assert_eq!(world.bodies(plain), ["1"]);
}

#[test]
fn a_session_need_not_hear_itself_on_a_topic() {
    let mut world = World::new();
    let (one, two) = (world.client("o"), world.client("t"));
    let quiet = Manner { no_local: true, ..Manner::default() };
    world.ask(one, join(1, "/topic/t", 10, quiet));
    world.ask(one, join(2, "/topic/t", 10, Manner::default()));
    world.ask(two, join(1, "/topic/t", 10, quiet));
    world.ask(one, send_transient("/topic/t", "from one"));
    let heard: Vec<_> = world.deliveries(one).iter().map(|delivery| delivery.subscription.0).collect();
    assert_eq!(heard, [2], "the other subscription wants it");
    assert_eq!(world.bodies(two), ["from one"]);
    let inside = Action::Publish(Publish { to: name("/topic/t"), message: message("x"), key: None, retain: None });
    world.ask(two, Request::Commit(vec![inside]));
    assert!(world.deliveries(two).is_empty());
    assert_eq!(world.deliveries(one).len(), 2);
}
