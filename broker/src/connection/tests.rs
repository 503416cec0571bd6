//! Batches that wait for room.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use super::batch::Batch;
use crate::clock::Clock;
use crate::engine::{Client, Engine, Handle, Options};
use crate::model::{
    AckMode, Answer, Capacity, Content, Credit, DestinationName, Durability, Durable, Event, Log, LogError, LogReader,
    LogSink, Message, MessageId, Outcome, Position, Publish, Record, Request, Room, Settle, Subscribe, SubscriptionId,
    Ticket, Timestamp, Urgency, Which,
};

const PATIENCE: Duration = Duration::from_secs(10);

/// A log that keeps nothing, on a disk that may have no room at all.
#[derive(Clone, Debug, Default)]
struct Bounded {
    ticket: Ticket,
    is_full: Arc<AtomicBool>,
}

impl Log for Bounded {
    fn append(&mut self, records: &mut Vec<Record>, _: Timestamp) -> Result<Ticket, LogError> {
        records.clear();
        self.ticket.0 += 1;
        Ok(self.ticket)
    }

    fn unit_bytes(&self) -> usize {
        1 << 20
    }

    fn capacity(&self) -> Capacity {
        Capacity { bytes: 1 << 20, batches: 1000 }
    }

    fn is_full(&mut self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    fn room(&self) -> Room {
        if self.is_full.load(Ordering::Relaxed) { Room::None } else { Room::Enough }
    }
}

impl LogReader for Bounded {
    fn read(&self, _: Position) -> Result<Content, LogError> {
        Err(LogError::Poisoned("it keeps nothing".into()))
    }
}

fn name(text: &str) -> DestinationName {
    DestinationName::queue(text).expect("a name")
}

fn send(to: &str, durability: Durability) -> Request {
    let message = Message { content: Content::small(b"body", 0), urgency: Urgency::NORMAL, durability, terms: None };
    Request::Publish(Publish { to: name(to), message, key: None, retain: None })
}

fn ack(message: MessageId) -> Request {
    Request::Settle(Settle { message, which: Which::default(), outcome: Outcome::Ack })
}

/// Asks it, and returns what has been answered in its order.
fn apply(batch: &mut Batch, client: &Client, at: Duration) -> Vec<Answer> {
    let outcome = std::iter::repeat_with(|| batch.apply(client, at, PATIENCE)).flatten().next().expect("an outcome");
    assert!(outcome.refused.is_none(), "{outcome:?}");
    std::iter::from_fn(|| batch.next_answered()).map(|(_, answer, _)| answer).collect()
}

#[test]
fn what_finishes_work_waits_in_its_place_where_not_even_that_has_room() {
    let handle = Handle::new(Engine::new(Options::default()), Clock::start(Timestamp::default()));
    let log = Bounded::default();
    let is_full = Arc::clone(&log.is_full);
    handle.attach(Box::new(log.clone()), Arc::new(log));
    handle.durable(Durable { through: Ticket(1), positions: &[] });
    let client = handle.open("owner".into());
    let mut batch = Batch::default();
    let (to, credit) = (name("a").into(), Credit { messages: 10, bytes: 1 << 20 });
    let (id, mode) = (SubscriptionId(1), AckMode::ClientIndividual);
    let wish = Subscribe { id, to, mode, credit, time_to_run_ms: None, filter: None };
    for request in [Request::Subscribe(wish), send("a", Durability::Transient), send("a", Durability::Transient)] {
        batch.ask(request, None);
    }
    assert_eq!(apply(&mut batch, &client, Duration::ZERO).len(), 3);
    let (mut events, mut context) = (Vec::new(), Context::from_waker(Waker::noop()));
    assert!(client.inbox().poll_take(&mut context, &mut events).is_ready());
    let delivered = |event: &Event| if let Event::Deliver(one) = event { Some(one.message) } else { None };
    let out: Vec<MessageId> = events.iter().filter_map(delivered).collect();
    assert_eq!(out.len(), 2);

    is_full.store(true, Ordering::Relaxed);
    for request in [send("b", Durability::Persistent), ack(out[0]), send("b", Durability::Persistent), ack(out[1])] {
        batch.ask(request, None);
    }
    assert_eq!(apply(&mut batch, &client, Duration::ZERO), [], "nothing has room");
    is_full.store(false, Ordering::Relaxed);
    let answers = apply(&mut batch, &client, Duration::from_secs(1));
    assert!(
        matches!(answers[..], [Answer::Submitted(_), Answer::Done, Answer::Submitted(_), Answer::Done]),
        "{answers:?}"
    );
    batch.ask(ack(out[0]), None);
    batch.ask(ack(out[1]), None);
    let again = apply(&mut batch, &client, Duration::from_secs(1));
    assert!(again.iter().all(|answer| matches!(answer, Answer::Soft(_))), "they were settled: {again:?}");
}
