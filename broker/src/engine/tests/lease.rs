//! Leases with a time.

use super::*;
use crate::destination::Policy;
use crate::model::{Lease, Manner, Nth, Terms, Touch};

impl World {
    fn timed(policy_ms: Option<u32>) -> World {
        let policies =
            Policies { default: Policy { time_to_run_ms: policy_ms, ..Policy::default() }, rules: Vec::new() };
        World::with(Options { policies, ..Options::default() })
    }

    fn worker(&mut self, id: u32, credit: u32, time_to_run_ms: Option<u32>) -> SessionId {
        let client = self.client("w");
        let credit = Credit { messages: credit, bytes: 1 << 20 };
        let (to, mode) = (name("/queue/a").into(), AckMode::ClientIndividual);
        let wish = Subscribe { id: SubscriptionId(id), to, mode, credit, time_to_run_ms, filter: None };
        self.ask(client, Request::Subscribe(wish));
        client
    }

    fn pass(&mut self, ms: u64) {
        self.now.monotonic += Duration::from_millis(ms);
        self.now.wall.0 += ms;
        self.engine.tick(self.now, &mut self.effects);
        self.absorb();
    }

    fn submit(&mut self, client: SessionId, text: &str) {
        self.ask(client, send("/queue/a", text));
        self.sync();
    }
}

fn touch(message: MessageId, time_to_run_ms: Option<u32>) -> Request {
    Request::Touch(Touch { message, which: Which::default(), time_to_run_ms })
}

#[test]
fn a_message_that_is_out_for_too_long_goes_to_another_and_counts() {
    let mut world = World::timed(None);
    let (slow, quick) = (world.worker(1, 1, Some(100)), world.worker(1, 1, None));
    world.submit(quick, "one");
    let first = world.deliveries(slow).remove(0);
    assert_eq!(first.lease, Lease::Until { end: Timestamp(101), time_to_run_ms: 100 });
    world.pass(99);
    assert!(world.deliveries(quick).is_empty());
    world.pass(1);
    world.sync();
    let second = world.deliveries(quick).remove(0);
    assert_eq!((second.message, second.attempt, second.redelivered), (first.message, 2, true));
    assert_eq!(second.lease, Lease::Bound);
    // The late ACK is refused softly and hurts nobody.
    assert_eq!(world.ask(slow, ack(first.message)), Answer::Soft(SoftRefusal::LeaseLost));
    assert_eq!(world.engine.queues()[0].reserved, 1);
    assert_eq!(world.ask(quick, ack(second.message)), Answer::Done);
    assert!(world.engine.queues()[0].entries.is_empty());
    assert_eq!(world.ask(slow, ack(first.message)), Answer::Soft(SoftRefusal::NotHolder), "said once already");
}

#[test]
fn a_worker_that_hangs_is_not_fed_until_it_says_something() {
    let mut world = World::timed(None);
    let worker = world.worker(1, 1, Some(100));
    world.submit(worker, "one");
    let first = world.deliveries(worker).remove(0);
    world.pass(100);
    assert!(world.deliveries(worker).is_empty(), "its window is full of what it lost");
    assert_eq!(world.engine.queues()[0].ready, 1);
    assert_eq!(world.ask(worker, nack(first.message)), Answer::Soft(SoftRefusal::LeaseLost));
    world.sync();
    let again = world.deliveries(worker).remove(0);
    assert_eq!((again.message, again.attempt), (first.message, 2));
}

#[test]
fn an_ack_names_the_delivery_that_is_held_now() {
    let mut world = World::timed(None);
    let worker = world.worker(1, 2, Some(100));
    world.submit(worker, "one");
    let first = world.deliveries(worker).remove(0);
    world.pass(100);
    world.sync();
    let second = world.deliveries(worker).remove(0);
    assert_eq!((first.message, second.number), (second.message, 2));
    assert_eq!(world.ask(worker, ack(second.message)), Answer::Done, "not the one that was lost");
    assert!(world.engine.queues()[0].entries.is_empty());
    assert_eq!(world.ask(worker, ack(second.message)), Answer::Soft(SoftRefusal::LeaseLost), "that one comes now");
}

