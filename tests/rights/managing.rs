//! `manage` is asked for by whatever an operator does, and `read` is not enough. Each of it is in the audit log, also what
//! was refused.

use kolejka::model::{Audit, AuditOutcome, SoftRefusal};

use super::world::{Login, World, bodies, verdict};

/// What is done to `/queue/a`, which has a ready, a delayed and a buried message and a schedule; the audit's verb, how many it
/// is done with, and the right that it needs beside.
const VERBS: [(&str, &str, u64); 9] = [
    ("SEND\ndestination:Kolejka.Manage\nx-op:purge\nx-queue:/queue/a\n", "purge", 3),
    ("SEND\ndestination:Kolejka.Manage\nx-op:purge\nx-queue:/queue/a\nselector:u = 1\n", "purge", 1),
    ("SEND\ndestination:/queue/Kolejka.Manage\nx-op:move\nx-queue:a\nx-to:/queue/b\n", "move", 3),
    ("SEND\ndestination:Kolejka.Manage\nx-op:kick\nx-queue:/queue/a\nx-count:9\n", "kick", 2),
    ("SEND\ndestination:Kolejka.Manage\nx-op:pause\nx-queue:/queue/a\nx-side:both\n", "pause", 0),
    ("SEND\ndestination:Kolejka.Manage\nx-op:resume\nx-queue:/queue/a\n", "resume", 0),
    ("SEND\ndestination:ActiveMQ.Scheduler.Management\nAMQ_SCHEDULER_ACTION:REMOVEALL\n", "remove-schedule", 2),
    (
        "SEND\ndestination:/topic/ActiveMQ.Scheduler.Management\nAMQ_SCHEDULER_ACTION:REMOVE\nx-schedule:s\n",
        "remove-schedule",
        1,
    ),
    ("SEND\ndestination:/job/00000000000000000000000000000007\nx-event:cancel\n", "cancel", 1),
];

fn world() -> World {
    let mut world = World::new();
    let maker = world.anybody();
    for head in [
        "u:1\nx-job-token:00000000000000000000000000000007\n",
        "u:2\nx-delay:100000\n",
        "AMQ_SCHEDULED_PERIOD:100000\nx-schedule:s\n",
    ] {
        assert_eq!(verdict(&world.says(maker, &format!("SEND\ndestination:/queue/a\n{head}receipt:r\n\nx^"))), "ok");
    }
    let buries = world.anybody();
    let frames = world.says(maker, "SEND\ndestination:/queue/a\nx-urgency:1\n\nburied^");
    assert_eq!(verdict(&frames), "ok");
    let take = "SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client-individual\nprefetch-count:1\nx-limit:1\n\n^";
    let taken = world.says(buries, take);
    let id = taken.iter().find_map(|frame| frame.headers.get("ack")).map(str::to_owned).expect("a delivery");
    assert_eq!(bodies(&taken)[0], "buried");
    world.says(buries, &format!("NACK\nid:{id}\nx-bury:true\n\n^UNSUBSCRIBE\nid:1\n\n^"));
    world.audits();
    world
}

fn ann(rights: &str) -> Login {
    Login::new("ann", &[("/queue/a", rights), ("/queue/b", "write create"), ("/queue/none", "read")], &[])
}

fn line(audits: &[Audit]) -> (&str, &str, u64, AuditOutcome) {
    let last = audits.last().expect("a line in the audit log");
    (&*last.actor.user, last.verb, last.count, last.outcome)
}

#[test]
fn what_an_operator_does_needs_the_right_to_manage() {
    for (head, verb, count) in VERBS {
        let mut world = world();
        let before = world.queues();
        let client = world.client(&ann("read write create"));
        assert_eq!(verdict(&world.says(client, &format!("{head}receipt:r\n\n^"))), "forbidden", "{head}");
        assert_eq!(world.queues(), before, "{head}");
        let refused = AuditOutcome::Refused(SoftRefusal::Forbidden);
        assert_eq!(line(&world.audits()), ("ann", verb, 0, refused), "{head}");
        for rights in ["manage read", "manage"] {
            let mut world = self::world();
            let client = world.client(&ann(rights));
            // What is scheduled is not there for those who may not read where it goes.
            let hidden = rights == "manage" && verb == "remove-schedule";
            let wanted = if hidden && count == 1 { "unknown" } else { "ok" };
            assert_eq!(verdict(&world.says(client, &format!("{head}receipt:r\n\n^"))), wanted, "{head} {rights}");
            world.wait(10);
            if !hidden {
                let audits = world.audits();
                assert_eq!(line(&audits), ("ann", verb, count, AuditOutcome::Done), "{head} {audits:?}");
            }
        }
    }
}

