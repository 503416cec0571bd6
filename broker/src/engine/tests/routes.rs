//! What is sent to one place goes to others too.

use std::sync::Arc;

use super::{World, message, name, send, subscribe};
use crate::destination::{Policies, Policy, PolicyRule};
use crate::engine::Options;
use crate::model::{
    AckMode, Action, Answer, Candidate, Content, DestinationName, Filter, Message, Pattern, Payload, Publish, Record,
    Refusal, Request, SessionId,
};
use crate::router::{Route, Routes};

#[derive(Debug)]
struct Large;

impl Filter for Large {
    fn wants(&self, candidate: &Candidate<'_>) -> bool {
        candidate.head.windows(5).any(|octets| octets == b"large")
    }
}

fn route(from: &str, to: &[&str]) -> Route {
    let from = Pattern::parse(from).expect("a pattern");
    Route { from, filter: None, to: to.iter().copied().map(name).collect(), is_exclusive: false }
}

fn world(routes: Vec<Route>) -> (World, SessionId) {
    let mut world = World::with(Options { routes: Routes::new(routes), ..Options::default() });
    let client = world.client("c");
    (world, client)
}

impl World {
    fn holds(&self, queue: &str) -> usize {
        let views = self.engine.queues();
        views.iter().find(|view| view.name.as_str() == queue).map_or(0, |view| view.entries.len())
    }
}

fn with_head(to: &str, head: &str, key: Option<&str>) -> Publish {
    let content = Content::new(head.as_bytes(), "x".into());
    Publish { to: name(to), message: Message { content, ..message("") }, key: key.map(Arc::from), retain: None }
}

#[test]
fn a_tap_gives_a_copy_and_an_exclusive_route_takes_the_message_away() {
    let exclusive = Route { is_exclusive: true, ..route("/queue/old", &["/queue/new"]) };
    let (mut world, client) = world(vec![route("/queue/orders.**", &["/queue/audit", "/topic/orders"]), exclusive]);
    world.ask(client, subscribe(1, "/topic/orders", AckMode::Auto, 10));
    world.ask(client, send("/queue/orders.eu", "order"));
    world.ask(client, send("/queue/old", "moved"));
    assert_eq!(world.bodies(client), ["order"]);
    let held = ["/queue/orders.eu", "/queue/audit", "/queue/old", "/queue/new"].map(|queue| world.holds(queue));
    assert_eq!(held, [1, 1, 0, 1]);
}

#[test]
fn a_copy_says_where_it_is_and_where_it_was_sent() {
    let (mut world, client) = world(vec![route("/queue/a", &["/queue/b:c"])]);
    world.ask(client, Request::Publish(with_head("/queue/a", "destination:/queue/a\nfoo:bar\n", None)));
    world.sync();
    world.ask(client, subscribe(1, "/queue/b:c", AckMode::Auto, 10));
    let Payload::Memory(content) = &world.deliveries(client)[0].payload else { panic!("it is in the cache") };
    let head = String::from_utf8_lossy(content.head()).into_owned();
    assert_eq!(head, "destination:/queue/b\\cc\noriginal-destination:/queue/a\nfoo:bar\n");
}

#[test]
fn only_what_the_selector_wants_is_routed() {
    let large = Route { filter: Some(Arc::new(Large)), is_exclusive: true, ..route("/queue/a", &["/queue/large"]) };
    let (mut world, client) = world(vec![large]);
    for head in ["destination:/queue/a\nkind:large\n", "destination:/queue/a\nkind:small\n"] {
        world.ask(client, Request::Publish(with_head("/queue/a", head, None)));
    }
    assert_eq!((world.holds("/queue/a"), world.holds("/queue/large")), (1, 1));
}

#[test]
fn a_copy_is_not_routed_again_and_comes_once_to_each_place() {
    let there = route("/queue/a", &["/queue/b"]);
    let (mut world, client) = world(vec![there.clone(), there, route("/queue/b", &["/queue/a"])]);
    world.ask(client, send("/queue/a", "x"));
    assert_eq!((world.holds("/queue/a"), world.holds("/queue/b")), (1, 1));
    world.ask(client, send("/queue/b", "y"));
    assert_eq!((world.holds("/queue/a"), world.holds("/queue/b")), (2, 2));
}

