//! Queues behind topics.

use std::sync::Arc;
use std::time::Duration;

use super::{Departure, Options, World, ack, body, name, send, send_transient, settle, subscribe};
use crate::engine::Engine;
use crate::model::{
    AckMode, Action, Answer, Candidate, Content, Credit, DestinationId, DestinationName, Event, Feed, Filter, Outcome,
    Pattern, Publish, Record, Refusal, Request, SoftRefusal, Source, Subscribe, SubscriptionId,
};

fn queue() -> DestinationName {
    DestinationName::subscription("me/~/news/t").expect("a name")
}

pub(super) fn follow(id: u32, topics: &str, expires_after: Option<u64>, is_sole: bool) -> Request {
    let feed = Feed {
        queue: queue(),
        topics: Pattern::parse(topics).expect("a pattern"),
        expires_after,
        selector: None,
        is_sole,
    };
    let (mode, credit) = (AckMode::ClientIndividual, Credit { messages: 10, bytes: 1 << 20 });
    Request::Subscribe(Subscribe {
        id: SubscriptionId(id),
        to: Source::Feed(Arc::new(feed)),
        mode,
        credit,
        time_to_run_ms: None,
        filter: None,
    })
}

fn gone(id: u32) -> Request {
    Request::Unsubscribe(SubscriptionId(id))
}

/// Stands for a selector: it wants bodies that have its text for their head's last header.
#[derive(Debug)]
struct Only(String);

impl Filter for Only {
    fn wants(&self, candidate: &Candidate<'_>) -> bool {
        String::from_utf8_lossy(candidate.head).contains(&self.0)
    }
}

fn selective_world() -> World {
    let compile = |text: &str| (text != "?").then(|| Arc::new(Only(text.to_owned())) as Arc<dyn Filter>);
    World::with(Options { compile, ..Options::default() })
}

fn follow_only(id: u32, selector: Option<&str>, is_sole: bool) -> Request {
    let Request::Subscribe(mut wish) = follow(id, "/topic/t", None, is_sole) else { unreachable!() };
    if let Source::Feed(feed) = &wish.to {
        wish.to = Source::Feed(Arc::new(Feed { selector: selector.map(Into::into), ..(**feed).clone() }));
    }
    Request::Subscribe(wish)
}

/// A message to the topic with a header that selectors go by.
fn coloured(colour: &str) -> Request {
    let Request::Publish(mut publish) = send("/topic/t", colour) else { unreachable!() };
    publish.message.content = Content::small(format!("colour:{colour}\n{colour}").as_bytes(), colour.len() + 8);
    Request::Publish(publish)
}

#[test]
fn a_durable_subscription_keeps_only_what_its_selector_wants_also_after_a_restart() {
    let mut world = selective_world();
    let client = world.client("c");
    world.ask(client, follow_only(1, Some("red"), false));
    world.ask(client, gone(1));
    world.ask(client, coloured("red"));
    world.ask(client, coloured("blue"));
    world.sync();
    let mut engine = world.replayed(true);
    assert_eq!(state(&mut engine), state(&mut world.engine));
    world.engine = engine;
    let client = world.client("c");
    world.ask(client, coloured("blue"));
    world.ask(client, coloured("red"));
    world.sync();
    assert_eq!(world.engine.queues()[0].entries.len(), 2, "two red ones");
    world.ask(client, follow_only(1, Some("red"), false));
    assert_eq!(world.deliveries(client).len(), 2);
    assert_eq!(world.log.iter().filter(|(record, _)| matches!(record, Record::Bound(_))).count(), 1, "the same again");
}

#[test]
fn a_message_that_a_full_durable_subscription_does_not_want_is_not_refused_for_it() {
    let mut world = selective_world();
    world.engine.options.policies.default.max_length = 1;
    let client = world.client("c");
    world.ask(client, follow_only(1, Some("red"), false));
    world.ask(client, gone(1));
    world.ask(client, coloured("red"));
    world.ask(client, coloured("blue"));
    let refused = world.engine.apply(world.now, client, coloured("red"), &mut world.effects);
    assert!(matches!(refused, Err(Refusal::QueueFull { .. })));
}

