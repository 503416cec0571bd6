//! Temporary destinations and the subscription that a `reply-to` implies.

use super::{Client, Right, all_but, delivery};
use crate::model::AckMode;
use crate::model::Delivery;
use crate::model::DestinationKind;
use crate::model::Request;
use crate::model::SubscriptionId;

const ASK: &str = "SEND\ndestination:/queue/calc\nreply-to:/temp-queue/r\nreceipt:s\n\n2+2^@";

#[test]
fn a_temporary_destination_belongs_to_its_client() {
    // Row 34
    let mut client = Client::speaking("1.2");
    client.says("SUBSCRIBE\nid:1\ndestination:/temp-queue/r\n\n^@");
    assert_eq!(client.subscribed().to.as_str(), "/remote-temp-queue/Tok3n.r");
    client.says("SUBSCRIBE\nid:2\ndestination:/temp-topic/r\n\n^@");
    assert_eq!(client.subscribed().to.kind(), DestinationKind::TempTopic);
}

#[test]
fn reply_to_is_rewritten_and_listened_to_before_the_message_goes() {
    // Row 34, row 51
    let mut client = Client::speaking("1.2");
    assert_eq!(client.says(ASK), "RECEIPT\nreceipt-id:s\n\n^@\n");
    let [Request::Subscribe(subscribe), Request::Publish(_)] = &client.asked[..] else { panic!("{:?}", client.asked) };
    assert_eq!((subscribe.to.as_str(), subscribe.mode), ("/remote-temp-queue/Tok3n.r", AckMode::Auto));
    assert!(client.head().contains("\nreply-to:/remote-temp-queue/Tok3n.r\n"), "{}", client.head());
}

#[test]
fn the_answer_comes_with_the_name_that_was_asked_for() {
    // Row 34
    let mut client = Client::speaking("1.2");
    client.says(ASK);
    let heard =
        client.gets(&Delivery { auto: true, ..delivery(1, 9) }, "destination:/remote-temp-queue/Tok3n.r\n", "4");
    assert!(heard.starts_with("MESSAGE\nsubscription:/temp-queue/r\nmessage-id:9\ncontent-length:1\n"), "{heard}");
    assert!(heard.contains("\ndestination:/remote-temp-queue/Tok3n.r\n"), "{heard}");
}

#[test]
fn asking_again_listens_once() {
    let mut client = Client::speaking("1.2");
    client.says(ASK);
    client.says(ASK);
    assert_eq!(client.asked.len(), 3);
}

#[test]
fn whoever_has_subscribed_is_not_subscribed_again() {
    let mut client = Client::speaking("1.2");
    client.says("SUBSCRIBE\nid:mine\ndestination:/temp-queue/r\nack:client\n\n^@");
    client.says(ASK);
    assert!(matches!(&client.asked[..], [Request::Subscribe(_), Request::Publish(_)]));
}

#[test]
fn a_later_subscribe_takes_the_place_of_the_implied_one() {
    let mut client = Client::speaking("1.2");
    client.says(ASK);
    client.asked.clear();
    client.says("SUBSCRIBE\nid:mine\ndestination:/temp-queue/r\nack:client\n\n^@");
    let [Request::Unsubscribe(SubscriptionId(1)), Request::Subscribe(subscribe)] = &client.asked[..] else {
        panic!("{:?}", client.asked)
    };
    assert_eq!((subscribe.id, subscribe.mode), (SubscriptionId(2), AckMode::Client));
    assert_eq!(client.gets(&delivery(1, 9), "destination:x\n", ""), "");
    assert!(client.gets(&delivery(2, 9), "destination:x\n", "").contains("\nsubscription:mine\n"));
}

#[test]
fn the_implied_one_can_be_ended() {
    let mut client = Client::speaking("1.2");
    client.says(ASK);
    client.says("UNSUBSCRIBE\nid:/temp-queue/r\n\n^@");
    assert!(matches!(client.asked.last(), Some(Request::Unsubscribe(SubscriptionId(1)))));
}

#[test]
fn in_a_transaction_listening_begins_at_once() {
    let mut client = Client::speaking("1.2");
    client.says("BEGIN\ntransaction:t\n\n^@");
    client.says(&ASK.replace("reply-to", "transaction:t\nreply-to"));
    assert!(matches!(&client.asked[..], [Request::Subscribe(_)]));
}

#[test]
fn any_other_reply_to_is_left_alone() {
    // Row 51
    for address in ["/queue/answers", "/remote-temp-queue/other.r", "anything\\cat all"] {
        let mut client = Client::speaking("1.2");
        client.says(&format!("SEND\ndestination:/queue/a\nreply-to:{address}\n\n^@"));
        assert!(client.head().contains(&format!("\nreply-to:{address}\n")));
        assert_eq!(client.asked.len(), 1);
    }
}

#[test]
fn a_reply_to_that_is_no_name_or_not_allowed_is_an_error() {
    // A13; SECURITY 5
    let frame = ASK.replace("/temp-queue/r", "/temp-queue/");
    assert_eq!(Client::speaking("1.2").fails_with(&frame), "bad-destination");
    let mut client = Client::new();
    client.login = Ok(all_but(&[("/temp-queue/**", Right::Read)]));
    assert_eq!(client.connect("1.2").fails_with(ASK), "forbidden");
}

#[test]
fn an_answer_goes_to_the_full_name() {
    let mut client = Client::speaking("1.2");
    client.says("SEND\ndestination:/remote-temp-queue/other.r\n\n4^@");
    assert_eq!(client.published().to.as_str(), "/remote-temp-queue/other.r");
    client.says("SEND\ndestination:/reply-queue/other.r\n\n4^@");
    assert_eq!(client.published().to.as_str(), "/remote-temp-queue/other.r");
}
