//! The engine, driven by hand: a memory of what the log was given stands in for the log.

mod announce;
mod browse;
mod duplicates;
mod feeds;
mod full;
mod groups;
mod holds;
mod hooks;
mod jobs;
mod overflow;
mod oversee;
mod restart;
mod retained;
mod routes;
mod schedule;
mod select;
mod several;
mod unique;
mod units;
mod unlogged;
mod watch;
mod wildcards;

use std::time::Duration;

mod last;
mod lease;
mod legacy;
mod manage;
mod memory;
mod pause;
mod quotas;
mod rank;
mod shape;
mod statistics;
mod take;
mod time;
mod transfer;
mod turns;

use super::machine::Engine;
use super::options::Options;
use super::sessions::Departure;
use crate::destination::{Policies, PolicyRule};
use crate::model::{
    AckMode, Action, Answer, Content, Credit, DeathReason, Delivery, DestinationName, Durability, Durable, Effects,
    Event, Message, MessageId, Now, Outcome, Pattern, Payload, Position, Publish, Record, Refusal, Replay, Request,
    SessionId, Settle, ShardId, SoftRefusal, Subscribe, SubscriptionId, Ticket, Timestamp, Urgency, Which,
};

/// An engine, its clock, and a log that becomes durable when told.
struct World {
    engine: Engine,
    now: Now,
    effects: Effects,
    log: Vec<(Record, Option<Position>)>,
    unsynced: usize,
    tickets: u64,
    next_place: u64,
    told: Vec<(SessionId, Event)>,
    /// The most steps that one call of the engine has taken.
    most_steps: u64,
}

impl World {
    fn new() -> World {
        World::with(Options::default())
    }

    fn with(options: Options) -> World {
        World {
            engine: Engine::new(options),
            now: Now { monotonic: Duration::ZERO, wall: Timestamp(1) },
            effects: Effects::default(),
            log: Vec::new(),
            unsynced: 0,
            tickets: 0,
            next_place: 1,
            told: Vec::new(),
            most_steps: 0,
        }
    }

    fn client(&mut self, owner: &str) -> SessionId {
        self.engine.open(owner.to_owned())
    }

    fn try_ask(&mut self, session: SessionId, request: Request) -> Result<Answer, Refusal> {
        let mut answer = self.engine.apply(self.now, session, request, &mut self.effects);
        self.engine.dispatch(self.now, &mut self.effects);
        self.absorb();
        while self.engine.is_busy(session) {
            if let Some(last) = self.engine.go_on(self.now, session, &mut self.effects) {
                answer = last;
            }
            self.engine.dispatch(self.now, &mut self.effects);
            self.absorb();
        }
        answer
    }

    fn ask(&mut self, session: SessionId, request: Request) -> Answer {
        self.try_ask(session, request).expect("the request is carried out")
    }

    /// Moves effects to where they go: records behind the unsynced ones, events to the told.
    fn absorb(&mut self) {
        self.most_steps = self.most_steps.max(self.engine.last_steps());
        if !self.effects.records.is_empty() {
            self.tickets += 1;
            self.engine.appended(Ticket(self.tickets));
        }
        for record in self.effects.records.drain(..) {
            let is_new = matches!(record, Record::Accepted(_));
            assert!(!(is_new && self.engine.is_full()), "a full log takes no new message: {record:?}");
            let position = matches!(record, Record::Accepted(_)).then(|| {
                self.next_place += 1;
                Position::new(ShardId::default(), self.next_place)
            });
            self.log.push((record, position));
        }
        self.told.append(&mut self.effects.events);
    }

    /// The log becomes durable.
    fn sync(&mut self) {
        let positions: Vec<_> = self.log[self.unsynced..].iter().filter_map(|(_, position)| *position).collect();
        self.unsynced = self.log.len();
        let mut positions = &positions[..];
        loop {
            let durable = Durable { through: Ticket(self.tickets), positions };
            let (used, is_done) = self.engine.persisted(self.now, durable, &mut self.effects);
            self.absorb();
            if is_done {
                break;
            }
            positions = &positions[used..];
        }
    }

    fn close(&mut self, session: SessionId, departure: Departure) {
        self.engine.close(self.now, session, departure, &mut self.effects);
        self.engine.dispatch(self.now, &mut self.effects);
        self.absorb();
    }

    fn deliveries(&mut self, session: SessionId) -> Vec<Delivery> {
        let (mine, others) = std::mem::take(&mut self.told).into_iter().partition(|(to, _)| *to == session);
        self.told = others;
        let mine: Vec<(SessionId, Event)> = mine;
        mine.into_iter()
            .filter_map(|(_, event)| match event {
                Event::Deliver(delivery) => Some(delivery),
                _ => None,
            })
            .collect()
    }

