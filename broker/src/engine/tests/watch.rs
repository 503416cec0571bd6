//! What is said about jobs at their addresses, and who hears of it.

use std::sync::Arc;

use bytes::Bytes;

use super::jobs::{submit, submit_on, tracking, worker};
use super::*;
use crate::destination::Policy;
use crate::model::{
    Job, JobError, JobEvent, JobName, JobResult, JobState, JobToken, Permissions, Progress, Reader, Reply, ResultBody,
    Right, Terms, Tracking, Waiter,
};

#[derive(Debug)]
struct Anybody(bool);

impl Reader for Anybody {
    fn may_read(&self, _: &DestinationName) -> bool {
        self.0
    }
}

impl Permissions for Anybody {
    fn user(&self) -> &'static str {
        "ann"
    }

    fn may(&self, _: Right, _: &DestinationName) -> bool {
        self.0
    }

    fn may_all(&self, _: Right, _: &Pattern) -> bool {
        self.0
    }

    fn may_take(&self, _: Right, _: &DestinationName, _: &DestinationName) -> bool {
        self.0
    }
}

fn say(token: u128, event: JobEvent) -> Request {
    Request::Job(Box::new(Job { name: JobName::Token(JobToken::from_bits(token)), event }))
}

fn complete(body: &[u8]) -> JobEvent {
    let content_type = Some("text/plain".into());
    JobEvent::Complete { delivery: None, content_type, body: Bytes::copy_from_slice(body) }
}

fn progress(done: u64) -> JobEvent {
    JobEvent::Progress(Progress { done, of: 10, text: "".into() })
}

fn data(text: &str) -> JobEvent {
    JobEvent::Data { is_warning: false, content_type: None, body: Bytes::copy_from_slice(text.as_bytes()) }
}

fn watch(id: u32, token: u128) -> Request {
    let to = DestinationName::job(JobToken::from_bits(token)).into();
    let credit = Credit { messages: 100, bytes: 1 << 20 };
    let (id, mode) = (SubscriptionId(id), AckMode::Client);
    Request::Subscribe(Subscribe { id, to, mode, credit, time_to_run_ms: None, filter: None })
}

impl World {
    /// What a watcher was told: each event with the state in its document, or its body.
    fn heard(&mut self, session: SessionId) -> Vec<String> {
        let tell = |delivery: Delivery| {
            let Payload::Memory(content) = &delivery.payload else { panic!("it is made here") };
            let head = String::from_utf8_lossy(content.head()).into_owned();
            let event = head.lines().find_map(|line| line.strip_prefix("x-event:")).unwrap_or_default().to_owned();
            let text = String::from_utf8_lossy(content.body()).into_owned();
            let state = serde_json::from_str::<serde_json::Value>(&text).ok();
            let state = state.and_then(|value| value["state"].as_str().map(str::to_owned));
            format!("{event} {}", state.unwrap_or(text))
        };
        self.deliveries(session).into_iter().map(tell).collect()
    }
}

fn soft(refusal: SoftRefusal) -> Answer {
    Answer::Soft(refusal)
}

#[test]
fn a_watcher_hears_the_present_state_then_changes_then_the_end() {
    let (mut world, w) = worker(Policy::default());
    let eye = world.client("e");
    world.ask(w, submit("/queue/a", "x", tracking(7)));
    world.ask(eye, watch(1, 7));
    assert!(world.heard(eye).is_empty(), "the log does not have the job yet");
    world.sync();
    world.sync();
    assert_eq!(world.heard(eye), ["state waiting", "state running"]);
    world.ask(w, say(7, progress(3)));
    world.ask(w, say(7, data("part")));
    assert_eq!(world.heard(eye), ["progress running", "data part"]);
    assert_eq!(world.ask(w, say(7, complete(b"42"))), Answer::Done);
    assert!(world.heard(eye).is_empty(), "the end is not told before it is certain");
    world.sync();
    assert_eq!(world.heard(eye), ["final completed"]);
    world.ask(eye, watch(2, 7));
    assert_eq!(world.heard(eye), ["final completed", "data part"], "who comes late hears what is kept");
    world.ask(eye, watch(3, 99));
    assert_eq!(world.heard(eye), ["final unknown"]);
}

