//! Subscriptions that pull, and such as end by themselves.

use super::*;
use crate::model::{Candidate, End, Filter, Grant, Manner, Take, Terms};

/// A subscription in a manner of its own to `/queue/q`, or to what `to` says.
fn take(id: u32, mode: AckMode, messages: u32, manner: Manner) -> Request {
    let Request::Subscribe(subscribe) = subscribe(id, "/queue/q", mode, messages) else { unreachable!() };
    Request::Take(Box::new(Take { subscribe, manner }))
}

fn grant(subscription: u32, messages: u32, bytes: u64) -> Request {
    Request::Grant(Grant { subscription: SubscriptionId(subscription), credit: Credit { messages, bytes } })
}

fn pulling() -> Manner {
    Manner { pull: Some(Credit { messages: 0, bytes: 0 }), ..Manner::default() }
}

fn waiting(ms: u32) -> Manner {
    Manner { wait_ms: Some(ms), ..Manner::default() }
}

fn until_empty() -> Manner {
    Manner { until_empty: true, ..Manner::default() }
}

fn limited(limit: u32) -> Manner {
    Manner { limit: Some(limit), ..Manner::default() }
}

impl World {
    fn fill(&mut self, client: SessionId, bodies: &[&str]) {
        for body in bodies {
            self.ask(client, send_transient("/queue/q", body));
        }
    }

    /// Bodies of deliveries, and ends in their places.
    fn story(&mut self, session: SessionId) -> Vec<String> {
        let (mine, others): (Vec<_>, _) =
            std::mem::take(&mut self.told).into_iter().partition(|(to, _)| *to == session);
        self.told = others;
        mine.into_iter()
            .filter_map(|(_, event)| match event {
                Event::Deliver(delivery) => Some(body(&delivery)),
                Event::End { subscription, why } => Some(format!("end {} {}", subscription.0, why.as_str())),
                _ => None,
            })
            .collect()
    }

    fn pass_time(&mut self, ms: u64) {
        self.now.monotonic += Duration::from_millis(ms);
        self.now.wall.0 += ms;
        self.engine.tick(self.now, &mut self.effects);
        self.absorb();
    }
}

#[test]
fn who_pulls_gets_what_it_grants_and_an_ack_returns_nothing() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, take(1, AckMode::ClientIndividual, 100, pulling()));
    world.fill(client, &["1", "2", "3", "4"]);
    assert!(world.story(client).is_empty());
    assert_eq!(world.ask(client, grant(1, 2, u64::MAX)), Answer::Done);
    let delivered = world.deliveries(client);
    assert_eq!(delivered.iter().map(body).collect::<Vec<_>>(), ["1", "2"]);
    for delivery in &delivered {
        world.ask(client, ack(delivery.message));
    }
    assert!(world.story(client).is_empty(), "an ACK alone returns no credit");
    world.ask(client, grant(1, 1, u64::MAX));
    assert_eq!(world.story(client), ["3"]);
}

#[test]
fn credit_that_was_granted_ahead_is_used_when_something_comes() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, take(1, AckMode::Auto, 100, pulling()));
    world.ask(client, grant(1, 1, u64::MAX));
    world.ask(client, grant(1, 1, u64::MAX));
    world.fill(client, &["1", "2", "3"]);
    assert_eq!(world.story(client), ["1", "2"]);
    world.ask(client, Request::Written { subscription: SubscriptionId(1), through: 2 });
    assert!(world.story(client).is_empty(), "being written returns no credit either");
}

#[test]
fn octets_may_be_granted_too_and_the_last_message_may_be_larger() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, take(1, AckMode::Client, 100, pulling()));
    world.fill(client, &["12345", "67890", "more"]);
    world.ask(client, grant(1, 10, 6));
    assert_eq!(world.story(client), ["12345", "67890"]);
    world.ask(client, grant(1, 0, 1));
    assert_eq!(world.story(client), ["more"]);
}

#[test]
fn however_much_is_granted_no_more_is_out_than_the_credit_allows() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, take(1, AckMode::Client, 2, pulling()));
    world.fill(client, &["1", "2", "3"]);
    world.ask(client, grant(1, u32::MAX, u64::MAX));
    world.ask(client, grant(1, u32::MAX, u64::MAX));
    let delivered = world.deliveries(client);
    assert_eq!(delivered.len(), 2);
    world.ask(client, ack(delivered[1].message));
    assert_eq!(world.story(client), ["3"], "the grant was not used up");
}

#[test]
fn a_grant_means_nothing_where_credit_comes_by_itself() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/q", AckMode::Client, 1));
    world.ask(client, take(2, AckMode::Client, 1, limited(9)));
    for id in [1, 2, 3] {
        assert_eq!(world.ask(client, grant(id, 5, 5)), Answer::Soft(SoftRefusal::BadRequest));
    }
}

