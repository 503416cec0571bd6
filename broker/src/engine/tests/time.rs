//! Delays, back-off and expiry.

use super::*;
use crate::destination::{Policy, State};
use crate::model::{Backoff, OnExhaust, Operation, Standing, Terms};

impl World {
    /// Moves the time and lets the engine notice.
    pub(super) fn wait(&mut self, ms: u64) {
        self.now.monotonic += Duration::from_millis(ms);
        self.now.wall.0 += ms;
        self.engine.tick(self.now, &mut self.effects);
        self.absorb();
    }

    /// An engine with these rules for all queues, a client of it, and a subscription to `/queue/a`.
    fn with_policy(policy: Policy) -> (World, SessionId) {
        let policies = Policies { default: policy, rules: Vec::new() };
        let mut world = World::with(Options { policies, ..Options::default() });
        let client = world.client("c");
        world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 10));
        (world, client)
    }

    fn send_on(&mut self, client: SessionId, text: &str, terms: Terms) {
        let message = Message { terms: Some(Box::new(terms)), ..message(text) };
        self.ask(client, Request::Publish(Publish { to: name("/queue/a"), message, key: None, retain: None }));
        self.sync();
    }

    /// The process is gone and another one comes, after that time.
    fn restart(&mut self, ms: u64) -> SessionId {
        let before = self.engine.queues();
        self.engine = self.replayed(true);
        self.log.truncate(self.unsynced);
        let strip = |views: Vec<super::super::QueueView>| -> Vec<_> {
            views
                .into_iter()
                .map(|view| (view.name, view.delayed, view.buried, view.standing, counts(&view.entries)))
                .collect()
        };
        assert_eq!(strip(self.engine.queues()), strip(before), "replay gives the same engine");
        self.now.wall.0 += ms;
        let client = self.client("c");
        self.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 10));
        client
    }

    fn attempts_of(&mut self, client: SessionId) -> Vec<u16> {
        self.deliveries(client).iter().map(|delivery| delivery.attempt).collect()
    }
}

/// What a restart must not change; leases end with the process.
fn counts(entries: &[crate::destination::Entry]) -> Vec<(MessageId, State, u16, u8)> {
    let stands = |state| if state == State::Reserved { State::Ready } else { state };
    entries.iter().map(|e| (e.message, stands(e.state), e.attempts, e.nacks)).collect()
}

fn due(ms: u64) -> Terms {
    Terms { due: Some(Timestamp(ms)), ..Terms::default() }
}

fn retry(message: MessageId) -> Request {
    settle(message, Outcome::Retry { reason: None, delay_ms: None })
}

#[test]
fn a_delayed_message_is_handed_out_when_its_time_has_come_and_not_before() {
    let (mut world, client) = World::with_policy(Policy::default());
    world.send_on(client, "later", due(1001));
    assert_eq!(world.engine.deadline(world.now), Some(world.now.monotonic + Duration::from_secs(1)));
    world.wait(999);
    assert_eq!((world.bodies(client).len(), world.engine.queues()[0].delayed), (0, 1));
    world.wait(1);
    assert_eq!(world.bodies(client), ["later"]);
    assert!(matches!(world.log.last(), Some((Record::Woken(_), None))), "the firing is a record");
}

#[test]
fn delayed_messages_come_in_the_order_of_their_times() {
    let (mut world, client) = World::with_policy(Policy::default());
    for (text, at) in [("third", 300), ("first", 100), ("second", 200)] {
        world.send_on(client, text, due(at));
    }
    for _ in 0..3 {
        world.wait(100);
    }
    assert_eq!(world.bodies(client), ["first", "second", "third"]);
}

