//! Rights that change while a client is connected hold at once.

use super::world::{Login, World, bodies, verdict};

const ALL: &str = "read write create manage";

fn ann(denied: &[(&str, &str)]) -> Login {
    Login::new("ann", &[("/**", ALL)], denied)
}

#[test]
fn the_next_frame_and_an_open_transaction_are_asked_again() {
    let mut world = World::new();
    let client = world.client(&ann(&[]));
    let begin = "BEGIN\ntransaction:t\n\n^SEND\ndestination:/queue/b\ntransaction:t\n\nx^";
    assert_eq!(verdict(&world.says(client, &format!("SEND\ndestination:/queue/a\n\nx^{begin}"))), "ok");
    assert!(world.regrant(client, &ann(&[("/queue/b", "write")])).is_empty());
    assert_eq!(verdict(&world.says(client, "SEND\ndestination:/queue/a\nreceipt:1\n\nx^")), "ok");
    let commit = "COMMIT\ntransaction:t\nreceipt:c\n\n^";
    assert_eq!(verdict(&world.says(client, commit)), "forbidden to write /queue/b");
    let client = world.client(&ann(&[]));
    world.says(client, "SEND\ndestination:/queue/a\n\nx^");
    world.regrant(client, &ann(&[("/queue/a", "write")]));
    assert_eq!(verdict(&world.says(client, "SEND\ndestination:/queue/a\n\nx^")), "forbidden to write /queue/a");
    assert_eq!(world.len_of("/queue/b"), None);
}

#[test]
fn what_a_transaction_names_beside_its_destinations_is_asked_again_too() {
    for head in ["x-dead-letter:/queue/b\n", "x-track:true\nreply-to:/queue/b\n", "x-unique:k\nreply-to:/queue/b\n"] {
        let mut world = World::new();
        let client = world.client(&ann(&[]));
        let send = format!("BEGIN\ntransaction:t\n\n^SEND\ndestination:/queue/a\ntransaction:t\n{head}\nx^");
        assert_eq!(verdict(&world.says(client, &send)), "ok", "{head}");
        world.regrant(client, &ann(&[("/queue/b", "write")]));
        let frames = world.says(client, "COMMIT\ntransaction:t\n\n^");
        assert_eq!(verdict(&frames), "forbidden to write /queue/b", "{head}");
    }
}

#[test]
fn a_subscription_to_what_may_not_be_read_any_more_ends_the_session() {
    for (head, denied) in [
        ("destination:/queue/a\n", "/queue/a"),
        ("destination:/queue/x,/queue/a\n", "/queue/a"),
        ("destination:/topic/a\n", "/topic/a"),
        ("destination:/topic/a\ndurable:true\n", "/topic/a"),
        ("destination:/topic/a\ngroup:g\n", "/topic/a"),
        ("destination:/topic/a\ngroup:g\n", "/queue/Consumer.g.a"),
        ("destination:/queue/Consumer.g.VirtualTopic.a\n", "/queue/Consumer.g.**"),
        ("destination:/queue/Consumer.g.VirtualTopic.a\n", "/topic/VirtualTopic.a"),
        ("destination:/topic/a.>\ndurable:true\n", "/topic/a.b"),
    ] {
        let mut world = World::new();
        let client = world.client(&ann(&[]));
        assert_eq!(verdict(&world.says(client, &format!("SUBSCRIBE\nid:1\n{head}receipt:r\n\n^"))), "ok", "{head}");
        assert!(world.regrant(client, &ann(&[("/queue/other", "read")])).is_empty(), "{head}");
        let frames = world.regrant(client, &ann(&[(denied, "read")]));
        assert!(verdict(&frames).starts_with("forbidden to read /"), "{head}: {}", verdict(&frames));
    }
}

#[test]
fn a_wildcard_leaves_what_it_may_not_read_and_finds_what_it_may() {
    let mut world = World::new();
    let sender = world.anybody();
    let client = world.client(&ann(&[("/queue/b", "read"), ("/topic/b", "read")]));
    world.says(sender, "SEND\ndestination:/queue/a\n\n1^SEND\ndestination:/queue/b\n\n2^");
    let subscribe = |id: u8, kind: &str| format!("SUBSCRIBE\nid:{id}\ndestination:/{kind}/*\n\n^");
    let frames = world.says(client, &format!("{}{}", subscribe(1, "queue"), subscribe(2, "topic")));
    assert_eq!(bodies(&frames), ["1"]);
    let frames = world.regrant(client, &ann(&[("/queue/a", "read"), ("/topic/a", "read")]));
    assert_eq!(bodies(&frames), ["2"], "it may read that one now");
    for (to, body) in [("queue/a", "3"), ("queue/b", "4"), ("topic/a", "5"), ("topic/b", "6"), ("queue/c", "7")] {
        world.says(sender, &format!("SEND\ndestination:/{to}\n\n{body}^"));
    }
    assert_eq!(bodies(&world.heard(client)), ["4", "6", "7"]);
    assert_eq!(world.len_of("/queue/a"), Some(1));
    assert_eq!(bodies(&world.regrant(client, &ann(&[]))), ["3"]);
}
