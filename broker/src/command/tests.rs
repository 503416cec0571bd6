//! What the commands make of their input, without a broker.

use kolejka::auth::Secret;

use super::output::printable;
use super::url::BrokerUrl;

fn url(text: &str) -> BrokerUrl {
    BrokerUrl::parse(text).unwrap()
}

#[test]
fn urls_are_read_as_people_write_them() {
    assert_eq!(url("stomp://localhost").to_string(), "localhost:61613");
    assert_eq!(url("localhost:7000/").to_string(), "localhost:7000");
    assert_eq!(url("tcp://[::1]:7000").to_string(), "[::1]:7000");
    assert_eq!(url("stomp://[2001:db8::1]").to_string(), "[2001:db8::1]:61613");
    let full = url("stomp://ann:p%40ss:word@mq.example.com:1");
    assert_eq!((full.login.as_deref(), full.passcode), (Some("ann"), Some(Secret::new("p@ss:word"))));
    assert_eq!((full.host.as_str(), full.port), ("mq.example.com", 1));
    assert_eq!(url("stomp://ann@h").passcode, None);
}

#[test]
fn a_wrong_url_is_refused_without_repeating_it() {
    for text in [
        "wss://u:secret@h",
        "stomp://u:secret@h:port",
        "stomp://u:secret@",
        "stomp://u:secret%4@h",
        "stomp://u:secret@[::1]x",
    ] {
        let refusal = BrokerUrl::parse(text).unwrap_err();
        assert!(!refusal.contains("secret"), "{refusal}");
    }
    let shown = format!("{:?} {}", url("stomp://u:secret@h"), url("stomp://u:secret@h"));
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn nothing_that_a_client_sends_drives_the_terminal() {
    assert_eq!(printable("a\x1b[2Jb\r\nc\u{202e}d\u{9b}", true), "a\\u{1b}[2Jb\\r\nc\\u{202e}d\\u{9b}");
    assert_eq!(printable("one\ntwo\tż", false), "one\\ntwo\\tż");
}
