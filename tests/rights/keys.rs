//! A key belongs to its destination and to its user: who knows another's key gets, replaces and stops nothing by it.

use kolejka::destination::{Policies, Policy};
use kolejka::engine::Options;
use kolejka_codec::Frame;

use super::world::{Login, World, bodies, verdict};

fn login(name: &str) -> Login {
    Login::new(name, &[("/**", "read write create")], &[])
}

fn receipt<'f>(frames: &'f [Frame], header: &str) -> Option<&'f str> {
    frames.iter().find_map(|frame| frame.headers.get(header))
}

fn send(world: &mut World, client: usize, to: &str, head: &str, body: &str) -> Vec<Frame> {
    world.says(client, &format!("SEND\ndestination:{to}\n{head}receipt:r\n\n{body}^"))
}

const TOKEN: &str = "x-job-token:00000000000000000000000000000007\n";

#[test]
fn a_unique_key_of_another_yields_neither_token_nor_result() {
    for more in ["", "x-on-duplicate:drop\n", "x-on-duplicate:reject\n", "x-on-duplicate:replace\n"] {
        let mut world = World::new();
        let (ann, bob) = (world.client(&login("ann")), world.client(&login("bob")));
        let unique = "x-unique:account-42\nx-track:result\n";
        let first = send(&mut world, ann, "/queue/a", &format!("{unique}{TOKEN}"), "ann's");
        assert_eq!(receipt(&first, "x-duplicate"), None);
        let answer = "/temp-queue/answer\n";
        let head = format!("{unique}{more}reply-to:{answer}");
        let second = send(&mut world, bob, "/queue/a", &head, "bob's");
        assert_eq!((verdict(&second).as_str(), receipt(&second, "x-duplicate")), ("ok", None), "{more}");
        assert_ne!(receipt(&second, "x-job-token"), receipt(&first, "x-job-token"), "{more}");
        assert_eq!(world.len_of("/queue/a"), Some(2), "{more}");
        let worker = world.anybody();
        let taken =
            world.says(worker, "SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client-individual\nprefetch-count:1\n\n^");
        assert_eq!(bodies(&taken), ["ann's"], "{more}");
        let event = "x-event:complete\n";
        send(&mut world, worker, "/job/00000000000000000000000000000007", event, "1,000,000 EUR");
        let heard = bodies(&world.heard(bob));
        assert!(heard.iter().all(|body| !body.contains("EUR")), "{more}: {heard:?}");
        // Her own key is known to her.
        let again = send(&mut world, ann, "/queue/a", "x-unique:account-42\n", "again");
        assert_eq!((verdict(&again).as_str(), receipt(&again, "x-duplicate")), ("ok", None), "the first is done");
        let again = send(&mut world, ann, "/queue/a", "x-unique:account-42\n", "again");
        assert_eq!(receipt(&again, "x-duplicate"), Some("true"));
    }
}

#[test]
fn a_key_of_a_duplicate_swallows_nothing_of_another() {
    for header in ["idempotency-key:k\n", "_AMQ_DUPL_ID:k\n"] {
        for (to, within) in [("/queue/a", false), ("/queue/a", true), ("/topic/t", false)] {
            let mut world = World::new();
            let (ann, bob) = (world.client(&login("ann")), world.client(&login("bob")));
            world.says(bob, "SUBSCRIBE\nid:1\ndestination:/topic/t\ngroup:g\n\n^UNSUBSCRIBE\nid:1\n\n^");
            let queue = if to == "/queue/a" { to } else { "/queue/Consumer.g.t" };
            send(&mut world, bob, to, header, "bob's");
            let head = if within { format!("transaction:t\n{header}") } else { header.to_owned() };
            world.says(ann, "BEGIN\ntransaction:t\n\n^");
            let sent = send(&mut world, ann, to, &head, "ann's");
            let done = world.says(ann, "COMMIT\ntransaction:t\nreceipt:c\n\n^");
            assert_eq!(receipt(&sent, "x-duplicate").or(receipt(&done, "x-duplicate")), None, "{to} {header}");
            assert_eq!(world.len_of(queue), Some(2), "{to} {header}");
            let again = send(&mut world, ann, to, header, "again");
            assert_eq!(receipt(&again, "x-duplicate"), Some("true"), "{to} {header}");
            assert_eq!(world.len_of(queue), Some(2), "{to} {header}");
        }
    }
}

