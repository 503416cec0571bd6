//! MESSAGE and RECEIPT, octet by octet.

use std::sync::Arc;

use super::{Client, delivery, facts};
use crate::model::Burst;
use crate::model::Content;
use crate::model::DeathNote;
use crate::model::DeathReason;
use crate::model::Delivery;
use crate::model::DestinationName;
use crate::model::Lease;
use crate::model::Timestamp;
use crate::stomp::{Options, PeerFacts};

const HEAD: &str = "destination:/queue/a\ncontent-type:text/plain\nfoo:bar\n";

fn reading(version: &str, ack: &str) -> Client {
    let mut client = Client::speaking(version);
    client.says(&format!("SUBSCRIBE\nid:s\\c1\ndestination:/queue/a\nack:{ack}\n\n^@"));
    client
}

#[test]
fn our_headers_come_first_and_the_users_follow_in_order() {
    // 74, 87, 89, 90; output rules 3 and 4
    let heard = reading("1.2", "client").gets(&delivery(1, 7), HEAD, "hello");
    assert_eq!(
        heard,
        "MESSAGE\nsubscription:s\\c1\nmessage-id:7\nack:7\ncontent-length:5\n\
         destination:/queue/a\ncontent-type:text/plain\nfoo:bar\n\nhello^@\n"
    );
}

#[test]
fn in_auto_mode_there_is_no_ack_header() {
    // 74
    for version in ["1.0", "1.1", "1.2"] {
        let heard = reading(version, "auto").gets(&Delivery { auto: true, ..delivery(1, 7) }, HEAD, "x");
        assert!(heard.contains("\nmessage-id:7\n") && !heard.contains("\nack:"), "{heard}");
    }
}

#[test]
fn a_message_held_twice_has_acks_that_tell_the_two_apart() {
    // 70
    let mut client = reading("1.2", "client");
    client.says("SUBSCRIBE\nid:2\ndestination:/queue/a\nack:client\n\n^@");
    let heard = client.gets(&Delivery { held_twice: true, ..delivery(2, 7) }, HEAD, "");
    assert!(heard.contains("\nmessage-id:7\nack:7-2\n"), "{heard}");
    client.says("ACK\nid:7-2\n\n^@");
    assert_eq!(client.settled().which.subscription.map(|number| number.0), Some(2));
}

#[test]
fn a_delivery_that_may_have_earlier_ones_has_an_ack_of_its_own() {
    // 70, 76
    let mut client = reading("1.2", "client");
    let again = Delivery { is_numbered: true, redelivered: true, ..delivery(1, 7) };
    let heard = client.gets(&again, HEAD, "");
    let expected = format!("\nmessage-id:7\nack:7-1-{}\n", again.number);
    assert!(heard.contains(&expected), "{heard}");
}

#[test]
fn redelivery_is_said_only_when_it_is_one() {
    // 77; output rule 3; NMS takes the presence of the header for true
    let mut client = reading("1.1", "client");
    assert!(!client.gets(&delivery(1, 7), HEAD, "").contains("deliver"));
    let again = Delivery { redelivered: true, attempt: 3, ..delivery(1, 7) };
    let heard = client.gets(&again, HEAD, "");
    assert!(heard.contains("\nredelivered:true\ndelivery-count:3\nJMSXDeliveryCount:3\n"), "{heard}");
}

#[test]
fn a_lease_says_its_job_its_count_and_its_end() {
    // JOBS 5.6
    let mut client = reading("1.2", "client");
    let bound = client.gets(&Delivery { lease: Lease::Bound, ..delivery(1, 7) }, HEAD, "");
    assert!(bound.contains("\ndelivery-count:1\nx-job-id:7\n") && !bound.contains("x-lease-until"), "{bound}");
    let lease = Lease::Until { end: Timestamp(1_700_000_060_000), time_to_run_ms: 60_000 };
    let timed = client.gets(&Delivery { lease, ..delivery(1, 7) }, HEAD, "");
    assert!(timed.contains("\nx-job-id:7\nx-lease-until:1700000060000\nx-ttr:60000\n"), "{timed}");
    assert!(!client.gets(&delivery(1, 7), HEAD, "").contains("x-job-id"), "a topic lends nothing");
}

#[test]
fn each_version_gets_the_head_in_its_own_spelling() {
    // 11, 12, 16, 18, A14
    let head = "destination:/queue/a\nnote:one\\ntwo\nurl:http\\c//x\na\\cb:c\n";
    let latest = reading("1.2", "auto").gets(&delivery(1, 7), head, "");
    assert!(latest.contains("\nnote:one\\ntwo\nurl:http\\c//x\na\\cb:c\n"), "{latest}");
    let middle = reading("1.1", "auto").gets(&delivery(1, 7), head, "");
    assert!(middle.contains("\nnote:one\\ntwo\nurl:http\\c//x\n"), "{middle}");
    let first = reading("1.0", "auto").gets(&delivery(1, 7), head, "");
    assert!(first.contains("\nurl:http://x\n") && !first.contains("note") && !first.contains("two"), "{first}");
}

