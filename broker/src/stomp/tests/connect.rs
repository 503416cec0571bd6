//! CONNECT, CONNECTED and what may not come before.

use super::{Client, facts};
use crate::auth::Denied;
use crate::auth::Secret;
use crate::stomp::Options;

#[test]
fn stomp_is_connect_by_another_name() {
    // 35
    let mut client = Client::new();
    let heard = client.says("STOMP\naccept-version:1.2\nhost:h\n\n^@");
    assert!(heard.starts_with("CONNECTED\nversion:1.2\n"), "{heard}");
}

#[test]
fn a_missing_accept_version_means_1_0() {
    // 37, 40, 42; 39 and 41 are for 1.1 and later
    let mut client = Client::new();
    assert_eq!(client.says("CONNECT\n\n^@"), "CONNECTED\nsession:s-1\nserver:kolejka\n\n^@\n");
    assert_eq!(client.session.version().as_str(), "1.0");
}

#[test]
fn the_highest_common_version_is_chosen() {
    // 37: any order, blanks, unknown entries
    for (offer, version) in
        [("1.0,1.1,1.2", "1.2"), ("1.1,1.0", "1.1"), ("1.2 , 1.0", "1.2"), ("2.0,1.3,1.1", "1.1"), ("1.0", "1.0")]
    {
        let client = Client::speaking(offer);
        assert_eq!(client.session.version().as_str(), version, "{offer}");
    }
}

#[test]
fn no_common_version_is_an_error_that_lists_ours() {
    // 38, 28, 34
    let mut client = Client::new();
    let heard = client.says("CONNECT\naccept-version:2.0\nhost:h\nreceipt:r\n\n^@");
    assert!(
        heard.starts_with("ERROR\nmessage:no common protocol version\ncode:no-common-version\nreceipt-id:r\n"),
        "{heard}"
    );
    assert!(heard.contains("\nversion:1.0,1.1,1.2\n") && heard.contains("\ncontent-type:text/plain\n"), "{heard}");
    assert!(client.farewell.is_some());
}

#[test]
fn connected_says_version_heart_beat_session_and_server() {
    // 39, 40, 41, 42, output rule 1
    for version in ["1.1", "1.2"] {
        let heard = Client::new().says(&format!("CONNECT\naccept-version:{version}\nhost:h\n\n^@"));
        assert_eq!(heard, format!("CONNECTED\nversion:{version}\nheart-beat:0,0\nsession:s-1\nserver:kolejka\n\n^@\n"));
    }
}

#[test]
fn the_server_header_is_the_operators() {
    // 42
    let options = Options { server: "rabbitmq-like".into(), ..Options::default() };
    let heard = Client::with(options, facts()).says("CONNECT\n\n^@");
    assert!(heard.contains("\nserver:rabbitmq-like\n"), "{heard}");
}

#[test]
fn receipt_and_request_id_on_connect_are_answered_in_connected() {
    // 28; row 22
    let mut client = Client::new();
    let heard = client.says("CONNECT\naccept-version:1.1\nhost:h\nreceipt:c:1\nrequest-id:7\n\n^@");
    assert!(heard.contains("\nreceipt-id:c:1\nresponse-id:7\n"), "{heard}");
    assert!(!heard.contains("RECEIPT\n"), "{heard}");
}

#[test]
fn any_host_is_welcome_and_none_too() {
    // 36, 44
    for host in ["host:mcollective\n", "host:/\n", "host:\n", ""] {
        let mut client = Client::new();
        let heard = client.says(&format!("CONNECT\naccept-version:1.2\n{host}\n^@"));
        assert!(heard.starts_with("CONNECTED\n"), "{heard}");
    }
}

#[test]
fn strict_host_refuses_its_absence_in_1_1_and_1_2_only() {
    // 36
    let strict = || Client::with(Options { strict_host: true, ..Options::default() }, facts());
    assert_eq!(strict().fails_with("CONNECT\naccept-version:1.2\n\n^@"), "missing-header");
    assert_eq!(strict().fails_with("CONNECT\naccept-version:1.1\n\n^@"), "missing-header");
    assert!(strict().says("CONNECT\n\n^@").starts_with("CONNECTED\n"));
    assert!(strict().says("CONNECT\naccept-version:1.2\nhost:h\n\n^@").starts_with("CONNECTED\n"));
}

#[test]
fn login_and_passcode_go_to_the_door_verbatim() {
    // 43, 17: a backslash in CONNECT is only a backslash
    let mut client = Client::new();
    client.says("CONNECT\naccept-version:1.2\nhost:h\nlogin:DOMAIN\\nadia\npasscode:a:b\\c\n\n^@");
    assert_eq!(client.logins.len(), 1);
    assert_eq!(client.logins[0].login.as_deref(), Some("DOMAIN\\nadia"));
    assert_eq!(client.logins[0].passcode, Some(Secret::new("a:b\\c")));
}