#[test]
fn a_token_that_another_has_used_first_is_refused_and_not_taken_for_a_duplicate() {
    for within in [false, true] {
        let mut world = World::new();
        let (ann, bob) = (world.client(&login("ann")), world.client(&login("bob")));
        send(&mut world, bob, "/queue/b", TOKEN, "bob's");
        if within {
            world.says(ann, "BEGIN\ntransaction:t\n\n^");
            send(&mut world, ann, "/queue/a", &format!("{TOKEN}transaction:t\n"), "ann's");
            assert_eq!(verdict(&world.says(ann, "COMMIT\ntransaction:t\nreceipt:c\n\n^")), "token-taken");
        } else {
            assert_eq!(verdict(&send(&mut world, ann, "/queue/a", TOKEN, "ann's")), "token-taken");
        }
        let again = send(&mut world, bob, "/queue/b", TOKEN, "bob's");
        assert_eq!((verdict(&again).as_str(), receipt(&again, "x-duplicate")), ("ok", Some("true")));
        assert_eq!(world.len_of("/queue/a").unwrap_or(0), 0);
    }
}

#[test]
fn the_schedule_of_another_with_the_same_name_goes_on() {
    let mut world = World::new();
    let (ann, bob) = (world.client(&login("ann")), world.client(&login("bob")));
    let plan = "x-schedule:nightly\nAMQ_SCHEDULED_PERIOD:1000\n";
    send(&mut world, ann, "/queue/a", plan, "ann's");
    send(&mut world, bob, "/queue/a", plan, "bob's");
    send(&mut world, ann, "/queue/a", plan, "ann's second");
    world.wait(1000);
    let reader = world.anybody();
    let mut got = bodies(&world.says(reader, "SUBSCRIBE\nid:1\ndestination:/queue/a\n\n^"));
    got.sort();
    assert_eq!(got, ["ann's second", "bob's"]);
    world.says(reader, "SUBSCRIBE\nid:2\ndestination:/queue/plans\n\n^");
    let listed = "reply-to:/queue/plans\nAMQ_SCHEDULER_ACTION:BROWSE\n";
    let frames = send(&mut world, reader, "ActiveMQ.Scheduler.Management", listed, "");
    let names: Vec<_> = frames.iter().filter_map(|frame| frame.headers.get("x-schedule")).collect();
    assert_eq!(names, ["nightly", "nightly"], "the name is shown as it was given");
    let remove = "AMQ_SCHEDULER_ACTION:REMOVE\nx-schedule:nightly\n";
    assert_eq!(verdict(&send(&mut world, reader, "ActiveMQ.Scheduler.Management", remove, "")), "ok");
    world.wait(5000);
    assert!(bodies(&world.heard(reader)).is_empty(), "an operator removes those of all users");
}

#[test]
fn a_policy_may_share_keys_among_users() {
    let default = Policy { shared_keys: true, ..Policy::default() };
    let options =
        || Options { policies: Policies { default: default.clone(), rules: Vec::new() }, ..Options::default() };
    for head in ["x-unique:k\n", "idempotency-key:k\n", TOKEN] {
        for to in ["/queue/a", "/topic/t"] {
            if to == "/topic/t" && !head.starts_with("idem") {
                continue;
            }
            let mut world = World::with(options());
            let (ann, bob) = (world.client(&login("ann")), world.client(&login("bob")));
            send(&mut world, ann, to, head, "ann's");
            let second = send(&mut world, bob, to, head, "bob's");
            assert_eq!(
                (verdict(&second).as_str(), receipt(&second, "x-duplicate")),
                ("ok", Some("true")),
                "{to} {head}"
            );
        }
    }
}

#[test]
fn without_users_there_is_one() {
    for head in ["x-unique:k\n", "idempotency-key:k\n", TOKEN] {
        let mut world = World::new();
        let (one, other) = (world.anybody(), world.anybody());
        send(&mut world, one, "/queue/a", head, "1");
        assert_eq!(receipt(&send(&mut world, other, "/queue/a", head, "2"), "x-duplicate"), Some("true"), "{head}");
        // What was sent before there were users is everybody's.
        let ann = world.client(&login("ann"));
        assert_eq!(receipt(&send(&mut world, ann, "/queue/a", head, "3"), "x-duplicate"), Some("true"), "{head}");
    }
}
