//! Kick and purge.

use super::*;
use crate::destination::State;
use crate::model::{Manage, Operation, Reply, Standing, States, Terms};

/// A queue with `ready`, `delayed` and `buried` messages, its operator, and a worker without credit left.
pub(super) fn stocked(ready: usize, delayed: usize, buried: usize) -> (World, SessionId) {
    let mut world = World::new();
    let client = world.client("c");
    world.ask(client, subscribe(1, "/queue/a", AckMode::ClientIndividual, 100));
    for number in 0..buried {
        world.ask(client, send("/queue/a", &format!("b{number}")));
        world.sync();
        let id = world.deliveries(client)[0].message;
        world.ask(client, settle(id, Outcome::Bury));
    }
    world.ask(client, Request::Unsubscribe(SubscriptionId(1)));
    for number in 0..delayed {
        let terms = Terms { due: Some(Timestamp(1000 - number as u64)), ..Terms::default() };
        let message = Message { terms: Some(Box::new(terms)), ..message(&format!("d{number}")) };
        world.ask(client, Request::Publish(Publish { to: name("/queue/a"), message, key: None, retain: None }));
    }
    for number in 0..ready {
        world.ask(client, send("/queue/a", &format!("r{number}")));
    }
    world.sync();
    (world, client)
}

impl World {
    pub(super) fn manage(&mut self, client: SessionId, operation: Operation, queue: &str) -> (Answer, String) {
        let to = name("/queue/answers");
        self.ask(client, subscribe(9, "/queue/answers", AckMode::Auto, 10));
        let reply = Some(Reply { to, head: (*b"destination:/queue/answers\n").into() });
        let manage = Manage { operation, queue: name(queue), filter: None, writer: None, reply };
        let answer = self.ask(client, Request::Manage(Box::new(manage)));
        let told = self.deliveries(client).into_iter().filter(|delivery| delivery.subscription == SubscriptionId(9));
        let told: Vec<_> = told.map(|delivery| (delivery.number, body(&delivery))).collect();
        let [(through, told)] = &told[..] else { panic!("one answer, not {told:?}") };
        let (subscription, through, told) = (SubscriptionId(9), *through, told.clone());
        self.ask(client, Request::Written { subscription, through });
        self.ask(client, Request::Unsubscribe(SubscriptionId(9)));
        (answer, told)
    }

    fn states(&self) -> Vec<State> {
        let views = self.engine.queues();
        let view = views.iter().find(|view| view.name.as_str() == "/queue/a").expect("the queue");
        view.entries.iter().map(|entry| entry.state).collect()
    }
}

#[test]
fn a_kick_wakes_what_is_buried_in_the_order_of_burial_and_then_what_is_delayed() {
    let (mut world, client) = stocked(0, 2, 2);
    let (answer, told) = world.manage(client, Operation::Kick { count: 1 }, "/queue/a");
    assert_eq!((answer, told.as_str()), (Answer::Done, r#"{"op":"kick","queue":"/queue/a","count":1}"#));
    world.ask(client, subscribe(2, "/queue/a", AckMode::ClientIndividual, 10));
    let first = world.deliveries(client).remove(0);
    assert_eq!((first.attempt, first.redelivered), (2, true), "its counts are kept");
    assert!(world.manage(client, Operation::Kick { count: 2 }, "/queue/a").1.ends_with("\"count\":2}"));
    assert_eq!(world.states().iter().filter(|state| **state == State::Delayed).count(), 1);
    assert!(world.manage(client, Operation::Kick { count: 9 }, "/queue/a").1.ends_with("\"count\":1}"));
    assert!(world.engine.deadline(world.now) > Some(Duration::from_secs(2)), "nothing waits for a time any more");
    world.sync();
    let again = world.replayed(true).queues().remove(0);
    assert!(again.standing.iter().all(|(standing, _)| *standing == Standing::Ready), "kicks are in the log");
}

#[test]
fn a_purge_removes_what_nobody_holds_in_the_states_that_are_meant() {
    let (mut world, client) = stocked(3, 2, 1);
    world.ask(client, subscribe(2, "/queue/a", AckMode::ClientIndividual, 1));
    let held = world.deliveries(client).remove(0);
    let purge = |ready, delayed, buried| Operation::Purge(States { ready, delayed, buried });
    assert!(world.manage(client, purge(false, true, true), "/queue/a").1.ends_with("\"count\":3}"));
    assert!(world.manage(client, purge(true, true, true), "/queue/a").1.ends_with("\"count\":2}"));
    assert_eq!(world.states(), [State::Reserved]);
    world.sync();
    let left: Vec<_> = world.replayed(true).queues()[0].entries.iter().map(|entry| entry.message).collect();
    assert_eq!(left, [held.message], "what was purged stays away");
}

#[test]
fn what_cannot_be_done_is_refused_softly_and_told() {
    let (mut world, client) = stocked(1, 0, 0);
    let (answer, told) = world.manage(client, Operation::Kick { count: 1 }, "/queue/nowhere");
    assert_eq!(answer, Answer::Soft(SoftRefusal::UnknownQueue));
    assert_eq!(told, r#"{"op":"kick","queue":"/queue/nowhere","error":"unknown-queue"}"#);
    assert!(world.engine.queues().iter().all(|view| view.name.as_str() != "/queue/nowhere"), "no queue is made");
    let refuse = Operation::Refuse { wanted: "purge", why: SoftRefusal::Forbidden };
    let (answer, told) = world.manage(client, refuse, "/queue/\"a\"");
    assert_eq!(answer, Answer::Soft(SoftRefusal::Forbidden));
    assert_eq!(told, r#"{"op":"purge","queue":"/queue/\"a\"","error":"forbidden"}"#);
    assert_eq!(world.states(), [State::Ready]);
}
