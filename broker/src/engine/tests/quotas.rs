//! What one user may have, and another has then as well.

use super::schedule::once;
use super::{Departure, Options, World, message, name, subscribe};
use crate::engine::UserLimits;
use crate::model::{
    AckMode, Answer, Network, Publish, Refusal, Request, SessionId, SubscriptionId, Terms, UserId, Whose,
};

fn world() -> World {
    let user = UserLimits { destinations: 3, subscriptions: 2, schedules: 2 };
    World::with(Options { user, ..Options::default() })
}

fn user(world: &mut World, owner: &str, user: u64) -> SessionId {
    let session = world.client(owner);
    world.engine.belongs_to(session, Whose::local(UserId(user)));
    session
}

fn send(to: &str) -> Request {
    Request::Publish(Publish { to: name(to), message: message("m"), key: None, retain: None })
}

fn limit(what: &'static str, limit: usize, key: &'static str) -> Refusal {
    Refusal::UserLimit { what, limit, key }
}

#[test]
fn destinations_of_a_user() {
    let mut world = world();
    let (one, again, other) = (user(&mut world, "a", 1), user(&mut world, "b", 1), user(&mut world, "owner", 2));
    for (session, to) in [(one, "/queue/1"), (again, "/queue/2"), (one, "/topic/3")] {
        world.ask(session, send(to));
    }
    let full = Err(limit("destinations", 3, "limits.user.destinations"));
    assert_eq!(world.try_ask(again, send("/queue/4")), full);
    assert!(world.ask(again, send("/queue/1")).is_done(), "those that are there take messages");
    assert!(world.ask(other, send("/queue/4")).is_done(), "others may have as many");
    assert!(world.ask(one, send("/queue/4")).is_done(), "whose it is does not matter");
    world.sync();
    // A temporary one counts, and is given back with its connection.
    world.close(again, Departure::Clean);
    world.ask(other, subscribe(1, "/temp-queue/c", AckMode::Auto, 1));
    world.ask(other, send("/queue/5"));
    assert_eq!(world.try_ask(other, send("/queue/6")), full);
    world.close(other, Departure::Clean);
    let other = user(&mut world, "owner", 2);
    assert!(world.ask(other, send("/queue/6")).is_done());
}

#[test]
fn a_dead_letter_finds_its_queue_whatever_its_user_has() {
    let mut world = World::with(Options {
        user: UserLimits { destinations: 1, ..UserLimits::default() },
        policies: crate::destination::Policies {
            default: crate::destination::Policy { max_deliveries: 1, ..crate::destination::Policy::default() },
            rules: Vec::new(),
        },
        ..Options::default()
    });
    let client = user(&mut world, "a", 1);
    world.ask(client, send("/queue/a"));
    world.sync();
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 1));
    let delivered = world.deliveries(client);
    world.ask(client, super::nack(delivered[0].message));
    world.sync();
    let held: Vec<_> =
        world.engine.queues().into_iter().map(|view| (view.name.to_string(), view.entries.len())).collect();
    assert_eq!(held, [("/queue/DLQ.a".to_owned(), 1), ("/queue/a".to_owned(), 0)]);
}

#[test]
fn subscriptions_of_a_user() {
    let mut world = world();
    let (one, again, other) = (user(&mut world, "a", 1), user(&mut world, "b", 1), user(&mut world, "c", 2));
    world.ask(one, subscribe(1, "/queue/a", AckMode::Auto, 1));
    world.ask(again, subscribe(1, "/queue/a", AckMode::Auto, 1));
    let full = Err(limit("subscriptions", 2, "limits.user.subscriptions"));
    assert_eq!(world.try_ask(one, subscribe(2, "/queue/a", AckMode::Auto, 1)), full);
    world.ask(other, subscribe(1, "/queue/a", AckMode::Auto, 1));
    world.ask(one, Request::Unsubscribe(SubscriptionId(1)));
    world.ask(one, subscribe(3, "/queue/a", AckMode::Auto, 1));
    assert_eq!(world.try_ask(one, subscribe(4, "/queue/a", AckMode::Auto, 1)), full);
    world.close(again, Departure::Lost);
    assert!(world.ask(one, subscribe(4, "/queue/a", AckMode::Auto, 1)).is_done());
}

