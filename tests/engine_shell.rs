//! The engine's shell over a log in memory: what is promised when the log fails, and who is woken when it has room.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use kolejka::clock::Clock;
use kolejka::engine::{Client, Engine, Handle, Item, Options, Terms};
use kolejka::journal::memory::{MemoryLog, When};
use kolejka::model::{
    AckMode, Action, Answer, Browse, Candidate, Content, Credit, DestinationName, Durability, Durable, Event, Filter,
    Inquiry, LogError, LogSink, Message, MessageId, Outcome, Publish, Reader, Refusal, Reply, Request, Schedule,
    Settle, ShardId, Source, Stage, Subject, Subscribe, SubscriptionId, Terms as MessageTerms, Ticket, Timestamp,
    Urgency, Which,
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
    let item = client.apply(&mut VecDeque::from([request]), &mut answers, Terms { promise: true, patient: false });
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
    log.fail(LogError::Fenced);
    let (item, _) = ask(&client, send(2000));
    assert!(item.wait_for.is_some(), "{item:?}");
    // The engine knows a message that the log does not: another append would be taken for that one.
    let (item, answers) = ask(&client, send(1));
    assert!(answers.is_empty() && item.refused.is_some(), "{item:?}");
    assert_eq!(log.waiting(), 0);
}

#[test]
fn what_the_log_could_not_take_at_once_is_refused_before_it_changes_anything() {
    let handle = Handle::new(Engine::new(Options::default()), Clock::start(Timestamp::default()));
    let log = MemoryLog::new(ShardId::default(), When::OnDemand);
    log.set_sink(Arc::new(handle.clone()));
    log.set_largest(4000);
    handle.attach(Box::new(log.clone()), Arc::new(log.clone()));
    log.sync();
    let client = handle.open("owner".into());
    let (item, _) = ask(&client, send(4000));
    assert!(matches!(item.refused, Some(Refusal::TooLarge { unit: "bytes", limit: 3000, .. })), "{item:?}");
    // What is sent one by one goes in as many appends as it takes.
    let mut requests: VecDeque<_> = (0..10).map(|_| send(1000)).collect();
    let item = client.apply(&mut requests, &mut Vec::new(), Terms { promise: true, patient: false });
    assert_eq!((item.refused, log.waiting() > 1), (None, true));
    let owed = item.wait_for.expect("it waits for the last of them");
    while log.waiting() > 1 {
        log.sync_one();
    }
    assert!(!client_is_told(&client, owed), "the last one is not durable yet");
    log.sync();
    assert!(client_is_told(&client, owed));
    assert!(!has_failed(&handle));
    assert_eq!(waiting(&handle), 10);
}

fn client_is_told(client: &Client, ticket: Ticket) -> bool {
    let (mut context, mut events) = (Context::from_waker(Waker::noop()), Vec::new());
    let _ = client.inbox().poll_take(&mut context, &mut events);
    events.iter().any(|event| matches!(event, Event::Durable(through) if *through >= ticket))
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
    let mut requests = VecDeque::from([Request::Publish(publish), send(1), send(1)]);
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

/// A schedule of `/queue/a` whose time has come long ago.
fn overdue() -> Request {
    let Request::Publish(mut publish) = send(1) else { unreachable!("a send") };
    let next = Timestamp(1);
    let schedule = Schedule {
        name: None,
        cron: None,
        delay_ms: 0,
        period_ms: None,
        repeat: Some(0),
        next,
        left: Some(0),
        life_ms: None,
        is_transient: false,
        retain: None,
    };
    publish.to = publish.to.schedules();
    let terms = MessageTerms { due: Some(next), schedule: Some(Box::new(schedule)), ..MessageTerms::default() };
    publish.message.terms = Some(Box::new(terms));
    Request::Publish(publish)
}

fn has_failed(handle: &Handle) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    pin!(handle.failed()).as_mut().poll(&mut context).is_ready()
}

fn waiting(handle: &Handle) -> usize {
    handle.queues().iter().filter(|queue| queue.name.as_str() == "/queue/a").map(|queue| queue.entries.len()).sum()
}

