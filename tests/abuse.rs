//! Clients that behave badly, on purpose or not, against a whole server (TESTING.md, section 5). Each gets what it
//! deserves, and a good client beside it notices nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{TryRecvError, sync_channel};
use std::time::Duration;

use kolejka::auth::{Rights, User, hash_password};
use kolejka_codec::{Command, Frame};
use kolejka_tests::server::Running;
use kolejka_tests::socket::Client;

/// Runs an attack while a good client sends itself one message after the other.
fn beside_a_good_client(server: &Running, attack: impl FnOnce()) {
    std::thread::scope(|scope| {
        let (stop, stopped) = sync_channel::<()>(0);
        let mut good = Client::logged_in(server.address);
        good.send(b"SUBSCRIBE\nid:1\ndestination:/queue/good\nack:client\n\n\0");
        let good = scope.spawn(move || {
            let mut rounds = 0_u64;
            while rounds == 0 || stopped.try_recv() == Err(TryRecvError::Empty) {
                good.send(b"SEND\ndestination:/queue/good\n\ngood\0");
                let message = good.frame().expect("an answer").expect("an open connection");
                assert_eq!((message.command, &message.body[..]), (Command::Message, &b"good"[..]), "{message:?}");
                let ack = message.headers.get("ack").expect("an ack");
                good.send(format!("ACK\nid:{ack}\nreceipt:{rounds}\n\n\0").as_bytes());
                let receipt = good.frame().expect("an answer").expect("an open connection");
                assert_eq!(receipt.headers.get("receipt-id"), Some(&*rounds.to_string()), "{receipt:?}");
                rounds += 1;
            }
        });
        attack();
        drop(stop);
        good.join().expect("the good client is served all the while");
    });
}

fn code(frame: &Frame) -> Option<&str> {
    assert_eq!(frame.command, Command::Error, "{frame:?}");
    frame.headers.get("code")
}

/// An ERROR with this code comes next, and then the end.
fn refused(client: &mut Client, expected: &str) {
    let frame = client.frame().expect("an answer").expect("an ERROR before the end");
    assert_eq!(code(&frame), Some(expected), "{frame:?}");
    ended(client);
}

fn ended(client: &mut Client) {
    assert_eq!(client.frame(), Ok(None));
}

/// Everything before it has been processed, and the connection is open.
fn fine(client: &mut Client) {
    client.send(b"SEND\ndestination:/topic/fence\nreceipt:fence\n\n\0");
    let frame = client.frame().expect("an answer").expect("an open connection");
    assert_eq!((frame.command, frame.headers.get("receipt-id")), (Command::Receipt, Some("fence")), "{frame:?}");
}

