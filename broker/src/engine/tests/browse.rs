//! Looking through queues.

use std::sync::Arc;
use std::time::Duration;

use super::{World, message, name, send, settle, subscribe};
use crate::destination::State;
use crate::engine::{Departure, Options};
use crate::model::{
    AckMode, Answer, Browse, Candidate, Credit, Durability, End, Event, Filter, Lease, Message, Outcome, Payload,
    Publish, Record, Request, SessionId, Source, Stage, Subscribe, SubscriptionId, Terms, Timestamp, Urgency,
};

const ME: SubscriptionId = SubscriptionId(7);

fn browse(to: &str, stages: &[Stage]) -> Browse {
    let subscribe = Subscribe {
        id: ME,
        to: Source::Name(name(to)),
        mode: AckMode::Auto,
        credit: Credit { messages: 1000, bytes: 1 << 20 },
        time_to_run_ms: None,
        filter: None,
    };
    Browse { subscribe, stages: stages.to_vec(), limit: None, tail: false }
}

/// What one has seen.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    bodies: Vec<String>,
    stages: Vec<Stage>,
    ended: bool,
}

impl World {
    fn look(&mut self, client: SessionId, browse: Browse) -> Seen {
        self.ask(client, Request::Browse(Box::new(browse)));
        self.seen(client)
    }

    /// What came since, and is written by now.
    fn seen(&mut self, client: SessionId) -> Seen {
        let mut seen = Seen::default();
        loop {
            let mut through = 0;
            for (to, event) in std::mem::take(&mut self.told) {
                match event {
                    Event::Deliver(delivery) if (to, delivery.subscription) == (client, ME) => {
                        let Lease::Seen(stage) = delivery.lease else { panic!("it is taken: {delivery:?}") };
                        assert!(!seen.ended && delivery.auto, "{delivery:?}");
                        seen.bodies.push(self.body_of(&delivery.payload));
                        seen.stages.push(stage);
                        through = delivery.number;
                    }
                    Event::End { subscription: ME, why } => {
                        assert!(why == End::Browse && !std::mem::replace(&mut seen.ended, true));
                    }
                    _ => {}
                }
            }
            if through == 0 {
                return seen;
            }
            self.ask(client, Request::Written { subscription: ME, through });
        }
    }

    fn body_of(&self, payload: &Payload) -> String {
        let content = match payload {
            Payload::Memory(content) => Some(content.clone()),
            Payload::Stored { position, .. } => self.stored(*position),
        };
        String::from_utf8_lossy(content.expect("a content").body()).into_owned()
    }

    fn delayed(&mut self, client: SessionId, body: &str, due: u64) {
        let terms = Some(Box::new(Terms { due: Some(Timestamp(due)), ..Terms::default() }));
        let message = Message { terms, ..message(body) };
        self.ask(client, Request::Publish(Publish { to: name("/queue/a"), message, key: None, retain: None }));
    }
}

/// Two ready, one delayed, one buried and one out.
fn stocked() -> (World, SessionId, SessionId) {
    let mut world = World::new();
    let (worker, client) = (world.client("w"), world.client("c"));
    for body in ["buried", "out", "one", "two"] {
        world.ask(client, send("/queue/a", body));
    }
    world.delayed(client, "later", 5000);
    world.sync();
    world.ask(worker, subscribe(1, "/queue/a", AckMode::ClientIndividual, 1));
    let first = world.deliveries(worker)[0].message;
    world.ask(worker, settle(first, Outcome::Bury));
    assert_eq!(world.bodies(worker), ["out"]);
    world.sync();
    (world, worker, client)
}

#[test]
fn ready_messages_are_seen_in_their_order_and_stay() {
    let (mut world, _, client) = stocked();
    let before = world.engine.queues();
    let seen = world.look(client, browse("/queue/a", &[Stage::Ready]));
    assert_eq!(seen, Seen { bodies: vec!["one".into(), "two".into()], stages: vec![Stage::Ready; 2], ended: true });
    let after = world.engine.queues();
    assert_eq!(after[0].entries, before[0].entries);
    assert!(!after[0].entries.iter().any(|entry| entry.state == State::Ready && entry.attempts > 0));
}