    fn bodies(&mut self, session: SessionId) -> Vec<String> {
        self.deliveries(session).iter().map(body).collect()
    }

    /// A second engine that knows only what is durable.
    fn replayed(&self, clean: bool) -> Engine {
        let mut engine = Engine::new(self.engine.options.clone());
        for (record, position) in &self.log[..self.unsynced] {
            let mut record = record.clone();
            if let Record::Accepted(accepted) = &mut record {
                accepted.content = None;
            }
            engine.record(record, *position);
        }
        assert_eq!(engine.replayed(clean), 0);
        engine
    }
}

fn body(delivery: &Delivery) -> String {
    match &delivery.payload {
        Payload::Memory(content) => String::from_utf8_lossy(content.body()).into_owned(),
        Payload::Stored { .. } => "(stored)".into(),
    }
}

fn name(text: &str) -> DestinationName {
    DestinationName::parse(text, "owner").expect("a name")
}

fn message(body: &str) -> Message {
    Message {
        content: Content::small(body.as_bytes(), 0),
        urgency: Urgency::NORMAL,
        durability: Durability::Persistent,
        terms: None,
    }
}

fn send(to: &str, body: &str) -> Request {
    Request::Publish(Publish { to: name(to), message: message(body), key: None, retain: None })
}

fn send_transient(to: &str, body: &str) -> Request {
    let message = Message { durability: Durability::Transient, ..message(body) };
    Request::Publish(Publish { to: name(to), message, key: None, retain: None })
}

fn subscribe(id: u32, to: &str, mode: AckMode, messages: u32) -> Request {
    let credit = Credit { messages, bytes: 1 << 20 };
    let to = name(to).into();
    Request::Subscribe(Subscribe { id: SubscriptionId(id), to, mode, credit, time_to_run_ms: None, filter: None })
}

fn settle(message: MessageId, outcome: Outcome) -> Request {
    Request::Settle(Settle { message, which: Which::default(), outcome })
}

fn ack(message: MessageId) -> Request {
    settle(message, Outcome::Ack)
}

fn nack(message: MessageId) -> Request {
    settle(message, Outcome::Retry { reason: None, delay_ms: Some(0) })
}

#[test]
fn a_persistent_message_is_delivered_only_after_it_is_durable() {
    let mut world = World::new();
    let (producer, consumer) = (world.client("p"), world.client("c"));
    world.ask(consumer, subscribe(1, "/queue/a", AckMode::Client, 10));
    world.ask(producer, send("/queue/a", "one"));
    assert!(world.deliveries(consumer).is_empty());
    world.sync();
    assert_eq!(world.bodies(consumer), ["one"]);
}

#[test]
fn a_transient_message_is_delivered_at_once_and_leaves_no_record_of_itself() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 10));
    world.ask(client, send_transient("/queue/a", "one"));
    let delivered = world.deliveries(client);
    assert_eq!(body(&delivered[0]), "one");
    world.ask(client, ack(delivered[0].message));
    assert!(world.log.iter().all(|(record, _)| matches!(record, Record::IdBlock { .. })), "{:?}", world.log);
    assert!(world.engine.queues()[0].entries.is_empty());
}

#[test]
fn a_backlog_waits_and_comes_out_in_order() {
    let mut world = World::new();
    let client = world.client("c");
    for number in 0..5 {
        world.ask(client, send("/queue/a", &number.to_string()));
    }
    world.sync();
    world.ask(client, subscribe(1, "/queue/a", AckMode::Client, 100));
    assert_eq!(world.bodies(client), ["0", "1", "2", "3", "4"]);
}

#[test]
fn urgency_goes_before_arrival() {
    let mut world = World::new();
    let client = world.client("c");
    for (priority, text) in [(4, "normal"), (9, "urgent"), (0, "late"), (4, "second")] {
        let message = Message { urgency: Urgency::from_priority(priority), ..message(text) };
        world.ask(client, Request::Publish(Publish { to: name("/queue/a"), message, key: None, retain: None }));
    }
    world.sync();
    world.ask(client, subscribe(1, "/queue/a", AckMode::Client, 100));
    assert_eq!(world.bodies(client), ["urgent", "normal", "second", "late"]);
}