/// Sends the same again and again, one piece every few milliseconds, until the server has closed; returns its words.
fn drip(address: SocketAddr, first: &[u8], piece: &[u8]) -> String {
    let mut socket = TcpStream::connect(address).expect("a server that listens");
    // Listening for so long is the pause between two pieces.
    socket.set_read_timeout(Some(Duration::from_millis(10))).expect("a time-out");
    let mut words = Vec::new();
    let _ = socket.write_all(first);
    for _ in 0..1000 {
        let mut octets = [0; 1024];
        match socket.read(&mut octets) {
            Ok(0) => return String::from_utf8(words).expect("text"),
            Ok(count) => words.extend_from_slice(&octets[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                let _ = socket.write_all(piece);
            }
            Err(_) => return String::from_utf8(words).expect("text"),
        }
    }
    panic!("still open after a thousand pieces");
}

#[test]
fn a_stranger_that_says_nothing_is_closed() {
    let server = Running::start(|config| config.limits.connect_timeout = Duration::from_millis(200));
    beside_a_good_client(&server, || {
        let mut strangers: Vec<_> = (0..50).map(|_| Client::connect(server.address)).collect();
        for stranger in &mut strangers {
            ended(stranger);
        }
    });
}

#[test]
fn a_stranger_that_drips_gains_no_time() {
    let server = Running::start(|config| config.limits.connect_timeout = Duration::from_millis(300));
    beside_a_good_client(&server, || {
        for (first, piece) in [("CONNECT\n", "a"), ("", "\n"), ("", "\0"), ("CONNECT\n", "a:b\n")] {
            let words = drip(server.address, first.as_bytes(), piece.as_bytes());
            assert!(words.is_empty() || words.contains("code:connect-timeout"), "{piece:?}: {words}");
        }
    });
}

#[test]
fn a_frame_that_does_not_end_is_given_up() {
    let server = Running::start(|config| config.limits.frame_timeout = Duration::from_millis(200));
    beside_a_good_client(&server, || {
        let mut client = Client::logged_in(server.address);
        client.send(b"SEND\ndestination:/queue/a\ncontent-length:1000\n\nbegun");
        refused(&mut client, "frame-timeout");
        let mut client = Client::logged_in(server.address);
        client.send(b"SEND\ndestination:/que");
        refused(&mut client, "frame-timeout");
    });
}

#[test]
fn headers_without_end_are_refused() {
    let server = Running::start(|_| {});
    beside_a_good_client(&server, || {
        let endless = ["SEND\n", &"x".repeat(1 << 20)].concat();
        let long = ["SEND\nlong:", &"x".repeat(1 << 20), "\ndestination:/queue/a\n\n\0"].concat();
        let same = ["SEND\ndestination:/queue/a\n", &"same:x\n".repeat(100_000), "\n\0"].concat();
        let different: String = (0..100_000).map(|number| format!("h{number}:x\n")).collect::<Vec<_>>().concat();
        let different = ["SEND\ndestination:/queue/a\n", &different, "\n\0"].concat();
        let large = format!("a:{}\n", "x".repeat(8000));
        let head = ["SEND\ndestination:/queue/a\n", &large.repeat(9), "\n\0"].concat();
        for (octets, expected) in [
            (endless, "line-too-long"),
            (long, "line-too-long"),
            (same, "too-many-headers"),
            (different, "too-many-headers"),
            (head, "head-too-large"),
        ] {
            let mut client = Client::logged_in(server.address);
            client.send(octets.as_bytes());
            refused(&mut client, expected);
        }
    });
}

#[test]
fn bodies_are_never_believed_before_they_come() {
    let server = Running::start(|config| config.limits.body = 1 << 20);
    beside_a_good_client(&server, || {
        // What is announced within the limit holds nothing but a connection.
        let mut patient: Vec<_> = (0..200).map(|_| Client::logged_in(server.address)).collect();
        for client in &mut patient {
            client.send(b"SEND\ndestination:/queue/a\ncontent-length:1048576\n\n");
        }
        let mut client = Client::logged_in(server.address);
        client.send(b"SEND\ndestination:/queue/a\ncontent-length:1048577\n\n");
        refused(&mut client, "body-too-large");
        let mut client = Client::logged_in(server.address);
        client.send(&[b"SEND\ndestination:/queue/a\n\n", &vec![b'x'; (1 << 20) + 1][..]].concat());
        refused(&mut client, "body-too-large");
    });
}

#[test]
fn a_large_frame_may_come_octet_by_octet() {
    let server = Running::start(|_| {});
    beside_a_good_client(&server, || {
        let mut client = Client::logged_in(server.address);
        client.send(b"SUBSCRIBE\nid:1\ndestination:/queue/octets\n\n\0");
        let mut frame = b"SEND\ndestination:/queue/octets\n".to_vec();
        for number in 0..8 {
            frame.extend(format!("h{number}:{}\n", "x".repeat(7900)).into_bytes());
        }
        frame.extend([b"\n", &[b'y'; 10_000][..], b"\0"].concat());
        for octet in frame.chunks(1) {
            client.send(octet);
        }
        let message = client.frame().expect("an answer").expect("an open connection");
        assert_eq!((message.command, message.body.len()), (Command::Message, 10_000));
        assert_eq!(message.headers.get("h7").map(str::len), Some(7900));
    });
}

#[test]
fn a_flood_of_nothing_is_swallowed() {
    let server = Running::start(|_| {});
    beside_a_good_client(&server, || {
        for octet in [b'\n', 0, b'\r'] {
            let mut client = Client::logged_in(server.address);
            let nothing = vec![octet; 1 << 20];
            for _ in 0..16 {
                client.send(&nothing);
            }
            fine(&mut client);
        }
    });
}

#[test]
fn who_does_not_read_its_receipts_is_not_read_either() {
    let server = Running::start(|config| {
        config.limits.write_timeout = Duration::from_secs(1);
        config.limits.output_buffer = 64 << 10;
    });
    beside_a_good_client(&server, || {
        let client = Client::logged_in(server.address);
        let mut socket = client.socket();
        socket.set_write_timeout(Some(Duration::from_secs(10))).expect("a time-out");
        let frame = format!("SEND\ndestination:/topic/nobody\nreceipt:{}\n\n\0", "r".repeat(1000));
        let frames = frame.repeat(64).into_bytes();
        // 1 GiB of receipts would come back. The server stops to read long before, and then gives up.
        let closed = (0..16_384).find_map(|_| socket.write_all(&frames).err()).expect("not all of it is read");
        let gone = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::ConnectionAborted];
        assert!(gone.contains(&closed.kind()), "{closed}");
    });
}