#[test]
fn stages_come_as_they_are_listed() {
    let (mut world, _, client) = stocked();
    let seen = world.look(client, browse("/queue/a", &[Stage::Reserved, Stage::Delayed, Stage::Ready, Stage::Buried]));
    assert_eq!(seen.bodies, ["out", "later", "one", "two", "buried"]);
    assert_eq!(seen.stages, [Stage::Reserved, Stage::Delayed, Stage::Ready, Stage::Ready, Stage::Buried]);
    assert!(seen.ended);
}

#[test]
fn a_queue_that_is_not_there_is_empty_and_does_not_come_to_be() {
    let mut world = World::new();
    let client = world.client("c");
    let seen = world.look(client, browse("/queue/none", &Stage::ALL));
    assert!(seen.ended && seen.bodies.is_empty() && world.engine.queues().is_empty());
}

#[test]
fn a_limit_ends_it_too() {
    let (mut world, _, client) = stocked();
    let seen = world.look(client, Browse { limit: Some(1), ..browse("/queue/a", &Stage::ALL) });
    assert_eq!((seen.bodies, seen.ended), (vec!["one".to_owned()], true));
}

#[test]
fn no_more_is_under_way_than_has_been_written() {
    let mut world = World::new();
    let client = world.client("c");
    for number in 0..50 {
        world.ask(client, send("/queue/a", &number.to_string()));
    }
    world.sync();
    let mut wish = browse("/queue/a", &[Stage::Ready]);
    wish.subscribe.credit = Credit { messages: 8, bytes: 1 << 20 };
    world.ask(client, Request::Browse(Box::new(wish)));
    assert_eq!(world.told.iter().filter(|(_, event)| matches!(event, Event::Deliver(_))).count(), 8);
    let seen = world.seen(client);
    assert_eq!(seen.bodies, (0..50).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(seen.ended);
}

#[test]
fn what_changes_meanwhile_harms_nobody() {
    let mut world = World::new();
    let (client, worker) = (world.client("c"), world.client("w"));
    for number in 0..20 {
        world.ask(client, send("/queue/a", &number.to_string()));
    }
    world.sync();
    let mut wish = browse("/queue/a", &[Stage::Ready]);
    wish.subscribe.credit = Credit { messages: 5, bytes: 1 << 20 };
    world.ask(client, Request::Browse(Box::new(wish)));
    // Ten are taken, five of them before they were seen; new ones come, some of them more urgent.
    world.ask(worker, subscribe(1, "/queue/a", AckMode::ClientIndividual, 10));
    world.ask(client, send("/queue/a", "new"));
    let urgent = Message { urgency: Urgency(1), ..message("urgent") };
    world.ask(client, Request::Publish(Publish { to: name("/queue/a"), message: urgent, key: None, retain: None }));
    world.sync();
    let seen = world.seen(client);
    let expected: Vec<String> = (0..5).chain(10..20).map(|number| number.to_string()).collect();
    assert_eq!((seen.bodies, seen.ended), (expected, true));
    assert_eq!(world.engine.queues()[0].reserved, 10);
}

#[test]
fn a_tail_goes_on_with_what_comes_even_if_it_is_taken_at_once() {
    let (mut world, _, client) = stocked();
    let wish = Browse { tail: true, ..browse("/queue/a", &[Stage::Ready]) };
    let seen = world.look(client, wish);
    assert_eq!((seen.bodies.len(), seen.ended), (2, false));
    let hungry = world.client("h");
    world.ask(hungry, subscribe(1, "/queue/a", AckMode::ClientIndividual, 100));
    for body in ["three", "four"] {
        world.ask(client, send("/queue/a", body));
        world.sync();
    }
    let seen = world.seen(client);
    assert_eq!((seen.bodies, seen.ended), (vec!["three".to_owned(), "four".to_owned()], false));
    world.ask(client, Request::Unsubscribe(ME));
    world.ask(client, send("/queue/a", "five"));
    world.sync();
    assert_eq!(world.seen(client), Seen::default());
}

#[test]
fn a_tail_keeps_its_queue_in_being() {
    let mut world = World::new();
    let client = world.client("c");
    let wish = Browse { tail: true, ..browse("/queue/a", &[Stage::Ready]) };
    assert_eq!(world.look(client, wish), Seen::default());
    world.now.monotonic += Duration::from_secs(1000);
    world.engine.tick(world.now, &mut world.effects);
    world.ask(client, send("/queue/a", "at last"));
    world.sync();
    assert_eq!(world.seen(client).bodies, ["at last"]);
    world.close(client, Departure::Lost);
    assert_eq!(world.engine.queues()[0].ready, 1);
}

#[derive(Debug)]
struct Even;

impl Filter for Even {
    fn wants(&self, candidate: &Candidate<'_>) -> bool {
        candidate.head.ends_with(b"even:yes\n")
    }
}

#[test]
fn a_selector_chooses_also_where_heads_have_to_be_read() {
    for cache_bytes in [1 << 20, 0] {
        let mut world = World::with(Options { cache_bytes, ..Options::default() });
        let client = world.client("c");
        for number in 0..600 {
            let head = if number % 2 == 0 { "even:yes\n" } else { "even:no\n" };
            let content = crate::model::Content::new(head.as_bytes(), number.to_string().into());
            let message = Message { content, ..message("") };
            world.ask(client, Request::Publish(Publish { to: name("/queue/a"), message, key: None, retain: None }));
        }
        world.sync();
        let mut wish = Browse { limit: Some(290), ..browse("/queue/a", &[Stage::Ready]) };
        wish.subscribe.filter = Some(Arc::new(Even));
        let mut seen = world.look(client, wish);
        while world.engine.wants_heads() {
            world.elapse(0);
            let more = world.seen(client);
            seen.bodies.extend(more.bodies);
            seen.ended |= more.ended;
        }
        let expected: Vec<String> = (0..290).map(|number| (number * 2).to_string()).collect();
        assert_eq!((seen.bodies, seen.ended), (expected, true), "cache {cache_bytes}");
    }
}

#[test]
fn what_is_over_is_not_seen_and_what_lives_in_memory_is() {
    let mut world = World::new();
    let client = world.client("c");
    let transient = Message { durability: Durability::Transient, ..message("transient") };
    world.ask(client, Request::Publish(Publish { to: name("/queue/a"), message: transient, key: None, retain: None }));
    let terms = Some(Box::new(Terms { expires: Some(Timestamp(100)), ..Terms::default() }));
    let short = Message { terms, ..message("short") };
    world.ask(client, Request::Publish(Publish { to: name("/queue/a"), message: short, key: None, retain: None }));
    world.sync();
    world.now.wall.0 = 100;
    assert_eq!(world.look(client, browse("/queue/a", &Stage::ALL)).bodies, ["transient"]);
}

#[test]
fn what_cannot_be_read_any_more_is_left_out_and_kept_from_nobody() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, send("/queue/a", "one"));
    world.sync();
    world.ask(client, Request::Browse(Box::new(browse("/queue/a", &[Stage::Ready]))));
    assert_eq!(world.ask(client, Request::Quarantine { subscription: ME, number: 1, is_damaged: true }), Answer::Done);
    world.ask(client, subscribe(1, "/queue/a", AckMode::Auto, 10));
    assert_eq!(world.deliveries(client).len(), 2, "seen, and then taken");
}