#[test]
fn competing_consumers_take_turns_while_they_have_credit() {
    let mut world = World::new();
    let (a, b) = (world.client("a"), world.client("b"));
    world.ask(a, subscribe(1, "/queue/q", AckMode::ClientIndividual, 2));
    world.ask(b, subscribe(1, "/queue/q", AckMode::ClientIndividual, 10));
    for number in 0..8 {
        world.ask(a, send_transient("/queue/q", &number.to_string()));
    }
    let of_a = world.deliveries(a);
    assert_eq!(of_a.iter().map(body).collect::<Vec<_>>(), ["0", "2"], "two is all its credit");
    assert_eq!(world.bodies(b), ["1", "3", "4", "5", "6", "7"]);
    world.ask(a, ack(of_a[0].message));
    for text in ["8", "9"] {
        world.ask(a, send_transient("/queue/q", text));
    }
    assert_eq!((world.bodies(b), world.bodies(a)), (vec!["8".into()], vec!["9".to_owned()]), "credit came back");
}

#[test]
fn a_session_holds_no_more_octets_than_its_limit_over_all_its_subscriptions() {
    let unsettled_per_session = Credit { messages: 100, bytes: 20 };
    let mut world = World::with(Options { unsettled_per_session, ..Options::default() });
    let client = world.client("c");
    for (id, queue) in [(1, "/queue/a"), (2, "/queue/b"), (3, "/queue/c")] {
        let credit = Credit { messages: 10, bytes: 15 };
        let mode = AckMode::Client;
        world.ask(
            client,
            Request::Subscribe(Subscribe {
                id: SubscriptionId(id),
                to: name(queue).into(),
                mode,
                credit,
                time_to_run_ms: None,
                filter: None,
            }),
        );
        for _ in 0..3 {
            world.ask(client, send_transient(queue, "12345"));
        }
    }
    let out: Vec<_> = world.engine.queues().iter().map(|queue| queue.reserved).collect();
    assert_eq!(out, [3, 1, 1], "15 octets, the 5 that are left, and one message of each in any case");
}

#[test]
fn bytes_limit_credit_too_but_one_message_may_always_be_out() {
    let mut world = World::new();
    let client = world.client("c");
    let credit = Credit { messages: 100, bytes: 10 };
    let (to, mode) = (name("/queue/q").into(), AckMode::Client);
    let wish = Subscribe { id: SubscriptionId(1), to, mode, credit, time_to_run_ms: None, filter: None };
    world.ask(client, Request::Subscribe(wish));
    world.ask(client, send_transient("/queue/q", "more than ten octets"));
    world.ask(client, send_transient("/queue/q", "x"));
    let first = world.deliveries(client);
    assert_eq!(first.len(), 1);
    world.ask(client, ack(first[0].message));
    assert_eq!(world.bodies(client), ["x"]);
}

#[test]
fn a_client_ack_covers_earlier_deliveries_of_its_own_subscription_only() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::Client, 10));
    world.ask(client, subscribe(2, "/queue/b", AckMode::Client, 10));
    for to in ["/queue/a", "/queue/b", "/queue/a", "/queue/a"] {
        world.ask(client, send_transient(to, to));
    }
    let delivered = world.deliveries(client);
    world.ask(client, ack(delivered[2].message));
    let views = world.engine.queues();
    assert_eq!((views[0].reserved, views[1].reserved), (1, 1), "the last of a and the one of b are still out");
}

#[test]
fn a_nacked_message_returns_to_its_own_place_and_is_counted() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 1));
    for text in ["one", "two"] {
        world.ask(client, send("/queue/a", text));
    }
    world.sync();
    let first = world.deliveries(client).remove(0);
    assert!(!first.redelivered);
    world.ask(client, nack(first.message));
    world.sync();
    let again = world.deliveries(client).remove(0);
    assert_eq!((body(&again).as_str(), again.attempt, again.redelivered), ("(stored)", 2, true));
    assert_eq!(again.message, first.message);
}

#[test]
fn an_unsubscribed_consumer_gives_back_without_counting() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::Client, 10));
    world.ask(client, send_transient("/queue/a", "one"));
    let first = world.deliveries(client).remove(0);
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    assert_eq!(world.ask(client, ack(first.message)), Answer::Soft(SoftRefusal::NotHolder), "a late ACK is no crime");
    world.ask(client, subscribe(2, "/queue/a", AckMode::Client, 10));
    let again = world.deliveries(client).remove(0);
    assert_eq!((again.attempt, again.redelivered), (1, true));
}

#[test]
fn a_lost_connection_counts_the_oldest_delivery_of_each_subscription_only() {
    let mut world = World::new();
    let (a, b) = (world.client("a"), world.client("b"));
    world.ask(a, subscribe(1, "/queue/q", AckMode::Client, 10));
    for text in ["one", "two"] {
        world.ask(a, send("/queue/q", text));
    }
    world.sync();
    world.close(a, Departure::Lost);
    world.ask(b, subscribe(1, "/queue/q", AckMode::Client, 10));
    world.sync();
    let seen: Vec<_> = world.deliveries(b).iter().map(|d| (d.attempt, d.redelivered)).collect();
    assert_eq!(seen, [(2, true), (1, true)]);
}