#[test]
fn a_delay_survives_a_restart_and_fires_at_once_if_it_is_overdue() {
    let (mut world, client) = World::with_policy(Policy::default());
    world.send_on(client, "soon", due(100));
    world.send_on(client, "late", due(100_000));
    let client = world.restart(50);
    assert!(world.bodies(client).is_empty());
    let client = world.restart(5_000);
    world.wait(0);
    assert_eq!(world.deliveries(client).len(), 1, "the overdue one");
    world.sync();
    let client = world.restart(0);
    assert_eq!(world.deliveries(client).len(), 1, "it has fired, and stays so");
    assert_eq!(world.engine.queues()[0].delayed, 1);
}

#[test]
fn a_transient_message_may_be_delayed_too() {
    let (mut world, client) = World::with_policy(Policy::default());
    let durability = Durability::Transient;
    let message = Message { terms: Some(Box::new(due(11))), durability, ..message("light") };
    world.ask(client, Request::Publish(Publish { to: name("/queue/a"), message, key: None, retain: None }));
    assert!(world.bodies(client).is_empty());
    world.wait(10);
    assert_eq!(world.bodies(client), ["light"]);
}

#[test]
fn a_nack_waits_longer_each_time_and_then_the_message_is_dead() {
    let (mut world, client) = World::with_policy(Policy { max_deliveries: 4, ..Policy::default() });
    world.ask(client, send("/queue/a", "one"));
    world.sync();
    let mut waits = Vec::new();
    for attempt in 1..=3 {
        world.sync();
        let delivery = world.deliveries(client).remove(0);
        assert_eq!(delivery.attempt, attempt);
        world.ask(client, retry(delivery.message));
        let start = world.now.monotonic;
        let wait = world.engine.deadline(world.now).expect("something is due").saturating_sub(start);
        waits.push(wait.as_millis());
        world.wait(wait.as_millis() as u64);
    }
    let within = |wait: u128, middle: u128| (middle * 8 / 10..=middle * 12 / 10).contains(&wait);
    assert!(within(waits[0], 1000) && within(waits[1], 2000) && within(waits[2], 4000), "{waits:?}");
    world.sync();
    let last = world.deliveries(client).remove(0);
    world.ask(client, retry(last.message));
    assert_eq!(world.engine.queues()[0].name.as_str(), "/queue/DLQ.a");
}

#[test]
fn waiting_after_a_nack_survives_a_restart_with_its_counts() {
    let (mut world, client) = World::with_policy(Policy { backoff: Backoff::Fixed { ms: 500 }, ..Policy::default() });
    world.ask(client, send("/queue/a", "one"));
    world.sync();
    let id = world.deliveries(client)[0].message;
    world.ask(client, retry(id));
    world.sync();
    let client = world.restart(499);
    world.wait(0);
    assert!(world.deliveries(client).is_empty());
    world.wait(1);
    let again = world.deliveries(client).remove(0);
    assert_eq!((again.attempt, again.redelivered), (2, true));
}

#[test]
fn the_delay_of_a_nack_counts_before_the_message_and_the_message_before_the_policy() {
    let (mut world, client) = World::with_policy(Policy { backoff: Backoff::Fixed { ms: 500 }, ..Policy::default() });
    let terms = Terms { backoff: Some(Backoff::Fixed { ms: 50 }), ..Terms::default() };
    world.send_on(client, "one", terms);
    let id = world.deliveries(client)[0].message;
    world.ask(client, retry(id));
    world.wait(49);
    assert!(world.deliveries(client).is_empty());
    world.wait(1);
    world.sync();
    assert_eq!(world.attempts_of(client), [2]);
    world.ask(client, settle(id, Outcome::Retry { reason: None, delay_ms: Some(7) }));
    world.wait(7);
    world.sync();
    assert_eq!(world.attempts_of(client), [3]);
    world.ask(client, settle(id, Outcome::Retry { reason: None, delay_ms: Some(0) }));
    world.sync();
    assert_eq!(world.attempts_of(client), [4], "0 is at once");
}

