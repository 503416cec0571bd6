//! Who comes in, over real sockets: wrong passwords beside right ones.

use std::io::ErrorKind;
use std::net::SocketAddr;

use kolejka::auth::{Action, Rights, User};
use kolejka::config::Config;
use kolejka_codec::{Command, Frame};
use kolejka_tests::server::Running;
use kolejka_tests::socket::Client;

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

fn answered(clients: &[Client]) -> usize {
    clients.iter().filter(|client| !is_held(client)).count()
}

#[test]
fn guesses_are_held_back_and_a_right_password_is_not() {
    let server = Running::start(with_users);
    let guesses: Vec<_> = (0..12).map(|_| attempt(server.address, "ann", "x")).collect();
    let strangers: Vec<_> = (0..12).map(|_| attempt(server.address, "nobody", "x")).collect();
    // As many as may be mistyped are answered at once.
    while answered(&guesses) < 3 || answered(&strangers) < 3 {
        logged_in(server.address, "bob");
    }
    // From the same address, by password and from memory: never refused, never late.
    for _ in 0..3 {
        logged_in(server.address, "ann");
        logged_in(server.address, "bob");
    }
    // The eighth leaves after 7.75 s, all others after ten.
    assert!(answered(&guesses) <= 8 && answered(&strangers) <= 8);
}
