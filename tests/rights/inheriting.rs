//! A dead letter and an event are read by those who may read where the message came from.

use kolejka::destination::{Policies, Policy};
use kolejka::engine::Options;

use super::world::{Login, World, bodies, verdict};

/// Sends a message to a queue and has it die, with an error that nobody else should read.
fn kill(world: &mut World, queue: &str) {
    let worker = world.anybody();
    let ack = "ack:client-individual\n";
    let taken = world.says(
        worker,
        &format!("SEND\ndestination:{queue}\ntype:payroll\n\n{queue}^SUBSCRIBE\nid:1\ndestination:{queue}\n{ack}\n^"),
    );
    let id = taken.iter().find_map(|frame| frame.headers.get("ack")).map(str::to_owned).expect("a delivery");
    let nack = format!("NACK\nid:{id}\nrequeue:false\nx-error:password=hunter2\n\n^UNSUBSCRIBE\nid:1\n\n^");
    assert_eq!(verdict(&world.says(worker, &nack)), "ok");
}

fn shared(target: &str) -> World {
    let default = Policy { dead_letter: target.into(), ..Policy::default() };
    World::with(Options { policies: Policies { default, rules: Vec::new() }, ..Options::default() })
}

const EVERYTHING: (&str, &str) = ("/**", "read write create manage");

#[test]
fn the_dead_letters_of_a_queue_have_the_rights_of_that_queue() {
    let read = |allow: &[(&str, &str)], deny: &[(&str, &str)]| {
        let mut world = World::new();
        kill(&mut world, "/queue/secret.pay");
        let client = world.client(&Login::new("ann", allow, deny));
        let frames = world.says(client, "SUBSCRIBE\nid:1\ndestination:/queue/DLQ.secret.pay\nreceipt:r\n\n^");
        (verdict(&frames), bodies(&frames).len())
    };
    let (forbidden, taken) = (("forbidden to read /queue/DLQ.secret.pay".to_owned(), 0), ("ok".to_owned(), 1));
    assert_eq!(read(&[EVERYTHING], &[("/queue/secret.**", "read")]), forbidden);
    assert_eq!(read(&[("/queue/open.**", "read"), ("/topic/**", "read")], &[]), forbidden);
    assert_eq!(read(&[("/queue/secret.**", "read")], &[]), taken, "no rule of its own is needed");
    assert_eq!(read(&[EVERYTHING], &[("/queue/DLQ.**", "read")]), forbidden, "a rule about it may deny it");
    assert_eq!(read(&[("/queue/DLQ.**", "read")], &[]), taken, "or allow it");
    assert_eq!(read(&[("/queue/DLQ.secret.pay", "read")], &[]), taken);
    assert_eq!(read(&[("/queue/DLQ.**", "read")], &[("/queue/secret.**", "read")]), forbidden, "deny beats allow");
    assert_eq!(read(&[("/queue/*.secret.pay", "read")], &[]), forbidden, "a wildcard that happens to fit says nothing");
}

#[test]
fn of_a_shared_dead_letter_queue_each_takes_what_came_from_where_he_reads() {
    for (queue, deny) in [("failed", "/queue/secret"), ("DLQ", "/queue/secret"), ("DLQ.all", "/queue/secret")] {
        for how in ["ack:auto\n", "browser:true\n", "selector:type = 'payroll'\n", "list", "wildcard"] {
            let mut world = shared(queue);
            for origin in ["/queue/open", "/queue/secret", "/queue/open"] {
                kill(&mut world, origin);
            }
            let destination = match how {
                "list" => format!("/queue/{queue},/queue/other"),
                "wildcard" => format!("/queue/{}", queue.replace("failed", "fail*").replace("fail*", "failed.>")),
                _ => format!("/queue/{queue}"),
            };
            let destination =
                if how == "wildcard" && queue != "failed" { "/queue/DLQ.>".to_owned() } else { destination };
            let header = if how.contains(':') { how } else { "" };
            let client = world.client(&Login::new("ann", &[EVERYTHING, ("/queue/DLQ.**", "read")], &[(deny, "read")]));
            let subscribe = format!("SUBSCRIBE\nid:1\ndestination:{destination}\n{header}\n^");
            let got = bodies(&world.says(client, &subscribe));
            let got: Vec<&str> = got.iter().map(String::as_str).filter(|body| !body.is_empty()).collect();
            assert_eq!(got, ["/queue/open", "/queue/open"], "{queue} {how}");
            kill(&mut world, "/queue/secret");
            assert!(bodies(&world.heard(client)).is_empty(), "{queue} {how}");
            // Whoever may read all of it finds the rest.
            let other = world.anybody();
            let rest = bodies(&world.says(other, &format!("SUBSCRIBE\nid:1\ndestination:/queue/{queue}\n\n^")));
            let left = if how.starts_with("browser") { 4 } else { 2 };
            assert_eq!(rest.len(), left, "{queue} {how}");
        }
    }
}

