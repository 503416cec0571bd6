//! Limits on connections, without connections.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::admission::{Admission, Limits};
use super::banner::Listening;
use super::descriptors::Descriptors;
use super::lifecycle::exposed;

const LIMITS: Limits =
    Limits { total: 5, per_address: 4, strangers: 3, strangers_per_address: 2, rate: 1.0, burst: 100.0, refusals: 1 };
const NOW: Duration = Duration::from_secs(100);

fn address(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
}

#[test]
fn strangers_are_few_and_places_come_back() {
    let admission = Admission::new(LIMITS);
    let one = admission.enter(address(1), NOW).expect("the first");
    let _two = admission.enter(address(1), NOW).expect("the second");
    assert!(admission.enter(address(1), NOW).is_err(), "two strangers of one address");
    let _three = admission.enter(address(2), NOW).expect("another address");
    assert!(admission.enter(address(3), NOW).is_err(), "three strangers in all");
    drop(one);
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
