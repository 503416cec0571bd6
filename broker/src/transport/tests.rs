//! Real sockets on loopback, one peer at a time, spoken to through the face of the folder.
#![expect(clippy::disallowed_methods, reason = "certificates are read from files")]

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, SinkExt, StreamExt};
use rustls::ClientConfig;
use rustls_pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderName;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::FairPermits;
use super::accepted::objection;
use super::backoff::Backoff;
use super::listener::Trouble;
use super::sniff::{Guess, guess};
use super::upgrade::{HEAD_BYTES, judge};
use super::{Kind, Listener, Options, Rejected, Stream, Subprotocol, TlsFiles};
use crate::model::{Burst, Network};

// ---- the two ends ----

fn options() -> Options {
    Options::new(SocketAddr::from(([127, 0, 0, 1], 0)))
}

fn open(options: Options) -> Listener {
    Listener::bind(options).unwrap()
}

async fn establish(listener: &mut Listener) -> Result<Stream, Rejected> {
    listener.accept().await.unwrap().establish().await
}

/// A TCP client that says something, and what the listener makes of it.
async fn meet(options: Options, words: &[u8]) -> (TcpStream, Result<Stream, Rejected>) {
    let mut listener = open(options);
    let mut client = TcpStream::connect(listener.local_addr()).await.unwrap();
    client.write_all(words).await.unwrap();
    (client, establish(&mut listener).await)
}

/// What a client that was turned away has been told, and why the listener says it was.
async fn refusal(options: Options, words: &[u8]) -> (String, Rejected) {
    let mut listener = open(options);
    let mut client = TcpStream::connect(listener.local_addr()).await.unwrap();
    client.write_all(words).await.unwrap();
    let told = async {
        let mut told = Vec::new();
        client.read_to_end(&mut told).await.unwrap();
        drop(client);
        String::from_utf8_lossy(&told).into_owned()
    };
    let (told, rejected) = tokio::join!(told, establish(&mut listener));
    (told, rejected.unwrap_err())
}

/// A WebSocket client, with headers of its own, over a socket of any kind.
async fn upgrade<S>(socket: S, path: &str, headers: &[(&str, &str)]) -> Result<WebSocketStream<S>, Error>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut request = format!("ws://127.0.0.1{path}").into_client_request().unwrap();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    tokio_tungstenite::client_async(request, socket).await.map(|(client, _)| client)
}

/// Both ends of a WebSocket.
async fn websocket(options: Options) -> (WebSocketStream<TcpStream>, Stream) {
    let mut listener = open(options);
    let socket = TcpStream::connect(listener.local_addr()).await.unwrap();
    let (client, stream) = tokio::join!(upgrade(socket, "/ws", &[]), establish(&mut listener));
    (client.unwrap(), stream.unwrap())
}

/// One read. Nothing at all is the end.
async fn read(stream: &mut Stream) -> io::Result<Bytes> {
    let mut buf = BytesMut::new();
    let octets = poll_fn(|cx| stream.poll_read(cx, &mut buf)).await?;
    assert_eq!(octets, buf.len());
    Ok(buf.freeze())
}

async fn read_exactly(stream: &mut Stream, octets: usize) -> Bytes {
    let mut buf = BytesMut::new();
    while buf.len() < octets {
        assert_ne!(poll_fn(|cx| stream.poll_read(cx, &mut buf)).await.unwrap(), 0, "the stream ends early");
    }
    buf.freeze()
}

async fn read_to_end(stream: &mut Stream) -> Bytes {
    let mut buf = BytesMut::new();
    while poll_fn(|cx| stream.poll_read(cx, &mut buf)).await.unwrap() > 0 {}
    buf.freeze()
}

async fn write(stream: &mut Stream, frames: &[&[u8]]) -> io::Result<()> {
    let mut burst = burst(stream, frames);
    poll_fn(|cx| stream.poll_write(cx, &mut burst)).await?;
    assert!(burst.is_empty());
    Ok(())
}

fn burst(stream: &Stream, frames: &[&[u8]]) -> Burst {
    let mut burst = stream.new_burst();
    for frame in frames {
        burst.write(|into| into.extend_from_slice(frame));
        burst.end_frame();
    }
    burst
}

async fn shutdown(stream: &mut Stream) -> io::Result<()> {
    poll_fn(|cx| stream.poll_shutdown(cx)).await
}

// ---- certificates ----

/// Writes a fresh certificate for `localhost` and returns it.
fn certify(files: &TlsFiles) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

fn tls_files(folder: &Path) -> TlsFiles {
    TlsFiles { certificate: folder.join("certificate.pem"), key: folder.join("key.pem") }
}

fn with_tls() -> (TempDir, Options, CertificateDer<'static>) {
    let folder = tempfile::tempdir().unwrap();
    let files = tls_files(folder.path());
    let certificate = certify(&files);
    (folder, Options { tls: Some(files), ..options() }, certificate)
}