#[test]
fn a_redrive_needs_the_right_to_manage_and_to_send_where_the_messages_came_from() {
    let setup = || {
        let mut world = World::new();
        let maker = world.anybody();
        let take = "SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client-individual\n\n^SEND\ndestination:/queue/a\n\nx^";
        let taken = world.says(maker, take);
        let id = taken.iter().find_map(|frame| frame.headers.get("ack")).map(str::to_owned).expect("a delivery");
        world.says(maker, &format!("NACK\nid:{id}\nrequeue:false\n\n^UNSUBSCRIBE\nid:1\n\n^"));
        assert_eq!(world.len_of("/queue/DLQ.a"), Some(1));
        world.audits();
        world
    };
    let redrive = "SEND\ndestination:Kolejka.Manage\nx-op:move\nx-queue:DLQ.a\nreceipt:r\n\n^";
    for (allowed, wanted, left) in [
        (&[("/queue/DLQ.a", "read write create"), ("/queue/a", "read write create")][..], "forbidden", 1),
        (&[("/queue/DLQ.a", "manage"), ("/queue/a", "read")][..], "ok", 1),
        (&[("/queue/DLQ.a", "manage"), ("/queue/a", "write")][..], "ok", 0),
        (&[("/queue/a", "manage write")][..], "ok", 0),
        (&[("/queue/**", "manage write")][..], "ok", 0),
    ] {
        let mut world = setup();
        let client = world.client(&Login::new("ann", allowed, &[]));
        assert_eq!(verdict(&world.says(client, redrive)), wanted, "{allowed:?}");
        assert_eq!(world.len_of("/queue/DLQ.a").unwrap_or(0), left, "{allowed:?}");
        let moved = u64::from(left == 0);
        assert_eq!(world.audits().last().map(|audit| audit.count), Some(moved), "{allowed:?}");
    }
}

#[test]
fn a_job_is_kicked_and_cancelled_by_whom_its_sender_trusts() {
    let job = |scope: &str| {
        let token = "x-job-token:00000000000000000000000000000009\n";
        format!("SEND\ndestination:/queue/j\nx-delay:100000\n{token}{scope}\n\nx^")
    };
    for (scope, wanted) in [("", "forbidden"), ("x-token-scope:full\n", "ok")] {
        let mut world = World::new();
        let maker = world.anybody();
        world.says(maker, &job(scope));
        let client = world.client(&Login::new("ann", &[("/queue/j", "read")], &[]));
        for event in ["kick", "cancel"] {
            let say =
                format!("SEND\ndestination:/job/00000000000000000000000000000009\nx-event:{event}\nreceipt:r\n\n^");
            assert_eq!(verdict(&world.says(client, &say)), wanted, "{scope} {event}");
            assert_eq!(world.audits().last().map(|audit| audit.verb), Some(event));
        }
    }
}

#[test]
fn numbers_and_what_waits_are_told_to_readers() {
    let mut world = world();
    let client = world.client(&ann("read"));
    world.says(client, "SUBSCRIBE\nid:1\ndestination:/queue/none\n\n^");
    let maker = world.anybody();
    world.says(maker, "SUBSCRIBE\nid:9\ndestination:/queue/b\n\n^");
    let ask =
        |address: &str, more: &str| format!("SEND\ndestination:{address}\n{more}reply-to:/queue/b\nreceipt:r\n\n^");
    let reader = world.client(&Login::new("bob", &[("/queue/a", "read"), ("/queue/b", "write")], &[]));
    assert_eq!(verdict(&world.says(reader, &ask("ActiveMQ.Statistics.Destination.a", ""))), "ok");
    assert_eq!(bodies(&world.heard(maker)).len(), 1);
    let browse = "AMQ_SCHEDULER_ACTION:BROWSE\n";
    assert_eq!(verdict(&world.says(reader, &ask("ActiveMQ.Scheduler.Management", browse))), "ok");
    assert_eq!(bodies(&world.heard(maker)).len(), 3, "the delayed one, the schedule and the end");
    let other = world.client(&Login::new("eve", &[("/queue/b", "write manage")], &[]));
    assert_eq!(verdict(&world.says(other, &ask("ActiveMQ.Statistics.Destination.a", ""))), "forbidden");
    world.heard(maker);
    assert_eq!(verdict(&world.says(other, &ask("ActiveMQ.Scheduler.Management", browse))), "ok");
    assert_eq!(bodies(&world.heard(maker)).len(), 1, "only that this was all");
}
