//! BEGIN, COMMIT, ABORT and what happens between.

use std::time::Duration;

use super::{Client, facts};
use crate::model::Action;
use crate::model::Outcome;
use crate::model::Refusal;
use crate::model::Request;
use crate::stomp::Options;

fn in_transaction(options: Options) -> Client {
    let mut client = Client::with(options, facts()).connect("1.2");
    client.says("BEGIN\ntransaction:t\n\n^@");
    client
}

const SEND: &str = "SEND\ndestination:/queue/a\ntransaction:t\n\n12345678^@";

#[test]
fn sends_and_acks_are_asked_for_together_at_commit() {
    // 79
    let mut client = Client::speaking("1.2");
    let heard = client.says(
        "BEGIN\ntransaction:t\nreceipt:b\n\n^@SEND\ndestination:/queue/a\ntransaction:t\nreceipt:s\n\nx^@\
         ACK\nid:7\ntransaction:t\nreceipt:a\n\n^@NACK\nid:8\ntransaction:t\nreceipt:n\n\n^@",
    );
    // 33: each receipt at once, since some clients wait for it before they send COMMIT
    assert_eq!(heard, ["b", "s", "a", "n"].map(|id| format!("RECEIPT\nreceipt-id:{id}\n\n^@\n")).concat());
    assert!(client.asked.is_empty());
    assert_eq!(client.says("COMMIT\ntransaction:t\nreceipt:c\n\n^@"), "RECEIPT\nreceipt-id:c\n\n^@\n");
    let [Request::Commit(actions)] = &client.asked[..] else { panic!("{:?}", client.asked) };
    let [Action::Publish(publish), Action::Settle(ack), Action::Settle(nack)] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!(publish.message.content.body(), b"x");
    assert!(!String::from_utf8_lossy(publish.message.content.head()).contains("transaction"));
    assert_eq!((ack.message.to_bits(), &ack.outcome), (7, &Outcome::Ack));
    assert_eq!((nack.message.to_bits(), &nack.outcome), (8, &Outcome::Retry { reason: None, delay_ms: None }));
}

#[test]
fn a_refused_commit_is_an_error_with_its_receipt_id() {
    // 34, 60
    let mut client = in_transaction(Options::default());
    client.says(SEND);
    client.answers.push_back(Err(Refusal::DiskFull));
    assert!(client.says("COMMIT\ntransaction:t\nreceipt:c\n\n^@").contains("\ncode:disk-full\nreceipt-id:c\n"));
}

#[test]
fn an_empty_commit_has_nothing_to_ask() {
    let mut client = in_transaction(Options::default());
    assert_eq!(client.says("COMMIT\ntransaction:t\nreceipt:c\n\n^@"), "RECEIPT\nreceipt-id:c\n\n^@\n");
    assert!(client.asked.is_empty());
}

#[test]
fn abort_forgets_all_of_it() {
    // 81
    let mut client = in_transaction(Options::default());
    client.says(SEND);
    assert_eq!(client.says("ABORT\ntransaction:t\nreceipt:a\n\n^@"), "RECEIPT\nreceipt-id:a\n\n^@\n");
    assert!(client.asked.is_empty());
    assert_eq!(client.fails_with(SEND), "unknown-transaction");
}

#[test]
fn an_abort_may_send_back_what_the_transaction_acknowledged() {
    // 81
    let mut client = in_transaction(Options::default());
    client.says(SEND);
    client.says("ACK\nid:7\ntransaction:t\n\n^@NACK\nid:8-1\ntransaction:t\n\n^@");
    let heard = client.says("ABORT\ntransaction:t\nredeliver:true\nreceipt:a\n\n^@");
    assert_eq!(heard, "RECEIPT\nreceipt-id:a\n\n^@\n");
    let [Request::Settle(first), Request::Settle(second)] = &client.asked[..] else { panic!("{:?}", client.asked) };
    assert_eq!((first.message.to_bits(), &first.outcome), (7, &Outcome::Release));
    assert_eq!((second.message.to_bits(), &second.outcome), (8, &Outcome::Release));
}

