//! Messages that are moved, sent back to where they died, and chosen by selectors.

use std::sync::Arc;

use super::select::{line, with_head};
use super::*;
use crate::destination::{Entry, Policy, State};
use crate::model::{Filter, Manage, Operation, Reply, Standing, States, Terms, Transfer, Writer};

fn all_to(to: &str) -> Transfer {
    Transfer { to: Some(name(to)), states: States::ALL, count: None, rate: None }
}

const BACK: Transfer = Transfer { to: None, states: States::ALL, count: None, rate: None };

impl World {
    /// Asks for something to be done with `/queue/a`; what is told comes to `/queue/answers`.
    fn order(&mut self, client: SessionId, operation: Operation, filter: Option<Arc<dyn Filter>>) -> Answer {
        let reply = Some(Reply { to: name("/queue/answers"), head: (*b"destination:/queue/answers\n").into() });
        let manage = Manage { operation, queue: name("/queue/a"), filter, writer: None, reply };
        self.ask(client, Request::Manage(Box::new(manage)))
    }

    /// What has been told since.
    fn told(&mut self) -> Vec<String> {
        let boss = self.client("boss");
        self.ask(boss, subscribe(1, "/queue/answers", AckMode::Auto, 100));
        let deliveries = self.deliveries(boss);
        if let Some(last) = deliveries.last() {
            self.ask(boss, Request::Written { subscription: SubscriptionId(1), through: last.number });
        }
        self.close(boss, Departure::Clean);
        deliveries.iter().map(body).collect()
    }

    fn entries(&self, queue: &str) -> Vec<Entry> {
        let views = self.engine.queues();
        views.into_iter().find(|view| view.name.as_str() == queue).map(|view| view.entries).unwrap_or_default()
    }

    fn standing(&self, queue: &str) -> Vec<Standing> {
        let views = self.engine.queues();
        let view = views.into_iter().find(|view| view.name.as_str() == queue).expect("the queue");
        view.standing.into_iter().map(|(standing, _)| standing).collect()
    }

    /// Replay gives the same queues, but for what lives in memory only.
    fn assert_replayed(&mut self) {
        self.sync();
        let strip = |engine: &Engine| -> Vec<_> {
            let durable = |view: &super::super::QueueView| view.name.as_str() != "/queue/answers";
            engine
                .queues()
                .into_iter()
                .filter(durable)
                .map(|view| {
                    let seen = view.entries.iter().map(|e| (e.message, e.place(), e.attempts, e.nacks, e.handed_out));
                    (view.name, seen.collect::<Vec<_>>(), view.standing)
                })
                .collect()
        };
        assert_eq!(strip(&self.replayed(true)), strip(&self.engine));
    }

    fn send_line(&mut self, client: SessionId, head: &str, text: &str) {
        let message = with_head(head, text, Durability::Persistent);
        self.ask(client, Request::Publish(Publish { to: name("/queue/a"), message, key: None, retain: None }));
    }
}

