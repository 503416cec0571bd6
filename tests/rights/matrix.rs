//! Every frame and header that names a destination, with every combination of rights on it by rules of every shape (A23): what
//! the broker does is what the oracle says.

use kolejka::auth::Action;
use kolejka_codec::Command;

use super::oracle::{may, missing};
use super::world::{Login, World, bodies, verdict};

/// A frame about a destination `%D`, and the rights that it needs, as `right name`. `%T` is the full name of a
/// temporary destination, `%P` the path of `%D`.
struct Row {
    frame: &'static str,
    needs: &'static [&'static str],
}

const fn row(frame: &'static str, needs: &'static [&'static str]) -> Row {
    Row { frame, needs }
}

/// About a queue.
const QUEUES: [Row; 29] = [
    row("SEND\ndestination:%D\n", &["write %D", "create %D"]),
    row("SEND\ndestination:%D\npersistent:false\n", &["write %D", "create %D"]),
    row("SEND\ndestination:/queue/answers,%D\n", &["write %D", "create %D"]),
    row("SEND\ndestination:%D\ntransaction:t\n", &["write %D", "create %D"]),
    row("SEND\ndestination:%D\nx-delay:100000\n", &["write %D", "create %D"]),
    row("SEND\ndestination:%D\nAMQ_SCHEDULED_PERIOD:100000\n", &["write %D", "create %D"]),
    row("SEND\ndestination:%D\nx-unique:k\nidempotency-key:k\n", &["write %D", "create %D"]),
    row("SEND\ndestination:%D\nx-max-length:5\n", &["write %D", "create %D"]),
    row("SEND\ndestination:%D\nx-dead-letter-routing-key:answers\n", &["write %D", "create %D", "read %D"]),
    row("SEND\ndestination:/queue/answers\nx-max-length:5\nx-dead-letter-routing-key:%P\n", &["write %D", "create %D"]),
    row("SEND\ndestination:/queue/answers\nx-dead-letter:%D\n", &["write %D", "create %D"]),
    row("SEND\ndestination:/queue/answers\ntransaction:t\nx-dead-letter:%D\n", &["write %D", "create %D"]),
    row("SEND\ndestination:/queue/answers\nx-track:true\nreply-to:%D\n", &["write %D", "create %D"]),
    row("SEND\ndestination:/queue/answers\nx-unique:k\nreply-to:%D\n", &["write %D", "create %D"]),
    row(
        "SEND\ndestination:Kolejka.Manage\nx-op:pause\nx-queue:/queue/answers\nreply-to:%D\n",
        &["write %D", "create %D"],
    ),
    row("SEND\ndestination:ActiveMQ.Statistics.Broker\nreply-to:%D\n", &["write %D", "create %D"]),
    row(
        "SEND\ndestination:ActiveMQ.Scheduler.Management\nAMQ_SCHEDULER_ACTION:BROWSE\nreply-to:%D\n",
        &["write %D", "create %D"],
    ),
    row(
        "SEND\ndestination:/job/00000000000000000000000000000009\nx-event:get\nreply-to:%D\n",
        &["write %D", "create %D"],
    ),
    row("SUBSCRIBE\nid:1\ndestination:%D\n", &["read %D", "create %D"]),
    row("SUBSCRIBE\nid:1\ndestination:%D\nack:client\nprefetch-count:0\n", &["read %D", "create %D"]),
    row("SUBSCRIBE\nid:1\ndestination:/queue/answers,%D\n", &["read %D", "create %D"]),
    row("SUBSCRIBE\nid:1\ndestination:%D\nbrowser:true\n", &["read %D"]),
    row("SUBSCRIBE\nid:1\ndestination:%D\nbrowser:true\nbrowser-end:false\n", &["read %D", "create %D"]),
    row("SEND\ndestination:Kolejka.Manage\nx-op:purge\nx-queue:%D\n", &["manage %D"]),
    row("SEND\ndestination:/queue/Kolejka.Manage\nx-op:kick\nx-queue:%D\n", &["manage %D"]),
    row("SEND\ndestination:Kolejka.Manage\nx-op:pause\nx-queue:%D\n", &["manage %D"]),
    row("SEND\ndestination:Kolejka.Manage\nx-op:move\nx-queue:%D\nx-to:/queue/answers\n", &["manage %D"]),
    row("SEND\ndestination:Kolejka.Manage\nx-op:move\nx-queue:/queue/answers\nx-to:%D\n", &["write %D", "create %D"]),
    row("SEND\ndestination:ActiveMQ.Statistics.Destination.%P\nreply-to:/queue/answers\n", &["read %D"]),
];

/// About a topic.
const TOPICS: [Row; 8] = [
    row("SEND\ndestination:%D\n", &["write %D", "create %D"]),
    row("SEND\ndestination:/queue/answers,%D\n", &["write %D", "create %D"]),
    row("SEND\ndestination:%D\nx-delay:100000\n", &["write %D", "create %D"]),
    row("SUBSCRIBE\nid:1\ndestination:%D\n", &["read %D", "create %D"]),
    row("SUBSCRIBE\nid:1\ndestination:/topic/t,%D\n", &["read /topic/t", "read %D", "create %D"]),
    row("SUBSCRIBE\nid:1\ndestination:%P\nsubscription-type:MULTICAST\n", &["read %D", "create %D"]),
    row(
        "SUBSCRIBE\nid:1\ndestination:%D\ngroup:g\n",
        &["read %D", "read /queue/Consumer.g.%P", "create /queue/Consumer.g.%P"],
    ),
    row(
        "SUBSCRIBE\nid:1\ndestination:%D::g\n",
        &["read %D", "read /queue/Consumer.g.%P", "create /queue/Consumer.g.%P"],
    ),
];

/// What makes something of its own on a topic, however often others did.
const LASTING: [Row; 2] = [
    row("SUBSCRIBE\nid:1\ndestination:%D\ndurable:true\n", &["read %D", "create lasting %D"]),
    row("SEND\ndestination:%D\nretain:set\n", &["write %D", "create lasting %D"]),
];

/// About things that have one place.
const OTHERS: [(&str, Row); 12] = [
    (
        "/queue/Consumer.g.VirtualTopic.v",
        row("SUBSCRIBE\nid:1\ndestination:%D\n", &["read %D", "read /topic/VirtualTopic.v"]),
    ),
    (
        "/queue/Consumer.g.VirtualTopic.v",
        row("UNSUBSCRIBE\nid:1\ndurable:true\ndestination:%D\n", &["read %D", "read /topic/VirtualTopic.v"]),
    ),
    (
        "/queue/Consumer.g.VirtualTopic.v",
        row(
            "UNSUBSCRIBE\nid:1\ngroup:g\ndestination:/topic/VirtualTopic.v\n",
            &["read %D", "read /topic/VirtualTopic.v"],
        ),
    ),
    (
        "/queue/Consumer.n.VirtualTopic.v",
        row("SUBSCRIBE\nid:1\ndestination:%D\n", &["read %D", "read /topic/VirtualTopic.v", "create %D"]),
    ),
    ("/topic/t", row("UNSUBSCRIBE\nid:1\ndurable:true\ndestination:%D\n", &["read %D"])),
    ("/temp-queue/x", row("SUBSCRIBE\nid:1\ndestination:%D\n", &["read %T", "create %T"])),
    ("/temp-queue/x", row("SEND\ndestination:%D\n", &["write %T"])),
    ("/temp-queue/x", row("SEND\ndestination:/queue/answers\nreply-to:%D\n", &["read %T", "create %T"])),
    ("/queue/a", row("SEND\ndestination:/job/00000000000000000000000000000007\nx-event:kick\n", &["manage %D"])),
    ("/queue/a", row("SEND\ndestination:/job/00000000000000000000000000000007\nx-event:cancel\n", &["manage %D"])),
    ("/queue/a", row("SUBSCRIBE\nid:1\ndestination:/job/00000000000000000000000000000007\n", &[])),
    (
        "/queue/a",
        row(
            "SEND\ndestination:ActiveMQ.Scheduler.Management\nAMQ_SCHEDULER_ACTION:REMOVE\nx-schedule:s\n",
            &["read %D", "manage %D"],
        ),
    ),
];

/// What is there before a client asks.
const THERE: [&str; 10] = [
    "/queue/answers",
    "/queue/a",
    "/queue/secret",
    "/queue/DLQ.a",
    "/queue/DLQ.secret",
    "/queue/ann.in",
    "/queue/bob.in",
    "/topic/t",
    "/topic/ann.t",
    "/queue/Consumer.g.VirtualTopic.v",
];

fn world() -> World {
    let mut world = World::new();
    let maker = world.anybody();
    let take = "ack:client-individual\nselector:dies = 'yes'\n";
    for queue in ["/queue/answers", "/queue/a", "/queue/secret", "/queue/ann.in", "/queue/bob.in"] {
        let send = format!("SEND\ndestination:{queue}\n\n{queue}^");
        world.says(maker, &send);
        if matches!(queue, "/queue/a" | "/queue/secret") {
            let kill = format!(
                "SEND\ndestination:{queue}\ndies:yes\n\nDLQ of {queue}^SUBSCRIBE\nid:k\ndestination:{queue}\n{take}\n^"
            );
            let taken = world.says(maker, &kill);
            let id = taken.iter().find_map(|frame| frame.headers.get("ack")).map(str::to_owned).expect("a delivery");
            world.says(maker, &format!("NACK\nid:{id}\nrequeue:false\n\n^UNSUBSCRIBE\nid:k\n\n^"));
        }
    }
    let job = "x-job-token:00000000000000000000000000000007\nx-delay:100000\n";
    let plan = "AMQ_SCHEDULED_PERIOD:100000\nx-schedule:s\n";
    world.says(maker, &format!("SEND\ndestination:/queue/a\n{job}\n^SEND\ndestination:/queue/a\n{plan}\n^"));
    world.says(maker, "SUBSCRIBE\nid:t\ndestination:/topic/t,/topic/ann.t\n\n^");
    world.says(maker, "SUBSCRIBE\nid:v\ndestination:/queue/Consumer.g.VirtualTopic.v\n\n^UNSUBSCRIBE\nid:v\n\n^");
    world
}

fn words(subset: usize) -> String {
    let chosen = (0..4).filter(|bit| subset >> bit & 1 == 1).map(|bit| Action::ALL[bit].as_str());
    chosen.collect::<Vec<_>>().join(" ")
}

/// Patterns, each with its rights.
type Rules<'r> = &'r [(&'r str, &'r str)];

/// Rules of every shape that say something about a destination, with one choice of rights in each.
fn logins(on: &str, subset: usize) -> Vec<Login> {
    let on = if on.starts_with("/temp-queue/") { "/temp-queue/**" } else { on };
    let (some, all) = (&*words(subset), "read write create manage");
    let shapes: [(Rules<'_>, Rules<'_>); 9] = [
        (&[(on, some)], &[]),
        (&[("/**", some)], &[]),
        (&[("/queue/*", some), ("/topic/*", some), ("/temp-queue/*.*", some)], &[]),
        (&[("/**", all)], &[(on, some)]),
        (&[("/**", all)], &[("/queue/secret", some), ("/queue/{user}.**", some), ("/topic/*", some)]),
        (&[("/queue/{user}.*", all), ("/topic/{user}.*", some), ("/queue/a", some)], &[]),
        (
            &[("/queue/DLQ.**", some), ("/queue/Consumer.g.**", some), ("/topic/VirtualTopic.v", "read")],
            &[("/queue/a", "read")],
        ),
        (&[("/queue/secret", some), ("/queue/Consumer.**", all), ("/topic/**", some)], &[("/queue/DLQ.*", "manage")]),
        (&[(on, all), ("/topic/**", some)], &[("/**", "create"), ("/topic/t", some)]),
    ];
    let login = |(allow, deny): (Rules<'_>, Rules<'_>)| {
        // A rule names at least one right.
        let some = |rules: Rules<'_>| -> Vec<(String, String)> {
            let rules = rules.iter().filter(|(_, to)| !to.is_empty());
            rules.map(|(on, to)| ((*on).to_owned(), (*to).to_owned())).collect()
        };
        let mut allow = some(allow);
        allow.push(("/queue/answers".to_owned(), all.to_owned()));
        let deny = some(deny);
        let allow: Vec<(&str, &str)> = allow.iter().map(|(on, to)| (on.as_str(), to.as_str())).collect();
        let deny: Vec<(&str, &str)> = deny.iter().map(|(on, to)| (on.as_str(), to.as_str())).collect();
        Login::new("ann", &allow, &deny)
    };
    let mut logins: Vec<Login> = shapes.into_iter().map(login).collect();
    logins.dedup();
    logins
}