#[test]
fn a_lost_connection_counts_but_nobody_waits_for_it() {
    let (mut world, client) = World::with_policy(Policy::default());
    world.ask(client, send("/queue/a", "one"));
    world.sync();
    world.close(client, Departure::Lost);
    let other = world.client("o");
    world.ask(other, subscribe(1, "/queue/a", AckMode::Client, 1));
    world.sync();
    assert_eq!(world.attempts_of(other), [2]);
}

#[test]
fn a_message_may_say_where_its_deliveries_end() {
    let (mut world, client) = World::with_policy(Policy::default());
    let limited = |on_exhaust| Terms { max_deliveries: Some(1), on_exhaust: Some(on_exhaust), ..Terms::default() };
    let elsewhere = Terms { dead_letter: Some(name("/queue/failed")), ..limited(OnExhaust::DeadLetter) };
    for (text, terms) in [("a", limited(OnExhaust::Drop)), ("b", limited(OnExhaust::Bury)), ("c", elsewhere)] {
        world.send_on(client, text, terms);
        let id = world.deliveries(client)[0].message;
        world.ask(client, retry(id));
    }
    let views = world.engine.queues();
    assert_eq!((views[0].entries.len(), views[0].buried), (1, 1), "the dropped one is gone, the buried one is there");
    assert_eq!((views[1].name.as_str(), views[1].entries.len()), ("/queue/failed", 1));
    world.sync();
    world.restart(0);
}

#[test]
fn what_cannot_be_dead_lettered_is_buried() {
    let (mut world, client) = World::with_policy(Policy { max_deliveries: 1, ..Policy::default() });
    world.ask(client, subscribe(2, "/queue/DLQ.a", AckMode::ClientIndividual, 10));
    world.ask(client, send("/queue/DLQ.a", "one"));
    world.sync();
    let id = world.deliveries(client)[0].message;
    world.ask(client, retry(id));
    world.wait(3_600_000);
    assert!(world.deliveries(client).is_empty());
    let views = world.engine.queues();
    let view = views.iter().find(|view| view.name.as_str() == "/queue/DLQ.a").unwrap();
    assert_eq!((view.buried, view.standing[0].0), (1, Standing::Buried(Timestamp(1))));
}

#[test]
fn an_expired_message_is_never_handed_out() {
    let (mut world, client) = World::with_policy(Policy::default());
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    let ends = |ms| Terms { expires: Some(Timestamp(ms)), ..Terms::default() };
    world.send_on(client, "short", ends(100));
    world.send_on(client, "long", ends(1000));
    assert_eq!(world.engine.deadline(world.now), Some(Duration::from_millis(99)));
    // The timer has not fired yet when somebody comes.
    world.now.wall.0 = 100;
    world.ask(client, subscribe(2, "/queue/a", AckMode::ClientIndividual, 10));
    let delivered = world.deliveries(client);
    assert_eq!(delivered.iter().map(body).collect::<Vec<_>>(), ["long"]);
    assert!(world.log.iter().any(|(record, _)| matches!(record, Record::Settled(_))), "its end is a record");
    world.now.wall.0 = 2000;
    world.wait(0);
    assert_eq!(world.engine.queues()[0].reserved, 1, "what is out is not taken away");
    world.ask(client, settle(delivered[0].message, Outcome::Release));
    assert!(world.engine.queues()[0].entries.is_empty(), "but it does not come back");
}

#[test]
fn what_expires_while_it_is_delayed_or_buried_is_gone_as_well() {
    let (mut world, client) = World::with_policy(Policy::default());
    let terms = |due| Terms { due, expires: Some(Timestamp(50)), ..Terms::default() };
    world.send_on(client, "delayed", terms(Some(Timestamp(100))));
    world.send_on(client, "buried", terms(None));
    let id = world.deliveries(client)[0].message;
    world.ask(client, settle(id, Outcome::Bury));
    world.wait(49);
    assert!(world.engine.queues()[0].entries.is_empty());
    assert!(world.deliveries(client).is_empty());
}

