//! Operators look at what waits for its time, and take away from it.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::jobs::{submit_on, tracking};
use super::schedule::{every, named, once};
use super::{World, message, name, subscribe};
use crate::model::{
    AckMode, Answer, Content, DestinationName, JobState, Message, MessageId, Outcome, Oversee, Oversight, Publish,
    Reader, Request, Scribe, SessionId, SoftRefusal, Terms, Timestamp, Upcoming,
};

/// Reads everything but what is secret.
#[derive(Debug)]
pub(super) struct Operator;

impl Reader for Operator {
    fn may_read(&self, name: &DestinationName) -> bool {
        !name.path().contains("secret")
    }
}

impl Scribe for Operator {
    fn write(&self, upcoming: &Upcoming) -> Content {
        let Upcoming { message, to, due, schedule } = upcoming;
        let name = schedule.as_ref().and_then(|schedule| schedule.name.as_deref()).unwrap_or("-");
        let text = format!("{message} {to} {} {name}", due.0);
        Content::small(text.as_bytes(), 0)
    }

    fn end(&self) -> Content {
        Content::small(b"end", 0)
    }
}

pub(super) const ALWAYS: RangeInclusive<Timestamp> = Timestamp(0)..=Timestamp(u64::MAX);

pub(super) fn oversee(operation: Oversight) -> Request {
    Request::Oversee(Box::new(Oversee { operation, reader: Arc::new(Operator) }))
}

impl World {
    fn delay(&mut self, client: SessionId, to: &str, due: u64) {
        let terms = Some(Box::new(Terms { due: Some(Timestamp(due)), ..Terms::default() }));
        let message = Message { terms, ..message("later") };
        self.ask(client, Request::Publish(Publish { to: name(to), message, key: None, retain: None }));
        self.sync();
    }

    fn browse(&mut self, client: SessionId, due: RangeInclusive<Timestamp>) -> Vec<String> {
        let to = name("/queue/answers");
        self.ask(client, oversee(Oversight::Browse { due, to, scribe: Arc::new(Operator) }));
        let texts = self.bodies(client);
        // Without the id in front.
        texts.into_iter().map(|text| text.split_once(' ').map_or(text.clone(), |(_, rest)| rest.to_owned())).collect()
    }
}

fn world() -> (World, SessionId) {
    let mut world = World::new();
    let client = world.client("operator");
    world.ask(client, subscribe(9, "/queue/answers", AckMode::Auto, 1000));
    world.delay(client, "/queue/a", 500);
    world.delay(client, "/queue/secret", 1);
    world.plan(client, "/topic/t", "news", named("n", once(200)));
    world.plan(client, "/queue/a", "tick", every(299, None));
    world.plan(client, "/queue/secret", "tick", named("n", every(10, None)));
    (world, client)
}

#[test]
fn all_that_waits_is_told_by_its_time_and_then_the_end() {
    let (mut world, client) = world();
    assert_eq!(world.browse(client, ALWAYS), ["/topic/t 200 n", "/queue/a 300 -", "/queue/a 500 -", "end"]);
    let some = Timestamp(201)..=Timestamp(300);
    assert_eq!(world.browse(client, some), ["/queue/a 300 -", "end"]);
    assert_eq!(world.browse(client, Timestamp(501)..=Timestamp(1)), ["end"], "an empty time");
}

#[test]
fn what_waits_because_it_failed_is_not_there() {
    let (mut world, client) = world();
    world.ask(client, super::send("/queue/b", "job"));
    world.sync();
    world.ask(client, subscribe(1, "/queue/b", AckMode::ClientIndividual, 10));
    let job = world.deliveries(client)[0].message;
    let nack = Outcome::Retry { reason: None, delay_ms: Some(10_000) };
    world.ask(client, super::settle(job, nack));
    assert_eq!(world.browse(client, ALWAYS).len(), 4);
    assert_eq!(world.ask(client, oversee(Oversight::Remove { message: job })), Answer::Soft(SoftRefusal::Unknown));
}

#[test]
fn one_is_removed_by_its_id_for_good() {
    let (mut world, client) = world();
    let id = world.plan(client, "/queue/a", "wrong", every(50, None));
    assert_eq!(world.ask(client, oversee(Oversight::Remove { message: id })), Answer::Done);
    assert_eq!(world.ask(client, oversee(Oversight::Remove { message: id })), Answer::Soft(SoftRefusal::Unknown));
    world.sync();
    world.engine = world.replayed(true);
    let client = world.client("operator");
    world.ask(client, subscribe(9, "/queue/answers", AckMode::Auto, 1000));
    assert_eq!(world.browse(client, ALWAYS).len(), 4);
}

#[test]
fn what_may_not_be_read_may_not_be_removed() {
    let (mut world, client) = world();
    let secret = world.plan(client, "/queue/secret", "tick", every(50, None));
    let before = world.log.len();
    for operation in [
        Oversight::Remove { message: secret },
        Oversight::RemoveNamed { name: "n".into(), of: Some(name("/queue/secret")) },
        Oversight::Remove { message: MessageId::from_bits(1 << 40) },
    ] {
        assert_eq!(world.ask(client, oversee(operation)), Answer::Soft(SoftRefusal::Unknown));
    }
    assert_eq!(world.log.len(), before);
}

#[test]
fn schedules_are_removed_by_their_name_of_one_destination_or_of_all() {
    let (mut world, client) = world();
    world.plan(client, "/queue/a", "x", named("n", every(50, None)));
    let named = |of: Option<&str>| oversee(Oversight::RemoveNamed { name: "n".into(), of: of.map(name) });
    assert_eq!(world.ask(client, named(Some("/queue/a"))), Answer::Done);
    assert_eq!(world.browse(client, ALWAYS).len(), 4);
    assert_eq!(world.ask(client, named(None)), Answer::Done);
    assert_eq!(world.browse(client, ALWAYS), ["/queue/a 300 -", "/queue/a 500 -", "end"]);
    assert_eq!(world.ask(client, named(None)), Answer::Soft(SoftRefusal::Unknown));
    assert_eq!(world.engine.schedules.len(), 2, "and the secret one is still there");
}

#[test]
fn all_in_a_time_are_removed_delayed_messages_too() {
    let (mut world, client) = world();
    let due = Timestamp(300)..=Timestamp(u64::MAX);
    assert_eq!(world.ask(client, oversee(Oversight::RemoveAll { due: due.clone() })), Answer::Done);
    assert_eq!(world.browse(client, ALWAYS), ["/topic/t 200 n", "end"]);
    assert_eq!(world.ask(client, oversee(Oversight::RemoveAll { due })), Answer::Done, "nothing is left to do");
    let left: usize =
        world.engine.queues().iter().filter(|view| view.name.path().contains("secret")).map(|v| v.delayed).sum();
    assert_eq!(left, 2);
}

#[test]
fn a_delayed_job_that_is_removed_is_cancelled_for_who_follows_it() {
    let (mut world, client) = world();
    let terms = Terms { due: Some(Timestamp(5000)), ..Terms::default() };
    let Answer::Submitted(job) = world.ask(client, submit_on("/queue/a", message("x"), tracking(7), terms)) else {
        panic!("no job")
    };
    world.sync();
    assert_eq!(world.ask(client, oversee(Oversight::Remove { message: job.job })), Answer::Done);
    world.sync();
    assert_eq!(world.state(7), JobState::Cancelled);
    world.assert_replay();
}