#[test]
fn progress_is_told_ten_times_a_second_at_most_and_its_last_value_counts() {
    let (mut world, w) = worker(Policy::default());
    world.ask(w, submit_on("/queue/a", message("x"), tracking(7), Terms::default()));
    world.sync();
    world.sync();
    world.ask(w, watch(5, 7));
    world.heard(w);
    for done in 1..=9 {
        world.ask(w, say(7, progress(done)));
    }
    assert_eq!(world.heard(w), ["progress running"]);
    world.spend(99);
    assert!(world.heard(w).is_empty());
    world.spend(1);
    assert_eq!(world.heard(w).len(), 1);
    let document = world.engine.job(JobToken::from_bits(7)).expect("a job").document;
    assert!(document.contains(r#""progress":{"den":10,"num":9,"text":""}"#), "{document}");
    world.spend(1000);
    assert!(world.heard(w).is_empty());
}

#[test]
fn only_the_holder_reports_on_a_job() {
    let (mut world, w) = worker(Policy { time_to_run_ms: Some(1000), ..Policy::default() });
    let stranger = world.client("s");
    world.ask(w, submit("/queue/a", "x", tracking(7)));
    world.sync();
    for event in [progress(1), data("x"), complete(b""), JobEvent::Touch(None)] {
        assert_eq!(world.ask(stranger, say(7, event)), soft(SoftRefusal::NotHolder));
    }
    assert_eq!(world.ask(stranger, say(8, progress(1))), soft(SoftRefusal::Unknown));
    world.spend(900);
    assert_eq!(world.ask(w, say(7, progress(1))), Answer::Done, "a report is a sign of life");
    world.spend(900);
    assert_eq!(world.ask(w, say(7, JobEvent::Touch(Some(500)))), Answer::Done);
    world.spend(500);
    assert_eq!(world.ask(w, say(7, progress(2))), soft(SoftRefusal::LeaseLost));
    assert_eq!(world.ask(w, say(7, complete(b"late"))), soft(SoftRefusal::LeaseLost));
    world.sync();
    assert_eq!(world.state(7), JobState::Running, "it is out again, and whole");
    assert_eq!(world.ask(w, say(7, complete(b"now"))), Answer::Done);
    assert_eq!(world.ask(w, say(7, complete(b"twice"))), soft(SoftRefusal::Final));
}

#[test]
fn a_small_result_is_kept_with_the_status_and_a_large_one_in_the_log() {
    let (mut world, w) = worker(Policy::default());
    let large = vec![b'x'; JobResult::SMALL + 1];
    for (token, body) in [(7, &b"42"[..]), (8, &large[..])] {
        world.ask(w, submit("/queue/a", "x", tracking(token)));
        world.sync();
        assert_eq!(world.ask(w, say(token, complete(body))), Answer::Done);
        world.sync();
        world.assert_replay();
    }
    let small = world.status(7).result.expect("a result");
    assert_eq!((small.size, small.body), (2, ResultBody::Small(Bytes::from_static(b"42"))));
    let view = world.engine.job(JobToken::from_bits(8)).expect("a job");
    assert!(matches!(view.result, Some(Payload::Memory(content)) if content.body() == &large[..]));
    let after = world.replayed(false);
    let stored = after.job(JobToken::from_bits(8)).expect("a job").result.expect("its result");
    assert!(stored.position().is_some() && stored.len() >= large.len(), "{stored:?}");
    world.spend(24 * 60 * 60 * 1000);
    world.spend(0);
    assert!(world.engine.queues().iter().all(|queue| queue.entries.is_empty()), "it goes with the status");
}

#[test]
fn a_result_that_nobody_wants_kept_is_not() {
    let (mut world, w) = worker(Policy::default());
    world.ask(w, submit("/queue/a", "x", Tracking { keeps_result: false, ..tracking(7) }));
    world.sync();
    world.ask(w, say(7, complete(b"42")));
    let result = world.status(7).result.expect("its facts are");
    assert_eq!((result.size, result.body), (2, ResultBody::Untold));
    assert!(world.engine.job(JobToken::from_bits(7)).expect("a job").result.is_none());
}

#[test]
fn a_failure_is_a_nack_with_a_text() {
    let (mut world, w) = worker(Policy::default());
    world.ask(w, submit("/queue/a", "x", tracking(7)));
    world.sync();
    let error = JobError { attempt: 0, class: Some("E".into()), message: "no".into(), trace: Some("no\nf".into()) };
    let outcome = Outcome::Retry { reason: Some("no".into()), delay_ms: Some(50) };
    assert_eq!(world.ask(w, say(7, JobEvent::Fail { outcome, error: error.clone() })), Answer::Done);
    let status = world.status(7);
    assert_eq!(status.state, JobState::Retrying);
    assert_eq!(*status.errors[0], JobError { attempt: 1, ..error.clone() });
    world.sync();
    world.spend(50);
    let outcome = Outcome::DeadLetter { reason: None };
    world.ask(w, say(7, JobEvent::Fail { outcome, error }));
    assert_eq!((world.state(7), world.status(7).errors.len()), (JobState::Failed, 2));
    world.sync();
    world.assert_replay();
}

#[test]
fn a_transaction_with_a_result_is_whole_or_nothing() {
    let (mut world, w) = worker(Policy { time_to_run_ms: Some(1000), ..Policy::default() });
    world.ask(w, submit("/queue/a", "x", tracking(7)));
    world.sync();
    let commit = || {
        let said = Job { name: JobName::Token(JobToken::from_bits(7)), event: complete(b"42") };
        let Request::Publish(next) = send("/queue/next", "y") else { unreachable!() };
        Request::Commit(vec![Action::Publish(next), Action::Job(Box::new(said))])
    };
    world.spend(1000);
    world.told.clear();
    world.ask(w, Request::Unsubscribe(SubscriptionId(1)));
    assert_eq!(world.try_ask(w, commit()), Err(Refusal::LeaseLost));
    assert!(world.engine.queues().iter().all(|queue| queue.entries.is_empty() || queue.name.as_str() != "/queue/next"));
    world.ask(w, subscribe(2, "/queue/a", AckMode::ClientIndividual, 1));
    world.sync();
    assert_eq!(world.ask(w, commit()), Answer::Done);
    assert_eq!(world.state(7), JobState::Completed);
}

#[test]
fn a_job_is_cancelled_wherever_it_stands_and_its_holder_learns_of_it() {
    let (mut world, w) = worker(Policy::default());
    let ask = |world: &mut World, token, may, event| {
        world.ask(w, Request::Permit(Arc::new(Anybody(may))));
        let answer = world.ask(w, say(token, event));
        world.ask(w, Request::Permit(Arc::new(Anybody(true))));
        answer
    };
    let cancel = |world: &mut World, token, may| ask(world, token, may, JobEvent::Cancel);
    let delayed = Terms { due: Some(Timestamp(100_000)), ..Terms::default() };
    world.ask(w, submit_on("/queue/a", message("x"), tracking(1), delayed.clone()));
    world.ask(w, submit("/queue/a", "x", tracking(2)));
    assert_eq!(cancel(&mut world, 1, true), Answer::Done, "as soon as the log has it");
    world.sync();
    assert_eq!((world.state(1), world.state(2)), (JobState::Cancelled, JobState::Running));
    assert_eq!(cancel(&mut world, 2, false), soft(SoftRefusal::Forbidden));
    assert_eq!(cancel(&mut world, 2, true), Answer::Done);
    assert_eq!(cancel(&mut world, 2, true), soft(SoftRefusal::Final));
    let id = world.deliveries(w).remove(0).message;
    world.ask(w, submit("/queue/a", "y", tracking(3)));
    world.sync();
    assert!(world.deliveries(w).is_empty(), "who does not know yet is given nothing more");
    assert_eq!(world.ask(w, say(2, progress(1))), soft(SoftRefusal::Cancelled));
    assert_eq!(world.ask(w, ack(id)), soft(SoftRefusal::Cancelled));
    assert_eq!(world.deliveries(w).len(), 1);
    world.ask(w, submit_on("/queue/a", message("x"), Tracking { is_open: true, ..tracking(4) }, delayed));
    world.sync();
    assert_eq!(ask(&mut world, 4, false, JobEvent::Kick), Answer::Done, "the token is enough");
    assert_eq!(world.state(4), JobState::Ready);
    world.sync();
    world.assert_replay();
}

#[test]
fn who_waits_gets_the_result_or_the_document_when_it_is_certain() {
    let (mut world, w) = worker(Policy::default());
    let asker = world.client("owner");
    world.ask(asker, subscribe(1, "/temp-queue/r", AckMode::Auto, 10));
    let waiter = |to: &str| Some(Waiter { to: name(to), correlation: Some("c-7".into()) });
    world.ask(asker, submit("/queue/a", "x", Tracking { waiter: waiter("/temp-queue/r"), ..tracking(7) }));
    world.sync();
    world.ask(w, say(7, data("half")));
    world.sync();
    assert_eq!(world.heard(asker), ["data half"]);
    world.ask(w, say(7, complete(b"whole")));
    assert!(world.heard(asker).is_empty(), "not before the log has it");
    world.sync();
    let answer = world.deliveries(asker).remove(0);
    let Payload::Memory(content) = answer.payload else { panic!("it is made here") };
    let head = String::from_utf8_lossy(content.head()).into_owned();
    assert_eq!(content.body(), b"whole");
    for line in ["correlation-id:c-7", "x-state:completed", "x-final:true", "content-type:text/plain"] {
        assert!(head.lines().any(|other| other == line), "{line} in {head}");
    }
    world.ask(w, submit("/queue/a", "x", Tracking { waiter: waiter("/queue/answers"), ..tracking(8) }));
    world.sync();
    let Some(Payload::Memory(_)) = world.deliveries(w).pop().map(|delivery| delivery.payload) else { panic!("a job") };
    let failed = Outcome::DeadLetter { reason: Some("no".into()) };
    let id = world.status(8).job;
    world.ask(w, settle(id, failed));
    world.sync();
    assert_eq!(world.engine.queues().iter().filter(|queue| queue.name.as_str() == "/queue/answers").count(), 1);
    world.ask(asker, subscribe(2, "/queue/answers", AckMode::Auto, 10));
    assert_eq!(world.heard(asker), ["final failed"]);
}

#[test]
fn the_state_is_told_to_whoever_asks() {
    let (mut world, w) = worker(Policy::default());
    world.ask(w, subscribe(2, "/queue/answers", AckMode::Auto, 10));
    world.ask(w, submit("/queue/a", "x", tracking(7)));
    world.sync();
    world.sync();
    world.deliveries(w);
    let ask = |token| {
        let reply = Reply { to: name("/queue/answers"), head: b"destination:/queue/answers\n"[..].into() };
        say(token, JobEvent::Get(Some(reply)))
    };
    world.ask(w, ask(7));
    world.ask(w, ask(8));
    assert_eq!(world.heard(w), ["state running", "state unknown"]);
    assert_eq!(world.ask(w, say(7, JobEvent::Get(None))), soft(SoftRefusal::BadRequest));
}

#[test]
fn a_job_that_is_wanted_by_nobody_any_more_is_dropped_unless_somebody_has_begun() {
    let (mut world, w) = worker(Policy::default());
    let asker = world.client("owner");
    world.ask(asker, subscribe(1, "/temp-queue/r", AckMode::Auto, 10));
    let waiter = Some(Waiter { to: name("/temp-queue/r"), correlation: None });
    for token in [1, 2] {
        let wish = Tracking { waiter: waiter.clone(), drops: true, ..tracking(token) };
        world.ask(asker, submit("/queue/a", "x", wish));
    }
    world.ask(asker, submit("/queue/a", "x", Tracking { waiter, ..tracking(3) }));
    world.sync();
    world.close(asker, Departure::Lost);
    assert_eq!([1, 2, 3].map(|token| world.state(token)), [JobState::Running, JobState::Cancelled, JobState::Ready]);
    world.sync();
    world.assert_replay();
    assert_eq!(world.ask(w, say(1, complete(b"for nobody"))), Answer::Done);
}

#[test]
fn a_result_that_does_not_stand_in_the_document_comes_as_it_is() {
    let (mut world, w) = worker(Policy::default());
    let (eye, late) = (world.client("e"), world.client("l"));
    for (token, body) in [(7, vec![b'x'; JobResult::SMALL + 1]), (8, vec![0xff])] {
        world.ask(w, submit("/queue/a", "x", tracking(token)));
        world.sync();
        world.sync();
        world.ask(eye, watch(token as u32, token));
        world.heard(eye);
        world.ask(w, say(token, complete(&body)));
        world.sync();
        let told = world.heard(eye);
        assert!(told[0].starts_with("result ") && told[1] == "final completed", "{told:?}");
        world.ask(late, watch(token as u32, token));
        let delivered = world.deliveries(late);
        assert_eq!(delivered.len(), 2, "the document, and the result");
        assert!(delivered[1].payload.len() >= body.len());
    }
}
