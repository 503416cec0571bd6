//! What a panic ends: the process where the broker cannot go on without what panicked, one connection elsewhere.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use kolejka::clock::Clock;
use kolejka::engine::{Engine, Handle, Options};
use kolejka::model::{LogError, Timestamp};
use kolejka::server::{Server, ServerError, Signals};
use kolejka_codec::Command;
use kolejka_tests::server::{Running, config};
use kolejka_tests::socket::Client;
use tempfile::TempDir;

/// Panics in a thread of its own, as a bug would.
#[expect(clippy::disallowed_methods, reason = "a panic ends its thread")]
fn panics(panic: impl FnOnce() + Send + 'static) {
    assert!(std::thread::spawn(panic).join().is_err());
}

fn failure(handle: &Handle) -> Option<LogError> {
    match pin!(handle.failed()).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(failure) => Some(failure),
        Poll::Pending => None,
    }
}

#[test]
fn a_panic_in_the_engine_is_told_at_once_and_not_by_the_next_caller() {
    let handle = Handle::new(Engine::new(Options::default()), Clock::start(Timestamp::default()));
    let own = handle.clone();
    panics(move || own.panic_under_the_lock());
    assert_eq!(failure(&handle), Some(LogError::Panicked("the engine")));
}

#[test]
fn a_task_that_cannot_be_missed_is_told_when_it_panics_and_not_when_it_ends() {
    let handle = Handle::new(Engine::new(Options::default()), Clock::start(Timestamp::default()));
    drop(handle.vital("a task"));
    assert_eq!(failure(&handle), None);
    let own = handle.clone();
    panics(move || {
        let _vital = own.vital("a task");
        panic!("a test wanted it");
    });
    assert_eq!(failure(&handle), Some(LogError::Panicked("a task")));
}

#[test]
fn a_panic_in_the_engine_ends_the_server_with_a_reason_of_its_own() {
    let data = TempDir::new().expect("a directory");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let outcome = runtime.block_on(async {
        let signals = Signals::listen().expect("signals");
        let server = Server::start(&config(&data)).expect("the server starts");
        let handle = server.handle().clone();
        panics(move || handle.panic_under_the_lock());
        server.run(signals, || None).await
    });
    assert!(matches!(outcome, Err(ServerError::Panicked("the engine"))), "{outcome:?}");
}

#[test]
fn a_panic_in_a_connection_ends_it_alone_and_what_it_held_goes_to_others() {
    let server = Running::start(|_| {});
    let [mut unlucky, mut other] = [(); 2].map(|()| Client::logged_in(server.address));
    let subscribe = b"SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client-individual\n\n\0";
    unlucky.send(subscribe);
    unlucky.send(b"SEND\ndestination:/queue/a\n\nx\0");
    assert_eq!(unlucky.frame().expect("a message").expect("it is open").command, Command::Message);
    other.send(subscribe);
    unlucky.send(b"PANIC\n");
    assert!(!matches!(unlucky.frame(), Ok(Some(_))), "the connection is closed");
    let again = other.frame().expect("a message").expect("it is open");
    assert_eq!((again.command, &again.body[..]), (Command::Message, &b"x"[..]));
}
