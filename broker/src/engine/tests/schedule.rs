//! Schedules: messages that are sent when their time has come.

use std::sync::Arc;
use std::time::Duration;

use super::{World, message, name, subscribe};
use crate::destination::{Policies, Policy};
use crate::engine::Options;
use crate::engine::schedule::following;
use crate::model::{
    AckMode, Action, Answer, Content, Cron, Durability, Message, MessageId, Payload, Publish, Record, Refusal, Request,
    Retain, Schedule, SessionId, Standing, SubscriptionId, Terms, Timestamp,
};

impl World {
    /// Moves the time, lets the engine notice, and brings what it wants from the log.
    pub(super) fn elapse(&mut self, ms: u64) {
        self.now.monotonic += Duration::from_millis(ms);
        self.now.wall.0 += ms;
        self.engine.tick(self.now, &mut self.effects);
        self.absorb();
        while self.engine.wants_heads() {
            let Some(unread) = self.engine.next_unread(self.now, &mut self.effects) else { break };
            let read = unread.messages.iter().map(|(id, position)| (*id, self.stored(*position))).collect();
            self.engine.heads_read(self.now, unread.destination, read, &mut self.effects);
            self.absorb();
        }
        self.sync();
    }

    pub(super) fn stored(&self, wanted: crate::model::Position) -> Option<Content> {
        self.log.iter().find_map(|(record, position)| match record {
            Record::Accepted(accepted) if *position == Some(wanted) => accepted.content.clone(),
            _ => None,
        })
    }

    pub(super) fn plan(&mut self, client: SessionId, to: &str, body: &str, schedule: Schedule) -> MessageId {
        let answer = self.ask(client, Request::Publish(planned(to, body, schedule)));
        self.sync();
        let Answer::Scheduled(id) = answer else { panic!("no schedule: {answer:?}") };
        id
    }

    /// The process is gone and another one comes, after that time.
    fn again(&mut self, ms: u64) -> SessionId {
        let before = self.schedules();
        self.engine = self.replayed(true);
        self.log.truncate(self.unsynced);
        assert_eq!(self.schedules(), before, "replay gives the same engine");
        let client = self.client("c");
        self.ask(client, subscribe(1, "/queue/a", AckMode::Auto, 1000));
        self.elapse(ms);
        client
    }

    /// What came for the first subscription, which has it now.
    fn took(&mut self, client: SessionId) -> Vec<String> {
        let taken = self.deliveries(client);
        let through = taken.iter().filter(|it| it.subscription == SubscriptionId(1)).map(|it| it.number).max();
        if let Some(through) = through {
            self.ask(client, Request::Written { subscription: SubscriptionId(1), through });
            self.sync();
        }
        taken.iter().map(super::body).collect()
    }

    fn schedules(&self) -> Vec<(MessageId, Standing, Option<Terms>)> {
        let views = self.engine.queues().into_iter().filter(|view| view.name.scheduled().is_some());
        views
            .flat_map(|view| view.entries.into_iter().zip(view.standing))
            .map(|(entry, (standing, terms))| (entry.message, standing, terms))
            .collect()
    }
}

pub(super) fn planned(to: &str, body: &str, schedule: Schedule) -> Publish {
    let terms = Terms { due: Some(schedule.next), schedule: Some(Box::new(schedule)), ..Terms::default() };
    let message = Message { terms: Some(Box::new(terms)), ..message(body) };
    Publish { to: name(to).schedules(), message, key: None, retain: None }
}

/// One message at that time.
pub(super) fn once(next: u64) -> Schedule {
    Schedule {
        name: None,
        cron: None,
        delay_ms: 0,
        period_ms: None,
        repeat: Some(0),
        next: Timestamp(next),
        left: Some(0),
        life_ms: None,
        is_transient: false,
        retain: None,
    }
}

pub(super) fn every(ms: u64, repeat: Option<u32>) -> Schedule {
    Schedule { period_ms: Some(ms), repeat, left: repeat, ..once(1 + ms) }
}

pub(super) fn named(name: &str, schedule: Schedule) -> Schedule {
    Schedule { name: Some(name.into()), ..schedule }
}

fn world() -> (World, SessionId) {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::Auto, 1000));
    (world, client)
}

#[test]
fn a_period_repeats_until_its_number_is_used_up() {
    let (mut world, client) = world();
    world.plan(client, "/queue/a", "tick", every(100, Some(2)));
    let mut sent = Vec::new();
    for _ in 0..6 {
        world.elapse(99);
        assert!(world.took(client).is_empty(), "not before its time");
        world.elapse(1);
        sent.push(world.took(client).len());
    }
    assert_eq!(sent, [1, 1, 1, 0, 0, 0], "the first and two more");
    assert!(world.schedules().is_empty());
}

#[test]
fn each_firing_is_a_message_of_its_own_that_names_its_schedule() {
    let (mut world, client) = world();
    let id = world.plan(client, "/queue/a", "tick", every(10, None));
    world.elapse(10);
    world.elapse(10);
    let sent = world.deliveries(client);
    assert!(sent.len() == 2 && sent[0].message != sent[1].message && sent.iter().all(|it| it.message != id));
    let Payload::Memory(content) = &sent[0].payload else { panic!("it was just made") };
    let head = String::from_utf8(content.head().to_vec()).expect("text");
    assert!(head.ends_with(&format!("timestamp:11\nscheduledJobId:{id}\n")), "{head}");
    assert_eq!(content.body(), b"tick");
}

