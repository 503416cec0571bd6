//! What happens to jobs, as those hear it who listen to everything.

use super::jobs::{operate, submit, tracking, worker};
use super::*;
use crate::destination::Policy;
use crate::model::{Operation, Side, Source, States, Terms, Wildcard};

#[derive(Debug)]
struct Everybody;

impl crate::model::Reader for Everybody {
    fn may_read(&self, _: &DestinationName) -> bool {
        true
    }
}

fn listen(id: u32, pattern: &str) -> Request {
    let wildcard = Wildcard::parse(pattern, std::sync::Arc::new(Everybody)).expect("a pattern");
    let to = Source::Wildcard(std::sync::Arc::new(wildcard));
    let credit = Credit { messages: 1000, bytes: 1 << 20 };
    let (id, mode) = (SubscriptionId(id), AckMode::Client);
    Request::Subscribe(Subscribe { id, to, mode, credit, time_to_run_ms: None, filter: None })
}

impl World {
    fn send_with(&mut self, queue: &str, terms: Terms, client: SessionId) {
        let message = Message { terms: Some(Box::new(terms)), ..message("x") };
        self.ask(client, Request::Publish(Publish { to: name(queue), message, key: None, retain: None }));
        self.sync();
    }

    /// Where a listener was told something, without what all those topics have in common.
    fn overheard(&mut self, session: SessionId) -> Vec<String> {
        let topic = |delivery: Delivery| {
            let Payload::Memory(content) = &delivery.payload else { panic!("it is made here") };
            let head = String::from_utf8_lossy(content.head()).into_owned();
            let topic = head.lines().find_map(|line| line.strip_prefix("destination:/topic/")).unwrap_or_default();
            topic.replace("Kolejka.Job.", "").replace("ActiveMQ.Advisory.", "A.")
        };
        self.deliveries(session).into_iter().map(topic).collect()
    }
}

#[test]
fn everything_that_happens_to_a_job_is_told_on_a_topic_of_its_own() {
    let (mut world, w) = worker(Policy { max_deliveries: 3, time_to_run_ms: Some(1000), ..Policy::default() });
    let ear = world.client("e");
    world.ask(ear, listen(1, "/topic/Kolejka.Job.>"));
    world.ask(w, send("/queue/a", "plain"));
    assert!(world.overheard(ear).is_empty(), "the log does not have it yet");
    world.sync();
    assert_eq!(world.overheard(ear), ["submitted.a", "reserved.a"]);
    let id = world.deliveries(w)[0].message;
    world.ask(w, settle(id, Outcome::Release));
    world.sync();
    assert_eq!(world.overheard(ear), ["released.a", "reserved.a"], "in their order");
    world.spend(1000);
    world.sync();
    assert_eq!(world.overheard(ear), ["timed-out.a"], "who hangs is not given it again");
    world.ask(w, Request::Unsubscribe(SubscriptionId(1)));
    world.sync();
    assert_eq!(world.overheard(ear), ["worker-offline.a"]);
    world.ask(w, subscribe(2, "/queue/a", AckMode::ClientIndividual, 1));
    assert_eq!(world.overheard(ear), ["worker-online.a", "reserved.a"]);
    world.ask(w, settle(id, Outcome::Retry { reason: Some("no".into()), delay_ms: Some(50) }));
    world.spend(50);
    world.sync();
    assert_eq!(world.overheard(ear), ["retried.a", "due.a", "reserved.a"]);
    world.ask(w, settle(id, Outcome::Bury));
    world.ask(w, operate("/queue/a", Operation::Kick { count: 1 }));
    world.sync();
    assert_eq!(world.overheard(ear), ["buried.a", "kicked.a", "reserved.a"]);
    world.ask(w, ack(id));
    world.sync();
    assert_eq!(world.overheard(ear), ["completed.a", "queue-empty.a"]);
    let delayed = Terms { due: Some(Timestamp(1 << 40)), ..Terms::default() };
    world.send_with("/queue/a", delayed, w);
    world.ask(w, operate("/queue/a", Operation::Purge(States::ALL)));
    world.sync();
    assert_eq!(world.overheard(ear), ["submitted.a", "cancelled.a", "queue-empty.a"]);
}