fn trusting(certificate: &CertificateDer<'static>) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

async fn secure(
    listener: &mut Listener,
    certificate: &CertificateDer<'static>,
    words: &[u8],
) -> io::Result<(TlsStream<TcpStream>, Result<Stream, Rejected>)> {
    let socket = TcpStream::connect(listener.local_addr()).await?;
    let client = async {
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = trusting(certificate).connect(name, socket).await?;
        client.write_all(words).await?;
        io::Result::Ok(client)
    };
    let (client, stream) = tokio::join!(client, establish(listener));
    Ok((client?, stream))
}

// ---- telling peers apart ----

#[test]
fn a_guess_is_made_as_soon_as_it_is_certain() {
    assert_eq!(guess(b""), None);
    assert_eq!(guess(b"\x16"), Some(Guess::Tls));
    assert_eq!(guess(b"GET"), None);
    assert_eq!(guess(b"GET "), Some(Guess::Http));
    assert_eq!(guess(b"POST /queue"), Some(Guess::Http));
    assert_eq!(guess(b"D"), None);
    assert_eq!(guess(b"DI"), Some(Guess::Stomp));
    for words in ["CONNECT", "STOMP", "\n", "\r\n", "SEND", "get ", "GOT ", "\0", "\u{fffd}"] {
        assert_eq!(guess(&words.as_bytes()[..1]).or(guess(words.as_bytes())), Some(Guess::Stomp), "{words:?}");
    }
}

#[tokio::test]
async fn octets_of_stomp_come_through_untouched() {
    let (_client, stream) = meet(options(), b"\nCONNECT\n\n\0").await;
    let mut stream = stream.unwrap();
    assert_eq!(stream.peer().kind, Kind::Stomp);
    assert!(!stream.peer().tls);
    assert!(stream.peer().kind.trailing_lf());
    assert_eq!(read_exactly(&mut stream, 11).await, "\nCONNECT\n\n\0");
}

#[tokio::test]
async fn garbage_is_left_to_the_decoder() {
    let (_client, stream) = meet(options(), b"\xff\x00garbage").await;
    assert_eq!(read_exactly(&mut stream.unwrap(), 9).await, &b"\xff\x00garbage"[..]);
}

#[tokio::test]
async fn one_port_serves_all_kinds() {
    let (_folder, options, certificate) = with_tls();
    let mut listener = open(options);

    let mut plain = TcpStream::connect(listener.local_addr()).await.unwrap();
    plain.write_all(b"CONNECT").await.unwrap();
    let plain = establish(&mut listener).await.unwrap();
    assert_eq!((plain.peer().kind, plain.peer().tls), (Kind::Stomp, false));

    let (_client, secret) = secure(&mut listener, &certificate, b"STOMP").await.unwrap();
    let mut secret = secret.unwrap();
    assert_eq!((secret.peer().kind, secret.peer().tls), (Kind::Stomp, true));
    assert_eq!(read_exactly(&mut secret, 5).await, "STOMP");

    let socket = TcpStream::connect(listener.local_addr()).await.unwrap();
    let (browser, page) = tokio::join!(upgrade(socket, "/stomp", &[]), establish(&mut listener));
    let page = page.unwrap();
    assert_eq!((page.peer().kind, page.peer().tls), (Kind::WebSocket, false));
    assert!(browser.is_ok() && !page.peer().kind.trailing_lf());

    let socket = TcpStream::connect(listener.local_addr()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let browser = async { upgrade(trusting(&certificate).connect(name, socket).await?, "/", &[]).await };
    let (browser, page) = tokio::join!(browser, establish(&mut listener));
    let mut page = page.unwrap();
    assert_eq!((page.peer().kind, page.peer().tls), (Kind::WebSocket, true));
    let mut browser = browser.unwrap();
    browser.send(Message::text("CONNECT\n\n\0")).await.unwrap();
    assert_eq!(read(&mut page).await.unwrap(), "CONNECT\n\n\0");
    write(&mut page, &[b"CONNECTED\n\n\0"]).await.unwrap();
    assert_eq!(browser.next().await.unwrap().unwrap(), Message::text("CONNECTED\n\n\0"));
}

#[tokio::test]
async fn first_octets_may_come_one_by_one() {
    let words = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut listener = open(options());
    let mut client = TcpStream::connect(listener.local_addr()).await.unwrap();
    client.set_nodelay(true).unwrap();
    let dribble = async {
        for octet in words {
            client.write_all(&[*octet]).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 101");
    };
    let ((), stream) = tokio::join!(dribble, establish(&mut listener));
    assert_eq!(stream.unwrap().peer().kind, Kind::WebSocket);
}

#[tokio::test]
async fn a_peer_that_only_knocks_is_gone() {
    let mut listener = open(options());
    drop(TcpStream::connect(listener.local_addr()).await.unwrap());
    assert!(matches!(establish(&mut listener).await, Err(Rejected::Gone)));
}

// ---- refusals ----

#[tokio::test]
async fn a_stomp_peer_reads_why_it_is_refused() {
    let (told, rejected) = refusal(Options { stomp: false, ..options() }, b"CONNECT\n\n\0").await;
    assert!(matches!(rejected, Rejected::StompForbidden));
    assert!(told.starts_with("ERROR\nmessage:this listener serves STOMP in WebSocket messages only"), "{told}");
    assert!(told.ends_with("\n\0\n"));
}

#[test]
fn a_peer_beyond_loopback_needs_tls_unless_plaintext_is_allowed() {
    let [here, there] = [IpAddr::from(LOCAL), IpAddr::from(REMOTE)];
    for http in [false, true] {
        assert!(matches!(objection(&options(), there, false, http), Some(Rejected::PlaintextForbidden)));
        assert!(objection(&options(), there, true, http).is_none());
        assert!(objection(&options(), here, false, http).is_none());
        assert!(objection(&Options { allow_plaintext: true, ..options() }, there, false, http).is_none());
    }
}

#[tokio::test]
async fn an_http_peer_reads_why_it_is_refused() {
    let (told, rejected) = refusal(Options { websocket: false, ..options() }, b"GET / HTTP/1.1\r\n\r\n").await;
    assert!(matches!(rejected, Rejected::WebSocketForbidden));
    assert!(told.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{told}");
    assert!(told.contains("this is a STOMP port without WebSocket"));
}

#[tokio::test]
async fn tls_without_a_certificate_gets_an_alert_and_one_sentence() {
    let (told, rejected) = refusal(options(), b"\x16\x03\x01\x00\x05hello").await;
    assert_eq!(told.as_bytes(), b"\x15\x03\x03\x00\x02\x02\x28");
    assert!(matches!(rejected, Rejected::TlsWithoutCertificate));
    assert!(rejected.to_string().contains("no certificate"));
}

#[tokio::test]
async fn a_connection_can_be_turned_away_before_it_is_established() {
    for (words, told) in [(&b"CONNECT"[..], "ERROR\nmessage:full"), (b"GET / ", "HTTP/1.1 503 ")] {
        let mut listener = open(options());
        let mut client = TcpStream::connect(listener.local_addr()).await.unwrap();
        client.write_all(words).await.unwrap();
        let accepted = listener.accept().await.unwrap();
        let answer = async {
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            drop(client);
            answer
        };
        let (answer, rejected) = tokio::join!(answer, accepted.refuse("full"));
        assert!(answer.starts_with(told), "{answer}");
        assert!(matches!(rejected, Rejected::Refused("full")));
    }
}

#[tokio::test]
async fn a_request_that_is_no_upgrade_gets_a_readable_answer() {
    let (told, rejected) = refusal(options(), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(told.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{told}");
    assert!(told.contains("\r\nUpgrade: websocket\r\n") && told.contains("this is a STOMP port"), "{told}");
    assert!(matches!(rejected, Rejected::Http { status: 426, .. }));

    let (told, _) = refusal(options(), b"POST /ws HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(told.starts_with("HTTP/1.1 405 ") && told.contains("\r\nAllow: GET\r\n"), "{told}");
    let (told, _) = refusal(options(), b"GET / HTTP/1.1\r\nno header\r\n\r\n").await;
    assert!(told.starts_with("HTTP/1.1 400 "), "{told}");
    let (told, _) = refusal(options(), b"GET /console HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(told.starts_with("HTTP/1.1 404 "), "{told}");
}

#[tokio::test]
async fn a_request_head_is_bounded() {
    let padded = |total: usize| {
        let rest = "GET / HTTP/1.1\r\nHost: localhost\r\nX: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(total - rest))
    };
    for (octets, status) in [(HEAD_BYTES - 1, 426), (HEAD_BYTES, 426), (HEAD_BYTES + 1, 431), (8 * HEAD_BYTES, 431)] {
        let (told, _) = refusal(options(), padded(octets).as_bytes()).await;
        assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{octets}: {told}");
    }
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(200));
    let (told, _) = refusal(options(), many.as_bytes()).await;
    assert!(told.starts_with("HTTP/1.1 431 "), "{told}");
}

// ---- deadlines ----

/// Waits out a deadline of 50 ms with a peer that stops in the middle.
async fn stall(words: &[u8], options: Options) -> Rejected {
    let (mut client, stream) = meet(options, words).await;
    let rejected = stream.unwrap_err();
    let mut told = Vec::new();
    // Whether the close is orderly depends on what was left unread.
    let _ = client.read_to_end(&mut told).await;
    assert!(told.is_empty());
    rejected
}

#[tokio::test]
async fn a_peer_that_stalls_is_let_go_at_the_deadline() {
    let soon = || Options { connect_deadline: Duration::from_millis(50), ..options() };
    assert!(matches!(stall(b"", soon()).await, Rejected::Late));
    assert!(matches!(stall(b"GE", soon()).await, Rejected::Late));
    assert!(matches!(stall(b"GET /ws HTTP/1.1\r\nHost: loc", soon()).await, Rejected::Late));
}

#[tokio::test]
async fn a_stalled_tls_handshake_has_a_deadline_of_its_own() {
    let (_folder, options, _) = with_tls();
    let options = Options { tls_deadline: Duration::from_millis(50), ..options };
    assert!(matches!(stall(b"\x16\x03\x01", options).await, Rejected::LateTls));
}

#[tokio::test]
async fn octets_do_not_extend_the_deadline() {
    let mut listener = open(Options { connect_deadline: Duration::from_millis(100), ..options() });
    let mut client = TcpStream::connect(listener.local_addr()).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
    let mut drops = tokio::time::interval(Duration::from_millis(5));
    let drip = async {
        while client.write_all(b"x").await.is_ok() {
            drops.tick().await;
        }
    };
    tokio::select! {
        rejected = establish(&mut listener) => assert!(matches!(rejected, Err(Rejected::Late))),
        () = drip => panic!("the connection is closed by the deadline only"),
    }
}

#[tokio::test]
async fn handshakes_beyond_the_number_wait_within_their_deadline() {
    let (_folder, options, _) = with_tls();
    let options = Options { tls_handshakes: 1, connect_deadline: Duration::from_millis(50), ..options };
    let mut listener = open(options);
    let mut clients = Vec::new();
    let mut accepted = Vec::new();
    for _ in 0..2 {
        let mut client = TcpStream::connect(listener.local_addr()).await.unwrap();
        client.write_all(b"\x16\x03\x01").await.unwrap();
        clients.push(client);
        accepted.push(listener.accept().await.unwrap());
    }
    let (second, first) = (accepted.pop().unwrap(), accepted.pop().unwrap());
    let (first, second) = tokio::join!(first.establish(), second.establish());
    assert!(matches!((first, second), (Err(Rejected::Late), Err(Rejected::Late))));
}

// ---- TLS ----

#[tokio::test]
async fn a_reload_changes_what_is_served_and_a_broken_file_changes_nothing() {
    let (folder, options, first) = with_tls();
    let files = tls_files(folder.path());
    let mut listener = open(options);

    let second = certify(&files);
    assert!(secure(&mut listener, &first, b"STOMP").await.unwrap().1.is_ok(), "not before the reload");
    listener.reload().unwrap();
    assert!(secure(&mut listener, &first, b"STOMP").await.is_err(), "the old one is not served any more");
    assert!(secure(&mut listener, &second, b"STOMP").await.unwrap().1.is_ok());

    std::fs::write(&files.certificate, "not PEM").unwrap();
    let error = listener.reload().unwrap_err().to_string();
    assert!(error.contains("certificate.pem") && error.contains("no certificate"), "{error}");
    std::fs::remove_file(&files.certificate).unwrap();
    assert!(listener.reload().unwrap_err().to_string().contains("certificate.pem"));
    assert!(secure(&mut listener, &second, b"STOMP").await.unwrap().1.is_ok(), "the last good one stays");
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let files = tls_files(folder.path());
    certify(&files);
    let certificate = std::fs::read(&files.certificate).unwrap();
    certify(&files);
    std::fs::write(&files.certificate, certificate).unwrap();
    let error = Listener::bind(Options { tls: Some(files), ..options() }).unwrap_err().to_string();
    assert!(error.contains("cannot be served with the key"), "{error}");
}

#[tokio::test]
async fn large_bursts_pass_through_tls_whole() {
    let (_folder, options, certificate) = with_tls();
    let mut listener = open(options);
    let (mut client, stream) = secure(&mut listener, &certificate, b"S").await.unwrap();
    let mut stream = stream.unwrap();
    let body = vec![7; 3 << 20];
    let send = async {
        write(&mut stream, &[b"head", &body, b"tail"]).await.unwrap();
        shutdown(&mut stream).await.unwrap();
        read_to_end(&mut stream).await
    };
    let receive = async {
        let mut octets = Vec::new();
        client.read_to_end(&mut octets).await.unwrap();
        client.shutdown().await.unwrap();
        drop(client);
        octets
    };
    let (rest, octets) = tokio::join!(send, receive);
    assert_eq!(rest, "S");
    assert_eq!(octets.len(), 4 + body.len() + 4);
    assert!(octets.starts_with(b"head\x07") && octets.ends_with(b"\x07tail"));
}

#[tokio::test]
async fn a_tls_peer_that_just_closes_has_ended_its_input() {
    let (_folder, options, certificate) = with_tls();
    let mut listener = open(options);
    let (client, stream) = secure(&mut listener, &certificate, b"STOMP").await.unwrap();
    // Not dropped: the session tickets it has not read would turn the close into a reset.
    let (mut socket, _) = client.into_inner();
    socket.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut stream.unwrap()).await, "STOMP");
}

// ---- octets both ways ----

#[tokio::test]
async fn the_last_octets_arrive_although_the_peer_goes_on_talking() {
    let (mut client, stream) = meet(options(), b"CONNECT").await;
    let mut stream = stream.unwrap();
    client.write_all(&vec![b'x'; 32 * 1024]).await.unwrap();
    write(&mut stream, &[b"ERROR\n\n\0"]).await.unwrap();
    shutdown(&mut stream).await.unwrap();
    let receive = async {
        let mut octets = Vec::new();
        client.read_to_end(&mut octets).await.unwrap();
        client.shutdown().await.unwrap();
        octets
    };
    let (octets, rest) = tokio::join!(receive, read_to_end(&mut stream));
    assert_eq!(octets, b"ERROR\n\n\0");
    assert_eq!(rest.len(), 7 + 32 * 1024);
}

#[tokio::test]
async fn a_peer_that_ended_its_output_can_still_be_answered() {
    let (mut client, stream) = meet(options(), b"DISCONNECT").await;
    let mut stream = stream.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, "DISCONNECT");
    write(&mut stream, &[b"RECEIPT"]).await.unwrap();
    drop(stream);
    let mut octets = Vec::new();
    client.read_to_end(&mut octets).await.unwrap();
    assert_eq!(octets, b"RECEIPT");
}

#[tokio::test]
async fn a_burst_waits_for_a_peer_that_does_not_read() {
    let (mut client, stream) = meet(options(), b"STOMP").await;
    let mut stream = stream.unwrap();
    let body = vec![1; 16 << 20];
    let mut waiting = burst(&stream, &[&body]);
    let first = poll_fn(|cx| std::task::Poll::Ready(stream.poll_write(cx, &mut waiting))).await;
    assert!(first.is_pending() && !waiting.is_empty());
    let mut octets = vec![0; body.len()];
    let send = poll_fn(|cx| stream.poll_write(cx, &mut waiting));
    let (sent, received) = tokio::join!(send, client.read_exact(&mut octets));
    assert!(sent.is_ok() && received.is_ok());
    assert_eq!(octets, body);
}

#[tokio::test]
async fn a_stranger_gets_small_reads() {
    let (mut client, stream) = meet(options(), b"S").await;
    let mut stream = stream.unwrap();
    client.write_all(&vec![0; 100_000]).await.unwrap();
    let (mut buf, mut missing) = (BytesMut::new(), 100_001);
    while missing > 0 {
        missing -= poll_fn(|cx| stream.poll_read(cx, &mut buf)).await.unwrap();
        assert!(buf.capacity() <= 8 * 1024);
        buf.clear();
    }
}

#[tokio::test]
async fn an_idle_connection_keeps_little_memory() {
    let (mut client, stream) = meet(options(), b"S").await;
    let mut stream = stream.unwrap();
    stream.admit();
    let (mut buf, mut largest) = (BytesMut::new(), 0);
    client.write_all(&vec![0; 1 << 20]).await.unwrap();
    let mut missing = 1 + (1 << 20);
    while missing > 0 {
        missing -= poll_fn(|cx| stream.poll_read(cx, &mut buf)).await.unwrap();
        largest = largest.max(buf.capacity());
        buf.clear();
    }
    let idle = poll_fn(|cx| std::task::Poll::Ready(stream.poll_read(cx, &mut buf))).await;
    assert!(idle.is_pending());
    assert!(largest >= 32 * 1024, "reads grow with what comes: {largest}");
    assert!(buf.capacity() <= 8 * 1024, "{} octets are kept", buf.capacity());
}

// ---- the WebSocket handshake ----

fn request(headers: &str) -> Vec<u8> {
    format!(
        "GET /ws?x=y HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
    .into()
}

fn status(headers: &str, from: [u8; 4], options: &Options) -> u16 {
    judge(&request(headers), IpAddr::from(from), options, options.same_port)
        .map_or_else(|refusal| refusal.status, |_| 101)
}

const LOCAL: [u8; 4] = [127, 0, 0, 1];
const REMOTE: [u8; 4] = [192, 0, 2, 7];

#[test]
fn an_origin_is_the_host_or_listed() {
    let listing = Options { origins: vec!["https://app.example.com".into()], ..options() };
    let anyone = Options { origins: vec!["*".into()], ..options() };
    let cases = [
        ("http://broker.example", "broker.example:61613", REMOTE, 101),
        ("https://BROKER.example:8443", "broker.example", REMOTE, 101),
        ("http://[2001:db8::1]:80", "[2001:db8::1]:61613", REMOTE, 101),
        ("http://evil.example", "broker.example:61613", REMOTE, 403),
        ("http://broker.example.evil.example", "broker.example", REMOTE, 403),
        ("null", "broker.example", REMOTE, 403),
        ("file://", "broker.example", REMOTE, 403),
        ("http://localhost:8000", "localhost:15674", LOCAL, 101),
        ("http://127.0.0.1:8000", "127.0.0.1:15674", LOCAL, 101),
        ("http://127.0.0.1:8000", "localhost:15674", LOCAL, 403),
        // A name of somebody else that was made to mean this machine.
        ("http://evil.example:15674", "evil.example:15674", LOCAL, 403),
    ];
    for (origin, host, from, expected) in cases {
        let headers = format!("Host: {host}\r\nOrigin: {origin}\r\n");
        assert_eq!(status(&headers, from, &options()), expected, "{origin} to {host}");
        assert_eq!(status(&headers, from, &anyone), 101);
    }
    let listed = "Host: broker.example\r\nOrigin: https://app.example.com\r\n";
    assert_eq!(status(listed, REMOTE, &listing), 101);
    assert_eq!(status(listed, REMOTE, &options()), 403);
    assert_eq!(status("Host: a\r\nOrigin: https://app.example.com:444\r\n", REMOTE, &listing), 403);
}

#[test]
fn with_users_an_origin_is_the_host_and_port_or_listed() {
    let users = Options { same_port: true, ..options() };
    let open = Options { anonymous: true, ..users.clone() };
    let cases = [
        ("http://localhost:15674", "localhost:15674", LOCAL, 101, 101),
        ("http://127.0.0.1:15674", "127.0.0.1:15674", LOCAL, 101, 101),
        ("http://[::1]:15674", "[::1]:15674", LOCAL, 101, 101),
        ("http://localhost", "localhost:80", LOCAL, 101, 101),
        ("https://192.0.2.1", "192.0.2.1", REMOTE, 101, 101),
        ("http://localhost:3000", "localhost:15674", LOCAL, 403, 403),
        ("http://127.0.0.1:8888", "127.0.0.1:15674", LOCAL, 403, 403),
        ("http://0.0.0.0", "0.0.0.0:15674", LOCAL, 403, 403),
        ("http://localhost", "localhost:443", LOCAL, 403, 403),
        ("https://broker.example", "broker.example:15674", REMOTE, 403, 403),
        // The page cannot log in unless it is told how; where no login is asked for, the name may have been pointed here.
        ("https://broker.example", "broker.example:443", REMOTE, 101, 403),
        ("http://evil.example:15674", "evil.example:15674", LOCAL, 403, 403),
    ];
    for (origin, host, from, with_login, without) in cases {
        let headers = format!("Host: {host}\r\nOrigin: {origin}\r\n");
        assert_eq!(status(&headers, from, &users), with_login, "{origin} to {host}");
        assert_eq!(status(&headers, from, &open), without, "{origin} to {host}");
        let listing = Options { origins: vec![origin.to_owned()], ..open.clone() };
        assert_eq!(status(&headers, from, &listing), 101, "listed");
    }
}

#[test]
fn a_refused_origin_is_named_with_the_key_that_would_let_it_in() {
    let refusal = |origin: &str| {
        let head = request(&format!("Host: localhost:15674\r\nOrigin: {origin}\r\n"));
        judge(&head, IpAddr::from(LOCAL), &options(), true).unwrap_err().sentence.into_owned()
    };
    let sentence = refusal("http://localhost:3000");
    assert!(sentence.contains("pages of the origin http://localhost:3000 may not connect"), "{sentence}");
    assert!(sentence.contains("origins = [\"http://localhost:3000\"] into the [[listener]]"), "{sentence}");
    assert!(refusal(&format!("http://{}", "x".repeat(5000))).len() < 500);
}

#[test]
fn an_origin_may_be_missing_unless_it_is_demanded() {
    assert_eq!(status("Host: localhost\r\n", REMOTE, &options()), 101);
    assert_eq!(status("Host: localhost\r\n", REMOTE, &Options { require_origin: true, ..options() }), 403);
    assert_eq!(status("", REMOTE, &options()), 400, "a request without Host is none");
    assert_eq!(status("Host: a\r\nOrigin: http://a\r\nOrigin: http://b\r\n", REMOTE, &options()), 400);
}

#[test]
fn the_best_subprotocol_that_was_offered_is_chosen() {
    let cases = [
        (&[][..], Ok(None)),
        (&["v12.stomp"], Ok(Some(Subprotocol::V12))),
        (&["v10.stomp, v11.stomp,v12.stomp"], Ok(Some(Subprotocol::V12))),
        (&["v10.stomp", "v11.stomp"], Ok(Some(Subprotocol::V11))),
        (&["v10.stomp"], Ok(Some(Subprotocol::V10))),
        (&["stomp"], Ok(Some(Subprotocol::Any))),
        (&["mqtt, v11.stomp, stomp"], Ok(Some(Subprotocol::V11))),
        (&["mqtt"], Err(400)),
        (&["V12.STOMP"], Err(400)),
    ];
    for (offers, expected) in cases {
        let mut headers = "Host: a\r\n".to_owned();
        for offer in offers {
            headers.extend(["Sec-WebSocket-Protocol: ", offer, "\r\n"]);
        }
        let judged = judge(&request(&headers), IpAddr::from(REMOTE), &options(), false);
        let answer = judged.as_ref().map_or(String::new(), |upgrade| String::from_utf8_lossy(&upgrade.response).into());
        assert_eq!(judged.map(|upgrade| upgrade.subprotocol).map_err(|refusal| refusal.status), expected, "{offers:?}");
        let echoed = answer.to_lowercase().split_once("sec-websocket-protocol: ").map(|(_, rest)| rest.to_owned());
        let echoed = echoed.and_then(|rest| rest.lines().next().map(str::to_owned));
        assert_eq!(echoed.as_deref(), expected.ok().flatten().map(Subprotocol::as_str));
    }
}

#[test]
fn compression_is_never_negotiated() {
    let head = request("Host: a\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
    let answer = judge(&head, IpAddr::from(REMOTE), &options(), false).unwrap().response;
    assert!(!String::from_utf8_lossy(&answer).to_lowercase().contains("extensions"));
}

#[tokio::test]
async fn a_browser_gets_its_subprotocol_and_an_unknown_path_gets_404() {
    let mut listener = open(options());
    let socket = TcpStream::connect(listener.local_addr()).await.unwrap();
    let offer = [("Sec-WebSocket-Protocol", "v10.stomp, v12.stomp"), ("Origin", "http://127.0.0.1:8000")];
    let (client, stream) = tokio::join!(upgrade(socket, "/", &offer), establish(&mut listener));
    assert_eq!(stream.unwrap().peer().subprotocol, Some(Subprotocol::V12));
    client.unwrap();

    let socket = TcpStream::connect(listener.local_addr()).await.unwrap();
    let client = async {
        // Ours ends its patience when the client's socket is closed.
        match upgrade(socket, "/other", &[]).await {
            Err(Error::Http(response)) => response.status().as_u16(),
            other => panic!("{other:?}"),
        }
    };
    let (status, stream) = tokio::join!(client, establish(&mut listener));
    assert_eq!(status, 404);
    assert!(matches!(stream, Err(Rejected::Http { status: 404, .. })));
}

// ---- WebSocket messages ----

#[tokio::test]
async fn a_frame_may_come_in_pieces_and_mixed_messages() {
    let (mut client, mut stream) = websocket(options()).await;
    client.send(Message::text("CONN")).await.unwrap();
    client.send(Message::binary(&b"ECT\n\n\0\n"[..])).await.unwrap();
    client.send(Message::text("\n")).await.unwrap();
    client.send(Message::text("")).await.unwrap();
    client.send(Message::text("SEND\n\n\0SEND\n\n\0")).await.unwrap();
    let all = "CONNECT\n\n\0\n\nSEND\n\n\0SEND\n\n\0";
    assert_eq!(read_exactly(&mut stream, all.len()).await, all);
}

#[tokio::test]
async fn fragments_make_one_message() {
    let (mut client, mut stream) = websocket(options()).await;
    let text = "žába\0".as_bytes();
    let (head, tail) = text.split_at(1);
    client.send(Message::Frame(Frame::message(head, OpCode::Data(Data::Text), false))).await.unwrap();
    client.send(Message::Frame(Frame::message(tail, OpCode::Data(Data::Continue), true))).await.unwrap();
    assert_eq!(read(&mut stream).await.unwrap(), text);
}

#[tokio::test]
async fn answers_are_of_the_kind_of_the_first_message() {
    let frames: [&[u8]; 3] = [b"MESSAGE\n\n\xc3\xa1\0", b"MESSAGE\n\n\xff\0", b"\n"];
    for binary in [false, true] {
        let (mut client, mut stream) = websocket(options()).await;
        let first = if binary { Message::binary(&b"CONNECT"[..]) } else { Message::text("CONNECT") };
        let second = if binary { Message::text("SEND") } else { Message::binary(&b"SEND"[..]) };
        client.send(first).await.unwrap();
        client.send(second).await.unwrap();
        assert_eq!(read_exactly(&mut stream, 11).await, "CONNECTSEND");
        write(&mut stream, &frames).await.unwrap();
        for frame in frames {
            let message = client.next().await.unwrap().unwrap();
            assert_eq!(message.is_text(), !binary && std::str::from_utf8(frame).is_ok(), "{message:?}");
            assert_eq!(message.into_data(), frame, "one message per frame");
        }
    }
}

#[tokio::test]
async fn a_large_frame_is_one_message() {
    let (mut client, mut stream) = websocket(options()).await;
    client.send(Message::text("CONNECT")).await.unwrap();
    read(&mut stream).await.unwrap();
    let body = "á".repeat(1 << 20);
    let frames: [&[u8]; 2] = [body.as_bytes(), b"\n"];
    let (sent, message) = tokio::join!(write(&mut stream, &frames), client.next());
    sent.unwrap();
    assert_eq!(message.unwrap().unwrap(), Message::text(body));
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("\n"));
}

#[tokio::test]
async fn a_message_may_be_as_large_as_its_limit_which_grows_with_the_login() {
    for (admitted, limit) in [(false, 1000), (true, 50_000)] {
        for (octets, fits) in [(limit - 1, true), (limit, true), (limit + 1, false)] {
            let small = Options { login_message_bytes: 1000, message_bytes: 50_000, ..options() };
            let (mut client, mut stream) = websocket(small).await;
            if admitted {
                stream.admit();
            }
            client.send(Message::binary(vec![b'x'; octets])).await.unwrap();
            match read(&mut stream).await {
                Ok(message) => assert!(fits && message.len() == octets, "{octets}"),
                Err(error) => {
                    assert!(!fits, "{octets}: {error}");
                    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
                    assert_eq!(error.to_string(), format!("a WebSocket message is larger than {limit} octets"));
                }
            }
        }
    }
}

#[tokio::test]
async fn a_limit_that_grows_in_time_holds_for_what_came_together() {
    let small = Options { login_message_bytes: 1000, ..options() };
    let (mut client, mut stream) = websocket(small).await;
    client.feed(Message::text("CONNECT")).await.unwrap();
    client.feed(Message::binary(vec![b'x'; 5000])).await.unwrap();
    client.flush().await.unwrap();
    assert_eq!(read(&mut stream).await.unwrap(), "CONNECT");
    stream.admit();
    assert_eq!(read(&mut stream).await.unwrap().len(), 5000);
}

#[tokio::test]
async fn fragments_do_not_add_up_beyond_the_limit() {
    let (mut client, mut stream) = websocket(Options { login_message_bytes: 1000, ..options() }).await;
    let mut opcode = Data::Binary;
    for _ in 0..11 {
        client.send(Message::Frame(Frame::message(vec![0; 100], OpCode::Data(opcode), false))).await.unwrap();
        opcode = Data::Continue;
    }
    assert_eq!(read(&mut stream).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_faulty_peer_still_reads_what_was_wrong() {
    let (mut client, mut stream) = websocket(Options { login_message_bytes: 10, ..options() }).await;
    client.feed(Message::text("first")).await.unwrap();
    client.feed(Message::text("too long by far")).await.unwrap();
    client.flush().await.unwrap();
    assert_eq!(read(&mut stream).await.unwrap(), "first", "what came before the fault is not lost");
    assert_eq!(read(&mut stream).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    write(&mut stream, &[b"ERROR\n\n\0"]).await.unwrap();
    shutdown(&mut stream).await.unwrap();
    let receive = async {
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("ERROR\n\n\0"));
        match client.next().await {
            Some(Ok(Message::Close(Some(close)))) => assert_eq!(close.code, CloseCode::Size),
            other => panic!("{other:?}"),
        }
        assert!(client.next().await.is_none());
        drop(client);
    };
    let ((), rest) = tokio::join!(receive, read_to_end(&mut stream));
    assert!(rest.is_empty());
}

#[tokio::test]
async fn an_unmasked_message_and_false_text_are_faults() {
    for octets in [&b"\x81\x01a"[..], b"\x81\x81\0\0\0\0\xff", b"\xc1\x81\0\0\0\0a"] {
        let (mut client, mut stream) = websocket(options()).await;
        client.get_mut().write_all(octets).await.unwrap();
        assert_eq!(read(&mut stream).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}

#[tokio::test]
async fn pings_are_answered_and_a_flood_of_them_is_a_fault() {
    let (mut client, mut stream) = websocket(options()).await;
    client.send(Message::Ping(Bytes::from_static(b"hello"))).await.unwrap();
    client.send(Message::text("CONNECT")).await.unwrap();
    assert_eq!(read(&mut stream).await.unwrap(), "CONNECT");
    write(&mut stream, &[b"CONNECTED\n\n\0"]).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Pong(Bytes::from_static(b"hello")));
    assert_eq!(client.next().await.unwrap().unwrap(), Message::text("CONNECTED\n\n\0"));

    for _ in 0..100 {
        client.feed(Message::Ping(Bytes::new())).await.unwrap();
    }
    client.flush().await.unwrap();
    let error = read(&mut stream).await.unwrap_err();
    assert_eq!(error.to_string(), "there are more than 10 WebSocket pings and pongs a second");
}

#[tokio::test]
async fn both_ends_can_close_a_websocket() {
    let (mut client, mut stream) = websocket(options()).await;
    let close = async {
        client.close(None).await.unwrap();
        while let Some(message) = client.next().await {
            assert!(matches!(message, Ok(Message::Close(_))));
        }
    };
    let ours = async {
        assert!(read_to_end(&mut stream).await.is_empty());
        assert_eq!(write(&mut stream, &[b"late"]).await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        shutdown(&mut stream).await.unwrap();
    };
    tokio::join!(close, ours);

    let (mut client, mut stream) = websocket(options()).await;
    write(&mut stream, &[b"last"]).await.unwrap();
    shutdown(&mut stream).await.unwrap();
    let receive = async {
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("last"));
        assert!(
            matches!(client.next().await, Some(Ok(Message::Close(Some(close)))) if close.code == CloseCode::Normal)
        );
        assert!(client.next().await.is_none());
        drop(client);
    };
    let ((), rest) = tokio::join!(receive, read_to_end(&mut stream));
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_websocket_that_just_breaks_off_has_ended_its_input() {
    let (mut client, mut stream) = websocket(options()).await;
    client.send(Message::text("CONNECT")).await.unwrap();
    drop(client);
    assert_eq!(read_to_end(&mut stream).await, "CONNECT");
}

#[tokio::test]
async fn a_websocket_peer_that_does_not_read_holds_back_the_burst() {
    let (mut client, mut stream) = websocket(options()).await;
    let frame = vec![b'x'; 100_000];
    let frames: Vec<&[u8]> = (0..160).map(|_| &frame[..]).collect();
    let mut waiting = burst(&stream, &frames);
    let first = poll_fn(|cx| std::task::Poll::Ready(stream.poll_write(cx, &mut waiting))).await;
    assert!(first.is_pending() && waiting.len() > frame.len());
    let receive = async {
        for _ in 0..frames.len() {
            assert_eq!(client.next().await.unwrap().unwrap().len(), frame.len());
        }
    };
    let (sent, ()) = tokio::join!(poll_fn(|cx| stream.poll_write(cx, &mut waiting)), receive);
    assert!(sent.is_ok() && waiting.is_empty());
}

// ---- the accept loop ----

#[test]
fn waits_double_up_to_a_second_and_start_over() {
    let mut backoff = Backoff::default();
    assert!(!backoff.is_growing());
    let waits: Vec<u128> = (0..10).map(|_| backoff.grow().as_millis()).collect();
    assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000]);
    assert!(backoff.is_growing());
    backoff.reset();
    assert_eq!(backoff.grow().as_millis(), 10);
}

#[test]
fn no_error_of_the_system_makes_the_accept_loop_spin() {
    use rustix::io::Errno;
    let of = |errno: Errno| Trouble::of(&io::Error::from(errno));
    for errno in [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::IO] {
        assert_eq!(of(errno), Trouble::Exhausted, "{errno}");
    }
    assert_eq!(of(Errno::CONNABORTED), Trouble::Passing);
    assert_eq!(of(Errno::BADF), Trouble::Broken);
    assert_eq!(Trouble::of(&io::Error::other("unknown")), Trouble::Exhausted);
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let listener = open(options());
    let error = Listener::bind(Options::new(listener.local_addr())).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen on {}", listener.local_addr())), "{error}");
}

#[tokio::test]
async fn every_connection_is_kept_alive_and_sends_at_once() {
    let listener = super::tcp::listen(options().address, 1).unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (socket, _) = listener.accept().await.unwrap();
    super::tcp::set_options(&socket).unwrap();
    let options = socket2::SockRef::from(&socket);
    assert!(options.keepalive().unwrap() && socket.nodelay().unwrap());
    assert_eq!(options.tcp_keepalive_time().unwrap(), Duration::from_secs(60));
    assert_eq!(options.tcp_keepalive_interval().unwrap(), Duration::from_secs(10));
    assert_eq!(options.tcp_keepalive_retries().unwrap(), 6);
}

// ---- permits ----

fn network(last: u8) -> Network {
    Network::of(IpAddr::from([192, 0, 2, last]))
}

#[test]
fn permits_go_to_networks_in_turns_and_not_to_who_asks_most() {
    let permits = FairPermits::new(1, 1);
    let mut held = permits.acquire(network(1)).now_or_never();
    let mut many: Vec<_> = (0..500).map(|_| Box::pin(permits.acquire(network(1)))).collect();
    let mut one = Box::pin(permits.acquire(network(2)));
    assert!(many.iter_mut().all(|wait| wait.as_mut().now_or_never().is_none()));
    assert!(one.as_mut().now_or_never().is_none());
    assert_eq!(permits.waiting(), 501);
    // The other 500 came first, and one of them is served before.
    drop(held.take());
    let first = many[0].as_mut().now_or_never().expect("the first");
    assert!(one.as_mut().now_or_never().is_none());
    drop(first);
    let permit = one.as_mut().now_or_never().expect("the second turn");
    assert!(many[1].as_mut().now_or_never().is_none());
    // Those who go away are passed over, and nothing is lost by it.
    many.drain(1..499);
    drop(permit);
    assert!(many[1].as_mut().now_or_never().is_some());
    assert_eq!(permits.waiting(), 0);
    assert!(permits.acquire(network(3)).now_or_never().is_some());
}

#[test]
fn a_permit_that_nobody_takes_any_more_goes_to_the_next() {
    let permits = FairPermits::new(1, 1);
    let held = permits.acquire(network(1)).now_or_never();
    let mut gone = Box::pin(permits.acquire(network(2)));
    let mut next = Box::pin(permits.acquire(network(3)));
    assert!(gone.as_mut().now_or_never().is_none() && next.as_mut().now_or_never().is_none());
    drop(held);
    drop(gone);
    assert!(next.as_mut().now_or_never().is_some());
}

#[test]
fn one_network_holds_a_share_of_the_permits_at_most() {
    let permits = FairPermits::new(4, 2);
    let mut of_one: Vec<_> = (0..5).map(|_| Box::pin(permits.acquire(network(1)))).collect();
    let mut held: Vec<_> = of_one.iter_mut().filter_map(|wait| wait.as_mut().now_or_never()).collect();
    assert_eq!(held.len(), 2);
    let of_others: Vec<_> = (2..5).filter_map(|last| permits.acquire(network(last)).now_or_never()).collect();
    assert_eq!(of_others.len(), 2, "all four are held");
    drop(of_others);
    held.pop();
    assert_eq!(of_one.iter_mut().skip(2).filter_map(|wait| wait.as_mut().now_or_never()).count(), 3);
}
