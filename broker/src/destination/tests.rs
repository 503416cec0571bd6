//! Queues without anybody around them.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::slab::Slab;
use super::{Consumer, ConsumerKey, Consumers, Contents, Entry, Policies, Policy, PolicyRule, Queue, Reach, Return};
use crate::memory::{Account, Purpose};
use crate::model::{
    AckMode, Content, Credit, DestinationId, DestinationName, MessageId, Pattern, Place, SessionId, ShardId, Standing,
    SubscriptionId, Terms, Timestamp, Urgency,
};

fn name(text: &str) -> DestinationName {
    DestinationName::parse(text, "tok").expect("a name")
}

fn id(sequence: u64) -> MessageId {
    MessageId::new(ShardId::default(), sequence)
}

fn queue() -> Queue {
    Queue::new(name("/queue/q"), Policy::default())
}

fn consumer(credit: Credit) -> (Consumers, ConsumerKey) {
    let mut consumers = Consumers::with_key();
    let session = SessionId { index: 0, generation: 0 };
    let consumer = Consumer::new(session, SubscriptionId(1), Reach::One(DestinationId(1)), AckMode::Client, credit);
    let key = consumers.insert(Box::new(consumer));
    (consumers, key)
}

/// Puts a message at the end of the queue and makes it ready.
fn put(queue: &mut Queue, number: u64, urgency: u32) -> Place {
    let place = queue.next_place(Urgency(urgency));
    let slot = queue.accept(Entry::new(id(number), place, 10), None, None);
    queue.release(slot);
    place
}

proptest! {
    /// Whatever is taken and given back, the order is that of urgency and arrival.
    #[test]
    fn a_queue_keeps_its_order(steps in prop::collection::vec((0..3u32, 0..5usize), 1..80)) {
        let (_, key) = consumer(Credit { messages: 1, bytes: 1 });
        let (mut queue, mut model, mut out) = (queue(), Vec::new(), Vec::new());
        for (number, (urgency, action)) in steps.into_iter().enumerate() {
            match action {
                0..=1 => {
                    let place = put(&mut queue, number as u64 + 1, urgency);
                    model.push(place);
                    model.sort_unstable();
                }
                2 => {
                    let taken = queue.take(key, 1, None).map(|taken| (taken.entry.message, taken.entry.place()));
                    prop_assert_eq!(taken.map(|(_, place)| place), (!model.is_empty()).then(|| model.remove(0)));
                    out.extend(taken);
                }
                3 if !out.is_empty() => {
                    let (message, place) = out.swap_remove(number % out.len());
                    queue.give_back(message, place, Return { attempts: 1, nacks: 1, standing: Standing::Ready });
                    model.push(place);
                    model.sort_unstable();
                }
                _ if !out.is_empty() => {
                    let (message, place) = out.swap_remove(number % out.len());
                    prop_assert_eq!(queue.depart(message, place).map(|gone| gone.entry.message), Some(message));
                    prop_assert!(queue.depart(message, place).is_none(), "gone for good");
                }
                _ => {}
            }
            prop_assert_eq!((queue.ready(), queue.reserved()), (model.len(), out.len()));
            prop_assert_eq!(queue.bytes(), 10 * queue.len() as u64);
        }
    }
}

#[test]
fn a_ready_message_departs_by_its_place() {
    let mut queue = queue();
    let places: Vec<_> = (1..=600).map(|number| put(&mut queue, number, 7)).collect();
    assert!(queue.depart(id(300), places[299]).is_some());
    assert_eq!((queue.len(), queue.ready()), (599, 599));
    let order: Vec<_> = queue.entries().iter().map(|entry| entry.message.sequence()).collect();
    assert!(!order.contains(&300) && order.is_sorted());
}

#[test]
fn an_unready_message_is_not_taken() {
    let (_, key) = consumer(Credit { messages: 1, bytes: 1 });
    let mut queue = queue();
    let place = queue.next_place(Urgency::NORMAL);
    queue.accept(Entry::new(id(1), place, 1), None, None);
    assert!(queue.take(key, 1, None).is_none());
    assert_eq!(queue.len(), 1);
}

#[test]
fn credit_counts_messages_and_octets_and_comes_back() {
    let (mut consumers, key) = consumer(Credit { messages: 3, bytes: 100 });
    let consumer = &mut consumers[key];
    let first = consumer.hand_out(id(1), 60, None);
    consumer.hand_out(id(2), 60, None);
    assert!(!consumer.has_credit(), "120 of 100 octets are out");
    assert_eq!(consumer.take(first).map(|out| out.message), Some(id(1)));
    assert!(consumer.has_credit());
    assert!(consumer.take(first).is_none(), "once");
    consumer.hand_out(id(3), 1, None);
    consumer.hand_out(id(4), 1, None);
    assert!(!consumer.has_credit(), "three messages are out");
    assert_eq!(consumer.take_through(2).map(|out| out.message), Some(id(2)));
    assert!(consumer.take_through(2).is_none());
}

