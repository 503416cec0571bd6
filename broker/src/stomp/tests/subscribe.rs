//! SUBSCRIBE and UNSUBSCRIBE.

use super::{Client, Right, all_but, delivery, facts};
use crate::model::AckMode;
use crate::model::DestinationName;
use crate::model::Order;
use crate::model::Request;
use crate::model::SoftRefusal;
use crate::model::Source;
use crate::model::SubscriptionId;
use crate::stomp::Options;

const HEAD: &str = "destination:/queue/a\n";

#[test]
fn a_subscribe_becomes_a_request_and_its_receipt_comes_first() {
    // 62, 32
    let mut client = Client::speaking("1.2");
    let heard = client.says("SUBSCRIBE\nid:0\ndestination:/queue/a\nack:client\nreceipt:r\n\n^@");
    assert_eq!(heard, "RECEIPT\nreceipt-id:r\n\n^@\n");
    let subscribe = client.subscribed();
    assert_eq!((subscribe.to.as_str(), subscribe.mode), ("/queue/a", AckMode::Client));
    assert!(client.gets(&delivery(1, 7), HEAD, "x").contains("\nsubscription:0\n"));
}

#[test]
fn destination_and_in_1_1_and_1_2_an_id_are_needed() {
    // 62
    for version in ["1.1", "1.2"] {
        assert_eq!(Client::speaking(version).fails_with("SUBSCRIBE\ndestination:/queue/a\n\n^@"), "missing-header");
    }
    assert_eq!(Client::speaking("1.2").fails_with("SUBSCRIBE\nid:1\n\n^@"), "missing-header");
}

#[test]
fn an_id_is_there_once() {
    // 62
    let mut client = Client::speaking("1.2");
    client.says("SUBSCRIBE\nid:1\ndestination:/queue/a\n\n^@SUBSCRIBE\nid:2\ndestination:/queue/a\n\n^@");
    assert_eq!(client.asked.len(), 2);
    assert_eq!(client.fails_with("SUBSCRIBE\nid:1\ndestination:/queue/b\nreceipt:r\n\n^@"), "duplicate-subscription");
}

#[test]
fn an_id_is_free_again_after_unsubscribe_and_its_number_is_not() {
    // 62, 68
    let mut client = Client::speaking("1.2");
    client.says("SUBSCRIBE\nid:1\ndestination:/queue/a\n\n^@UNSUBSCRIBE\nid:1\n\n^@");
    client.says("SUBSCRIBE\nid:1\ndestination:/queue/a\n\n^@");
    assert_eq!(client.subscribed().id, SubscriptionId(2));
}

#[test]
fn a_1_0_client_is_known_by_the_destination() {
    // 63
    let mut client = Client::speaking("1.0");
    client.says("SUBSCRIBE\ndestination:/queue/a\nack:client\n\n^@");
    let heard = client.gets(&delivery(1, 7), HEAD, "x");
    assert!(!heard.contains("subscription:"), "{heard}");
    assert_eq!(client.fails_with("SUBSCRIBE\ndestination:/queue/a\n\n^@"), "duplicate-subscription");
}

#[test]
fn a_1_0_client_may_have_ids() {
    // 63, 87
    let mut client = Client::speaking("1.0");
    client.says("SUBSCRIBE\nid:x\ndestination:/queue/a\n\n^@");
    assert!(client.gets(&delivery(1, 7), HEAD, "").contains("\nsubscription:x\n"));
}

#[test]
fn the_three_modes_are_understood_in_every_version() {
    // 64
    for version in ["1.0", "1.1", "1.2"] {
        let mut client = Client::speaking(version);
        for (number, (header, mode)) in [
            ("", AckMode::Auto),
            ("ack:auto\n", AckMode::Auto),
            ("ack:client\n", AckMode::Client),
            ("ack:client-individual\n", AckMode::ClientIndividual),
        ]
        .into_iter()
        .enumerate()
        {
            client.says(&format!("SUBSCRIBE\nid:{number}\ndestination:/queue/a\n{header}\n^@"));
            assert_eq!(client.subscribed().mode, mode);
        }
        assert_eq!(client.fails_with("SUBSCRIBE\nid:9\ndestination:/queue/a\nack:maybe\n\n^@"), "bad-header");
        assert!(client.farewell.unwrap().words.contains("client-individual"));
    }
}

#[test]
fn the_number_of_subscriptions_is_bounded() {
    // SECURITY 6: limit − 1, limit, limit + 1
    let options = Options { subscriptions_per_connection: 3, ..Options::default() };
    let mut client = Client::with(options, facts()).connect("1.2");
    for id in 1..=3 {
        client.says(&format!("SUBSCRIBE\nid:{id}\ndestination:/queue/a\n\n^@"));
    }
    client.says("UNSUBSCRIBE\nid:2\n\n^@SUBSCRIBE\nid:4\ndestination:/queue/a\n\n^@");
    assert!(client.farewell.is_none());
    assert_eq!(client.fails_with("SUBSCRIBE\nid:5\ndestination:/queue/a\n\n^@"), "too-many-subscriptions");
}

