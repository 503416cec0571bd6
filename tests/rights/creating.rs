//! `create` is asked for wherever a frame would bring a destination into being, and nowhere else.

use super::world::{Login, World, verdict};

const NAMES: [&str; 4] = ["/queue/**", "/topic/**", "/temp-queue/**", "/temp-topic/**"];

/// Everything but `create`, which only the destinations of `made` have.
fn login(made: &[&'static str]) -> Login {
    let mut allow: Vec<(&str, &str)> = NAMES.iter().map(|on| (*on, "read write manage")).collect();
    // The full name of a temporary destination begins with a word that nobody can guess.
    let all = |on: &'static str| if on.starts_with("/temp-queue/") { "/temp-queue/**" } else { on };
    allow.extend(made.iter().map(|on| (all(on), "create")));
    Login::new("ann", &allow, &[])
}

/// A frame, and the destination that it would bring into being.
const FRAMES: [(&str, &str); 24] = [
    ("SEND\ndestination:/queue/new\n", "/queue/new"),
    ("SEND\ndestination:new\npersistent:false\n", "/queue/new"),
    ("SEND\ndestination:/topic/new\n", "/topic/new"),
    ("SEND\ndestination:/queue/old,/queue/new\n", "/queue/new"),
    ("SEND\ndestination:/queue/new\nx-delay:100000\n", "/queue/new"),
    ("SEND\ndestination:/queue/new\nAMQ_SCHEDULED_PERIOD:100000\n", "/queue/new"),
    ("SEND\ndestination:/topic/new\nx-delay:100000\n", "/topic/new"),
    ("SEND\ndestination:/queue/old\nx-dead-letter:/queue/new\n", "/queue/new"),
    ("SEND\ndestination:/queue/old\nx-track:true\nreply-to:/queue/new\n", "/queue/new"),
    ("SEND\ndestination:/queue/old\nx-unique:k\nreply-to:/queue/new\n", "/queue/new"),
    ("SEND\ndestination:/queue/old\nreply-to:/temp-queue/new\n", "/temp-queue/new"),
    ("SEND\ndestination:/topic/old\nretain:set\n", "/topic/old"),
    ("SEND\ndestination:/queue/new\nx-max-length:5\n", "/queue/new"),
    ("SEND\ndestination:Kolejka.Manage\nx-op:move\nx-queue:/queue/old\nx-to:/queue/new\n", "/queue/new"),
    ("SEND\ndestination:Kolejka.Manage\nx-op:kick\nx-queue:/queue/old\nreply-to:/queue/new\n", "/queue/new"),
    ("SEND\ndestination:ActiveMQ.Statistics.Broker\nreply-to:/queue/new\n", "/queue/new"),
    (
        "SEND\ndestination:ActiveMQ.Scheduler.Management\nAMQ_SCHEDULER_ACTION:BROWSE\nreply-to:/queue/new\n",
        "/queue/new",
    ),
    ("SUBSCRIBE\nid:1\ndestination:/queue/new\n", "/queue/new"),
    ("SUBSCRIBE\nid:1\ndestination:/topic/new\n", "/topic/new"),
    ("SUBSCRIBE\nid:1\ndestination:/queue/old,/queue/new\n", "/queue/new"),
    ("SUBSCRIBE\nid:1\ndestination:/topic/old\ndurable:true\n", "/topic/old"),
    ("SUBSCRIBE\nid:1\ndestination:/topic/old\ngroup:g\n", "/queue/Consumer.g.old"),
    ("SUBSCRIBE\nid:1\ndestination:/queue/Consumer.g.VirtualTopic.t\n", "/queue/Consumer.g.VirtualTopic.t"),
    ("SUBSCRIBE\nid:1\ndestination:/queue/new\nbrowser:true\nbrowser-end:false\n", "/queue/new"),
];

/// A queue and a topic that are there.
fn world() -> World {
    let mut world = World::new();
    let maker = world.anybody();
    world.says(maker, "SEND\ndestination:/queue/old\n\nx^SUBSCRIBE\nid:1\ndestination:/topic/old\n\n^");
    world
}

#[test]
fn what_is_not_there_needs_the_right_to_create_it() {
    for (head, needed) in FRAMES {
        let mut world = world();
        let before = world.queues();
        let client = world.client(&login(&["/queue/other.**"]));
        let frames = world.says(client, &format!("{head}receipt:r\n\n^"));
        let wanted = needed.replace("/temp-queue/", "/remote-temp-queue/owner1.");
        assert_eq!(verdict(&frames), format!("forbidden to create {wanted}"), "{head}");
        assert_eq!(world.queues(), before, "{head}");
        assert_eq!(frames.last().and_then(|frame| frame.headers.get("code")), Some("forbidden"), "{head}");
        let mut world = self::world();
        let client = world.client(&login(&[needed]));
        assert_eq!(verdict(&world.says(client, &format!("{head}receipt:r\n\n^"))), "ok", "{head}");
    }
}

#[test]
fn what_is_there_needs_no_such_right() {
    for (head, needed) in FRAMES {
        let mut world = world();
        let maker = world.client(&login(&[needed]));
        assert_eq!(verdict(&world.says(maker, &format!("{head}receipt:r\n\n^"))), "ok", "{head}");
        // A durable subscription belongs to the login, and a temporary destination to the connection.
        if needed.starts_with("/temp-") {
            continue;
        }
        let maker = world.anybody();
        let (verb, id) = if needed.starts_with("/topic/") { ("SUBSCRIBE", "id:9\n") } else { ("SEND", "") };
        world.says(maker, &format!("{verb}\n{id}destination:{needed}\n\n^"));
        let client = world.client(&login(&[]));
        assert_eq!(verdict(&world.says(client, &format!("{head}receipt:r\n\n^"))), "ok", "{head}");
    }
}

#[test]
fn a_transaction_is_asked_at_its_end() {
    let mut world = world();
    let client = world.client(&login(&[]));
    let begin = "BEGIN\ntransaction:t\n\n^SEND\ndestination:/queue/old\ntransaction:t\n\na^";
    let new = "SEND\ndestination:/queue/new\ntransaction:t\n\nb^COMMIT\ntransaction:t\nreceipt:c\n\n^";
    let frames = world.says(client, &format!("{begin}{new}"));
    assert_eq!(verdict(&frames), "forbidden to create /queue/new");
    assert_eq!(frames.last().and_then(|frame| frame.headers.get("receipt-id")), Some("c"));
    assert_eq!((world.len_of("/queue/old"), world.len_of("/queue/new")), (Some(1), None));
}

#[test]
fn wildcards_browsers_and_what_the_broker_makes_need_none() {
    let mut world = world();
    let client = world.client(&login(&[]));
    for head in [
        "SUBSCRIBE\nid:1\ndestination:/queue/>\n",
        "SUBSCRIBE\nid:2\ndestination:/queue/new\nbrowser:true\n",
        "SUBSCRIBE\nid:3\ndestination:/topic/Kolejka.Job.completed.old\n",
        "SUBSCRIBE\nid:4\ndestination:/queue/old\nack:client-individual\n",
        "SEND\ndestination:/remote-temp-queue/gone.x\n",
        "UNSUBSCRIBE\nid:1\n",
    ] {
        assert_eq!(verdict(&world.says(client, &format!("{head}receipt:r\n\n^"))), "ok", "{head}");
    }
    let frames = world.says(client, "SEND\ndestination:/queue/old\n\nx^");
    let id = frames.iter().find_map(|frame| frame.headers.get("ack")).map(str::to_owned);
    let nack = format!("NACK\nid:{}\nrequeue:false\nreceipt:n\n\n^", id.expect("a delivery"));
    assert_eq!(verdict(&world.says(client, &nack)), "ok");
    assert_eq!(world.len_of("/queue/DLQ.old"), Some(1), "nobody's right is asked for a dead letter");
}