#[test]
fn a_topic_reader_that_does_not_read_harms_nobody() {
    const MESSAGES: usize = 600;
    let server = Running::start(|config| config.limits.topic_pending_bytes = 1 << 20);
    beside_a_good_client(&server, || {
        let [mut slow, mut fast, mut publisher] = [(); 3].map(|()| Client::logged_in(server.address));
        for client in [&mut slow, &mut fast] {
            client.send(b"SUBSCRIBE\nid:1\ndestination:/topic/flood\nreceipt:1\n\n\0");
            let receipt = client.frame().expect("an answer").expect("an open connection");
            assert_eq!(receipt.command, Command::Receipt);
        }
        let send = [b"SEND\ndestination:/topic/flood\n\n", &vec![b'x'; 64 << 10][..], b"\0"].concat();
        for _ in 0..MESSAGES {
            publisher.send(&send);
            let message = fast.frame().expect("an answer").expect("an open connection");
            assert_eq!(message.command, Command::Message, "{message:?}");
        }
        fine(&mut publisher);
        fine(&mut fast);
        let mut read = 0;
        loop {
            let frame = slow.frame().expect("an answer").expect("an ERROR before the end");
            if frame.command != Command::Message {
                assert_eq!(code(&frame), Some("slow-consumer"));
                break;
            }
            read += 1;
        }
        assert!(read < MESSAGES, "it got all of them");
        ended(&mut slow);
    });
}

#[test]
fn a_queue_reader_that_does_not_read_loses_what_it_holds() {
    const MESSAGES: usize = 400;
    let server = Running::start(|config| {
        config.limits.write_timeout = Duration::from_secs(1);
        config.limits.prefetch_bytes = 64 << 20;
    });
    beside_a_good_client(&server, || {
        let [mut stuck, mut next, mut publisher] = [(); 3].map(|()| Client::logged_in(server.address));
        let send = [b"SEND\ndestination:/queue/stuck\n\n", &vec![b'x'; 64 << 10][..], b"\0"].concat();
        for _ in 0..MESSAGES {
            publisher.send(&send);
        }
        fine(&mut publisher);
        let subscribe = b"SUBSCRIBE\nid:1\ndestination:/queue/stuck\nack:client\nprefetch-count:1000\n\n\0";
        stuck.send(subscribe);
        let first = stuck.frame().expect("an answer").expect("an open connection");
        assert_eq!(first.command, Command::Message);
        // It has all of them now, and reads no more. Once it is given up, they come to somebody else in their order.
        next.send(subscribe);
        let again = next.frame().expect("an answer").expect("an open connection");
        assert_eq!(again.headers.get("message-id"), first.headers.get("message-id"));
        assert_eq!(again.headers.get("delivery-count"), Some("2"));
        for _ in 1..MESSAGES {
            let message = next.frame().expect("an answer").expect("an open connection");
            assert_eq!(message.headers.get("redelivered"), Some("true"), "{message:?}");
        }
    });
}

