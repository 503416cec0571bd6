//! Heart-beats: what is agreed, when we write, when a peer is given up.

use std::time::Duration;

use super::{Client, facts};
use crate::stomp::{Options, PeerFacts};

fn connect(client: &mut Client, version: &str, wish: &str) -> String {
    client.says(&format!("CONNECT\naccept-version:{version}\nhost:h\nheart-beat:{wish}\n\n^@"))
}

fn agreed(wish: &str) -> (Client, String) {
    let mut client = Client::new();
    let heard = connect(&mut client, "1.2", wish);
    let line = heard.lines().find_map(|line| line.strip_prefix("heart-beat:")).unwrap_or_default().to_owned();
    (client, line)
}

#[test]
fn wishes_are_mirrored_within_a_second_and_five_minutes() {
    // 49, 54, A10
    for (wish, answer) in [
        ("0,0", "0,0"),
        ("10000,10000", "10000,10000"),
        ("60000,0", "0,60000"),
        ("0,60000", "60000,0"),
        ("1,1", "1000,1000"),
        ("999,1000", "1000,1000"),
        ("300000,300001", "300000,300000"),
        ("4294967296,1", "1000,300000"),
    ] {
        assert_eq!(agreed(wish).1, answer, "{wish}");
    }
}

#[test]
fn blanks_are_tolerated_and_nonsense_is_not() {
    // 48, A10
    assert_eq!(agreed("5000, 6000").1, "6000,5000");
    for wish in ["a,b", "-1,-1", "1", "1,2,3", "+1,2", "", ",", "1.5,1", "12345678901,1", "0x10,1"] {
        let mut client = Client::new();
        let heard = connect(&mut client, "1.1", wish);
        assert!(heard.contains("\ncode:bad-header\n") && client.farewell.is_some(), "{wish}: {heard}");
    }
}

#[test]
fn a_1_0_client_has_no_heart_beats_whatever_it_says() {
    // 53, 56
    let mut client = Client::new();
    let heard = client.says("CONNECT\nheart-beat:nonsense\n\n^@");
    assert!(heard.starts_with("CONNECTED\n") && !heard.contains("heart-beat"), "{heard}");
    assert_eq!(client.session.deadline(), None);
}

#[test]
fn we_write_at_half_the_interval_and_only_when_there_is_nothing_else() {
    // 50, 51
    let (mut client, _) = agreed("0,10000");
    client.waits(4_999);
    assert_eq!(client.beats, 0);
    client.waits(1);
    assert_eq!(client.beats, 1);
    client.waits(4_000);
    client.session.wrote(client.now);
    client.waits(4_999);
    assert_eq!(client.beats, 1);
    assert_eq!(client.session.deadline(), Some(client.now.monotonic + Duration::from_millis(1)));
    client.waits(1);
    assert_eq!(client.beats, 2);
}

#[test]
fn nothing_is_written_that_was_not_agreed() {
    // 53
    let (mut client, _) = agreed("10000,0");
    client.waits(19_999);
    assert_eq!(client.beats, 0);
}

#[test]
fn a_peer_is_given_up_after_twice_its_interval_of_silence() {
    // 52
    let (mut client, _) = agreed("10000,0");
    client.waits(19_999);
    client.says("\n");
    client.waits(19_999);
    assert!(client.farewell.is_none());
    let heard = client.waits(1);
    assert!(heard.contains("\ncode:no-heart-beat\n"), "{heard}");
    assert!(!client.farewell.unwrap().linger);
}

#[test]
fn the_margin_is_never_below_a_second() {
    // 52
    let (mut client, _) = agreed("1,0");
    client.waits(1_999);
    assert!(client.farewell.is_none());
    client.waits(1);
    assert!(client.farewell.is_some());
}

#[test]
fn any_octet_is_a_sign_of_life_even_half_a_frame() {
    // 50, 55
    let (mut client, _) = agreed("10000,0");
    for octet in ["S", "E", "N", "D"] {
        client.waits(19_000);
        client.says(octet);
    }
    assert!(client.farewell.is_none());
}

#[test]
fn a_page_in_the_background_is_given_two_minutes() {
    // Pain 8: its timers run once a minute
    let mut client = Client::with(Options::default(), PeerFacts { websocket: true, ..facts() });
    connect(&mut client, "1.2", "10000,10000");
    client.waits(119_999);
    assert!(client.farewell.is_none());
    client.waits(1);
    assert!(client.farewell.is_some());
}

#[test]
fn an_idle_limit_is_there_only_if_the_operator_sets_one() {
    // 56
    let options = Options { idle_limit: Some(Duration::from_secs(3600)), ..Options::default() };
    let mut client = Client::with(options, facts()).connect("1.2");
    client.waits(3_599_999);
    assert!(client.farewell.is_none());
    assert!(client.waits(1).contains("\ncode:idle\n"));
}