#[test]
fn a_pause_is_told_when_it_begins() {
    let (mut world, w) = worker(Policy::default());
    let ear = world.client("e");
    let pause = |side, for_ms| operate("/queue/a", Operation::Pause { side, for_ms });
    world.ask(w, pause(Side::Output, None));
    world.ask(w, operate("/queue/a", Operation::Resume { side: Side::Output }));
    world.sync();
    world.ask(ear, listen(1, "/topic/Kolejka.Job.queue-paused.>"));
    world.ask(w, pause(Side::Output, Some(1000)));
    assert!(world.deliveries(ear).is_empty(), "the log does not have it yet");
    world.sync();
    let told = world.deliveries(ear);
    let end = world.now.wall.0 + 1000;
    let document = format!("{{\"event\":\"queue-paused\",\"queue\":\"/queue/a\",\"input\":null,\"output\":{end}}}");
    assert_eq!(told.iter().map(body).collect::<Vec<_>>(), [document]);
    world.ask(w, pause(Side::Output, None));
    world.ask(w, operate("/queue/a", Operation::Resume { side: Side::Input }));
    world.sync();
    assert!(world.overheard(ear).is_empty(), "it has begun before, and what does not stand still need not go on");
    world.ask(w, pause(Side::Both, None));
    world.sync();
    assert_eq!(world.overheard(ear), ["queue-paused.a"], "the other side");
    world.ask(w, operate("/queue/a", Operation::Resume { side: Side::Both }));
    world.sync();
    assert!(world.overheard(ear).is_empty());
    world.ask(w, pause(Side::Output, None));
    world.sync();
    assert_eq!(world.overheard(ear), ["queue-paused.a"], "once more");
}

#[test]
fn activemqs_advisories_say_the_same() {
    let (mut world, w) = worker(Policy::default());
    let ear = world.client("e");
    world.ask(ear, listen(1, "/topic/ActiveMQ.Advisory.>"));
    for end in [Outcome::Ack, Outcome::DeadLetter { reason: None }] {
        world.ask(w, send("/queue/a", "x"));
        world.sync();
        let id = world.deliveries(w)[0].message;
        world.ask(w, settle(id, end));
        world.sync();
    }
    world.ask(w, subscribe(7, "/queue/b", AckMode::Auto, 1));
    let expected = [
        "A.MessageDelivered.Queue.a",
        "A.MessageConsumed.Queue.a",
        "A.MessageDelivered.Queue.a",
        "A.MessageDLQd.Queue.a",
        "A.Consumer.Queue.b",
    ];
    assert_eq!(world.overheard(ear), expected);
}

#[test]
fn nothing_is_told_that_nobody_asked_for_by_its_name() {
    let (mut world, w) = worker(Policy::default());
    let all = world.client("e");
    world.ask(all, listen(1, "/topic/>"));
    world.ask(w, send("/queue/a", "x"));
    world.sync();
    assert!(world.overheard(all).is_empty());
    world.ask(all, subscribe(2, "/topic/Kolejka.Job.completed.a", AckMode::Auto, 10));
    let id = world.deliveries(w)[0].message;
    world.ask(w, ack(id));
    world.sync();
    assert_eq!(world.overheard(all), ["completed.a"], "once, and to the one who means it");
    world.ask(all, Request::Unsubscribe(SubscriptionId(2)));
    world.ask(w, submit("/queue/a", "x", tracking(7)));
    world.sync();
    assert!(world.overheard(all).is_empty());
}

#[test]
fn the_end_of_a_job_that_nobody_took_in_time_is_told_like_any_other() {
    let (mut world, w) = worker(Policy::default());
    let ear = world.client("e");
    world.ask(ear, listen(1, "/topic/Kolejka.Job.expired.>"));
    world.ask(ear, listen(2, "/topic/ActiveMQ.Advisory.Expired.>"));
    let expires = Some(Timestamp(world.now.wall.0 + 100));
    world.send_with("/queue/b", Terms { expires, ..Terms::default() }, w);
    world.spend(100);
    world.sync();
    assert_eq!(world.overheard(ear), ["expired.b", "A.Expired.Queue.b"]);
}
