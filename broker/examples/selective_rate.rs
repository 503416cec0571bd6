//! How long a hundred selectors take over one queue of a hundred thousand messages, in memory and from the log.
//!
//! `cargo run --release --example selective_rate -- [SELECTORS] [MESSAGES]` prints figures for `docs/performance.md`.
#![expect(clippy::print_stdout, reason = "this program prints figures")]
#![expect(clippy::disallowed_methods, reason = "this program measures time")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use kolejka::engine::{Engine, Options};
use kolejka::model::{
    AckMode, Content, Credit, DestinationName, Durability, Durable, Effects, Event, Filter, Message, MessageId, Now,
    Outcome, Position, Publish, Record, Request, SessionId, Settle, ShardId, Subscribe, SubscriptionId, Ticket,
    Urgency, Which,
};
use kolejka::selector::Selector;

struct Bench {
    engine: Engine,
    client: SessionId,
    effects: Effects,
    stored: Vec<Content>,
    read: usize,
    longest: Duration,
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|text| text.parse().ok());
    let (selectors, messages) = (numbers.next().unwrap_or(100), numbers.next().unwrap_or(100_000));
    for (place, cache_bytes) in [("in memory", 1 << 30), ("in the log", 0)] {
        for prefetch in [100, 1] {
            let what = format!("{place}, all wanted, prefetch {prefetch}");
            Bench::new(messages, selectors, cache_bytes, 0).run(&what, selectors, messages, prefetch);
        }
        let nobody = messages - selectors;
        let what = format!("{place}, only the last {selectors} wanted, prefetch 1");
        Bench::new(messages, selectors, cache_bytes, nobody).run(&what, selectors, selectors, 1);
    }
}

impl Bench {
    /// A queue whose first `nobody` messages no selector wants.
    fn new(messages: usize, selectors: usize, cache_bytes: u64, nobody: usize) -> Bench {
        let options = Options {
            cache_bytes,
            unsettled_per_session: Credit { messages: u32::MAX, bytes: u64::MAX },
            ..Options::default()
        };
        let mut engine = Engine::new(options);
        let client = engine.open("bench".into());
        let (effects, stored) = (Effects::default(), Vec::new());
        let mut bench = Bench { engine, client, effects, stored, read: 0, longest: Duration::ZERO };
        let to = DestinationName::queue("many").unwrap_or_else(|error| panic!("{error}"));
        for number in 0..messages {
            let node = if number < nobody { "nobody".to_owned() } else { format!("node{}", number % selectors) };
            let head = format!("destination:/queue/many\ncontent-type:text/plain\nmc_identity:{node}\npriority:4\n");
            let content = Content::small(format!("{head}{number:0100}").as_bytes(), head.len());
            let message =
                Message { content, urgency: Urgency::NORMAL, durability: Durability::Persistent, terms: None };
            bench.ask(Request::Publish(Publish { to: to.clone(), message, key: None, retain: None }));
        }
        for record in bench.effects.records.drain(..) {
            if let Record::Accepted(accepted) = record {
                bench.stored.extend(accepted.content);
            }
        }
        let positions: Vec<_> =
            (1..=bench.stored.len() as u64).map(|place| Position::new(ShardId::default(), place)).collect();
        let durable = Durable { through: Ticket(1), positions: &positions };
        bench.engine.persisted(Now::default(), durable, &mut bench.effects);
        bench
    }

    fn ask(&mut self, request: Request) {
        if let Err(refusal) = self.engine.apply(Now::default(), self.client, request, &mut self.effects) {
            panic!("{refusal}");
        }
    }

    fn run(mut self, what: &str, selectors: usize, messages: usize, prefetch: u32) {
        let to = DestinationName::queue("many").unwrap_or_else(|error| panic!("{error}"));
        for number in 0..selectors {
            let selector = Selector::parse(&format!("mc_identity = 'node{number}'"));
            let filter: Arc<dyn Filter> = Arc::new(selector.unwrap_or_else(|error| panic!("{error}")));
            let (id, mode) = (SubscriptionId(number as u32 + 1), AckMode::ClientIndividual);
            let credit = Credit { messages: prefetch, bytes: 1 << 30 };
            self.ask(Request::Subscribe(Subscribe {
                id,
                to: to.clone().into(),
                mode,
                credit,
                time_to_run_ms: None,
                filter: Some(filter),
            }));
        }
        let (begun, mut taken, mut rounds) = (Instant::now(), 0, 0);
        while taken < messages {
            rounds += 1;
            self.step();
            let events = std::mem::take(&mut self.effects.events);
            taken += events.len();
            for (_, event) in events {
                if let Event::Deliver(delivery) = event {
                    self.settle(delivery.message);
                }
            }
            self.effects.records.clear();
        }
        let took = begun.elapsed();
        println!(
            "{what}: {messages} taken in {:.2} s, {rounds} rounds, the longest {:.2} ms, {} heads read",
            took.as_secs_f64(),
            self.longest.as_secs_f64() * 1e3,
            self.read,
        );
    }

    /// What the driver does once.
    fn step(&mut self) {
        let contents = self.engine.next_unread(Now::default(), &mut self.effects).map(|unread| {
            self.read += unread.messages.len();
            let read = |position: Position| self.stored.get(position.place() as usize - 1).cloned();
            let contents = unread.messages.iter().map(|(message, position)| (*message, read(*position))).collect();
            (unread.destination, contents)
        });
        let begun = Instant::now();
        match contents {
            Some((destination, contents)) => {
                self.engine.heads_read(Now::default(), destination, contents, &mut self.effects);
            }
            None => self.engine.dispatch(Now::default(), &mut self.effects),
        }
        self.longest = self.longest.max(begun.elapsed());
    }

    fn settle(&mut self, message: MessageId) {
        self.ask(Request::Settle(Settle { message, which: Which::default(), outcome: Outcome::Ack }));
    }
}