#[test]
fn an_invented_ack_and_a_second_one_are_refused_softly_and_counted() {
    let mut world = World::new();
    let client = world.client("c");
    let invented = MessageId::new(ShardId::default(), 77);
    assert_eq!(world.ask(client, ack(invented)), Answer::Soft(SoftRefusal::Unknown));
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 10));
    world.ask(client, send_transient("/queue/a", "one"));
    let id = world.deliveries(client)[0].message;
    assert_eq!(world.ask(client, ack(id)), Answer::Done);
    assert_eq!(world.ask(client, ack(id)), Answer::Soft(SoftRefusal::NotHolder));
    assert_eq!(world.engine.declined, 2);
}

#[test]
fn nobody_settles_what_another_holds() {
    let mut world = World::new();
    let (holder, thief) = (world.client("h"), world.client("t"));
    world.ask(holder, subscribe(1, "/queue/a", AckMode::ClientIndividual, 10));
    world.ask(holder, send_transient("/queue/a", "one"));
    let id = world.deliveries(holder)[0].message;
    assert_eq!(world.ask(thief, ack(id)), Answer::Soft(SoftRefusal::Unknown));
    assert_eq!(world.engine.queues()[0].reserved, 1);
}

#[test]
fn after_its_deliveries_a_message_is_dead_lettered_with_the_reason() {
    let rule = PolicyRule { max_deliveries: Some(2), ..PolicyRule::new(Pattern::parse("/queue/**").unwrap()) };
    let policies = Policies { rules: vec![rule], ..Policies::default() };
    let mut world = World::with(Options { policies, ..Options::default() });
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/mail", AckMode::ClientIndividual, 10));
    world.ask(client, send("/queue/mail", "one"));
    world.sync();
    for _ in 0..2 {
        world.sync();
        let id = world.deliveries(client)[0].message;
        world.ask(client, settle(id, Outcome::Retry { reason: Some("no route".into()), delay_ms: Some(0) }));
    }
    assert!(world.deliveries(client).is_empty());
    world.ask(client, subscribe(2, "/queue/DLQ.mail", AckMode::ClientIndividual, 10));
    world.sync();
    let dead = world.deliveries(client).remove(0);
    let note = dead.death.clone().expect("a dead letter says why");
    assert_eq!((note.reason, note.attempts, note.origin.as_str()), (DeathReason::Deliveries, 2, "/queue/mail"));
    assert_eq!(note.error.as_deref(), Some("no route"));
    // A dead-letter queue has none of its own: the message stays there, buried.
    world.ask(client, settle(dead.message, Outcome::DeadLetter { reason: None }));
    let views = world.engine.queues();
    assert_eq!((views[0].name.as_str(), views[0].buried, views[0].ready), ("/queue/DLQ.mail", 1, 0));
}

#[test]
fn a_released_message_returns_to_its_own_place_and_nothing_is_counted() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/mail", AckMode::ClientIndividual, 2));
    world.ask(client, send("/queue/mail", "one"));
    world.ask(client, send("/queue/mail", "two"));
    world.sync();
    let first = world.deliveries(client)[0].message;
    for _ in 0..3 {
        world.ask(client, settle(first, Outcome::Release));
        world.sync();
        let again = world.deliveries(client).remove(0);
        assert_eq!((again.message, again.attempt, again.redelivered), (first, 1, true));
    }
}

#[test]
fn a_refused_requeue_dead_letters_at_once_in_memory_too() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/mail", AckMode::ClientIndividual, 10));
    world.ask(client, send_transient("/queue/mail", "one"));
    let id = world.deliveries(client)[0].message;
    world.ask(client, settle(id, Outcome::DeadLetter { reason: None }));
    world.ask(client, subscribe(2, "/queue/DLQ.mail", AckMode::Auto, 10));
    let dead = world.deliveries(client).remove(0);
    assert_eq!((body(&dead).as_str(), dead.message, dead.redelivered), ("one", id, true));
}

#[test]
fn a_topic_gives_each_message_to_everybody_there_and_to_nobody_later() {
    let mut world = World::new();
    let (a, b, late) = (world.client("a"), world.client("b"), world.client("l"));
    world.ask(a, subscribe(1, "/topic/news", AckMode::Auto, 10));
    world.ask(b, subscribe(1, "/topic/news", AckMode::Client, 10));
    world.ask(a, send("/topic/news", "one"));
    world.ask(late, subscribe(1, "/topic/news", AckMode::Auto, 10));
    assert_eq!((world.bodies(a), world.bodies(b)), (vec!["one".into()], vec!["one".to_owned()]));
    assert!(world.bodies(late).is_empty());
}