#[test]
fn all_of_it_is_one_unit_of_the_log_and_survives() {
    let (mut world, client) = world(vec![route("/queue/a", &["/queue/b", "/queue/c"])]);
    let mut effects = crate::model::Effects::default();
    let answer = world.engine.apply(world.now, client, send("/queue/a", "x"), &mut effects);
    assert!(answer.is_ok_and(|answer| answer.is_done()));
    let accepted = effects.records.iter().filter(|record| matches!(record, Record::Accepted(_))).count();
    assert_eq!(accepted, 3);
    world.effects = effects;
    world.absorb();
    world.sync();
    world.engine = world.replayed(true);
    assert_eq!(["/queue/a", "/queue/b", "/queue/c"].map(|queue| world.holds(queue)), [1, 1, 1]);
}

#[test]
fn a_full_end_refuses_the_whole() {
    let rule = PolicyRule { max_length: Some(1), ..PolicyRule::new(Pattern::parse("/queue/full").expect("a pattern")) };
    let policies = Policies { default: Policy::default(), rules: vec![rule] };
    let routes = Routes::new(vec![route("/queue/a", &["/queue/full"])]);
    let mut world = World::with(Options { policies, routes, ..Options::default() });
    let client = world.client("c");
    world.ask(client, send("/queue/a", "one"));
    assert!(matches!(world.try_ask(client, send("/queue/a", "two")), Err(Refusal::QueueFull { .. })));
    assert_eq!((world.holds("/queue/a"), world.holds("/queue/full")), (1, 1));
}

#[test]
fn a_transaction_is_routed_as_a_whole() {
    let (mut world, client) = world(vec![route("/queue/a", &["/queue/b"])]);
    let publish = |body: &str| match send("/queue/a", body) {
        Request::Publish(publish) => Action::Publish(publish),
        _ => unreachable!("a publish"),
    };
    world.ask(client, Request::Commit(vec![publish("one"), publish("two")]));
    assert_eq!((world.holds("/queue/a"), world.holds("/queue/b")), (2, 2));
}

#[test]
fn what_is_sent_again_is_a_duplicate_at_each_end() {
    let exclusive = Route { is_exclusive: true, ..route("/queue/a", &["/queue/b"]) };
    let (mut world, client) = world(vec![exclusive]);
    let publish = || Request::Publish(with_head("/queue/a", "destination:/queue/a\n", Some("k")));
    assert!(world.ask(client, publish()).is_done());
    assert_eq!(world.ask(client, publish()), Answer::Duplicate);
    assert_eq!(world.holds("/queue/b"), 1);
}

#[test]
fn routes_may_change_while_messages_come() {
    let (mut world, client) = world(Vec::new());
    world.ask(client, send("/queue/a", "x"));
    world.engine.set_routes(Routes::new(vec![route("/**", &["/queue/all"])]));
    world.ask(client, send("/queue/a", "y"));
    world.ask(client, send("/topic/t", "z"));
    assert_eq!((world.holds("/queue/a"), world.holds("/queue/all")), (2, 2));
    assert!(DestinationName::queue("all").is_ok_and(|name| world.engine.is_routed(&name)), "but not to itself");
    world.ask(client, send("/queue/all", "w"));
    assert_eq!(world.holds("/queue/all"), 3);
}

#[test]
fn the_sender_hears_of_his_message_or_of_the_copy_in_its_place() {
    let exclusive = Route { is_exclusive: true, ..route("/queue/b", &["/topic/t", "/queue/z"]) };
    let (mut world, client) = world(vec![route("/queue/a", &["/queue/z"]), exclusive]);
    for (to, lies_in) in [("/queue/a", "/queue/a"), ("/queue/b", "/queue/z")] {
        let Answer::Submitted(submission) = world.ask(client, send(to, "x")) else { panic!("no job") };
        let views = world.engine.queues();
        let holds = |view: &&crate::engine::QueueView| view.entries.iter().any(|entry| entry.message == submission.job);
        assert_eq!(views.iter().find(holds).map(|view| view.name.as_str()), Some(lies_in));
    }
}
