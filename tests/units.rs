//! One append has a largest size: what a client sends to many places at once, over a socket and with the journal on disk.

use kolejka_codec::{Command, Frame};
use kolejka_tests::server::Running;
use kolejka_tests::socket::Client;

const BODY: usize = 4 << 20;

fn put(client: &mut Client, head: &str, body: &[u8]) {
    let mut frame = format!("{head}\ncontent-length:{}\n\n", body.len()).into_bytes();
    frame.extend_from_slice(body);
    frame.push(0);
    client.send(&frame);
}

fn answer(client: &mut Client) -> Frame {
    client.frame().expect("an answer").expect("it is open")
}

/// Durable subscriptions of `/topic/t`, whose readers are away.
fn durable(client: &mut Client, count: usize) {
    for id in 0..count {
        let subscribe = "SUBSCRIBE\ndestination:/topic/t\nack:client-individual";
        client.send(format!("{subscribe}\nid:{id}\nactivemq.subscriptionName:s{id}\n\n\0").as_bytes());
        client.send(format!("UNSUBSCRIBE\nid:{id}\nreceipt:{id}\n\n\0").as_bytes());
        assert_eq!(answer(client).command, Command::Receipt);
    }
}

#[test]
fn a_large_body_to_a_whole_list_and_to_many_durable_subscriptions_is_one_append() {
    let server = Running::start(|_| {});
    let mut client = Client::logged_in(server.address);
    let list = (0..64).map(|at| format!("q{at}")).collect::<Vec<_>>().join(",");
    put(&mut client, &format!("SEND\ndestination:/queue/{list}\nreceipt:list"), &vec![b'x'; BODY]);
    assert_eq!(answer(&mut client).command, Command::Receipt);
    durable(&mut client, 70);
    put(&mut client, "SEND\ndestination:/topic/t\nreceipt:topic", &vec![b'x'; BODY]);
    assert_eq!(answer(&mut client).command, Command::Receipt);
    client.send(b"BEGIN\ntransaction:t\n\n\0");
    for _ in 0..3 {
        put(&mut client, "SEND\ndestination:/topic/t\ntransaction:t", &vec![b'x'; BODY]);
    }
    client.send(b"COMMIT\ntransaction:t\nreceipt:commit\n\n\0");
    assert_eq!(answer(&mut client).command, Command::Receipt);
}

#[test]
fn what_is_too_much_for_one_append_is_refused_with_the_limit_and_its_key() {
    let server = Running::start(|config| config.limits.append_bytes = 1 << 20);
    let mut client = Client::logged_in(server.address);
    put(&mut client, "SEND\ndestination:/queue/a\nreceipt:1", &vec![b'x'; BODY]);
    let error = answer(&mut client);
    assert_eq!((error.command, error.headers.get("code")), (Command::Error, Some("too-large")));
    let message = error.headers.get("message").unwrap_or_default();
    assert!(message.contains("1048576") && message.contains("limits.append.bytes"), "{message}");
    let mut client = Client::logged_in(server.address);
    put(&mut client, "SEND\ndestination:/queue/a\nreceipt:2", b"small");
    assert_eq!(answer(&mut client).command, Command::Receipt, "the others go on");
}
