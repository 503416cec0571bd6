//! Turns.

use super::{enrol, pump};
use crate::destination::{Consumer, ConsumerKey, Consumers, Contents, Entry, Policy, Queue, Reach, Return};
use crate::model::{
    AckMode, Content, Credit, DestinationId, DestinationName, MessageId, Payload, Position, SessionId, ShardId,
    Standing, Steps, SubscriptionId, Timestamp, Urgency,
};

fn queue_of(messages: u64, contents: &mut Contents) -> Queue {
    let mut queue = Queue::new(DestinationName::queue("q").expect("a name"), Policy::default());
    for number in 1..=messages {
        let message = MessageId::new(ShardId::default(), number);
        let mut entry = Entry::new(message, queue.next_place(Urgency::NORMAL), 4);
        entry.content = contents.insert(Content::small(b"body", 0));
        let slot = queue.accept(entry, None, None);
        queue.release(slot);
    }
    queue
}

fn join(queue: &mut Queue, consumers: &mut Consumers, number: u32, credit: u32) -> ConsumerKey {
    let session = SessionId { index: number, generation: 0 };
    let credit = Credit { messages: credit, bytes: 1000 };
    let mode = AckMode::Client;
    let key = consumers.insert(Box::new(Consumer::new(
        session,
        SubscriptionId(number),
        Reach::One(DestinationId(1)),
        mode,
        credit,
    )));
    enrol(queue, key, &mut consumers[key]);
    key
}

#[test]
fn turns_go_round_and_stop_with_the_credit() {
    let (mut contents, mut consumers) = (Contents::default(), Consumers::with_key());
    let mut queue = queue_of(10, &mut contents);
    for (number, credit) in [(1, 1), (2, 3), (3, 2)] {
        join(&mut queue, &mut consumers, number, credit);
    }
    let mut turns = Vec::new();
    pump(
        (DestinationId(1), &mut queue),
        &mut consumers,
        &mut contents,
        (Timestamp(1), &mut Steps::new(1000)),
        |_, _, delivery| {
            turns.push((delivery.subscription.0, delivery.message.sequence()));
        },
    );
    assert_eq!(turns, [(1, 1), (2, 2), (3, 3), (2, 4), (3, 5), (2, 6)]);
    assert_eq!(queue.ready(), 4);
    assert!(queue.rotation.next().is_none(), "nobody has credit");
}

#[test]
fn nobody_is_in_the_rotation_twice() {
    let (mut contents, mut consumers) = (Contents::default(), Consumers::with_key());
    let mut queue = queue_of(0, &mut contents);
    let key = join(&mut queue, &mut consumers, 1, 1);
    enrol(&mut queue, key, &mut consumers[key]);
    queue.rotation.drop_next();
    assert!(queue.rotation.next().is_none());
}

#[test]
fn a_durable_message_leaves_the_cache_and_a_transient_one_stays() {
    let (mut contents, mut consumers) = (Contents::default(), Consumers::with_key());
    let mut queue = queue_of(2, &mut contents);
    let first = queue.entries()[0].place();
    let slot = queue.take(ConsumerKey::default(), 1, None).expect("a message").slot;
    queue.set_position(slot, Position::new(ShardId::default(), 9));
    queue.give_back(
        MessageId::new(ShardId::default(), 1),
        first,
        Return { attempts: 0, nacks: 0, standing: Standing::Ready },
    );
    join(&mut queue, &mut consumers, 1, 10);
    let mut payloads = Vec::new();
    pump(
        (DestinationId(1), &mut queue),
        &mut consumers,
        &mut contents,
        (Timestamp(1), &mut Steps::new(1000)),
        |_, _, delivery| {
            payloads.push(delivery.payload);
        },
    );
    assert!(payloads.iter().all(|payload| matches!(payload, Payload::Memory(content) if content.body() == b"body")));
    assert_eq!(contents.bytes(), 4, "only the transient one is still there");
}