fn plan(to: &str, at: u64) -> Request {
    let schedule = once(at);
    let terms = Terms { due: Some(schedule.next), schedule: Some(Box::new(schedule)), ..Terms::default() };
    let message = crate::model::Message { terms: Some(Box::new(terms)), ..message("m") };
    Request::Publish(Publish { to: name(to).schedules(), message, key: None, retain: None })
}

#[test]
fn schedules_of_a_user() {
    let mut world = world();
    let (one, other) = (user(&mut world, "a", 1), user(&mut world, "b", 2));
    let soon = world.now.wall.0 + 10;
    for _ in 0..2 {
        assert!(matches!(world.ask(one, plan("/queue/a", soon)), Answer::Scheduled(_)));
    }
    let full = Err(limit("schedules", 2, "limits.user.schedules"));
    assert_eq!(world.try_ask(one, plan("/queue/a", soon)), full);
    assert!(matches!(world.ask(other, plan("/queue/a", soon)), Answer::Scheduled(_)));
    world.sync();
    // Those that have been sent are over.
    world.elapse(20);
    world.elapse(20);
    assert!(matches!(world.ask(one, plan("/queue/a", soon + 100)), Answer::Scheduled(_)));
}

#[test]
fn what_users_of_one_address_have_is_counted_together_as_well() {
    let of_address = UserLimits { destinations: 4, subscriptions: 3, schedules: 3 };
    let user = UserLimits { destinations: 3, subscriptions: 2, schedules: 2 };
    let mut world = World::with(Options { user, address: of_address, ..Options::default() });
    let mut at = |owner: &str, user: u64, own: u8| {
        let session = world.client(owner);
        let network = Network::of([10, 0, 0, own].into());
        world.engine.belongs_to(session, Whose { user: UserId(user), network });
        session
    };
    let (one, other, away, last) = (at("a", 1, 1), at("b", 2, 1), at("c", 2, 2), at("d", 4, 1));
    let soon = world.now.wall.0 + 10;
    for number in 0..2 {
        world.ask(one, send(&format!("/queue/{number}")));
        world.ask(one, subscribe(number, "/queue/0", AckMode::Auto, 1));
        world.ask(one, plan("/queue/0", soon));
    }
    // The queue of schedules is one as well.
    world.ask(other, send("/queue/3"));
    world.ask(other, subscribe(1, "/queue/0", AckMode::Auto, 1));
    world.ask(other, plan("/queue/0", soon));
    let full = |what, limit, key| Err(Refusal::AddressLimit { what, limit, key });
    assert_eq!(world.try_ask(other, send("/queue/4")), full("destinations", 4, "limits.address.destinations"));
    assert_eq!(
        world.try_ask(other, subscribe(2, "/queue/0", AckMode::Auto, 1)),
        full("subscriptions", 3, "limits.address.subscriptions")
    );
    assert_eq!(world.try_ask(other, plan("/queue/0", soon)), full("schedules", 3, "limits.address.schedules"));
    // The same user has its own part elsewhere.
    world.ask(away, send("/queue/4"));
    world.ask(away, subscribe(1, "/queue/0", AckMode::Auto, 1));
    world.ask(away, plan("/queue/0", soon));
    // What ends is given back to both, also where its maker is gone.
    world.sync();
    world.close(one, Departure::Clean);
    world.elapse(20);
    world.elapse(20);
    assert!(world.ask(last, subscribe(2, "/queue/0", AckMode::Auto, 1)).is_done());
    assert!(matches!(world.ask(last, plan("/queue/0", soon + 100)), Answer::Scheduled(_)));
    assert_eq!(world.try_ask(last, send("/queue/5")), full("destinations", 4, "limits.address.destinations"));
}
