//! Rows of jobs, the order in which they are forgotten, what is kept of data, and what waits for the log.

use bytes::Bytes;
use serde_json::Value;

use super::{Book, Limits, Outbox, Row, document, event, unknown};
use crate::model::{
    DestinationName, JobResult, JobState, JobToken, MessageId, Progress, Report, ResultBody, ShardId, Status, Ticket,
    Timestamp,
};

fn id(sequence: u64) -> MessageId {
    MessageId::new(ShardId::default(), sequence)
}

fn status(sequence: u64) -> Status {
    Status {
        job: id(sequence),
        token: JobToken::from_bits(sequence.into()),
        owner: None,
        queue: DestinationName::queue("a").expect("a good name"),
        kind: Some("resize".into()),
        keeps_result: true,
        is_open: false,
        keep_ms: None,
        waiters: Vec::new(),
        state: JobState::Ready,
        attempt: 0,
        max_deliveries: 16,
        created: Timestamp(1),
        updated: Timestamp(1),
        due: None,
        expires: None,
        started: None,
        finished: None,
        errors: Vec::new(),
        result: None,
    }
}

fn report(sequence: u64, at: u64, state: JobState) -> Report {
    Report {
        job: id(sequence),
        at: Timestamp(at),
        state,
        attempt: 1,
        due: None,
        queue: None,
        error: None,
        result: None,
    }
}

fn book(jobs: u64) -> Book {
    let mut book = Book::default();
    (1..=jobs).for_each(|sequence| book.insert(status(sequence), true));
    book
}

fn parsed(document: &str) -> Value {
    serde_json::from_str(document).expect("JSON")
}

#[test]
fn a_job_is_found_by_message_and_by_token_until_it_is_forgotten() {
    let mut book = book(2);
    assert_eq!(book.find(JobToken::from_bits(2)).map(|row| row.status.job), Some(id(2)));
    assert_eq!((book.newest(id(2)), book.newest(id(1))), (Some(JobToken::from_bits(2)), None));
    book.forget(id(2));
    assert!(book.find(JobToken::from_bits(2)).is_none() && book.get(id(2)).is_none());
    book.forget(id(1));
    assert!(book.is_empty());
}

#[test]
fn a_status_is_kept_a_day_and_that_of_a_failure_a_week() {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    let mut book = book(3);
    book.report(&report(1, 1000, JobState::Failed));
    book.report(&report(2, 2000, JobState::Completed));
    assert_eq!(book.deadline(), Some(Timestamp(2000 + DAY)));
    assert_eq!(book.spent(Timestamp(1999 + DAY)), None);
    assert_eq!(book.spent(Timestamp(2000 + DAY)), Some(id(2)));
    book.forget(id(2));
    assert_eq!(book.deadline(), Some(Timestamp(1000 + 7 * DAY)));
    book.report(&report(1, 3000, JobState::Ready));
    assert_eq!(book.deadline(), None, "it lives again");
}

#[test]
fn what_ended_first_gives_way_first_and_what_lives_never() {
    let limits = Limits { records: 2, ..Limits::default() };
    let mut book = book(3);
    assert!(book.is_over(limits) && book.oldest().is_none() && !book.has_room(limits));
    book.report(&report(3, 10, JobState::Cancelled));
    book.report(&report(1, 20, JobState::Completed));
    assert!(book.has_room(limits));
    assert_eq!(book.oldest(), Some(id(3)));
    book.forget(id(3));
    assert_eq!((book.oldest(), book.is_over(limits)), (Some(id(1)), false));
}

#[test]
fn somebody_is_told_how_far_a_job_is_ten_times_a_second_at_most() {
    let mut book = book(1);
    let progress = |done| Progress { done, of: 10, text: "".into() };
    assert!(book.set_progress(id(1), progress(1), Timestamp(1000)), "at once");
    assert!(!book.set_progress(id(1), progress(2), Timestamp(1020)));
    assert!(!book.set_progress(id(1), progress(3), Timestamp(1090)));
    assert_eq!((book.deadline(), book.overdue(Timestamp(1099))), (Some(Timestamp(1100)), None));
    assert_eq!(book.overdue(Timestamp(1100)), Some(id(1)));
    assert_eq!(book.overdue(Timestamp(1300)), None, "once");
    assert_eq!(book.get(id(1)).and_then(|row| row.progress.clone()), Some(progress(3)), "the last value counts");
}

#[test]
fn the_end_of_the_data_is_kept_and_the_oldest_job_loses_its_own_first() {
    let limits = Limits { data_bytes: Row::DATA_BYTES + 10, ..Limits::default() };
    let mut book = book(2);
    book.append(id(1), &[b'a'; 5], limits);
    book.append(id(1), &vec![b'b'; Row::DATA_BYTES - 2], limits);
    let kept = book.get(id(1)).expect("a job").data().clone();
    assert_eq!((kept.len(), &kept[..3]), (Row::DATA_BYTES, &b"aab"[..]));
    book.append(id(2), &[b'c'; 11], limits);
    assert!(book.get(id(1)).expect("a job").data().is_empty());
    assert_eq!(book.get(id(2)).expect("a job").data().len(), 11);
}

#[test]
fn a_document_says_what_is_known_and_its_public_form_neither_token_nor_result() {
    let mut book = book(1);
    let body = ResultBody::Small(Bytes::from_static(b"{\"width\":7}"));
    let result = JobResult { content_type: Some("application/json".into()), size: 11, body };
    book.report(&Report { result: Some(result), ..report(1, 50, JobState::Completed) });
    let row = book.get(id(1)).expect("a job");
    let document = parsed(&document(row, true));
    assert_eq!((&document["state"], &document["raw_state"]), (&"completed".into(), &"DONE".into()));
    assert_eq!((&document["finished_at"], &document["type"]), (&50.into(), &"resize".into()));
    assert_eq!((&document["result"]["inline"]["width"], &document["result"]["kept"]), (&7.into(), &true.into()));
    let public = parsed(&event("completed", (id(1), "/queue/a", JobState::Completed, 1), None, Some(row)));
    assert_eq!((&public["event"], &public["queue"]), (&"completed".into(), &"/queue/a".into()));
    assert!(public.get("token").is_none() && public.get("result").is_none());
    assert_eq!(parsed(&unknown(JobToken::from_bits(1)))["state"], "unknown");
}

#[test]
fn nothing_is_told_before_the_log_has_it() {
    let mut outbox = Outbox::default();
    assert!(outbox.is_clear());
    outbox.change();
    outbox.push("one");
    outbox.appended(Ticket(5));
    outbox.push("two");
    outbox.change();
    outbox.push("three");
    outbox.appended(Ticket(7));
    assert_eq!(outbox.pop(Ticket(4)), None);
    assert_eq!((outbox.pop(Ticket(5)), outbox.pop(Ticket(5)), outbox.pop(Ticket(5))), (Some("one"), Some("two"), None));
    assert!(!outbox.is_clear());
    assert_eq!((outbox.pop(Ticket(7)), outbox.pop(Ticket(7))), (Some("three"), None));
    assert!(outbox.is_clear());
}
