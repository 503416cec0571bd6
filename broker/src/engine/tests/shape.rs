//! Queues that come into being with limits of their own.

use super::*;
use crate::destination::Policy;
use crate::model::{Limits, Shape};

impl World {
    fn shape(&mut self, client: SessionId, queue: &str, limits: Limits) -> Answer {
        let shape = Shape { queue: Some(name(queue)), limits, more: false, may_create: true };
        self.ask(client, Request::Shape(Box::new(shape)))
    }

    fn waiting(&self, queue: &str) -> Option<usize> {
        self.engine.queues().iter().find(|view| view.name.as_str() == queue).map(|view| view.ready)
    }
}

fn short() -> Limits {
    Limits { max_length: Some(2), drops_oldest: Some(true), ..Limits::default() }
}

#[test]
fn a_queue_keeps_the_limits_that_it_was_made_with_through_a_restart() {
    let mut world = World::new();
    let client = world.client("c");
    assert_eq!(world.shape(client, "/queue/a", short()), Answer::Done);
    for _ in 0..2 {
        for number in 0..5 {
            world.ask(client, send("/queue/a", &number.to_string()));
        }
        world.sync();
        assert_eq!(world.waiting("/queue/a"), Some(2));
        assert_eq!(world.shape(client, "/queue/a", short()), Answer::Done, "the same again");
        let other = Limits { max_length: Some(7), ..Limits::default() };
        assert_eq!(world.shape(client, "/queue/a", other), Answer::Unheeded);
        world.engine = world.replayed(true);
        world.log.truncate(world.unsynced);
        world.client("c");
    }
}

#[test]
fn policies_come_first_and_bounds_stay() {
    let rule = PolicyRule { max_length: Some(3), ..PolicyRule::new(Pattern::parse("/queue/a").expect("a pattern")) };
    let default = Policy { max_length: 10, ..Policy::default() };
    let mut world = World::with(Options { policies: Policies { default, rules: vec![rule] }, ..Options::default() });
    let client = world.client("c");
    assert_eq!(world.shape(client, "/queue/a", short()), Answer::Unheeded, "the policy says 3");
    let large = Limits { max_length: Some(11), ..Limits::default() };
    assert_eq!(world.shape(client, "/queue/b", large), Answer::Unheeded, "nobody gets more than any");
    for number in 0..5 {
        world.ask(client, send("/queue/a", &number.to_string()));
    }
    world.sync();
    assert_eq!(world.waiting("/queue/a"), Some(3), "what is not the policy's is granted");
    world.engine.set_policies(Policies::default());
    assert_eq!(world.engine.apply_policies(None, &world.effects), None, "it is one queue");
    world.ask(client, send("/queue/a", "6"));
    world.sync();
    assert_eq!(world.waiting("/queue/a"), Some(2), "what was asked for holds where the policy does not say");
}

#[test]
fn who_may_make_no_queues_gets_none_with_limits() {
    let mut world = World::new();
    let client = world.client("c");
    let shape = Shape { queue: Some(name("/queue/a")), limits: short(), more: false, may_create: false };
    assert_eq!(world.ask(client, Request::Shape(Box::new(shape))), Answer::Unheeded);
    assert_eq!(world.waiting("/queue/a"), None);
    let nothing = Shape { queue: None, limits: Limits::default(), more: true, may_create: true };
    assert_eq!(world.ask(client, Request::Shape(Box::new(nothing))), Answer::Unheeded);
}

#[test]
fn a_queue_may_go_with_its_last_reader_and_all_that_is_in_it() {
    let mut world = World::new();
    let client = world.client("c");
    let limits = Limits { auto_delete: true, ..Limits::default() };
    assert_eq!(world.shape(client, "/queue/a", limits), Answer::Done);
    world.ask(client, send("/queue/a", "before anybody came"));
    world.sync();
    assert_eq!(world.waiting("/queue/a"), Some(1));
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 1));
    world.ask(client, subscribe(2, "/queue/a", AckMode::ClientIndividual, 1));
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    assert!(world.waiting("/queue/a").is_some(), "somebody is left");
    world.ask(client, Request::Unsubscribe(SubscriptionId(2)));
    world.wait(1);
    world.sync();
    assert_eq!(world.waiting("/queue/a"), None);
    assert!(world.replayed(true).queues().is_empty());
}

#[test]
fn a_queue_may_be_kept_empty_for_a_time_of_its_own() {
    let mut world = World::new();
    let client = world.client("c");
    let limits = |ms| Limits { idle_ms: Some(ms), ..Limits::default() };
    world.shape(client, "/queue/short", limits(1000));
    world.shape(client, "/queue/long", limits(600_000));
    world.wait(1001);
    assert_eq!((world.waiting("/queue/short"), world.waiting("/queue/long")), (None, Some(0)));
    world.wait(599_000);
    assert_eq!(world.waiting("/queue/long"), None);
}

#[test]
fn life_deliveries_and_dead_letters_follow_what_was_asked_for() {
    let mut world = World::new();
    let client = world.client("c");
    let dead_letter = Some(name("/queue/failed"));
    let limits = Limits { expiry_ms: Some(100), max_deliveries: Some(1), dead_letter, ..Limits::default() };
    assert_eq!(world.shape(client, "/queue/a", limits), Answer::Done);
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 1));
    world.ask(client, send("/queue/a", "fails"));
    world.ask(client, send("/queue/a", "expires"));
    world.sync();
    let id = world.deliveries(client)[0].message;
    world.wait(101);
    world.ask(client, nack(id));
    assert_eq!((world.waiting("/queue/failed"), world.waiting("/queue/a")), (Some(1), Some(0)));
}
