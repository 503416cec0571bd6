//! Records about jobs, made from numbers.

use std::sync::Arc;

use bytes::Bytes;

use crate::model::{
    DestinationName, JobError, JobResult, JobState, JobToken, MessageId, Record, Report, ResultBody, Status, Timestamp,
    Waiter,
};

/// A job that is followed from now on; what differs by its number is there sooner or later.
pub fn tracked(job: MessageId) -> Record {
    let number = job.sequence();
    let has = |bit: u64| number >> bit & 1 == 1;
    Record::Tracked(Box::new(Status {
        job,
        token: JobToken::from_bits(u128::from(number) << 64),
        owner: has(4).then(|| "ann".into()),
        queue: DestinationName::queue("a.b").expect("a good name"),
        kind: has(0).then(|| "resize".into()),
        keeps_result: has(1),
        is_open: has(2),
        keep_ms: has(3).then_some(number),
        waiters: (0..number % 3).map(waiter).collect(),
        state: JobState::Ready,
        attempt: 0,
        max_deliveries: 16,
        created: Timestamp(number),
        updated: Timestamp(number),
        due: has(0).then_some(Timestamp(number + 1)),
        expires: has(1).then_some(Timestamp(number + 2)),
        started: None,
        finished: None,
        errors: Vec::new(),
        result: None,
    }))
}

/// Something that happens to it.
pub fn reported(job: MessageId, number: u64) -> Record {
    let has = |bit: u64| number >> bit & 1 == 1;
    let state = JobState::ALL[(number % 9) as usize];
    let error = has(1).then(|| {
        let (class, trace) = (has(2).then(|| "IOError".into()), has(3).then(|| "line 1\nline 2".into()));
        Arc::new(JobError { attempt: number as u16, class, message: "broken: a pipe".into(), trace })
    });
    let body = match number % 4 {
        0 => ResultBody::Untold,
        1 => ResultBody::Stored { message: job, sequence: -5 },
        _ => ResultBody::Small(Bytes::from_static(b"{\"a\":\0}")),
    };
    let result = has(0).then(|| JobResult { content_type: has(2).then(|| "text/plain".into()), size: 7, body });
    let queue = has(4).then(|| DestinationName::queue("other").expect("a good name"));
    let due = has(3).then_some(Timestamp(number + 9));
    Record::Reported(Box::new(Report { job, at: Timestamp(number), state, attempt: 3, due, queue, error, result }))
}

/// Somebody who waits for its result.
pub fn attached(job: MessageId, number: u64) -> Record {
    Record::Attached { job, waiter: Box::new(waiter(number)) }
}

fn waiter(number: u64) -> Waiter {
    let to = DestinationName::queue("answers").expect("a good name");
    Waiter { to, correlation: (number > 0).then(|| format!("c:{number}").into()) }
}
