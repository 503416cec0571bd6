//! Prefetch under each of its names.

use super::Client;
use crate::model::Credit;
use crate::stomp::Options;

const MIB: u64 = 1024 * 1024;

fn subscribe(headers: &str) -> String {
    format!("SUBSCRIBE\nid:1\ndestination:/queue/a\n{headers}\n^@")
}

fn granted(headers: &str) -> (u32, u64) {
    let mut client = Client::speaking("1.2");
    client.says(&subscribe(&format!("ack:client\n{headers}")));
    assert!(client.farewell.is_none(), "{headers}: {:?}", client.farewell);
    let Credit { messages, bytes } = client.subscribed().credit;
    (messages, bytes)
}

#[test]
fn without_a_wish_it_is_a_hundred_messages_or_four_mebibytes() {
    assert_eq!(granted(""), (100, 4 * MIB));
}

#[test]
fn every_vendors_name_is_understood() {
    // JOBS 5.11; alias map
    assert_eq!(granted("prefetch-count:5\n"), (5, 4 * MIB));
    assert_eq!(granted("activemq.prefetchSize:1\n"), (1, 4 * MIB));
    assert_eq!(granted("prefetch:7\n"), (7, 4 * MIB));
    assert_eq!(granted("credit:5,1000\n"), (5, 1000));
    assert_eq!(granted("credit:5\n"), (5, 4 * MIB));
    assert_eq!(granted("credit:5,1000,true\n"), (5, 1000));
    assert_eq!(granted("consumer-window-size:10240\n"), (100, 10_240));
    assert_eq!(granted("consumer-window-size:-1\n"), (100, 64 * MIB));
    assert_eq!(granted("consumer-window-size:0\n"), (1, 4 * MIB));
}

#[test]
fn rabbits_zero_is_our_default_and_any_other_zero_bounds_what_is_out_by_it() {
    // JOBS 5.11
    for header in ["prefetch-count:0\n", "prefetch:0\n", "activemq.prefetchSize:0\n", "credit:0\n"] {
        assert_eq!(granted(header), (100, 4 * MIB), "{header}");
    }
    assert_eq!(granted("credit:5,1000,false\n"), (100, 4 * MIB));
    assert_eq!(granted("credit:500,9000000,false\n"), (500, 9_000_000));
}

#[test]
fn a_wish_that_is_no_number_is_an_error() {
    for header in
        ["prefetch-count:x", "prefetch:-1", "credit:,", "credit:1,2,3", "consumer-window-size:-2", "prefetch:+1"]
    {
        let frame = subscribe(&format!("ack:client\n{header}\n"));
        assert_eq!(Client::speaking("1.2").fails_with(&frame), "bad-header", "{header}");
    }
}

#[test]
fn a_large_wish_is_cut() {
    assert_eq!(granted("activemq.prefetchSize:32767\n"), (10_000, 4 * MIB));
    assert_eq!(granted("credit:9999999999,9999999999\n"), (10_000, 64 * MIB));
}

#[test]
fn automatic_subscriptions_have_a_fixed_amount_and_topics_what_they_ask_for() {
    let mut client = Client::speaking("1.2");
    client.says(&subscribe("prefetch:1\n"));
    assert_eq!(client.subscribed().credit, Options::default().auto_credit);
    client.says("SUBSCRIBE\nid:2\ndestination:/topic/a\nack:client\nprefetch:1\n\n^@");
    assert_eq!(client.subscribed().credit.messages, 1);
    assert_eq!(Client::speaking("1.2").fails_with(&subscribe("prefetch:x\n")), "bad-header");
}
