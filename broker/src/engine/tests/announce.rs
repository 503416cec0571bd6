//! Events do not breed events, whatever they are bound and routed to.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::destination::Policy;
use crate::engine::announce::MOST_IN_A_ROW;
use crate::model::{Feed, Source};
use crate::router::{Route, Routes};

/// A subscription to the queue of a group or of a durable subscription.
fn bind(id: u32, queue: &str, topics: &str) -> Request {
    let queue = DestinationName::from_full(queue).expect("a name");
    let topics = Pattern::parse(topics).expect("a pattern");
    let feed = Feed { queue, topics, expires_after: None, selector: None, is_sole: false };
    let (mode, credit) = (AckMode::ClientIndividual, Credit { messages: 1000, bytes: 1 << 20 });
    let (id, to) = (SubscriptionId(id), Source::Feed(Arc::new(feed)));
    Request::Subscribe(Subscribe { id, to, mode, credit, time_to_run_ms: None, filter: None })
}

fn route(from: &str, to: &str) -> Route {
    Route { from: Pattern::parse(from).expect("a pattern"), filter: None, to: vec![name(to)], is_exclusive: false }
}

fn world(routes: Vec<Route>, policy: Policy) -> World {
    let policies = Policies { default: policy, rules: Vec::new() };
    World::with(Options { routes: Routes::new(routes), policies, ..Options::default() })
}

/// Works off all that is handed out, until nothing is. Returns how many deliveries that took.
fn work_off(world: &mut World, client: SessionId, outcomes: &[Outcome]) -> usize {
    let mut taken = 0;
    for _ in 0..100 {
        world.sync();
        let deliveries = world.deliveries(client);
        if deliveries.is_empty() {
            return taken;
        }
        for delivery in deliveries {
            let outcome = outcomes[taken % outcomes.len()].clone();
            taken += 1;
            // What a topic handed out is not to be settled one by one.
            drop(world.try_ask(client, settle(delivery.message, outcome)));
        }
    }
    panic!("it goes on and on: {taken} deliveries so far");
}

/// The same world after a restart, with the same subscriptions.
fn restart(world: &mut World) {
    let mut engine = world.replayed(true);
    engine.set_routes(world.engine.options.routes.clone());
    world.engine = engine;
    world.told.clear();
}

const SPELLINGS: [(&str, &str); 7] = [
    ("/queue/Consumer.g.Kolejka.Job.~", "/topic/Kolejka.Job.>"),
    ("/queue/Consumer.g.Kolejka.~", "/topic/Kolejka.>"),
    ("/queue/Consumer.g.Kolejka.Job.submitted.~", "/topic/Kolejka.Job.submitted.>"),
    ("/queue/Consumer.g.Kolejka.Job.completed.~", "/topic/Kolejka.Job.completed.>"),
    ("/queue/Consumer.g.ActiveMQ.Advisory.~", "/topic/ActiveMQ.Advisory.>"),
    ("/queue/Consumer.g.one", "/topic/Kolejka.Job.submitted.Consumer.g.one"),
    ("/dsub/me/~/events/Kolejka", "/topic/Kolejka.Job.>"),
];

#[test]
fn a_queue_that_events_feed_is_not_told_of_by_any_spelling_nor_after_a_restart() {
    for (queue, topics) in SPELLINGS {
        let mut world = world(Vec::new(), Policy::default());
        let client = world.client("c");
        world.ask(client, bind(1, queue, topics));
        for _ in 0..2 {
            world.ask(client, send("/queue/a", "x"));
            world.ask(client, send_transient("/queue/a", "x"));
            let taken = work_off(&mut world, client, &[Outcome::Ack]);
            assert!(taken <= 4, "{topics}: of two messages {taken} events");
            restart(&mut world);
            let client = world.client("c");
            world.ask(client, bind(1, queue, topics));
        }
        assert_eq!(world.engine.announcements.dropped(), 0);
    }
}

#[test]
fn events_of_ordinary_queues_still_reach_a_group() {
    let mut world = world(Vec::new(), Policy::default());
    let client = world.client("c");
    world.ask(client, bind(1, "/queue/Consumer.g.Kolejka.Job.~", "/topic/Kolejka.Job.>"));
    world.ask(client, subscribe(2, "/queue/a", AckMode::ClientIndividual, 10));
    world.ask(client, send("/queue/a", "x"));
    // Two consumers, the message itself, submitted, reserved, completed and queue-empty.
    assert_eq!(work_off(&mut world, client, &[Outcome::Ack]), 6);
}

#[test]
fn a_route_from_event_topics_copies_each_event_once() {
    for from in ["/topic/Kolejka.Job.>", "/topic/>", "/topic/Kolejka.Job.*.copies"] {
        let mut world = world(vec![route(from, "/queue/copies"), route(from, "/topic/others")], Policy::default());
        let (client, ear) = (world.client("c"), world.client("e"));
        world.ask(ear, bind(1, "/queue/Consumer.g.Kolejka.Job.~", "/topic/Kolejka.Job.>"));
        world.ask(client, send("/queue/copies", "x"));
        world.sync();
        let copies = world.engine.queues().iter().find(|view| view.name.as_str() == "/queue/copies").cloned();
        let expected = 2;
        assert_eq!(copies.map(|view| view.entries.len()), Some(expected), "{from}: the message and its event");
        world.ask(client, subscribe(2, "/queue/copies", AckMode::ClientIndividual, 100));
        let taken = work_off(&mut world, client, &[Outcome::Ack]);
        // Of the message: reserved, completed. Of the consumer: online.
        assert!(taken <= 6, "{from}: {taken}");
    }
}

