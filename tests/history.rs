//! Random conversations of three clients, one of each version, and what must be true of every history (TESTING.md,
//! section 4): nothing lost, nothing twice, nothing invented, receipts in order, marks that do not lie.

use std::collections::{BTreeMap, VecDeque};

use kolejka::destination::{Policies, Policy};
use kolejka::engine;
use kolejka::stomp;
use kolejka_codec::{Command, Frame};
use kolejka_tests::memory::World;
use kolejka_tests::script::Wire;
use proptest::prelude::*;

const QUEUES: [&str; 2] = ["/queue/a", "/queue/b"];
const VERSIONS: [&str; 3] = ["1.0", "1.1", "1.2"];
const MODES: [&str; 3] = ["auto", "client", "client-individual"];

#[derive(Clone, Copy, Debug)]
enum Step {
    Send { client: usize, queue: usize, persistent: bool, inside: bool },
    Subscribe { client: usize, queue: usize, mode: usize, prefetch: u32 },
    Unsubscribe { client: usize, which: usize },
    Settle { client: usize, which: usize, verdict: Verdict, inside: bool },
    Begin { client: usize },
    Commit { client: usize },
    Abort { client: usize, redeliver: bool },
    Leave { client: usize, politely: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ack,
    Nack,
    Bury,
}

fn step() -> impl Strategy<Value = Step> {
    let (client, queue, which) = (0..3usize, 0..2usize, 0..6usize);
    let verdict = prop_oneof![3 => Just(Verdict::Ack), 2 => Just(Verdict::Nack), 1 => Just(Verdict::Bury)];
    let yes = any::<bool>;
    prop_oneof![
        6 => (client.clone(), queue.clone(), yes(), yes())
            .prop_map(|(client, queue, persistent, inside)| Step::Send { client, queue, persistent, inside }),
        3 => (client.clone(), queue, 0..3usize, 1..4u32)
            .prop_map(|(client, queue, mode, prefetch)| Step::Subscribe { client, queue, mode, prefetch }),
        1 => (client.clone(), which.clone()).prop_map(|(client, which)| Step::Unsubscribe { client, which }),
        6 => (client.clone(), which, verdict, yes())
            .prop_map(|(client, which, verdict, inside)| Step::Settle { client, which, verdict, inside }),
        2 => client.clone().prop_map(|client| Step::Begin { client }),
        2 => client.clone().prop_map(|client| Step::Commit { client }),
        1 => (client.clone(), yes()).prop_map(|(client, redeliver)| Step::Abort { client, redeliver }),
        1 => (client, yes()).prop_map(|(client, politely)| Step::Leave { client, politely }),
    ]
}

/// What is known of a message; its number is its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// In a transaction that is still open.
    Uncommitted,
    /// The broker has it, and nobody holds it.
    Queued,
    /// A client has it.
    Held,
    /// Acknowledged, or handed out in auto mode.
    Done,
    /// Its transaction came to nothing.
    Never,
}

#[derive(Clone, Debug)]
struct Held {
    number: usize,
    ack: String,
}

#[derive(Debug)]
struct Subscription {
    id: String,
    mode: usize,
    held: Vec<Held>,
}

/// What an ACK or NACK names: in 1.2 a delivery, by its ack; before, whatever delivery of the message the subscription holds.
#[derive(Clone, Debug)]
struct Named {
    subscription: Option<String>,
    held: Held,
}

/// What a client has put into its transaction.
#[derive(Clone, Debug, Default)]
struct Open {
    sent: Vec<usize>,
    settled: Vec<(Named, Verdict)>,
}

#[derive(Debug)]
struct Client {
    wire: usize,
    subscriptions: Vec<Subscription>,
    open: Option<Open>,
    receipts: VecDeque<String>,
}

struct History {
    world: World,
    wires: usize,
    clients: Vec<Client>,
    fates: Vec<Fate>,
    seen: Vec<bool>,
    counter: usize,
}