#[test]
fn subscriptions_have_a_limit() {
    let server = Running::start(|_| {});
    beside_a_good_client(&server, || {
        let mut client = Client::logged_in(server.address);
        for number in 1..=256 {
            client.send(format!("SUBSCRIBE\nid:{number}\ndestination:/queue/many.{number}\n\n\0").as_bytes());
        }
        fine(&mut client);
        client.send(b"SUBSCRIBE\nid:257\ndestination:/queue/many.257\n\n\0");
        refused(&mut client, "too-many-subscriptions");
    });
}

#[test]
fn destinations_have_a_limit() {
    let server = Running::start(|config| config.limits.destinations = 10);
    beside_a_good_client(&server, || {
        let mut client = Client::logged_in(server.address);
        // The good client's queue is one of them, and so is the topic at the end.
        for number in 1..=8 {
            client.send(format!("SEND\ndestination:/queue/many.{number}\n\n\0").as_bytes());
        }
        fine(&mut client);
        client.send(b"SEND\ndestination:/queue/many.9\nreceipt:1\n\n\0");
        refused(&mut client, "too-many-destinations");
    });
}

#[test]
fn transactions_have_limits() {
    let server = Running::start(|_| {});
    beside_a_good_client(&server, || {
        let mut client = Client::logged_in(server.address);
        for number in 0..10_000 {
            client.send(format!("BEGIN\ntransaction:{number}\n\n\0").as_bytes());
        }
        refused(&mut client, "too-many-transactions");

        let mut client = Client::logged_in(server.address);
        client.send(b"BEGIN\ntransaction:t\n\n\0");
        client.send(&b"SEND\ndestination:/queue/a\ntransaction:t\n\n\0".repeat(1025));
        refused(&mut client, "transaction-too-large");

        let mut client = Client::logged_in(server.address);
        client.send(b"BEGIN\ntransaction:t\n\n\0");
        let frame = [b"SEND\ndestination:/queue/a\ntransaction:t\n\n", &vec![b'x'; 1 << 20][..], b"\0"].concat();
        for _ in 0..20 {
            client.send(&frame);
        }
        refused(&mut client, "transaction-too-large");
    });
}

#[test]
fn frames_out_of_place_end_the_connection() {
    let server = Running::start(|_| {});
    beside_a_good_client(&server, || {
        for command in ["SEND", "SUBSCRIBE", "ACK", "BEGIN", "DISCONNECT", "MESSAGE", "RECEIPT", "ERROR", "CONNECTED"] {
            let mut client = Client::connect(server.address);
            client.send(format!("{command}\ndestination:/queue/a\nid:1\ntransaction:1\n\n\0").as_bytes());
            refused(&mut client, "not-connected");
        }
        for command in ["CONNECT", "STOMP"] {
            let mut client = Client::logged_in(server.address);
            client.send(format!("{command}\naccept-version:1.2\n\n\0").as_bytes());
            refused(&mut client, "already-connected");
        }
        for command in ["MESSAGE", "RECEIPT", "ERROR", "CONNECTED"] {
            let mut client = Client::logged_in(server.address);
            client.send(format!("{command}\n\n\0").as_bytes());
            refused(&mut client, "unexpected-command");
        }
        let mut client = Client::logged_in(server.address);
        client.send(b"DISCONNECT\n\n\0");
        client.send(&b"SEND\ndestination:/queue/a\nreceipt:1\n\n\0".repeat(1000));
        ended(&mut client);
    });
}

#[test]
fn rubbish_is_answered_and_forgotten() {
    let server = Running::start(|_| {});
    beside_a_good_client(&server, || {
        for rubbish in
            [&b"\xff\xfe\xfd\xfc\n\n\0"[..], b"SSH-2.0-OpenSSH_9.9\r\n", b"EHLO me\r\n", b"*1\r\n$4\r\nPING\r\n"]
        {
            let mut client = Client::connect(server.address);
            client.send(rubbish);
            refused(&mut client, "unknown-command");
        }
    });
}

/// All that the server says to somebody who begins so.
fn answer(server: &Running, octets: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(server.address).expect("a server that listens");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
    socket.write_all(octets).expect("a server that reads");
    let mut words = Vec::new();
    socket.read_to_end(&mut words).expect("the end");
    words
}

