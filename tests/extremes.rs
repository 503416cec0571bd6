//! Every number that a client can say, at its ends and a step beyond, in every frame that reads one: what is no sense is
//! refused, what is sense saturates, and nothing panics. Sums are checked in tests, so one that overflows is seen here.

use std::fmt::Write as _;
use std::time::Duration;

use kolejka_codec::Command;
use kolejka_tests::memory::World;
use kolejka_tests::script::Wire as _;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "9",
    "10",
    "127",
    "255",
    "256",
    "32767",
    "65534",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "31536000000",
    "999999999999999",
    "1700000000001",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551614",
    "18446744073709551615",
    "18446744073709551616",
    "-1",
    "-128",
    "-2147483648",
    "-2147483649",
    "-9223372036854775808",
];

/// Headers of numbers, where they mean something.
const SEND: &[&str] = &[
    "ttl",
    "expires",
    "priority",
    "x-delay",
    "delay",
    "x-at",
    "x-ttr",
    "x-max-deliveries",
    "x-urgency",
    "x-result-ttl",
    "x-unique-until",
    "x-max-length",
    "x-max-length-bytes",
    "x-message-ttl",
    "x-expires",
    "x-delivery-limit",
    "AMQ_SCHEDULED_DELAY",
    "AMQ_SCHEDULED_PERIOD",
    "AMQ_SCHEDULED_REPEAT",
    "JMSXGroupSeq",
];
const SUBSCRIBE: &[&str] = &[
    "prefetch-count",
    "activemq.prefetchSize",
    "credit",
    "x-ttr",
    "x-wait",
    "x-limit",
    "activemq.priority",
    "x-priority",
    "expires-after",
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-message-ttl",
    "x-delivery-limit",
];
const SETTLE: &[&str] = &["x-delay", "delay", "x-urgency", "priority", "x-ttr"];
const MANAGE: &[&str] = &["x-count", "x-for", "x-rate", "x-limit"];
const JOB: &[&str] = &["x-ttr", "x-delay", "x-result-ttl"];

#[derive(Clone, Debug)]
enum Step {
    Say { frame: &'static str, headers: String },
    Settle { command: &'static str, headers: String },
    Wait(u64),
}

fn headers(names: &'static [&'static str]) -> impl Strategy<Value = String> {
    (subsequence(names, 0..4), proptest::collection::vec(select(NUMBERS), 4)).prop_map(|(names, numbers)| {
        names.iter().zip(numbers).fold(String::new(), |mut text, (name, number)| {
            let _ = writeln!(text, "{name}:{number}");
            text
        })
    })
}

/// Headers in which a number is a part.
fn shaped() -> impl Strategy<Value = String> {
    let number = || select(NUMBERS);
    prop_oneof![
        (number(), number(), number()).prop_map(|(a, b, c)| format!("x-backoff:exp:{a}:{b}:{c}\n")),
        number().prop_map(|a| format!("x-backoff:fixed:{a}\n")),
        (number(), number()).prop_map(|(a, b)| format!("x-progress:{a}/{b}\n")),
        Just("x-on-exhaust:bury\n".to_owned()),
        Just("x-track:result\nx-unique:k\n".to_owned()),
        Just("persistent:true\n".to_owned()),
        Just(String::new()),
    ]
}

fn say(frame: &'static str, names: &'static [&'static str]) -> impl Strategy<Value = Step> {
    (headers(names), shaped()).prop_map(move |(headers, shaped)| Step::Say { frame, headers: headers + &shaped })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => say("SEND\ndestination:/queue/a\n", SEND),
        1 => say("SEND\ndestination:/topic/t\n", SEND),
        3 => say("SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client-individual\n", SUBSCRIBE),
        1 => say("SUBSCRIBE\nid:2\ndestination:/topic/t\ngroup:g\n", SUBSCRIBE),
        1 => say("SUBSCRIBE\nid:3\ndestination:/queue/a\nbrowser:true\n", SUBSCRIBE),
        1 => say("SEND\ndestination:/queue/Kolejka.Manage\nx-op:kick\nx-queue:a\n", MANAGE),
        1 => say("SEND\ndestination:/queue/Kolejka.Manage\nx-op:move\nx-queue:a\nx-to:b\n", MANAGE),
        1 => say("SEND\ndestination:/queue/Kolejka.Manage\nx-op:pause\nx-queue:a\n", MANAGE),
        1 => say("SEND\ndestination:/queue/Kolejka.Manage\nx-op:resume\nx-queue:a\n", MANAGE),
        1 => say("SEND\ndestination:/queue/Kolejka.Manage\nx-op:redrive\nx-queue:DLQ.a\n", MANAGE),
        2 => (select(&["touch", "progress", "fail", "complete"][..]), headers(JOB), shaped()).prop_map(
            |(event, headers, shaped)| Step::Settle {
                command: "SEND", headers: format!("x-event:{event}\n{headers}{shaped}") }),
        6 => headers(SETTLE).prop_map(|headers| Step::Settle { command: "NACK", headers }),
        1 => headers(SETTLE).prop_map(|headers| Step::Settle {
            command: "NACK", headers: format!("requeue:false\n{headers}") }),
        2 => headers(SETTLE).prop_map(|headers| Step::Settle { command: "ACK", headers }),
        3 => select(&[0_u64, 1, 1000, 3_600_000, 31_536_000_000, 1 << 40][..]).prop_map(Step::Wait),
    ]
}

/// One client after the other: a refusal closes the connection.
struct Talk {
    world: World,
    client: usize,
    /// What was delivered, by its ack and by the id of its job.
    taken: Vec<(String, String)>,
}

impl Talk {
    fn log_in(&mut self, client: usize) {
        (self.client, self.taken) = (client, Vec::new());
        self.send("CONNECT\naccept-version:1.2\n\n");
    }

    fn send(&mut self, text: &str) {
        let client = self.client;
        self.world.send(client, format!("{text}\0").as_bytes());
        while let Ok(heard) = self.world.receive(client) {
            let Some(frame) = heard else { return self.log_in(client + 1) };
            if frame.command == Command::Message {
                let [ack, job] = ["ack", "x-job-id"].map(|name| frame.headers.get(name).unwrap_or_default().to_owned());
                self.taken.push((ack, job));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_number_that_a_client_says_is_too_much(steps in proptest::collection::vec(step(), 1..80)) {
        let mut talk = Talk { world: World::default(), client: 0, taken: Vec::new() };
        talk.log_in(0);
        talk.send("SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client-individual\n\n");
        for step in steps {
            match step {
                Step::Say { frame, headers } => talk.send(&format!("{frame}{headers}\nx")),
                Step::Settle { command, headers } => {
                    let Some((ack, job)) = talk.taken.pop() else { continue };
                    let name = if command == "SEND" { format!("destination:/job/{job}") } else { format!("id:{ack}") };
                    talk.send(&format!("{command}\n{name}\n{headers}\n"));
                }
                Step::Wait(ms) => {
                    talk.world.wait(Duration::from_millis(ms));
                    talk.send("SEND\ndestination:/topic/nobody\n\n");
                }
            }
        }
    }
}
