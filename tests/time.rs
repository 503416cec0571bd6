//! Delays, back-off and expiry over a socket, with a disk below and a real clock.
#![expect(clippy::disallowed_methods, reason = "what is measured here is real time")]

use std::time::{Duration, Instant};

use kolejka::config::Config;
use kolejka_codec::{Command, Frame};
use kolejka_tests::house::policies;
use kolejka_tests::server::{Running, config};
use kolejka_tests::socket::Client;
use tempfile::TempDir;

/// How late something may be.
const EXACT: Duration = Duration::from_millis(50);

/// A client that speaks frames.
pub(crate) struct Worker(Client);

impl Worker {
    pub(crate) fn of(server: &Running) -> Worker {
        Worker(Client::logged_in(server.address))
    }

    pub(crate) fn say(&mut self, frame: &str) {
        self.0.send(format!("{frame}\0").as_bytes());
    }

    pub(crate) fn hear(&mut self) -> Frame {
        self.0.frame().expect("an answer").expect("a connection")
    }

    /// Sends with a receipt, and waits for it.
    pub(crate) fn publish(&mut self, queue: &str, headers: &str, body: &str) {
        self.say(&format!("SEND\ndestination:{queue}\nreceipt:r\n{headers}\n{body}"));
        let answer = self.hear();
        assert_eq!(answer.command, Command::Receipt, "{answer:?}");
    }

    pub(crate) fn subscribe(&mut self, queue: &str) {
        self.say(&format!("SUBSCRIBE\nid:1\nack:client-individual\ndestination:{queue}\n\n"));
    }

    pub(crate) fn message(&mut self) -> (String, Frame) {
        let frame = self.hear();
        assert_eq!(frame.command, Command::Message, "{frame:?}");
        (String::from_utf8_lossy(&frame.body).into_owned(), frame)
    }

    pub(crate) fn settle(&mut self, verb: &str, message: &Frame, headers: &str) {
        let ack = message.headers.get("ack").expect("something to acknowledge");
        self.say(&format!("{verb}\nid:{ack}\n{headers}\n"));
    }
}

/// How late something came that must not come early.
pub(crate) fn lateness(since: Instant, wait_ms: u64) -> Duration {
    let (took, wait) = (since.elapsed(), Duration::from_millis(wait_ms));
    assert!(took >= wait, "{took:?} instead of {wait:?}");
    took.saturating_sub(wait)
}

/// How often something is tried until it is exact. A machine that runs tests is busy, and lets everybody be late: a timer that
/// is exact is so once in a while even there, and one that is coarse never.
const TRIES: usize = 200;

/// Asserts that what is tried can be exact.
pub(crate) fn assert_exact(try_once: impl FnMut() -> Duration) {
    let late: Vec<Duration> = std::iter::repeat_with(try_once).take(TRIES).take_while(|late| *late >= EXACT).collect();
    assert!(late.len() < TRIES, "all too late: {late:?}");
}

pub(crate) fn settings() -> (TempDir, Config) {
    let data = TempDir::new().expect("a directory");
    let config = config(&data);
    (data, config)
}

#[test]
fn delayed_messages_arrive_on_time_in_the_order_of_their_times() {
    let server = Running::start(|_| ());
    let (mut worker, mut producer) = (Worker::of(&server), Worker::of(&server));
    worker.subscribe("/queue/later");
    let start = Instant::now();
    // Read at once, so that all of them begin to wait at the same moment.
    let frames = [("AMQ_SCHEDULED_DELAY", 300), ("delay", 100), ("x-delay", 200)]
        .map(|(header, wait)| format!("SEND\ndestination:/queue/later\n{header}:{wait}\n\n{wait}"));
    producer.say(&frames.join("\0"));
    for wait in [100, 200, 300] {
        let (body, message) = worker.message();
        assert_eq!(body, wait.to_string());
        lateness(start, wait);
        worker.settle("ACK", &message, "");
    }
    assert_exact(|| {
        let start = Instant::now();
        producer.publish("/queue/later", "x-delay:50\n", "soon");
        let (_, message) = worker.message();
        worker.settle("ACK", &message, "");
        lateness(start, 50)
    });
}

#[test]
fn a_nack_backs_off_and_its_own_delay_counts_first() {
    let server = Running::start(|_| ());
    let mut worker = Worker::of(&server);
    worker.publish("/queue/retry", "x-backoff:fixed:300\nx-max-deliveries:1000\n", "job");
    worker.subscribe("/queue/retry");
    let (_, first) = worker.message();
    let start = Instant::now();
    worker.settle("NACK", &first, "");
    let (_, mut job) = worker.message();
    lateness(start, 300);
    assert_eq!(job.headers.get("delivery-count"), Some("2"));
    assert_exact(|| {
        let start = Instant::now();
        worker.settle("NACK", &job, "x-delay:50\n");
        job = worker.message().1;
        lateness(start, 50)
    });
    assert!(job.headers.get("delivery-count").is_some_and(|count| count != "2"));
}