#[test]
fn a_slow_topic_subscriber_is_bounded_and_then_told_to_go_and_others_are_unharmed() {
    let options = Options { topic_backlog: Credit { messages: 3, bytes: 1 << 20 }, ..Options::default() };
    let mut world = World::with(options);
    let (slow, quick) = (world.client("s"), world.client("q"));
    world.ask(slow, subscribe(1, "/topic/t", AckMode::Auto, 2));
    world.ask(quick, subscribe(1, "/topic/t", AckMode::Auto, 100));
    for number in 0..7 {
        world.ask(quick, send("/topic/t", &number.to_string()));
    }
    assert_eq!(world.bodies(quick).len(), 7);
    let told: Vec<_> = std::mem::take(&mut world.told);
    let farewells =
        told.iter().filter(|(_, event)| matches!(event, Event::Disconnect(Refusal::SlowConsumer { .. }))).count();
    assert_eq!((told.len(), farewells), (3, 1), "two deliveries, three waiting, one farewell");
}

#[test]
fn a_topic_subscriber_gets_what_waited_once_it_has_credit() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/topic/t", AckMode::Auto, 2));
    for number in 0..5 {
        world.ask(client, send("/topic/t", &number.to_string()));
    }
    let first = world.deliveries(client);
    assert_eq!(first.iter().map(body).collect::<Vec<_>>(), ["0", "1"]);
    world.ask(client, Request::Written { subscription: SubscriptionId(1), through: 2 });
    assert_eq!(world.bodies(client), ["2", "3"]);
}

#[test]
fn an_auto_delivery_is_settled_when_written_and_returns_when_it_was_not() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::Auto, 10));
    for text in ["one", "two"] {
        world.ask(client, send("/queue/a", text));
    }
    world.sync();
    assert_eq!(world.bodies(client), ["one", "two"]);
    world.ask(client, Request::Written { subscription: SubscriptionId(1), through: 1 });
    world.close(client, Departure::Lost);
    let left: Vec<_> = world.engine.queues()[0].entries.iter().map(|e| (e.attempts, e.handed_out)).collect();
    assert_eq!(left, [(0, true)]);
}

#[test]
fn what_cannot_be_read_is_settled_by_nobody_and_goes_to_nobody() {
    for mode in [AckMode::Auto, AckMode::Client] {
        let mut world = World::new();
        let client = world.client("c");
        world.ask(client, subscribe(1, "/queue/a", mode, 2));
        for text in ["one", "two", "three"] {
            world.ask(client, send("/queue/a", text));
        }
        world.sync();
        let out = world.deliveries(client);
        world.ask(client, Request::Quarantine { subscription: SubscriptionId(1), number: 1, is_damaged: true });
        let third = world.deliveries(client).remove(0);
        assert_eq!(body(&third), "three", "it takes no credit");
        match mode {
            AckMode::Auto => world.ask(client, Request::Written { subscription: SubscriptionId(1), through: 3 }),
            _ => world.ask(client, ack(third.message)),
        };
        world.close(client, Departure::Lost);
        let other = world.client("o");
        world.ask(other, subscribe(1, "/queue/a", mode, 2));
        assert!(world.deliveries(other).is_empty());
        world.sync();
        let again = world.replayed(false).queues().remove(0);
        assert_eq!((again.entries.len(), again.buried, again.entries[0].message), (1, 1, out[0].message));
    }
}

#[test]
fn a_damaged_message_is_buried_where_an_operator_can_purge_move_or_kick_it() {
    use crate::model::{Operation, States, Transfer};
    let transfer = Transfer { to: Some(name("/queue/b")), states: States::ALL, count: None, rate: None };
    let ways = [(Operation::Purge(States::ALL), 0), (Operation::Kick { count: 1 }, 1), (Operation::Move(transfer), 0)];
    for (operation, left) in ways {
        let mut world = World::new();
        let client = world.client("c");
        world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 1));
        world.ask(client, send("/queue/a", "one"));
        world.ask(client, send("/queue/a", "two"));
        world.sync();
        let number = world.deliveries(client)[0].number;
        world.ask(client, Request::Quarantine { subscription: SubscriptionId(1), number, is_damaged: true });
        assert_eq!(world.bodies(client), ["two"], "the others flow");
        world.ask(client, ack(world.engine.queues()[0].entries.iter().map(|entry| entry.message).max().expect("two")));
        world.sync();
        world.engine = world.replayed(true);
        let client = world.client("o");
        assert_eq!(world.engine.queues()[0].buried, 1, "also after a restart");
        world.ask(client, jobs::operate("/queue/a", operation));
        assert_eq!(world.engine.queues()[0].ready, left);
    }
}

