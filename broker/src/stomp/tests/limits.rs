//! Limits that a frame asks for the queue which it brings into being.

use super::{Client, Right, all_but};
use crate::model::Answer;
use crate::model::DestinationName;
use crate::model::Limits;
use crate::model::Request;
use crate::model::Shape;

/// What is asked in front of a frame.
fn shapes(frame: &str) -> Vec<Shape> {
    let mut client = Client::new();
    client.login = Ok(all_but(&[("/queue/theirs", Right::Create), ("/queue/closed", Right::Write)]));
    let mut client = client.connect("1.2");
    client.says(frame);
    assert!(client.farewell.is_none(), "{frame}: {:?}", client.farewell);
    let shapes = client.asked.into_iter();
    shapes.filter_map(|request| if let Request::Shape(shape) = request { Some(*shape) } else { None }).collect()
}

#[test]
fn the_words_of_rabbitmq_are_understood_on_send_and_subscribe() {
    // JOBS 5.25
    let headers = "x-max-length:5\nx-max-length-bytes:6\nx-overflow:drop-head\nx-message-ttl:7\nx-expires:8\n\
                   x-delivery-limit:9\nx-dead-letter-routing-key:failed\nx-dead-letter-exchange:\n";
    let limits = Limits {
        max_length: Some(5),
        max_bytes: Some(6),
        drops_oldest: Some(true),
        expiry_ms: Some(7),
        idle_ms: Some(8),
        max_deliveries: Some(9),
        dead_letter: Some(DestinationName::queue("failed").expect("a name")),
        auto_delete: false,
    };
    for frame in
        [format!("SEND\ndestination:/queue/a\n{headers}\n^@"), format!("SUBSCRIBE\nid:1\ndestination:a\n{headers}\n^@")]
    {
        let [shape] = &shapes(&frame)[..] else { panic!("{frame}") };
        assert_eq!((&shape.limits, shape.more, shape.may_create), (&limits, false, true));
        assert_eq!(shape.queue.as_ref().map(DestinationName::as_str), Some("/queue/a"));
    }
    let auto = shapes("SUBSCRIBE\nid:1\ndestination:a\nauto-delete:true\n\n^@");
    assert!(auto.iter().any(|shape| shape.limits.auto_delete));
    assert!(shapes("SEND\ndestination:a\nauto-delete:true\nx-max-length:\n\n^@").is_empty());
    assert!(
        shapes("SUBSCRIBE\nid:1\ndestination:/topic/a\nx-expires:5\ndurable:true\nauto-delete:false\n\n^@").is_empty()
    );
    assert_eq!(shapes("SEND\ndestination:/queue/a,b\nx-max-length:1\n\n^@").len(), 2);
    assert!(!shapes("SEND\ndestination:/queue/theirs\nx-max-length:1\n\n^@")[0].may_create);
    assert!(shapes("SEND\ndestination:/topic/t\nx-max-length:1\n\n^@")[0].queue.is_none());
    assert!(shapes("SEND\ndestination:/queue/a\nx-single-active-consumer:true\n\n^@")[0].more);
}

#[test]
fn they_are_not_delivered() {
    let mut client = Client::speaking("1.2");
    client.says("SEND\ndestination:/queue/a\nx-max-length:1\nmine:1\n\n^@");
    let Some(Request::Publish(publish)) = client.asked.pop() else { panic!("{:?}", client.asked) };
    let head = String::from_utf8_lossy(publish.message.content.head()).into_owned();
    assert!(head.contains("mine:1\n") && !head.contains("x-max-length"), "{head}");
}

#[test]
fn a_wish_that_is_not_granted_is_told_in_the_receipt_of_its_frame_alone() {
    let mut client = Client::speaking("1.2");
    client.answers.extend([Ok(Answer::Unheeded), Ok(Answer::Done), Ok(Answer::Done)]);
    let told = client.says("SEND\ndestination:/queue/a\nx-max-length:1\nreceipt:1\n\n^@");
    assert!(told.contains("x-policy-ignored:true"), "{told}");
    let told = client.says("SEND\ndestination:/queue/a\nreceipt:2\n\n^@");
    assert!(told.contains("receipt-id:2") && !told.contains("x-policy-ignored"), "{told}");
    client.answers.extend([Ok(Answer::Unheeded), Ok(Answer::Done), Ok(Answer::Done)]);
    client.says("SEND\ndestination:/queue/a\nx-max-length:1\n\n^@");
    let told = client.says("SEND\ndestination:/queue/a\nreceipt:3\n\n^@");
    assert!(!told.contains("x-policy-ignored"), "{told}");
}

#[test]
fn what_is_malformed_or_in_a_transaction_is_refused() {
    for (header, code) in [
        ("x-max-length:many", "bad-header"),
        ("x-max-length:0", "bad-header"),
        ("x-overflow:explode", "bad-header"),
        ("x-dead-letter-exchange:amq.topic", "bad-header"),
        ("x-dead-letter-routing-key:/topic/t", "bad-header"),
    ] {
        let frame = format!("SEND\ndestination:/queue/a\n{header}\n\n^@");
        assert_eq!(Client::speaking("1.2").fails_with(&frame), code, "{header}");
    }
    let frame = "BEGIN\ntransaction:t\n\n^@SEND\ndestination:a\ntransaction:t\nx-max-length:1\n\n^@";
    assert_eq!(Client::speaking("1.2").fails_with(frame), "not-supported");
}
