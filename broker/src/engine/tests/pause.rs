//! Queues that stand still.

use super::manage::stocked;
use super::*;
use crate::model::{Operation, Pause, Side};

#[test]
fn a_paused_queue_hands_nothing_out_until_it_is_resumed() {
    let (mut world, client) = stocked(2, 0, 0);
    let boss = world.client("boss");
    let pause = Operation::Pause { side: Side::Output, for_ms: None };
    let (answer, told) = world.manage(boss, pause, "/queue/a");
    assert_eq!(answer, Answer::Done);
    assert_eq!(told, r#"{"op":"pause","queue":"/queue/a","input":null,"output":true}"#);
    world.ask(client, subscribe(2, "/queue/a", AckMode::ClientIndividual, 10));
    assert!(world.deliveries(client).is_empty());
    world.ask(client, send("/queue/a", "more"));
    world.sync();
    assert!(world.deliveries(client).is_empty(), "it takes in what is sent, and keeps it");
    let again = world.replayed(true).queues().remove(0);
    assert_eq!((again.pause, again.ready), (Pause { input: None, output: Some(Pause::FOR_GOOD) }, 3));
    world.manage(boss, Operation::Resume { side: Side::Both }, "/queue/a");
    assert_eq!(world.deliveries(client).len(), 3);
    world.sync();
    assert!(world.replayed(true).queues()[0].pause.is_over());
}

#[test]
fn a_pause_with_a_time_ends_by_itself_and_is_kept_through_a_restart() {
    let (mut world, client) = stocked(1, 0, 0);
    let boss = world.client("boss");
    let start = world.now.wall.0;
    let (_, told) = world.manage(boss, Operation::Pause { side: Side::Both, for_ms: Some(500) }, "/queue/a");
    let until = start + 500;
    assert!(told.ends_with(&format!("\"input\":{until},\"output\":{until}}}")), "{told}");
    world.ask(client, subscribe(2, "/queue/a", AckMode::ClientIndividual, 10));
    assert_eq!(world.try_ask(client, send("/queue/a", "x")), Err(Refusal::QueuePaused));
    world.sync();
    assert_eq!(world.replayed(true).queues()[0].pause.next_end(), Some(Timestamp(until)));
    world.wait(499);
    assert!(world.deliveries(client).is_empty());
    world.wait(1);
    assert_eq!(world.deliveries(client).len(), 1);
    world.ask(client, send("/queue/a", "x"));
    world.sync();
    assert!(world.replayed(true).queues()[0].pause.is_over(), "its end is in the log");
}

#[test]
fn an_empty_queue_that_is_paused_stays() {
    let mut world = World::new();
    let (client, boss) = (world.client("c"), world.client("boss"));
    world.ask(client, subscribe(1, "/queue/a", AckMode::Auto, 1));
    world.manage(boss, Operation::Pause { side: Side::Input, for_ms: None }, "/queue/a");
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    world.wait(3_600_000);
    world.sync();
    assert_eq!(world.replayed(true).queues()[0].pause.input, Some(Pause::FOR_GOOD));
    world.manage(boss, Operation::Resume { side: Side::Input }, "/queue/a");
    world.wait(3_600_000);
    assert!(world.engine.queues().iter().all(|view| view.name.as_str() != "/queue/a"));
}
