//! What queues may keep in memory: over it new messages wait or are refused, and finishing work goes on.

use std::sync::Arc;

use super::{Options, World, ack, message, name, subscribe};
use crate::memory::{Account, Purpose, Share};
use crate::model::{AckMode, Action, Content, Durability, Message, Publish, Refusal, Request};

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
