//! Jobs of which a queue takes one at a time.

use super::jobs::{operate, submit_on, tracking, worker};
use super::*;
use crate::destination::Policy;
use crate::model::{
    JobState, JobToken, Nth, OnDuplicate, Operation, States, Submission, Terms, Tracking, Unique, Until, Waiter,
};

fn unique(until: Until, on_duplicate: OnDuplicate) -> Terms {
    let unique = Unique { key: "k".into(), until, on_duplicate, waiter: None };
    Terms { unique: Some(Box::new(unique)), ..Terms::default() }
}

fn send_unique(queue: &str, text: &str, terms: Terms) -> Request {
    let message = Message { terms: Some(Box::new(terms)), ..message(text) };
    Request::Publish(Publish { to: name(queue), message, key: None, retain: None })
}

fn taken(answer: Answer) -> (MessageId, bool) {
    match answer {
        Answer::Submitted(Submission { job, is_duplicate, .. }) => (job, is_duplicate),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_key_is_held_by_one_message_of_a_queue_until_that_is_done() {
    let (mut world, w) = worker(Policy::default());
    let attach = || unique(Until::Done, OnDuplicate::Attach);
    let (first, _) = taken(world.ask(w, send_unique("/queue/a", "1", attach())));
    assert_eq!(taken(world.ask(w, send_unique("/queue/a", "2", attach()))), (first, true));
    assert!(!taken(world.ask(w, send_unique("/queue/b", "3", attach()))).1, "the scope is a queue");
    world.sync();
    assert_eq!(taken(world.ask(w, send_unique("/queue/a", "4", attach()))), (first, true), "somebody works at it");
    world.ask(w, ack(first));
    assert!(!taken(world.ask(w, send_unique("/queue/a", "5", attach()))).1);
}

#[test]
fn a_key_is_still_held_after_a_restart() {
    let mut world = World::new();
    let client = world.client("c");
    let (first, _) = taken(world.ask(client, send_unique("/queue/a", "1", unique(Until::Done, OnDuplicate::Attach))));
    world.sync();
    world.engine = world.replayed(true);
    let client = world.client("c");
    let again = world.ask(client, send_unique("/queue/a", "2", unique(Until::Done, OnDuplicate::Drop)));
    assert_eq!(taken(again), (first, true));
}

#[test]
fn a_key_may_be_free_from_the_start_or_from_a_moment_on() {
    let (mut world, w) = worker(Policy::default());
    for until in [Until::Start, Until::Moment(Timestamp(1000))] {
        let terms = || unique(until, OnDuplicate::Drop);
        world.ask(w, send_unique("/queue/b", "1", terms()));
        world.sync();
        assert!(taken(world.ask(w, send_unique("/queue/b", "2", terms()))).1, "{until:?}");
        world.ask(w, subscribe(9, "/queue/b", AckMode::ClientIndividual, 1));
        if until != Until::Start {
            world.spend(1000);
        }
        assert!(!taken(world.ask(w, send_unique("/queue/b", "3", terms()))).1, "{until:?}");
        world.ask(w, Request::Unsubscribe(SubscriptionId(9)));
        world.now.wall = Timestamp(1);
        for queue in world.engine.queues() {
            world.sync();
            let purge = Operation::Purge(States { ready: true, delayed: true, buried: true });
            world.ask(w, operate(queue.name.as_str(), purge));
        }
    }
}

#[test]
fn a_dead_letter_frees_its_key() {
    let (mut world, w) = worker(Policy::default());
    let (first, _) = taken(world.ask(w, send_unique("/queue/a", "1", unique(Until::Done, OnDuplicate::Drop))));
    world.sync();
    world.ask(w, settle(first, Outcome::DeadLetter { reason: None }));
    assert!(!taken(world.ask(w, send_unique("/queue/a", "2", unique(Until::Done, OnDuplicate::Drop)))).1);
    world.sync();
    let engine = world.replayed(true);
    assert_eq!(engine.queues().iter().map(|queue| queue.entries.len()).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn a_rejected_duplicate_fails_and_with_it_its_transaction() {
    let mut world = World::new();
    let client = world.client("c");
    let reject = || send_unique("/queue/a", "x", unique(Until::Done, OnDuplicate::Reject));
    world.ask(client, reject());
    assert_eq!(world.try_ask(client, reject()), Err(Refusal::NotUnique));
    let (Request::Publish(other), Request::Publish(again)) = (send("/queue/b", "y"), reject()) else { unreachable!() };
    let commit = Request::Commit(vec![Action::Publish(other), Action::Publish(again)]);
    assert_eq!(world.try_ask(client, commit), Err(Refusal::NotUnique));
    assert_eq!(world.engine.queues().iter().map(|queue| queue.entries.len()).sum::<usize>(), 1);
}

#[test]
fn a_replacement_takes_place_and_id_of_what_nobody_has_begun() {
    let mut world = World::new();
    let client = world.client("c");
    let replace = || unique(Until::Done, OnDuplicate::Replace);
    let (first, _) = taken(world.ask(client, submit_on("/queue/a", message("old"), tracking(7), replace())));
    world.ask(client, send("/queue/a", "behind"));
    world.sync();
    assert_eq!(taken(world.ask(client, send_unique("/queue/a", "new", replace()))), (first, false));
    assert_eq!(world.state(7), JobState::Cancelled);
    world.sync();
    let stand = |engine: &Engine| -> Vec<_> {
        engine.queues()[0].entries.iter().map(|entry| (entry.message, entry.place(), entry.position())).collect()
    };
    assert_eq!(stand(&world.replayed(true)), stand(&world.engine), "replay gives the same queue");
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 10));
    let delivered = world.deliveries(client);
    assert_eq!(delivered.iter().map(body).collect::<Vec<_>>(), ["new", "behind"]);
    assert_eq!(delivered[0].message, first);
    let late = world.try_ask(client, send_unique("/queue/a", "late", replace()));
    assert_eq!(late, Err(Refusal::NotUnique), "somebody has begun");
}

/// What takes the id of a message that was handed out is another message: an ACK of the first one is not about it.
#[test]
fn a_late_ack_of_what_was_replaced_does_not_settle_the_replacement() {
    let mut world = World::new();
    let client = world.client("c");
    let replace = || unique(Until::Done, OnDuplicate::Replace);
    let (id, _) = taken(world.ask(client, send_unique("/queue/a", "old", replace())));
    world.sync();
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 10));
    assert_eq!(world.deliveries(client)[0].message, id);
    let settle = |nth, outcome| {
        let which = Which { subscription: Some(SubscriptionId(1)), nth };
        Request::Settle(Settle { message: id, which, outcome })
    };
    let again_later = Outcome::Retry { reason: None, delay_ms: Some(1000) };
    assert_eq!(world.ask(client, settle(Nth::Unnumbered, again_later)), Answer::Done);
    world.sync();
    assert_eq!(taken(world.ask(client, send_unique("/queue/a", "new", replace()))), (id, false));
    world.sync();
    let delivered = world.deliveries(client).remove(0);
    assert_eq!((body(&delivered), delivered.message, delivered.redelivered), ("new".to_owned(), id, false));
    assert!(delivered.is_numbered);
    assert_ne!(world.ask(client, settle(Nth::Unnumbered, Outcome::Ack)), Answer::Done);
    assert_eq!(world.engine.queues()[0].reserved, 1, "the new one is out");
    assert_eq!(world.ask(client, settle(Nth::Number(delivered.number), Outcome::Ack)), Answer::Done);
}

