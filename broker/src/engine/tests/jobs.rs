//! Jobs that are followed: how ordinary workers bring them from state to state, and what of it outlives a restart.

use super::*;
use crate::destination::Policy;
use crate::jobs::Limits;
use crate::model::{
    Backoff, JobState, JobToken, Manage, Operation, States, Status, Submission, Terms, Tracking, Transfer,
};

pub(super) fn tracking(token: u128) -> Tracking {
    Tracking {
        token: Some(JobToken::from_bits(token)),
        kind: Some("resize".into()),
        keeps_result: true,
        keep_ms: None,
        is_open: false,
        waiter: None,
        drops: false,
    }
}

pub(super) fn submit(to: &str, text: &str, tracking: Tracking) -> Request {
    submit_on(to, message(text), tracking, Terms::default())
}

pub(super) fn submit_on(to: &str, message: Message, tracking: Tracking, terms: Terms) -> Request {
    let terms = Some(Box::new(Terms { tracking: Some(Box::new(tracking)), ..terms }));
    Request::Publish(Publish { to: name(to), message: Message { terms, ..message }, key: None, retain: None })
}

impl World {
    pub(super) fn status(&self, token: u128) -> Status {
        self.engine.job(JobToken::from_bits(token)).expect("a job").status
    }

    pub(super) fn state(&self, token: u128) -> JobState {
        self.status(token).state
    }

    /// Time passes, and the engine notices.
    pub(super) fn spend(&mut self, ms: u64) {
        self.now.monotonic += Duration::from_millis(ms);
        self.now.wall.0 += ms;
        self.engine.tick(self.now, &mut self.effects);
        self.absorb();
    }

    /// What the log brings back is what was known, but that nobody works at anything.
    pub(super) fn assert_replay(&self) {
        let settled = |engine: &Engine| -> Vec<Status> {
            let statuses = engine.jobs().into_iter().filter(|row| row.durable).map(|row| row.status.clone());
            statuses.map(|status| Status { updated: Timestamp(0), ..status }).collect()
        };
        let mut expected = settled(&self.engine);
        for status in &mut expected {
            if status.state == JobState::Running {
                status.state = JobState::Ready;
            }
        }
        assert_eq!(settled(&self.replayed(true)), expected, "replay gives the same jobs");
    }
}

/// Something that an operator does with a queue.
pub(super) fn operate(queue: &str, operation: Operation) -> Request {
    let manage = Manage { operation, queue: name(queue), filter: None, writer: None, reply: None };
    Request::Manage(Box::new(manage))
}

/// A world with a worker at `/queue/a` that holds one message at a time.
pub(super) fn worker(policy: Policy) -> (World, SessionId) {
    let policies = Policies { default: policy, rules: Vec::new() };
    let mut world = World::with(Options { policies, ..Options::default() });
    let client = world.client("w");
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 1));
    (world, client)
}

#[test]
fn a_receipt_names_the_job_and_the_message_carries_its_token() {
    let (mut world, client) = worker(Policy::default());
    let Answer::Submitted(Submission { job, token, is_duplicate }) =
        world.ask(client, submit("/queue/a", "x", tracking(7)))
    else {
        panic!("a job");
    };
    assert_eq!((token, is_duplicate), (Some(JobToken::from_bits(7)), false));
    world.sync();
    let delivery = world.deliveries(client).remove(0);
    assert_eq!((delivery.message, delivery.token), (job, token.map(Box::new)));
    let plain = world.ask(client, send("/queue/b", "plain"));
    assert!(matches!(plain, Answer::Submitted(Submission { token: None, is_duplicate: false, .. })));
}

#[test]
fn a_token_is_made_where_there_is_none_and_each_is_another() {
    let mut world = World::new();
    let client = world.client("c");
    let mut made = Vec::new();
    for text in ["one", "two"] {
        let wish = Tracking { token: None, ..tracking(0) };
        match world.ask(client, submit("/queue/a", text, wish)) {
            Answer::Submitted(submission) => made.push(submission.token.expect("a token")),
            other => panic!("{other:?}"),
        }
    }
    assert_ne!(made[0], made[1]);
    assert!(world.engine.job(made[0]).is_some());
}

