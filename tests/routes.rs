//! Where messages go: what stands behind a topic outlives the server, and routes of the configuration hold. Over sockets.

use kolejka_codec::{Command, Frame};
use kolejka_tests::house::{House, ask, settings};
use kolejka_tests::server::Running;
use kolejka_tests::socket::Client;

#[test]
fn what_a_topic_retains_survives_a_stop() {
    let mut house = House::default();
    let send = "SEND\ndestination:/topic/lamp\nretain:set\nreceipt:1\n\non^";
    assert_eq!(ask(&mut Client::logged_in(house.address()), send).command, Command::Receipt);
    for _ in 0..2 {
        house.restart();
        let message = ask(&mut Client::logged_in(house.address()), "SUBSCRIBE\nid:1\ndestination:/topic/lamp\n\n^");
        assert_eq!((message.command, &message.body[..]), (Command::Message, &b"on"[..]));
    }
}

#[test]
fn a_duplicate_is_known_after_a_stop() {
    let mut house = House::default();
    let send = "SEND\ndestination:/queue/a\nidempotency-key:k\nreceipt:1\n\nx^";
    assert_eq!(ask(&mut Client::logged_in(house.address()), send).headers.get("x-duplicate"), None);
    for _ in 0..2 {
        house.restart();
        let receipt = ask(&mut Client::logged_in(house.address()), send);
        assert_eq!((receipt.command, receipt.headers.get("x-duplicate")), (Command::Receipt, Some("true")));
    }
}

#[test]
fn a_durable_subscription_survives_a_stop() {
    let mut house = House::default();
    let subscribe = |id: &str| {
        let ack = "ack:client-individual\n";
        format!("SUBSCRIBE\nid:{id}\ndestination:/topic/a.*\ndurable-subscription-name:n\n{ack}receipt:s\n\n^")
    };
    let mut client = Client::logged_in(house.address());
    assert_eq!(ask(&mut client, &subscribe("1")).command, Command::Receipt);
    drop(client);
    house.restart();
    let mut client = Client::logged_in(house.address());
    assert_eq!(ask(&mut client, "SEND\ndestination:/topic/a.b\nreceipt:1\n\none^").command, Command::Receipt);
    house.restart();
    let mut client = Client::logged_in(house.address());
    assert_eq!(ask(&mut client, &subscribe("2")).command, Command::Receipt);
    let message = client.frame().expect("an answer").expect("a connection");
    assert_eq!((message.headers.get("destination"), &message.body[..]), (Some("/topic/a.b"), &b"one"[..]));
    let end = "UNSUBSCRIBE\nid:2\ndurable-subscription-name:n\nreceipt:u\n\n^";
    assert_eq!(ask(&mut client, end).headers.get("x-refused"), None);
    house.restart();
    let mut client = Client::logged_in(house.address());
    assert_eq!(ask(&mut client, &subscribe("3")).command, Command::Receipt);
    let next = ask(&mut client, "SEND\ndestination:/topic/a.c\npersistent:false\n\ntwo^");
    assert_eq!(&next.body[..], b"two", "nothing of the old one is left");
}

#[test]
fn a_route_of_the_configuration_sends_copies_or_takes_away() {
    let text = r#"
        [[route]]
        from = "/queue/orders.*"
        selector = "amount > 1000"
        to = ["/queue/audit"]

        [[route]]
        from = "/queue/old"
        to = ["/queue/new"]
        exclusive = true
    "#;
    let routes = settings(text).routes;
    let server = Running::start(|config| config.routes = routes);
    let mut client = Client::logged_in(server.address);
    let send = |to: &str, amount: u32| format!("SEND\ndestination:{to}\namount:{amount}\nreceipt:r\n\n{amount}^");
    for (to, amount) in [("/queue/orders.eu", 5000), ("/queue/orders.eu", 10), ("/queue/old", 7)] {
        assert_eq!(ask(&mut client, &send(to, amount)).command, Command::Receipt);
    }
    let mut read = |queue: &str, count: usize| -> Vec<(String, Option<String>)> {
        client.send(format!("SUBSCRIBE\nid:{queue}\ndestination:{queue}\n\n\0").as_bytes());
        let mut frames = (0..count).map(|_| client.frame().expect("an answer").expect("a connection"));
        let read = |frame: Frame| {
            assert_eq!(frame.headers.get("destination"), Some(queue));
            let origin = frame.headers.get("original-destination").map(str::to_owned);
            (String::from_utf8_lossy(&frame.body).into_owned(), origin)
        };
        frames.by_ref().map(read).collect()
    };
    let from = |name: &str| Some(name.to_owned());
    assert_eq!(read("/queue/audit", 1), [("5000".to_owned(), from("/queue/orders.eu"))]);
    assert_eq!(read("/queue/orders.eu", 2), [("5000".to_owned(), None), ("10".to_owned(), None)]);
    assert_eq!(read("/queue/new", 1), [("7".to_owned(), from("/queue/old"))]);
}
