//! SUBSCRIBE in a manner of its own, and ACK that grants credit.

use super::{Client, delivery};
use crate::model::{AckMode, Credit, End, Grant, Manner, Request, SubscriptionId};

fn subscribe(id: u32, destination: &str, headers: &str) -> String {
    format!("SUBSCRIBE\nid:{id}\ndestination:{destination}\n{headers}\n^@")
}

fn manner(headers: &str) -> Manner {
    let mut client = Client::speaking("1.2");
    client.says(&subscribe(1, "/queue/a", headers));
    match client.asked.last() {
        Some(Request::Take(take)) => take.manner,
        other => panic!("{headers}: no take but {other:?}"),
    }
}

fn grant_of(client: &Client) -> Grant {
    match client.asked.last() {
        Some(Request::Grant(grant)) => *grant,
        other => panic!("no grant but {other:?}"),
    }
}

#[test]
fn each_header_says_how_to_take() {
    assert_eq!(manner("x-wait:1500\n"), Manner { wait_ms: Some(1500), ..Manner::default() });
    assert_eq!(manner("x-until-empty:true\n"), Manner { until_empty: true, ..Manner::default() });
    assert_eq!(manner("x-limit:3\nack:client\n"), Manner { limit: Some(3), ..Manner::default() });
    let mut client = Client::speaking("1.2");
    client.says(&subscribe(1, "/queue/a", "x-wait:\nx-until-empty:false\nx-limit:0\n"));
    assert!(matches!(client.asked.last(), Some(Request::Subscribe(_))), "nothing special is asked for");
}

#[test]
fn leases_may_last_as_long_as_the_heart_beats_of_the_client() {
    // JOBS 4, 5.6
    let beating = |wish: &str| {
        let mut client = Client::new();
        client.says(&format!("CONNECT\naccept-version:1.2\nhost:h\nheart-beat:{wish}\n\n^@"));
        client
    };
    let mut client = beating("10000,0");
    client.says(&subscribe(1, "/queue/a", "ack:client\nx-lease:connection\nx-ttr:\n"));
    let Some(Request::Take(take)) = client.asked.last() else { panic!("{:?}", client.asked) };
    assert_eq!(take.manner, Manner { bound: true, ..Manner::default() });
    client.says(&subscribe(2, "/queue/a", "ack:client\nx-lease:\n"));
    assert!(matches!(client.asked.last(), Some(Request::Subscribe(_))), "nothing special is asked for");
    for (wish, headers, expected) in [
        ("0,10000", "x-lease:connection\n", "heart-beats of the client"),
        ("10000,0", "x-lease:connection\nx-ttr:1000\n", "not both"),
        ("10000,0", "x-lease:session\n", "Expected is connection"),
    ] {
        let heard = beating(wish).says(&subscribe(1, "/queue/a", headers));
        assert!(heard.contains("\ncode:bad-header\n") && heard.contains("bad x-lease header"), "{heard}");
        assert!(heard.contains(expected), "{heard}");
    }
}

#[test]
fn every_zero_but_rabbits_pulls_in_every_mode() {
    // JOBS 5.11
    let nothing = Some(Credit { messages: 0, bytes: 0 });
    for header in ["prefetch:0", "activemq.prefetchSize:0", "prefetch:0\nack:client", "prefetch:0\ncredit:5,100,true"] {
        assert_eq!(manner(&format!("{header}\n")).pull, nothing, "{header}");
    }
    assert_eq!(manner("credit:0\n").pull, Some(Credit { messages: 0, bytes: u64::MAX }));
    assert_eq!(manner("credit:5,1000,false\nack:client\n").pull, Some(Credit { messages: 5, bytes: 1000 }));
}

#[test]
fn a_manner_that_cannot_be_read_is_an_error() {
    for header in [
        "x-wait:soon",
        "x-wait:-1",
        "x-wait:86400001",
        "x-until-empty:yes",
        "x-limit:many",
        "x-limit:+1",
        "x-limit:4294967296",
    ] {
        let frame = subscribe(1, "/queue/a", &format!("{header}\n"));
        assert_eq!(Client::speaking("1.2").fails_with(&frame), "bad-header", "{header}");
    }
}

