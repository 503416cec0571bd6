//! Selective consumers: everything that is for them, in order, each message looked at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{World, ack, body, message, nack, name};
use crate::engine::{Departure, Options};
use crate::model::{
    AckMode, Candidate, Content, Credit, Durability, Filter, Message, Publish, Request, SessionId, Subscribe,
    SubscriptionId, Urgency,
};

/// Wants messages whose head is this line, and counts how many it was shown.
#[derive(Debug)]
pub(super) struct Line {
    text: &'static str,
    looks: AtomicUsize,
}

impl Filter for Line {
    fn wants(&self, candidate: &Candidate<'_>) -> bool {
        self.looks.fetch_add(1, Ordering::Relaxed);
        candidate.head == self.text.as_bytes()
    }
}

pub(super) fn line(text: &'static str) -> Arc<Line> {
    Arc::new(Line { text, looks: AtomicUsize::new(0) })
}

fn select(id: u32, to: &str, messages: u32, filter: &Arc<Line>) -> Request {
    let (credit, mode) = (Credit { messages, bytes: 1 << 20 }, AckMode::ClientIndividual);
    let filter: Option<Arc<dyn Filter>> = Some(Arc::<Line>::clone(filter));
    Request::Subscribe(Subscribe {
        id: SubscriptionId(id),
        to: name(to).into(),
        mode,
        credit,
        time_to_run_ms: None,
        filter,
    })
}

pub(super) fn with_head(head: &str, text: &str, durability: Durability) -> Message {
    let content = Content::small(format!("{head}{text}").as_bytes(), head.len());
    Message { content, durability, ..message("") }
}

fn publish(head: &str, text: &str) -> Request {
    let message = with_head(head, text, Durability::Transient);
    Request::Publish(Publish { to: name("/queue/q"), message, key: None, retain: None })
}

impl World {
    /// What the driver does: reads heads, and goes on with what was left for later.
    pub(super) fn drive(&mut self) {
        loop {
            if let Some(unread) = self.engine.next_unread(self.now, &mut self.effects) {
                let contents = unread.messages.iter().map(|(message, position)| {
                    let content = self.log.iter().find_map(|(record, at)| match record {
                        crate::model::Record::Accepted(accepted) if *at == Some(*position) => accepted.content.clone(),
                        _ => None,
                    });
                    (*message, content)
                });
                let contents = contents.collect();
                self.engine.heads_read(self.now, unread.destination, contents, &mut self.effects);
            } else if self.engine.is_unfinished() {
                self.engine.tick(self.now, &mut self.effects);
                self.absorb();
            } else {
                return self.absorb();
            }
        }
    }

    fn texts(&mut self, session: SessionId) -> Vec<String> {
        self.bodies(session)
    }
}

#[test]
fn a_selective_consumer_gets_what_it_wants_and_leaves_the_rest() {
    let mut world = World::new();
    let (picky, other) = (world.client("p"), world.client("o"));
    let red = line("red\n");
    world.ask(picky, select(1, "/queue/q", 10, &red));
    for (head, text) in [("red\n", "1"), ("blue\n", "2"), ("red\n", "3"), ("blue\n", "4")] {
        world.ask(other, publish(head, text));
    }
    assert_eq!(world.texts(picky), ["1", "3"]);
    world.ask(other, super::subscribe(1, "/queue/q", AckMode::Client, 10));
    assert_eq!(world.texts(other), ["2", "4"]);
}

#[test]
fn nobody_starves_behind_messages_of_others() {
    let mut world = World::new();
    let (picky, other) = (world.client("p"), world.client("o"));
    for number in 0..10_000 {
        world.ask(other, publish("blue\n", &number.to_string()));
    }
    world.ask(other, publish("red\n", "mine"));
    let red = line("red\n");
    world.ask(picky, select(1, "/queue/q", 1, &red));
    assert!(world.texts(picky).is_empty(), "one round looks at a part only");
    world.drive();
    assert_eq!(world.texts(picky), ["mine"]);
}

