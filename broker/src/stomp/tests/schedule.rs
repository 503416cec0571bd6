//! SENDs that are to be sent again and again.

use super::{Client, Right, all_but};
use crate::model::Answer;
use crate::model::Cron;
use crate::model::MessageId;
use crate::model::Request;
use crate::model::Retain;
use crate::model::Schedule;
use crate::model::ShardId;
use crate::model::Terms;
use crate::model::Timestamp;

/// The time of these tests, which is 22:13:20 UTC.
const NOW: u64 = 1_700_000_000_000;

fn sent(to: &str, headers: &str) -> Client {
    let mut client = Client::speaking("1.2");
    client.says(&format!("SEND\ndestination:{to}\n{headers}\n\nbody^@"));
    assert!(client.farewell.is_none(), "{headers}: {:?}", client.farewell);
    client
}

fn terms(headers: &str) -> Terms {
    sent("/queue/a", headers).published().message.terms.as_deref().cloned().expect("terms")
}

fn plan(headers: &str) -> Schedule {
    let terms = terms(headers);
    let schedule = *terms.schedule.expect("a schedule");
    assert_eq!(terms.due, Some(schedule.next), "{headers}");
    schedule
}

fn refused(headers: &str) -> (String, String) {
    let mut client = Client::speaking("1.2");
    let code = client.fails_with(&format!("SEND\ndestination:/queue/a\n{headers}\n\n^@"));
    (code, client.farewell.expect("an end").words)
}

#[test]
fn a_period_alone_repeats_for_ever_and_begins_after_one_period() {
    // JOBS 5.23
    let plan = plan("AMQ_SCHEDULED_PERIOD:1000");
    assert_eq!((plan.period_ms, plan.repeat, plan.left, plan.next), (Some(1000), None, None, Timestamp(NOW + 1000)));
}

#[test]
fn a_repeat_is_so_many_more_and_minus_one_has_no_end() {
    let some = plan("AMQ_SCHEDULED_DELAY:50\nAMQ_SCHEDULED_PERIOD:1000\nAMQ_SCHEDULED_REPEAT:9");
    assert_eq!((some.repeat, some.left, some.next), (Some(9), Some(9), Timestamp(NOW + 50)));
    assert_eq!(plan("AMQ_SCHEDULED_PERIOD:1000\nAMQ_SCHEDULED_REPEAT:-1").repeat, None);
    assert_eq!(plan("AMQ_SCHEDULED_PERIOD:1000\nAMQ_SCHEDULED_REPEAT:0").repeat, Some(0));
}

#[test]
fn a_cron_expression_counts_on_the_clocks_of_its_zone() {
    let utc = plan("AMQ_SCHEDULED_CRON:0 9 * * *");
    let cron = |zone: &str| Some(Cron { expression: "0 9 * * *".into(), zone: zone.into() });
    assert_eq!((utc.next.0 - NOW, utc.cron, utc.left), ((10 * 60 + 46) * 60_000 + 40_000, cron("UTC"), Some(0)));
    let berlin = plan("AMQ_SCHEDULED_CRON:0 9 * * *\nx-cron-zone:Europe/Berlin");
    assert_eq!((berlin.next, berlin.cron), (Timestamp(utc.next.0 - 3_600_000), cron("Europe/Berlin")));
}

#[test]
fn behind_a_cron_expression_delay_and_period_count_from_its_time() {
    let plan = plan(
        "AMQ_SCHEDULED_CRON:0 * * * *\nAMQ_SCHEDULED_DELAY:500\nAMQ_SCHEDULED_PERIOD:1000\nAMQ_SCHEDULED_REPEAT:9",
    );
    assert_eq!((plan.delay_ms, plan.period_ms, plan.left), (500, Some(1000), Some(9)));
    assert_eq!(plan.next.0 - NOW, 46 * 60_000 + 40_000 + 500);
}

#[test]
fn a_name_makes_a_schedule_of_a_single_message_too() {
    let once = plan("x-schedule:nightly\nx-delay:10");
    assert_eq!((once.name.as_deref(), once.left, once.next), (Some("nightly"), Some(0), Timestamp(NOW + 10)));
    assert_eq!(plan("x-schedule:n\nx-at:2020-01-01T00\\c00\\c00Z").next, Timestamp(NOW), "that was yesterday");
    assert_eq!(terms("x-delay:10").schedule, None, "one that has no name is a message that waits");
}

#[test]
fn a_delay_on_a_topic_is_a_schedule_for_a_topic_keeps_nothing() {
    let client = sent("/topic/t", "x-delay:10\nretain:set\npersistent:false");
    let publish = client.published();
    assert_eq!((publish.to.as_str(), publish.retain), ("/schedules/topic/t", None));
    let plan = publish.message.terms.as_ref().and_then(|terms| terms.schedule.as_deref()).expect("a schedule");
    assert_eq!((plan.left, plan.retain, plan.is_transient), (Some(0), Some(Retain::Set), true));
}

