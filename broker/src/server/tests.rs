//! Limits on connections, without connections.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::admission::{Admission, Limits, Place};
use super::banner::Listening;
use super::descriptors::Descriptors;
use super::lifecycle::exposed;
use super::repeats::{Lines, Origin};
use crate::model::Network;

const LIMITS: Limits =
    Limits { total: 5, per_address: 4, strangers: 3, strangers_per_address: 2, rate: 1.0, burst: 100.0, refusals: 1 };
const NOW: Duration = Duration::from_secs(100);

fn address(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
}

#[test]
fn strangers_are_few_and_places_come_back() {
    let admission = Admission::new(LIMITS);
    let mut one = admission.enter(address(1), NOW).expect("the first");
    let mut two = admission.enter(address(1), NOW).expect("the second");
    let mut three = admission.enter(address(2), NOW).expect("another address");
    [&mut one, &mut two, &mut three].into_iter().for_each(Place::speaks);
    assert!(admission.enter(address(1), NOW).is_err(), "two strangers of one address");
    assert!(admission.enter(address(2), NOW).is_err(), "three strangers in all");
    drop(one);
    assert!(admission.enter(address(1), NOW).is_ok());
}

/// Room for many strangers, half of them from one address.
const CROWD: Limits = Limits {
    total: 3000,
    per_address: 3000,
    strangers: 1000,
    strangers_per_address: 500,
    rate: 1.0,
    burst: 5000.0,
    refusals: 50,
};

fn gone(places: &[Place]) -> usize {
    places.iter().filter(|place| place.sent_off().is_cancelled()).count()
}

#[test]
fn silent_strangers_keep_nobody_out() {
    for (host, newcomer) in
        [("10.0.0.1", "10.0.0.2"), ("10.0.0.1", "10.0.0.1"), ("127.0.0.1", "127.0.0.1"), ("2001:db8::1", "::1")]
    {
        let admission = Admission::new(CROWD);
        let (host, newcomer): (IpAddr, IpAddr) = (host.parse().expect("one"), newcomer.parse().expect("another"));
        let mut silent: Vec<_> = (0..450).map(|_| admission.enter(host, NOW).expect("a place")).collect();
        for _ in 0..1000 {
            let place = admission.enter(newcomer, NOW).expect("a place for it");
            assert!(!place.sent_off().is_cancelled());
            silent.push(place);
            // Those who are told to go are gone.
            silent.retain(|place| !place.sent_off().is_cancelled());
            assert!(silent.len() <= 750, "{}", silent.len());
        }
    }
}

#[test]
fn the_oldest_silent_one_of_the_network_with_the_most_gives_way() {
    let admission = Admission::new(CROWD);
    let few: Vec<_> = (2..252).map(|last| admission.enter(address(last), NOW).expect("a place")).collect();
    // A host of a /64 is no other network.
    let host = |number: u32| IpAddr::from(Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(number)));
    let many: Vec<_> = (0..500).map(|number| admission.enter(host(number), NOW).expect("a place")).collect();
    assert_eq!((gone(&few), gone(&many)), (0, 0), "all places are taken");
    let mut newcomers = Vec::new();
    for turn in 1..20 {
        let newcomer = IpAddr::from([10, 1, 0, turn]);
        newcomers.push(admission.enter(newcomer, NOW).expect("a place for it"));
        assert_eq!((gone(&few), gone(&many)), (0, usize::from(turn)), "they came first, and are few");
        assert_eq!(gone(&many[..usize::from(turn)]), usize::from(turn), "in order of age");
    }
}

#[test]
fn who_is_logging_in_gives_way_only_to_networks_with_fewer() {
    let admission =
        Admission::new(Limits { total: 100, per_address: 100, strangers: 8, strangers_per_address: 8, ..LIMITS });
    let mut guesses: Vec<_> = (0..6).map(|_| admission.enter(address(1), NOW).expect("a place")).collect();
    guesses.iter_mut().for_each(Place::speaks);
    assert!(admission.enter(address(1), NOW).is_err(), "or its guesses would not have to wait");
    assert_eq!(gone(&guesses), 0);
    guesses[5].is_refused();
    drop(admission.enter(address(1), NOW).expect("the place of one that has its answer"));
    assert!(guesses.pop().is_some_and(|refused| refused.sent_off().is_cancelled()));
    guesses.push(admission.enter(address(1), NOW).expect("a place"));
    guesses[5].speaks();
    let mut other = admission.enter(address(2), NOW).expect("another network has a place");
    other.speaks();
    assert_eq!((gone(&guesses), guesses[0].sent_off().is_cancelled()), (1, true), "of the oldest");
}