#[test]
fn a_rule_without_wildcards_is_about_all_that_is_in_a_queue() {
    let mut world = shared("failed");
    kill(&mut world, "/queue/secret");
    let client = world.client(&Login::new("ann", &[("/queue/failed", "read")], &[]));
    assert_eq!(bodies(&world.says(client, "SUBSCRIBE\nid:1\ndestination:/queue/failed\n\n^")).len(), 1);
    let mut world = shared("failed");
    kill(&mut world, "/queue/secret");
    let client = world.client(&Login::new("ann", &[("/queue/failed", "read")], &[("/queue/secret", "read")]));
    assert!(bodies(&world.says(client, "SUBSCRIBE\nid:1\ndestination:/queue/failed\n\n^")).is_empty());
}

#[test]
fn an_operator_touches_no_dead_letter_of_a_queue_that_he_may_not_manage() {
    for operation in
        ["x-op:purge\n", "x-op:move\nx-to:/queue/mine\n", "x-op:move\n", "x-op:purge\nselector:type = 'payroll'\n"]
    {
        let mut world = shared("failed");
        kill(&mut world, "/queue/open");
        kill(&mut world, "/queue/secret");
        let client = world.client(&Login::new("ann", &[EVERYTHING], &[("/queue/secret", "manage")]));
        let send = format!("SEND\ndestination:Kolejka.Manage\nx-queue:failed\n{operation}receipt:r\n\n^");
        assert_eq!(verdict(&world.says(client, &send)), "ok");
        world.wait(10);
        assert_eq!(world.len_of("/queue/failed"), Some(1), "{operation}");
    }
}

#[test]
fn the_dead_letters_of_a_durable_subscription_are_for_its_login_and_for_readers_of_its_topic() {
    let mut world = shared("failed");
    let ann = Login::new("ann", &[EVERYTHING], &[]);
    let owner = world.client(&ann);
    let subscribe = "SUBSCRIBE\nid:1\ndestination:/topic/secret\ndurable:true\nack:client-individual\n\n^";
    world.says(owner, subscribe);
    let taken = world.says(owner, "SEND\ndestination:/topic/secret\n\nx^");
    let id = taken.iter().find_map(|frame| frame.headers.get("ack")).map(str::to_owned).expect("a delivery");
    world.says(owner, &format!("NACK\nid:{id}\nrequeue:false\n\n^"));
    let browse = "SUBSCRIBE\nid:2\ndestination:/queue/failed\nbrowser:true\n\n^";
    let seen = |world: &mut World, login: &Login| {
        let client = world.client(login);
        bodies(&world.says(client, browse)).iter().filter(|body| *body == "x").count()
    };
    let deny: &[(&str, &str)] = &[("/topic/secret", "read")];
    assert_eq!(seen(&mut world, &ann), 1);
    assert_eq!(seen(&mut world, &Login::new("ann", &[EVERYTHING], deny)), 1, "her own");
    assert_eq!(seen(&mut world, &Login::new("bob", &[EVERYTHING], &[])), 1);
    assert_eq!(seen(&mut world, &Login::new("bob", &[EVERYTHING], deny)), 0);
}

#[test]
fn an_event_is_told_to_those_who_may_read_the_queue_that_it_tells_of() {
    let events = |allow: &[(&str, &str)], deny: &[(&str, &str)], destination: &str| {
        let mut world = World::new();
        let client = world.client(&Login::new("ann", allow, deny));
        let frames = world.says(client, &format!("SUBSCRIBE\nid:1\ndestination:{destination}\nreceipt:r\n\n^"));
        kill(&mut world, "/queue/secret.pay");
        kill(&mut world, "/queue/open");
        let heard = bodies(&world.heard(client)).join("\n");
        (
            verdict(&frames),
            heard.contains("secret") || heard.contains("payroll\",\"queue\":\"/queue/s"),
            heard.contains("/queue/open"),
        )
    };
    let deny: &[(&str, &str)] = &[("/queue/secret.**", "read")];
    let topics = ("/topic/**", "read");
    let open = ("/queue/open", "read");
    let ok = || "ok".to_owned();
    for pattern in ["/topic/Kolejka.Job.>", "/topic/Kolejka.>", "/topic/ActiveMQ.Advisory.>"] {
        assert_eq!(events(&[EVERYTHING], &[], pattern), (ok(), true, true), "{pattern}");
        assert_eq!(events(&[EVERYTHING], deny, pattern), (ok(), false, true), "{pattern}");
        assert_eq!(events(&[topics, open], &[], pattern), (ok(), false, true), "{pattern}");
        assert_eq!(events(&[("/topic/Kolejka.**", "read"), open], &[], pattern), (ok(), false, true), "{pattern}");
        assert_eq!(events(&[open], &[], pattern), (ok(), false, true), "{pattern}: it needs no rule of its own");
        assert_eq!(events(&[topics], &[], pattern), (ok(), false, false), "{pattern}");
    }
    for topic in ["/topic/Kolejka.Job.failed.secret.pay", "/topic/ActiveMQ.Advisory.MessageDLQd.Queue.secret.pay"] {
        let (refused, told, _) = events(&[EVERYTHING], deny, topic);
        assert_eq!((refused, told), (format!("forbidden to read {topic}"), false));
        assert!(events(&[EVERYTHING], &[], topic).1, "{topic}");
    }
    let denied: &[(&str, &str)] = &[("/topic/Kolejka.**", "read")];
    assert_eq!(events(&[EVERYTHING], denied, "/topic/Kolejka.Job.>"), (ok(), false, false), "a rule may deny it");
}

