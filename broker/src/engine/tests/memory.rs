//! What queues may keep in memory: over it new messages wait or are refused, and finishing work goes on.

use std::sync::Arc;

use super::schedule::{once, planned};
use super::{Options, World, ack, message, nack, name, subscribe};
use crate::memory::{Account, Purpose, Share};
use crate::model::{
    AckMode, Action, Content, Durability, Group, Message, OnDuplicate, Publish, Refusal, Request, SessionId, Terms,
    Timestamp, Unique, Until,
};

const BODY: usize = 1 << 16;

fn publish(to: &str) -> Publish {
    let content = Content::small(&vec![b'x'; BODY], 0);
    let message = Message { content, durability: Durability::Transient, ..message("") };
    Publish { to: name(to), message, key: None, retain: None }
}

fn world(memory: &Arc<Account>) -> World {
    World::with(Options { memory: Arc::clone(memory), transient_bytes: u64::MAX, ..Options::default() })
}

#[test]
fn over_the_share_of_queues_new_messages_are_refused_and_work_is_finished() {
    // Seven sixteenths of it: room for fifteen bodies with their tables.
    let memory = Arc::new(Account::new(16 * BODY as u64 * 16 / 7));
    let mut world = world(&memory);
    let client = world.client("a");
    let mut taken = 0;
    let refusal = loop {
        let wanted = Request::Publish(publish("/queue/a"));
        let waits = world.engine.has_to_wait(&wanted);
        match world.try_ask(client, wanted) {
            Ok(_) => {
                assert!(!waits, "what has to wait is refused where it cannot");
                taken += 1;
            }
            Err(refusal) => break refusal,
        }
        assert!(memory.used_of(Share::Queues) <= memory.limit(Share::Queues));
    };
    assert_eq!(taken, 15);
    let Refusal::OutOfMemory { short } = refusal else { panic!("{refusal:?}") };
    assert_eq!(
        short,
        format!("memory for queued messages is used up: {} bytes of limits.memory.total", memory.limit(Share::Queues))
    );
    let transaction = Request::Commit(vec![Action::Publish(publish("/queue/b"))]);
    assert!(world.engine.has_to_wait(&transaction));
    assert!(matches!(world.try_ask(client, transaction), Err(Refusal::OutOfMemory { .. })));
    // A topic keeps nothing, and an acknowledgement makes room.
    assert!(world.ask(client, Request::Publish(publish("/topic/a"))).is_done());
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 2));
    for delivery in world.deliveries(client) {
        let settle = ack(delivery.message);
        assert!(!world.engine.has_to_wait(&settle));
        world.ask(client, settle);
    }
    assert!(world.ask(client, Request::Publish(publish("/queue/a"))).is_done());
}

#[test]
fn what_queues_keep_is_counted_and_given_back() {
    let memory = Arc::new(Account::default());
    let mut world = world(&memory);
    let client = world.client("a");
    for _ in 0..3 {
        world.ask(client, Request::Publish(publish("/queue/a")));
    }
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 10));
    assert_eq!(memory.used(Purpose::Bodies), 3 * BODY as u64);
    for delivery in world.deliveries(client) {
        world.ask(client, ack(delivery.message));
    }
    world.engine.dispatch(world.now, &mut world.effects);
    assert_eq!(memory.used(Purpose::Bodies), 0);
    let tables = memory.used(Purpose::Messages);
    assert!(tables < 64 << 10, "{tables} bytes of tables");
}

/// Sends a message on these terms; by how many bytes of terms more are in use then.
fn say(world: &mut World, client: SessionId, terms: Terms) -> u64 {
    let memory = Arc::clone(&world.engine.options.memory);
    let before = memory.used(Purpose::Terms);
    let message = Message { terms: Some(Box::new(terms)), ..message("x") };
    world.ask(client, Request::Publish(Publish { to: name("/queue/a"), message, key: None, retain: None }));
    memory.used(Purpose::Terms) - before
}