#[test]
fn another_selector_is_another_subscription_unless_somebody_reads_it() {
    let mut world = selective_world();
    let (a, b) = (world.client("a"), world.client("b"));
    world.ask(a, follow_only(1, Some("red"), false));
    let refused = world.engine.apply(world.now, b, follow_only(1, None, false), &mut world.effects);
    assert_eq!(refused, Err(Refusal::OtherSelector));
    world.ask(a, gone(1));
    world.ask(a, coloured("red"));
    world.ask(b, follow_only(1, Some("blue"), false));
    world.ask(a, coloured("red"));
    world.ask(a, coloured("blue"));
    world.sync();
    assert_eq!(world.bodies(b), ["blue"], "what the old one kept is gone with it");
    let mut engine = world.replayed(true);
    assert_eq!(state(&mut engine), state(&mut world.engine));
}

#[test]
fn a_sole_subscription_is_taken_over_with_another_selector() {
    let mut world = selective_world();
    let (stale, heir) = (world.client("a"), world.client("b"));
    world.ask(stale, follow_only(1, Some("red"), true));
    world.ask(heir, follow_only(1, Some("blue"), true));
    world.ask(heir, coloured("blue"));
    world.sync();
    assert_eq!((world.bodies(stale).len(), world.bodies(heir)), (0, vec!["blue".to_owned()]));
    // Refused, it takes nothing over.
    let (shared, both) = (world.client("c"), follow_only(2, None, true));
    world.ask(shared, follow_only(1, Some("blue"), false));
    world.told.clear();
    let refused = world.engine.apply(world.now, heir, both, &mut world.effects);
    assert_eq!((refused, world.effects.events.len()), (Err(Refusal::OtherSelector), 0));
}

#[test]
fn a_selector_that_is_not_understood_any_more_lets_everything_through() {
    let mut world = selective_world();
    let client = world.client("c");
    world.ask(client, follow_only(1, Some("?"), false));
    world.ask(client, coloured("blue"));
    world.sync();
    assert_eq!(world.bodies(client), ["blue"], "better too much than lost");
}

/// All that two engines should agree on.
fn state(engine: &mut Engine) -> impl PartialEq + std::fmt::Debug + use<> {
    let mut feeds: Vec<_> = engine
        .destinations
        .iter()
        .filter_map(|(id, found)| match &found.kind {
            super::super::destination::Kind::Queue(queue) => {
                let fed = queue.fed.as_ref();
                let fed = fed.map(|fed| (fed.topics.clone(), fed.expires_after, fed.selector().cloned()));
                Some((*id, queue.name().clone(), fed, queue.doomed, queue.len()))
            }
            super::super::destination::Kind::Topic(_) => None,
        })
        .collect();
    feeds.sort_by_key(|row| row.0);
    (feeds, format!("{:?}", engine.feeds))
}

#[test]
fn what_is_sent_while_nobody_reads_is_there_after_a_restart() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, follow(1, "/topic/t", None, false));
    world.ask(client, gone(1));
    world.ask(client, send("/topic/t", "one"));
    world.sync();
    let mut engine = world.replayed(true);
    assert_eq!(state(&mut engine), state(&mut world.engine));
    world.engine = engine;
    let client = world.client("c");
    world.ask(client, send("/topic/t", "two"));
    world.ask(client, follow(1, "/topic/t", None, false));
    world.sync();
    let seen: Vec<_> = world.deliveries(client).iter().map(|delivery| (body(delivery), delivery.redelivered)).collect();
    assert_eq!(seen, [("(stored)".to_owned(), false), ("two".to_owned(), false)]);
}

#[test]
fn a_message_for_a_durable_subscription_is_delivered_after_the_disk_has_it_and_for_others_at_once() {
    let mut world = World::new();
    let (durable, plain) = (world.client("d"), world.client("p"));
    world.ask(durable, follow(1, "/topic/t", None, false));
    world.ask(plain, subscribe(1, "/topic/t", AckMode::Auto, 10));
    world.sync();
    let before = world.tickets;
    world.ask(plain, send("/topic/t", "x"));
    assert_eq!(world.tickets, before + 1, "its receipt has an append to wait for");
    assert_eq!((world.bodies(plain).len(), world.bodies(durable).len()), (1, 0));
    world.sync();
    let delivered = world.deliveries(durable);
    assert_eq!(delivered.iter().map(body).collect::<Vec<_>>(), ["x"]);
    world.ask(durable, ack(delivered[0].message));
    world.sync();
    assert!(world.replayed(true).queues()[0].entries.is_empty());
}