/// What is in the queues, but for answers.
fn queues_of(world: &World) -> Vec<(String, usize)> {
    world.queues().into_iter().filter(|(name, _)| name != "/queue/answers").collect()
}

/// Asks one frame of a row for one destination, with each login.
fn check(row: &Row, to: &str) -> usize {
    let path = to.strip_prefix("/topic/").or_else(|| to.strip_prefix("/queue/")).unwrap_or(to);
    let (mut asked, mut world) = (0, world());
    let before = queues_of(&world);
    for subset in 0..16 {
        for login in logins(to, subset) {
            let client = world.client(&login);
            let temporary = format!("/remote-temp-queue/owner{client}.x");
            let fill = |text: &str| text.replace("%D", to).replace("%P", path).replace("%T", &temporary);
            let need = |need: &&str| {
                let (right, name) = need.split_once(' ').expect("a right and a name");
                (Action::from_word(right).expect("a right"), fill(name))
            };
            let needs: Vec<(Action, String)> = row.needs.iter().map(need).collect();
            let (lasting, plain): (Vec<_>, Vec<_>) =
                needs.into_iter().partition(|(_, name)| name.starts_with("lasting "));
            let mut lacks = missing(&login, &plain, &THERE);
            if !lasting.is_empty() {
                lacks.extend(missing(&login, &[(Action::Create, to.to_owned())], &[]));
            }
            let frame = fill(row.frame);
            let (begin, commit) = if frame.contains("transaction:t") {
                ("BEGIN\ntransaction:t\n\n^", "COMMIT\ntransaction:t\nreceipt:c\n\n^")
            } else {
                ("", "")
            };
            let body = if frame.starts_with("SEND") { "x" } else { "" };
            let frames = world.says(client, &format!("{begin}{frame}receipt:r\n\n{body}^{commit}"));
            let got = verdict(&frames);
            let context = || format!("{login:?}\n{frame}\nlacks {lacks:?}, got {got}");
            if lacks.is_empty() {
                let is_there = THERE.contains(&to);
                let soft = matches!(got.as_str(), "unknown-queue" | "unknown") && !is_there;
                assert!(got == "ok" || soft, "{}", context());
                world = self::world();
            } else {
                let is_soft = matches!(got.as_str(), "forbidden" | "unknown");
                assert!(lacks.contains(&got) || is_soft, "{}", context());
                assert_eq!(queues_of(&world), before, "{}", context());
                assert!(frames.iter().all(|frame| frame.command != Command::Message), "{}", context());
            }
            asked += 1;
        }
    }
    asked
}