#[test]
fn a_token_that_is_known_is_not_taken_again_in_whatever_queue() {
    let mut world = World::new();
    let client = world.client("c");
    let first = world.ask(client, submit("/queue/a", "x", tracking(7)));
    let Answer::Submitted(first) = first else { panic!("{first:?}") };
    for queue in ["/queue/a", "/queue/b"] {
        let again = world.ask(client, submit(queue, "x", tracking(7)));
        assert_eq!(again, Answer::Submitted(Submission { is_duplicate: true, ..first }));
    }
    let Request::Publish(publish) = submit("/queue/b", "x", tracking(8)) else { unreachable!() };
    let twice = vec![Action::Publish(publish.clone()), Action::Publish(publish)];
    world.ask(client, Request::Commit(twice));
    assert_eq!(world.engine.queues().iter().map(|queue| queue.entries.len()).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn an_ordinary_worker_takes_a_job_from_waiting_to_completed() {
    let (mut world, client) = worker(Policy::default());
    world.ask(client, submit("/queue/a", "x", tracking(7)));
    assert_eq!(world.state(7), JobState::Ready);
    world.sync();
    assert_eq!((world.state(7), world.status(7).attempt), (JobState::Running, 1));
    world.sync();
    world.assert_replay();
    let id = world.deliveries(client)[0].message;
    world.now.wall.0 += 254;
    world.ask(client, ack(id));
    let status = world.status(7);
    assert_eq!((status.state, status.finished), (JobState::Completed, Some(world.now.wall)));
    assert_eq!(status.started.map(|at| at.0 + 254), status.finished.map(|at| at.0));
    world.sync();
    world.assert_replay();
    let last = &world.log[world.log.len() - 2..];
    assert!(matches!(last, [(Record::Settled(_), _), (Record::Reported(_), _)]), "one unit, {last:?}");
}

#[test]
fn nacks_make_it_retry_and_then_fail_with_what_the_worker_said() {
    let backoff = Backoff::Fixed { ms: 500 };
    let (mut world, client) = worker(Policy { max_deliveries: 2, backoff, ..Policy::default() });
    world.ask(client, submit("/queue/a", "x", tracking(7)));
    world.sync();
    let id = world.deliveries(client)[0].message;
    let refuse = |text: &str| settle(id, Outcome::Retry { reason: Some(text.into()), delay_ms: None });
    world.ask(client, refuse("no disk"));
    let status = world.status(7);
    assert_eq!((status.state, status.attempt, status.due), (JobState::Retrying, 1, Some(Timestamp(501))));
    world.sync();
    world.assert_replay();
    world.spend(500);
    assert_eq!((world.state(7), world.status(7).attempt), (JobState::Running, 2));
    world.ask(client, refuse("no net"));
    let status = world.status(7);
    assert_eq!((status.state, status.attempt), (JobState::Failed, 2));
    let errors: Vec<_> = status.errors.iter().map(|error| (error.attempt, &*error.message)).collect();
    assert_eq!(errors, [(1, "no disk"), (2, "no net")]);
    world.sync();
    world.assert_replay();
    world.ask(client, subscribe(2, "/queue/DLQ.a", AckMode::ClientIndividual, 1));
    world.sync();
    assert_eq!(world.deliveries(client).len(), 2);
    assert_eq!(world.state(7), JobState::Failed, "who reads dead letters does not work at them");
}

#[test]
fn a_lost_worker_a_burial_a_kick_and_a_purge_are_reported_too() {
    let (mut world, client) = worker(Policy::default());
    let delayed = Terms { due: Some(Timestamp(101)), ..Terms::default() };
    world.ask(client, submit_on("/queue/a", message("x"), tracking(7), delayed));
    world.sync();
    assert_eq!((world.state(7), world.status(7).due), (JobState::Delayed, Some(Timestamp(101))));
    world.spend(100);
    assert_eq!(world.state(7), JobState::Running);
    world.close(client, Departure::Lost);
    let status = world.status(7);
    assert_eq!((status.state, status.attempt, status.errors.len()), (JobState::Ready, 1, 1));
    let client = world.client("w");
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 1));
    world.sync();
    let id = world.deliveries(client)[0].message;
    world.ask(client, settle(id, Outcome::Bury));
    assert_eq!(world.state(7), JobState::Buried);
    world.sync();
    world.assert_replay();
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    world.ask(client, operate("/queue/a", Operation::Kick { count: 1 }));
    assert_eq!(world.state(7), JobState::Ready);
    world.ask(client, operate("/queue/a", Operation::Purge(States { ready: true, delayed: false, buried: false })));
    assert_eq!(world.state(7), JobState::Cancelled);
    world.sync();
    world.assert_replay();
}

