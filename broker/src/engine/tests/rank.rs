//! Another urgency at the end of a delivery.

use super::*;

fn ranked(message: MessageId, urgency: u32, outcome: Outcome) -> Request {
    settle(message, Outcome::Ranked { urgency: Urgency(urgency), outcome: Box::new(outcome) })
}

fn at_once() -> Outcome {
    Outcome::Retry { reason: None, delay_ms: Some(0) }
}

#[test]
fn a_released_message_may_stand_before_or_behind_the_others_from_then_on() {
    for (urgency, expected) in [(0, ["1", "0", "2"]), (1 << 20, ["0", "2", "1"]), (1024, ["0", "1", "2"])] {
        for send in [send, send_transient] {
            let mut world = World::new();
            let client = world.client("c");
            world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 3));
            for number in 0..3 {
                world.ask(client, send("/queue/a", &number.to_string()));
            }
            world.sync();
            let ids: Vec<_> = world.deliveries(client).iter().map(|delivery| delivery.message).collect();
            world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
            world.ask(client, subscribe(2, "/queue/a", AckMode::ClientIndividual, 3));
            world.sync();
            world.deliveries(client);
            world.ask(client, ranked(ids[1], urgency, Outcome::Bury));
            world.ask(client, Request::Unsubscribe(SubscriptionId(2)));
            world.sync();
            let live = world.engine.queues();
            let places = |engine: &Engine| -> Vec<_> {
                engine.queues()[0].entries.iter().map(|entry| (entry.message, entry.place(), entry.attempts)).collect()
            };
            if live[0].entries.iter().all(crate::destination::Entry::is_durable) {
                assert_eq!(places(&world.replayed(true)), places(&world.engine));
            }
            let operation = crate::model::Operation::Kick { count: 1 };
            world.manage(client, operation, "/queue/a");
            world.ask(client, subscribe(3, "/queue/a", AckMode::Auto, 3));
            world.sync();
            let order: Vec<_> = world.deliveries(client).iter().map(|delivery| delivery.message).collect();
            let expected: Vec<_> = expected.iter().map(|number| ids[number.parse::<usize>().unwrap()]).collect();
            assert_eq!(order, expected, "with urgency {urgency}");
        }
    }
}

#[test]
fn a_new_urgency_goes_with_a_dead_letter_and_outlives_a_restart() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 3));
    world.ask(client, send("/queue/a", "job"));
    world.sync();
    let id = world.deliveries(client)[0].message;
    world.ask(client, ranked(id, 5, at_once()));
    world.sync();
    assert_eq!(world.deliveries(client).len(), 1, "it is out again, and the same client may settle it");
    world.ask(client, ranked(id, 6, Outcome::DeadLetter { reason: None }));
    world.sync();
    let dead = |engine: &Engine| engine.queues()[0].entries[0].place().urgency;
    assert_eq!((dead(&world.engine), dead(&world.replayed(true))), (Urgency(6), Urgency(6)));
}