#[test]
fn tls_where_there_is_none_gets_an_alert() {
    let server = Running::start(|_| {});
    beside_a_good_client(&server, || {
        // The beginning of a ClientHello; its version and its length are those of a real one.
        let mut hello = vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03];
        hello.resize(0x205, 7);
        assert_eq!(answer(&server, &hello), [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 40]);
    });
}

#[test]
fn http_gets_a_sentence() {
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let plain = Running::start(|config| config.listeners[0].protocols.websocket = false);
    beside_a_good_client(&plain, || {
        let words = String::from_utf8(answer(&plain, request)).expect("text");
        assert!(words.starts_with("HTTP/1.1 400 "), "{words}");
        assert!(
            words.ends_with("\r\n\r\nthis is a STOMP port without WebSocket, and the peer speaks HTTP\n"),
            "{words}"
        );
    });
    let both = Running::start(|_| {});
    let words = String::from_utf8(answer(&both, request)).expect("text");
    let (head, sentence) = words.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{head}");
    assert!(sentence.ends_with('\n') && sentence.lines().count() == 1, "{sentence:?}");
}

#[test]
fn connections_have_a_limit() {
    let server = Running::start(|config| config.limits.connections = 4);
    beside_a_good_client(&server, || {
        let mut clients: Vec<_> = (0..3).map(|_| Client::logged_in(server.address)).collect();
        let mut late = Client::connect(server.address);
        late.send(b"CONNECT\naccept-version:1.2\n\n\0");
        let frame = late.frame().expect("an answer").expect("an ERROR before the end");
        assert_eq!(frame.command, Command::Error);
        assert!(frame.headers.get("message").is_some_and(|words| words.contains("limits.connections")), "{frame:?}");
        ended(&mut late);
        let mut first = clients.remove(0);
        first.send(b"DISCONNECT\n\n\0");
        ended(&mut first);
        drop(first);
        // Its place is free once the server has noticed, which is soon.
        let next = (0..1000).find_map(|_| {
            let mut client = Client::connect(server.address);
            client.send(b"CONNECT\naccept-version:1.2\n\n\0");
            client.frame().ok().flatten().filter(|frame| frame.command == Command::Connected)
        });
        assert!(next.is_some(), "the place of one that left is never free");
    });
}

#[test]
fn strangers_have_a_limit() {
    let server = Running::start(|config| config.limits.unauthenticated = 3);
    beside_a_good_client(&server, || {
        let mut strangers = Vec::new();
        for _ in 0..10 {
            strangers.push(Client::connect(server.address));
            // Whoever logs in gets in: the stranger that came first goes for it.
            Client::logged_in(server.address);
        }
        for stranger in &mut strangers[..7] {
            assert_eq!(stranger.frame(), Ok(None));
        }
    });
}

#[test]
fn a_wrong_password_is_told_nothing() {
    let server = Running::start(|config| {
        let hash = hash_password("right").expect("a hash");
        config.auth.users = vec![User::new("alice", &hash, Rights::default()).expect("a user")];
    });
    let mut answers = Vec::new();
    for login in ["login:alice\npasscode:wrong", "login:bob\npasscode:right", "login:alice\npasscode:", "accept:x"] {
        let mut client = Client::connect(server.address);
        client.send(format!("CONNECT\naccept-version:1.2\n{login}\nreceipt:1\n\n\0").as_bytes());
        let frame = client.frame().expect("an answer").expect("an ERROR before the end");
        assert_eq!((code(&frame), frame.headers.get("receipt-id")), (Some("login-failed"), Some("1")));
        answers.push((frame.headers.get("message").map(str::to_owned), frame.body));
        ended(&mut client);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "who was wrong how can be told apart: {answers:?}");
    let mut client = Client::connect(server.address);
    client.send(b"CONNECT\naccept-version:1.2\nlogin:alice\npasscode:right\n\n\0");
    let frame = client.frame().expect("an answer").expect("an open connection");
    assert_eq!(frame.command, Command::Connected, "{frame:?}");
    // No rule lets her in anywhere.
    client.send(b"SEND\ndestination:/queue/a\nreceipt:2\n\n\0");
    let frame = client.frame().expect("an answer").expect("an ERROR before the end");
    assert_eq!((code(&frame), frame.headers.get("receipt-id")), (Some("forbidden"), Some("2")));
}