#[test]
fn an_empty_login_is_none() {
    // 43
    let mut client = Client::new();
    client.says("CONNECT\naccept-version:1.2\nhost:h\nlogin:\npasscode:\n\n^@");
    assert_eq!(client.logins, [crate::auth::Credentials::default()]);
}

#[test]
fn a_refused_login_is_an_error_that_does_not_say_why() {
    // 43, 93, 94
    let mut client = Client::new();
    client.login = Err(Denied::WrongPasscode);
    let heard = client.says("CONNECT\naccept-version:1.2\nhost:h\nlogin:ann\npasscode:s3cret\nreceipt:r\n\n^@");
    assert!(heard.starts_with("ERROR\nmessage:login failed\ncode:login-failed\nreceipt-id:r\n"), "{heard}");
    assert!(!heard.contains("s3cret") && !heard.contains("ann") && !heard.contains("wrong"), "{heard}");
    let farewell = client.farewell.unwrap();
    assert!(farewell.words.contains("wrong-passcode") && !farewell.words.contains("s3cret"), "{farewell:?}");
}

#[test]
fn nothing_but_connect_opens_a_session() {
    // 45, A16
    for command in [
        "SEND",
        "SUBSCRIBE",
        "UNSUBSCRIBE",
        "ACK",
        "NACK",
        "BEGIN",
        "COMMIT",
        "ABORT",
        "DISCONNECT",
        "CONNECTED",
        "MESSAGE",
        "RECEIPT",
        "ERROR",
    ] {
        let mut client = Client::new();
        let frame = format!("{command}\ndestination:/queue/a\nid:1\ntransaction:t\nreceipt:r\n\n^@");
        assert_eq!(client.fails_with(&frame), "not-connected", "{command}");
        assert!(client.asked.is_empty());
    }
}

#[test]
fn a_frame_that_comes_while_the_login_is_checked_is_not_processed() {
    // A16
    let mut client = Client::new();
    let connect = kolejka_codec::Frame::new(kolejka_codec::Command::Connect);
    let send = kolejka_codec::Frame::new(kolejka_codec::Command::Send).header("destination", "/queue/a");
    client.session.receive(client.now, connect);
    assert!(matches!(client.session.next_output(), Some(super::Output::Authenticate(_))));
    client.session.receive(client.now, send);
    assert!(client.hears().contains("\ncode:not-connected\n"));
    client.session.authenticated(client.now, Ok(crate::auth::Grants::everything()));
    assert!(!client.session.is_established() && client.session.next_output().is_none());
}

#[test]
fn a_second_connect_is_fatal() {
    // 45, A16
    assert_eq!(Client::speaking("1.2").fails_with("CONNECT\naccept-version:1.2\n\n^@"), "already-connected");
    assert_eq!(Client::speaking("1.0").fails_with("STOMP\naccept-version:1.2\n\n^@"), "already-connected");
}

#[test]
fn line_ends_before_connect_and_frames_right_behind_it_are_fine() {
    // 45
    let mut client = Client::new();
    let heard = client.says(
        "\n\r\n\nCONNECT\naccept-version:1.2\nhost:h\n\n^@\
         SEND\ndestination:/queue/a\nnote:x\\ny\nreceipt:1\n\n^@SEND\ndestination:/queue/a\nreceipt:2\n\n^@",
    );
    let rest = heard.split_once("\n\n^@\n").unwrap().1;
    assert_eq!(rest, "RECEIPT\nreceipt-id:1\n\n^@\nRECEIPT\nreceipt-id:2\n\n^@\n");
    assert_eq!(client.asked.len(), 2);
}

#[test]
fn a_peer_that_does_not_log_in_is_given_up_after_ten_seconds() {
    // 46
    let mut client = Client::new();
    assert_eq!(client.session.deadline(), Some(client.now.monotonic + std::time::Duration::from_secs(10)));
    client.says("\n");
    assert_eq!(client.waits(9_999), "");
    let heard = client.waits(1);
    assert!(heard.contains("\ncode:connect-timeout\n") && client.farewell.is_some(), "{heard}");
    assert_eq!(client.session.deadline(), None);
}

#[test]
fn a_login_that_is_still_checked_then_is_given_up_too() {
    // 46
    let mut client = Client::new();
    client.session.receive(client.now, kolejka_codec::Frame::new(kolejka_codec::Command::Connect));
    assert!(matches!(client.session.next_output(), Some(super::Output::Authenticate(_))));
    assert!(client.waits(10_000).contains("\ncode:connect-timeout\n"));
}

#[test]
fn a_client_that_logged_in_has_no_such_deadline() {
    // 46, 56
    let mut client = Client::speaking("1.2");
    assert_eq!(client.session.deadline(), None);
    assert_eq!(client.waits(1_000_000), "");
}

#[test]
fn a_client_id_is_seen_as_it_is() {
    for id in ["a\u{202e}b", "\u{feff}a", "a\u{200b}", "a\tb"] {
        let frame = format!("CONNECT\naccept-version:1.2\nhost:h\nclient-id:{id}\n\n^@");
        assert_eq!(Client::new().fails_with(&frame), "bad-header", "{id:?}");
    }
}
