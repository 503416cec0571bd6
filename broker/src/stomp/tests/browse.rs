//! SUBSCRIBEs that look through a queue.

use super::Client;
use crate::model::AckMode;
use crate::model::Browse;
use crate::model::Content;
use crate::model::Delivery;
use crate::model::End;
use crate::model::Lease;
use crate::model::MessageId;
use crate::model::Payload;
use crate::model::Request;
use crate::model::ShardId;
use crate::model::Stage;
use crate::model::SubscriptionId;

fn asked(headers: &str) -> Browse {
    let mut client = Client::speaking("1.2");
    client.says(&format!("SUBSCRIBE\nid:1\ndestination:/queue/a\nbrowser:true\n{headers}\n\n^@"));
    assert!(client.farewell.is_none(), "{headers}: {:?}", client.farewell);
    match client.asked.pop() {
        Some(Request::Browse(browse)) => *browse,
        other => panic!("{headers}: {other:?}"),
    }
}

#[test]
fn it_shows_what_is_ready_and_needs_no_acknowledgement() {
    // JOBS 5.22
    let browse = asked("ack:client");
    assert_eq!((browse.stages, browse.limit, browse.tail), (vec![Stage::Ready], None, false));
    assert_eq!(browse.subscribe.mode, AckMode::Auto);
}

#[test]
fn stages_limit_and_tail_are_asked_for_by_name() {
    let browse = asked("x-states:buried, ready,buried\nx-limit:3\nbrowser-end:false\nselector:a = 1");
    assert_eq!((browse.stages, browse.limit, browse.tail), (vec![Stage::Buried, Stage::Ready], Some(3), true));
    assert!(browse.subscribe.filter.is_some());
}

#[test]
fn what_makes_no_sense_is_refused_with_what_is_allowed() {
    for (to, headers, code) in [
        ("/queue/a", "browser:true\nx-states:ready,gone", "bad-header"),
        ("/queue/a", "browser:perhaps", "bad-header"),
        ("/queue/a", "browser:true\nbrowser-end:maybe", "bad-header"),
        ("/queue/a", "browser:true\nx-wait:5", "bad-header"),
        ("/queue/a", "x-states:ready", "bad-header"),
        ("/topic/a", "browser:true", "bad-header"),
        ("/queue/a.>", "browser:true", "not-supported"),
        ("/queue/a,b", "browser:true", "not-supported"),
    ] {
        let frame = format!("SUBSCRIBE\nid:1\ndestination:{to}\n{headers}\n\n^@");
        assert_eq!(Client::speaking("1.2").fails_with(&frame), code, "{headers}");
    }
}

#[test]
fn a_message_says_its_state_and_has_no_ack_and_the_end_is_empty() {
    let mut client = Client::speaking("1.2");
    client.says("SUBSCRIBE\nid:s\ndestination:/queue/a\nbrowser:true\n\n^@");
    let content = Content::new(b"destination:/queue/a\n", "x".into());
    let delivery = Delivery {
        tracked: false,
        is_event: false,
        token: None,
        subscription: SubscriptionId(1),
        number: 1,
        message: MessageId::new(ShardId::default(), 5),
        auto: true,
        held_twice: false,
        is_numbered: false,
        attempt: 1,
        redelivered: false,
        lease: Lease::Seen(Stage::Buried),
        death: None,
        from: None,
        payload: Payload::Memory(content.clone()),
    };
    client.session.deliver(client.now, &delivery, &content, &mut client.wire);
    let heard = client.hears();
    assert!(heard.contains("\nx-state:buried\n") && heard.contains("\nx-job-id:5\n"), "{heard}");
    assert!(!heard.contains("\nack:") && !heard.contains("x-lease-until"), "{heard}");
    client.session.ended(SubscriptionId(1), End::Browse, &mut client.wire);
    let heard = client.hears();
    let end = "MESSAGE\nsubscription:s\nmessage-id:0\ndestination:/queue/a\nbrowser:end\ncontent-length:0\n\n^@\n";
    assert_eq!(heard, end);
    assert_eq!(client.says("ACK\nid:0\nreceipt:r\n\n^@"), "RECEIPT\nreceipt-id:r\n\n^@\n", "it means nothing");
}
