//! Connections over real sockets: peers that read slowly, frames that arrive in pieces, ends with something on its way.

#![expect(clippy::disallowed_methods, reason = "how long a client has been sending is a matter of the real clock")]

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use kolejka_codec::{Command, Frame};
use kolejka_tests::server::Running;
use kolejka_tests::socket::Client;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

/// More than the socket buffers of both sides take while nobody reads.
const LARGE: usize = 4_000_000;

fn frame(client: &mut Client) -> Frame {
    client.frame().expect("an answer in time").expect("an open connection")
}

fn send(client: &mut Client, to: &str, body: &[u8]) {
    let head = format!("SEND\ndestination:{to}\nreceipt:sent\ncontent-length:{}\n\n", body.len());
    client.send(&[head.as_bytes(), body, b"\0"].concat());
    assert_eq!(frame(client).command, Command::Receipt);
}

/// Gives the server the time of some round trips.
fn dawdle(address: SocketAddr) {
    let mut client = Client::logged_in(address);
    for _ in 0..50 {
        send(&mut client, "/queue/elsewhere", b"x");
    }
}

fn websocket(address: SocketAddr) -> WebSocket<TcpStream> {
    let mut request = format!("ws://{address}/ws").into_client_request().expect("a request");
    request.headers_mut().insert("sec-websocket-protocol", "v12.stomp".parse().expect("a header"));
    let socket = TcpStream::connect(address).expect("a server that listens");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
    let (mut socket, _) = client(request, socket).expect("a WebSocket");
    socket.send(Message::text("CONNECT\naccept-version:1.2\nhost:test\n\n\0")).expect("sent");
    let connected = socket.read().expect("an answer").into_data();
    assert!(connected.starts_with(b"CONNECTED"), "{connected:?}");
    socket
}

#[test]
fn a_large_message_reaches_a_websocket_that_reads_late() {
    let server = Running::start(|_| {});
    let mut socket = websocket(server.address);
    socket.send(Message::text("SUBSCRIBE\nid:1\ndestination:/queue/a\nreceipt:here\n\n\0")).expect("sent");
    assert!(socket.read().expect("an answer").into_data().starts_with(b"RECEIPT"));
    send(&mut Client::logged_in(server.address), "/queue/a", &vec![b'x'; LARGE]);
    dawdle(server.address);
    let message = socket.read().expect("the whole message").into_data();
    assert!(message.starts_with(b"MESSAGE") && message.len() > LARGE);
}

#[test]
fn frames_that_each_arrive_in_time_are_never_late_together() {
    let server = Running::start(|config| config.limits.frame_timeout = Duration::from_secs(1));
    let mut client = Client::logged_in(server.address);
    let begun = Instant::now();
    client.send(b"SEND\ndestination:/topic/a\nre");
    while begun.elapsed() < Duration::from_millis(2500) {
        // The end of one and the beginning of the next.
        client.send(b"ceipt:1\n\n\0SEND\ndestination:/topic/a\nre");
        assert_eq!(frame(&mut client).command, Command::Receipt);
    }
}

#[test]
fn what_is_on_its_way_to_an_auto_subscriber_that_is_sent_off_goes_to_nobody_else() {
    let server = Running::start(|_| {});
    let mut leaving = Client::logged_in(server.address);
    leaving.send(b"SUBSCRIBE\nid:1\ndestination:/queue/a\nreceipt:here\n\n\0");
    assert_eq!(frame(&mut leaving).command, Command::Receipt);
    let mut producer = Client::logged_in(server.address);
    send(&mut producer, "/queue/a", &vec![b'x'; LARGE]);
    dawdle(server.address);
    leaving.send(b"NONSENSE\n\n\0");
    dawdle(server.address);
    let mut staying = Client::logged_in(server.address);
    staying.send(b"SUBSCRIBE\nid:1\ndestination:/queue/a\n\n\0");
    dawdle(server.address);
    assert_eq!(frame(&mut leaving).body.len(), LARGE);
    assert_eq!(frame(&mut leaving).command, Command::Error);
    send(&mut producer, "/queue/a", b"next");
    let next = frame(&mut staying);
    assert!(&next.body[..] == b"next", "{} octets that somebody else has", next.body.len());
}

#[test]
fn a_crowd_is_refused_without_holding_a_socket_for_each() {
    let server = Running::start(|config| config.limits.connections = 1);
    let _inside = Client::logged_in(server.address);
    let told: Vec<_> = (0..256).map(|_| Client::connect(server.address)).collect();
    let mut one_more = Client::connect(server.address);
    assert_eq!(one_more.frame(), Ok(None));
    let mut last = told[255].socket();
    last.set_nonblocking(true).expect("a socket");
    let waits = last.read(&mut [0; 1]).map_err(|error| error.kind());
    assert_eq!(waits, Err(ErrorKind::WouldBlock), "it was closed at once, and not in its turn");
}