#[test]
fn a_limit_ends_with_the_last_delivery_and_what_is_out_stays_out() {
    let mut world = World::new();
    let (client, other) = (world.client("c"), world.client("o"));
    world.fill(other, &["1", "2", "3"]);
    world.ask(client, take(1, AckMode::ClientIndividual, 100, limited(2)));
    let held: Vec<_> = world
        .told
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Deliver(delivery) => Some(delivery.message),
            _ => None,
        })
        .collect();
    assert_eq!(world.story(client), ["1", "2", "end 1 limit"]);
    world.ask(other, subscribe(1, "/queue/q", AckMode::Client, 100));
    assert_eq!(world.story(other), ["3"], "the first two are still held");
    assert_eq!(world.ask(client, ack(held[0])), Answer::Done);
    world.fill(other, &["4"]);
    assert!(world.story(client).is_empty(), "and an ACK brings no more");
    world.close(client, Departure::Lost);
    assert_eq!(world.story(other), ["4", "2"]);
}

#[test]
fn until_empty_ends_when_there_is_room_and_nothing_for_it() {
    let mut world = World::new();
    let client = world.client("c");
    world.fill(client, &["1", "2"]);
    world.ask(client, take(1, AckMode::ClientIndividual, 1, until_empty()));
    let first = world.deliveries(client).remove(0);
    assert!(world.story(client).is_empty());
    world.ask(client, ack(first.message));
    let second = world.deliveries(client).remove(0);
    world.ask(client, ack(second.message));
    assert_eq!(world.story(client), ["end 1 empty"]);
}

#[test]
fn until_empty_in_auto_mode_takes_what_is_there_at_once() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, take(1, AckMode::Auto, 100, until_empty()));
    assert_eq!(world.story(client), ["end 1 empty"]);
    world.fill(client, &["1", "2"]);
    world.ask(client, take(2, AckMode::Auto, 100, until_empty()));
    assert_eq!(world.story(client), ["1", "2", "end 2 empty"]);
    world.ask(client, Request::Written { subscription: SubscriptionId(2), through: 2 });
    assert!(world.engine.queues()[0].entries.is_empty());
}

#[test]
fn what_is_delayed_or_held_by_others_does_not_keep_a_queue_from_being_empty() {
    let mut world = World::new();
    let (client, holder) = (world.client("c"), world.client("h"));
    world.ask(holder, subscribe(1, "/queue/q", AckMode::ClientIndividual, 1));
    world.fill(holder, &["held", "delayed"]);
    let held = world.deliveries(holder).remove(0);
    world.ask(client, take(1, AckMode::ClientIndividual, 100, Manner::default()));
    let delayed = world.deliveries(client).remove(0);
    world.ask(client, settle(delayed.message, Outcome::Retry { reason: None, delay_ms: Some(1000) }));
    world.ask(client, take(2, AckMode::ClientIndividual, 100, until_empty()));
    assert_eq!(world.story(client), ["end 2 empty"]);
    world.ask(holder, ack(held.message));
}

#[test]
fn a_wait_ends_when_nothing_came_for_so_long() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, take(1, AckMode::Client, 100, waiting(500)));
    world.pass_time(499);
    assert!(world.story(client).is_empty());
    assert_eq!(world.engine.deadline(world.now), Some(Duration::from_millis(500)));
    world.pass_time(1);
    assert_eq!(world.story(client), ["end 1 wait"]);
    world.fill(client, &["late"]);
    assert!(world.story(client).is_empty());
}

#[test]
fn a_wait_begins_again_with_each_delivery_and_stands_still_without_room() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, take(1, AckMode::ClientIndividual, 1, waiting(500)));
    world.pass_time(400);
    world.fill(client, &["1"]);
    let first = world.deliveries(client).remove(0);
    world.pass_time(10_000);
    assert!(world.story(client).is_empty(), "it has no room: the worker works");
    world.ask(client, ack(first.message));
    world.pass_time(400);
    world.fill(client, &["2"]);
    let second = world.deliveries(client).remove(0);
    world.ask(client, ack(second.message));
    world.pass_time(499);
    assert!(world.story(client).is_empty());
    world.pass_time(1);
    assert_eq!(world.story(client), ["end 1 wait"]);
}

#[test]
fn a_wait_of_nothing_asks_whether_something_is_there() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, take(1, AckMode::Auto, 100, waiting(0)));
    assert_eq!(world.story(client), ["end 1 wait"]);
}

#[test]
fn who_pulls_waits_only_while_it_has_granted_something() {
    let mut world = World::new();
    let client = world.client("c");
    let manner = Manner { wait_ms: Some(100), limit: Some(5), ..pulling() };
    world.ask(client, take(1, AckMode::Client, 100, manner));
    world.pass_time(1000);
    assert!(world.story(client).is_empty());
    world.ask(client, grant(1, 1, u64::MAX));
    world.pass_time(99);
    world.fill(client, &["1"]);
    world.pass_time(1000);
    assert_eq!(world.story(client), ["1"]);
    world.ask(client, grant(1, 1, u64::MAX));
    world.pass_time(100);
    assert_eq!(world.story(client), ["end 1 wait"]);
}