#[test]
fn nothing_can_be_taken_from_a_topic_but_from_a_queue_behind_one() {
    for header in ["x-wait:1", "x-until-empty:true", "x-limit:1", "prefetch:0", "credit:5,1000,false"] {
        let frame = subscribe(1, "/topic/a", &format!("{header}\n"));
        assert_eq!(Client::speaking("1.2").fails_with(&frame), "bad-header", "{header}");
        let mut client = Client::speaking("1.2");
        client.says(&subscribe(1, "/topic/a", &format!("{header}\ndurable:true\n")));
        client.says(&subscribe(2, "/temp-queue/a", &format!("{header}\n")));
        assert!(client.farewell.is_none() && client.asked.len() == 2, "{header}");
    }
}

#[test]
fn an_ack_grants_credit_with_or_without_a_message() {
    // JOBS 5.11
    let mut client = Client::speaking("1.2");
    client.says(&subscribe(7, "/queue/a", "ack:client\nprefetch:0\n"));
    assert_eq!(client.says("ACK\ncredit:5\nreceipt:r\n\n^@"), "RECEIPT\nreceipt-id:r\n\n^@\n");
    let credit = Credit { messages: 5, bytes: u64::MAX };
    assert_eq!(grant_of(&client), Grant { subscription: SubscriptionId(1), credit });
    client.says("ACK\nmessage-id:\nsubscription:7\ncredit:5\n\n^@");
    assert_eq!(client.asked.len(), 3, "PECL cannot leave message-id out");
    client.says("ACK\nid:9\nsubscription:7\ncredit:1,1000\n\n^@");
    assert_eq!(grant_of(&client).credit, Credit { messages: 1, bytes: 1000 });
    assert!(matches!(&client.asked[..], [.., Request::Settle(_), Request::Grant(_)]), "first the message");
    let asked = client.asked.len();
    client.says("ACK\nmessage-id:\nsubscription:7\ncredit:1\n\n^@");
    assert!(matches!(&client.asked[asked..], [Request::Grant(_)]), "an empty name names none");
}

#[test]
fn credit_holds_at_once_although_the_ack_waits_for_its_commit() {
    let mut client = Client::speaking("1.2");
    client.says(&subscribe(1, "/queue/a", "ack:client\nprefetch:0\n"));
    client.says("BEGIN\ntransaction:t\n\n^@ACK\nid:9\ncredit:1\ntransaction:t\n\n^@");
    assert_eq!(grant_of(&client).credit.messages, 1);
    client.says("COMMIT\ntransaction:t\n\n^@");
    assert!(matches!(client.asked.last(), Some(Request::Commit(actions)) if actions.len() == 1));
}

#[test]
fn a_grant_says_which_subscription_unless_there_is_one() {
    let mut client = Client::speaking("1.2");
    assert_eq!(client.fails_with("ACK\ncredit:5\n\n^@"), "unknown-subscription");
    let mut client = Client::speaking("1.2");
    client.says(&(subscribe(1, "/queue/a", "prefetch:0\n") + &subscribe(2, "/queue/b", "prefetch:0\n")));
    client.says("ACK\ncredit:5\nsubscription:2\n\n^@");
    assert_eq!(grant_of(&client).subscription, SubscriptionId(2));
    assert_eq!(client.fails_with("ACK\ncredit:5\n\n^@"), "missing-header");
}

#[test]
fn a_word_of_the_applications_grants_nothing() {
    // JOBS 5.16: PECL sends the whole MESSAGE back
    let mut client = Client::speaking("1.2");
    client.says(&subscribe(1, "/queue/a", "ack:client\n"));
    for credit in ["30 days", "0", ""] {
        client.says(&format!("ACK\nid:9\nmessage-id:9\ncredit:{credit}\n\n^@"));
        assert!(matches!(client.asked.last(), Some(Request::Settle(_))), "{credit}");
    }
    assert_eq!(client.fails_with("ACK\ncredit:30 days\n\n^@"), "missing-header");
}