#[test]
fn what_is_asked_of_queues() {
    let mut asked = 0;
    for row in &QUEUES {
        for to in ["/queue/a", "/queue/new", "/queue/DLQ.a", "/queue/DLQ.secret", "/queue/ann.in", "/queue/bob.new"] {
            asked += check(row, to);
        }
    }
    assert!(asked > QUEUES.len() * 6 * 16 * 4, "{asked}");
}

#[test]
fn what_is_asked_of_topics() {
    for row in &TOPICS {
        for to in ["/topic/t", "/topic/new", "/topic/ann.t"] {
            check(row, to);
        }
    }
    for row in &LASTING {
        for to in ["/topic/t", "/topic/new"] {
            check(row, to);
        }
    }
    for row in TOPICS.iter().filter(|row| row.needs == ["read %D", "create %D"]) {
        for to in ["/topic/Kolejka.Job.completed.a", "/topic/Kolejka.Job.completed.secret"] {
            // What the broker tells is there for all who may hear it.
            check(&Row { needs: &["read %D"], ..*row }, to);
        }
    }
}

#[test]
fn what_is_asked_of_temporary_destinations_jobs_and_what_stands_behind_topics() {
    for (to, row) in &OTHERS {
        check(row, to);
    }
}

#[test]
fn a_wildcard_reaches_what_may_be_read() {
    for subset in 0..16 {
        for on in ["/queue/a", "/queue/DLQ.a", "/queue/ann.in"] {
            for login in logins(on, subset) {
                for (pattern, reached) in [
                    (
                        "/queue/>",
                        &["/queue/answers", "/queue/a", "/queue/secret", "/queue/ann.in", "/queue/bob.in"][..],
                    ),
                    ("/queue/*.in", &["/queue/ann.in", "/queue/bob.in"]),
                    ("/queue/DLQ.*", &["/queue/DLQ.a", "/queue/DLQ.secret"]),
                ] {
                    let mut world = world();
                    let client = world.client(&login);
                    let frames = world.says(client, &format!("SUBSCRIBE\nid:1\ndestination:{pattern}\nreceipt:r\n\n^"));
                    assert_eq!(verdict(&frames), "ok");
                    let mut got: Vec<String> =
                        bodies(&frames).iter().map(|body| body.replace("DLQ of /queue/", "/queue/DLQ.")).collect();
                    got.sort();
                    let mut wanted: Vec<&str> =
                        reached.iter().copied().filter(|name| may(&login, Action::Read, name)).collect();
                    wanted.sort_unstable();
                    assert_eq!(got, wanted, "{login:?} {pattern}");
                }
            }
        }
    }
}

