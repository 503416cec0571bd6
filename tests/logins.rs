//! Who comes in and who stays, over real sockets: wrong passwords beside right ones, and users that change meanwhile.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use kolejka::auth::{Action, Rights, User};
use kolejka::config::Config;
use kolejka_codec::{Command, Frame};
use kolejka_tests::server::Running;
use kolejka_tests::socket::{Client, plain};
use kolejka_tests::tls::Trust;

/// Of the password `right`, and of the least cost there is.
const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$r8TQZR/Ca5W9+L5DYKcDJA$FH+DGfet5qI4N/GikiELDMzuKR6o30GO+66jRdcIaMk";

fn user(name: &str, hash: &str, on: &str) -> User {
    let mut rights = Rights::default();
    rights.allow(name, on, &Action::ALL).expect("a rule");
    User::new(name, hash, rights).expect("a user")
}

fn with_users(config: &mut Config) {
    config.auth.users = vec![user("ann", HASH, "/**"), user("bob", HASH, "/**")];
}

fn attempt(address: SocketAddr, login: &str, passcode: &str) -> Client {
    let mut client = Client::connect(address);
    client.send(format!("CONNECT\naccept-version:1.2\nhost:test\nlogin:{login}\npasscode:{passcode}\n\n\0").as_bytes());
    client
}

fn frame(client: &mut Client) -> Frame {
    client.frame().expect("an answer in time").expect("an open connection")
}

fn logged_in(address: SocketAddr, login: &str) -> Client {
    let mut client = attempt(address, login, "right");
    let answer = frame(&mut client);
    assert_eq!(answer.command, Command::Connected, "{answer:?}");
    client
}

/// Whether the server has neither answered nor closed.
fn is_held(client: &Client) -> bool {
    let socket = client.socket();
    socket.set_nonblocking(true).expect("a socket");
    let outcome = socket.peek(&mut [0; 1]).map_err(|error| error.kind());
    socket.set_nonblocking(false).expect("a socket");
    outcome == Err(ErrorKind::WouldBlock)
}

/// The same password, hashed again.
const OTHER_HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c29tZXRoaW5nZWxzZQ$FH+DGfet5qI4N/GikiELDMzuKR6o30GO+66jRdcIaMk";

fn say(client: &mut Client, text: &str) {
    client.send(text.replace('^', "\0").as_bytes());
}

/// Says it with a receipt, which is answered next.
fn done(client: &mut Client, head: &str, body: &str) {
    say(client, &format!("{head}\nreceipt:done\n\n{body}^"));
    let answer = frame(client);
    assert_eq!(answer.command, Command::Receipt, "{head}: {answer:?}");
}

/// An ERROR with that code and message is the last that comes.
fn sent_off(client: &mut Client, code: &str, message: &str) {
    let last = frame(client);
    assert_eq!(last.command, Command::Error, "{last:?}");
    assert_eq!((last.headers.get("code"), last.headers.get("message")), (Some(code), Some(message)));
    assert_eq!(client.frame(), Ok(None));
}

fn answered(clients: &[Client]) -> usize {
    clients.iter().filter(|client| !is_held(client)).count()
}

#[test]
fn guesses_are_held_back_and_a_right_password_is_not() {
    let server = Running::start(with_users);
    let guess = |login: &str| attempt(server.address, login, "x");
    let mut guesses: Vec<_> = (0..12).map(|_| guess("ann")).collect();
    let mut strangers: Vec<_> = (0..12).map(|_| guess("nobody")).collect();
    // As many as may be mistyped are answered at once.
    while answered(&guesses) < 3 || answered(&strangers) < 3 {
        logged_in(server.address, "bob");
    }
    // From the same address, by password and from memory: never refused, and before a guess that came earlier. The last one
    // is held for at least 4 s.
    for _ in 0..3 {
        guesses.push(guess("ann"));
        strangers.push(guess("nobody"));
        logged_in(server.address, "ann");
        logged_in(server.address, "bob");
        assert!(answered(&guesses) < guesses.len() && answered(&strangers) < strangers.len());
    }
}

#[test]
fn a_flood_of_guesses_from_its_own_address_does_not_lock_a_client_out() {
    let server = Running::start(|config| {
        with_users(config);
        config.limits.unauthenticated = 16;
    });
    logged_in(server.address, "ann");
    let mut guesses = Vec::new();
    for turn in 0..40 {
        guesses.push(attempt(server.address, "ann", &format!("guess {turn}")));
        guesses.push(attempt(server.address, &format!("nobody-{turn}"), "x"));
        guesses.push(attempt(server.address, "bob", "x"));
        // Half of the places are held by guesses that were looked at, and the others give way.
        logged_in(server.address, "ann");
    }
}