fn in_group(name: &str) -> Terms {
    Terms { group: Some(Group { name: name.into(), closes: false }), ..Terms::default() }
}

#[test]
fn what_senders_say_and_why_messages_died_is_counted_and_given_back() {
    let memory = Arc::new(Account::default());
    let mut world = world(&memory);
    let client = world.client("a");
    let long = "k".repeat(250);
    let unique =
        Unique { key: long.as_str().into(), until: Until::Done, on_duplicate: OnDuplicate::Drop, waiter: None };
    let ends = Terms { expires: Some(Timestamp(1 << 40)), ..Terms::default() };
    assert_eq!(say(&mut world, client, ends.clone()), 0, "an end is in the row of its message");
    assert!(say(&mut world, client, in_group(&long)) > 500);
    assert!(say(&mut world, client, Terms { unique: Some(Box::new(unique)), ..ends.clone() }) > 500);
    assert!(say(&mut world, client, Terms { due: Some(Timestamp(100)), ..ends }) > 300);
    assert!(
        say(
            &mut world,
            client,
            Terms { max_deliveries: Some(1), dead_letter: Some(name("/queue/dead")), ..Terms::default() }
        ) > 200
    );
    let before = memory.used(Purpose::Terms);
    world.ask(client, Request::Publish(planned("/queue/a", "later", once(200))));
    assert!(memory.used(Purpose::Terms) > before + 400, "and so is a plan");
    world.sync();
    let all = memory.used(Purpose::Terms);
    let replayed = world.replayed(true);
    assert_eq!(memory.used(Purpose::Terms), 2 * all, "one that is replayed counts the same");
    drop(replayed);
    assert_eq!(memory.used(Purpose::Terms), all, "and gives it back");

    // One dies, one becomes due, and one is sent by its plan.
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 10));
    for delivery in world.deliveries(client) {
        world.ask(client, nack(delivery.message));
    }
    let dead = world.engine.queues().into_iter().find(|view| view.name == name("/queue/dead"));
    assert_eq!(dead.map(|view| view.entries.len()), Some(1));
    world.wait(1000);
    world.sync();
    world.ask(client, subscribe(2, "/queue/dead", AckMode::ClientIndividual, 10));
    assert!(memory.used(Purpose::Terms) > 0);
    loop {
        let deliveries = world.deliveries(client);
        if deliveries.is_empty() {
            break;
        }
        for delivery in deliveries {
            let _ = world.try_ask(client, ack(delivery.message));
        }
    }
    assert!(world.engine.queues().iter().all(|view| view.entries.is_empty()), "{:?}", world.engine.queues());
    assert_eq!(memory.used(Purpose::Terms), 0);
}

#[test]
fn what_senders_say_is_within_the_share_of_queues() {
    let memory = Arc::new(Account::new(1 << 20));
    let mut world = world(&memory);
    let client = world.client("a");
    let mut number = 0;
    let refusal = loop {
        number += 1;
        let message = Message { terms: Some(Box::new(in_group(&format!("{number:0200}")))), ..message("x") };
        let publish = Publish { to: name("/queue/a"), message, key: None, retain: None };
        if let Err(refusal) = world.try_ask(client, Request::Publish(publish)) {
            break refusal;
        }
    };
    assert!(matches!(refusal, Refusal::OutOfMemory { .. }), "{refusal:?}");
    assert!(memory.used(Purpose::Terms) > number * 400, "{number} messages");
    assert!(memory.used_of(Share::Queues) <= memory.limit(Share::Queues) + (16 << 10));
}

/// Sends bodies to a queue until there is no room for one of so many bytes.
fn use_up(world: &mut World, client: SessionId, memory: &Account, bytes: u64) {
    while memory.has_room(Purpose::Messages, bytes) {
        world.ask(client, Request::Publish(publish("/queue/full")));
    }
}

