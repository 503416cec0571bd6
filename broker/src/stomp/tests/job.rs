//! Jobs that are followed: how a SEND asks for it, and what is said at their addresses.

use super::*;
use crate::model::{
    Action, DestinationName, Job, JobError, JobEvent, JobName, JobToken, OnDuplicate, Outcome, Progress, SoftRefusal,
    Source, Submission, Tracking, Until,
};
use crate::model::{Nth, Which};

const TOKEN: &str = "00112233-4455-6677-8899-aabbccddeeff";

fn token() -> JobToken {
    TOKEN.parse().expect("a token")
}

fn tracking(headers: &str) -> Option<Tracking> {
    let mut client = Client::speaking("1.2");
    client.says(&format!("SEND\ndestination:/queue/a\n{headers}\n^@"));
    assert!(!client.head().contains("x-"), "what is acted on is not delivered: {}", client.head());
    client.published().message.terms.as_ref().and_then(|terms| terms.tracking.as_deref().cloned())
}

fn said(address: &str, headers: &str, body: &str) -> Job {
    let mut client = Client::speaking("1.2");
    client.says(&format!("SEND\ndestination:{address}\n{headers}\n{body}^@"));
    match client.asked.pop() {
        Some(Request::Job(said)) => *said,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_send_may_ask_to_be_followed() {
    // JOBS 2, 5.17
    assert_eq!(tracking(""), None);
    assert_eq!(tracking("x-track:false\n"), None);
    let wish = tracking("x-track:true\ntype:resize\n").expect("it is followed");
    assert_eq!((wish.token, wish.keeps_result, wish.keep_ms), (None, false, None));
    assert_eq!((wish.kind.as_deref(), wish.is_open), (Some("resize"), false));
    for text in [TOKEN, "00112233445566778899AABBCCDDEEFF"] {
        let headers = format!("x-job-token:{text}\nx-track:result\nx-result-ttl:60000\nx-token-scope:full\n");
        let wish = tracking(&headers).expect("it is followed");
        assert_eq!((wish.token, wish.keeps_result), (Some(token()), true));
        assert_eq!((wish.keep_ms, wish.is_open), (Some(60_000), true));
    }
    assert!(tracking(&format!("x-job-token:{TOKEN}\n")).is_some(), "a token alone is enough");
}

#[test]
fn who_waits_for_the_result_stands_in_reply_to() {
    let wish = tracking("x-track:true\nreply-to:/temp-queue/r\ncorrelation-id:c-7\n").expect("it is followed");
    let waiter = wish.waiter.expect("a waiter");
    assert_eq!((waiter.to.as_str(), waiter.correlation.as_deref()), ("/remote-temp-queue/Tok3n.r", Some("c-7")));
}

#[test]
fn a_job_may_be_wanted_only_as_long_as_somebody_waits() {
    let wish = tracking("x-drop-if-abandoned:true\nreply-to:/temp-queue/r\n").expect("it is followed");
    assert!(wish.drops && wish.waiter.is_some());
    assert_eq!(tracking("x-drop-if-abandoned:false\n"), None);
    let frame = "SEND\ndestination:/queue/a\nx-drop-if-abandoned:true\nreply-to:/queue/r\n\n^@";
    assert_eq!(Client::speaking("1.2").fails_with(frame), "bad-header");
}

#[test]
fn a_wish_to_be_followed_that_makes_no_sense_is_refused() {
    for headers in
        ["x-track:yes", "x-job-token:17", "x-track:true\nx-result-ttl:soon", "x-track:true\nx-token-scope:all"]
    {
        let frame = format!("SEND\ndestination:/queue/a\n{headers}\n\n^@");
        assert_eq!(Client::speaking("1.2").fails_with(&frame), "bad-header", "{headers}");
    }
    let topic = "SEND\ndestination:/topic/a\nx-track:true\n\n^@";
    assert_eq!(Client::speaking("1.2").fails_with(topic), "bad-header");
    let list = format!("SEND\ndestination:/queue/a,/queue/b\nx-job-token:{TOKEN}\n\n^@");
    assert_eq!(Client::speaking("1.2").fails_with(&list), "bad-header");
}

#[test]
fn the_receipt_of_a_submission_names_the_job() {
    let mut client = Client::speaking("1.2");
    let submission = Submission { job: MessageId::from_bits(17), token: Some(token()), is_duplicate: false };
    client.answers.push_back(Ok(Answer::Submitted(submission)));
    let text = client.says("SEND\ndestination:/queue/a\nreceipt:r\n\n^@");
    assert!(text.contains("x-job-id:17\n") && text.contains(&format!("x-job-token:{TOKEN}\n")), "{text}");
    assert!(!text.contains("x-duplicate"));
    client.answers.push_back(Ok(Answer::Submitted(Submission { token: None, is_duplicate: true, ..submission })));
    let text = client.says("SEND\ndestination:/queue/a\nreceipt:r\n\n^@");
    assert!(text.contains("x-duplicate:true\n") && !text.contains("x-job-token"), "{text}");
}

#[test]
fn a_worker_reports_by_token_or_by_message() {
    // JOBS 3, 5.14
    let address = format!("/job/{TOKEN}");
    let through_two = |nth| Which { subscription: Some(SubscriptionId(2)), nth };
    let progress = said(&address, "x-event:progress\nx-progress:3/10\n", "a third");
    assert_eq!(progress.name, JobName::Token(token()));
    let expected = Progress { done: 3, of: 10, text: "a third".into() };
    assert!(matches!(progress.event, JobEvent::Progress(progress) if progress == expected));
    let data = said("/job/7-2", "x-event:warning\ncontent-type:text/plain\n", "hm");
    assert_eq!(data.name, JobName::Delivery { message: MessageId::from_bits(7), which: through_two(Nth::Any) });
    let JobEvent::Data { is_warning: true, content_type, body } = data.event else { panic!("{data:?}") };
    assert_eq!((content_type.as_deref(), &body[..]), (Some("text/plain"), &b"hm"[..]));
    let complete = said(&address, "x-event:complete\nack:7-2\n", "{}");
    let JobEvent::Complete { delivery, content_type: None, body } = complete.event else { panic!("{complete:?}") };
    assert_eq!(delivery, Some((MessageId::from_bits(7), through_two(Nth::Unnumbered))));
    assert_eq!(&body[..], b"{}");
}

#[test]
fn a_failure_has_a_class_a_line_and_a_trace_and_a_verdict() {
    let fail = said(&format!("/job/{TOKEN}"), "x-event:fail\nx-error-class:IOError\nx-delay:5\n", "no disk\n at f\n");
    let JobEvent::Fail { outcome, error } = fail.event else { panic!("{fail:?}") };
    assert_eq!(outcome, Outcome::Retry { reason: Some("no disk".into()), delay_ms: Some(5) });
    let (class, trace) = (Some("IOError".into()), Some("no disk\n at f\n".into()));
    assert_eq!(error, JobError { attempt: 0, class, message: "no disk".into(), trace });
    let bury = said("/job/7", "x-event:fail\nx-bury:true\n", "");
    assert!(matches!(bury.event, JobEvent::Fail { outcome: Outcome::Bury, .. }));
}

#[test]
fn a_nack_with_more_than_a_reason_is_a_failure_of_its_job() {
    let nack = |headers: &str| {
        let mut client = Client::speaking("1.2");
        client.says(&format!("NACK\nid:7\n{headers}\n^@"));
        client.asked.pop()
    };
    assert!(matches!(nack("x-error:no\n"), Some(Request::Settle(_))), "a reason is enough for a verdict");
    let Some(Request::Job(said)) = nack("x-error:no\nx-error-class:IOError\n") else { panic!("a job") };
    let JobEvent::Fail { outcome, error } = said.event else { panic!("a failure") };
    assert_eq!(outcome, Outcome::Retry { reason: Some("IOError: no".into()), delay_ms: None });
    assert_eq!((&*error.message, error.class.as_deref(), error.trace), ("no", Some("IOError"), None));
}

#[test]
fn what_is_said_in_a_transaction_is_said_with_it() {
    // JOBS 5.14
    let mut client = Client::speaking("1.2");
    client.says("BEGIN\ntransaction:t\n\n^@");
    client.says(&format!("SEND\ndestination:/job/{TOKEN}\nx-event:complete\ntransaction:t\n\nresult^@"));
    assert!(client.asked.is_empty());
    client.says("COMMIT\ntransaction:t\n\n^@");
    let Some(Request::Commit(actions)) = client.asked.pop() else { panic!("a commit") };
    assert!(matches!(&actions[..], [Action::Job(said)] if matches!(said.event, JobEvent::Complete { .. })));
}

#[test]
fn what_cannot_be_meant_at_a_job_is_refused_softly() {
    // JOBS 5.12, 5.14
    let long = "x".repeat((1 << 20) + 1);
    for (headers, body, expected) in [
        ("x-event:progress\n", "", SoftRefusal::BadRequest),
        ("x-event:progress\nx-progress:most\n", "", SoftRefusal::BadRequest),
        ("x-event:progress\nx-progress:2/1\n", "", SoftRefusal::BadRequest),
        ("x-event:complete\nack:?\n", "", SoftRefusal::NotHolder),
        ("x-event:complete\n", &long, SoftRefusal::TooLarge),
    ] {
        let mut client = Client::speaking("1.2");
        client.says(&format!("SEND\ndestination:/job/{TOKEN}\n{headers}\n{body}^@"));
        let is_it = matches!(client.asked.last(), Some(Request::Decline(refusal)) if *refusal == expected);
        assert!(is_it, "{headers}: {:?}", client.asked.last());
    }
}

#[test]
fn a_send_may_be_the_only_one_of_its_kind() {
    // JOBS 5.18
    let unique = |headers: &str| {
        let mut client = Client::speaking("1.2");
        client.says(&format!("SEND\ndestination:/queue/a\n{headers}\n^@"));
        assert!(!client.head().contains("x-"), "{}", client.head());
        client.published().message.terms.as_ref().and_then(|terms| terms.unique.as_deref().cloned())
    };
    assert_eq!(unique("x-unique-until:start\n"), None, "without a key it means nothing");
    let plain = unique("x-unique:k\n").expect("it is unique");
    assert_eq!((&*plain.key, plain.until, plain.on_duplicate), ("k", Until::Done, OnDuplicate::Attach));
    let timed = unique("x-unique:k\nx-unique-until:5\nx-on-duplicate:replace\n").expect("it is unique");
    assert_eq!(timed.until, Until::Moment(Timestamp(1_700_000_000_005)));
    assert_eq!(timed.on_duplicate, OnDuplicate::Replace);
    for headers in ["x-unique:k\nx-unique-until:soon", "x-unique:k\nx-on-duplicate:maybe"] {
        let frame = format!("SEND\ndestination:/queue/a\n{headers}\n\n^@");
        assert_eq!(Client::speaking("1.2").fails_with(&frame), "bad-header", "{headers}");
    }
    let frame = "SEND\ndestination:/topic/a\nx-unique:k\n\n^@";
    assert_eq!(Client::speaking("1.2").fails_with(frame), "bad-header");
}

#[test]
fn a_job_is_watched_at_its_address() {
    let mut client = Client::speaking("1.2");
    client.says(&format!("SUBSCRIBE\nid:1\ndestination:/job/{}\n\n^@", TOKEN.to_uppercase()));
    let Some(Request::Subscribe(wish)) = client.asked.last() else { panic!("{:?}", client.asked) };
    assert_eq!(wish.to, Source::Name(DestinationName::job(token())));
    client.says(&format!("UNSUBSCRIBE\ndestination:/job/{TOKEN}\n\n^@"));
    assert!(matches!(client.asked.last(), Some(Request::Unsubscribe(_))));
    let frame = "SUBSCRIBE\nid:1\ndestination:/job/17\n\n^@";
    assert_eq!(Client::speaking("1.2").fails_with(frame), "bad-header");
}
