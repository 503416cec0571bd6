//! Who somebody is: on messages, in names, and where a token stands for it.

use kolejka_codec::{Command, Frame};

use super::world::{Login, World, bodies, verdict};

fn ann() -> Login {
    Login::new("ann", &[("/queue/**", "read write create"), ("/topic/**", "read write create")], &[])
}

/// All values of a header, on MESSAGEs.
fn said<'f>(frames: &'f [Frame], name: &str) -> Vec<&'f str> {
    let messages = frames.iter().filter(|frame| frame.command == Command::Message);
    let headers = messages.flat_map(|frame| frame.headers.iter());
    headers.filter(|(header, _)| *header == name).map(|(_, value)| value).collect()
}

#[test]
fn a_message_says_who_sent_it_and_nobody_else_does() {
    let forged = "JMSXUserID:root\nuser-id:root\nuser-id:also\n";
    for head in [
        "destination:/queue/a\n",
        "destination:/topic/t\n",
        "destination:/queue/a,/topic/t\n",
        "destination:/topic/t\nretain:set\n",
        "destination:/queue/a\ntransaction:t\n",
        "destination:/queue/a\nx-delay:1\n",
        "destination:/queue/a\nAMQ_SCHEDULED_DELAY:1\nx-schedule:s\n",
    ] {
        for (is_known, expected) in [(true, vec!["ann"]), (false, vec![])] {
            let mut world = World::new();
            let reader = world.anybody();
            world.says(reader, "SUBSCRIBE\nid:1\ndestination:/queue/a\n\n^SUBSCRIBE\nid:2\ndestination:/topic/t\n\n^");
            let client = if is_known { world.client(&ann()) } else { world.anybody() };
            let send =
                format!("BEGIN\ntransaction:t\n\n^SEND\n{head}{forged}\nx^COMMIT\ntransaction:t\nreceipt:r\n\n^");
            assert_eq!(verdict(&world.says(client, &send)), "ok", "{head}");
            world.wait(10);
            let heard = world.heard(reader);
            assert!(!bodies(&heard).is_empty(), "{head}");
            for name in ["JMSXUserID", "user-id"] {
                let mut values = said(&heard, name);
                values.dedup();
                assert_eq!(values, expected, "{head} {name}");
            }
        }
    }
}

#[test]
fn a_selector_may_ask_who_sent() {
    let mut world = World::new();
    let reader = world.anybody();
    world.says(reader, "SUBSCRIBE\nid:1\ndestination:/queue/a\nselector:JMSXUserID = 'ann'\n\n^");
    let (client, other) = (world.client(&ann()), world.client(&Login { name: "bob".into(), ..ann() }));
    world.says(other, "SEND\ndestination:/queue/a\nJMSXUserID:ann\n\nbob's^");
    world.says(client, "SEND\ndestination:/queue/a\n\nann's^");
    assert_eq!(bodies(&world.heard(reader)), ["ann's"]);
}

#[test]
fn the_token_of_a_job_is_the_permission_to_watch_it() {
    let mut world = World::new();
    let maker = world.anybody();
    let token = "00000000000000000000000000000007";
    world.says(maker, &format!("SEND\ndestination:/queue/secret\nx-job-token:{token}\n\nx^"));
    for login in [
        Login::new("ann", &[("/queue/other", "read")], &[]),
        Login::new("ann", &[("/**", "read")], &[("/queue/secret", "read write create manage")]),
        Login::new("ann", &[], &[("/**", "read")]),
    ] {
        let client = world.client(&login);
        let frames = world.says(client, &format!("SUBSCRIBE\nid:1\ndestination:/job/{token}\nreceipt:r\n\n^"));
        assert_eq!(verdict(&frames), "ok");
        assert!(bodies(&frames)[0].contains("\"state\":\"waiting\""), "{frames:?}");
        assert!(world.regrant(client, &Login::new("ann", &[("/queue/none", "read")], &[])).is_empty());
        assert_eq!(verdict(&world.says(client, "UNSUBSCRIBE\nid:1\nreceipt:u\n\n^")), "ok");
    }
}

#[test]
fn names_that_look_like_others_are_refused() {
    for c in ['\u{200b}', '\u{200f}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{feff}', '\u{ad}', '\u{e0041}']
    {
        for head in [
            format!("SEND\ndestination:/queue/pay{c}roll\n"),
            format!("SEND\ndestination:pay{c}roll\n"),
            format!("SEND\ndestination:/queue/a,/queue/pay{c}roll\n"),
            format!("SEND\ndestination:/queue/a\nx-dead-letter:pay{c}roll\n"),
            format!("SEND\ndestination:/queue/a\nreply-to:/temp-queue/{c}\n"),
            format!("SUBSCRIBE\nid:1\ndestination:/topic/pay{c}roll\n"),
            format!("SUBSCRIBE\nid:1\ndestination:/queue/pay{c}.*\n"),
        ] {
            let mut world = World::new();
            let client = world.anybody();
            assert_eq!(verdict(&world.says(client, &format!("{head}receipt:r\n\n^"))), "bad-destination", "{head:?}");
            assert!(world.queues().is_empty(), "{head:?}");
        }
    }
    let mut world = World::new();
    let client = world.anybody();
    for name in ["/queue/łódź", "/queue/日本", "/queue/مرحبا", "/queue/👍"] {
        assert_eq!(verdict(&world.says(client, &format!("SEND\ndestination:{name}\nreceipt:r\n\n^"))), "ok", "{name}");
    }
}