#[test]
fn events_are_gathered_for_those_who_may_read_all_of_them() {
    let deny: &[(&str, &str)] = &[("/queue/secret.**", "read")];
    for head in ["durable:true\n", "group:g\n"] {
        let verdict_of = |topics: &str, deny: &[(&str, &str)]| {
            let mut world = World::new();
            let client = world.client(&Login::new("ann", &[EVERYTHING], deny));
            verdict(&world.says(client, &format!("SUBSCRIBE\nid:1\ndestination:{topics}\n{head}receipt:r\n\n^")))
        };
        for (topics, others) in [
            ("/topic/Kolejka.Job.>", "/topic/Kolejka.Job.*.open.>"),
            ("/topic/Kolejka.Job.completed.>", "/topic/Kolejka.Job.completed.open"),
            ("/topic/ActiveMQ.Advisory.>", "/topic/ActiveMQ.Advisory.*.Queue.open"),
            ("/topic/Kolejka.Job.failed.secret.pay", "/topic/Kolejka.Job.failed.open"),
        ] {
            assert!(verdict_of(topics, deny).starts_with("forbidden to read "), "{topics} {head}");
            assert_eq!(verdict_of(topics, &[]), "ok", "{topics} {head}");
            assert_eq!(verdict_of(others, deny), "ok", "{others} {head}");
        }
    }
    // What a group has gathered is not read by its queue's name either.
    let mut world = World::new();
    let maker = world.anybody();
    world.says(maker, "SUBSCRIBE\nid:1\ndestination:/topic/Kolejka.Job.>\ngroup:g\n\n^UNSUBSCRIBE\nid:1\n\n^");
    kill(&mut world, "/queue/secret.pay");
    let queue = "/queue/Consumer.g.Kolejka.Job.%3E";
    assert!(world.len_of(queue).is_some_and(|len| len > 0), "{:?}", world.queues());
    let client = world.client(&Login::new("ann", &[EVERYTHING], deny));
    let frames = world.says(client, &format!("SUBSCRIBE\nid:1\ndestination:{queue}\nreceipt:r\n\n^"));
    assert_eq!(verdict(&frames), format!("forbidden to read {queue}"));
    let client = world.client(&Login::new("ann", &[EVERYTHING], deny));
    assert!(bodies(&world.says(client, "SUBSCRIBE\nid:1\ndestination:/queue/>\n\n^")).is_empty());
}

#[test]
fn rights_that_change_hold_for_dead_letters_that_are_waiting() {
    let mut world = shared("failed");
    kill(&mut world, "/queue/secret");
    let client = world.client(&Login::new("ann", &[EVERYTHING], &[("/queue/secret", "read")]));
    assert!(bodies(&world.says(client, "SUBSCRIBE\nid:1\ndestination:/queue/failed\n\n^")).is_empty());
    let all = Login::new("ann", &[EVERYTHING], &[]);
    assert_eq!(bodies(&world.regrant(client, &all)).len(), 1);
    world.regrant(client, &Login::new("ann", &[EVERYTHING], &[("/queue/secret", "read")]));
    kill(&mut world, "/queue/secret");
    assert!(bodies(&world.heard(client)).is_empty());
    assert_eq!(world.len_of("/queue/failed"), Some(1));
}

#[test]
fn who_sends_all_dead_letters_of_a_queue_elsewhere_must_be_able_to_read_them() {
    let ask = |rights: &str| {
        let mut world = World::new();
        let client =
            world.client(&Login::new("ann", &[("/queue/inbox", rights), ("/queue/mine", "read write create")], &[]));
        let limits = "x-message-ttl:1\nx-dead-letter-routing-key:mine\n";
        verdict(&world.says(client, &format!("SEND\ndestination:/queue/inbox\n{limits}receipt:r\n\nx^")))
    };
    assert_eq!(ask("write create"), "forbidden to read /queue/inbox");
    assert_eq!(ask("read write create"), "ok");
}