#[test]
fn what_waits_survives_a_restart_and_what_is_overdue_fires_at_once() {
    let (_data, config) = settings();
    let server = Running::with(config.clone());
    let mut worker = Worker::of(&server);
    worker.publish("/queue/q", "x-delay:1\nx-max-deliveries:9\n", "overdue");
    worker.publish("/queue/q", "x-delay:1500\n", "soon");
    worker.publish("/queue/q", "ttl:1\n", "over");
    drop((worker, server));
    let server = Running::with(config.clone());
    let mut worker = Worker::of(&server);
    worker.subscribe("/queue/q");
    assert_eq!(worker.message().0, "overdue");
    drop((worker, server));
    let server = Running::with(config);
    let mut worker = Worker::of(&server);
    worker.subscribe("/queue/q");
    assert_eq!(worker.message().0, "overdue", "it has fired once and for all");
    assert_eq!(worker.message().0, "soon");
}

#[test]
fn an_expired_message_is_dead_lettered_where_the_policy_says_so_and_dropped_elsewhere() {
    let (_data, mut config) = settings();
    config.policies = policies("[[policy]]\nmatch = \"/queue/kept.**\"\ndead_letter_expired = true\n");
    let server = Running::with(config);
    let mut worker = Worker::of(&server);
    worker.publish("/queue/dropped", "expiration:100\n", "dropped");
    worker.publish("/queue/kept.a", "ttl:100\n", "kept");
    worker.subscribe("/queue/DLQ.kept.a");
    let (body, dead) = worker.message();
    assert_eq!((body.as_str(), dead.headers.get("x-death-reason")), ("kept", Some("expired")));
    worker.say("SUBSCRIBE\nid:2\nack:auto\ndestination:/queue/dropped\n\n");
    worker.publish("/queue/dropped", "", "next");
    assert_eq!(worker.message().0, "next", "the one that expired is not there");
}

#[test]
fn a_lease_that_runs_out_gives_the_job_to_another_worker() {
    let server = Running::start(|_| ());
    let (mut slow, mut quick) = (Worker::of(&server), Worker::of(&server));
    slow.publish("/queue/lease", "x-ttr:300\n", "job");
    slow.say("SUBSCRIBE\nid:1\nack:client-individual\nprefetch-count:1\ndestination:/queue/lease\n\n");
    let (_, first) = slow.message();
    let start = Instant::now();
    assert_eq!(first.headers.get("x-job-id"), first.headers.get("message-id"));
    let until: u64 = first.headers.get("x-lease-until").and_then(|text| text.parse().ok()).expect("an end");
    let sent: u64 = first.headers.get("timestamp").and_then(|text| text.parse().ok()).expect("a time");
    assert!(until >= sent + 300);
    quick.subscribe("/queue/lease");
    let (_, second) = quick.message();
    // Clocks are read in whole milliseconds, and the lease began a moment before it was heard of.
    assert!(start.elapsed() > Duration::from_millis(200), "not before its time");
    assert_eq!(second.headers.get("delivery-count"), Some("2"));
    slow.settle("ACK", &first, "receipt:late\n");
    assert_eq!(slow.hear().headers.get("x-refused"), Some("lease-lost"));
    let id = second.headers.get("x-job-id").expect("a job");
    quick.say(&format!("SEND\ndestination:/job/{id}\nx-event:touch\nx-ttr:60000\nreceipt:touch\n\n"));
    assert_eq!(quick.hear().headers.get("x-refused"), None);
    quick.settle("ACK", &second, "receipt:ack\n");
    assert_eq!(quick.hear().headers.get("x-refused"), None);
}

#[test]
fn a_buried_message_is_kicked_and_a_queue_is_purged() {
    let server = Running::start(|_| ());
    let mut worker = Worker::of(&server);
    worker.publish("/queue/grave", "", "job");
    worker.subscribe("/queue/grave");
    let (_, first) = worker.message();
    worker.settle("NACK", &first, "x-bury:true\n");
    let manage = |op: &str| {
        format!("SEND\ndestination:/queue/Kolejka.Manage\nx-op:{op}\nx-queue:grave\nreply-to:/temp-queue/ops\n\n")
    };
    worker.say(&manage("kick"));
    // The job and the answer may come in either order.
    let mut heard = [worker.message(), worker.message()];
    heard.sort_by(|a, b| a.0.cmp(&b.0));
    let [(job, second), (answer, _)] = heard;
    assert_eq!((job.as_str(), second.headers.get("delivery-count")), ("job", Some("2")));
    assert_eq!(answer, r#"{"op":"kick","queue":"/queue/grave","count":1}"#);
    worker.settle("NACK", &second, "x-bury:true\n");
    worker.say(&manage("purge"));
    assert_eq!(worker.message().0, r#"{"op":"purge","queue":"/queue/grave","count":1}"#);
    let queues = server.address;
    let mut other = Client::logged_in(queues);
    other.send(b"SEND\ndestination:Kolejka.Manage\nx-op:kick\nx-queue:nowhere\nreceipt:1\n\n\0");
    let answer = other.frame().expect("an answer").expect("a connection");
    assert_eq!(answer.headers.get("x-refused"), Some("unknown-queue"));
}