#[test]
fn a_schedule_survives_a_restart_and_what_was_missed_comes_once() {
    let (mut world, client) = world();
    world.plan(client, "/queue/a", "tick", every(100, Some(5)));
    world.elapse(100);
    assert_eq!(world.took(client), ["tick"]);
    let client = world.again(1050);
    assert_eq!(world.took(client), ["tick"], "ten were missed");
    world.elapse(49);
    assert!(world.took(client).is_empty());
    world.elapse(1);
    assert_eq!(world.took(client), ["tick"], "in the old rhythm");
    let client = world.again(0);
    assert!(world.took(client).is_empty(), "what has been sent is not sent again");
    for _ in 0..5 {
        world.elapse(100);
    }
    assert_eq!(world.took(client).len(), 3, "six in all");
}

#[test]
fn a_later_schedule_of_the_same_name_takes_the_place_of_the_first() {
    let (mut world, client) = world();
    world.plan(client, "/queue/a", "old", named("nightly", every(100, None)));
    world.plan(client, "/queue/a", "other", named("daily", every(100, None)));
    world.plan(client, "/queue/b", "elsewhere", named("nightly", every(100, None)));
    world.plan(client, "/queue/a", "new", named("nightly", every(100, None)));
    assert_eq!(world.schedules().len(), 3, "the old one is gone");
    world.elapse(100);
    assert_eq!(world.took(client), ["other", "new"]);
    let client = world.again(100);
    assert_eq!(world.took(client), ["other", "new"]);
}

#[test]
fn a_crash_between_replacing_and_removing_leaves_the_newer_one() {
    let (mut world, client) = world();
    world.plan(client, "/queue/a", "old", named("n", every(100, None)));
    world.ask(client, Request::Publish(planned("/queue/a", "new", named("n", every(100, None)))));
    world.sync();
    let removed = |world: &World| world.log.iter().filter(|(record, _)| matches!(record, Record::Settled(_))).count();
    assert_eq!(removed(&world), 1, "the old one goes as soon as the disk has the new one");
    let at = world.log.iter().position(|(record, _)| matches!(record, Record::Settled(_))).expect("its end");
    world.log.truncate(at);
    world.unsynced = at;
    world.engine = world.replayed(false);
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::Auto, 10));
    world.elapse(100);
    assert_eq!(world.took(client).len(), 1);
    assert_eq!(world.schedules().len(), 1);
}

#[test]
fn a_topic_may_have_schedules_too() {
    let (mut world, client) = world();
    world.ask(client, subscribe(2, "/topic/t", AckMode::Auto, 10));
    world.plan(client, "/topic/t", "news", Schedule { retain: Some(Retain::Set), ..once(50) });
    world.elapse(49);
    assert_eq!(world.took(client), ["news"]);
    world.ask(client, subscribe(3, "/topic/t", AckMode::Auto, 10));
    assert_eq!(world.took(client), ["news"], "it is retained");
    assert!(world.schedules().is_empty());
}

#[test]
fn a_large_content_is_read_from_the_log_when_its_time_comes() {
    let (mut world, client) = world();
    let body = "x".repeat(5000);
    world.plan(client, "/queue/a", &body, every(10, Some(1)));
    assert_eq!(world.engine.contents.bytes(), 0, "it takes no room in memory until then");
    world.elapse(10);
    world.elapse(10);
    assert_eq!(world.took(client), [body.clone(), body]);
}

#[test]
fn a_content_that_cannot_be_read_is_kept_and_holds_nobody_up() {
    let (mut world, client) = world();
    world.plan(client, "/queue/a", "lost", every(10, None));
    world.engine = world.replayed(true);
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::Auto, 10));
    world.plan(client, "/queue/a", "fine", every(10, None));
    world.now.wall.0 += 10;
    world.now.monotonic += Duration::from_millis(10);
    world.engine.tick(world.now, &mut world.effects);
    world.absorb();
    let unread = world.engine.next_unread(world.now, &mut world.effects).expect("it is asked for");
    let read = unread.messages.iter().map(|(id, _)| (*id, None)).collect();
    world.engine.heads_read(world.now, unread.destination, read, &mut world.effects);
    world.absorb();
    world.sync();
    world.elapse(10);
    assert_eq!(world.took(client), ["fine", "fine"]);
    assert_eq!(world.schedules().len(), 2);
    assert!(world.engine.deadline(world.now).is_none_or(|due| due > world.now.monotonic), "no busy waiting");
}

