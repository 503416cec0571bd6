//! Numbers for whoever asks.

use std::sync::Arc;

use super::*;
use crate::model::{Inquiry, Reader, Reply, Source, Subject, Wildcard};

/// May read all but one.
#[derive(Debug)]
struct AllBut(&'static str);

impl Reader for AllBut {
    fn may_read(&self, name: &DestinationName) -> bool {
        name.as_str() != self.0
    }
}

impl World {
    fn inquire(&mut self, about: Subject) -> (Answer, Vec<String>) {
        let boss = self.client("boss");
        self.ask(boss, subscribe(1, "/queue/answers", AckMode::ClientIndividual, 100));
        let reply = Reply { to: name("/queue/answers"), head: (*b"a:b\n").into() };
        let inquiry = Inquiry { about, reader: Arc::new(AllBut("/queue/secret")), reply };
        let answer = self.ask(boss, Request::Inquire(Box::new(inquiry)));
        let told = self.deliveries(boss);
        for delivery in &told {
            self.ask(boss, ack(delivery.message));
        }
        self.close(boss, Departure::Clean);
        (answer, told.iter().map(body).collect())
    }
}

fn number(document: &str, key: &str) -> u64 {
    let (_, rest) = document.split_once(&format!("\"{key}\":")).unwrap_or_else(|| panic!("{key} in {document}"));
    rest.split([',', '}']).next().and_then(|text| text.parse().ok()).expect("a number")
}

#[test]
fn a_queue_tells_what_it_has_and_what_it_has_seen() {
    let mut world = World::new();
    let client = world.client("c");
    for number in 0..5 {
        world.ask(client, send("/queue/a", &number.to_string()));
    }
    world.sync();
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 2));
    let held = world.deliveries(client);
    world.ask(client, ack(held[0].message));
    let third = world.deliveries(client).remove(0);
    world.ask(client, settle(third.message, Outcome::Bury));
    let (answer, told) = world.inquire(Subject::Destination(name("/queue/a")));
    assert_eq!((answer, told.len()), (Answer::Done, 1));
    assert!(told[0].starts_with(r#"{"brokerName":"kolejka","brokerId":"kolejka-0","destinationName":"queue://a","#));
    let expected = [
        ("size", 4),
        ("enqueueCount", 5),
        ("dequeueCount", 1),
        ("dispatchCount", 4),
        ("inflightCount", 2),
        ("consumerCount", 1),
        ("ready", 1),
        ("buried", 1),
        ("delayed", 0),
    ];
    for (key, value) in expected {
        assert_eq!(number(&told[0], key), value, "{key}");
    }
    world.sync();
    world.engine = world.replayed(true);
    world.told.clear();
    let (_, told) = world.inquire(Subject::Destination(name("/queue/a")));
    assert_eq!((number(&told[0], "size"), number(&told[0], "enqueueCount")), (4, 0), "counts begin with the process");
}

#[test]
fn what_one_may_not_read_is_neither_told_nor_counted() {
    let mut world = World::new();
    let client = world.client("c");
    for queue in ["/queue/a", "/queue/b", "/queue/secret", "/topic/t"] {
        world.ask(client, send_transient(queue, "x"));
    }
    let (answer, told) = world.inquire(Subject::Destination(name("/queue/secret")));
    assert_eq!(answer, Answer::Soft(SoftRefusal::Forbidden));
    assert_eq!(told, [r#"{"op":"statistics","queue":"/queue/secret","error":"forbidden"}"#]);
    let (answer, _) = world.inquire(Subject::Destination(name("/queue/nowhere")));
    assert_eq!(answer, Answer::Soft(SoftRefusal::UnknownQueue));
    let wildcard = Wildcard::parse("/queue/>", Arc::new(AllBut("/queue/secret"))).expect("a pattern");
    let (_, told) = world.inquire(Subject::Destinations(Arc::new(wildcard)));
    let names = ["queue://a", "queue://answers", "queue://b"].map(|name| told.iter().any(|text| text.contains(name)));
    assert_eq!((names, told.len()), ([true; 3], 3));
    let (_, told) = world.inquire(Subject::Broker);
    assert_eq!((number(&told[0], "queueCount"), number(&told[0], "topicCount")), (3, 1));
    assert_eq!((number(&told[0], "size"), number(&told[0], "connectionCount")), (2, 2));
}

/// May read one.
#[derive(Debug)]
struct Only(&'static str);

impl Reader for Only {
    fn may_read(&self, name: &DestinationName) -> bool {
        name.as_str() == self.0
    }
}

#[test]
fn a_wildcard_subscription_is_told_of_to_who_may_read_only_the_last_of_its_destinations() {
    let mut world = World::new();
    let client = world.client("c");
    for number in 0..1000 {
        world.ask(client, send_transient(&format!("/queue/a.{number}"), "x"));
    }
    for (id, pattern) in [(1, "/queue/a.*"), (2, "/queue/b.*")] {
        let wildcard = Wildcard::parse(pattern, Arc::new(AllBut(""))).expect("a pattern");
        let Request::Subscribe(wish) = subscribe(id, "/queue/a", AckMode::Client, 7) else { panic!("a wish") };
        world.ask(client, Request::Subscribe(Subscribe { to: Source::Wildcard(Arc::new(wildcard)), ..wish }));
    }
    world.told.clear();
    for (readable, count) in [("/queue/a.999", 1), ("/queue/c", 0)] {
        let boss = world.client("boss");
        world.ask(boss, subscribe(1, "/queue/answers", AckMode::Auto, 100));
        let reply = Reply { to: name("/queue/answers"), head: (*b"a:b\n").into() };
        let inquiry = Inquiry { about: Subject::Subscriptions, reader: Arc::new(Only(readable)), reply };
        world.ask(boss, Request::Inquire(Box::new(inquiry)));
        let told = world.bodies(boss);
        assert_eq!(told.iter().filter(|text| text.contains("/queue/a.*")).count(), count, "{told:?}");
        assert_eq!(told.len(), count, "{told:?}");
        world.ask(boss, Request::Written { subscription: SubscriptionId(1), through: u64::MAX });
        world.close(boss, Departure::Clean);
    }
}

#[test]
fn subscriptions_tell_what_they_hold() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::Client, 7));
    world.ask(client, subscribe(2, "/queue/secret", AckMode::Client, 7));
    let wildcard = Wildcard::parse("/queue/a.*", Arc::new(AllBut(""))).expect("a pattern");
    let Request::Subscribe(wish) = subscribe(3, "/queue/a", AckMode::Auto, 7) else { panic!("a wish") };
    world.ask(client, Request::Subscribe(Subscribe { to: Source::Wildcard(Arc::new(wildcard)), ..wish }));
    world.ask(client, send_transient("/queue/a", "x"));
    let (_, told) = world.inquire(Subject::Subscriptions);
    assert_eq!(told.len(), 2, "{told:?}");
    let of_a = told.iter().find(|text| text.contains("queue://a\"")).expect("the one of the client");
    let numbers =
        ["prefetchSize", "dispatchedCounter", "dequeueCounter", "dispatchedQueueSize"].map(|k| number(of_a, k));
    assert_eq!(numbers, [7, 1, 0, 1]);
}