#[test]
fn contents_are_counted_and_their_memory_comes_back() {
    let mut contents = Contents::default();
    let keys: Vec<_> =
        (0..10).map(|_| contents.insert(Content::new(b"", Bytes::from_static(b"12345"))).expect("room")).collect();
    assert_eq!(contents.bytes(), 50);
    assert_eq!(contents.get(keys[3]).map(Content::len), Some(5));
    for key in &keys {
        assert!(contents.remove(*key).is_some());
    }
    assert_eq!(contents.bytes(), 0);
    assert!(contents.remove(keys[0]).is_none());
}

#[test]
fn the_last_matching_rule_wins_key_by_key() {
    let rule = |pattern: &str| PolicyRule::new(Pattern::parse(pattern).expect("a pattern"));
    let rules = vec![
        PolicyRule { max_deliveries: Some(5), max_length: Some(10), ..rule("/queue/**") },
        PolicyRule { max_deliveries: Some(2), ..rule("/queue/mail.*") },
    ];
    let policies = Policies { rules, ..Policies::default() };
    let of = |text: &str| (policies.resolve(&name(text)).max_deliveries, policies.resolve(&name(text)).max_length);
    assert_eq!(of("/queue/mail.out"), (2, 10));
    assert_eq!(of("/queue/other"), (5, 10));
    assert_eq!(of("/topic/x"), (16, 10_000_000));
}

#[test]
fn dead_letters_go_beside_their_queue_or_where_the_policy_says() {
    let of = |policy: &Policy, text: &str| policy.dead_letter_for(&name(text)).map(|name| name.as_str().to_owned());
    let usual = Policy::default();
    assert_eq!(of(&usual, "/queue/mail").as_deref(), Some("/queue/DLQ.mail"));
    assert_eq!(of(&usual, "/queue/DLQ.mail"), None);
    assert_eq!(of(&usual, "/temp-queue/mail"), None);
    let one = Policy { dead_letter: Arc::from("ActiveMQ.DLQ"), ..usual };
    assert_eq!(of(&one, "/queue/mail").as_deref(), Some("/queue/ActiveMQ.DLQ"));
    assert_eq!(of(&one, "/queue/ActiveMQ.DLQ"), None);
}

/// Messages put, and the table's bytes.
fn filled(queue: &mut Queue, account: &Arc<Account>, messages: u64) -> (Vec<Place>, u64) {
    queue.count_in(Arc::clone(account));
    let places = (1..=messages).map(|number| put(queue, number, 0)).collect();
    (places, account.used(Purpose::Messages))
}

#[test]
fn one_message_that_stays_does_not_keep_the_table_of_the_largest_backlog() {
    let account = Arc::default();
    for stays in [1, 5_000, 10_000] {
        let mut queue = queue();
        let (places, full) = filled(&mut queue, &account, 10_000);
        assert!(full >= 10_000 * 48, "{full} bytes");
        for number in (1..=10_000).filter(|number| *number != stays) {
            queue.depart(id(number), places[number as usize - 1]).expect("it is there");
        }
        let left = account.used(Purpose::Messages);
        assert!(left <= 256 * 56, "{left} of {full} bytes are kept for one message");
        assert_eq!(queue.entries().iter().map(|entry| entry.message).collect::<Vec<_>>(), [id(stays)]);
        // What is free is used again before there is more of it.
        for number in 10_001..=10_255 {
            put(&mut queue, number, 0);
        }
        assert!(account.used(Purpose::Messages) <= 256 * 48, "{left} bytes, and then more than a chunk");
        drop(queue);
        assert_eq!(account.used(Purpose::Messages), 0, "a queue that goes gives all back");
    }
}

proptest! {
    /// A table with holes finds what was put into it, and holds no more than a chunk for each that has something.
    #[test]
    fn a_table_with_holes_is_a_table(steps in proptest::collection::vec((any::<bool>(), any::<u16>()), 1..3000)) {
        let account: Arc<Account> = Arc::default();
        let mut slab = Slab::new(8);
        slab.count_in(Arc::clone(&account));
        let mut model: Vec<(u32, u64)> = Vec::new();
        for (number, (puts, which)) in steps.into_iter().enumerate() {
            if puts || model.is_empty() {
                let row = slab.insert(number as u64);
                prop_assert!(model.iter().all(|(other, _)| *other != row), "a row of its own");
                model.push((row, number as u64));
            } else {
                let (row, value) = model.swap_remove(usize::from(which) % model.len());
                prop_assert_eq!(slab.remove(row), Some(value));
                prop_assert_eq!(slab.remove(row), None);
            }
            prop_assert_eq!(slab.len(), model.len());
        }
        for (row, value) in &model {
            prop_assert_eq!(slab.get(*row), Some(value));
        }
        let mut held: Vec<u64> = slab.iter().copied().collect();
        held.sort_unstable();
        let mut expected: Vec<u64> = model.iter().map(|(_, value)| *value).collect();
        expected.sort_unstable();
        prop_assert_eq!(held, expected);
        let chunks: std::collections::BTreeSet<u32> = model.iter().map(|(row, _)| row / 256).collect();
        prop_assert!(account.used(Purpose::Messages) <= (chunks.len() as u64).max(1) * 256 * 16);
        drop(slab);
        prop_assert_eq!(account.used(Purpose::Messages), 0);
    }
}

