//! Queues that keep only the last message of each value.

use super::select::with_head;
use super::*;
use crate::destination::Policy;

fn ticker(max_length: u64) -> Policy {
    Policy { last_value_key: Some("symbol".into()), max_length, ..Policy::default() }
}

impl World {
    fn of_values(max_length: u64) -> (World, SessionId) {
        let policies = Policies { default: ticker(max_length), rules: Vec::new() };
        let mut world = World::with(Options { policies, ..Options::default() });
        let client = world.client("c");
        (world, client)
    }

    fn quote(
        &mut self,
        client: SessionId,
        symbol: &str,
        text: &str,
        durability: Durability,
    ) -> Result<Answer, Refusal> {
        let message = with_head(&format!("destination:a\nsymbol:{symbol}\n"), text, durability);
        let publish = Publish { to: name("/queue/q"), message, key: None, retain: None };
        self.try_ask(client, Request::Publish(publish))
    }

    fn left(&mut self) -> Vec<String> {
        let reader = self.client("reader");
        self.ask(reader, subscribe(1, "/queue/q", AckMode::ClientIndividual, 100));
        let bodies = self.bodies(reader);
        self.close(reader, Departure::Clean);
        bodies
    }
}

#[test]
fn the_newest_message_of_a_value_replaces_the_one_before_that_nobody_holds() {
    let durability = Durability::Transient;
    let (mut world, client) = World::of_values(100);
    for (symbol, price) in [("a", "1"), ("b", "2"), ("a", "3"), ("a", "4")] {
        world.quote(client, symbol, price, durability).unwrap();
    }
    world.ask(client, send_transient("/queue/q", "plain"));
    world.sync();
    assert_eq!(world.left(), ["2", "4", "plain"]);
    world.ask(client, subscribe(1, "/queue/q", AckMode::ClientIndividual, 1));
    assert_eq!(world.bodies(client), ["2"]);
    world.quote(client, "b", "5", durability).unwrap();
    world.quote(client, "b", "6", durability).unwrap();
    world.sync();
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    world.sync();
    assert_eq!(world.left(), ["2", "4", "plain", "6"], "what somebody has had is not touched");
}

#[test]
fn very_many_that_are_replaced_together_go_in_parts_and_none_of_them_is_handed_out() {
    let (mut world, client) = World::of_values(100_000);
    let reader = world.client("r");
    for number in 0..20_000 {
        let symbol = (number % 10_000).to_string();
        world.quote(client, &symbol, &number.to_string(), Durability::Persistent).unwrap();
    }
    world.ask(reader, subscribe(1, "/queue/q", AckMode::ClientIndividual, 100_000));
    world.most_steps = 0;
    world.sync();
    for _ in 0..1000 {
        world.engine.tick(world.now, &mut world.effects);
        world.absorb();
    }
    let told: Vec<usize> = world.bodies(reader).iter().map(|text| text.parse().expect("a number")).collect();
    // What was handed out while its successor was on its way stays with its consumer.
    let newer = told.iter().filter(|number| **number >= 10_000).count();
    assert_eq!(newer, 10_000);
    assert_eq!(told.len(), newer, "the replaced ones were gone before");
    assert!(world.most_steps <= 2 * (Engine::REQUESTS + Engine::DISPATCH), "{} steps", world.most_steps);
    assert_eq!(world.engine.queues()[0].entries.len(), 10_000);
}

#[test]
fn values_are_known_after_a_restart() {
    let (mut world, client) = World::of_values(100);
    world.quote(client, "a", "1", Durability::Persistent).unwrap();
    world.quote(client, "b", "2", Durability::Persistent).unwrap();
    world.sync();
    world.engine = world.replayed(true);
    let client = world.client("c");
    world.quote(client, "a", "3", Durability::Persistent).unwrap();
    world.sync();
    let entries = |engine: &Engine| engine.queues()[0].entries.len();
    assert_eq!(entries(&world.engine), 2);
    assert_eq!(entries(&world.replayed(true)), 2);
}

#[test]
fn a_crash_between_the_two_leaves_the_newer_one() {
    let (mut world, client) = World::of_values(100);
    world.quote(client, "a", "1", Durability::Persistent).unwrap();
    world.quote(client, "a", "2", Durability::Persistent).unwrap();
    world.sync();
    let settled = |log: &[(Record, Option<Position>)]| log.iter().position(|(r, _)| matches!(r, Record::Settled(_)));
    world.unsynced = settled(&world.log).expect("the older one is gone");
    let engine = world.replayed(false);
    world.log.truncate(world.unsynced);
    world.engine = engine;
    world.wait(1);
    assert_eq!(world.engine.queues()[0].entries.len(), 1);
}

#[test]
fn the_newer_one_is_left_in_whichever_order_the_log_tells_of_them() {
    let (mut world, client) = World::of_values(100);
    world.quote(client, "a", "1", Durability::Persistent).unwrap();
    world.quote(client, "a", "2", Durability::Persistent).unwrap();
    world.sync();
    let settled = world.log.iter().position(|(record, _)| matches!(record, Record::Settled(_)));
    world.unsynced = settled.expect("the older one is gone");
    world.log.truncate(world.unsynced);
    // The older one was copied forward, behind the newer one.
    let first = world.log.iter().position(|(record, _)| matches!(record, Record::Accepted(_))).unwrap();
    let older = world.log.remove(first);
    world.log.push(older);
    world.engine = world.replayed(false);
    world.wait(1);
    let queues = world.engine.queues();
    let places: Vec<i64> = queues[0].entries.iter().map(|entry| entry.place().sequence).collect();
    assert_eq!(places, [2]);
}

#[test]
fn a_full_queue_takes_what_replaces_another() {
    let (mut world, client) = World::of_values(2);
    for symbol in ["a", "b", "a", "b"] {
        world.quote(client, symbol, symbol, Durability::Persistent).unwrap();
        world.sync();
    }
    let refused = world.quote(client, "c", "c", Durability::Persistent);
    assert!(matches!(refused, Err(Refusal::QueueFull { .. })), "{refused:?}");
}