#[test]
fn a_policy_may_limit_the_life_of_messages_and_keep_the_dead() {
    let policy = Policy { expiry_ms: Some(100), dead_letter_expired: true, ..Policy::default() };
    let (mut world, client) = World::with_policy(policy);
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    world.ask(client, send("/queue/a", "plain"));
    world.send_on(client, "longer than is allowed", Terms { expires: Some(Timestamp(9999)), ..Terms::default() });
    world.wait(100);
    world.ask(client, subscribe(2, "/queue/DLQ.a", AckMode::ClientIndividual, 10));
    world.wait(100_000);
    world.sync();
    let dead = world.deliveries(client);
    let reasons: Vec<_> = dead.iter().map(|d| d.death.as_ref().map(|note| (note.reason, note.attempts))).collect();
    assert_eq!(reasons, [Some((DeathReason::Expired, 0)), Some((DeathReason::Expired, 0))]);
    assert!(!dead[0].redelivered, "nobody had it before");
}

#[test]
fn an_end_survives_a_restart() {
    let (mut world, client) = World::with_policy(Policy::default());
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    world.send_on(client, "short", Terms { expires: Some(Timestamp(100)), ..Terms::default() });
    let client = world.restart(1000);
    assert!(world.deliveries(client).is_empty());
    assert!(world.engine.queues()[0].entries.is_empty());
}

#[test]
fn what_is_due_at_once_after_a_restart_is_done_in_one_order() {
    let mut world = World::new();
    let client = world.client("c");
    for queue in 0..12 {
        let terms = Some(Box::new(Terms { expires: Some(Timestamp(100)), ..Terms::default() }));
        let to = name(&format!("/queue/q{queue}"));
        world.ask(
            client,
            Request::Publish(Publish { to, message: Message { terms, ..message("x") }, key: None, retain: None }),
        );
    }
    world.sync();
    world.engine = world.replayed(true);
    world.log.truncate(world.unsynced);
    let before = world.log.len();
    world.now.wall.0 = 1000;
    let client = world.client("c");
    world.ask(client, send("/queue/other", "x"));
    let gone = world.log[before..].iter().filter_map(|(record, _)| match record {
        Record::Settled(settled) => Some(settled.destination),
        _ => None,
    });
    let gone: Vec<_> = gone.collect();
    assert_eq!(gone.len(), 12);
    assert!(gone.is_sorted_by(|one, next| one > next), "no order hangs on a hash seed: {gone:?}");
}

#[test]
fn many_messages_that_expire_at_once_keep_nobody_waiting_and_none_slips_through() {
    let (mut world, client) = World::with_policy(Policy::default());
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    for _ in 0..3000 {
        let terms = Some(Box::new(Terms { expires: Some(Timestamp(10)), ..Terms::default() }));
        let message = Message { terms, durability: Durability::Transient, ..message("x") };
        world.ask(client, Request::Publish(Publish { to: name("/queue/a"), message, key: None, retain: None }));
    }
    world.now.wall.0 = 10;
    world.ask(client, subscribe(2, "/queue/a", AckMode::ClientIndividual, 10));
    assert!(world.deliveries(client).is_empty());
    let left = world.engine.queues()[0].entries.len();
    assert!(left > 0 && left < 3000, "{left} are left for the next look");
    for _ in 0..3 {
        world.wait(0);
    }
    assert!(world.deliveries(client).is_empty() && world.engine.queues()[0].entries.is_empty());
}

#[test]
fn a_topics_message_that_waits_for_credit_expires_as_well() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/topic/t", AckMode::ClientIndividual, 1));
    let ends = |text: &str, ms| {
        let terms = Some(Box::new(Terms { expires: Some(Timestamp(ms)), ..Terms::default() }));
        Request::Publish(Publish {
            to: name("/topic/t"),
            message: Message { terms, ..message(text) },
            key: None,
            retain: None,
        })
    };
    for (text, end) in [("over", 1), ("first", 100), ("short", 50), ("long", 100)] {
        world.ask(client, ends(text, end));
    }
    let first = world.deliveries(client).remove(0);
    assert_eq!(body(&first), "first", "what was over when it came goes to nobody");
    world.wait(60);
    world.ask(client, ack(first.message));
    assert_eq!(world.bodies(client), ["long"]);
}