#[test]
fn several_connections_share_one() {
    let mut world = World::new();
    let (a, b) = (world.client("a"), world.client("b"));
    world.ask(a, follow(1, "/topic/t", None, false));
    world.ask(b, follow(1, "/topic/t", None, false));
    for number in 0..4 {
        world.ask(a, send_transient("/topic/t", &number.to_string()));
    }
    assert_eq!((world.bodies(a).len(), world.bodies(b).len()), (2, 2));
    assert_eq!(world.log.iter().filter(|(record, _)| matches!(record, Record::Bound(_))).count(), 1);
}

#[test]
fn a_new_connection_of_the_same_client_takes_it_over() {
    let mut world = World::new();
    let (stale, fresh) = (world.client("s"), world.client("f"));
    world.ask(stale, follow(1, "/topic/t", None, true));
    world.ask(stale, send_transient("/topic/t", "x"));
    assert_eq!(world.bodies(stale), ["x"]);
    world.ask(fresh, follow(7, "/topic/t", None, true));
    let told =
        world.told.iter().any(|(id, event)| *id == stale && matches!(event, Event::Disconnect(Refusal::TakenOver)));
    assert!(told, "the old one hears why");
    let again = world.deliveries(fresh);
    assert_eq!((body(&again[0]).as_str(), again[0].redelivered, again[0].attempt), ("x", true, 1));
    world.close(stale, Departure::Lost);
    world.ask(fresh, ack(again[0].message));
    assert!(world.engine.queues()[0].entries.is_empty());
}

#[test]
fn a_pattern_feeds_from_topics_to_come_and_not_from_the_brokers_own() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, send("/topic/early", "lost"));
    world.ask(client, follow(1, "/topic/>", None, false));
    for topic in ["/topic/early", "/topic/late.a", "/topic/Kolejka.x"] {
        world.ask(client, send_transient(topic, topic));
    }
    assert_eq!(world.bodies(client), ["/topic/early", "/topic/late.a"]);
}

#[test]
fn a_name_is_the_name_as_it_is_spelled() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, send_transient("/topic/t/x", "before"));
    world.ask(client, follow(1, "/topic/t.x", None, false));
    for topic in ["/topic/t/x", "/topic/t.x"] {
        world.ask(client, send_transient(topic, topic));
    }
    assert_eq!(world.bodies(client), ["/topic/t.x"], "as for those who only listen");
}

#[test]
fn it_ends_only_when_nobody_reads_it_and_little_by_little() {
    let mut world = World::new();
    let (reader, other) = (world.client("r"), world.client("o"));
    world.ask(reader, follow(1, "/topic/t", None, false));
    assert_eq!(world.ask(other, Request::Discard(queue())), Answer::Soft(SoftRefusal::InUse));
    world.ask(reader, gone(1));
    for number in 0..1500 {
        world.ask(other, send("/topic/t", &number.to_string()));
    }
    world.sync();
    assert_eq!(world.ask(other, Request::Discard(queue())), Answer::Done);
    assert_eq!(world.ask(other, Request::Discard(queue())), Answer::Done, "ended is ended");
    assert_eq!(world.engine.deadline(world.now), Some(Duration::ZERO));
    world.engine.tick(world.now, &mut world.effects);
    world.absorb();
    let left = world.engine.queues()[0].entries.len();
    assert!(left > 0 && left < 1500, "{left} are left after one tick");
    world.ask(reader, follow(2, "/topic/t", None, false));
    world.sync();
    assert!(world.bodies(reader).is_empty(), "a new one begins empty");
    let mut engine = world.replayed(false);
    assert_eq!(state(&mut engine), state(&mut world.engine), "in the middle of it too");
    world.engine = engine;
    let client = world.client("c");
    while world.engine.deadline(world.now) == Some(Duration::ZERO) {
        world.engine.tick(world.now, &mut world.effects);
        world.absorb();
    }
    let views = world.engine.queues();
    assert_eq!(views.len(), 1, "the old one is gone: {views:?}");
    world.ask(client, send("/topic/t", "x"));
    world.ask(client, follow(1, "/topic/t", None, false));
    world.sync();
    assert_eq!(world.bodies(client), ["x"]);
}