#[test]
fn a_redrive_opens_a_record_again_and_a_move_takes_it_along() {
    let (mut world, client) = worker(Policy::default());
    world.ask(client, submit("/queue/a", "x", tracking(7)));
    world.sync();
    let id = world.deliveries(client)[0].message;
    world.ask(client, settle(id, Outcome::DeadLetter { reason: Some("no".into()) }));
    assert_eq!(world.state(7), JobState::Failed);
    world.sync();
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    let all = States { ready: true, delayed: true, buried: true };
    let to = |to: Option<&str>| Transfer { to: to.map(name), states: all, count: None, rate: None };
    world.ask(client, operate("/queue/DLQ.a", Operation::Move(to(None))));
    let status = world.status(7);
    assert_eq!((status.state, status.attempt, status.finished), (JobState::Ready, 0, None));
    assert_eq!((status.queue.as_str(), status.errors.len()), ("/queue/a", 1), "it keeps its errors");
    world.sync();
    world.assert_replay();
    world.ask(client, operate("/queue/a", Operation::Move(to(Some("/queue/b")))));
    assert_eq!((world.state(7), world.status(7).queue.as_str()), (JobState::Ready, "/queue/b"));
    world.ask(client, subscribe(2, "/queue/b", AckMode::ClientIndividual, 1));
    world.sync();
    world.ask(client, ack(id));
    assert_eq!(world.state(7), JobState::Completed);
    world.sync();
    world.assert_replay();
}

#[test]
fn a_lease_that_runs_out_and_an_expiry_are_reported() {
    let (mut world, client) = worker(Policy { time_to_run_ms: Some(1000), ..Policy::default() });
    let ends = Terms { expires: Some(Timestamp(5000)), ..Terms::default() };
    world.ask(client, submit_on("/queue/a", message("x"), tracking(7), ends));
    world.sync();
    world.spend(1000);
    let status = world.status(7);
    assert_eq!((status.state, status.attempt, status.expires), (JobState::Ready, 1, Some(Timestamp(5000))));
    assert_eq!(&*status.errors[0].message, "its time to run was over");
    world.spend(5000);
    assert_eq!(world.state(7), JobState::Expired);
    world.sync();
    world.assert_replay();
}

#[test]
fn a_transient_job_is_followed_without_a_record() {
    let (mut world, client) = worker(Policy::default());
    let transient = Message { durability: Durability::Transient, ..message("x") };
    world.ask(client, submit_on("/queue/a", transient, tracking(7), Terms::default()));
    assert_eq!(world.state(7), JobState::Running);
    let id = world.deliveries(client)[0].message;
    world.ask(client, ack(id));
    assert_eq!(world.state(7), JobState::Completed);
    assert!(world.log.iter().all(|(record, _)| matches!(record, Record::IdBlock { .. })), "{:?}", world.log);
}

#[test]
fn a_status_is_forgotten_when_its_time_is_over() {
    let (mut world, client) = worker(Policy::default());
    world.ask(client, submit("/queue/a", "x", Tracking { keep_ms: Some(60_000), ..tracking(7) }));
    world.sync();
    let id = world.deliveries(client)[0].message;
    world.ask(client, ack(id));
    assert_eq!(world.engine.deadline(world.now).map(|due| due.as_secs()), Some(60));
    world.spend(59_999);
    assert_eq!(world.state(7), JobState::Completed);
    world.spend(1);
    assert!(world.engine.job(JobToken::from_bits(7)).is_none());
    world.sync();
    world.assert_replay();
    world.ask(client, submit("/queue/a", "again", tracking(7)));
    assert_eq!(world.state(7), JobState::Ready, "the token is free");
}

#[test]
fn jobs_that_have_ended_give_way_and_without_any_a_submission_is_refused() {
    let jobs = Limits { records: 2, ..Limits::default() };
    let mut world = World::with(Options { jobs, ..Options::default() });
    let client = world.client("c");
    for token in [1, 2] {
        world.ask(client, submit("/queue/a", "x", tracking(token)));
    }
    world.sync();
    let refused = world.try_ask(client, submit("/queue/a", "x", tracking(3)));
    assert_eq!(refused, Err(Refusal::TooManyJobs { limit: 2 }));
    assert!(world.ask(client, send("/queue/a", "plain")).is_done(), "who is not followed is not concerned");
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 1));
    let id = world.deliveries(client)[0].message;
    world.ask(client, ack(id));
    world.ask(client, submit("/queue/a", "x", tracking(3)));
    assert!(world.engine.job(JobToken::from_bits(1)).is_none(), "it had ended");
    world.sync();
    world.assert_replay();
}