#[test]
fn the_marker_at_the_end_has_no_body_and_needs_no_ack() {
    // JOBS 5.10
    for (why, word) in [(End::Wait, "wait"), (End::Empty, "empty"), (End::Limit, "limit")] {
        let mut client = Client::speaking("1.1");
        client.says(&subscribe(4, "a", "ack:client\nx-until-empty:true\n"));
        client.session.ended(SubscriptionId(1), why, &mut client.wire);
        let marker =
            format!("MESSAGE\nsubscription:4\nmessage-id:end-1\ndestination:a\nx-end:{word}\ncontent-length:0\n\n^@\n");
        assert_eq!(client.hears(), marker);
        let asked = client.asked.len();
        let heard = client.says("ACK\nmessage-id:end-1\nsubscription:4\nreceipt:r\n\n^@NACK\nmessage-id:end-1\n\n^@");
        assert_eq!(heard, "RECEIPT\nreceipt-id:r\n\n^@\n", "whoever acknowledges everything may do so");
        assert_eq!(client.asked.len(), asked);
        assert!(client.gets(&delivery(1, 7), "", "x").contains("subscription:4"), "it is there until UNSUBSCRIBE");
        client.says("UNSUBSCRIBE\nid:4\n\n^@");
        client.session.ended(SubscriptionId(1), why, &mut client.wire);
        assert_eq!(client.hears(), "");
        client.says(&subscribe(4, "a", ""));
        assert_eq!(client.subscribed().mode, AckMode::Auto);
    }
}

#[test]
fn a_consumer_says_how_it_ranks_and_whether_it_wants_to_be_alone() {
    // Rows 70, 71
    assert_eq!(manner("activemq.priority:5\n"), Manner { priority: 5, ..Manner::default() });
    assert_eq!(manner("x-priority:-3\n"), Manner { priority: -3, ..Manner::default() });
    for header in ["exclusive:true", "activemq.exclusive:true"] {
        assert_eq!(manner(&format!("{header}\n")), Manner { exclusive: true, ..Manner::default() });
    }
    for header in ["activemq.priority:high", "x-priority:1.5", "x-priority:+1", "x-priority:99999999999"] {
        let frame = subscribe(1, "/queue/a", &format!("{header}\n"));
        assert_eq!(Client::speaking("1.2").fails_with(&frame), "bad-header", "{header}");
    }
    let mut client = Client::speaking("1.2");
    client.says(&subscribe(1, "/topic/a", "exclusive:true\nx-priority:1\n"));
    client.says(&subscribe(2, "/queue/a", "exclusive:false\nx-priority:0\n"));
    assert!(client.asked.iter().all(|request| matches!(request, Request::Subscribe(_))), "each reads a topic alone");
}

#[test]
fn ones_own_messages_can_be_left_out_on_topics_and_nothing_comes_of_it_on_queues() {
    // Row 68
    for header in ["no-local:true", "activemq.noLocal:true"] {
        let mut client = Client::speaking("1.2");
        for (id, to) in [(1, "/topic/a"), (2, "/topic/*"), (3, "/topic/a,/topic/b"), (4, "/queue/a")] {
            client.says(&subscribe(id, to, &format!("{header}\n")));
        }
        let taken = |request: &Request| matches!(request, Request::Take(take) if take.manner.no_local);
        assert_eq!(client.asked.iter().map(taken).collect::<Vec<_>>(), [true, true, true, false], "{header}");
        let frame = subscribe(5, "/topic/a", &format!("{header}\ndurable:true\n"));
        assert_eq!(client.fails_with(&frame), "not-supported", "{header}");
    }
}

#[test]
fn groups_may_be_made_exclusive_where_a_queue_is_named() {
    // JOBS 5.24
    assert_eq!(manner("x-groups:exclusive\n"), Manner { exclusive_groups: true, ..Manner::default() });
    let mut client = Client::speaking("1.2");
    client.says(&subscribe(1, "/queue/a", "x-groups:sticky\n"));
    client.says(&subscribe(2, "/queue/a,/queue/b", "x-groups:exclusive\n"));
    assert!(matches!(&client.asked[..], [Request::Subscribe(_), Request::Take(_)]));
    for (to, word) in [("/queue/*", "exclusive"), ("/queue/a", "strict"), ("/topic/a", "exclusive")] {
        let frame = subscribe(3, to, &format!("x-groups:{word}\n"));
        assert_eq!(Client::speaking("1.2").fails_with(&frame), "bad-header", "{to} {word}");
    }
}