#[test]
fn what_is_over_and_has_no_other_queue_to_go_to_is_dropped() {
    let (mut world, client) =
        World::with_policy(Policy { dead_letter_expired: true, dead_letter: "/queue/a".into(), ..Policy::default() });
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    world.send_on(client, "one", Terms { expires: Some(Timestamp(100)), ..Terms::default() });
    world.wait(200);
    assert!(world.engine.queues()[0].entries.is_empty());
    assert!(world.engine.deadline(world.now).is_none_or(|due| due > world.now.monotonic), "nothing is left to do");
}

#[test]
fn the_sender_names_a_dead_letter_queue_where_the_policy_has_none() {
    let (mut world, client) =
        World::with_policy(Policy { dead_letter: "/queue/a".into(), max_deliveries: 1, ..Policy::default() });
    world.send_on(client, "one", Terms { dead_letter: Some(name("/queue/mine")), ..Terms::default() });
    let id = world.deliveries(client)[0].message;
    world.ask(client, nack(id));
    assert_eq!(world.engine.queues()[1].name, name("/queue/mine"));
}

#[test]
fn a_message_that_is_buried_because_its_consumers_were_lost_was_never_refused() {
    let (mut world, client) =
        World::with_policy(Policy { dead_letter: "/queue/a".into(), max_deliveries: 1, ..Policy::default() });
    world.send_on(client, "one", Terms::default());
    world.close(client, Departure::Lost);
    let entry = world.engine.queues()[0].entries[0].clone();
    assert_eq!((entry.state, entry.attempts, entry.nacks), (State::Buried, 1, 0));
}

#[test]
fn attempts_are_counted_to_the_end_of_their_number_and_no_further() {
    let policy = Policy { max_deliveries: u16::MAX, on_exhaust: OnExhaust::Bury, ..Policy::default() };
    let policies = Policies { default: policy, rules: Vec::new() };
    let mut world = World::with(Options { policies, ..Options::default() });
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 1));
    world.ask(client, send("/queue/a", "x"));
    world.sync();
    let id = world.deliveries(client)[0].message;
    for _ in 0..u16::MAX {
        assert_eq!(world.ask(client, nack(id)), Answer::Done);
        // It is handed out again when the log has its return.
        world.sync();
        (world.log, world.told) = (Vec::new(), Vec::new());
        world.unsynced = 0;
    }
    assert_eq!(world.engine.queues()[0].entries[0].attempts, u16::MAX);
    world.ask(client, jobs::operate("/queue/a", Operation::Kick { count: 1 }));
    world.sync();
    assert_eq!(world.deliveries(client).len(), 1);
    world.ask(client, settle(id, Outcome::DeadLetter { reason: None }));
    let dead = world.engine.queues().into_iter().find(|view| view.name.as_str() == "/queue/DLQ.a").expect("it died");
    assert_eq!(dead.entries.len(), 1);
}

#[test]
fn a_temporary_queue_that_is_gone_leaves_no_moment_to_wait_for() {
    let mut world = World::new();
    let client = world.client("owner");
    let far = Terms { due: Some(Timestamp(1 << 45)), ..Terms::default() };
    let message = Message { terms: Some(Box::new(far)), ..message("x") };
    let to = DestinationName::parse("/temp-queue/q", "owner").expect("a name");
    let subscribe = subscribe(1, "/temp-queue/q", AckMode::Auto, 1);
    world.ask(client, subscribe);
    world.ask(client, Request::Publish(Publish { to, message, key: None, retain: None }));
    assert!(world.engine.moments.deadline().is_some());
    world.close(client, Departure::Clean);
    assert_eq!(world.engine.moments.deadline(), None);
}