#[test]
fn each_message_is_looked_at_once_however_slow_the_consumer() {
    let mut world = World::new();
    let client = world.client("c");
    let red = line("red\n");
    for number in 0..500 {
        world.ask(client, publish(if number % 5 == 0 { "red\n" } else { "blue\n" }, &number.to_string()));
    }
    world.ask(client, select(1, "/queue/q", 1, &red));
    for number in (0..500).step_by(5) {
        let delivered = world.deliveries(client);
        assert_eq!(delivered.iter().map(body).collect::<Vec<_>>(), [number.to_string()]);
        world.ask(client, ack(delivered[0].message));
    }
    assert!(world.deliveries(client).is_empty());
    assert_eq!(red.looks.load(Ordering::Relaxed), 500);
}

#[test]
fn what_comes_back_is_looked_at_again_and_nothing_else_is() {
    let mut world = World::new();
    let (a, b) = (world.client("a"), world.client("b"));
    let (red, also_red) = (line("red\n"), line("red\n"));
    world.ask(a, select(1, "/queue/q", 10, &red));
    for (head, text) in [("red\n", "1"), ("blue\n", "2"), ("red\n", "3"), ("blue\n", "4")] {
        world.ask(a, publish(head, text));
    }
    let held = world.deliveries(a);
    world.ask(b, select(1, "/queue/q", 10, &also_red));
    assert!(world.texts(b).is_empty());
    let looked = red.looks.load(Ordering::Relaxed) + also_red.looks.load(Ordering::Relaxed);
    world.ask(a, nack(held[0].message));
    let again: Vec<_> = world.texts(a).into_iter().chain(world.texts(b)).collect();
    assert_eq!(again, ["1"], "one of the two has it");
    assert_eq!(red.looks.load(Ordering::Relaxed) + also_red.looks.load(Ordering::Relaxed), looked + 1);
    world.close(a, Departure::Clean);
    assert!(world.texts(b).ends_with(&["3".to_owned()]), "what a consumer held when it left is found too");
}

#[test]
fn the_more_urgent_is_found_behind_the_cursor() {
    let mut world = World::new();
    let client = world.client("c");
    let red = line("red\n");
    world.ask(client, select(1, "/queue/q", 1, &red));
    for text in ["1", "2", "3"] {
        world.ask(client, publish("red\n", text));
    }
    let urgent = Message { urgency: Urgency(0), ..with_head("red\n", "first", Durability::Transient) };
    world.ask(client, Request::Publish(Publish { to: name("/queue/q"), message: urgent, key: None, retain: None }));
    let mut order = Vec::new();
    while let Some(delivery) = world.deliveries(client).first() {
        order.push(body(delivery));
        world.ask(client, ack(delivery.message));
    }
    assert_eq!(order, ["1", "first", "2", "3"]);
}

#[test]
fn heads_that_only_the_log_has_are_read_in_windows_and_the_queue_goes_on_meanwhile() {
    let mut world = World::with(Options { cache_bytes: 0, ..Options::default() });
    let (picky, other) = (world.client("p"), world.client("o"));
    for number in 0..1000 {
        let head = if number % 100 == 99 { "red\n" } else { "blue\n" };
        let message = with_head(head, &number.to_string(), Durability::Persistent);
        world.ask(other, Request::Publish(Publish { to: name("/queue/q"), message, key: None, retain: None }));
    }
    world.sync();
    let red = line("red\n");
    world.ask(picky, select(1, "/queue/q", 100, &red));
    assert!(world.deliveries(picky).is_empty(), "nothing is known of any head yet");
    world.ask(other, super::subscribe(1, "/queue/q", AckMode::Client, 3));
    assert_eq!(world.deliveries(other).len(), 3, "who takes everything need not wait for heads");
    world.drive();
    assert_eq!(world.deliveries(picky).len(), 10);
    assert_eq!(red.looks.load(Ordering::Relaxed), 997);
}

