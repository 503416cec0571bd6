//! DISCONNECT, ERROR and what comes after.

use super::{Client, delivery};
use crate::model::Refusal;

#[test]
fn the_receipt_of_disconnect_comes_behind_all_others_and_then_the_end() {
    // 83, 31, 30
    let mut client = Client::speaking("1.2");
    let heard = client.says("SEND\ndestination:/queue/a\nreceipt:1\n\n^@DISCONNECT\nreceipt:2\n\n^@");
    assert_eq!(heard, "RECEIPT\nreceipt-id:1\n\n^@\nRECEIPT\nreceipt-id:2\n\n^@\n");
    let farewell = client.farewell.unwrap();
    assert!(farewell.error.is_none() && farewell.linger && farewell.code == "disconnect");
}

#[test]
fn a_disconnect_without_a_receipt_ends_too() {
    // 85
    let mut client = Client::speaking("1.0");
    assert_eq!(client.says("SEND\ndestination:/queue/a\n\n^@DISCONNECT\nclient-id:x\n\n^@"), "");
    assert!(client.farewell.is_some() && client.asked.len() == 1);
}

#[test]
fn what_follows_disconnect_is_ignored() {
    // 84, A16
    let mut client = Client::speaking("1.2");
    client.says("DISCONNECT\n\n^@");
    assert_eq!(client.says("SEND\ndestination:/queue/a\nreceipt:1\n\n^@CONNECT\n\n^@NONSENSE\n\n^@"), "");
    assert!(client.asked.is_empty());
}

#[test]
fn an_error_is_the_end_in_every_version() {
    // 91, 92, 93
    for version in ["1.0", "1.1", "1.2"] {
        let mut client = Client::speaking(version);
        let heard = client.says("SEND\nreceipt:r\n\n^@SEND\ndestination:/queue/a\nreceipt:2\n\n^@");
        assert!(
            heard.starts_with("ERROR\nmessage:SEND without destination\ncode:missing-header\nreceipt-id:r\n"),
            "{heard}"
        );
        assert!(heard.contains("\ncontent-type:text/plain\n") && heard.ends_with("is required here.\n^@\n"), "{heard}");
        assert_eq!(heard.matches("ERROR\n").count(), 1);
        assert!(client.asked.is_empty() && client.farewell.unwrap().linger);
    }
}

#[test]
fn commands_of_a_server_are_an_error() {
    // A16
    for command in ["CONNECTED", "MESSAGE", "RECEIPT", "ERROR"] {
        assert_eq!(Client::speaking("1.2").fails_with(&format!("{command}\nreceipt-id:1\n\n^@")), "unexpected-command");
    }
}

#[test]
fn what_is_no_frame_is_an_error_with_the_codecs_words() {
    // 15, 95, 96
    let mut client = Client::speaking("1.2");
    assert_eq!(client.fails_with("HELLO\n\n^@"), "unknown-command");
    assert_eq!(Client::speaking("1.2").fails_with("SEND\na:\\t\n\n^@"), "undefined-escape");
    assert_eq!(Client::new().fails_with("GET / HTTP/1.1\n\n^@"), "unknown-command");
}

#[test]
fn an_error_echoes_no_frame_and_no_secret() {
    // 94; SECURITY 7.10
    let mut client = Client::new();
    let heard = client.says("CONNECT\naccept-version:1.2\nhost:h\nlogin:ann\npasscode:s3cret\nheart-beat:x\n\n^@");
    assert!(!heard.contains("s3cret") && !heard.contains("ann"), "{heard}");
    assert!(!client.farewell.unwrap().words.contains("s3cret"));
    let mut client = Client::speaking("1.2");
    let heard = client.says("SEND\ndestination:/nowhere/x\nprivate:yes\n\nbody-text^@");
    assert!(!heard.contains("private") && !heard.contains("body-text"), "{heard}");
}

#[test]
fn receipts_given_before_an_error_are_kept() {
    // 31
    let mut client = Client::speaking("1.2");
    let heard = client.says("SEND\ndestination:/queue/a\nreceipt:1\n\n^@BOGUS\n\n^@");
    assert!(heard.starts_with("RECEIPT\nreceipt-id:1\n\n^@\nERROR\n"), "{heard}");
}

#[test]
fn the_engine_may_end_a_session_and_says_why() {
    // P21
    let mut client = Client::speaking("1.2");
    client.says("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n^@");
    client.session.disconnected(client.now, Refusal::SlowConsumer { limit: "1000 messages".into() });
    assert!(client.hears().contains("\ncode:slow-consumer\n"));
    assert_eq!(client.gets(&delivery(1, 7), "destination:/topic/a\n", "x"), "");
    assert_eq!(client.farewell.unwrap().code, "slow-consumer");
}

#[test]
fn a_refusal_voids_what_was_said_behind_the_refused_frame() {
    // 34: the shell may have taken several outputs before it asks
    let mut client = Client::speaking("1.2");
    let frame = |command| kolejka_codec::Frame::new(command).header("destination", "/queue/a").header("receipt", "r");
    client.session.receive(client.now, frame(kolejka_codec::Command::Send));
    client.session.receive(client.now, frame(kolejka_codec::Command::Send));
    client.session.receive(client.now, frame(kolejka_codec::Command::Disconnect));
    client.answers.push_back(Err(Refusal::DiskFull));
    let heard = client.hears();
    assert!(heard.starts_with("ERROR\n") && heard.contains("\ncode:disk-full\nreceipt-id:r\n"), "{heard}");
    assert_eq!((client.asked.len(), client.farewell.unwrap().code), (1, "disk-full"));
}

#[test]
fn receipts_are_answered_on_every_frame() {
    // 28
    let mut client = Client::speaking("1.2");
    for (number, frame) in [
        "SUBSCRIBE\nid:1\ndestination:/queue/a",
        "SEND\ndestination:/queue/a",
        "ACK\nid:1",
        "NACK\nid:1",
        "BEGIN\ntransaction:t",
        "COMMIT\ntransaction:t",
        "BEGIN\ntransaction:t",
        "ABORT\ntransaction:t",
        "UNSUBSCRIBE\nid:1",
        "DISCONNECT",
    ]
    .into_iter()
    .enumerate()
    {
        let heard = client.says(&format!("{frame}\nreceipt:{number}\n\n^@"));
        assert_eq!(heard, format!("RECEIPT\nreceipt-id:{number}\n\n^@\n"), "{frame}");
    }
}

#[test]
fn a_frame_that_does_not_end_and_a_broken_carrier_are_errors_too() {
    // SECURITY 6: frame completion
    let mut client = Client::speaking("1.2");
    client.session.unfinished(client.now);
    assert!(client.hears().contains("\ncode:frame-timeout\n"));
    let mut client = Client::speaking("1.2");
    client.session.violated(client.now, "a WebSocket message is too long".into());
    assert!(client.hears().starts_with("ERROR\nmessage:a WebSocket message is too long\ncode:transport\n"));
}