#[test]
fn without_a_reader_it_goes_when_its_time_is_over() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, follow(1, "/topic/t", Some(5000), false));
    world.now.monotonic += Duration::from_secs(60);
    world.engine.tick(world.now, &mut world.effects);
    assert_eq!(world.engine.queues().len(), 1, "it has a reader");
    world.ask(client, gone(1));
    world.now.monotonic += Duration::from_secs(4);
    // A message is no reader.
    world.ask(client, send("/topic/t", "x"));
    world.sync();
    world.engine.tick(world.now, &mut world.effects);
    assert_eq!(world.engine.queues().len(), 1, "not yet");
    world.now.monotonic += Duration::from_secs(1);
    world.engine.tick(world.now, &mut world.effects);
    world.absorb();
    assert!(world.engine.queues().is_empty() && world.engine.feeds.is_empty());
    world.sync();
    assert!(world.replayed(true).queues().is_empty());
}

#[test]
fn a_message_is_for_all_of_them_or_for_none() {
    let mut options = Options::default();
    options.policies.default.max_length = 1;
    let mut world = World::with(options);
    let client = world.client("c");
    world.ask(client, follow(1, "/topic/t", None, false));
    world.ask(client, gone(1));
    world.ask(client, subscribe(2, "/topic/t", AckMode::Auto, 10));
    world.ask(client, send("/topic/t", "fits"));
    let publish =
        |to: &str| Action::Publish(Publish { to: name(to), message: super::message("x"), key: None, retain: None });
    let refused = world.try_ask(client, Request::Commit(vec![publish("/queue/a"), publish("/topic/t")]));
    assert!(matches!(refused, Err(Refusal::QueueFull { .. })));
    assert!(matches!(world.try_ask(client, send("/topic/t", "no")), Err(Refusal::QueueFull { .. })));
    assert_eq!(world.bodies(client), ["fits"]);
}

#[test]
fn its_failed_messages_have_a_dead_letter_queue() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, follow(1, "/topic/t", None, false));
    world.ask(client, send("/topic/t", "x"));
    world.sync();
    let delivered = world.deliveries(client);
    world.ask(client, settle(delivered[0].message, Outcome::DeadLetter { reason: None }));
    let names: Vec<_> = world.engine.queues().iter().map(|view| (view.name.to_string(), view.entries.len())).collect();
    assert_eq!(names, [("/queue/DLQ.me/~/news/t".to_owned(), 1), ("/dsub/me/~/news/t".to_owned(), 0)]);
}

#[test]
fn every_record_of_it_changes_a_replay_as_it_changed_the_engine() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, follow(1, "/topic/t", None, false));
    world.ask(client, gone(1));
    world.ask(client, follow(2, "/topic/t", Some(9000), false));
    world.ask(client, gone(2));
    world.sync();
    let mut engine = world.replayed(true);
    assert_eq!(state(&mut engine), state(&mut world.engine));
    assert_eq!(world.engine.feeds.len(), 1);
    assert_eq!(world.engine.feeds.matching(&name("/topic/t")), [DestinationId(1)]);
}

#[test]
fn what_another_has_just_ended_is_confirmed_once_the_log_has_that() {
    let mut world = World::new();
    let (a, b) = (world.client("a"), world.client("b"));
    world.ask(a, follow(1, "/topic/t", None, false));
    world.ask(a, gone(1));
    world.sync();
    world.ask(a, Request::Discard(queue()));
    world.effects.leans = false;
    assert_eq!(world.ask(b, Request::Discard(queue())), Answer::Done);
    assert!(world.effects.leans, "the record of the other may still be on its way");
}
