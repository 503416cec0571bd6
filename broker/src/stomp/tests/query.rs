//! Options behind a destination, as clients of ActiveMQ Classic write them.

use super::Client;
use crate::model::{End, Manner, Request, Subscribe, SubscriptionId};

fn subscribe(destination: &str, headers: &str) -> String {
    format!("SUBSCRIBE\nid:1\nack:client\ndestination:{destination}\n{headers}\n^@")
}

fn asked(destination: &str, headers: &str) -> (Subscribe, Manner) {
    let mut client = Client::speaking("1.2");
    client.says(&subscribe(destination, headers));
    match client.asked.last() {
        Some(Request::Subscribe(wish)) => (wish.clone(), Manner::default()),
        Some(Request::Take(take)) => (take.subscribe.clone(), take.manner),
        other => panic!("{destination}: {other:?} {:?}", client.farewell),
    }
}

#[test]
fn each_option_says_what_its_header_says() {
    let written = "/queue/a?consumer.prefetchSize=10&consumer.priority=-5&consumer.exclusive=true";
    let (wish, manner) = asked(written, "");
    assert_eq!((wish.to.as_str(), wish.credit.messages), ("/queue/a", 10));
    assert_eq!(manner, Manner { priority: -5, exclusive: true, ..Manner::default() });
    let (wish, manner) = asked("/topic/a?consumer.noLocal=true&consumer.selector=n+IN%20('a'%2C%27b')", "");
    assert_eq!((wish.to.as_str(), manner.no_local, wish.filter.is_some()), ("/topic/a", true, true));
    assert!(asked("/queue/a?consumer.prefetchSize=0", "").1.pull.is_some(), "0 pulls");
    assert_eq!(asked("a,b?consumer.prefetchSize=3", "").0.credit.messages, 3, "a list has one window");
}

#[test]
fn a_header_goes_before_an_option_and_what_is_unknown_is_passed_over() {
    let (wish, _) = asked("/queue/a?consumer.prefetchSize=10", "activemq.prefetchSize:7\n");
    assert_eq!(wish.credit.messages, 7);
    let (wish, _) = asked("/queue/a?consumer.prefetchSize=10&consumer.prefetchSize=11", "");
    assert_eq!(wish.credit.messages, 10, "the first counts, as with headers");
    let (wish, manner) = asked("/queue/a?consumer.dispatchAsync=maybe&consumer.exclusive=false&x=%", "");
    assert_eq!((wish.to.as_str(), manner), ("/queue/a", Manner::default()));
}

#[test]
fn a_value_that_cannot_be_read_is_an_error() {
    for (query, expected) in [
        ("consumer.prefetchSize=many", "a decimal number"),
        ("consumer.prefetchSize=-1", "a decimal number"),
        ("consumer.prefetchSize", "a decimal number"),
        ("consumer.priority=%2B1", "a whole number"),
        ("consumer.priority=2147483648", "a whole number"),
        ("consumer.exclusive=yes", "true or false"),
        ("consumer.x=1&consumer.noLocal=", "true or false"),
        ("consumer.selector=%2", "hexadecimal"),
        ("consumer.selector=%FF", "UTF-8"),
        ("consumer.x=1,/queue/b", "behind the last destination"),
    ] {
        let heard = Client::speaking("1.2").says(&subscribe(&format!("/queue/a?{query}"), ""));
        assert!(heard.contains("\ncode:bad-header\n") && heard.contains("bad destination header"), "{query}: {heard}");
        assert!(heard.contains(expected), "{query}: {heard}");
    }
    let retroactive = subscribe("/topic/a?consumer.retroactive=true", "");
    assert_eq!(Client::speaking("1.2").fails_with(&retroactive), "not-supported");
    let selector = subscribe("/queue/a?consumer.selector=and", "");
    assert_eq!(Client::speaking("1.2").fails_with(&selector), "bad-selector");
}

#[test]
fn any_other_question_mark_is_part_of_the_name() {
    for name in ["/queue/a?", "/queue/a?b=c", "/queue/consumer.a?x&consumer.priority=x"] {
        assert_eq!(asked(name, "").0.to.as_str(), name);
    }
}

#[test]
fn a_subscription_ends_and_is_named_with_and_without_its_options() {
    for written in ["/queue/a?consumer.priority=1", "/queue/a", "/queue/a?consumer.exclusive=true"] {
        let mut client = Client::speaking("1.0");
        client.says("SUBSCRIBE\ndestination:/queue/a?consumer.priority=1\nack:client\n\n^@");
        client.session.ended(SubscriptionId(1), End::Limit, &mut client.wire);
        let marker = client.hears();
        assert!(marker.contains("\ndestination:/queue/a\n"), "what the server writes is a name: {marker}");
        client.says(&format!("ACK\nsubscription:{written}\ncredit:1\n\n^@"));
        assert!(matches!(client.asked.last(), Some(Request::Grant(_))), "{written}: {:?}", client.asked.last());
        client.says(&format!("UNSUBSCRIBE\ndestination:{written}\n\n^@"));
        assert!(matches!(client.asked.last(), Some(Request::Unsubscribe(_))), "{written}: {:?}", client.asked.last());
    }
}
