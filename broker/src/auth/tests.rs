//! Logins, rights and their limits, with a clock of our own.

use std::sync::LazyLock;
use std::time::Duration;

use super::throttle::Throttle;
use super::*;
use crate::model::DestinationName;

/// Hashing is slow on purpose, so all tests share one.
static HASH: LazyLock<String> = LazyLock::new(|| hash_password("right").unwrap());
/// A hash that costs next to nothing, for tests that need many verifications. Password: `right`.
static CHEAP: LazyLock<String> = LazyLock::new(|| {
    use argon2::{Argon2, Params, PasswordHasher};
    let hasher = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, Params::new(8, 1, 1, None).unwrap());
    let hash: argon2::password_hash::phc::PasswordHash = hasher.hash_password(b"right").unwrap();
    hash.to_string()
});

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn login(name: &str, passcode: &str) -> Credentials {
    Credentials { login: Some(name.into()), passcode: Some(Secret::new(passcode)) }
}

fn queue(path: &str) -> DestinationName {
    DestinationName::queue(path).unwrap()
}

fn rights(user: &str, allow: &[(&str, &[Action])], deny: &[(&str, &[Action])]) -> Rights {
    let mut rights = Rights::default();
    for (on, to) in allow {
        rights.allow(user, on, to).unwrap();
    }
    for (on, to) in deny {
        rights.deny(user, on, to).unwrap();
    }
    rights
}

fn door(anonymous: Option<Rights>) -> Authenticator {
    let users = ["ann", "bob"]
        .map(|name| User::new(name, &CHEAP, rights(name, &[("/queue/{user}.**", &[Action::Read])], &[])).unwrap());
    Authenticator::new(Options { users: users.into(), anonymous }).unwrap()
}

/// Why somebody is not let in.
fn why(door: &Authenticator, now: Duration, peer: Peer, credentials: &Credentials) -> Denied {
    door.verify(now, peer, credentials).unwrap_err().why
}

/// How long the answer to a failure is held back, in milliseconds.
fn delay(door: &Authenticator, now: Duration, peer: Peer, credentials: &Credentials) -> u128 {
    door.verify(now, peer, credentials).unwrap_err().delay.as_millis()
}

fn peer(address: &str) -> Peer {
    Peer { address: address.parse().unwrap(), anonymous: false }
}