#[test]
fn reading_without_the_right_to_is_refused() {
    // 65
    let mut client = Client::new();
    client.login = Ok(all_but(&[("/queue/secret.**", Right::Read)]));
    let mut client = client.connect("1.2");
    assert_eq!(client.fails_with("SUBSCRIBE\nid:1\ndestination:/queue/secret.a\n\n^@"), "forbidden");
    assert!(client.asked.is_empty());
}

#[test]
fn no_message_follows_the_receipt_of_unsubscribe() {
    // 67, 68
    let mut client = Client::speaking("1.2");
    client.says("SUBSCRIBE\nid:1\ndestination:/queue/a\n\n^@");
    assert_eq!(client.says("UNSUBSCRIBE\nid:1\nreceipt:u\n\n^@"), "RECEIPT\nreceipt-id:u\n\n^@\n");
    assert!(matches!(client.asked.last(), Some(Request::Unsubscribe(SubscriptionId(1)))));
    assert_eq!(client.gets(&delivery(1, 7), HEAD, "x"), "");
}

#[test]
fn a_wildcard_is_read_destination_by_destination() {
    // 65; SECURITY section 5: the right is asked for the concrete destination
    let mut client = Client::new();
    client.login = Ok(all_but(&[("/queue/secret.**", Right::Read)]));
    let mut client = client.connect("1.2");
    client.says("SUBSCRIBE\nid:1\ndestination:/queue/>\n\n^@");
    let Source::Wildcard(wildcard) = client.subscribed().to.clone() else { panic!("a wildcard") };
    let reaches = |text: &str| wildcard.reaches(&DestinationName::parse(text, "").unwrap());
    assert!(reaches("/queue/open.a") && !reaches("/queue/secret.a") && !reaches("/topic/open.a"));
    assert!(!reaches("/queue/DLQ.a"), "dead letters are for those who ask for them");
}

#[test]
fn a_wildcard_that_is_none_is_refused() {
    for text in ["/queue/a*", "/queue/>.a", "/temp-queue/*", "/*/a", "/topic/a..*", "/topic/a .*"] {
        let frame = format!("SUBSCRIBE\nid:1\ndestination:{text}\n\n^@");
        assert_eq!(Client::speaking("1.2").fails_with(&frame), "bad-destination", "{text}");
    }
    let frame = "SUBSCRIBE\nid:1\ndestination:/queue/Kolejka.>\n\n^@";
    assert_eq!(Client::speaking("1.2").fails_with(frame), "reserved-destination");
}

#[test]
fn unsubscribing_by_destination_works_in_every_version() {
    // 67: PECL does so
    for version in ["1.0", "1.1", "1.2"] {
        let mut client = Client::speaking(version);
        client.says("SUBSCRIBE\nid:1\ndestination:/queue/a\n\n^@SUBSCRIBE\nid:2\ndestination:/queue/b\n\n^@");
        client.says("UNSUBSCRIBE\ndestination:a\n\n^@");
        assert!(matches!(client.asked.last(), Some(Request::Unsubscribe(SubscriptionId(1)))), "{version}");
    }
    let mut client = Client::speaking("1.0");
    client.says("SUBSCRIBE\nid:1\ndestination:/queue/a\n\n^@SUBSCRIBE\ndestination:/queue/a\n\n^@");
    client.says("UNSUBSCRIBE\ndestination:/queue/a\n\n^@");
    assert!(matches!(client.asked.last(), Some(Request::Unsubscribe(SubscriptionId(2)))));
}

#[test]
fn unsubscribing_from_nothing_is_refused_softly_and_from_one_of_several_an_error() {
    // 67
    let mut client = Client::speaking("1.2");
    client.says("SUBSCRIBE\nid:1\ndestination:/queue/a\n\n^@SUBSCRIBE\nid:2\ndestination:/queue/a\n\n^@");
    assert_eq!(client.fails_with("UNSUBSCRIBE\ndestination:/queue/a\n\n^@"), "ambiguous-subscription");
    for named in ["id:1", "destination:/queue/a"] {
        let mut client = Client::speaking("1.2");
        client.says(&format!("UNSUBSCRIBE\n{named}\nreceipt:r\n\n^@"));
        assert!(matches!(client.asked.last(), Some(Request::Decline(SoftRefusal::Unknown))), "{named}");
        assert!(client.farewell.is_none(), "{named}");
    }
    assert_eq!(Client::speaking("1.2").fails_with("UNSUBSCRIBE\n\n^@"), "missing-header");
}

#[test]
fn what_cannot_be_done_yet_is_refused_and_not_ignored() {
    // 66; pain 11
    for header in ["x-stream-offset:first", "from-seq:1", "activemq.retroactive:true"] {
        let frame = format!("SUBSCRIBE\nid:1\ndestination:/queue/a\n{header}\n\n^@");
        assert_eq!(Client::speaking("1.2").fails_with(&frame), "not-supported", "{header}");
    }
}

