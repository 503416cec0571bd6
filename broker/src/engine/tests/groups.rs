//! Messages that belong together: one consumer at a time for each group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::destination::{Policy, State};
use crate::model::{Candidate, End, Filter, Group, List, Manner, Order, Source, Terms};

/// Wants messages whose head begins so.
#[derive(Debug)]
struct Begins(&'static str);

impl Filter for Begins {
    fn wants(&self, candidate: &Candidate<'_>) -> bool {
        candidate.head.starts_with(self.0.as_bytes())
    }
}

fn member(group: &str, text: &str, closes: bool) -> Request {
    let group = (!group.is_empty()).then(|| Group { name: group.into(), closes });
    let content = Content::small(text.as_bytes(), text.len());
    let message = Message { content, terms: Some(Box::new(Terms { group, ..Terms::default() })), ..message("") };
    Request::Publish(Publish { to: name("/queue/q"), message, key: None, retain: None })
}

fn join(id: u32, credit: u32, manner: Manner) -> Request {
    match subscribe(id, "/queue/q", AckMode::ClientIndividual, credit) {
        Request::Subscribe(subscribe) => manner.request(subscribe),
        other => other,
    }
}

fn exclusive() -> Manner {
    Manner { exclusive_groups: true, ..Manner::default() }
}

impl World {
    fn grouped(exclusive_groups: bool) -> World {
        let policy = Policy { exclusive_groups, max_deliveries: u16::MAX, ..Policy::default() };
        World::with(Options { policies: Policies { default: policy, rules: Vec::new() }, ..Options::default() })
    }

    /// Sends `a1 b2 …`: each the name of a group, and a number; a dash is none.
    fn post(&mut self, client: SessionId, texts: &str) {
        for text in texts.split(' ') {
            let group = text.trim_end_matches(|c: char| c.is_ascii_digit()).trim_matches('-');
            self.ask(client, member(group, text, false));
        }
        self.sync();
    }

    fn came(&mut self, client: SessionId) -> Vec<(String, MessageId)> {
        let delivered = self.deliveries(client).into_iter().map(|delivery| delivery.message);
        let texts: BTreeMap<_, _> = self
            .log
            .iter()
            .filter_map(|(record, _)| match record {
                Record::Accepted(accepted) => Some((accepted.message, accepted.content.as_ref()?.head())),
                _ => None,
            })
            .collect();
        delivered.map(|message| (String::from_utf8_lossy(texts[&message]).into_owned(), message)).collect()
    }

    fn texts_of(&mut self, client: SessionId) -> Vec<String> {
        self.came(client).into_iter().map(|(text, _)| text).collect()
    }
}

#[test]
fn all_of_a_group_goes_to_one_consumer_and_other_groups_to_others() {
    let mut world = World::grouped(false);
    let [one, two] = ["o", "t"].map(|owner| world.client(owner));
    world.ask(one, join(1, 10, Manner::default()));
    world.ask(two, join(1, 10, Manner::default()));
    world.post(one, "a1 b2 b3 b4 a5 -6 -7 a8");
    let (ones, twos) = (world.texts_of(one), world.texts_of(two));
    let of = |texts: &[String], group: char| texts.iter().filter(|text| text.starts_with(group)).count();
    assert_eq!([of(&ones, 'a'), of(&twos, 'a'), of(&ones, 'b'), of(&twos, 'b')], [3, 0, 0, 3], "{ones:?} {twos:?}");
    assert_eq!(ones.len() + twos.len(), 8, "what has no group goes to either");
}

#[test]
fn an_owner_without_credit_holds_up_its_own_groups_only() {
    let mut world = World::grouped(false);
    let [one, two] = ["o", "t"].map(|owner| world.client(owner));
    world.ask(one, join(1, 1, Manner::default()));
    world.post(one, "a1");
    let first = world.came(one).remove(0);
    world.ask(two, join(1, 100, Manner::default()));
    world.post(one, "a2 a3 b4 -5 a6 b7");
    assert_eq!(world.texts_of(two), ["b4", "-5", "b7"]);
    world.ask(one, ack(first.1));
    assert_eq!(world.texts_of(one), ["a2"]);
    let view = world.engine.queues().remove(0);
    assert_eq!((view.ready, view.entries.len()), (2, 6));
}

#[test]
fn a_group_passes_on_when_its_owner_goes_or_has_got_the_last_of_it() {
    let mut world = World::grouped(false);
    let [one, two] = ["o", "t"].map(|owner| world.client(owner));
    world.ask(one, join(1, 10, Manner::default()));
    world.post(one, "a1");
    world.ask(two, join(1, 10, Manner::default()));
    world.ask(one, member("a", "a2", true));
    world.sync();
    assert_eq!(world.texts_of(one), ["a1", "a2"]);
    world.post(one, "-3 a4 a5");
    assert_eq!(world.texts_of(one), ["-3"]);
    assert_eq!(world.texts_of(two), ["a4", "a5"], "it was closed, and opened again");
    world.close(two, Departure::Clean);
    world.sync();
    assert_eq!(world.texts_of(one), ["a4", "a5"]);
}

#[test]
fn a_lost_lease_ends_the_ownership_of_the_group() {
    // JOBS 5.24
    let mut world = World::grouped(false);
    let [slow, quick] = ["s", "q"].map(|owner| world.client(owner));
    let Request::Subscribe(mut wish) = subscribe(1, "/queue/q", AckMode::ClientIndividual, 10) else { return };
    wish.time_to_run_ms = Some(100);
    world.ask(slow, Request::Subscribe(wish));
    world.post(slow, "a1");
    world.ask(quick, join(1, 10, Manner::default()));
    world.post(slow, "a2");
    assert_eq!(world.texts_of(slow), ["a1", "a2"]);
    world.elapse(100);
    world.sync();
    world.post(slow, "a3");
    let all: Vec<_> =
        [world.texts_of(slow), world.texts_of(quick)].into_iter().filter(|texts| !texts.is_empty()).collect();
    assert_eq!(all.concat().len(), 3);
    assert_eq!(all.len(), 1, "and begins anew with whoever gets the first: {all:?}");
}

#[test]
fn a_lost_lease_takes_a_group_from_nobody_else() {
    let mut world = World::grouped(false);
    let [slow, heir, idle] = ["s", "h", "i"].map(|owner| world.client(owner));
    let Request::Subscribe(mut wish) = subscribe(1, "/queue/q", AckMode::ClientIndividual, 1) else { return };
    wish.time_to_run_ms = Some(100);
    world.ask(slow, Request::Subscribe(wish));
    world.ask(slow, member("a", "a1", true));
    world.sync();
    world.ask(heir, join(1, 1, Manner::default()));
    world.post(slow, "a2");
    assert_eq!((world.texts_of(slow).len(), world.texts_of(heir).len()), (1, 1), "it was closed, and has a new owner");
    world.ask(idle, join(1, 9, Manner::default()));
    world.elapse(100);
    world.sync();
    world.post(slow, "a3");
    assert_eq!(world.texts_of(idle), [""; 0]);
    world.close(heir, Departure::Clean);
    world.sync();
    assert_eq!(world.texts_of(idle), ["a1", "a2", "a3"]);
}

#[test]
fn what_is_on_call_for_a_consumer_has_its_place_in_the_order_of_its_list() {
    let mut world = World::grouped(false);
    let client = world.client("c");
    for (to, group, text) in [("/queue/r", "", "3"), ("/queue/q", "a", "a1"), ("/queue/q", "a", "a2")] {
        let Request::Publish(publish) = member(group, text, false) else { return };
        world.ask(client, Request::Publish(Publish { to: name(to), ..publish }));
    }
    world.sync();
    let Request::Subscribe(mut wish) = subscribe(1, "/queue/q", AckMode::ClientIndividual, 9) else { return };
    let names = ["/queue/q", "/queue/r"].map(name);
    wish.to = Source::List(Arc::new(List::new(names, Order::Strict)));
    world.ask(client, Request::Subscribe(wish));
    assert_eq!(world.texts_of(client), ["a1", "a2", "3"]);
}

#[test]
fn of_an_exclusive_group_nothing_is_out_with_two() {
    let mut world = World::grouped(true);
    let [one, two] = ["o", "t"].map(|owner| world.client(owner));
    world.ask(one, join(1, 2, Manner::default()));
    world.ask(two, join(1, 10, Manner::default()));
    world.post(one, "a1 a2 a3 b4");
    let held = world.came(one);
    assert_eq!(held.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>(), ["a1", "a2"]);
    assert_eq!(world.texts_of(two), ["b4"]);
    world.ask(one, ack(held[0].1));
    let more = world.came(one).remove(0);
    assert_eq!(more.0, "a3", "the lock is not free yet");
    world.ask(one, ack(more.1));
    world.ask(one, ack(held[1].1));
    world.post(one, "a5 a6");
    let (ones, twos) = (world.texts_of(one), world.texts_of(two));
    assert!(ones.is_empty() || twos.is_empty(), "free for whoever is next, but for one: {ones:?} {twos:?}");
}

#[test]
fn nothing_of_an_exclusive_group_overtakes_what_has_failed() {
    let mut world = World::grouped(true);
    let [one, two] = ["o", "t"].map(|owner| world.client(owner));
    world.ask(one, join(1, 1, Manner::default()));
    world.post(one, "a1 a2 b3");
    let first = world.came(one).remove(0);
    world.ask(one, settle(first.1, Outcome::Retry { reason: None, delay_ms: Some(500) }));
    world.sync();
    world.ask(two, join(1, 10, Manner::default()));
    assert_eq!(world.texts_of(one), ["b3"]);
    assert!(world.texts_of(two).is_empty(), "a2 waits behind a1");
    let replayed = world.replayed(true);
    assert_eq!(replayed.queues()[0].delayed, 1);
    world.elapse(500);
    world.sync();
    assert_eq!(world.texts_of(two), ["a1", "a2"]);
}

#[test]
fn a_failed_message_that_is_set_aside_or_removed_holds_up_nothing() {
    for outcome in [Outcome::Bury, Outcome::DeadLetter { reason: None }, Outcome::Ack] {
        let mut world = World::grouped(true);
        let one = world.client("o");
        world.ask(one, join(1, 1, Manner::default()));
        world.post(one, "a1 a2");
        let first = world.came(one).remove(0);
        world.ask(one, settle(first.1, outcome));
        assert_eq!(world.texts_of(one), ["a2"]);
    }
}

#[test]
fn a_consumer_may_ask_for_exclusive_groups() {
    let mut world = World::grouped(false);
    let [one, two] = ["o", "t"].map(|owner| world.client(owner));
    world.ask(one, join(1, 1, Manner::default()));
    world.post(one, "a1");
    let first = world.came(one).remove(0);
    world.ask(two, join(1, 1, exclusive()));
    world.ask(one, ack(first.1));
    world.ask(one, Request::Unsubscribe(SubscriptionId(1)));
    world.post(two, "a2");
    let second = world.came(two).remove(0);
    world.ask(one, join(2, 1, Manner::default()));
    world.post(two, "a3");
    assert!(world.texts_of(one).is_empty());
    world.ask(two, ack(second.1));
    assert_eq!(world.texts_of(one).len() + world.texts_of(two).len(), 1);
}

#[test]
fn an_exclusive_consumer_gets_the_groups_of_others_too() {
    let mut world = World::grouped(false);
    let [one, sole] = ["o", "s"].map(|owner| world.client(owner));
    world.ask(one, join(1, 10, Manner::default()));
    world.post(one, "a1");
    world.ask(sole, join(1, 10, Manner { exclusive: true, ..Manner::default() }));
    world.post(one, "a2");
    assert_eq!((world.texts_of(one), world.texts_of(sole)), (vec!["a1".into()], vec!["a2".into()]));
}

#[test]
fn groups_outlive_a_restart() {
    let mut world = World::grouped(true);
    let one = world.client("o");
    world.post(one, "a1 -2 a3");
    let (before, after) = (world.engine.queues(), world.replayed(true).queues());
    assert_eq!(before[0].standing, after[0].standing, "with their terms");
}

#[test]
fn a_queue_is_empty_for_whoever_may_not_have_what_is_there() {
    let mut world = World::grouped(false);
    let [one, two] = ["o", "t"].map(|owner| world.client(owner));
    world.ask(one, join(1, 1, Manner::default()));
    world.post(one, "a1 a2");
    world.ask(two, join(1, 1, Manner { until_empty: true, ..Manner::default() }));
    let is_end = |(to, event): &(SessionId, Event)| *to == two && matches!(event, Event::End { why: End::Empty, .. });
    assert!(world.told.iter().any(is_end));
}

#[test]
fn owners_of_groups_without_messages_are_remembered_within_a_bound() {
    let mut world = World::grouped(false);
    let [one, two] = ["o", "t"].map(|owner| world.client(owner));
    world.ask(one, join(1, 100, Manner::default()));
    for number in 0..10_001 {
        world.ask(one, member(&format!("g{number}"), "x", false));
        world.sync();
        let came = world.came(one);
        world.ask(one, ack(came[0].1));
    }
    world.ask(two, join(1, 100, Manner { priority: 1, ..Manner::default() }));
    world.ask(one, member("g1", "old", false));
    world.ask(one, member("g0", "oldest", false));
    world.sync();
    assert_eq!((world.texts_of(one), world.texts_of(two)), (vec!["old".into()], vec!["oldest".into()]));
}

/// A consumer as a test knows it.
struct Reads {
    session: SessionId,
    id: u32,
    begins: &'static str,
    credit: usize,
    out: Vec<MessageId>,
}

/// A group as a test knows it.
#[derive(Default)]
struct Known {
    owner: Option<u32>,
    out: usize,
    /// Ready, or failed and delayed.
    waiting: BTreeSet<MessageId>,
    failed: BTreeSet<MessageId>,
}

#[derive(Clone, Debug)]
enum Step {
    Send { group: usize, red: bool, closes: bool },
    Read { begins: usize, credit: usize },
    Settle { reader: usize, which: usize, verdict: usize },
    Leave { reader: usize },
    Wait,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..4usize, any::<bool>(), prop::bool::weighted(0.1)).prop_map(|(group, red, closes)| Step::Send { group, red, closes }),
        2 => (0..3usize, 1..4usize).prop_map(|(begins, credit)| Step::Read { begins, credit }),
        5 => (any::<usize>(), any::<usize>(), 0..4usize).prop_map(|(reader, which, verdict)| Step::Settle { reader, which, verdict }),
        1 => any::<usize>().prop_map(|reader| Step::Leave { reader }),
        1 => Just(Step::Wait),
    ];
    prop::collection::vec(step, 1..80)
}

