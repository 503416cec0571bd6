//! What the server writes, octet for octet: clients exist that take nothing else (STOMP.md, "Output rules").

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use kolejka_tests::server::Running;

/// Says all of this, and returns all that the server says until it closes. The session's name is left out.
fn conversation(server: &Running, said: &[u8]) -> String {
    let mut socket = TcpStream::connect(server.address).expect("a server that listens");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
    socket.write_all(said).expect("a server that reads");
    let mut heard = Vec::new();
    socket.read_to_end(&mut heard).expect("the end");
    let heard = String::from_utf8(heard).expect("text");
    let (before, rest) = heard.split_once("session:").expect("a session");
    let (session, after) = rest.split_once('\n').expect("a line");
    assert!(!session.is_empty() && session.bytes().all(|octet| octet.is_ascii_alphanumeric()), "{session}");
    format!("{before}{after}")
}

/// Headers of the application keep their order and their repetitions (items 19 and 20), behind those of the server.
const SEND: &str = "SEND\ndestination:/topic/a\nb:1\na:2\nb:3\ntimestamp:5\ncontent-type:x/y\n\nbody\0";

#[test]
fn a_conversation_in_1_2() {
    let server = Running::start(|_| {});
    let said = "CONNECT\naccept-version:1.2\nheart-beat:60000,60000\n\n\0\
                SUBSCRIBE\nid:a:b\ndestination:/topic/a\nack:client\nreceipt:r:1\n\n\0NONSENSE\n\n\0";
    let heard = conversation(&server, said.as_bytes());
    let at = said.find("NONSENSE").expect("it is there");
    let message = format!("unknown command \"NONSENSE\", at octet {at}");
    let text = format!("{message}\nThe connection cannot go on behind a broken frame.\n");
    let length = text.len();
    let frames = [
        "CONNECTED\nversion:1.2\nheart-beat:60000,60000\nserver:kolejka\n\n\0\n",
        "RECEIPT\nreceipt-id:r\\c1\n\n\0\n",
        &format!("ERROR\nmessage:{message}\ncode:unknown-command\ncontent-type:text/plain\n"),
        &format!("content-length:{length}\n\n{text}\0\n"),
    ];
    assert_eq!(heard, frames.concat());
}

#[test]
fn messages_in_every_version() {
    let server = Running::start(|_| {});
    for (version, line, id, subscription) in [
        ("1.2", "version:1.2\nheart-beat:0,0\n", "id:a\\cb\n", "subscription:a\\cb\n"),
        ("1.1", "version:1.1\nheart-beat:0,0\n", "id:a\\cb\n", "subscription:a\\cb\n"),
        ("1.0", "", "id:a:b\n", "subscription:a:b\n"),
        ("1.0", "", "", ""),
    ] {
        let topic = format!("/topic/{}", id.len() + version.len() * usize::from(version.as_bytes()[2]));
        let send = SEND.replace("/topic/a", &topic);
        let mut socket = TcpStream::connect(server.address).expect("a server that listens");
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
        let said = format!("CONNECT\naccept-version:{version}\n\n\0SUBSCRIBE\n{id}destination:{topic}\n\n\0{send}");
        socket.write_all(said.as_bytes()).expect("a server that reads");
        let mut heard = Vec::new();
        while heard.split(|octet| *octet == 0).count() <= 2 || heard.last() != Some(&b'\n') {
            let mut octets = [0; 1024];
            let count = socket.read(&mut octets).expect("an answer");
            assert!(count > 0, "the end, behind {}", heard.escape_ascii());
            heard.extend_from_slice(&octets[..count]);
        }
        let heard = String::from_utf8(heard).expect("text");
        let (connected, message) = heard.split_once("\0\n").expect("two frames");
        assert!(connected.starts_with(&format!("CONNECTED\n{line}session:")), "{connected}");
        let (before, rest) = message.split_once("message-id:").expect("an id");
        let (number, after) = rest.split_once('\n').expect("a line");
        assert!(number.bytes().all(|octet| octet.is_ascii_digit()), "{number}");
        assert_eq!(before, format!("MESSAGE\n{subscription}"));
        let headers = "b:1\na:2\nb:3\ntimestamp:5\ncontent-type:x/y\n";
        assert_eq!(after, format!("content-length:4\ndestination:{topic}\n{headers}\nbody\0\n"));
    }
}

#[test]
fn a_listener_may_leave_out_the_line_end_behind_nul() {
    let server = Running::start(|config| config.listeners[0].trailing_lf = false);
    let said =
        b"CONNECT\naccept-version:1.2\n\n\0SEND\ndestination:/topic/a\nreceipt:1\n\n\0DISCONNECT\nreceipt:2\n\n\0";
    let heard = conversation(&server, said);
    let frames = [
        "CONNECTED\nversion:1.2\nheart-beat:0,0\nserver:kolejka\n\n\0",
        "RECEIPT\nreceipt-id:1\n\n\0",
        "RECEIPT\nreceipt-id:2\n\n\0",
    ];
    assert_eq!(heard, frames.concat());
}

#[test]
fn lines_of_the_server_stay_short() {
    let server = Running::start(|_| {});
    let name = "n".repeat(200);
    let receipt = "r".repeat(500);
    let unknown = "U".repeat(30);
    let said = format!(
        "CONNECT\naccept-version:1.2\n\n\0SEND\ndestination:/queue/{name}\nreceipt:{receipt}\n\n\0{unknown}\n\n\0"
    );
    let heard = conversation(&server, said.as_bytes());
    assert!(heard.contains("ERROR\n"), "{heard}");
    assert!(heard.lines().all(|line| line.len() < 1024), "{heard}");
}
