//! Schedules over a socket, with a disk below and a real clock.
#![expect(clippy::disallowed_methods, reason = "what is measured here is real time")]

use std::time::{Duration, Instant};

use kolejka::config::Config;
use kolejka_codec::Frame;
use kolejka_tests::server::Running;

use crate::time::{Worker, assert_exact, lateness, settings};

/// Tests do not want to wait for seconds.
fn often(config: &mut Config) {
    config.limits.schedule_period = Duration::from_millis(10);
}

/// Makes a schedule and gives its id.
fn plan(worker: &mut Worker, to: &str, headers: &str, body: &str) -> String {
    worker.say(&format!("SEND\ndestination:{to}\nreceipt:plan\n{headers}\n{body}"));
    let receipt = worker.hear();
    receipt.headers.get("x-job-id").unwrap_or_else(|| panic!("no schedule: {receipt:?}")).to_owned()
}

fn header<'a>(frame: &'a Frame, name: &str) -> &'a str {
    frame.headers.get(name).unwrap_or_else(|| panic!("no {name}: {frame:?}"))
}

#[test]
fn a_schedule_sends_again_and_again_and_on_time() {
    let server = Running::start(often);
    let (mut worker, mut producer) = (Worker::of(&server), Worker::of(&server));
    worker.subscribe("/queue/tick");
    let start = Instant::now();
    let id = plan(
        &mut producer,
        "/queue/tick",
        "AMQ_SCHEDULED_DELAY:100\nAMQ_SCHEDULED_PERIOD:200\nAMQ_SCHEDULED_REPEAT:2\nfoo:bar\n",
        "tick",
    );
    let mut ids = Vec::new();
    for wait in [100, 300, 500] {
        let (body, frame) = worker.message();
        assert_eq!((body.as_str(), header(&frame, "scheduledJobId"), header(&frame, "foo")), ("tick", &*id, "bar"));
        assert!(frame.headers.get("AMQ_SCHEDULED_PERIOD").is_none() && !header(&frame, "timestamp").is_empty());
        ids.push(header(&frame, "message-id").to_owned());
        worker.settle("ACK", &frame, "");
        lateness(start, wait);
    }
    ids.dedup();
    assert!(ids.len() == 3 && !ids.contains(&id), "each is a message of its own: {ids:?}");
    assert_exact(|| {
        let start = Instant::now();
        plan(&mut producer, "/queue/tick", "x-delay:10\nAMQ_SCHEDULED_PERIOD:50\nAMQ_SCHEDULED_REPEAT:1\n", "twice");
        let late = [10, 60].map(|wait| {
            let (_, frame) = worker.message();
            worker.settle("ACK", &frame, "");
            lateness(start, wait)
        });
        late[1]
    });
}

#[test]
fn a_schedule_survives_restarts_with_a_large_body_and_its_name() {
    let (_data, mut config) = settings();
    often(&mut config);
    let body = "x".repeat(10_000);
    let server = Running::with(config.clone());
    let mut worker = Worker::of(&server);
    plan(&mut worker, "/topic/news", "AMQ_SCHEDULED_PERIOD:150\nx-schedule:n\n", "old");
    let id = plan(&mut worker, "/topic/news", "AMQ_SCHEDULED_PERIOD:150\nx-schedule:n\n", &body);
    drop((worker, server));
    for _ in 0..2 {
        let server = Running::with(config.clone());
        let mut worker = Worker::of(&server);
        worker.subscribe("/topic/news");
        for _ in 0..3 {
            let (text, frame) = worker.message();
            assert_eq!((text.len(), header(&frame, "scheduledJobId")), (body.len(), &*id));
        }
    }
}

#[test]
fn what_waits_is_listed_and_removed_at_the_management_address() {
    let server = Running::start(often);
    let mut worker = Worker::of(&server);
    let id =
        plan(&mut worker, "/queue/a", "AMQ_SCHEDULED_CRON:0 9 * * *\nx-cron-zone:Europe/Berlin\nx-schedule:n:\n", "x");
    worker.publish("/queue/a", "x-delay:3600000\n", "later");
    let manage = |action: &str, more: &str| {
        format!("SEND\ndestination:/topic/ActiveMQ.Scheduler.Management\nAMQ_SCHEDULER_ACTION:{action}\n{more}\n")
    };
    worker.say(&manage("BROWSE", "reply-to:/temp-queue/answers\n"));
    let mut listed = Vec::new();
    loop {
        let (_, frame) = worker.message();
        if frame.headers.get("browser") == Some("end") {
            break;
        }
        assert_eq!(header(&frame, "original-destination"), "/queue/a");
        assert!(header(&frame, "AMQ_SCHEDULED_TIME").parse::<u64>().is_ok());
        listed.push(header(&frame, "scheduledJobId").to_owned());
    }
    assert!(listed.len() == 2 && listed.contains(&id), "{listed:?}");
    let mut removed = |headers: &str| {
        worker.say(&manage("REMOVE", &format!("receipt:r\n{headers}\n")));
        worker.hear().headers.get("x-refused").map(str::to_owned)
    };
    assert_eq!(removed(&format!("scheduledJobId:{id}")), None);
    assert_eq!(removed("x-schedule:n\\c"), Some("unknown".to_owned()), "it is gone by either name");
    listed.retain(|other| *other != id);
    assert_eq!(removed(&format!("scheduledJobId:{}", listed[0])), None, "a delayed message goes too");
    assert_eq!(removed(&format!("scheduledJobId:{}", listed[0])), Some("unknown".to_owned()));
}