#[test]
fn places_are_kept_for_networks_that_logged_in_lately() {
    let admission =
        Admission::new(Limits { total: 100, per_address: 100, strangers: 8, strangers_per_address: 8, ..LIMITS });
    admission.enter(address(1), NOW).expect("a place").logged_in(NOW);
    let mut others: Vec<_> = (2..8).map(|last| admission.enter(address(last), NOW).expect("a place")).collect();
    others.iter_mut().for_each(Place::speaks);
    assert!(admission.enter(address(9), NOW).is_err(), "six of eight are taken");
    let later = NOW + Duration::from_secs(599);
    let known: Vec<_> = (0..2).map(|_| admission.enter(address(1), later)).collect();
    assert!(known.iter().all(Result::is_ok) && gone(&others) == 0);
    drop(known);
    assert!(admission.enter(address(1), NOW + Duration::from_secs(600)).is_err(), "lately is ten minutes");
}

#[test]
fn those_who_are_sent_off_hold_few_descriptors() {
    let admission = Admission::new(Limits { refusals: 3, ..CROWD });
    let places: Vec<_> = (0..2000).filter_map(|_| admission.enter(address(1), NOW).ok()).collect();
    assert_eq!((places.len(), gone(&places)), (503, 3), "as many as may be told why they may not stay");
    drop(places);
    assert!(admission.enter(address(1), NOW).is_ok());
}

#[test]
fn those_who_logged_in_count_against_the_larger_limits() {
    let admission = Admission::new(LIMITS);
    let mut places = Vec::new();
    for _ in 0..4 {
        let mut place = admission.enter(address(1), NOW).expect("below the limit");
        place.logged_in(NOW);
        place.logged_in(NOW);
        places.push(place);
    }
    assert!(admission.enter(address(1), NOW).is_err(), "four of one address");
    places.push(admission.enter(address(2), NOW).expect("the fifth in all"));
    assert!(admission.enter(address(3), NOW).is_err(), "five in all");
    places.clear();
    assert!(admission.enter(address(3), NOW).is_ok());
}

#[test]
fn loopback_may_bring_many_strangers() {
    let admission = Admission::new(LIMITS);
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let places: Vec<_> = (0..3).map(|_| admission.enter(loopback, NOW)).collect();
    assert!(places.iter().all(Result::is_ok));
}

#[test]
fn an_address_that_connects_too_often_waits_unless_it_logs_in() {
    let admission = Admission::new(Limits { burst: 2.0, ..LIMITS });
    for _ in 0..2 {
        assert!(admission.enter(address(1), NOW).is_ok());
    }
    assert!(admission.enter(address(1), NOW).is_err(), "the burst is used up");
    let later = NOW + Duration::from_secs(1);
    admission.enter(address(1), later).expect("one a second").logged_in(later);
    assert!(admission.enter(address(1), later).is_ok(), "it has logged in");
    assert!(admission.enter(address(1), later + Duration::from_secs(1)).is_ok());
}

#[test]
fn connections_never_take_the_last_descriptors() {
    for all in [0, 10, 64, 256, 1024, 65_536, u64::MAX] {
        let shared = Descriptors::share(all, 10_000);
        assert!((1..=10_000).contains(&shared.connections) && (2..=64).contains(&shared.journal), "{all}: {shared:?}");
        let taken = u64::from(shared.connections) + (shared.journal + shared.refusals) as u64;
        assert!(all < 64 || all - taken >= 32, "{all}: {shared:?}");
    }
    assert_eq!(Descriptors::share(64, 10_000).connections, 20);
    assert_eq!(Descriptors::share(1 << 20, 10_000).connections, 10_000);
}

#[test]
fn a_listener_that_others_can_reach_keeps_its_users() {
    let on = |address: &str| Listening {
        address: address.parse().expect("an address"),
        stomp: true,
        websocket: true,
        tls: false,
    };
    assert_eq!(exposed(&[on("127.0.0.1:1"), on("[::1]:1"), on("[::ffff:127.0.0.1]:1")]), None);
    let open = on("0.0.0.0:61613");
    assert_eq!(exposed(&[on("127.0.0.1:1"), open.clone()]), Some(open.address));
}

#[test]
fn lines_of_one_kind_and_network_are_counted_and_not_repeated() {
    let mut lines = Lines::default();
    let [one, two] = [1, 2].map(|last| Network::of(address(last)));
    assert!(lines.is_first("refused", one) && lines.is_first("refused", two) && lines.is_first("late", one));
    for _ in 0..1_000_000 {
        assert!(!lines.is_first("refused", one));
    }
    assert!(!lines.is_first("late", one));
    let expected = vec![("late", Origin::From(one), 1), ("refused", Origin::From(one), 1_000_000)];
    assert_eq!(lines.take(), expected);
    assert!(!lines.is_first("refused", one), "the flood goes on");
    assert!(lines.is_first("refused", two), "this one had ended");
    assert_eq!(lines.take(), [("refused", Origin::From(one), 1)]);
    assert_eq!((lines.take(), lines.len()), (vec![], 0));
}

#[test]
fn lines_are_bounded_however_many_networks_cause_them() {
    let mut lines = Lines::default();
    let network = |host: u32| Network::of(IpAddr::from(host.to_be_bytes()));
    let written = (0..100_000).filter(|host| lines.is_first("refused", network(*host))).count();
    assert_eq!((written, lines.len()), (257, 257));
    assert_eq!(lines.take(), [("refused", Origin::Others, 100_000 - 257)]);
}