#[test]
fn what_is_due_waits_for_memory_without_a_word_and_is_sent_once() {
    let memory = Arc::new(Account::new(16 * BODY as u64 * 16 / 7));
    let mut world = world(&memory);
    let client = world.client("a");
    let large = |at| {
        let Request::Publish(mut plan) = Request::Publish(planned("/queue/a", &format!("at {at}"), once(at))) else {
            unreachable!("a plan")
        };
        plan.message.content = Content::small(&vec![b'x'; BODY / 4], 0);
        Request::Publish(plan)
    };
    let soon = world.now.wall.0 + 50;
    world.ask(client, large(soon));
    world.ask(client, Request::Publish(planned("/queue/b", "small", once(soon))));
    world.sync();
    use_up(&mut world, client, &memory, BODY as u64 + 4096);
    // Less than one of them needs is left.
    let rest = memory.limit(Share::Queues) - memory.used_of(Share::Queues) - 2 * BODY as u64 / 16;
    memory.add(Purpose::Messages, rest);
    world.sync();
    let records = world.log.len();
    for _ in 0..10 {
        world.elapse(100);
        assert!(memory.used_of(Share::Queues) <= memory.limit(Share::Queues));
    }
    world.sync();
    let written = world.log.len() - records;
    let held = |world: &World, to: &str| {
        let of = world.engine.queues().into_iter().find(|view| view.name == name(to));
        of.map_or(0, |view| view.entries.len())
    };
    assert_eq!(held(&world, "/queue/b"), 1, "there is room for a small one");
    assert_eq!(held(&world, "/queue/a"), 0);
    assert!(written <= 3, "a message, its queue and the end of its schedule, and none for what waits: {written}");
    let asks_again = world.now.monotonic + std::time::Duration::from_secs(1);
    assert_eq!(world.engine.deadline(world.now), Some(asks_again), "nothing turns round meanwhile");
    memory.give(Purpose::Messages, rest);
    world.engine.set_full(false);
    world.elapse(0);
    world.sync();
    world.elapse(100);
    assert_eq!(held(&world, "/queue/a"), 1);
}

#[test]
fn what_one_request_brings_is_counted_whole_before_anything_happens() {
    let memory = Arc::new(Account::new(1 << 20));
    let limit = memory.limit(Share::Queues);
    let mut world = world(&memory);
    let client = world.client("a");
    // Of the contents there is next to nothing.
    let long = "g".repeat(1000);
    let small = |number: usize, to: &str| {
        let terms = in_group(&format!("{long}{number}"));
        let message = Message { terms: Some(Box::new(terms)), ..message("x") };
        Publish { to: name(to), message, key: None, retain: None }
    };
    let everywhere = |number: usize| Action::Publish(small(number, &format!("/queue/{}", number % 50)));
    let many = Request::Commit((0..1000).map(everywhere).collect());
    assert!(world.engine.has_to_wait(&many));
    assert!(matches!(world.try_ask(client, many), Err(Refusal::OutOfMemory { .. })));
    assert_eq!(memory.used(Purpose::Terms), 0, "nothing of it happened");
    // Nor may a request pass the share that comes when it is nearly used up.
    let mut taken = 0;
    while let (waits, Ok(_)) = {
        let next = Request::Commit((taken..taken + 20).map(everywhere).collect());
        (world.engine.has_to_wait(&next), world.try_ask(client, next))
    } {
        assert!(!waits);
        taken += 20;
        assert!(memory.used_of(Share::Queues) <= limit, "{} of {limit}", memory.used_of(Share::Queues));
    }
    assert!(taken > 100, "{taken}");
    // A schedule is asked like any other message.
    let plan = Request::Publish(planned("/queue/a", &long.repeat(40), once(world.now.wall.0 + 1000)));
    assert!(matches!(world.try_ask(client, plan), Err(Refusal::OutOfMemory { .. })));
}