#[test]
fn a_subscription_that_has_ended_can_be_unsubscribed_and_gives_back_what_it_holds() {
    let mut world = World::new();
    let client = world.client("c");
    world.fill(client, &["1", "2"]);
    world.ask(client, take(1, AckMode::ClientIndividual, 100, limited(1)));
    assert_eq!(world.story(client), ["1", "end 1 limit"]);
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    world.ask(client, take(2, AckMode::ClientIndividual, 100, until_empty()));
    assert_eq!(world.story(client), ["1", "2", "end 2 empty"]);
}

#[test]
fn an_ended_subscription_leaves_its_unused_credit_to_others() {
    let unsettled_per_session = Credit { messages: 10, bytes: 1 << 30 };
    let mut world = World::with(Options { unsettled_per_session, ..Options::default() });
    let client = world.client("c");
    world.fill(client, &["1", "2", "3", "4", "5"]);
    world.ask(client, take(1, AckMode::ClientIndividual, 10, limited(1)));
    world.ask(client, take(2, AckMode::ClientIndividual, 10, until_empty()));
    assert_eq!(world.story(client), ["1", "end 1 limit", "2", "3", "4", "5", "end 2 empty"]);
}

#[test]
fn the_wait_of_a_subscription_that_is_gone_wakes_nobody() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, take(1, AckMode::Client, 100, waiting(500)));
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    assert!(world.engine.waits.deadline().is_none());
    assert_eq!(End::Wait.as_str(), "wait");
}

#[test]
fn what_becomes_ready_in_the_last_moment_is_delivered_and_the_wait_begins_again() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, take(1, AckMode::Client, 100, waiting(100)));
    let terms = Terms { due: Some(Timestamp(world.now.wall.0 + 50)), ..Terms::default() };
    let message = Message { durability: Durability::Transient, terms: Some(Box::new(terms)), ..message("late") };
    world.ask(client, Request::Publish(Publish { to: name("/queue/q"), message, key: None, retain: None }));
    world.pass_time(100);
    assert_eq!(world.story(client), ["late"]);
    world.pass_time(100);
    assert_eq!(world.story(client), ["end 1 wait"]);
}

/// Wants everything, but has to see it first.
#[derive(Debug)]
struct Careful;

impl Filter for Careful {
    fn wants(&self, _: &Candidate<'_>) -> bool {
        true
    }
}

#[test]
fn a_wait_does_not_end_beside_a_message_whose_head_is_still_to_be_read() {
    let mut world = World::new();
    let client = world.client("c");
    let terms = Terms { due: Some(Timestamp(world.now.wall.0 + 100)), ..Terms::default() };
    let message = Message { terms: Some(Box::new(terms)), ..message("late") };
    world.ask(client, Request::Publish(Publish { to: name("/queue/q"), message, key: None, retain: None }));
    world.sync();
    world.engine = world.replayed(true);
    let client = world.client("c");
    let Request::Take(mut wish) = take(1, AckMode::Client, 100, waiting(100)) else { panic!("a wish to wait") };
    wish.subscribe.filter = Some(std::sync::Arc::new(Careful));
    world.ask(client, Request::Take(wish));
    world.elapse(100);
    assert_eq!(world.story(client), ["(stored)"]);
}

/// Thousands of queues that a pattern means are not all looked at in one call.
#[test]
fn a_wait_over_very_many_queues_ends_in_parts_and_not_beside_a_message() {
    const QUEUES: usize = 5000;
    let mut world = World::new();
    let (sender, client) = (world.client("s"), world.client("c"));
    for number in 0..QUEUES {
        world.ask(sender, send_transient(&format!("/queue/q.{number}"), "x"));
    }
    let over_all = |id, manner| {
        let Request::Take(mut take) = take(id, AckMode::Auto, 100_000, manner) else { unreachable!() };
        take.subscribe.to = wildcards::wildcard("/queue/q.>");
        take.subscribe.credit.bytes = 1 << 30;
        Request::Take(take)
    };
    let settle_down = |world: &mut World| {
        for _ in 0..1000 {
            world.pass_time(0);
        }
    };
    world.ask(client, over_all(1, until_empty()));
    settle_down(&mut world);
    let story = world.story(client);
    assert_eq!((story.len(), story.last().map(String::as_str)), (QUEUES + 1, Some("end 1 empty")));
    world.ask(client, Request::Written { subscription: SubscriptionId(1), through: u64::MAX });
    world.ask(client, over_all(2, waiting(500)));
    settle_down(&mut world);
    world.pass_time(499);
    settle_down(&mut world);
    assert!(world.story(client).is_empty());
    world.most_steps = 0;
    world.pass_time(1);
    let after_one = world.most_steps;
    settle_down(&mut world);
    assert_eq!(world.story(client), ["end 2 wait"]);
    assert!(after_one < QUEUES as u64, "one call took {after_one} steps");
}
