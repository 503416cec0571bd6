//! ACK and NACK, as every kind of client writes them.

use super::Client;
use crate::model::Answer;
use crate::model::JobEvent;
use crate::model::MessageId;
use crate::model::Nth;
use crate::model::Outcome;
use crate::model::Request;
use crate::model::SoftRefusal;
use crate::model::SubscriptionId;
use crate::model::Urgency;

fn subscribed(version: &str) -> Client {
    let mut client = Client::speaking(version);
    client.says("SUBSCRIBE\nid:one\ndestination:/queue/a\nack:client\n\n^@");
    client.says("SUBSCRIBE\nid:two\ndestination:/queue/a\nack:client-individual\n\n^@");
    client
}

fn settles(version: &str, headers: &str) -> (u64, Option<u32>) {
    let mut client = subscribed(version);
    client.says(&format!("ACK\n{headers}\n^@"));
    assert!(client.farewell.is_none(), "{headers}: {:?}", client.farewell);
    let settle = client.settled();
    assert_eq!(settle.outcome, Outcome::Ack);
    (settle.message.to_bits(), settle.which.subscription.map(|number| number.0))
}

#[test]
fn the_message_is_named_by_id_ack_or_message_id_in_every_version() {
    // 69, 70
    for version in ["1.0", "1.1", "1.2"] {
        assert_eq!(settles(version, "id:7\n"), (7, None));
        assert_eq!(settles(version, "ack:7\n"), (7, None));
        assert_eq!(settles(version, "message-id:7\n"), (7, None));
        assert_eq!(settles(version, "message-id:7\nsubscription:two\n"), (7, Some(2)));
        // stompit: all three
        assert_eq!(settles(version, "subscription:one\nmessage-id:7\nid:7\n"), (7, Some(1)));
        assert_eq!(settles(version, "subscription:one\nmessage-id:7\nid:7-2\n"), (7, Some(2)));
    }
}

#[test]
fn a_suffix_says_which_subscription_where_a_message_is_held_twice() {
    // 70
    assert_eq!(settles("1.2", "id:7-2\n"), (7, Some(2)));
}

#[test]
fn a_message_sent_back_whole_is_understood() {
    // 70: PECL; the application's own id does not confuse it
    let headers = "destination:/queue/a\nid:42\nmessage-id:7\nack:7-2\nsubscription:two\ncontent-length:0\n";
    assert_eq!(settles("1.2", headers), (7, Some(2)));
    assert_eq!(settles("1.0", "destination:/queue/a\nid:42\nmessage-id:7\n"), (7, None));
    assert_eq!(settles("1.0", "id:order\nmessage-id:7\n"), (7, None));
}

#[test]
fn a_1_0_subscription_without_an_id_may_be_named_by_its_destination() {
    // 63, 69
    let mut client = Client::speaking("1.0");
    client.says("SUBSCRIBE\ndestination:a\nack:client\n\n^@ACK\nmessage-id:7\nsubscription:a\n\n^@");
    assert_eq!(client.settled().which.subscription, Some(SubscriptionId(1)));
}

#[test]
fn a_subscription_that_has_ended_is_not_mistaken_for_another() {
    // 68, A11: the number 0 is nobody's
    let mut client = subscribed("1.1");
    client.says("UNSUBSCRIBE\nid:two\n\n^@ACK\nmessage-id:7\nsubscription:two\n\n^@");
    assert_eq!(client.settled().which.subscription, Some(SubscriptionId(0)));
}

#[test]
fn what_no_message_of_ours_ever_said_is_an_error() {
    // 76, A11
    for id in [
        "",
        "x",
        "-1",
        "07",
        "7-",
        "7-x",
        "-7",
        "7-0",
        "7-02",
        "+7",
        "18446744073709551616",
        "7-4294967296",
        "a-b-c",
        "7-2-0",
        "7-2-x",
        "7-2-",
        "7-2-03",
        "7-2-3-4",
    ] {
        let mut client = subscribed("1.2");
        assert_eq!(client.fails_with(&format!("ACK\nid:{id}\nreceipt:r\n\n^@")), "unknown-delivery", "{id}");
        assert_eq!(client.asked.len(), 2);
    }
    assert_eq!(subscribed("1.2").fails_with("ACK\nreceipt:r\n\n^@"), "missing-header");
    assert_eq!(subscribed("1.1").fails_with("ACK\nsubscription:one\n\n^@"), "missing-header");
}

