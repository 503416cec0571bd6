//! The engine's shell over a log in memory: what is promised when the log fails, and who is woken when it has room.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use kolejka::clock::Clock;
use kolejka::engine::{Client, Engine, Handle, Item, Options, Terms};
use kolejka::journal::memory::{MemoryLog, When};
use kolejka::model::{
    AckMode, Answer, Browse, Candidate, Content, Credit, DestinationName, Durability, Durable, Event, Filter, LogError,
    LogSink, Message, Publish, Refusal, Request, ShardId, Source, Stage, Subscribe, SubscriptionId, Timestamp, Urgency,
};

fn shared() -> (Handle, MemoryLog) {
    let handle = Handle::new(Engine::new(Options::default()), Clock::start(Timestamp::default()));
    let log = MemoryLog::new(ShardId::default(), When::OnDemand);
    log.set_sink(Arc::new(handle.clone()));
    handle.attach(Box::new(log.clone()), Arc::new(log.clone()));
    log.sync();
    (handle, log)
}

fn send(octets: usize) -> Request {
    let message = Message {
        content: Content::small(&vec![b'x'; octets], 0),
        urgency: Urgency::NORMAL,
        durability: Durability::Persistent,
        terms: None,
    };
    Request::Publish(Publish { to: DestinationName::queue("a").expect("a name"), message, key: None, retain: None })
}

#[test]
fn nobody_is_let_in_before_ids_are_reserved_and_then_a_transient_message_leaves_no_record() {
    let handle = Handle::new(Engine::new(Options::default()), Clock::start(Timestamp::default()));
    let log = MemoryLog::new(ShardId::default(), When::OnDemand);
    log.set_sink(Arc::new(handle.clone()));
    handle.attach(Box::new(log.clone()), Arc::new(log.clone()));
    let mut ready = pin!(handle.ready());
    let mut context = Context::from_waker(Waker::noop());
    assert!(ready.as_mut().poll(&mut context).is_pending());
    log.sync();
    assert!(ready.as_mut().poll(&mut context).is_ready());
    let client = handle.open("owner".into());
    let Request::Publish(mut publish) = send(1) else { unreachable!("a send") };
    publish.message.durability = Durability::Transient;
    let (item, _) = ask(&client, Request::Publish(publish));
    assert_eq!((item.wait_for, log.waiting()), (None, 0));
}

/// One request that wants a receipt.
fn ask(client: &Client, request: Request) -> (Item, Vec<Answer>) {
    let mut answers = Vec::new();
    let item = client.apply(&mut vec![request], &mut answers, Terms { promise: true, patient: false });
    (item, answers)
}

#[test]
fn a_receipt_never_leaves_once_the_log_has_failed() {
    let (handle, log) = shared();
    let client = handle.open("owner".into());
    log.fail(LogError::Poisoned("a sync failed".into()));
    let (item, answers) = ask(&client, send(1));
    assert!(answers.is_empty() || item.wait_for.is_some(), "what the log did not take is confirmed: {item:?}");
    let (item, answers) = ask(&client, send(1));
    assert!(answers.is_empty() && item.refused == Some(Refusal::ShuttingDown), "{item:?}");
}

#[test]
fn what_the_log_refuses_ends_all_appends() {
    let (handle, log) = shared();
    let client = handle.open("owner".into());
    log.set_largest(1000);
    let (item, _) = ask(&client, send(2000));
    assert!(item.wait_for.is_some(), "{item:?}");
    // The engine knows a message that the log does not: another append would be taken for that one.
    let (item, answers) = ask(&client, send(1));
    assert!(answers.is_empty() && item.refused.is_some(), "{item:?}");
    assert_eq!(log.waiting(), 0);
}

/// Lets somebody append between the log's having room again and the engine's hearing of it.
#[derive(Debug)]
struct Intruder {
    handle: Handle,
    client: Mutex<Option<Client>>,
}