#[test]
fn a_removed_user_and_one_with_another_password_are_disconnected_at_once() {
    let mut server = Running::start(|config| {
        with_users(config);
        config.auth.users.push(user("eve", HASH, "/**"));
    });
    let [mut ann, mut bob, mut eve] = ["ann", "bob", "eve"].map(|name| logged_in(server.address, name));
    done(&mut bob, "SUBSCRIBE\nid:1\nack:client\ndestination:/queue/b", "");
    done(&mut ann, "SEND\ndestination:/queue/b", "held");
    assert_eq!(frame(&mut bob).command, Command::Message);
    server.reload(|config| config.auth.users = vec![user("ann", HASH, "/**"), user("bob", OTHER_HASH, "/**")]);
    sent_off(&mut eve, "login-revoked", "login revoked: the user was removed");
    sent_off(&mut bob, "login-revoked", "login revoked: the password was changed");
    done(&mut ann, "SUBSCRIBE\nid:1\ndestination:/queue/b", "");
    let returned = frame(&mut ann);
    assert_eq!(returned.headers.get("delivery-count"), Some("1"), "bob has not failed: {returned:?}");
    // What was right before is wrong now.
    let mut late = attempt(server.address, "eve", "right");
    assert_eq!(frame(&mut late).headers.get("code"), Some("login-failed"));
}

#[test]
fn a_subscription_to_what_may_no_longer_be_read_ends_with_the_reason() {
    let mut server = Running::start(with_users);
    let [mut ann, mut bob] = ["ann", "bob"].map(|name| logged_in(server.address, name));
    let mut all = logged_in(server.address, "bob");
    done(&mut bob, "SUBSCRIBE\nid:1\ndestination:/queue/secret", "");
    done(&mut all, "SUBSCRIBE\nid:1\ndestination:/topic/>", "");
    done(&mut all, "SUBSCRIBE\nid:2\ndestination:/topic/open.none", "");
    let mut allowed = logged_in(server.address, "bob");
    done(&mut allowed, "SUBSCRIBE\nid:1\ndestination:/topic/open.>", "");
    server.reload(|config| config.auth.users[1] = user("bob", HASH, "/topic/open.**"));
    sent_off(&mut bob, "forbidden", "forbidden to read /queue/secret");
    // Its next frame is judged by the new rights, and so is what is handed out to it from then on.
    done(&mut all, "UNSUBSCRIBE\nid:2", "");
    done(&mut ann, "SEND\ndestination:/topic/closed", "for ann");
    done(&mut ann, "SEND\ndestination:/topic/open.a", "for all");
    assert_eq!(&frame(&mut all).body[..], b"for all", "a pattern reaches what may be read");
    assert_eq!(&frame(&mut allowed).body[..], b"for all", "what may still be read goes on");
    done(&mut ann, "SEND\ndestination:/queue/secret", "not for bob");
    done(&mut ann, "SUBSCRIBE\nid:1\ndestination:/queue/secret", "");
    assert_eq!(&frame(&mut ann).body[..], b"not for bob");
}

#[test]
fn new_rights_hold_for_the_next_frame_and_for_a_transaction_that_is_open() {
    let mut server =
        Running::start(|config| config.auth.users = vec![user("ann", HASH, "/**"), user("bob", HASH, "/queue/a")]);
    let (mut bob, mut idle) = (logged_in(server.address, "bob"), logged_in(server.address, "bob"));
    done(&mut bob, "BEGIN\ntransaction:t", "");
    done(&mut bob, "SEND\ndestination:/queue/a\ntransaction:t", "1");
    done(&mut idle, "SEND\ndestination:/queue/a", "0");
    let mut watcher = logged_in(server.address, "ann");
    done(&mut watcher, "SUBSCRIBE\nid:1\ndestination:/queue/a", "");
    assert_eq!(&frame(&mut watcher).body[..], b"0");
    // The reader of what is taken away is told when it has been.
    done(&mut idle, "SUBSCRIBE\nid:1\ndestination:/queue/a", "");
    server.reload(|config| config.auth.users[1] = user("bob", HASH, "/queue/b"));
    sent_off(&mut idle, "forbidden", "forbidden to read /queue/a");
    let mut after = logged_in(server.address, "bob");
    done(&mut after, "SEND\ndestination:/queue/b", "allowed now");
    say(&mut bob, "COMMIT\ntransaction:t\n\n^");
    sent_off(&mut bob, "forbidden", "forbidden to write /queue/a");
    let mut ann = logged_in(server.address, "ann");
    done(&mut ann, "SEND\ndestination:/queue/a", "2");
    assert_eq!(&frame(&mut watcher).body[..], b"2", "nothing of the transaction happened");
}

#[test]
fn the_first_user_ends_what_clients_without_a_login_may_do() {
    let mut server = Running::start(|_| {});
    let mut nobody = Client::logged_in(server.address);
    done(&mut nobody, "SUBSCRIBE\nid:1\ndestination:/queue/a", "");
    server.reload(with_users);
    sent_off(&mut nobody, "login-revoked", "login revoked: a login is needed now");
    logged_in(server.address, "ann");
}