#[test]
fn a_move_keeps_ids_states_and_counts() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 10));
    for text in ["buried", "failed", "plain"] {
        world.ask(client, send("/queue/a", text));
    }
    let terms = Terms { due: Some(Timestamp(5000)), expires: Some(Timestamp(9000)), ..Terms::default() };
    let later = Message { terms: Some(Box::new(terms)), ..message("later") };
    world.ask(client, Request::Publish(Publish { to: name("/queue/a"), message: later, key: None, retain: None }));
    world.sync();
    let ids: Vec<_> = world.deliveries(client).iter().map(|delivery| delivery.message).collect();
    world.ask(client, settle(ids[0], Outcome::Bury));
    world.ask(client, settle(ids[1], Outcome::Retry { reason: None, delay_ms: Some(0) }));
    world.sync();
    let again = world.deliveries(client).remove(0).message;
    assert_eq!(world.order(client, Operation::Move(all_to("/queue/b")), None), Answer::Done);
    assert_eq!(world.told(), [r#"{"op":"move","queue":"/queue/a","count":2}"#], "what is out stays");
    assert_eq!(again, ids[1]);
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    world.order(client, Operation::Move(Transfer { count: Some(1), ..all_to("/queue/b") }), None);
    let moved = world.entries("/queue/b");
    let mut seen: Vec<_> = moved.iter().map(|e| (e.message, e.attempts, e.nacks, e.state, e.handed_out)).collect();
    seen.sort_by_key(|(message, ..)| *message);
    let later = seen.last().expect("four of them").0;
    assert_eq!(
        seen,
        [(ids[0], 1, 1, State::Buried, true), (ids[1], 1, 1, State::Ready, true), (later, 0, 0, State::Delayed, false)]
    );
    assert!(world.standing("/queue/b").contains(&Standing::Delayed(Timestamp(5000))));
    world.assert_replayed();
    world.wait(6000);
    assert!(world.entries("/queue/b").iter().any(|entry| entry.message == later && entry.state == State::Ready));
    world.wait(6000);
    assert!(world.entries("/queue/b").iter().all(|entry| entry.message != later), "it still has its end");
}

#[test]
fn a_redrive_sends_dead_letters_back_to_begin_anew() {
    let mut world = World::new();
    let client = world.client("c");
    for queue in ["/queue/x", "/queue/y"] {
        world.ask(client, subscribe(1, queue, AckMode::ClientIndividual, 10));
        world.ask(client, send(queue, queue));
        world.sync();
        let id = world.deliveries(client)[0].message;
        world.ask(client, settle(id, Outcome::DeadLetter { reason: None }));
        world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    }
    // Both die into queues of their own; all of it into one, without the notes being lost.
    for queue in ["/queue/DLQ.x", "/queue/DLQ.y"] {
        let operation = Operation::Move(all_to("/queue/a"));
        let manage = Manage { operation, queue: name(queue), filter: None, writer: None, reply: None };
        world.ask(client, Request::Manage(Box::new(manage)));
    }
    world.ask(client, send("/queue/a", "alive"));
    world.assert_replayed();
    world.order(client, Operation::Move(BACK), None);
    assert_eq!(world.told(), [r#"{"op":"move","queue":"/queue/a","count":2}"#]);
    assert_eq!(world.entries("/queue/a").len(), 1, "what did not die stays");
    world.assert_replayed();
    for queue in ["/queue/x", "/queue/y"] {
        world.ask(client, subscribe(2, queue, AckMode::ClientIndividual, 10));
        let delivery = world.deliveries(client).remove(0);
        assert_eq!((delivery.attempt, delivery.redelivered, delivery.death.is_none()), (1, true, true));
        world.ask(client, Request::Unsubscribe(SubscriptionId(2)));
    }
}

/// May send to one queue.
#[derive(Debug)]
struct Only(&'static str);

impl Writer for Only {
    fn may_write(&self, name: &DestinationName) -> bool {
        name.as_str() == self.0
    }

    fn may_create(&self, name: &DestinationName) -> bool {
        name.as_str() == self.0
    }
}

#[test]
fn a_redrive_leaves_what_came_from_where_one_may_not_send_to() {
    let policies = Policies { default: Policy { dead_letter: "a".into(), ..Policy::default() }, rules: Vec::new() };
    let mut world = World::with(Options { policies, ..Options::default() });
    let client = world.client("c");
    for queue in ["/queue/x", "/queue/y"] {
        world.ask(client, subscribe(1, queue, AckMode::ClientIndividual, 10));
        world.ask(client, send_transient(queue, queue));
        let id = world.deliveries(client)[0].message;
        world.ask(client, settle(id, Outcome::DeadLetter { reason: None }));
        world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    }
    let writer: Option<Arc<dyn Writer>> = Some(Arc::new(Only("/queue/y")));
    let (operation, queue) = (Operation::Move(BACK), name("/queue/a"));
    world.ask(client, Request::Manage(Box::new(Manage { operation, queue, filter: None, writer, reply: None })));
    assert_eq!((world.entries("/queue/x").len(), world.entries("/queue/y").len()), (0, 1));
    assert_eq!(world.entries("/queue/a").len(), 1);
}

#[test]
fn a_selector_chooses_what_is_purged_kicked_and_moved_also_where_only_the_log_has_the_heads() {
    for cache_bytes in [0, 1 << 20] {
        let mut world = World::with(Options { cache_bytes, ..Options::default() });
        let client = world.client("c");
        for number in 0..3000 {
            world.send_line(client, ["red\n", "blue\n", "green\n"][number % 3], &number.to_string());
        }
        world.sync();
        world.order(client, Operation::Purge(States::ALL), Some(line("red\n")));
        assert!(world.told().is_empty(), "it is told at its end");
        let work = |world: &mut World| {
            while world.engine.deadline(world.now) == Some(Duration::ZERO) || world.engine.wants_heads() {
                world.drive();
                world.wait(0);
            }
        };
        work(&mut world);
        assert_eq!(world.told(), [r#"{"op":"purge","queue":"/queue/a","count":1000}"#]);
        world.order(client, Operation::Move(all_to("/queue/b")), Some(line("blue\n")));
        work(&mut world);
        assert_eq!(world.told(), [r#"{"op":"move","queue":"/queue/a","count":1000}"#]);
        assert_eq!((world.entries("/queue/a").len(), world.entries("/queue/b").len()), (1000, 1000));
        world.assert_replayed();
    }
}

#[test]
fn a_rate_is_kept_and_what_comes_meanwhile_stays() {
    let mut world = World::new();
    let client = world.client("c");
    for number in 0..10 {
        world.ask(client, send("/queue/a", &number.to_string()));
    }
    world.sync();
    world.order(client, Operation::Move(Transfer { rate: Some(4), ..all_to("/queue/b") }), None);
    for (ms, moved) in [(0, 1), (249, 1), (1, 2), (1000, 6), (5000, 10)] {
        world.wait(ms);
        assert_eq!(world.entries("/queue/b").len(), moved);
        world.ask(client, send("/queue/a", "later"));
        world.sync();
    }
    world.wait(0);
    assert_eq!(world.told(), [r#"{"op":"move","queue":"/queue/a","count":10}"#]);
    assert_eq!(world.entries("/queue/a").len(), 5);
    world.assert_replayed();
}

#[test]
fn a_move_ends_where_the_queue_it_goes_to_is_full() {
    let rule = PolicyRule { max_length: Some(2), ..PolicyRule::new(Pattern::parse("/queue/b").expect("a pattern")) };
    let policies = Policies { default: Policy::default(), rules: vec![rule] };
    let mut world = World::with(Options { policies, ..Options::default() });
    let client = world.client("c");
    for number in 0..3 {
        world.ask(client, send("/queue/a", &number.to_string()));
    }
    world.sync();
    let slowly = || Transfer { rate: Some(1000), ..all_to("/queue/b") };
    world.order(client, Operation::Move(slowly()), None);
    for _ in 0..5 {
        world.wait(10);
    }
    assert_eq!(world.told(), [r#"{"op":"move","queue":"/queue/a","count":2,"error":"queue-full"}"#]);
    let answer = world.order(client, Operation::Move(all_to("/queue/b")), None);
    assert_eq!(answer, Answer::Soft(SoftRefusal::QueueFull));
    assert_eq!(world.entries("/queue/a").len(), 1);
}

#[test]
fn only_so_much_goes_on_at_a_time() {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, send("/queue/a", "1"));
    world.ask(client, send("/queue/a", "2"));
    world.sync();
    let slowly = || Operation::Move(Transfer { rate: Some(1), ..all_to("/queue/b") });
    for _ in 0..16 {
        assert_eq!(world.order(client, slowly(), None), Answer::Done);
    }
    assert_eq!(world.order(client, slowly(), None), Answer::Soft(SoftRefusal::Busy));
    assert_eq!(world.told(), [r#"{"op":"move","queue":"/queue/a","error":"busy"}"#]);
}
