//! Nothing leaves before its record is durable: not what comes back, nor what comes from another queue.

use std::sync::Arc;

use super::*;
use crate::model::{Candidate, End, Filter, Manner, Operation, States, Transfer};

#[derive(Debug)]
struct Everything;

impl Filter for Everything {
    fn wants(&self, _: &Candidate<'_>) -> bool {
        true
    }
}

fn move_to(to: &str) -> Operation {
    let states = States { ready: true, delayed: true, buried: true };
    Operation::Move(Transfer { to: Some(name(to)), states, count: None, rate: None })
}

/// Two durable messages, of which a client holds the first.
fn world() -> (World, SessionId, MessageId) {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 1));
    world.ask(client, send("/queue/a", "one"));
    world.ask(client, send("/queue/a", "two"));
    world.sync();
    let id = world.deliveries(client)[0].message;
    (world, client, id)
}

#[test]
fn what_comes_back_waits_for_its_record_and_is_not_overtaken() {
    for outcome in [Outcome::Release, Outcome::Retry { reason: None, delay_ms: Some(0) }] {
        let (mut world, client, id) = world();
        let other = world.client("o");
        world.ask(other, subscribe(1, "/queue/a", AckMode::Auto, 1));
        assert_eq!(world.deliveries(other).len(), 1, "the second message is for anybody");
        world.ask(client, send("/queue/a", "three"));
        world.ask(client, settle(id, outcome));
        assert!(world.deliveries(client).is_empty(), "the log does not have it yet");
        world.sync();
        assert_eq!(world.deliveries(client)[0].message, id, "it is the first again");
    }
}

#[test]
fn a_lost_connection_gives_nothing_to_others_before_the_log_knows() {
    let (mut world, client, id) = world();
    let other = world.client("o");
    world.close(client, Departure::Lost);
    world.ask(other, subscribe(1, "/queue/a", AckMode::Client, 10));
    assert!(world.deliveries(other).is_empty(), "neither what it held nor what stands behind that");
    world.sync();
    let got: Vec<_> = world.deliveries(other).iter().map(|d| (d.message == id, d.attempt)).collect();
    assert_eq!(got, [(true, 2), (false, 1)]);
}

#[test]
fn a_dead_letter_waits_for_its_record_whoever_selects() {
    for filter in [None, Some(Arc::new(Everything) as Arc<dyn Filter>)] {
        let (mut world, client, id) = world();
        let Request::Subscribe(wish) = subscribe(2, "/queue/DLQ.a", AckMode::Auto, 10) else { panic!() };
        world.ask(client, Request::Subscribe(Subscribe { filter, ..wish }));
        world.ask(client, settle(id, Outcome::DeadLetter { reason: None }));
        let dead = |world: &mut World| world.deliveries(client).iter().filter(|d| d.death.is_some()).count();
        assert_eq!(dead(&mut world), 0);
        world.engine.tick(world.now, &mut world.effects);
        world.absorb();
        assert_eq!(dead(&mut world), 0, "time alone does not bring it");
        world.sync();
        let contents = world.engine.next_unread(world.now, &mut world.effects);
        if let Some(unread) = contents {
            let heads = unread.messages.into_iter().map(|(id, _)| (id, Some(message("one").content))).collect();
            world.engine.heads_read(world.now, unread.destination, heads, &mut world.effects);
            world.absorb();
        }
        assert_eq!(dead(&mut world), 1);
    }
}

#[test]
fn what_was_moved_is_handed_out_behind_what_was_there_when_the_log_has_it() {
    let (mut world, client, id) = world();
    world.ask(client, settle(id, Outcome::Release));
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    world.ask(client, subscribe(2, "/queue/b", AckMode::Auto, 10));
    world.manage(client, move_to("/queue/b"), "/queue/a");
    world.ask(client, send_transient("/queue/b", "behind it"));
    assert!(world.deliveries(client).is_empty());
    world.sync();
    assert_eq!(world.bodies(client), ["(stored)", "two", "behind it"]);
}

#[test]
fn what_is_kicked_while_its_burial_is_on_the_way_waits_for_that() {
    let (mut world, client, id) = world();
    world.ask(client, settle(id, Outcome::Bury));
    world.manage(client, Operation::Kick { count: 1 }, "/queue/a");
    assert!(world.deliveries(client).iter().all(|delivery| delivery.message != id));
    world.sync();
    world.ask(client, subscribe(3, "/queue/a", AckMode::Auto, 10));
    assert!(world.deliveries(client).iter().any(|delivery| delivery.message == id));
}

#[test]
fn what_is_gone_again_before_the_log_has_it_is_not_missed() {
    let (mut world, client, id) = world();
    world.ask(client, settle(id, Outcome::Release));
    let all = States { ready: true, delayed: true, buried: true };
    world.manage(client, Operation::Purge(all), "/queue/a");
    world.ask(client, send("/queue/a", "three"));
    world.sync();
    assert_eq!(world.deliveries(client).len(), 1, "the new one, which nothing holds back");
}

#[test]
fn a_consumer_until_empty_waits_for_what_is_withheld() {
    let (mut world, client, id) = world();
    let other = world.client("o");
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    let manner = Manner { until_empty: true, ..Manner::default() };
    let Request::Subscribe(wish) = subscribe(1, "/queue/a", AckMode::Auto, 10) else { panic!() };
    world.ask(other, manner.request(wish));
    assert!(world.told.iter().all(|(_, event)| !matches!(event, Event::End { .. })), "it is not empty");
    world.sync();
    let told = std::mem::take(&mut world.told);
    let first = told.iter().find_map(|(_, event)| match event {
        Event::Deliver(delivery) => Some(delivery.message),
        _ => None,
    });
    assert_eq!(first, Some(id));
    assert!(told.iter().any(|(_, event)| matches!(event, Event::End { why: End::Empty, .. })));
}