impl History {
    fn new() -> History {
        let default = Policy { max_deliveries: 3, ..Policy::default() };
        let engine = engine::Options {
            policies: Policies { default, rules: Vec::new() },
            // A few messages in memory, the others are read back from the log.
            cache_bytes: 300,
            transient_bytes: 300,
            ..engine::Options::default()
        };
        let world = World::new(engine, stomp::Options::default());
        let (fates, seen) = (Vec::new(), Vec::new());
        let mut history = History { world, wires: 0, clients: Vec::new(), fates, seen, counter: 0 };
        for client in 0..3 {
            let joined = history.join(client);
            history.clients.push(joined);
        }
        history
    }

    fn join(&mut self, client: usize) -> Client {
        let wire = self.wires;
        self.wires += 1;
        self.world.send(wire, format!("CONNECT\naccept-version:{}\n\n\0", VERSIONS[client]).as_bytes());
        let frame = self.world.receive(wire).expect("an answer").expect("an open connection");
        assert_eq!(frame.command, Command::Connected);
        Client { wire, subscriptions: Vec::new(), open: None, receipts: VecDeque::new() }
    }

    /// Says something and asks for a receipt.
    fn say(&mut self, client: usize, command: &str, headers: &str, body: &str) {
        self.counter += 1;
        let receipt = self.counter.to_string();
        let text = format!("{command}\n{headers}receipt:{receipt}\n\n{body}\0");
        self.clients[client].receipts.push_back(receipt);
        self.world.send(self.clients[client].wire, text.as_bytes());
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Send { client, queue, persistent, inside } => self.publish(client, queue, persistent, inside),
            Step::Subscribe { client, queue, mode, prefetch } => {
                self.counter += 1;
                let id = self.counter.to_string();
                let subscription = Subscription { id: id.clone(), mode, held: Vec::new() };
                self.clients[client].subscriptions.push(subscription);
                let (to, mode) = (QUEUES[queue], MODES[mode]);
                let headers = format!("id:{id}\ndestination:{to}\nack:{mode}\nprefetch-count:{prefetch}\n");
                self.say(client, "SUBSCRIBE", &headers, "");
            }
            Step::Unsubscribe { client, which } => {
                let subscriptions = &mut self.clients[client].subscriptions;
                if !subscriptions.is_empty() {
                    let ended = subscriptions.remove(which % subscriptions.len());
                    self.queue_again(&ended.held);
                    self.say(client, "UNSUBSCRIBE", &format!("id:{}\n", ended.id), "");
                }
            }
            Step::Settle { client, which, verdict, inside } => self.settle(client, which, verdict, inside),
            Step::Begin { client } => {
                if self.clients[client].open.is_none() {
                    self.clients[client].open = Some(Open::default());
                    self.say(client, "BEGIN", "transaction:t\n", "");
                }
            }
            Step::Commit { client } => self.commit(client),
            Step::Abort { client, redeliver } => self.abort(client, redeliver),
            Step::Leave { client, politely } => self.leave(client, politely),
        }
        self.hear();
    }

    fn publish(&mut self, client: usize, queue: usize, persistent: bool, inside: bool) {
        let number = self.fates.len();
        let mut headers = format!("destination:{}\npersistent:{persistent}\n", QUEUES[queue]);
        self.seen.push(false);
        match &mut self.clients[client].open {
            Some(open) if inside => {
                open.sent.push(number);
                headers.push_str("transaction:t\n");
                self.fates.push(Fate::Uncommitted);
            }
            _ => self.fates.push(Fate::Queued),
        }
        self.say(client, "SEND", &headers, &number.to_string());
    }

    fn settle(&mut self, client: usize, which: usize, verdict: Verdict, inside: bool) {
        let subscriptions = &self.clients[client].subscriptions;
        let all: Vec<_> =
            subscriptions.iter().flat_map(|it| it.held.iter().map(|held| (it.id.clone(), held.clone()))).collect();
        if all.is_empty() {
            return;
        }
        let (subscription, held) = all[which % all.len()].clone();
        let named = Named { subscription: (VERSIONS[client] != "1.2").then_some(subscription), held };
        let mut headers = match &named.subscription {
            None => format!("id:{}\n", named.held.ack),
            Some(subscription) => format!("message-id:{}\nsubscription:{subscription}\n", named.held.ack),
        };
        match &mut self.clients[client].open {
            Some(open) if inside => {
                open.settled.push((named, verdict));
                headers.push_str("transaction:t\n");
            }
            _ => self.settled(client, &named, verdict),
        }
        match verdict {
            Verdict::Ack => {}
            Verdict::Nack => headers.push_str("x-delay:0\n"),
            Verdict::Bury => headers.push_str("requeue:false\n"),
        }
        self.say(client, if verdict == Verdict::Ack { "ACK" } else { "NACK" }, &headers, "");
    }

    /// Carries out an ACK or NACK in what is known: in client mode it covers the earlier ones.
    fn settled(&mut self, client: usize, named: &Named, verdict: Verdict) {
        let Some((which, at)) = self.holder(client, named) else { return };
        let subscription = &mut self.clients[client].subscriptions[which];
        let first = if MODES[subscription.mode] == "client" { 0 } else { at };
        let covered: Vec<_> = subscription.held.drain(first..=at).collect();
        self.become_all(&covered, if verdict == Verdict::Ack { Fate::Done } else { Fate::Queued });
    }

    /// Which of a client's subscriptions holds what is named, and at which place.
    fn holder(&self, client: usize, named: &Named) -> Option<(usize, usize)> {
        let is_meant = |held: &Held| match named.subscription {
            None => held.ack == named.held.ack,
            Some(_) => held.number == named.held.number,
        };
        let subscriptions = self.clients[client].subscriptions.iter().enumerate();
        subscriptions
            .filter(|(_, known)| named.subscription.as_ref().is_none_or(|name| known.id == *name))
            .find_map(|(which, known)| known.held.iter().position(is_meant).map(|at| (which, at)))
    }

    fn commit(&mut self, client: usize) {
        let Some(open) = self.clients[client].open.take() else { return };
        let whole = open.settled.iter().all(|(named, _)| self.holder(client, named).is_some());
        if !whole {
            // What the client lost meanwhile refuses all of it, and ends the connection.
            self.end(&open, Fate::Never);
            self.say(client, "COMMIT", "transaction:t\n", "");
            self.refused(client);
            return;
        }
        self.end(&open, Fate::Queued);
        for (named, verdict) in &open.settled {
            self.settled(client, named, *verdict);
        }
        self.say(client, "COMMIT", "transaction:t\n", "");
    }

    fn refused(&mut self, client: usize) {
        let last = self.clients[client].receipts.pop_back().expect("it asked for a receipt");
        let wire = self.clients[client].wire;
        loop {
            let frame = self.world.receive(wire).expect("an answer").expect("an ERROR before the end");
            if frame.command == Command::Error {
                assert_eq!(frame.headers.get("code"), Some("lease-lost"), "{frame:?}");
                assert_eq!(frame.headers.get("receipt-id"), Some(&*last), "{frame:?}");
                break;
            }
            self.frame(client, &frame);
        }
        assert_eq!(self.world.receive(wire), Ok(None));
        self.gone(client);
    }

    fn abort(&mut self, client: usize, redeliver: bool) {
        let Some(open) = self.clients[client].open.take() else { return };
        self.end(&open, Fate::Never);
        let headers = if redeliver { "transaction:t\nredeliver:true\n" } else { "transaction:t\n" };
        if redeliver {
            for (named, _) in &open.settled {
                self.settled(client, named, Verdict::Nack);
            }
        }
        self.say(client, "ABORT", headers, "");
    }

    fn leave(&mut self, client: usize, politely: bool) {
        if politely {
            self.say(client, "DISCONNECT", "", "");
            self.heard(client);
        } else {
            self.heard(client);
            self.world.hang_up(self.clients[client].wire);
        }
        self.gone(client);
    }

    /// What a client had open is void, what it held is anybody's; somebody new takes its seat.
    fn gone(&mut self, client: usize) {
        assert!(self.clients[client].receipts.is_empty(), "{:?} never came", self.clients[client].receipts);
        for subscription in std::mem::take(&mut self.clients[client].subscriptions) {
            self.queue_again(&subscription.held);
        }
        if let Some(open) = self.clients[client].open.take() {
            self.end(&open, Fate::Never);
        }
        self.clients[client] = self.join(client);
    }

    fn queue_again(&mut self, held: &[Held]) {
        self.become_all(held, Fate::Queued);
    }

    fn become_all(&mut self, held: &[Held], fate: Fate) {
        for held in held {
            self.fates[held.number] = fate;
        }
    }

    /// What was sent in a transaction, at its end.
    fn end(&mut self, open: &Open, fate: Fate) {
        for number in &open.sent {
            self.fates[*number] = fate;
        }
    }

    fn hear(&mut self) {
        for client in 0..self.clients.len() {
            self.heard(client);
        }
        for client in &self.clients {
            assert!(client.receipts.is_empty(), "{:?} never came", client.receipts);
        }
    }

    /// Takes all that has come for a client.
    fn heard(&mut self, client: usize) {
        while let Ok(Some(frame)) = self.world.receive(self.clients[client].wire) {
            self.frame(client, &frame);
        }
    }

    fn frame(&mut self, client: usize, frame: &Frame) {
        let name = if VERSIONS[client] == "1.2" { "ack" } else { "message-id" };
        let client = &mut self.clients[client];
        match frame.command {
            Command::Receipt => {
                let expected = client.receipts.pop_front();
                assert_eq!(frame.headers.get("receipt-id"), expected.as_deref(), "receipts come in order, once each");
                assert_eq!(frame.headers.get("x-refused"), None, "{frame:?}");
            }
            Command::Message => {
                let number: usize = std::str::from_utf8(&frame.body).expect("text").parse().expect("a number");
                let id = frame.headers.get("subscription").expect("a subscription");
                let subscription = client.subscriptions.iter_mut().find(|known| known.id == id);
                let subscription = subscription.expect("a subscription that is there");
                assert_eq!(self.fates[number], Fate::Queued, "{number} is nobody's and of the broker: {frame:?}");
                let marked = frame.headers.get("redelivered").is_some();
                assert_eq!(marked, self.seen[number], "a mark says that it was handed out before: {frame:?}");
                self.seen[number] = true;
                if MODES[subscription.mode] == "auto" {
                    self.fates[number] = Fate::Done;
                } else {
                    self.fates[number] = Fate::Held;
                    let ack = frame.headers.get(name).expect("an id").to_owned();
                    subscription.held.push(Held { number, ack });
                }
            }
            _ => panic!("{frame:?}"),
        }
    }

    /// Everybody goes, and somebody takes all that is left.
    fn drain(mut self) {
        for client in 0..3 {
            self.leave(client, client == 1);
            self.hear();
        }
        let wire = self.wires;
        self.world.send(wire, b"CONNECT\naccept-version:1.2\n\n\0");
        let names = ["a", "b", "DLQ.a", "DLQ.b"];
        for name in names {
            self.world.send(wire, format!("SUBSCRIBE\nid:{name}\ndestination:{name}\n\n\0").as_bytes());
        }
        let mut left: BTreeMap<usize, usize> = BTreeMap::new();
        while let Ok(Some(frame)) = self.world.receive(wire) {
            if frame.command == Command::Message {
                let number = std::str::from_utf8(&frame.body).expect("text").parse().expect("a number");
                assert_eq!(frame.headers.get("redelivered").is_some(), self.seen[number], "{frame:?}");
                *left.entry(number).or_default() += 1;
            }
        }
        for (number, fate) in self.fates.iter().enumerate() {
            let expected = match fate {
                Fate::Queued => 1,
                Fate::Done | Fate::Never => 0,
                Fate::Held | Fate::Uncommitted => panic!("{number} is {fate:?}, and nobody is there"),
            };
            assert_eq!(left.get(&number).copied().unwrap_or(0), expected, "message {number} is {fate:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn histories_are_true(steps in proptest::collection::vec(step(), 1..80)) {
        let mut history = History::new();
        for step in steps {
            history.run(step);
        }
        history.drain();
    }
}
