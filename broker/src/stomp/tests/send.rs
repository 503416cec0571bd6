//! SEND: what is stored, what is stripped, what is refused.

use super::{Client, Right, all_but};
use crate::model::Action;
use crate::model::Answer;
use crate::model::Backoff;
use crate::model::Content;
use crate::model::DestinationKind;
use crate::model::Durability;
use crate::model::Group;
use crate::model::OnExhaust;
use crate::model::Refusal;
use crate::model::Request;
use crate::model::Terms;
use crate::model::Timestamp;
use crate::model::Urgency;

fn after(headers: &str) -> Client {
    let mut client = Client::speaking("1.2");
    client.says(&format!("SEND\ndestination:/queue/a\n{headers}\nbody^@"));
    assert!(client.farewell.is_none(), "{headers}: {:?}", client.farewell);
    client
}

#[test]
fn a_send_becomes_a_publish() {
    // 57, 58
    let client = after("content-type:text/plain\nfoo:bar\n");
    let publish = client.published();
    assert_eq!(publish.to.as_str(), "/queue/a");
    assert_eq!(publish.message.content.body(), b"body");
    assert_eq!(publish.message.durability, Durability::Persistent);
    assert_eq!(publish.message.urgency, Urgency::NORMAL);
    assert_eq!(client.head(), "destination:/queue/a\ncontent-type:text/plain\nfoo:bar\ntimestamp:1700000000000\n");
}

#[test]
fn the_receipt_comes_when_the_engine_has_answered() {
    // 29
    let mut client = Client::speaking("1.2");
    let heard = client.says("SEND\ndestination:/queue/a\nreceipt:m\\c1\n\n^@");
    assert_eq!(heard, "RECEIPT\nreceipt-id:m\\c1\n\n^@\n");
    assert_eq!(client.says("SEND\ndestination:/queue/a\n\n^@"), "");
}

#[test]
fn a_refused_send_gets_an_error_with_its_receipt_id_and_no_receipt() {
    // 34, 60, 93
    let mut client = Client::speaking("1.2");
    client.answers.push_back(Err(Refusal::QueueFull { limit: "10 messages".into() }));
    let heard = client.says("SEND\ndestination:/queue/a\nreceipt:1\n\n^@SEND\ndestination:/queue/a\nreceipt:2\n\n^@");
    assert!(
        heard.starts_with("ERROR\nmessage:the queue is full\\c 10 messages\ncode:queue-full\nreceipt-id:1\n"),
        "{heard}"
    );
    assert!(!heard.contains("RECEIPT\n") && client.asked.len() == 1);
}

#[test]
fn a_key_is_lifted_under_either_name_and_goes_no_further() {
    for header in ["_AMQ_DUPL_ID", "idempotency-key"] {
        let client = after(&format!("{header}:order-17\n"));
        assert_eq!(client.published().key.as_deref(), Some("order-17"));
        assert!(!client.head().contains("order-17"), "{}", client.head());
        assert_eq!(after(&format!("{header}:\n")).published().key, None, "an empty one asks for nothing");
    }
    let long = format!("SEND\ndestination:/queue/a\nidempotency-key:{}\n\n^@", "x".repeat(256));
    assert_eq!(Client::speaking("1.2").fails_with(&long), "bad-header");
}

#[test]
fn the_receipt_of_a_duplicate_says_so() {
    let mut client = Client::speaking("1.2");
    client.answers.push_back(Ok(Answer::Duplicate));
    let heard = client.says("SEND\ndestination:/queue/a\nidempotency-key:k\nreceipt:r\n\n^@");
    assert_eq!(heard, "RECEIPT\nreceipt-id:r\nx-duplicate:true\n\n^@\n");
}

