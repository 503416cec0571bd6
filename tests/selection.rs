//! Selective consumers of a whole server: over a socket, and after a restart, when every head has to be read back.

use kolejka_codec::Command;
use kolejka_tests::server::{Running, config};
use kolejka_tests::socket::Client;
use tempfile::TempDir;

const MESSAGES: usize = 1200;

fn send_all(client: &mut Client) {
    for number in 0..MESSAGES {
        let receipt = if number + 1 == MESSAGES { "receipt:last\n" } else { "" };
        let kind = number % 100;
        client.send(format!("SEND\ndestination:/queue/many\nx-kind:{kind}\n{receipt}\n{number}\0").as_bytes());
    }
    let frame = client.frame().expect("an answer").expect("a connection");
    assert_eq!(frame.command, Command::Receipt);
}

fn take(client: &mut Client, count: usize) -> Vec<String> {
    let mut bodies = Vec::new();
    while bodies.len() < count {
        let frame = client.frame().expect("a message").expect("a connection");
        assert_eq!(frame.command, Command::Message, "{frame:?}");
        let id = frame.headers.get("ack").expect("an ack").to_owned();
        client.send(format!("ACK\nid:{id}\n\n\0").as_bytes());
        bodies.push(String::from_utf8_lossy(&frame.body).into_owned());
    }
    bodies
}

fn of_kind(kind: usize) -> Vec<String> {
    (0..MESSAGES).filter(|number| number % 100 == kind).map(|number| number.to_string()).collect()
}

fn subscribe(client: &mut Client, selector: &str) {
    let frame = format!(
        "SUBSCRIBE\nid:1\ndestination:/queue/many\nack:client-individual\nprefetch-count:1\nselector:{selector}\n\n\0"
    );
    client.send(frame.as_bytes());
}

#[test]
fn consumers_find_their_messages_in_a_backlog_before_and_after_a_restart() {
    let data = TempDir::new().expect("a directory");
    let server = Running::with(config(&data));
    let mut client = Client::logged_in(server.address);
    send_all(&mut client);
    subscribe(&mut client, "x-kind = 99");
    assert_eq!(take(&mut client, MESSAGES / 100), of_kind(99));
    client.send(b"DISCONNECT\nreceipt:bye\n\n\0");
    while client.frame().expect("an answer").is_some() {}
    drop(server);

    let server = Running::with(config(&data));
    let mut clients: Vec<_> = (95..99).map(|kind| (kind, Client::logged_in(server.address))).collect();
    for (kind, client) in &mut clients {
        subscribe(client, &format!("x-kind = {kind}"));
    }
    for (kind, client) in &mut clients {
        assert_eq!(take(client, MESSAGES / 100), of_kind(*kind));
    }
}