#[test]
fn what_cannot_be_read_for_a_moment_waits_and_comes_again_uncounted() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 1));
    world.ask(client, send("/queue/a", "one"));
    world.sync();
    let number = world.deliveries(client)[0].number;
    world.ask(client, Request::Quarantine { subscription: SubscriptionId(1), number, is_damaged: false });
    assert!(world.deliveries(client).is_empty());
    world.wait(Engine::READ_AGAIN_MS);
    let again = world.deliveries(client).remove(0);
    assert_eq!((again.attempt, again.redelivered), (1, true), "it may have been seen");
}

#[test]
fn a_schedule_that_cannot_be_read_is_tried_again() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::Auto, 10));
    world.plan(client, "/queue/a", "tick", schedule::once(50));
    world.engine = world.replayed(true);
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::Auto, 10));
    for is_damaged in [false, true] {
        world.wait(Engine::READ_AGAIN_MS);
        let unread = world.engine.next_unread(world.now, &mut world.effects).expect("its content is wanted");
        let message = unread.messages[0].0;
        let contents = if is_damaged { vec![(message, None)] } else { Vec::new() };
        if !is_damaged {
            world.engine.not_read(world.now, unread.destination, &[message]);
        }
        world.engine.heads_read(world.now, unread.destination, contents, &mut world.effects);
        world.absorb();
        assert!(world.engine.next_unread(world.now, &mut world.effects).is_none(), "not at once");
    }
    world.elapse(Engine::READ_AGAIN_MS);
    assert_eq!(world.bodies(client), ["tick"]);
}

#[test]
fn a_transaction_is_one_batch_and_all_or_nothing() {
    let rule = PolicyRule { max_length: Some(1), ..PolicyRule::new(Pattern::parse("/queue/small").unwrap()) };
    let mut world =
        World::with(Options { policies: Policies { rules: vec![rule], ..Policies::default() }, ..Options::default() });
    let client = world.client("c");
    let publish = |to: &str| Action::Publish(Publish { to: name(to), message: message("x"), key: None, retain: None });
    let too_much = vec![publish("/queue/a"), publish("/queue/small"), publish("/queue/small")];
    let refused = world.try_ask(client, Request::Commit(too_much));
    assert!(matches!(refused, Err(Refusal::QueueFull { .. })), "{refused:?}");
    assert!(world.engine.queues().iter().all(|queue| queue.entries.is_empty()), "nothing of it happened");
    assert_eq!(world.tickets, 0);
    world.ask(client, Request::Commit(vec![publish("/queue/a"), publish("/queue/small")]));
    assert_eq!(world.tickets, 1, "one append");
}

#[test]
fn a_transaction_that_acknowledges_a_lost_delivery_fails_whole() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 10));
    world.ask(client, send_transient("/queue/a", "one"));
    let id = world.deliveries(client)[0].message;
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    let actions = vec![
        Action::Publish(Publish { to: name("/queue/b"), message: message("x"), key: None, retain: None }),
        Action::Settle(Settle { message: id, which: Which::default(), outcome: Outcome::Ack }),
    ];
    assert_eq!(world.try_ask(client, Request::Commit(actions)), Err(Refusal::LeaseLost));
    assert!(world.log.is_empty() || world.log.iter().all(|(r, _)| !matches!(r, Record::Accepted(_))));
}

#[test]
fn a_temporary_queue_is_its_owners_and_dies_with_it() {
    let mut world = World::new();
    let (owner, other) = (world.client("owner"), world.client("other"));
    world.ask(owner, subscribe(1, "/temp-queue/reply", AckMode::Auto, 10));
    let theft = world.try_ask(other, subscribe(1, "/temp-queue/reply", AckMode::Auto, 10));
    assert_eq!(theft, Err(Refusal::NotOwner));
    world.ask(other, send("/reply-queue/owner.reply", "answer"));
    assert_eq!(world.bodies(owner), ["answer"]);
    world.close(owner, Departure::Clean);
    assert_eq!(world.ask(other, send("/reply-queue/owner.reply", "too late")), Answer::Done);
    assert!(world.engine.queues().is_empty());
    assert_eq!(world.engine.transient_bytes, 0);
    assert!(world.log.iter().all(|(record, _)| matches!(record, Record::IdBlock { .. })));
}