#[test]
fn what_this_connection_was_never_given_is_refused_softly() {
    // 76, 34: it may be from before a reconnect
    let mut client = subscribed("1.2");
    client.answers.push_back(Ok(Answer::Soft(SoftRefusal::Unknown)));
    assert_eq!(client.says("ACK\nid:7\nreceipt:r\n\n^@"), "RECEIPT\nreceipt-id:r\nx-refused:unknown\n\n^@\n");
    assert!(client.farewell.is_none());
}

#[test]
fn an_ack_of_1_2_names_one_delivery_and_a_message_id_the_one_that_is_out() {
    // 70, 76
    let nth = |version, headers: &str| {
        let mut client = subscribed(version);
        client.says(&format!("ACK\n{headers}\n^@"));
        client.settled().which.nth
    };
    assert_eq!(nth("1.2", "id:7\n"), Nth::Unnumbered);
    assert_eq!(nth("1.2", "id:7-2-5\n"), Nth::Number(5));
    // Before 1.2 there is no such header, and what stands in the message is its message-id.
    for version in ["1.0", "1.1"] {
        assert_eq!(nth(version, "id:7\n"), Nth::Any);
        assert_eq!(nth(version, "message-id:7\nsubscription:two\n"), Nth::Any);
        // What is sent back whole has it.
        assert_eq!(nth(version, "message-id:7\nack:7-2-5\n"), Nth::Number(5));
    }
    assert_eq!(nth("1.2", "message-id:7\n"), Nth::Any);
}

#[test]
fn a_late_ack_gets_its_receipt_with_the_reason_why_it_did_not_count() {
    // 34, 68, 76
    let mut client = subscribed("1.2");
    client.answers.extend([Ok(Answer::Soft(SoftRefusal::NotHolder)), Ok(Answer::Soft(SoftRefusal::NotHolder))]);
    assert_eq!(client.says("ACK\nid:7\nreceipt:r\n\n^@"), "RECEIPT\nreceipt-id:r\nx-refused:not-holder\n\n^@\n");
    assert_eq!(client.says("ACK\nid:7\n\n^@"), "");
    assert!(client.farewell.is_none());
}

fn nacks(headers: &str) -> Outcome {
    let mut client = subscribed("1.0");
    client.says(&format!("NACK\nmessage-id:7\n{headers}\n^@"));
    assert!(client.farewell.is_none(), "{headers}: {:?}", client.farewell);
    match client.asked.last() {
        // One that names a class says more than a verdict.
        Some(Request::Job(said)) => match &said.event {
            JobEvent::Fail { outcome, .. } => outcome.clone(),
            other => panic!("{other:?}"),
        },
        _ => client.settled().outcome.clone(),
    }
}

#[test]
fn a_nack_retries_unless_it_says_requeue_false() {
    // 73, in 1.0 too; DESIGN 5
    assert_eq!(nacks(""), Outcome::Retry { reason: None, delay_ms: None });
    assert_eq!(nacks("requeue:true\n"), Outcome::Retry { reason: None, delay_ms: None });
    assert_eq!(nacks("requeue:false\n"), Outcome::DeadLetter { reason: None });
}

#[test]
fn the_reason_of_a_nack_is_kept_on_one_line_of_256_octets() {
    // JOBS 2; A14
    let reason = |text: &str| Some(text.into());
    assert_eq!(nacks("reason:no disk\n"), Outcome::Retry { reason: reason("no disk"), delay_ms: None });
    assert_eq!(nacks("x-error:E1\nreason:r\nrequeue:false\n"), Outcome::DeadLetter { reason: reason("E1") });
    let mut client = subscribed("1.2");
    client.says(&format!("NACK\nid:7\nx-error:a\\nb\\r{}\n\n^@", "ż".repeat(200)));
    let Outcome::Retry { reason: Some(text), .. } = client.settled().outcome.clone() else { panic!("a reason") };
    assert_eq!(&*text, format!("a b {}", "ż".repeat(126)));
}

#[test]
fn a_nack_says_when_to_try_again_or_that_nobody_shall() {
    // JOBS 5.2, 5.15
    let after = |delay_ms| Outcome::Retry { reason: None, delay_ms };
    assert_eq!(nacks("x-delay:1000\n"), after(Some(1000)));
    assert_eq!(nacks("delay:70\n"), after(Some(70)));
    assert_eq!(nacks("x-delay:0\ndelay:70\n"), after(Some(0)), "at once");
    assert_eq!(nacks("delay:none\nx-bury:false\nx-delay:\n"), after(None));
    assert_eq!(nacks("x-delay:5\nrequeue:false\n"), Outcome::DeadLetter { reason: None });
    assert_eq!(nacks("x-delay:5\nrequeue:false\nx-bury:true\n"), Outcome::Bury);
    assert_eq!(subscribed("1.2").fails_with("NACK\nid:7\nx-delay:soon\n\n^@"), "bad-header");
}

