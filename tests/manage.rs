//! What operators do to queues outlives the server: over sockets, with a stop between.

use kolejka_codec::{Command, Frame};
use kolejka_tests::house::{House, ask, policies};
use kolejka_tests::socket::Client;

fn hear(client: &mut Client) -> Frame {
    client.frame().expect("an answer").expect("a connection")
}

/// Has something done with a queue, and gives the answer.
fn manage(client: &mut Client, headers: &str) -> String {
    let frame = format!("SEND\ndestination:/queue/Kolejka.Manage\n{headers}\nreply-to:/temp-queue/ops\n\n^");
    let answer = ask(client, &frame);
    assert_eq!(answer.command, Command::Message, "{answer:?}");
    String::from_utf8_lossy(&answer.body).into_owned()
}

fn publish(client: &mut Client, headers: &str, body: &str) {
    let receipt = ask(client, &format!("SEND\n{headers}\nreceipt:1\n\n{body}^"));
    assert_eq!(receipt.command, Command::Receipt, "{receipt:?}");
}

#[test]
fn a_pause_outlives_a_stop() {
    let mut house = House::default();
    let mut client = house.client();
    publish(&mut client, "destination:/queue/a", "kept");
    manage(&mut client, "x-op:pause\nx-queue:a\nx-side:both");
    for _ in 0..2 {
        house.restart();
        let refused = ask(&mut house.client(), "SEND\ndestination:/queue/a\n\nx^");
        assert_eq!(refused.headers.get("code"), Some("queue-paused"));
        let mut reader = house.client();
        let receipt = ask(&mut reader, "SUBSCRIBE\nid:1\nack:client\ndestination:/queue/a\nreceipt:s\n\n^");
        assert_eq!(receipt.command, Command::Receipt);
        let told = manage(&mut reader, "x-op:pause\nx-queue:a");
        assert_eq!(told, r#"{"op":"pause","queue":"/queue/a","input":true,"output":true}"#, "and no message before it");
    }
    let mut client = house.client();
    manage(&mut client, "x-op:resume\nx-queue:a");
    let message = ask(&mut client, "SUBSCRIBE\nid:1\nack:client\ndestination:/queue/a\n\n^");
    assert_eq!(&message.body[..], b"kept");
}

/// Puts messages with headers into a queue.
fn fill(client: &mut Client, queue: &str, count: usize) {
    for number in 0..count {
        let kind = number % 2;
        publish(client, &format!("destination:{queue}\nkind:{kind}"), &number.to_string());
    }
}

#[test]
fn what_was_moved_and_sent_back_outlives_a_stop() {
    let mut house = House::default();
    let mut client = house.client();
    fill(&mut client, "/queue/a", 6);
    let told = manage(&mut client, "x-op:move\nx-queue:a\nx-to:b\nselector:kind = 1");
    assert_eq!(told, r#"{"op":"move","queue":"/queue/a","count":3}"#);
    house.restart();
    let mut client = house.client();
    let message = ask(&mut client, "SUBSCRIBE\nid:1\nack:client\nprefetch-count:1\ndestination:/queue/b\n\n^");
    assert_eq!((&message.body[..], message.headers.get("redelivered")), (&b"1"[..], None));
    let id = message.headers.get("ack").expect("an ack").to_owned();
    let receipt = ask(&mut client, &format!("NACK\nid:{id}\nrequeue:false\nreceipt:2\n\n^UNSUBSCRIBE\nid:1\n\n^"));
    assert_eq!(receipt.command, Command::Receipt);
    house.restart();
    let mut client = house.client();
    let told = manage(&mut client, "x-op:move\nx-queue:DLQ.b\nx-rate:100");
    assert_eq!(told, r#"{"op":"move","queue":"/queue/DLQ.b","count":1}"#);
    house.restart();
    let mut client = house.client();
    let message = ask(&mut client, "SUBSCRIBE\nid:1\nack:client\nselector:x-job-id > 0\ndestination:/queue/b\n\n^");
    let found = [message, hear(&mut client), hear(&mut client)];
    let back = found.iter().find(|message| message.headers.get("message-id") == Some(&*id)).expect("it is back");
    assert_eq!((&back.body[..], back.headers.get("original-destination")), (&b"1"[..], None));
    assert_eq!((back.headers.get("delivery-count"), back.headers.get("redelivered")), (Some("1"), Some("true")));
}

#[test]
fn numbers_are_told_of_each_queue_that_a_pattern_means() {
    let house = House::default();
    let mut client = house.client();
    fill(&mut client, "/queue/n/a", 3);
    fill(&mut client, "/queue/n/b", 2);
    let address = "/queue/ActiveMQ.Statistics.Destination.n.*";
    let first = ask(&mut client, &format!("SEND\ndestination:{address}\nreply-to:/temp-queue/s\n\n^"));
    let told = [first, hear(&mut client)].map(|answer| String::from_utf8_lossy(&answer.body).into_owned());
    for (queue, size) in [("n/a", 3), ("n/b", 2)] {
        let name = format!("\"destinationName\":\"queue://{queue}\",\"size\":{size},\"enqueueCount\":{size},");
        assert!(told.iter().any(|text| text.contains(&name)), "{name} in {told:?}");
    }
}

#[test]
fn the_limits_of_a_queue_outlive_a_stop() {
    let mut house = House::default();
    let limits = "destination:/queue/short\nx-max-length:2\nx-overflow:drop-head";
    publish(&mut house.client(), limits, "0");
    for round in 0..2 {
        house.restart();
        let mut client = house.client();
        fill(&mut client, "/queue/short", 4);
        let told = manage(&mut client, "x-op:move\nx-queue:short\nx-to:elsewhere");
        assert_eq!(told, r#"{"op":"move","queue":"/queue/short","count":2}"#, "round {round}");
        let receipt = ask(&mut client, "SEND\ndestination:/queue/short\nx-max-length:7\nreceipt:9\n\nx^");
        assert_eq!(receipt.headers.get("x-policy-ignored"), Some("true"));
    }
}

#[test]
fn a_queue_of_last_values_is_one_after_a_stop() {
    let mut house = House::default();
    house.config.policies = policies("[[policy]]\nmatch = '/queue/prices'\nlast_value_key = 'symbol'\n");
    house.restart();
    let quote = |client: &mut Client, header: &str, price: &str| {
        publish(client, &format!("destination:/queue/prices\n{header}"), price);
    };
    let mut client = house.client();
    quote(&mut client, "symbol:KLJ", "1");
    quote(&mut client, "_AMQ_LVQ_NAME:MQ", "2");
    house.restart();
    let mut client = house.client();
    quote(&mut client, "symbol:KLJ", "3");
    house.restart();
    let mut client = house.client();
    let subscribe = "SUBSCRIBE\nid:1\nack:client\ndestination:/queue/prices\n\n^";
    let bodies = [ask(&mut client, subscribe), hear(&mut client)].map(|message| message.body);
    assert_eq!(bodies.map(|body| body[0]), [b'2', b'3']);
    publish(&mut client, "destination:/queue/elsewhere", "and nothing more");
}