#[test]
fn a_topic_message_held_twice_can_be_told_apart() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/topic/t", AckMode::ClientIndividual, 10));
    world.ask(client, subscribe(2, "/topic/t", AckMode::ClientIndividual, 10));
    world.ask(client, send("/topic/t", "one"));
    let delivered = world.deliveries(client);
    assert_eq!([delivered[0].held_twice, delivered[1].held_twice], [false, true]);
    let second = Settle {
        message: delivered[1].message,
        which: Which { subscription: Some(SubscriptionId(2)), ..Which::default() },
        outcome: Outcome::Ack,
    };
    assert_eq!(world.ask(client, Request::Settle(second)), Answer::Done);
    assert_eq!(world.ask(client, ack(delivered[0].message)), Answer::Done);
}

#[test]
fn a_full_queue_and_a_full_disk_refuse_and_change_nothing() {
    let mut world = World::new();
    let client = world.client("c");
    world.engine.set_full(true);
    assert_eq!(world.try_ask(client, send("/queue/a", "one")), Err(Refusal::DiskFull));
    assert!(world.ask(client, send_transient("/queue/a", "one")).is_done());
    world.engine.set_full(false);
    assert!(world.ask(client, send("/queue/a", "two")).is_done());
}

#[test]
fn transient_messages_beyond_the_memory_bound_go_to_the_log() {
    let mut world = World::with(Options { transient_bytes: 10, ..Options::default() });
    let client = world.client("c");
    world.ask(client, send_transient("/queue/a", "12345678"));
    assert!(!world.log.iter().any(|(record, _)| matches!(record, Record::Accepted(_))));
    world.ask(client, send_transient("/queue/a", "12345678"));
    assert!(world.log.iter().any(|(record, _)| matches!(record, Record::Accepted(_))));
}

#[test]
fn bodies_beyond_the_cache_are_delivered_from_the_log() {
    let mut world = World::with(Options { cache_bytes: 10, ..Options::default() });
    let client = world.client("c");
    for text in ["12345678", "abcdefgh"] {
        world.ask(client, send("/queue/a", text));
    }
    world.sync();
    assert!(world.engine.contents.bytes() <= 10);
    world.ask(client, subscribe(1, "/queue/a", AckMode::Client, 10));
    let mut bodies = world.bodies(client);
    bodies.sort();
    assert_eq!(bodies, ["(stored)", "abcdefgh"]);
    assert_eq!(world.engine.contents.bytes(), 0);
}

#[test]
fn a_promise_is_kept_when_its_append_is_durable_and_not_before() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, send("/queue/a", "one"));
    world.engine.promise(client, Ticket(world.tickets));
    assert!(world.told.is_empty());
    world.sync();
    assert!(matches!(world.told[..], [(_, Event::Durable(Ticket(1)))]), "{:?}", world.told);
}

#[test]
fn an_idle_destination_goes_and_a_used_one_stays() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 10));
    world.ask(client, send("/queue/a", "one"));
    world.sync();
    let id = world.deliveries(client)[0].message;
    world.ask(client, ack(id));
    world.now.monotonic += Duration::from_secs(100);
    let tick = |world: &mut World| {
        world.engine.tick(world.now, &mut world.effects);
        world.absorb();
    };
    tick(&mut world);
    assert_eq!(world.engine.queues().len(), 1, "it has a consumer");
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    world.now.monotonic += Duration::from_secs(61);
    tick(&mut world);
    assert!(world.engine.queues().is_empty());
    assert!(matches!(world.log.last(), Some((Record::Deleted { .. }, _))));
}

#[test]
fn a_session_forgets_temporary_destinations_that_went_idle() {
    let mut world = World::new();
    let client = world.client("owner");
    for number in 1..=3 {
        world.ask(client, subscribe(number, &format!("/temp-queue/{number}"), AckMode::Auto, 10));
        world.ask(client, Request::Unsubscribe(SubscriptionId(number)));
        world.now.monotonic += Duration::from_secs(61);
        world.engine.tick(world.now, &mut world.effects);
        world.absorb();
    }
    assert!(world.engine.queues().is_empty());
    assert!(world.engine.sessions.get(client).expect("it is there").temporary.is_empty());
}

#[test]
fn too_many_destinations_are_refused() {
    let mut world = World::with(Options { destinations: 1, ..Options::default() });
    let client = world.client("c");
    world.ask(client, send("/queue/a", "one"));
    assert_eq!(world.try_ask(client, send("/queue/b", "x")), Err(Refusal::TooManyDestinations { limit: 1 }));
}