/// What a test expects.
struct Expected {
    exclusive: bool,
    readers: Vec<Reads>,
    groups: BTreeMap<String, Known>,
    /// Text, group and whether it closes it.
    messages: BTreeMap<MessageId, (&'static str, String, bool)>,
}

impl Expected {
    /// Everything comes to rest; each delivery is one that may be.
    fn rest(&mut self, world: &mut World) {
        world.sync();
        world.drive();
        for (session, event) in std::mem::take(&mut world.told) {
            let Event::Deliver(delivery) = event else { continue };
            let reader = self.readers.iter_mut().find(|it| it.session == session && it.id == delivery.subscription.0);
            let reader = reader.expect("a reader that is there");
            let (_, group, closes) = &self.messages[&delivery.message];
            reader.out.push(delivery.message);
            let Some(known) = self.groups.get_mut(group).filter(|_| !group.is_empty()) else { continue };
            assert!(known.owner.is_none_or(|owner| owner == reader.id), "{group} has another owner");
            if self.exclusive {
                assert_eq!(known.waiting.first(), Some(&delivery.message), "{group} keeps its order");
            }
            known.waiting.remove(&delivery.message);
            known.out += 1;
            known.owner = (self.exclusive || !closes).then_some(reader.id);
        }
    }

    /// Nobody with room is passed over.
    fn check(&self, world: &World) {
        let is_steady = |id: u32| self.readers.iter().any(|it| it.id == id && it.begins.is_empty());
        for view in world.engine.queues() {
            let mut seen = BTreeSet::new();
            for entry in view.entries.iter().filter(|entry| entry.state == State::Ready) {
                let (text, group, _) = &self.messages[&entry.message];
                let has_room = |it: &&Reads| it.out.len() < it.credit && text.starts_with(it.begins);
                let mut readers = self.readers.iter().filter(has_room);
                if !group.is_empty() {
                    let known = &self.groups[group];
                    let is_blocked =
                        self.exclusive && known.failed.first().is_some_and(|failed| *failed < entry.message);
                    if !seen.insert(group) || is_blocked {
                        continue;
                    }
                    if let Some(owner) = known.owner {
                        assert!(!is_steady(owner) || !readers.any(|it| it.id == owner), "{group} waits for nobody");
                        continue;
                    }
                }
                let waits = readers.next().map(|it| it.id);
                assert_eq!(waits, None, "{text} of {group} waits for nobody");
            }
        }
    }