#[test]
fn what_is_stored_says_nothing_of_the_schedule_and_has_no_time_of_its_own() {
    let client = sent("/queue/a", "AMQ_SCHEDULED_PERIOD:1000\nx-schedule:n\nfoo:bar\nscheduledJobId:7");
    assert_eq!(client.head(), "destination:/queue/a\nfoo:bar\n");
    assert!(sent("/queue/a", "AMQ_SCHEDULED_PERIOD:1000\ntimestamp:5").head().contains("timestamp:5"));
}

#[test]
fn a_life_counts_from_each_sending_and_an_end_is_the_end_of_all() {
    let terms = terms("AMQ_SCHEDULED_PERIOD:1000\nttl:30\nx-max-deliveries:2");
    assert_eq!((terms.expires, terms.max_deliveries), (None, Some(2)));
    assert_eq!(terms.schedule.expect("a schedule").life_ms, Some(30));
    let ends = self::terms(&format!("AMQ_SCHEDULED_PERIOD:1000\nexpires:{}", NOW + 5000));
    assert_eq!(ends.expires, Some(Timestamp(NOW + 5000)));
}

#[test]
fn what_asks_for_nothing_is_no_schedule() {
    let client = sent("/queue/a", "AMQ_SCHEDULED_PERIOD:0\nAMQ_SCHEDULED_REPEAT:0\nAMQ_SCHEDULED_CRON:");
    assert_eq!((client.published().message.terms.as_deref(), client.published().to.as_str()), (None, "/queue/a"));
}

#[test]
fn a_malformed_value_is_refused_with_what_is_allowed() {
    // JOBS 5.15
    for (headers, allowed) in [
        ("AMQ_SCHEDULED_PERIOD:soon", "milliseconds"),
        ("AMQ_SCHEDULED_PERIOD:999", "1000 milliseconds or more (limits.schedule_period)"),
        ("AMQ_SCHEDULED_PERIOD:1000\nAMQ_SCHEDULED_REPEAT:-2", "-1 for no end"),
        ("AMQ_SCHEDULED_REPEAT:5", "AMQ_SCHEDULED_PERIOD beside it"),
        ("AMQ_SCHEDULED_CRON:* * * *", "five fields"),
        ("AMQ_SCHEDULED_CRON:* * * * * *", "five fields"),
        ("AMQ_SCHEDULED_CRON:0 0 30 2 *", "a time that comes"),
        ("AMQ_SCHEDULED_CRON:* * * * *\nx-cron-zone:Mars/Olympus", "Europe/Berlin"),
        ("AMQ_SCHEDULED_CRON:* * * * *\nx-at:2040-01-01T00\\c00\\c00Z", "not a moment"),
        ("x-cron-zone:UTC", "AMQ_SCHEDULED_CRON beside it"),
        ("x-schedule:lonely", "a time beside it"),
    ] {
        let (code, words) = refused(headers);
        assert_eq!(code, "bad-header", "{headers}");
        assert!(words.contains(allowed), "{headers}: {words}");
    }
    assert_eq!(refused(&format!("x-delay:5\nx-schedule:{}", "n".repeat(256))).0, "bad-header");
}

#[test]
fn a_temporary_destination_has_no_schedules() {
    let frame = "SEND\ndestination:/temp-queue/a\nAMQ_SCHEDULED_PERIOD:1000\n\n^@";
    assert_eq!(Client::speaking("1.2").fails_with(frame), "not-supported");
}

#[test]
fn the_receipt_names_the_schedule() {
    let mut client = Client::speaking("1.2");
    client.answers.push_back(Ok(Answer::Scheduled(MessageId::new(ShardId::default(), 7))));
    let heard = client.says("SEND\ndestination:/queue/a\nreceipt:1\nAMQ_SCHEDULED_PERIOD:1000\n\n^@");
    assert_eq!(heard, "RECEIPT\nreceipt-id:1\nx-job-id:7\n\n^@\n");
}

#[test]
fn the_right_to_write_is_that_of_the_destination_also_at_the_end_of_a_transaction() {
    let mut client = Client::new();
    client.login = Ok(all_but(&[("/queue/secret", Right::Write)]));
    let mut client = client.connect("1.2");
    client.says("BEGIN\ntransaction:t\n\n^@SEND\ndestination:/queue/a\ntransaction:t\nAMQ_SCHEDULED_PERIOD:1000\n\n^@");
    client.says("COMMIT\ntransaction:t\n\n^@");
    assert!(matches!(client.asked.last(), Some(Request::Commit(actions)) if actions.len() == 1));
    let frame = "SEND\ndestination:/queue/secret\nAMQ_SCHEDULED_PERIOD:1000\n\n^@";
    assert_eq!(client.fails_with(frame), "forbidden");
}