#[test]
fn a_selector_becomes_a_filter_and_an_empty_one_none() {
    // 66
    let mut client = Client::speaking("1.2");
    client.says("SUBSCRIBE\nid:1\ndestination:/queue/a\nselector:color = 'red' AND size > 1\n\n^@");
    let filter = client.subscribed().filter.as_ref().map(|filter| format!("{filter:?}"));
    assert_eq!(filter.as_deref(), Some("Selector(color = 'red' AND size > 1)"));
    client.says("SUBSCRIBE\nid:2\ndestination:/topic/a\nselector: \n\n^@");
    assert!(client.subscribed().filter.is_none());
}

#[test]
fn a_selector_that_is_none_is_an_error_with_the_column() {
    // 66; A12
    let mut client = Client::speaking("1.2");
    let heard = client.says("SUBSCRIBE\nid:1\ndestination:/queue/a\nselector:color = \nreceipt:r\n\n^@");
    assert!(
        heard.contains("message:bad selector, column 9\\c a name, a value or a bracket is expected here\n"),
        "{heard}"
    );
    assert!(heard.contains("code:bad-selector\n") && heard.contains("receipt-id:r\n"), "{heard}");
    let nested = format!("{}a{}", "(".repeat(500), ")".repeat(500));
    for selector in ["x".repeat(2000), nested, "a = 'b".into(), "NOT ".repeat(200)] {
        let frame = format!("SUBSCRIBE\nid:1\ndestination:/queue/a\nselector:{selector}\n\n^@");
        assert_eq!(Client::speaking("1.2").fails_with(&frame), "bad-selector");
    }
}

#[test]
fn unknown_headers_are_ignored() {
    // Input rule 3
    let mut client = Client::speaking("1.2");
    client.says(
        "SUBSCRIBE\nid:1\ndestination:/topic/a\ntransformation:jms-map-json\nactivemq.dispatchAsync:true\nauto-delete:true\n\
         durable:false\nselector:\nbrowser:false\nactivemq.priority:5\n\n^@",
    );
    assert_eq!(client.asked.len(), 1);
}

#[test]
fn a_subscription_type_makes_a_bare_name_a_topic() {
    // Row 29
    let mut client = Client::speaking("1.2");
    client.says("SUBSCRIBE\nid:1\ndestination:news\nsubscription-type:MULTICAST\n\n^@");
    assert_eq!(client.subscribed().to.as_str(), "/topic/news");
    client.says("UNSUBSCRIBE\ndestination:news\nsubscription-type:MULTICAST\n\n^@");
    assert!(matches!(client.asked.last(), Some(Request::Unsubscribe(_))));
}

#[test]
fn a_list_is_one_subscription_whose_order_may_be_said() {
    // Row 41
    let mut client = Client::speaking("1.2");
    for (header, order) in [
        ("", Order::Priority),
        ("x-order:priority\n", Order::Priority),
        ("x-order:strict\n", Order::Strict),
        ("x-order:fair\n", Order::Fair),
    ] {
        client.says(&format!("SUBSCRIBE\nid:1\ndestination:/queue/b, a,/topic/c,/amq/queue/b\n{header}\n^@"));
        let Source::List(list) = client.subscribed().to.clone() else { panic!("a list") };
        assert_eq!((list.as_str(), list.order()), ("/queue/b,/queue/a,/topic/c", order));
        client.says("UNSUBSCRIBE\ndestination:/queue/b,a,/topic/c\n\n^@");
        assert!(matches!(client.asked.last(), Some(Request::Unsubscribe(_))));
    }
}

#[test]
fn a_list_holds_names_that_one_may_read_and_nothing_else() {
    for (headers, code) in [
        ("destination:/queue/a,/queue/b\nx-order:random", "bad-header"),
        ("destination:/queue/a\nx-order:strict", "bad-header"),
        ("destination:/queue/*\nx-order:fair", "bad-header"),
        ("destination:/queue/a,/queue/*", "not-supported"),
        ("destination:/topic/a::g,/queue/b", "not-supported"),
        ("destination:/topic/a,/topic/b\ndurable:true", "not-supported"),
        ("destination:/queue/a,/queue/Consumer.g.VirtualTopic.t", "not-supported"),
        ("destination:/queue/a,", "bad-destination"),
        ("destination:/queue/a,/topic/b\nx-limit:1", "bad-header"),
        ("destination:/queue/a,/queue/Kolejka.b", "reserved-destination"),
    ] {
        let frame = format!("SUBSCRIBE\nid:1\n{headers}\n\n^@");
        assert_eq!(Client::speaking("1.2").fails_with(&frame), code, "{headers}");
    }
    let mut client = Client::new();
    client.login = Ok(all_but(&[("/queue/secret.**", Right::Read)]));
    let mut client = client.connect("1.2");
    let frame = "SUBSCRIBE\nid:1\ndestination:/queue/a,/queue/secret.b\n\n^@";
    assert_eq!(client.fails_with(frame), "forbidden");
    assert!(client.asked.is_empty());
}