#[test]
fn a_redrive_takes_what_may_be_managed_there_to_where_it_may_be_sent() {
    for subset in 0..16 {
        for on in ["/queue/a", "/queue/DLQ.a"] {
            for login in logins(on, subset) {
                let mut world = world();
                let client = world.client(&login);
                let send = "SEND\ndestination:Kolejka.Manage\nx-op:move\nx-queue:DLQ.a\nreceipt:r\n\n^";
                let got = verdict(&world.says(client, send));
                let may_manage = may(&login, Action::Manage, "/queue/DLQ.a");
                assert_eq!(got, if may_manage { "ok" } else { "forbidden" }, "{login:?}");
                let moved = may_manage && may(&login, Action::Write, "/queue/a");
                assert_eq!(world.len_of("/queue/DLQ.a"), Some(usize::from(!moved)), "{login:?}");
            }
        }
    }
}

#[test]
fn what_a_nack_says_of_other_places_is_not_heard() {
    for header in ["x-dead-letter:/queue/bob.in", "destination:/queue/bob.in", "x-dead-letter-routing-key:bob.in"] {
        let mut world = world();
        let client = world.client(&Login::new("ann", &[("/queue/a", "read write")], &[]));
        let taken = world.says(client, "SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client-individual\n\n^");
        let id = taken.iter().find_map(|frame| frame.headers.get("ack")).map(str::to_owned).expect("a delivery");
        let nack = format!("NACK\nid:{id}\nrequeue:false\n{header}\nreceipt:r\n\n^");
        assert_eq!(verdict(&world.says(client, &nack)), "ok");
        assert_eq!((world.len_of("/queue/bob.in"), world.len_of("/queue/DLQ.a")), (Some(1), Some(2)), "{header}");
    }
}