#[test]
fn the_transaction_header_is_needed_and_its_id_unique_and_known() {
    // 59, 75, 78, A11
    for command in ["BEGIN", "COMMIT", "ABORT"] {
        assert_eq!(Client::speaking("1.2").fails_with(&format!("{command}\n\n^@")), "missing-header");
    }
    for command in ["COMMIT", "ABORT", "SEND\ndestination:/queue/a", "ACK\nid:7", "NACK\nid:7"] {
        let frame = format!("{command}\ntransaction:other\nreceipt:r\n\n^@");
        assert_eq!(in_transaction(Options::default()).fails_with(&frame), "unknown-transaction", "{command}");
    }
    assert_eq!(in_transaction(Options::default()).fails_with("BEGIN\ntransaction:t\n\n^@"), "duplicate-transaction");
}

#[test]
fn an_id_is_free_again_after_its_end() {
    // 78
    let mut client = in_transaction(Options::default());
    client.says(
        "COMMIT\ntransaction:t\n\n^@BEGIN\ntransaction:t\n\n^@ABORT\ntransaction:t\n\n^@BEGIN\ntransaction:t\n\n^@",
    );
    assert!(client.farewell.is_none());
}

#[test]
fn transactions_do_not_mix() {
    // 79
    let mut client = in_transaction(Options::default());
    client.says("BEGIN\ntransaction:u\n\n^@ACK\nid:1\ntransaction:t\n\n^@ACK\nid:2\ntransaction:u\n\n^@");
    client.says("COMMIT\ntransaction:u\n\n^@");
    let [Request::Commit(actions)] = &client.asked[..] else { panic!("{:?}", client.asked) };
    assert!(matches!(&actions[..], [Action::Settle(settle)] if settle.message.to_bits() == 2));
}

#[test]
fn disconnect_aborts_what_is_open() {
    // 80
    let mut client = in_transaction(Options::default());
    client.says(SEND);
    client.says("DISCONNECT\n\n^@");
    assert!(client.asked.is_empty() && client.farewell.is_some());
}

#[test]
fn the_number_of_open_transactions_is_bounded() {
    // 82, A9: limit − 1, limit, limit + 1
    let mut client = Client::speaking("1.2");
    for id in 0..16 {
        client.says(&format!("BEGIN\ntransaction:{id}\n\n^@"));
    }
    client.says("COMMIT\ntransaction:3\n\n^@BEGIN\ntransaction:16\n\n^@");
    assert!(client.farewell.is_none());
    assert_eq!(client.fails_with("BEGIN\ntransaction:17\n\n^@"), "too-many-transactions");
}

#[test]
fn the_frames_of_a_transaction_are_bounded() {
    // 82, A9
    let mut client = in_transaction(Options { transaction_frames: 3, ..Options::default() });
    client.says(&[SEND, SEND, SEND].concat());
    assert!(client.farewell.is_none());
    assert_eq!(client.fails_with("ACK\nid:1\ntransaction:t\n\n^@"), "transaction-too-large");
}

#[test]
fn the_octets_of_all_open_transactions_are_bounded_together() {
    // 82, A9
    let mut client = Client::speaking("1.2");
    client.says("SEND\ndestination:/queue/a\n\n12345678^@");
    let frame_bytes = 128 + client.published().message.content.len();
    let options = Options { transaction_bytes: 2 * frame_bytes, ..Options::default() };
    let mut client = in_transaction(options.clone());
    client.says("BEGIN\ntransaction:u\n\n^@");
    client.says(SEND);
    client.says(&SEND.replace("transaction:t", "transaction:u"));
    assert!(client.farewell.is_none());
    client.says("ABORT\ntransaction:u\n\n^@");
    client.says(SEND);
    assert!(client.farewell.is_none());
    assert_eq!(client.fails_with("ACK\nid:1\ntransaction:t\n\n^@"), "transaction-too-large");
    let options = Options { transaction_bytes: frame_bytes - 1, ..options };
    assert_eq!(in_transaction(options).fails_with(SEND), "transaction-too-large");
}

#[test]
fn a_transaction_left_open_is_given_up_after_a_minute_without_a_frame() {
    // 82, A9
    let mut client = in_transaction(Options::default());
    client.waits(59_999);
    client.says(SEND);
    assert_eq!(client.session.deadline(), Some(client.now.monotonic + Duration::from_secs(60)));
    client.waits(59_999);
    assert!(client.farewell.is_none());
    let heard = client.waits(1);
    assert!(heard.contains("\ncode:transaction-idle\n") && client.asked.is_empty(), "{heard}");
}