#[test]
fn a_durable_subscription_may_be_looked_through_without_taking_it_over() {
    let mut world = World::new();
    let (owner, client) = (world.client("o"), world.client("c"));
    let feed = Arc::new(crate::model::Feed {
        queue: crate::model::DestinationName::subscription("ann.news").expect("a name"),
        topics: crate::model::Pattern::parse("/topic/news").expect("a pattern"),
        is_sole: true,
        expires_after: None,
        selector: None,
    });
    let mut wish = browse("/queue/x", &[Stage::Ready]);
    wish.subscribe.to = Source::Feed(feed.clone());
    assert!(world.look(client, wish.clone()).ended, "it is not there, and does not come to be");
    world.ask(client, Request::Unsubscribe(ME));
    let own = Subscribe { id: SubscriptionId(1), mode: AckMode::ClientIndividual, ..wish.subscribe.clone() };
    world.ask(owner, Request::Subscribe(Subscribe { credit: Credit { messages: 1, bytes: 1 }, ..own }));
    for body in ["one", "two"] {
        world.ask(client, send("/topic/news", body));
    }
    world.sync();
    let seen = world.look(client, wish);
    assert_eq!((seen.bodies, seen.ended), (vec!["two".to_owned()], true));
    assert!(!world.log.iter().any(|(record, _)| matches!(record, Record::Unbound { .. })));
}