#[test]
fn a_new_hash_has_the_costs_we_promise_and_verifies() {
    assert!(HASH.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", *HASH);
    let user = User::new("ann", &HASH, Rights::default()).unwrap();
    let door = Authenticator::new(Options { users: vec![user], anonymous: None }).unwrap();
    let grants = door.verify(seconds(0), Peer::local(), &login("ann", "right")).unwrap();
    assert_eq!(grants.principal().as_str(), "ann");
    assert_eq!(why(&door, seconds(0), Peer::local(), &login("ann", "wrong")), Denied::WrongPasscode);
}

#[test]
fn a_password_is_never_stored_as_it_is() {
    assert_eq!("secret".parse::<PasswordHash>().unwrap_err(), PasswordError::Plain);
    assert_eq!("$2y$10$abcdefghijklmnopqrstuv".parse::<PasswordHash>().unwrap_err(), PasswordError::Malformed);
    assert!(matches!(
        "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E"
            .parse::<PasswordHash>(),
        Err(PasswordError::Algorithm { .. })
    ));
    let dear = HASH.replace("m=19456", "m=262145");
    assert_eq!(dear.parse::<PasswordHash>().unwrap_err(), PasswordError::TooDear);
    assert!(HASH.replace("m=19456", "m=262144").parse::<PasswordHash>().is_ok());
    assert_eq!("$argon2id$v=19$m=19456,t=2,p=1".parse::<PasswordHash>().unwrap_err(), PasswordError::Malformed);
    assert_eq!(hash_password("").unwrap_err(), PasswordError::Empty);
    assert_eq!(hash_password(&"x".repeat(1025)).unwrap_err(), PasswordError::TooLong);
}

#[test]
fn a_broker_without_users_ignores_whatever_login_it_is_sent() {
    let door = Authenticator::new(Options::default()).unwrap();
    for credentials in [Credentials::default(), login("guest", "guest"), login("", "")] {
        let grants = door.verify(seconds(0), peer("192.0.2.1"), &credentials).unwrap();
        assert_eq!(grants.principal().as_str(), "anonymous");
        assert!(Action::ALL.into_iter().all(|action| grants.may(action, &queue("any"))));
    }
}

#[test]
fn half_a_login_always_fails() {
    let door = door(Some(Rights::default()));
    let half_logins = [
        Credentials { login: Some("ann".into()), passcode: None },
        Credentials { login: None, passcode: Some(Secret::new("right")) },
        login("ann", ""),
        login("", "right"),
    ];
    for credentials in half_logins {
        assert_eq!(why(&door, seconds(0), Peer::local(), &credentials), Denied::Incomplete);
    }
}

#[test]
fn anonymous_clients_are_let_in_only_by_listeners_that_say_so() {
    for nobody in [Credentials::default(), login("", "")] {
        anonymous_clients_are_let_in_only_where_allowed(&nobody);
    }
}

fn anonymous_clients_are_let_in_only_where_allowed(nobody: &Credentials) {
    assert_eq!(why(&door(None), seconds(0), Peer::local(), nobody), Denied::Anonymous);
    let open = door(Some(rights("anonymous", &[("/topic/**", &[Action::Read])], &[])));
    let elsewhere = Peer { anonymous: false, ..Peer::local() };
    assert_eq!(why(&open, seconds(0), elsewhere, nobody), Denied::Anonymous, "whatever its address");
    let grants = open.verify(seconds(0), Peer::local(), nobody).unwrap();
    assert!(grants.may(Action::Read, &DestinationName::parse("/topic/news", "").unwrap()));
    assert!(!grants.may(Action::Read, &queue("mail")));
}

#[test]
fn every_refusal_reads_the_same_and_no_secret_is_printed() {
    let door = door(None);
    let unknown = door.verify(seconds(0), Peer::local(), &login("eve", "right")).unwrap_err();
    let wrong = door.verify(seconds(0), Peer::local(), &login("ann", "wrong")).unwrap_err();
    assert_eq!((unknown.why, wrong.why), (Denied::UnknownUser, Denied::WrongPasscode));
    assert_eq!(unknown.to_string(), wrong.to_string());
    let printed = format!("{:?} {door:?} {:?}", login("ann", "open sesame"), User::new("a", &HASH, Rights::default()));
    assert!(!printed.contains("sesame") && !printed.contains("argon2"), "{printed}");
}

#[test]
fn logins_are_cut_off_at_their_limits() {
    let door = door(None);
    let refusal = |credentials| why(&door, seconds(0), Peer::local(), &credentials);
    assert_eq!(refusal(login(&"a".repeat(256), "p")), Denied::UnknownUser);
    assert_eq!(refusal(login(&"a".repeat(257), "p")), Denied::TooLong);
    assert_eq!(refusal(login("ann", &"p".repeat(1024))), Denied::WrongPasscode);
    assert_eq!(refusal(login("ann", &"p".repeat(1025))), Denied::TooLong);
}

#[test]
fn each_failure_of_a_name_from_a_network_is_answered_later_than_the_one_before() {
    let door = door(None);
    let from = peer("192.0.2.1");
    let (mut now, mut delays) = (seconds(0), Vec::new());
    for _ in 0..10 {
        let failure = door.verify(now, from, &login("ann", "x")).unwrap_err();
        delays.push(failure.delay.as_millis());
        // Who waits for the answer before the next guess.
        now += failure.delay;
    }
    assert_eq!(delays, [0, 0, 0, 250, 500, 1000, 2000, 4000, 4000, 4000]);
    assert_eq!(delay(&door, now, from, &login("bob", "x")), 0, "another name");
    assert_eq!(delay(&door, now, peer("192.0.2.2"), &login("ann", "x")), 0, "another network");
    assert_eq!(delay(&door, now, peer("2001:db8::1"), &login("ann", "x")), 0);
    now += seconds(6 * 8);
    assert_eq!(delay(&door, now, from, &login("ann", "x")), 0, "forgiven");
}

#[test]
fn guesses_beside_each_other_wait_for_each_other_and_none_longer_than_ten_seconds() {
    let door = door(None);
    let from = peer("192.0.2.1");
    let delays: Vec<_> = (0..20).map(|_| delay(&door, seconds(0), from, &login("ann", "x"))).collect();
    assert_eq!(delays[..9], [0, 0, 0, 250, 750, 1750, 3750, 7750, 10_000]);
    assert!(delays[9..].iter().all(|delay| *delay == 10_000), "{delays:?}");
    // That they were many does not make it worse later.
    assert_eq!(delay(&door, seconds(10), from, &login("ann", "x")), 4000);
}

#[test]
fn a_right_password_is_let_in_whatever_failed_before_it_and_from_where() {
    let door = door(None);
    for guess in 0..1000 {
        let from = peer(&format!("192.0.2.{}", guess % 10));
        assert_eq!(why(&door, seconds(1), from, &login("ann", "x")), Denied::WrongPasscode);
        assert_eq!(why(&door, seconds(1), from, &login(&format!("nobody-{guess}"), "x")), Denied::UnknownUser);
    }
    for from in ["192.0.2.1", "198.51.100.1"] {
        assert!(door.verify(seconds(1), peer(from), &login("ann", "right")).is_ok(), "{from}");
        assert!(door.verify(seconds(1), peer(from), &login("bob", "right")).is_ok(), "{from}");
        assert!(matches!(door.recall(seconds(2), peer(from), &login("ann", "right")), Some(Ok(_))), "{from}");
    }
}

#[test]
fn no_guess_is_answered_from_the_memory_of_recent_logins() {
    let door = door(None);
    let from = peer("192.0.2.1");
    assert!(door.verify(seconds(0), from, &login("ann", "right")).is_ok());
    for guess in 0..20 {
        // Nothing to be learnt without a hash, and every hash of a wrong password counts.
        assert!(door.recall(seconds(1), from, &login("ann", "x")).is_none());
        assert_eq!(delay(&door, seconds(1), from, &login("ann", "x")) > 0, guess >= 3);
    }
    assert!(matches!(door.recall(seconds(1), from, &login("ann", "right")), Some(Ok(_))), "its owner is not held up");
    assert!(delay(&door, seconds(1), from, &login("ann", "x")) >= 4000, "a success of its owner forgives no guess");
}

#[test]
fn a_name_that_nobody_has_is_treated_like_one_that_somebody_has() {
    let door = door(None);
    let from = peer("192.0.2.1");
    for second in 0..30 {
        let known = door.verify(seconds(second), from, &login("ann", "x")).unwrap_err();
        let unknown = door.verify(seconds(second), from, &login("eve", "x")).unwrap_err();
        assert_eq!(known.delay, unknown.delay);
        assert_eq!(known.to_string(), unknown.to_string());
        assert!(door.recall(seconds(second), from, &login("eve", "x")).is_none(), "it takes a hash too");
    }
}

#[test]
fn a_success_is_remembered_for_five_minutes_after_its_last_use() {
    use super::recent::{Key, Recent};
    let key = Key::random().unwrap();
    let (right, wrong) = (Secret::new("right"), Secret::new("wrong"));
    let tag = key.tag(0, &right).unwrap();
    assert_ne!(tag, key.tag(1, &right).unwrap(), "equal passcodes of two users differ");
    assert_ne!(tag, Key::random().unwrap().tag(0, &right).unwrap(), "and those of two processes");
    let mut recent = Recent::new(2);
    assert!(!recent.knows(seconds(0), 0, &tag));
    recent.remember(seconds(0), 0, tag);
    assert!(!recent.knows(seconds(1), 0, &key.tag(0, &wrong).unwrap()));
    assert!(!recent.knows(seconds(1), 1, &tag));
    assert!(recent.knows(seconds(299), 0, &tag));
    assert!(recent.knows(seconds(598), 0, &tag));
    assert!(!recent.knows(seconds(898), 0, &tag));
}

#[test]
fn the_table_of_failures_is_bounded_and_forgets_the_most_innocent_first() {
    let mut throttle = Throttle::new(2);
    for _ in 0..10 {
        throttle.fail(seconds(0), &1);
    }
    for key in 2..1000 {
        throttle.fail(seconds(0), &key);
    }
    assert_eq!(throttle.len(), 2);
    assert_eq!(throttle.fail(seconds(0), &1), seconds(10), "who failed most is still known");
    throttle.fail(seconds(3600), &5000);
    assert_eq!(throttle.len(), 1, "and forgotten in the end");
}

#[test]
fn an_ipv6_host_cannot_evade_the_throttle_by_changing_its_lower_half() {
    let network = |address: &str| peer(address).network();
    assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
    assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    assert!(network("::1").is_loopback() && network("127.0.0.1").is_loopback() && !network("::2").is_loopback());
    assert_eq!(network("2001:db8:1:2::1").to_string(), "2001:db8:1:2::/64");
}

#[test]
fn who_is_in_is_judged_by_the_users_that_hold_now() {
    let everybody = Authenticator::new(Options::default()).unwrap();
    let nobody = Grants::everything().principal().clone();
    let first = everybody.successor(Options { users: door(None).users, anonymous: None }).unwrap();
    assert_eq!(first.review(Peer::local(), &nobody, 0).unwrap_err(), Revoked::Anonymous);
    let ann = first.verify(seconds(0), Peer::local(), &login("ann", "right")).unwrap();
    let judge = |door: &Authenticator, since| door.review(Peer::local(), ann.principal(), since).map(drop);

    let same = first.successor(Options { users: first.users.clone(), anonymous: None }).unwrap();
    assert_eq!((same.generation(), judge(&same, first.generation())), (2, Ok(())));
    let rights = rights("ann", &[("/queue/other", &[Action::Read])], &[]);
    let narrower = Options { users: vec![User::new("ann", &CHEAP, rights.clone()).unwrap()], anonymous: None };
    let narrower = same.successor(narrower).unwrap();
    let grants = narrower.review(Peer::local(), ann.principal(), first.generation()).unwrap();
    assert!(grants.may(Action::Read, &queue("other")) && !grants.may(Action::Read, &queue("ann.in")));
    assert!(!grants.are_those_of(&ann) && ann.are_those_of(&ann.clone()));
    let other = Options { users: vec![User::new("ann", &HASH, rights).unwrap()], anonymous: None };
    let other = narrower.successor(other).unwrap();
    assert_eq!(judge(&other, first.generation()), Err(Revoked::OtherPassword));
    assert_eq!(judge(&other, other.generation()), Ok(()), "who came with the new one stays");
    // That a configuration was skipped changes nothing.
    let back = other.successor(Options { users: narrower.users.clone(), anonymous: None }).unwrap();
    assert_eq!(judge(&back, first.generation()), Err(Revoked::OtherPassword));
    let without = first.successor(Options { users: vec![first.users[1].clone()], anonymous: None }).unwrap();
    assert_eq!(judge(&without, first.generation()), Err(Revoked::Removed));
}

#[test]
fn deny_beats_allow_and_silence_denies() {
    let both: &[Action] = &[Action::Read, Action::Write];
    let rights = rights(
        "ann",
        &[("/queue/**", both), ("/topic/news.*", &[Action::Read])],
        &[("/queue/salaries.**", &[Action::Read])],
    );
    let user = User::new("ann", &CHEAP, rights).unwrap();
    let grants = user.grants();
    assert!(grants.may(Action::Read, &queue("mail")));
    assert!(!grants.may(Action::Create, &queue("mail")));
    assert!(!grants.may(Action::Read, &queue("salaries.2026")));
    assert!(grants.may(Action::Write, &queue("salaries.2026")));
    let topic = |path| DestinationName::parse(path, "").unwrap();
    assert!(grants.may(Action::Read, &topic("/topic/news.sport")));
    assert!(!grants.may(Action::Read, &topic("/topic/news.sport.football")));
    assert!(!grants.may(Action::Write, &topic("/topic/news.sport")));
}

#[test]
fn a_users_name_enters_a_pattern_literally_or_not_at_all() {
    let mut rights = Rights::default();
    assert!(rights.allow("ann-b@c", "/queue/{user}.in", &[Action::Read]).is_ok());
    assert!(rights.allow("ann-b@c", "/queue/x-{user}-y.*", &[Action::Read]).is_ok());
    let grants = User::new("ann-b@c", &CHEAP, rights.clone()).unwrap().grants();
    assert!(grants.may(Action::Read, &queue("ann-b@c.in")) && grants.may(Action::Read, &queue("x-ann-b@c-y.z")));
    assert!(!grants.may(Action::Read, &queue("ann-c@c.in")));
    for name in ["*", "a>", "#", "**", "a/b", "u2.x", ".", "a,b", "a b", "", "a\n"] {
        for (on, to) in [("/queue/{user}.in", Action::Read), ("/queue/{user}", Action::Manage)] {
            let refusal = rights.allow(name, on, &[to]).unwrap_err();
            assert_eq!(refusal, RuleError::UnsafeName { user: name.into() });
            assert!(rights.deny(name, on, &[to]).is_err(), "{name}");
        }
        assert!(rights.allow(name, "/queue/in", &[Action::Read]).is_ok(), "without it the name says nothing");
    }
}

#[test]
fn rules_for_temporary_destinations_may_say_what_clients_say() {
    let rights = rights("ann", &[("/temp-queue/**", &[Action::Write])], &[]);
    let grants = User::new("ann", &CHEAP, rights).unwrap().grants();
    assert!(grants.may(Action::Write, &DestinationName::parse("/temp-queue/reply", "token").unwrap()));
    assert!(grants.may(Action::Write, &DestinationName::parse("/remote-temp-queue/token.reply", "").unwrap()));
}

#[test]
fn a_rule_that_could_never_match_is_refused() {
    let mut rights = Rights::default();
    assert_eq!(
        rights.allow("ann", "/queues/mail", &[Action::Read]).unwrap_err(),
        RuleError::UnknownKind { kind: "queues".into() }
    );
    assert_eq!(rights.allow("ann", "/queue/mail", &[]).unwrap_err(), RuleError::NoAction);
    assert!(matches!(rights.allow("ann", "/queue/ma*", &[Action::Read]), Err(RuleError::Pattern(_))));
    for pattern in ["**", "/**", "/*/mail", "mail.>", "/topic/#"] {
        assert!(rights.allow("ann", pattern, &[Action::Read]).is_ok(), "{pattern}");
    }
}

#[test]
fn a_user_has_a_name_that_can_be_one() {
    let refusal = |name: &str| User::new(name, &CHEAP, Rights::default()).unwrap_err();
    assert_eq!(refusal(""), UserError::Length);
    assert_eq!(refusal(&"a".repeat(257)), UserError::Length);
    assert_eq!(refusal("a\nb"), UserError::Unprintable);
    assert_eq!(refusal("ad\u{200b}min"), UserError::Unprintable);
    assert_eq!(refusal("\u{202e}nimda"), UserError::Unprintable);
    assert_eq!(refusal("anonymous"), UserError::Reserved);
}