#[test]
fn replay_gives_the_same_queues() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 3));
    for number in 0..6 {
        world.ask(client, send("/queue/a", &number.to_string()));
        world.ask(client, send("/queue/b", &number.to_string()));
    }
    world.sync();
    let out = world.deliveries(client);
    world.ask(client, ack(out[1].message));
    world.ask(client, nack(out[0].message));
    world.ask(client, settle(out[2].message, Outcome::DeadLetter { reason: Some("bad".into()) }));
    world.sync();
    world.close(client, Departure::Clean);
    world.sync();
    let (live, again) = (world.engine.queues(), world.replayed(true).queues());
    assert_eq!(live.len(), 3);
    for (live, again) in live.iter().zip(&again) {
        assert_eq!(live.name, again.name);
        let facts = |e: &crate::destination::Entry| (e.message, e.place(), e.position(), e.attempts, e.handed_out);
        let (live, again): (Vec<_>, Vec<_>) =
            (live.entries.iter().map(facts).collect(), again.entries.iter().map(facts).collect());
        assert_eq!(live, again);
    }
    let id_of = |engine: &mut Engine| engine.ids.next(&mut Vec::new());
    assert!(id_of(&mut world.replayed(true)) > id_of(&mut world.engine), "ids are never given twice");
}

#[test]
fn a_log_that_moves_a_message_to_nowhere_is_found_out() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 1));
    world.ask(client, send("/queue/a", "one"));
    world.sync();
    let id = world.deliveries(client)[0].message;
    world.ask(client, settle(id, Outcome::DeadLetter { reason: None }));
    let mut engine = Engine::new(Options::default());
    for (record, position) in world.log.clone() {
        if !matches!(&record, Record::Created { name, .. } if name.as_str() == "/queue/DLQ.a") {
            engine.record(record, position);
        }
    }
    assert_eq!(engine.replayed(true), 1);
}

#[test]
fn after_an_unclean_stop_everything_is_marked_as_perhaps_seen() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, send("/queue/a", "one"));
    world.sync();
    assert!(world.replayed(false).queues()[0].entries[0].handed_out);
    assert!(!world.replayed(true).queues()[0].entries[0].handed_out);
}

#[test]
fn the_shard_is_part_of_every_id() {
    let shard = ShardId::new(7).unwrap();
    let mut world = World::with(Options { shard, ..Options::default() });
    let client = world.client("c");
    world.ask(client, subscribe(1, "/topic/t", AckMode::Auto, 10));
    world.ask(client, send("/topic/t", "one"));
    assert_eq!(world.deliveries(client)[0].message.shard(), shard);
}

#[test]
fn an_entry_of_a_backlog_is_small() {
    assert!(size_of::<Option<crate::destination::Entry>>() <= 48);
}

#[test]
fn a_message_that_fails_for_ever_is_buried_where_there_is_no_dead_letter_queue() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/DLQ.mail", AckMode::ClientIndividual, 1));
    world.ask(client, send_transient("/queue/DLQ.mail", "one"));
    for _ in 0..16 {
        let id = world.deliveries(client)[0].message;
        world.ask(client, nack(id));
    }
    assert!(world.deliveries(client).is_empty());
    assert_eq!((world.engine.queues()[0].buried, world.engine.queues()[0].entries[0].attempts), (1, 16));
}

#[test]
fn a_full_disk_refuses_a_transaction_that_would_not_fit_into_memory_as_a_whole() {
    let mut world = World::with(Options { transient_bytes: 10, ..Options::default() });
    let client = world.client("c");
    let publish = |to: &str| {
        let message = Message { durability: Durability::Transient, ..message("123456") };
        Action::Publish(Publish { to: name(to), message, key: None, retain: None })
    };
    world.engine.set_full(true);
    let refused = world.try_ask(client, Request::Commit(vec![publish("/queue/a"), publish("/queue/b")]));
    assert_eq!(refused, Err(Refusal::DiskFull));
    assert!(!world.log.iter().any(|(record, _)| matches!(record, Record::Accepted(_))), "the log takes none");
    world.engine.set_full(false);
    world.ask(client, Request::Commit(vec![publish("/queue/a"), publish("/queue/b")]));
}

#[test]
fn a_transient_message_does_not_overtake_a_persistent_one() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 10));
    world.ask(client, send("/queue/a", "one"));
    world.ask(client, send_transient("/queue/a", "two"));
    world.ask(client, send("/queue/a", "three"));
    world.ask(client, send_transient("/queue/a", "four"));
    world.ask(client, send_transient("/queue/b", "elsewhere"));
    assert!(world.deliveries(client).is_empty());
    assert_eq!(world.engine.queues()[1].ready, 1, "another queue does not wait");
    world.sync();
    assert_eq!(world.bodies(client), ["one", "two", "three", "four"]);
    world.ask(client, send_transient("/queue/a", "five"));
    assert_eq!(world.bodies(client), ["five"], "nothing before it waits for the log");
}