    /// A message is not out any more. `failed` if it waits for its time.
    fn end(&mut self, reader: u32, message: MessageId, (done, failed): (bool, bool)) {
        let is_steady = self.readers.iter().any(|it| it.id == reader && it.begins.is_empty());
        let (_, group, _) = &self.messages[&message];
        let Some(known) = self.groups.get_mut(group).filter(|_| !group.is_empty()) else { return };
        known.out -= 1;
        if !done {
            known.waiting.insert(message);
        }
        if failed {
            known.failed.insert(message);
        }
        let owner_is_steady = known.owner.is_none_or(|owner| {
            owner == reader && is_steady || { self.readers.iter().any(|it| it.id == owner && it.begins.is_empty()) }
        });
        if known.out == 0 && (self.exclusive || !owner_is_steady) {
            known.owner = None;
        }
    }
}

proptest! {
    #[test]
    fn groups_have_one_owner_and_nobody_with_room_is_passed_over(
        steps in steps(),
        exclusive in any::<bool>(),
        cache_bytes in prop_oneof![Just(0), Just(1 << 20)],
    ) {
        let mut world = World::grouped(exclusive);
        world.engine.options.cache_bytes = cache_bytes;
        let writer = world.client("w");
        let mut expected =
            Expected { exclusive, readers: Vec::new(), groups: BTreeMap::new(), messages: BTreeMap::new() };
        let mut last = 0;
        for step in steps {
            match step {
                Step::Send { group, red, closes } => {
                    let (text, group) = (if red { "red" } else { "blue" }, ["", "a", "b", "c"][group]);
                    world.ask(writer, member(group, text, closes));
                    for (record, _) in &world.log {
                        if let Record::Accepted(accepted) = record
                            && !expected.messages.contains_key(&accepted.message)
                        {
                            expected.messages.insert(accepted.message, (text, group.into(), closes));
                            expected.groups.entry(group.into()).or_default().waiting.insert(accepted.message);
                        }
                    }
                }
                Step::Read { begins, credit } => {
                    last += 1;
                    let (session, begins) = (world.client("r"), ["", "red", "blue"][begins]);
                    let Request::Subscribe(mut wish) = join(last, credit as u32, Manner::default()) else { continue };
                    wish.filter = (!begins.is_empty()).then(|| Arc::new(Begins(begins)) as Arc<dyn Filter>);
                    expected.readers.push(Reads { session, id: last, begins, credit, out: Vec::new() });
                    world.ask(session, Request::Subscribe(wish));
                }
                Step::Settle { reader, which, verdict } => {
                    if expected.readers.is_empty() { continue }
                    let at = reader % expected.readers.len();
                    let reader = &mut expected.readers[at];
                    if reader.out.is_empty() { continue }
                    let message = reader.out.remove(which % reader.out.len());
                    let (session, id) = (reader.session, reader.id);
                    let delay_ms = Some(if verdict == 1 { 50 } else { 0 });
                    let outcome = if verdict > 1 { Outcome::Ack } else { Outcome::Retry { reason: None, delay_ms } };
                    expected.end(id, message, (verdict > 1, verdict == 1));
                    world.ask(session, settle(message, outcome));
                }
                Step::Leave { reader } => {
                    if expected.readers.is_empty() { continue }
                    let at = reader % expected.readers.len();
                    let out = std::mem::take(&mut expected.readers[at].out);
                    let id = expected.readers[at].id;
                    for message in out {
                        expected.end(id, message, (false, false));
                    }
                    let gone = expected.readers.remove(at);
                    for known in expected.groups.values_mut() {
                        known.owner = known.owner.filter(|owner| *owner != gone.id);
                    }
                    world.close(gone.session, Departure::Clean);
                }
                Step::Wait => {
                    expected.groups.values_mut().for_each(|known| known.failed.clear());
                    world.now.monotonic += Duration::from_millis(50);
                    world.now.wall.0 += 50;
                    world.engine.tick(world.now, &mut world.effects);
                    world.absorb();
                }
            }
            expected.rest(&mut world);
            expected.check(&world);
        }
    }
}