#[test]
fn time_on_a_full_disk_ends_nothing_and_goes_on_by_itself_when_there_is_room() {
    let (handle, log) = shared();
    let client = handle.open("owner".into());
    ask(&client, overdue());
    log.set_full(true);
    log.sync();
    for _ in 0..3 {
        assert!(handle.tick() <= Duration::from_secs(1), "what waits asks again, although no client does");
        assert!(!has_failed(&handle) && log.waiting() == 0);
    }
    drop(client);
    assert!(!has_failed(&handle));
    log.set_full(false);
    handle.tick();
    log.sync();
    assert_eq!((has_failed(&handle), waiting(&handle)), (false, 1));
}

#[test]
fn a_start_on_a_full_disk_comes_up_and_finishes_work() {
    let (handle, log) = shared();
    let client = handle.open("owner".into());
    for request in [overdue(), send(1)] {
        ask(&client, request);
    }
    log.sync();
    let log = log.crash();
    log.set_full(true);
    let mut engine = Engine::new(Options::default());
    log.replay(&mut engine);
    assert_eq!(engine.replayed(false), 0);
    let handle = Handle::new(engine, Clock::start(Timestamp::default()));
    log.set_sink(Arc::new(handle.clone()));
    handle.attach(Box::new(log.clone()), Arc::new(log.clone()));
    log.sync();
    for _ in 0..3 {
        handle.tick();
        log.sync();
    }
    assert!(!has_failed(&handle));
    let client = handle.open("owner".into());
    let (item, _) = ask(&client, send(1));
    assert_eq!(item.refused, Some(Refusal::DiskFull));
    let message = handle.queues().into_iter().find(|queue| queue.name.as_str() == "/queue/a").expect("it is there");
    let subscribe = Subscribe {
        id: SubscriptionId(1),
        to: Source::Name(message.name),
        mode: AckMode::Client,
        credit: Credit { messages: 10, bytes: 1000 },
        filter: None,
        time_to_run_ms: None,
    };
    ask(&client, Request::Subscribe(subscribe));
    let settle = Settle { message: message.entries[0].message, which: Which::default(), outcome: Outcome::Ack };
    let (item, _) = ask(&client, Request::Settle(settle));
    assert_eq!((item.refused, waiting(&handle)), (None, 0));
    log.sync();
    assert!(!has_failed(&handle));
    drop(client);
    // There is room again, and the schedule goes on although no client asks for anything: its content is read first.
    log.sync();
    log.set_full(false);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        tokio::select! {
            () = handle.drive() => {}
            () = poll_fn(|context| {
                context.waker().wake_by_ref();
                if waiting(&handle) == 1 { Poll::Ready(()) } else { Poll::Pending }
            }) => {}
        }
    });
    assert!(!has_failed(&handle));
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
    let mut requests: VecDeque<_> = (0..MESSAGES).map(|_| send(1)).collect();
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

/// Asks until nothing is left, and says how often that took.
fn ask_all(client: &Client, mut requests: VecDeque<Request>) -> (Item, Vec<Answer>, usize) {
    let (mut answers, terms) = (Vec::new(), Terms { promise: true, patient: false });
    for calls in 1.. {
        let item = client.apply(&mut requests, &mut answers, terms);
        if !item.more {
            return (item, answers, calls);
        }
    }
    unreachable!("it has an end")
}

/// The tickets that a client was told to be durable.
fn durable(client: &Client) -> Vec<Ticket> {
    let mut events = Vec::new();
    let _ = client.inbox().poll_take(&mut Context::from_waker(Waker::noop()), &mut events);
    let tickets = events.into_iter().filter_map(|event| if let Event::Durable(at) = event { Some(at) } else { None });
    tickets.collect()
}