#[test]
fn a_destination_without_room_gets_it_later() {
    let policies = Policies { default: Policy { max_length: 1, ..Policy::default() }, rules: Vec::new() };
    let mut world = World::with(Options { policies, ..Options::default() });
    let client = world.client("c");
    world.ask(client, super::send("/queue/a", "first"));
    world.sync();
    world.plan(client, "/queue/a", "tick", every(100, Some(1)));
    world.elapse(100);
    world.elapse(999);
    world.engine = world.replayed(true);
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::Auto, 10));
    assert_eq!(world.took(client).len(), 1);
    world.elapse(1);
    assert_eq!(world.took(client), ["tick"], "a second later");
    world.elapse(99);
    assert!(world.took(client).is_empty());
    world.elapse(1);
    assert_eq!(world.took(client), ["tick"], "and the next in the old rhythm");
}

#[test]
fn what_is_sent_has_the_terms_of_its_sender_but_for_the_plan() {
    let (mut world, client) = world();
    let mut publish = planned("/queue/b", "short", Schedule { life_ms: Some(30), is_transient: true, ..once(50) });
    if let Some(terms) = &mut publish.message.terms {
        (terms.max_deliveries, terms.expires) = (Some(3), Some(Timestamp(1000)));
    }
    world.ask(client, Request::Publish(publish));
    world.sync();
    world.elapse(60);
    let views = world.engine.queues();
    let view = views.iter().find(|view| view.name.as_str() == "/queue/b").expect("the queue");
    let expected = Terms { max_deliveries: Some(3), expires: Some(Timestamp(91)), ..Terms::default() };
    assert_eq!((view.standing[0].1.as_ref(), view.entries[0].is_durable()), (Some(&expected), false));
}

#[test]
fn a_schedule_ends_when_its_messages_would_be_over() {
    let (mut world, client) = world();
    let mut publish = planned("/queue/a", "tick", every(100, None));
    publish.message.terms.as_mut().expect("terms").expires = Some(Timestamp(250));
    world.ask(client, Request::Publish(publish));
    world.sync();
    for _ in 0..5 {
        world.elapse(100);
    }
    assert_eq!(world.took(client), ["tick", "tick"]);
    assert!(world.schedules().is_empty());
}

#[test]
fn schedules_have_a_limit_that_a_redeploy_does_not_reach() {
    let mut world = World::with(Options { schedules: 2, ..Options::default() });
    let client = world.client("c");
    world.plan(client, "/queue/a", "one", named("n", every(100, None)));
    let two = (0..2).map(|_| Action::Publish(planned("/queue/b", "x", every(100, None)))).collect();
    assert_eq!(world.try_ask(client, Request::Commit(two)), Err(Refusal::TooManySchedules { limit: 2 }));
    world.plan(client, "/queue/b", "two", every(100, None));
    world.plan(client, "/queue/a", "again", named("n", every(100, None)));
    let third = Request::Publish(planned("/queue/c", "three", every(100, None)));
    assert_eq!(world.try_ask(client, third), Err(Refusal::TooManySchedules { limit: 2 }));
}

#[test]
fn a_schedule_that_is_sent_again_with_its_key_is_a_duplicate() {
    let (mut world, client) = world();
    let keyed = || Publish { key: Some("k".into()), ..planned("/queue/a", "tick", every(100, None)) };
    assert!(matches!(world.ask(client, Request::Publish(keyed())), Answer::Scheduled(_)));
    assert_eq!(world.ask(client, Request::Publish(keyed())), Answer::Duplicate);
    world.sync();
    assert_eq!(world.schedules().len(), 1);
}

#[test]
fn a_transient_sender_has_a_schedule_on_the_disk_all_the_same() {
    let (mut world, client) = world();
    world.plan(client, "/queue/a", "tick", Schedule { is_transient: true, ..every(100, None) });
    let client = world.again(100);
    assert_eq!(world.took(client), ["tick"]);
    assert_eq!(planned("/queue/a", "", once(1)).message.durability, Durability::Persistent);
}

#[test]
fn the_plan_of_a_series_begins_anew_with_each_time_of_its_cron() {
    const MINUTE: u64 = 60_000;
    let cron = Some(Cron { expression: "*/10 * * * *".into(), zone: Arc::from("UTC") });
    let parsed = crate::calendar::Cron::parse("*/10 * * * *", "UTC").expect("an expression");
    let repeat = Some(2);
    let plan =
        Schedule { cron, delay_ms: 1000, period_ms: Some(MINUTE), repeat, left: repeat, ..once(10 * MINUTE + 1000) };
    let mut times = vec![plan.next.0];
    let mut next = plan;
    for _ in 0..4 {
        let now = next.next;
        next = following(next, Some(&parsed), now).expect("it has no end");
        times.push(next.next.0);
    }
    let minutes: Vec<u64> = times.iter().map(|ms| (ms - 1000) / MINUTE).collect();
    assert_eq!(minutes, [10, 11, 12, 20, 21]);
    let late = following(next, Some(&parsed), Timestamp(25 * MINUTE + 1)).expect("it goes on");
    assert_eq!((late.next.0 - 1000) / MINUTE, 25, "in the rhythm of the series");
    let later = following(late, Some(&parsed), Timestamp(39 * MINUTE + 2000)).expect("it goes on");
    assert_eq!(((later.next.0 - 1000) / MINUTE, later.left), (40, Some(2)), "a new series comes before");
}