#[test]
fn what_cannot_be_read_is_selected_by_nobody_and_stops_nobody() {
    let mut world = World::with(Options { cache_bytes: 0, ..Options::default() });
    let client = world.client("c");
    for text in ["1", "2"] {
        let message = with_head("red\n", text, Durability::Persistent);
        world.ask(client, Request::Publish(Publish { to: name("/queue/q"), message, key: None, retain: None }));
    }
    world.sync();
    world.ask(client, select(1, "/queue/q", 10, &line("red\n")));
    let unread = world.engine.next_unread(world.now, &mut world.effects).expect("heads to read");
    let contents = unread
        .messages
        .iter()
        .enumerate()
        .map(|(number, (message, _))| (*message, (number == 1).then(|| Content::small(b"red\n2", 4))));
    let contents = contents.collect();
    world.engine.heads_read(world.now, unread.destination, contents, &mut world.effects);
    world.absorb();
    assert_eq!(world.deliveries(client).len(), 1);
}

#[test]
fn a_topic_gives_each_subscriber_what_it_wants() {
    let mut world = World::new();
    let (picky, other) = (world.client("p"), world.client("o"));
    world.ask(picky, select(1, "/topic/t", 10, &line("red\n")));
    world.ask(other, super::subscribe(1, "/topic/t", AckMode::Auto, 10));
    for (head, text) in [("red\n", "1"), ("blue\n", "2")] {
        let message = with_head(head, text, Durability::Transient);
        world.ask(other, Request::Publish(Publish { to: name("/topic/t"), message, key: None, retain: None }));
    }
    assert_eq!(world.texts(picky), ["1"]);
    assert_eq!(world.texts(other), ["1", "2"]);
}

#[test]
fn many_returns_behind_a_cursor_set_it_back_and_lose_nothing() {
    let mut world = World::new();
    let (taker, picky) = (world.client("t"), world.client("p"));
    for number in 0..3000 {
        world.ask(taker, publish(if number % 2 == 0 { "red\n" } else { "blue\n" }, &number.to_string()));
    }
    world.ask(taker, super::subscribe(1, "/queue/q", AckMode::Client, 3000));
    world.drive();
    world.ask(picky, select(1, "/queue/q", 3000, &line("red\n")));
    world.ask(taker, publish("red\n", "last"));
    assert_eq!(world.texts(picky), ["last"], "the cursor is behind everything");
    world.close(taker, Departure::Clean);
    world.drive();
    assert_eq!(world.texts(picky).len(), 1500);
}

#[test]
fn a_pattern_with_a_filter_takes_from_each_queue_what_it_wants_with_one_credit() {
    let mut world = World::with(Options { cache_bytes: 0, ..Options::default() });
    let client = world.client("c");
    let to = super::wildcards::wildcard("/queue/w.*");
    let red: Arc<dyn Filter> = line("red\n");
    let (credit, mode) = (Credit { messages: 1, bytes: 1 << 20 }, AckMode::ClientIndividual);
    let wish = Subscribe { id: SubscriptionId(1), to, mode, credit, time_to_run_ms: None, filter: Some(red) };
    world.ask(client, Request::Subscribe(wish));
    for (to, head, text) in
        [("w.a", "blue\n", "1"), ("w.b", "red\n", "2"), ("w.a", "red\n", "3"), ("w.c", "red\n", "4")]
    {
        let message = with_head(head, text, Durability::Persistent);
        world.ask(client, Request::Publish(Publish { to: name(to), message, key: None, retain: None }));
    }
    world.sync();
    let mut count = 0;
    loop {
        world.drive();
        let delivered = world.deliveries(client);
        let Some(delivery) = delivered.first() else { break };
        assert_eq!(delivered.len(), 1, "one is all its credit");
        count += 1;
        world.ask(client, ack(delivery.message));
    }
    assert_eq!(count, 3);
}