impl LogSink for Intruder {
    fn durable(&self, durable: Durable<'_>) {
        if let Some(client) = self.client.lock().expect("no panic").take() {
            ask(&client, send(1));
        }
        self.handle.durable(durable);
    }

    fn failed(&self, error: LogError) {
        LogSink::failed(&self.handle, error);
    }
}

#[test]
fn who_waits_for_room_is_woken_although_another_append_saw_it_first() {
    let (handle, log) = shared();
    log.set_in_flight(1000, 100);
    let intruder = Mutex::new(Some(handle.open("intruder".into())));
    log.set_sink(Arc::new(Intruder { handle: handle.clone(), client: intruder }));
    let client = handle.open("owner".into());
    ask(&client, send(2000));
    assert!(handle.is_spent());
    let mut room = pin!(handle.room());
    let mut context = Context::from_waker(Waker::noop());
    assert!(room.as_mut().poll(&mut context).is_pending());
    log.sync_one();
    assert!(!handle.is_spent());
    assert!(room.as_mut().poll(&mut context).is_ready(), "there is room, and nobody was told");
}

#[test]
fn a_message_without_room_is_left_with_all_behind_it_to_be_asked_again() {
    let (handle, log) = shared();
    let client = handle.open("owner".into());
    let Request::Publish(mut publish) = send(1) else { unreachable!("a send") };
    publish.message.durability = Durability::Transient;
    log.set_full(true);
    let mut requests = vec![Request::Publish(publish), send(1), send(1)];
    let mut answers = Vec::new();
    let patient = Terms { promise: true, patient: true };
    let item = client.apply(&mut requests, &mut answers, patient);
    assert_eq!((item.refused, answers.len(), requests.len()), (None, 1, 2));
    log.set_full(false);
    let item = client.apply(&mut requests, &mut answers, patient);
    assert_eq!((item.refused, answers.len(), requests.len()), (None, 3, 0));
    log.set_full(true);
    let (item, answers) = ask(&client, send(1));
    assert_eq!((item.refused, answers.len()), (Some(Refusal::DiskFull), 0));
}

#[derive(Debug)]
struct Nothing;

impl Filter for Nothing {
    fn wants(&self, _: &Candidate<'_>) -> bool {
        false
    }
}

/// The driver does a part of what is left, and then lets go of its thread: what it has left undone does not wake it.
#[test]
fn the_driver_does_not_wake_itself() {
    const MESSAGES: usize = 40_000;
    let (handle, log) = shared();
    let client = handle.open("owner".into());
    let mut requests: Vec<_> = (0..MESSAGES).map(|_| send(1)).collect();
    while !requests.is_empty() {
        client.apply(&mut requests, &mut Vec::new(), Terms { promise: false, patient: false });
    }
    log.sync();
    let subscribe = Subscribe {
        id: SubscriptionId(1),
        to: Source::Name(DestinationName::queue("a").expect("a name")),
        mode: AckMode::Auto,
        credit: Credit { messages: 10, bytes: 1000 },
        filter: Some(Arc::new(Nothing)),
        time_to_run_ms: None,
    };
    let browse = Browse { subscribe, stages: vec![Stage::Ready], limit: None, tail: false };
    ask(&client, Request::Browse(Box::new(browse)));
    let has_ended = |events: &[Event]| events.iter().any(|event| matches!(event, Event::End { .. }));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let mut driver = pin!(handle.drive());
        let mut events = Vec::new();
        poll_fn(|context| {
            assert!(driver.as_mut().poll(context).is_pending());
            let _ = client.inbox().poll_take(context, &mut events);
            Poll::Ready(())
        })
        .await;
        assert!(!has_ended(&events), "all of it was done in one go");
        tokio::select! {
            () = driver => {}
            () = poll_fn(|context| {
                let _ = client.inbox().poll_take(context, &mut events);
                if has_ended(&events) { Poll::Ready(()) } else { Poll::Pending }
            }) => {}
        }
    });
}