/// Terms with that end and nothing else.
fn ends(at: u64) -> Box<Terms> {
    Box::new(Terms { expires: Some(Timestamp(at)), ..Terms::default() })
}

proptest! {
    /// Of messages that nobody holds the one that ends first is found, and of those that end together the oldest,
    /// wherever they stand and in whatever order they come and go.
    #[test]
    fn what_ends_first_is_found_first(steps in prop::collection::vec((0..6usize, 0..300u64, any::<u16>()), 1..3000)) {
        let (_, key) = consumer(Credit { messages: 1, bytes: 1 });
        let mut idle: std::collections::BTreeMap<(u64, MessageId), Place> = std::collections::BTreeMap::new();
        let (mut queue, mut out) = (queue(), Vec::new());
        for (number, (action, at, which)) in steps.into_iter().enumerate() {
            let number = number as u64 + 1;
            let some = idle.keys().nth(usize::from(which) % idle.len().max(1)).copied();
            match (action, some) {
                (0, Some(end)) => {
                    let place = idle.remove(&end).expect("it is there");
                    if let Some(taken) = queue.take_at(place, (key, number), None) {
                        out.push((end, taken.entry.place()));
                    } else {
                        // It is delayed.
                        prop_assert!(queue.depart(end.1, place).is_some());
                    }
                }
                (1, Some(end)) => {
                    let place = idle.remove(&end).expect("it is there");
                    let terms = queue.depart(end.1, place).expect("it is there").into_terms();
                    prop_assert_eq!(terms, Some(ends(end.0)));
                }
                (2, _) if !out.is_empty() => {
                    let (end, place): ((u64, MessageId), Place) = out.swap_remove(usize::from(which) % out.len());
                    let standing = if at % 2 == 0 { Standing::Ready } else { Standing::Delayed(Timestamp(at)) };
                    queue.give_back(end.1, place, Return { attempts: 1, nacks: 1, standing });
                    idle.insert(end, place);
                }
                (3, Some(end)) => queue.rank(end.1, idle[&end], idle[&end].urgency),
                (3, None) => {}
                _ => {
                    let place = queue.next_place(Urgency(0));
                    let slot = queue.accept(Entry::new(id(number), place, 10), None, Some(ends(at)));
                    queue.release(slot);
                    idle.insert((at, id(number)), place);
                }
            }
            let first = idle.keys().next();
            prop_assert_eq!(queue.expired(Timestamp(300)).map(|entry| entry.message), first.map(|(_, id)| *id));
            prop_assert_eq!(queue.next_moment().is_some(), first.is_some());
            let too_early = first.is_some_and(|(at, _)| *at > 0 && queue.expired(Timestamp(at - 1)).is_some());
            prop_assert!(!too_early, "nothing ends before its time");
        }
    }
}

#[test]
fn an_end_that_a_row_cannot_say_is_kept_beside_and_never_comes() {
    let mut queue = queue();
    for (number, at) in [(1, (1 << 48) - 2), (2, (1 << 48) - 1), (3, u64::MAX)] {
        let place = queue.next_place(Urgency(0));
        let slot = queue.accept(Entry::new(id(number), place, 10), None, Some(ends(at)));
        queue.release(slot);
        let entry = queue.entry(slot).expect("it is there");
        assert_eq!(entry.has_terms(), number > 1);
        assert_eq!(queue.terms(entry).map(|terms| Box::new(terms.into_owned())), Some(ends(at)), "what was said stays");
    }
    assert_eq!(queue.next_moment(), Some(Timestamp((1 << 48) - 2)));
    assert_eq!(queue.expired(Timestamp(u64::MAX)).map(|entry| entry.message), Some(id(1)));
    queue.depart(id(1), queue.entries()[0].place()).expect("it is there");
    assert!(queue.expired(Timestamp(u64::MAX)).is_none());
}

#[test]
fn once_its_time_has_come_nothing_is_kept_beside_a_delayed_message() {
    let account: Arc<Account> = Arc::default();
    let mut queue = queue();
    queue.count_in(Arc::clone(&account));
    let place = queue.next_place(Urgency(0));
    let terms = Terms { due: Some(Timestamp(5)), expires: Some(Timestamp(9)), ..Terms::default() };
    let slot = queue.accept(Entry::new(id(1), place, 10), None, Some(Box::new(terms)));
    queue.release(slot);
    assert!(account.used(Purpose::Terms) > 0);
    queue.wake(id(1));
    assert_eq!(account.used(Purpose::Terms), 0);
    let entry = queue.expired(Timestamp(9)).expect("it still ends");
    assert_eq!(queue.terms(entry).map(|terms| Box::new(terms.into_owned())), Some(ends(9)));
}