#[test]
fn a_list_is_one_request_with_a_copy_for_each() {
    let mut client = Client::speaking("1.2");
    client.says("SEND\ndestination:/queue/a, b,/topic/c,d,/queue/a\nreceipt:1\n\nx^@");
    let [Request::Commit(actions)] = &client.asked[..] else { panic!("{:?}", client.asked) };
    let copies: Vec<_> = actions
        .iter()
        .map(|action| match action {
            Action::Publish(publish) => {
                let head = String::from_utf8_lossy(publish.message.content.head()).into_owned();
                let first = head.lines().next().unwrap().to_owned();
                (publish.to.as_str().to_owned(), first, publish.message.durability)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        ("/queue/a", Durability::Persistent),
        ("/queue/b", Durability::Persistent),
        ("/topic/c", Durability::Persistent),
        ("/queue/d", Durability::Persistent),
    ];
    assert_eq!(copies, expected.map(|(to, how)| (to.to_owned(), format!("destination:{to}"), how)));
}

#[test]
fn the_copies_of_a_large_message_share_its_body() {
    let frame = format!("SEND\ndestination:/queue/a,b,c\n\n{}^@", "x".repeat(10_000));
    let mut client = Client::speaking("1.2");
    client.says(&frame);
    let [Request::Commit(actions)] = &client.asked[..] else { panic!("{:?}", client.asked) };
    let bodies: Vec<_> = actions
        .iter()
        .map(|action| match action {
            Action::Publish(publish) => publish.message.content.body().as_ptr(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(bodies.len() == 3 && bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
}

#[test]
fn a_list_without_kinds_is_of_queues_or_what_its_header_says() {
    let mut client = Client::speaking("1.2");
    client.says("SEND\ndestination:a,b\n\nx^@SEND\ndestination:a,b\ndestination-type:MULTICAST\n\nx^@");
    let names: Vec<_> = client
        .asked
        .iter()
        .flat_map(|request| match request {
            Request::Commit(actions) => actions.clone(),
            other => panic!("{other:?}"),
        })
        .map(|action| match action {
            Action::Publish(publish) => publish.to.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["/queue/a", "/queue/b", "/topic/a", "/topic/b"]);
}

#[test]
fn one_destination_that_is_not_allowed_refuses_the_list() {
    let mut client = Client::new();
    client.login = Ok(all_but(&[("/queue/secret", Right::Write)]));
    let mut client = client.connect("1.2");
    assert_eq!(client.fails_with("SEND\ndestination:/queue/a,/queue/secret\n\nx^@"), "forbidden");
    assert!(client.asked.is_empty());
    let list = (0..65).map(|number| format!("q{number}")).collect::<Vec<_>>().join(",");
    assert_eq!(Client::speaking("1.2").fails_with(&format!("SEND\ndestination:{list}\n\nx^@")), "bad-destination");
}

#[test]
fn a_list_may_be_part_of_a_transaction() {
    let mut client = Client::speaking("1.2");
    client.says("BEGIN\ntransaction:t\n\n^@SEND\ndestination:/queue/a,/queue/b\ntransaction:t\n\nx^@");
    assert!(client.asked.is_empty());
    client.says("COMMIT\ntransaction:t\n\n^@");
    let [Request::Commit(actions)] = &client.asked[..] else { panic!("{:?}", client.asked) };
    assert_eq!(actions.len(), 2);
}

#[test]
fn a_destination_is_needed_and_must_be_one() {
    // 57, A13
    assert_eq!(Client::speaking("1.2").fails_with("SEND\nreceipt:1\n\n^@"), "missing-header");
    for name in [
        "",
        "/nowhere/a",
        "/queue/",
        "/queue/a..b",
        "a b",
        "/queue/a\\nb",
        "/queue/*",
        "/queue/a,",
        "/queue/a,/no/b",
        "../x",
    ] {
        let frame = format!("SEND\ndestination:{name}\n\n^@");
        assert_eq!(Client::speaking("1.2").fails_with(&frame), "bad-destination", "{name}");
    }
    let long = format!("SEND\ndestination:/queue/{}\n\n^@", "x".repeat(7000));
    assert_eq!(Client::speaking("1.2").fails_with(&long), "bad-destination");
}

#[test]
fn names_of_the_servers_own_are_out_of_reach() {
    // SECURITY 5
    for name in ["/topic/Kolejka.Job.submitted.a", "/topic/ActiveMQ.Advisory.Expired.Queue.a"] {
        let send = format!("SEND\ndestination:{name}\n\n^@");
        assert_eq!(Client::speaking("1.2").fails_with(&send), "reserved-destination");
        let mut reader = Client::speaking("1.2");
        reader.says(&format!("SUBSCRIBE\nid:1\ndestination:{name}\n\n^@"));
        assert_eq!(reader.subscribed().to.as_str(), name, "what the broker says there may be heard");
    }
    for name in ["/queue/Kolejka.Other", "Kolejka/x"] {
        let send = format!("SEND\ndestination:{name}\n\n^@");
        assert_eq!(Client::speaking("1.2").fails_with(&send), "reserved-destination");
        let subscribe = format!("SUBSCRIBE\nid:1\ndestination:{name}\n\n^@");
        assert_eq!(Client::speaking("1.2").fails_with(&subscribe), "reserved-destination");
    }
}

#[test]
fn a_bare_name_is_a_queue_and_slashes_are_fine() {
    // DESIGN 5; pain 14
    let mut client = Client::speaking("1.2");
    client.says("SEND\ndestination:mail/out.slow\n\n^@");
    assert_eq!(client.published().to.as_str(), "/queue/mail/out.slow");
    assert!(client.head().starts_with("destination:mail/out.slow\n"));
    client.says("SEND\ndestination:news\ndestination-type:MULTICAST\n\n^@");
    assert_eq!(client.published().to.kind(), DestinationKind::Topic);
    client.says("SEND\ndestination:news\ndestination-type:ANYCAST\n\n^@");
    assert_eq!(client.published().to.as_str(), "/queue/news");
    assert_eq!(client.fails_with("SEND\ndestination:news\ndestination-type:x\n\n^@"), "bad-header");
}

#[test]
fn headers_of_the_hop_and_of_the_server_do_not_go_on() {
    // 58, A15
    let client = after(
        "receipt:1\ncontent-length:4\nlogin:l\npasscode:p\nack:client\nsubscription:s\nredelivered:true\n\
         delivery-count:9\nJMSXDeliveryCount:9\nx-job-id:1\nx-lease-until:1\nx-death-reason:nack\nx-error:e\n\
         original-destination:/queue/b\ndlqDeliveryFailureCause:x\nrequeue:false\nbrowser:end\nkept:yes\n",
    );
    assert_eq!(client.head(), "destination:/queue/a\nkept:yes\ntimestamp:1700000000000\n");
}

#[test]
fn a_message_id_of_the_client_goes_on_under_another_name() {
    // 61
    let client = after("message-id:ID\\cmine\nmessage-id:other\n");
    assert_eq!(client.head(), "destination:/queue/a\norig-message-id:ID\\cmine\ntimestamp:1700000000000\n");
}

#[test]
fn order_and_repetition_of_user_headers_are_kept() {
    // 19, 20
    let client = after("z:1\na:2\nz:3\n");
    assert_eq!(client.head(), "destination:/queue/a\nz:1\na:2\nz:3\ntimestamp:1700000000000\n");
}

#[test]
fn a_timestamp_of_the_client_is_kept() {
    // Row 52
    assert_eq!(after("timestamp:5\n").head(), "destination:/queue/a\ntimestamp:5\n");
}

#[test]
fn what_a_1_0_client_says_is_stored_in_the_escapes_of_1_2() {
    // 12, 18
    let mut client = Client::speaking("1.0");
    client.says("SEND\ndestination:/queue/a\npath:C:\\new\n\n^@");
    assert!(client.head().contains("\npath:C\\c\\\\new\n"), "{}", client.head());
}

#[test]
fn priority_is_clamped_and_must_be_a_number() {
    // JOBS 5.15
    for (text, priority) in [("0", 0), ("4", 4), ("9", 9), ("10", 9), ("4000000000", 9), ("-3", 0)] {
        let client = after(&format!("priority:{text}\n"));
        assert_eq!(client.published().message.urgency, Urgency::from_priority(priority), "{text}");
        assert!(client.head().contains(&format!("\npriority:{text}\n")));
    }
    for text in ["", "high", "4.5", "-", "+1", "99999999999"] {
        let frame = format!("SEND\ndestination:/queue/a\npriority:{text}\n\n^@");
        assert_eq!(Client::speaking("1.2").fails_with(&frame), "bad-header", "{text}");
    }
}

#[test]
fn urgency_is_exact_and_beats_priority() {
    // JOBS 2 and 5.15
    let client = after("priority:9\nx-urgency:4294967295\n");
    assert_eq!(client.published().message.urgency, Urgency(u32::MAX));
    assert!(!client.head().contains("x-urgency"));
    for text in ["4294967296", "-1", "+1", "", "x"] {
        let frame = format!("SEND\ndestination:/queue/a\nx-urgency:{text}\n\n^@");
        assert_eq!(Client::speaking("1.2").fails_with(&frame), "bad-header", "{text}");
    }
}

#[test]
fn messages_persist_unless_the_sender_says_otherwise_or_nothing_could_keep_them() {
    // P1
    assert_eq!(after("persistent:true\n").published().message.durability, Durability::Persistent);
    assert_eq!(after("persistent:false\n").published().message.durability, Durability::Transient);
    let mut client = Client::speaking("1.2");
    client.says("SEND\ndestination:/topic/t\n\n^@");
    assert_eq!(client.published().message.durability, Durability::Persistent, "there may be queues behind it");
    client.says("SEND\ndestination:/temp-queue/t\npersistent:true\n\n^@");
    assert_eq!(client.published().message.durability, Durability::Transient);
}

#[test]
fn what_cannot_be_done_yet_is_refused_and_not_ignored() {
    // Pain 11
    for header in ["x-event:fail", "x-op:kick"] {
        let frame = format!("SEND\ndestination:/queue/a\nreceipt:1\n{header}\n\n^@");
        let mut client = Client::speaking("1.2");
        assert_eq!(client.fails_with(&frame), "not-supported", "{header}");
        assert!(client.asked.is_empty());
        let name = header.split(':').next().unwrap();
        assert!(client.farewell.unwrap().words.contains(name));
    }
}

#[test]
fn what_asks_for_nothing_goes_through() {
    // JOBS 5.15: under a plain word, what is no number is the application's
    let client = after("expires:0\nAMQ_SCHEDULED_DELAY:0\ndelay:soon\nttl:long\nx-track:false\nretain:false\n");
    assert!(client.head().contains("\nexpires:0\n") && client.head().contains("\ndelay:soon\n"));
    assert!(!client.head().contains("AMQ_SCHEDULED_DELAY"), "sent back on NACK it would mean at once");
    assert_eq!(client.published().message.terms, None);
}

/// Terms of a message that was sent with these headers, at the time of the tests.
fn terms(headers: &str) -> Terms {
    after(&format!("{headers}\n")).published().message.terms.as_deref().cloned().unwrap_or_default()
}

#[test]
fn a_delay_has_many_names_and_is_not_delivered() {
    // JOBS 2, 5.15, 5.16; STOMP alias map
    let now = Client::speaking("1.2").now.wall.0;
    for header in ["AMQ_SCHEDULED_DELAY", "x-delay", "delay"] {
        assert_eq!(terms(&format!("{header}:250")).due, Some(Timestamp(now + 250)), "{header}");
        assert!(!after(&format!("{header}:250\n")).head().contains(header));
    }
    for header in ["AMQ_SCHEDULED_TIME", "deliver-at", "x-at"] {
        assert_eq!(terms(&format!("{header}:{}", now + 9)).due, Some(Timestamp(now + 9)), "{header}");
        assert_eq!(terms(&format!("{header}:{}", now.saturating_sub(9))).due, None, "that was yesterday");
        let iso = terms(&format!("{header}:2040-01-01T01\\c00\\c00+01\\c00"));
        assert_eq!(iso.due, Some(Timestamp(2_208_988_800_000)), "{header}");
        let wrong = format!("SEND\ndestination:/queue/a\n{header}:tomorrow\n\n^@");
        assert_eq!(Client::speaking("1.2").fails_with(&wrong), "bad-header", "{header}");
    }
    assert_eq!(terms("x-at:2040-01-01T00\\c00\\c00Z\nx-delay:5").due, Some(Timestamp(2_208_988_800_000)));
}

#[test]
fn an_end_has_many_names_and_expires_counts_first() {
    // JOBS 5.5, 5.15
    let now = Client::speaking("1.2").now.wall.0;
    assert_eq!(terms("ttl:100").expires, Some(Timestamp(now + 100)));
    assert_eq!(terms("expiration:100").expires, Some(Timestamp(now + 100)));
    assert_eq!(terms("expiration:100\nttl:50").expires, Some(Timestamp(now + 50)));
    assert_eq!(terms("expiration:100\nttl:50\nexpires:7").expires, Some(Timestamp(7)));
    assert_eq!(terms("expires:0\nttl:50").expires, Some(Timestamp(now + 50)), "0 is never");
    assert_eq!(terms("expires:2040-01-01T00\\c00\\c00Z").expires, Some(Timestamp(2_208_988_800_000)));
    for header in ["expires:soon", "expiration:-1"] {
        let frame = format!("SEND\ndestination:/queue/a\n{header}\n\n^@");
        assert_eq!(Client::speaking("1.2").fails_with(&frame), "bad-header", "{header}");
    }
}

#[test]
fn a_message_may_have_a_redelivery_policy_of_its_own() {
    // JOBS 2, 5.4, 5.6
    assert_eq!(terms("x-ttr:43200000").time_to_run_ms, Some(43_200_000));
    let terms = terms("x-max-deliveries:3\nx-backoff:fixed:0\nx-on-exhaust:bury\nx-dead-letter:failed");
    assert_eq!((terms.max_deliveries, terms.on_exhaust), (Some(3), Some(OnExhaust::Bury)));
    assert_eq!(terms.backoff, Some(Backoff::Fixed { ms: 0 }));
    assert_eq!(terms.dead_letter.map(|name| name.to_string()), Some("/queue/failed".to_owned()));
    for header in [
        "x-ttr:99",
        "x-ttr:43200001",
        "x-ttr:0",
        "x-max-deliveries:0",
        "x-backoff:slow",
        "x-on-exhaust:explode",
        "x-dead-letter:/topic/t",
    ] {
        let frame = format!("SEND\ndestination:/queue/a\n{header}\n\n^@");
        assert_eq!(Client::speaking("1.2").fails_with(&frame), "bad-header", "{header}");
    }
    let mut client = Client::new();
    client.login = Ok(all_but(&[("/queue/secret", Right::Write)]));
    let mut client = client.connect("1.2");
    let frame = "SEND\ndestination:/queue/open\nx-dead-letter:secret\n\n^@";
    assert_eq!(client.fails_with(frame), "forbidden");
}

#[test]
fn a_body_is_opaque_and_holds_no_more_memory_than_it_has_octets() {
    // 22, 23, 25
    let mut client = Client::speaking("1.2");
    client.says("SEND\ndestination:/queue/a\ncontent-length:3\n\na^@b^@");
    assert_eq!(client.published().message.content.body(), b"a\0b");
    assert!(client.published().message.content.large_body().is_none());
    client.says(&format!("SEND\ndestination:/queue/a\n\n{}^@", "x".repeat(Content::SHARED_BODY + 1)));
    let body = client.published().message.content.large_body().expect("a body of its own");
    assert_eq!(body.len(), Content::SHARED_BODY + 1);
    assert!(body.is_unique(), "it is no slice of what was read with it");
}

#[test]
fn sending_without_the_right_to_is_refused_by_name() {
    // SECURITY 5
    let mut client = Client::new();
    client.login = Ok(all_but(&[("/queue/secret", Right::Write)]));
    let mut client = client.connect("1.2");
    client.says("SEND\ndestination:/queue/open\n\n^@");
    assert_eq!(client.asked.len(), 1);
    assert_eq!(client.fails_with("SEND\ndestination:secret\n\n^@"), "forbidden");
    assert_eq!(client.asked.len(), 1);
    assert!(client.farewell.unwrap().words.contains("write /queue/secret"));
}

#[test]
fn many_destinations_are_sent_to_with_a_bounded_memory_of_them() {
    let mut client = Client::speaking("1.2");
    for number in (0..200).chain(0..200) {
        client.says(&format!("SEND\ndestination:/queue/q{number}\n\n^@"));
        assert_eq!(client.published().to.path(), format!("q{number}"));
    }
}

#[test]
fn a_group_has_two_names_and_a_last_message_and_goes_on_with_the_message() {
    // Row 53
    for header in ["JMSXGroupID", "message_group"] {
        for (number, closes) in [("", false), ("JMSXGroupSeq:7\n", false), ("JMSXGroupSeq:-1\n", true)] {
            let mut client = Client::speaking("1.2");
            client.says(&format!("SEND\ndestination:/queue/a\n{header}:customer 17\n{number}\n^@"));
            let group = client.published().message.terms.as_ref().and_then(|terms| terms.group.clone());
            assert_eq!(group, Some(Group { name: "customer 17".into(), closes }), "{header} {number}");
            let head = client.head();
            assert!(head.contains(&format!("{header}:customer 17\n{number}")), "{head}");
        }
    }
    let mut client = Client::speaking("1.2");
    client.says("SEND\ndestination:/queue/a\nJMSXGroupID:\nJMSXGroupSeq:-1\n\n^@");
    assert!(client.published().message.terms.is_none());
    let long = format!("SEND\ndestination:/queue/a\nJMSXGroupID:{}\n\n^@", "g".repeat(256));
    assert_eq!(client.fails_with(&long), "bad-header");
}