#[test]
fn what_a_read_asks_is_cut_by_bytes_and_steps_and_answered_in_order() {
    let (handle, log) = shared();
    let client = handle.open("owner".into());
    // By steps: all is answered, and the promise is one, of the last append.
    let (item, answers, calls) = ask_all(&client, (0..4000).map(|_| send(1)).collect());
    assert!(calls > 1, "one hold did all of it");
    assert_eq!((answers.len(), item.refused), (4000, None));
    assert!(durable(&client).is_empty());
    log.sync();
    assert_eq!(durable(&client), Vec::from_iter(item.wait_for));
    // By bytes.
    let (item, answers, calls) = ask_all(&client, (0..4).map(|_| send(3 << 20)).collect());
    assert!(calls > 1, "one unit has all of it");
    assert_eq!((answers.len(), item.refused), (4, None));
    log.sync();
    // A refusal in the middle: what comes before it is answered, what comes behind it is not looked at.
    let mut requests: VecDeque<_> = (0..3000).map(|_| send(1)).collect();
    requests.push_back(Request::Commit(vec![Action::Settle(Settle {
        message: MessageId::new(ShardId::default(), 1 << 40),
        which: Which::default(),
        outcome: Outcome::Ack,
    })]));
    requests.push_back(send(1));
    let (item, answers, _) = ask_all(&client, requests);
    assert_eq!((answers.len(), item.refused), (3000, Some(Refusal::LeaseLost)));
    let most = handle.holds().rows().map(|(_, row)| row.most_steps).max();
    assert!(most < Some(4 * Engine::REQUESTS), "{most:?}");
}

/// A request that goes through everything is answered behind what came before it and before what comes behind it, and
/// others are served meanwhile.
#[test]
fn a_long_request_keeps_its_place_and_lets_others_in() {
    const QUEUES: usize = 12_000;
    let (handle, _log) = shared();
    let (client, other) = (handle.open("owner".into()), handle.open("other".into()));
    let to = |number: usize| DestinationName::queue(&format!("q.{number}")).expect("a name");
    let transient = |number: usize| {
        let Request::Publish(mut publish) = send(1) else { unreachable!("a send") };
        (publish.to, publish.message.durability) = (to(number), Durability::Transient);
        Request::Publish(publish)
    };
    ask_all(&client, (0..QUEUES).map(transient).collect());
    let inquiry = Inquiry {
        about: Subject::Broker,
        reader: Arc::new(Everything),
        reply: Reply { to: to(0), head: (*b"a:b\n").into() },
    };
    let mut requests = VecDeque::from([transient(1), Request::Inquire(Box::new(inquiry)), transient(2)]);
    let (mut answers, terms) = (Vec::new(), Terms { promise: false, patient: false });
    let mut between = 0;
    while client.apply(&mut requests, &mut answers, terms).more {
        assert_eq!((answers.len(), requests.len()), (1, 1), "the one in the middle goes on");
        assert_eq!(ask(&other, transient(3)).1.len(), 1);
        between += 1;
    }
    assert!(between > 0, "one hold did all of it");
    assert_eq!(answers.len(), 3);
}

/// What a client held that is gone goes back in parts, but before the broker stops all of it.
#[test]
fn a_client_that_held_much_has_ended_before_a_stop() {
    const MESSAGES: u32 = 8000;
    let (handle, log) = shared();
    let (client, other) = (handle.open("owner".into()), handle.open("other".into()));
    ask_all(&other, (0..MESSAGES).map(|_| send(1)).collect());
    log.sync();
    let subscribe = Subscribe {
        id: SubscriptionId(1),
        to: Source::Name(DestinationName::queue("a").expect("a name")),
        mode: AckMode::Client,
        credit: Credit { messages: MESSAGES, bytes: 1 << 20 },
        filter: None,
        time_to_run_ms: None,
    };
    ask(&client, Request::Subscribe(subscribe));
    while handle.queues()[0].reserved < MESSAGES as usize {
        handle.tick();
    }
    drop(client);
    assert_eq!(handle.clients(), 2, "it does not end in one hold");
    assert!(handle.queues()[0].reserved > 0);
    handle.finish_closing();
    assert_eq!((handle.clients(), handle.queues()[0].reserved), (1, 0));
}

#[derive(Debug)]
struct Everything;

impl Reader for Everything {
    fn may_read(&self, _: &DestinationName) -> bool {
        true
    }
}