#[test]
fn an_event_that_is_moved_or_dead_lettered_is_still_an_event() {
    let policy = Policy { max_deliveries: 1, dead_letter_expired: true, ..Policy::default() };
    let mut world = world(Vec::new(), policy);
    let client = world.client("c");
    world.ask(client, bind(1, "/queue/Consumer.g.Kolejka.Job.~", "/topic/Kolejka.Job.>"));
    world.ask(client, send("/queue/a", "x"));
    world.ask(client, send("/queue/a", "y"));
    let dead = work_off(&mut world, client, &[Outcome::DeadLetter { reason: None }]);
    assert_eq!(dead, 2, "two were submitted");
    world.ask(client, subscribe(2, "/queue/DLQ.Consumer.g.Kolejka.Job.~", AckMode::ClientIndividual, 100));
    // The two, and that somebody reads dead letters now.
    assert_eq!(work_off(&mut world, client, &[Outcome::Ack]), 3);
}

/// An announcement is told to no more queues than a message may go to: one too many, and none of them has it. What it speaks of
/// has happened all the same.
#[test]
fn an_announcement_goes_to_no_more_queues_than_one_request_may_put_messages_into() {
    const MOST: u32 = 100;
    for bound in [MOST, MOST + 1] {
        let append = crate::engine::Append { messages: MOST as usize, ..Options::default().append };
        let mut world = World::with(Options { append, ..Options::default() });
        let (client, sender) = (world.client("c"), world.client("s"));
        for id in 1..=bound {
            let queue = format!("/queue/Consumer.g{id}.Kolejka.Job.~");
            world.ask(client, bind(id, &queue, "/topic/Kolejka.Job.submitted.>"));
        }
        world.sync();
        world.told.clear();
        world.ask(sender, send("/queue/a", "x"));
        world.sync();
        let told = world.deliveries(client).len();
        assert_eq!(told, if bound > MOST { 0 } else { MOST as usize }, "{bound} queues");
        let sent = world.engine.queues().iter().find(|view| view.name.as_str() == "/queue/a").map(|a| a.entries.len());
        assert_eq!(sent, Some(1), "the message itself is there");
    }
}

#[test]
fn what_follows_from_announcements_has_an_end() {
    let mut world = World::new();
    let publish = || Publish { to: name("/topic/t"), message: message("x"), key: None, retain: None };
    for depth in 0..MOST_IN_A_ROW {
        assert!(world.engine.announcements.at(depth).follow(publish()).is_some());
    }
    assert!(world.engine.announcements.at(MOST_IN_A_ROW).follow(publish()).is_none());
    assert_eq!(world.engine.announcements.dropped(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_is_bound_and_routed_comes_to_rest(
        bound in proptest::sample::subsequence(SPELLINGS.to_vec(), 0..SPELLINGS.len()),
        routes in proptest::collection::vec(
            (
                proptest::sample::select(vec![
                    "/topic/Kolejka.Job.>", "/topic/>", "/topic/ActiveMQ.Advisory.>", "/queue/a", "/queue/**",
                    "/topic/Kolejka.Job.submitted.>", "/topic/VirtualTopic.v",
                ]),
                proptest::sample::select(vec!["/queue/a", "/queue/b", "/topic/VirtualTopic.v", "/topic/t"]),
            ),
            0..5,
        ),
        sent in proptest::collection::vec(
            (proptest::sample::select(vec!["/queue/a", "/queue/b", "/topic/VirtualTopic.v"]), any::<bool>()), 1..6),
        outcomes in proptest::collection::vec(
            proptest::sample::select(vec![
                Outcome::Ack,
                Outcome::DeadLetter { reason: None },
                Outcome::Retry { reason: None, delay_ms: Some(0) },
                Outcome::Bury,
            ]),
            1..5,
        ),
        max_length in 1_u64..4,
        restarts in any::<bool>(),
    ) {
        let policy = Policy {
            max_deliveries: 2, max_length, overflow: crate::destination::Overflow::DropOldest, ..Policy::default()
        };
        let mut world = world(routes.iter().map(|(from, to)| route(from, to)).collect(), policy);
        for _ in 0..=usize::from(restarts) {
            let client = world.client("c");
            for (id, (queue, topics)) in (1_u32..).zip(&bound) {
                world.ask(client, bind(id, queue, topics));
            }
            let own = ["/queue/a", "/queue/b", "/queue/DLQ.a", "/queue/DLQ.Consumer.g.Kolejka.Job.~"];
            for (id, queue) in (100..).zip(own) {
                world.ask(client, subscribe(id, queue, AckMode::ClientIndividual, 3));
            }
            world.ask(client, bind(200, "/queue/Consumer.g.VirtualTopic.v", "/topic/VirtualTopic.v"));
            for (to, persistent) in &sent {
                // A queue that is full of what is buried refuses.
                drop(world.try_ask(client, if *persistent { send(to, "x") } else { send_transient(to, "x") }));
            }
            let taken = work_off(&mut world, client, &outcomes);
            // Each message is in five queues at most, by a route or as a dead letter, and has ten events in a life, each of
            // which is in as many queues as there are bindings and routes.
            let most = sent.len() * 5 * 10 * (1 + bound.len() + routes.len());
            prop_assert!(taken <= most, "{taken} of at most {most}");
            prop_assert_eq!(world.engine.announcements.dropped(), 0);
            restart(&mut world);
        }
    }
}