#[test]
fn a_large_body_is_the_same_octets_and_not_a_copy() {
    let mut client = reading("1.2", "auto");
    let body = bytes::Bytes::from(vec![b'x'; Content::SHARED_BODY + 1]);
    let content = Content::new(HEAD.as_bytes(), body.clone());
    let mut out = Burst::stream();
    assert!(client.session.deliver(client.now, &delivery(1, 7), &content, &mut out));
    let mut slices = [std::io::IoSlice::new(&[]); 8];
    assert_eq!(out.slices(&mut slices), 3);
    assert_eq!(slices[1].as_ptr(), body.as_ptr());
    assert!(slices[0].ends_with(b"\ncontent-length:4097\ndestination:/queue/a\ncontent-type:text/plain\nfoo:bar\n\n"));
    assert_eq!(&slices[2][..], b"\0\n");
}

#[test]
fn frames_end_with_nul_alone_where_that_is_wanted_and_are_told_apart() {
    // 90, 100
    let mut client = Client::with(Options::default(), PeerFacts { trailing_lf: false, ..facts() }).connect("1.2");
    client.says("SUBSCRIBE\nid:1\ndestination:/queue/a\n\n^@");
    let mut out = Burst::by_frame();
    let content = Content::new(HEAD.as_bytes(), bytes::Bytes::from_static(b"x"));
    for message in [7, 8] {
        assert!(client.session.deliver(client.now, &delivery(1, message), &content, &mut out));
    }
    let frames: Vec<_> = std::iter::from_fn(|| out.pop_frame()).collect();
    assert_eq!(frames.len(), 2);
    assert!(frames.iter().all(|frame| frame.starts_with(b"MESSAGE\n") && frame.ends_with(b"x\0")));
}

#[test]
fn a_dead_letter_says_where_it_came_from_and_why() {
    // Row 86; JOBS 5.4
    let mut client = Client::speaking("1.2");
    client.says("SUBSCRIBE\nid:1\ndestination:DLQ.a\nack:client\n\n^@");
    let note = |reason, error: Option<&str>| {
        let origin = DestinationName::queue("a").unwrap();
        Some(Arc::new(DeathNote { origin, reason, attempts: 16, error: error.map(Arc::from) }))
    };
    let dead = Delivery { death: note(DeathReason::Nack, Some("no: disk")), ..delivery(1, 7) };
    let heard = client.gets(&dead, HEAD, "x");
    assert_eq!(
        heard,
        "MESSAGE\nsubscription:1\nmessage-id:7\nack:7\ncontent-length:1\ndestination:DLQ.a\n\
         original-destination:/queue/a\nx-death-reason:nack\nx-death-deliveries:16\n\
         dlqDeliveryFailureCause:rejected by its consumer\\c no\\c disk\nx-error:no\\c disk\n\
         content-type:text/plain\nfoo:bar\n\nx^@\n"
    );
    let heard = client.gets(&Delivery { death: note(DeathReason::Deliveries, None), ..delivery(1, 8) }, HEAD, "x");
    assert!(heard.contains("\nx-death-reason:deliveries\n"), "{heard}");
    assert!(
        heard.contains("\ndlqDeliveryFailureCause:16 deliveries failed\n") && !heard.contains("x-error"),
        "{heard}"
    );
}

#[test]
fn our_header_lines_stay_short() {
    // 97; output rule 2
    let mut client = Client::speaking("1.2");
    let name = "x".repeat(240);
    client.says(&format!("SUBSCRIBE\nid:1\ndestination:{name}\nack:client\n\n^@"));
    let reason = "y".repeat(256);
    let origin = DestinationName::queue(&name).unwrap();
    let note = DeathNote { origin, reason: DeathReason::Nack, attempts: u16::MAX, error: Some(reason.as_str().into()) };
    let heard = client.gets(&Delivery { death: Some(Arc::new(note)), ..delivery(1, u64::MAX) }, HEAD, "");
    assert!(heard.lines().all(|line| line.len() < 1024), "{heard}");
}

#[test]
fn a_receipt_is_spelled_for_the_version_it_is_read_in() {
    // 11, 13, 29
    assert_eq!(
        Client::speaking("1.0").says("BEGIN\ntransaction:t\nreceipt:a:b\\c\n\n^@"),
        "RECEIPT\nreceipt-id:a:b\\c\n\n^@\n"
    );
    assert_eq!(
        Client::speaking("1.2").says("BEGIN\ntransaction:t\nreceipt:a:b\\\\\n\n^@"),
        "RECEIPT\nreceipt-id:a\\cb\\\\\n\n^@\n"
    );
}

#[test]
fn nothing_is_delivered_before_connected_or_after_the_end() {
    let mut client = Client::new();
    assert_eq!(client.gets(&delivery(1, 7), HEAD, "x"), "");
    let mut client = reading("1.2", "auto");
    client.says("DISCONNECT\n\n^@");
    assert_eq!(client.gets(&delivery(1, 7), HEAD, "x"), "");
}