#[test]
fn whoever_comes_second_waits_for_the_result_of_the_first() {
    let (mut world, w) = worker(Policy::default());
    let waiter = |to: &str, id: &str| Some(Waiter { to: name(to), correlation: Some(id.into()) });
    let mut terms = unique(Until::Done, OnDuplicate::Attach);
    let first = Tracking { waiter: waiter("/queue/answers", "one"), ..tracking(7) };
    world.ask(w, submit_on("/queue/a", message("x"), first, terms.clone()));
    if let Some(unique) = &mut terms.unique {
        unique.waiter = waiter("/queue/answers", "two");
    }
    let second = world.ask(w, submit_on("/queue/a", message("x"), tracking(8), terms));
    let Answer::Submitted(Submission { token, is_duplicate: true, .. }) = second else { panic!("{second:?}") };
    assert_eq!(token, Some(JobToken::from_bits(7)));
    assert!(world.engine.job(JobToken::from_bits(8)).is_none());
    world.sync();
    world.sync();
    world.assert_replay();
    let id = world.deliveries(w)[0].message;
    world.ask(w, ack(id));
    world.sync();
    let answers = world.engine.queues().into_iter().find(|queue| queue.name.as_str() == "/queue/answers");
    assert_eq!(answers.map(|queue| queue.ready), Some(2));
}

#[test]
fn a_message_of_another_rank_is_replaced_and_sets_its_key_free_as_before() {
    for send in [Durability::Persistent, Durability::Transient] {
        let mut world = World::new();
        let client = world.client("c");
        let submit = |text: &str, until, on_duplicate| {
            let message =
                Message { durability: send, terms: Some(Box::new(unique(until, on_duplicate))), ..message(text) };
            Request::Publish(Publish { to: name("/queue/a"), message, key: None, retain: None })
        };
        let (first, _) = taken(world.ask(client, submit("1", Until::Done, OnDuplicate::Attach)));
        world.sync();
        world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 1));
        let release = Box::new(Outcome::Release);
        world.ask(client, settle(first, Outcome::Ranked { urgency: Urgency(1), outcome: release }));
        world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
        world.sync();
        let again = world.ask(client, submit("2", Until::Start, OnDuplicate::Replace));
        assert_eq!(taken(again), (first, false), "it takes the place of the first");
        world.sync();
        world.deliveries(client);
        world.ask(client, subscribe(2, "/queue/a", AckMode::ClientIndividual, 1));
        assert_eq!(world.bodies(client), ["2"]);
    }
}

#[test]
fn a_transaction_with_a_key_twice_fails_whole_where_it_is_to_be_refused() {
    let mut world = World::new();
    let client = world.client("c");
    let actions = |on_duplicate| {
        let both = ["1", "2"].map(|text| send_unique("/queue/a", text, unique(Until::Done, on_duplicate)));
        both.into_iter()
            .map(|request| match request {
                Request::Publish(publish) => Action::Publish(publish),
                other => panic!("{other:?}"),
            })
            .collect()
    };
    let refused = world.try_ask(client, Request::Commit(actions(OnDuplicate::Reject)));
    assert_eq!(refused, Err(Refusal::NotUnique));
    assert!(world.engine.queues()[0].entries.is_empty());
    assert_eq!(world.ask(client, Request::Commit(actions(OnDuplicate::Drop))), Answer::Done);
    assert_eq!(world.engine.queues()[0].entries.len(), 1);
}