#[test]
fn a_nack_may_give_the_message_another_urgency() {
    // JOBS 2, 5.15, 5.16
    let ranked = |urgency, outcome| Outcome::Ranked { urgency: Urgency(urgency), outcome: Box::new(outcome) };
    let again = || Outcome::Retry { reason: None, delay_ms: None };
    assert_eq!(nacks("x-urgency:7\n"), ranked(7, again()));
    assert_eq!(nacks("priority:9\n"), ranked(0, again()));
    assert_eq!(nacks("priority:9\nx-urgency:7\nx-bury:true\n"), ranked(7, Outcome::Bury));
    assert_eq!(nacks("priority:9\ndestination:/queue/a\n"), again(), "a MESSAGE sent back whole asks for nothing");
    assert_eq!(subscribed("1.2").fails_with("NACK\nid:7\nx-urgency:urgent\n\n^@"), "bad-header");
}

#[test]
fn a_nack_may_name_the_class_of_its_failure() {
    let reason = |text: &str| Some(text.into());
    let after = |text| Outcome::Retry { reason: reason(text), delay_ms: None };
    assert_eq!(nacks("x-error-class:TimeoutError\n"), after("TimeoutError"));
    assert_eq!(nacks("x-error-class:TimeoutError\nx-error:after 5 s\n"), after("TimeoutError: after 5 s"));
}

#[test]
fn the_engine_is_told_which_message_and_nothing_is_remembered() {
    // 71, 72: what an ACK covers is the engine's to say
    let mut client = subscribed("1.2");
    client.says("ACK\nid:18446744073709551615\n\n^@ACK\nid:18446744073709551615\n\n^@");
    assert_eq!(client.settled().message, MessageId::from_bits(u64::MAX));
    assert_eq!(client.asked.len(), 4);
}

/// What came of an event that was sent to a job.
fn event(address: &str, headers: &str) -> Client {
    let mut client = subscribed("1.2");
    client.says(&format!("SEND\ndestination:{address}\nreceipt:r\n{headers}\n^@"));
    client
}

#[test]
fn a_job_is_touched_at_its_own_address() {
    // JOBS 4, 5.6
    for (address, headers, expected) in [
        ("/job/7", "x-event:touch\n", (7, None, None)),
        ("/job/7-2", "x-event:touch\nx-ttr:1000\n", (7, Some(2), Some(1000))),
    ] {
        let client = event(address, headers);
        let Some(Request::Touch(touch)) = client.asked.last() else { panic!("{:?}", client.asked) };
        let subscription = touch.which.subscription.map(|number| number.0);
        assert_eq!((touch.message.to_bits(), subscription, touch.time_to_run_ms), expected);
    }
}

#[test]
fn what_makes_no_sense_at_a_job_is_refused_softly() {
    // JOBS 5.12
    for (address, headers, expected) in [
        ("/job/nobody", "x-event:touch\n", SoftRefusal::Unknown),
        ("/job/7", "", SoftRefusal::BadRequest),
        ("/job/7", "x-event:dance\n", SoftRefusal::BadRequest),
    ] {
        let client = event(address, headers);
        let is_it = matches!(client.asked.last(), Some(Request::Decline(refusal)) if *refusal == expected);
        assert!(is_it, "{address} {headers}: {:?}", client.asked.last());
    }
    let frame = "SEND\ndestination:/job/7\nx-event:touch\nx-ttr:7\n\n^@";
    assert_eq!(subscribed("1.2").fails_with(frame), "bad-header");
}

#[test]
fn a_consumer_may_set_the_time_of_its_leases() {
    // JOBS 2, 5.6
    let wish = |headers: &str| {
        let mut client = Client::speaking("1.2");
        client.says(&format!("SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client\n{headers}\n^@"));
        match client.asked.last() {
            Some(Request::Subscribe(wish)) => wish.time_to_run_ms,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((wish("x-ttr:100\n"), wish("x-ttr:\n"), wish("")), (Some(100), None, None));
    let frame = "SUBSCRIBE\nid:1\ndestination:/queue/a\nx-ttr:50\n\n^@";
    assert_eq!(Client::speaking("1.2").fails_with(frame), "bad-header");
}