#[test]
fn a_lease_that_is_bound_to_the_connection_has_no_time_whatever_message_and_policy_say() {
    let mut world = World::timed(Some(100));
    let (worker, other) = (world.client("w"), world.client("o"));
    let wish = |id| {
        let Request::Subscribe(wish) = subscribe(id, "/queue/a", AckMode::ClientIndividual, 2) else { panic!() };
        wish
    };
    world.ask(worker, Manner { bound: true, ..Manner::default() }.request(wish(1)));
    world.submit(worker, "by policy");
    let terms = Some(Box::new(Terms { time_to_run_ms: Some(200), ..Terms::default() }));
    let own = Message { terms, ..message("own") };
    world.ask(worker, Request::Publish(Publish { to: name("/queue/a"), message: own, key: None, retain: None }));
    world.sync();
    let held = world.deliveries(worker);
    assert_eq!(held.iter().map(|delivery| delivery.lease).collect::<Vec<_>>(), [Lease::Bound, Lease::Bound]);
    world.ask(other, Request::Subscribe(wish(1)));
    world.pass(1000);
    assert_eq!(world.ask(worker, touch(held[0].message, None)), Answer::Done);
    world.pass(1000);
    assert!(world.deliveries(other).is_empty());
    world.ask(worker, Request::Unsubscribe(SubscriptionId(1)));
    world.sync();
    let again = world.deliveries(other);
    assert_eq!(again.iter().map(|delivery| delivery.message).collect::<Vec<_>>(), [held[0].message, held[1].message]);
    assert!(matches!(again[0].lease, Lease::Until { time_to_run_ms: 100, .. }), "the bond was the other's");
}

#[test]
fn the_consumer_goes_before_the_message_and_the_message_before_the_policy() {
    let mut world = World::timed(Some(300));
    let by_policy = world.worker(1, 1, None);
    let time_of = |delivery: &Delivery| match delivery.lease {
        Lease::Until { time_to_run_ms, .. } => time_to_run_ms,
        other => panic!("{other:?}"),
    };
    world.submit(by_policy, "plain");
    assert_eq!(time_of(&world.deliveries(by_policy)[0]), 300);
    let own =
        || Message { terms: Some(Box::new(Terms { time_to_run_ms: Some(200), ..Terms::default() })), ..message("own") };
    for (wish, expected) in [(None, 200), (Some(100), 100)] {
        let worker = world.worker(1, 1, wish);
        world.ask(worker, Request::Publish(Publish { to: name("/queue/a"), message: own(), key: None, retain: None }));
        world.sync();
        assert_eq!(time_of(&world.deliveries(worker)[0]), expected);
    }
}

#[test]
fn touching_restarts_the_time_or_sets_another() {
    let mut world = World::timed(None);
    let worker = world.worker(1, 1, Some(100));
    world.submit(worker, "one");
    let id = world.deliveries(worker)[0].message;
    world.pass(60);
    assert_eq!(world.ask(worker, touch(id, None)), Answer::Done);
    world.pass(60);
    assert_eq!(world.engine.queues()[0].reserved, 1, "the whole time again");
    assert_eq!(world.ask(worker, touch(id, Some(1000))), Answer::Done);
    world.pass(999);
    assert_eq!(world.engine.queues()[0].reserved, 1);
    world.pass(1);
    assert_eq!(world.engine.queues()[0].reserved, 0);
    assert_eq!(world.ask(worker, touch(id, None)), Answer::Soft(SoftRefusal::LeaseLost));
    let stranger = world.client("s");
    assert_eq!(world.ask(stranger, touch(id, None)), Answer::Soft(SoftRefusal::NotHolder));
}

/// An ACK on its way when the lease runs out names the delivery that it is about, and not the one that follows it.
#[test]
fn a_late_ack_of_a_delivery_does_not_settle_the_next_one_of_the_same_subscription() {
    let mut world = World::timed(None);
    let worker = world.worker(1, 2, Some(100));
    world.submit(worker, "one");
    let first = world.deliveries(worker).remove(0);
    world.pass(100);
    world.sync();
    let second = world.deliveries(worker).remove(0);
    assert_eq!((first.message, first.is_numbered), (second.message, false));
    assert!(second.is_numbered);
    let settle = |nth| {
        let which = Which { subscription: Some(SubscriptionId(1)), nth };
        Request::Settle(Settle { message: first.message, which, outcome: Outcome::Ack })
    };
    assert_eq!(world.ask(worker, settle(Nth::Unnumbered)), Answer::Soft(SoftRefusal::LeaseLost));
    assert_eq!(world.engine.queues()[0].reserved, 1, "the second delivery is out");
    assert_eq!(world.ask(worker, settle(Nth::Unnumbered)), Answer::Soft(SoftRefusal::NotHolder));
    assert_eq!(world.ask(worker, settle(Nth::Number(second.number + 1))), Answer::Soft(SoftRefusal::NotHolder));
    assert_eq!(world.ask(worker, settle(Nth::Number(second.number))), Answer::Done);
    assert_eq!(world.engine.queues()[0].reserved, 0);
}