#[test]
fn a_client_without_a_login_comes_in_where_the_listener_says_so_and_not_by_its_address() {
    let with_anonymous = |config: &mut Config| {
        with_users(config);
        let mut rights = Rights::default();
        rights.allow("anonymous", "/topic/**", &[Action::Read, Action::Create]).expect("a rule");
        config.auth.anonymous = Some(rights);
    };
    let closed = Running::start(with_anonymous);
    assert!(closed.address.ip().is_loopback(), "as near as a client can be");
    let mut nobody = Client::connect(closed.address);
    say(&mut nobody, "CONNECT\naccept-version:1.2\nhost:test\n\n^");
    assert_eq!(frame(&mut nobody).headers.get("code"), Some("login-failed"));
    let open = Running::start(|config| {
        with_anonymous(config);
        config.listeners[0].anonymous = true;
    });
    let mut nobody = Client::logged_in(open.address);
    done(&mut nobody, "SUBSCRIBE\nid:1\ndestination:/topic/a", "");
    say(&mut nobody, "SEND\ndestination:/topic/a\n\n^");
    sent_off(&mut nobody, "forbidden", "forbidden to write /topic/a");
}

/// What a page of this origin is answered when it asks for a WebSocket.
fn page(address: SocketAddr, origin: &str) -> String {
    let mut socket = plain(address);
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {address}\r\nOrigin: {origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    let mut octets = [0; 1024];
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") || answer.starts_with(b"HTTP/1.1 4") {
        match socket.read(&mut octets).expect("an answer in time") {
            0 => break,
            count => answer.extend_from_slice(&octets[..count]),
        }
    }
    String::from_utf8(answer).expect("text")
}

#[test]
fn the_first_user_ends_what_pages_of_other_ports_may_do() {
    let mut server = Running::start(|_| {});
    let address = server.address;
    let (own, other) = (format!("http://{address}"), "http://127.0.0.1:3000");
    assert!(page(address, other).starts_with("HTTP/1.1 101"), "the first minute needs no configuration");
    let mut nobody = Client::logged_in(address);
    server.reload(with_users);
    sent_off(&mut nobody, "login-revoked", "login revoked: a login is needed now");
    let refusal = page(address, other);
    assert!(refusal.starts_with("HTTP/1.1 403"), "{refusal}");
    assert!(refusal.contains("origins = [\"http://127.0.0.1:3000\"] into the [[listener]]"), "{refusal}");
    assert!(page(address, &own).starts_with("HTTP/1.1 101"), "its own port");
    let listing = Running::start(|config| {
        with_users(config);
        config.listeners[0].origins = vec![other.to_owned()];
    });
    assert!(page(listing.address, other).starts_with("HTTP/1.1 101"), "listed");
}

#[test]
fn silent_strangers_give_way_to_a_client_that_logs_in() {
    let server = Running::start(|config| {
        config.limits.unauthenticated = 16;
        // Whoever goes has given way.
        config.limits.connect_timeout = Duration::from_secs(600);
    });
    let mut silent: Vec<_> = (0..12).map(|_| Client::connect(server.address)).collect();
    // More and more of them come, and everybody who logs in gets in.
    for _ in 0..40 {
        let mut client = Client::logged_in(server.address);
        done(&mut client, "SEND\ndestination:/queue/a", "");
        silent.push(Client::connect(server.address));
    }
    for (at, stranger) in silent.iter_mut().enumerate().take(36) {
        assert_eq!(stranger.frame(), Ok(None), "{at} was among the first");
    }
    let mut last = silent.pop().expect("one that came last");
    say(&mut last, "CONNECT\naccept-version:1.2\nhost:test\n\n^");
    assert_eq!(frame(&mut last).command, Command::Connected, "it was not among those who had to go");
}

#[test]
fn half_tls_handshakes_hold_up_no_client() {
    let trust = Trust::new();
    let files = trust.files();
    let server = Running::start(move |config| {
        config.listeners[0].tls = Some(files);
        config.limits.tls_handshakes = 4;
        // Only what frees a permit may let the client in, and no deadline.
        config.limits.tls_handshake_timeout = Duration::from_secs(600);
        config.limits.connect_timeout = Duration::from_secs(600);
    });
    let mut halves: Vec<_> = (0..64).map(|_| Client::connect(server.address)).collect();
    for half in &mut halves {
        half.send(&[0x16, 0x03, 0x01]);
    }
    for _ in 0..8 {
        let mut client = Client::over(trust.connector(server.address)());
        client.send(b"CONNECT\naccept-version:1.2\nhost:test\n\n\0");
        let answer = client.frame().expect("an answer in time").expect("an open connection");
        assert_eq!(answer.command, Command::Connected);
    }
    assert_eq!(answered(&halves), 0, "they are still there");
}