/// A client with two subscriptions to a topic is handed a message twice, the second time perhaps when the first is settled.
#[test]
fn an_ack_that_is_sent_twice_does_not_settle_what_another_subscription_to_the_topic_was_given() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/topic/t", AckMode::ClientIndividual, 10));
    world.ask(client, subscribe(2, "/topic/t", AckMode::ClientIndividual, 1));
    let ack = |message, subscription, nth| {
        let which = Which { subscription: Some(SubscriptionId(subscription)), nth };
        Request::Settle(Settle { message, which, outcome: Outcome::Ack })
    };
    world.ask(client, send("/topic/t", "one"));
    let ones = world.deliveries(client);
    assert_eq!(ones.len(), 2);
    world.ask(client, send("/topic/t", "two"));
    let [two] = <[_; 1]>::try_from(world.deliveries(client)).expect("the second has no room");
    assert_eq!(world.ask(client, ack(two.message, 1, Nth::Unnumbered)), Answer::Done);
    assert_eq!(world.ask(client, ack(ones[0].message, 2, Nth::Unnumbered)), Answer::Done);
    let [again] = <[_; 1]>::try_from(world.deliveries(client)).expect("now it has");
    assert_eq!((again.message, again.subscription, again.is_numbered), (two.message, SubscriptionId(2), true));
    let unnamed = Settle {
        message: two.message,
        which: Which { subscription: None, nth: Nth::Unnumbered },
        outcome: Outcome::Ack,
    };
    assert_eq!(world.ask(client, Request::Settle(unnamed)), Answer::Soft(SoftRefusal::NotHolder));
    assert_eq!(world.ask(client, ack(again.message, 2, Nth::Number(again.number))), Answer::Done);
}

#[test]
fn a_transaction_with_a_lost_lease_fails_whole() {
    let mut world = World::timed(None);
    let worker = world.worker(1, 1, Some(100));
    world.submit(worker, "one");
    let message_id = world.deliveries(worker)[0].message;
    world.pass(100);
    let settle = Settle { message: message_id, which: Which::default(), outcome: Outcome::Ack };
    let publish = Publish { to: name("/queue/b"), message: message("result"), key: None, retain: None };
    let actions = vec![Action::Publish(publish), Action::Settle(settle)];
    assert_eq!(world.try_ask(worker, Request::Commit(actions)), Err(Refusal::LeaseLost));
    assert!(world.engine.queues().iter().all(|view| view.name.as_str() != "/queue/b" || view.entries.is_empty()));
}

#[test]
fn who_hangs_again_and_again_sends_the_message_to_the_dead() {
    let policy = Policy { max_deliveries: 2, time_to_run_ms: Some(100), ..Policy::default() };
    let policies = Policies { default: policy, rules: Vec::new() };
    let mut world = World::with(Options { policies, ..Options::default() });
    let worker = world.worker(1, 5, None);
    world.submit(worker, "one");
    world.pass(100);
    world.sync();
    world.pass(100);
    assert_eq!(world.deliveries(worker).len(), 2);
    let views = world.engine.queues();
    assert_eq!((views[0].name.as_str(), views[0].ready), ("/queue/DLQ.a", 1));
}

#[test]
fn a_lost_delivery_that_cannot_be_read_leaves_the_one_of_now_alone() {
    let mut world = World::timed(None);
    let worker = world.worker(1, 2, Some(100));
    world.submit(worker, "one");
    world.pass(100);
    world.sync();
    world.ask(worker, Request::Quarantine { subscription: SubscriptionId(1), number: 1, is_damaged: true });
    world.pass(100);
    world.sync();
    assert_eq!(world.deliveries(worker).len(), 3, "the second lease had its time too");
}
