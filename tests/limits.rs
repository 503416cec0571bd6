//! Limits, each at one below, at the limit, and at one above (SECURITY.md, section 6): those that session, codec and
//! engine hold by themselves, with small numbers and no sockets.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use kolejka::destination::{Policies, Policy};
use kolejka::engine;
use kolejka::model::Credit;
use kolejka::stomp;
use kolejka_codec::{Command, Frame, Limits};
use kolejka_tests::memory::World;
use kolejka_tests::script::Wire;

/// A world, spoken to in few words. Frames end with `^`, which stands for NUL here.
struct Talk(World);

impl Talk {
    fn new(engine: engine::Options, session: stomp::Options) -> Talk {
        Talk(World::new(engine, session))
    }

    fn with_session(change: impl FnOnce(&mut stomp::Options)) -> Talk {
        let mut options = stomp::Options::default();
        change(&mut options);
        Talk::new(engine::Options::default(), options)
    }

    fn with_engine(change: impl FnOnce(&mut engine::Options)) -> Talk {
        let mut options = engine::Options::default();
        change(&mut options);
        Talk::new(options, stomp::Options::default())
    }

    fn with_policy(policy: Policy) -> Talk {
        Talk::with_engine(|engine| engine.policies = Policies { default: policy, rules: Vec::new() })
    }

    fn with_frames(limits: Limits) -> Talk {
        Talk(World::default().with_limits(limits))
    }

    fn say(&mut self, client: usize, text: &str) {
        self.0.send(client, text.replace('^', "\0").as_bytes());
    }

    fn log_in(&mut self, client: usize) {
        self.say(client, "CONNECT\naccept-version:1.2\n\n^");
        assert_eq!(self.hear(client).command, Command::Connected);
    }

    fn hear(&mut self, client: usize) -> Frame {
        self.0.receive(client).expect("an answer").expect("an open connection")
    }

    /// A message comes; returns its `ack`, or its `message-id` if it needs none.
    fn message(&mut self, client: usize) -> String {
        let frame = self.hear(client);
        assert_eq!(frame.command, Command::Message, "{frame:?}");
        frame.headers.get("ack").or(frame.headers.get("message-id")).expect("an id").to_owned()
    }

    /// Nothing came, and the connection is open.
    fn silent(&mut self, client: usize) {
        let heard = self.0.receive(client);
        assert!(heard.is_err(), "{heard:?}");
    }

    /// All is well so far: a receipt is answered next.
    fn fine(&mut self, client: usize) {
        self.say(client, "SEND\ndestination:/topic/fence\nreceipt:fence\n\n^");
        let frame = self.hear(client);
        assert_eq!((frame.command, frame.headers.get("receipt-id")), (Command::Receipt, Some("fence")), "{frame:?}");
    }

    /// An ERROR with this code came, and the connection is closed.
    fn refused(&mut self, client: usize, code: &str) {
        let frame = self.hear(client);
        assert_eq!((frame.command, frame.headers.get("code")), (Command::Error, Some(code)), "{frame:?}");
        assert_eq!(self.0.receive(client), Ok(None));
    }

    fn publish(&mut self, client: usize, to: &str, body: &str) {
        self.say(client, &format!("SEND\ndestination:{to}\ntimestamp:1\n\n{body}^"));
    }

    fn subscribe(&mut self, client: usize, id: &str, to: &str, more: &str) {
        self.say(client, &format!("SUBSCRIBE\nid:{id}\ndestination:{to}\n{more}\n^"));
    }
}

/// Octets of a message as the broker counts them: its stored head and its body.
fn stored_bytes(to: &str, body: usize) -> usize {
    format!("destination:{to}\ntimestamp:1\n").len() + body
}

#[test]
fn subscriptions_of_a_connection() {
    let mut talk = Talk::with_session(|options| options.subscriptions_per_connection = 3);
    talk.log_in(0);
    for id in ["1", "2", "3"] {
        talk.subscribe(0, id, "/queue/a", "");
        talk.fine(0);
    }
    talk.say(0, "UNSUBSCRIBE\nid:2\n\n^");
    talk.subscribe(0, "4", "/queue/a", "");
    talk.fine(0);
    talk.log_in(1);
    talk.subscribe(1, "1", "/queue/a", "");
    talk.fine(1);
    talk.subscribe(0, "5", "/queue/a", "");
    talk.refused(0, "too-many-subscriptions");
    talk.fine(1);
}

#[test]
fn reply_queues_count_as_subscriptions() {
    let mut talk = Talk::with_session(|options| options.subscriptions_per_connection = 2);
    talk.log_in(0);
    for name in ["a", "b", "a"] {
        talk.say(0, &format!("SEND\ndestination:/queue/a\nreply-to:/temp-queue/{name}\n\n^"));
        talk.fine(0);
    }
    talk.say(0, "SEND\ndestination:/queue/a\nreply-to:/temp-queue/c\n\n^");
    talk.refused(0, "too-many-subscriptions");
}

#[test]
fn open_transactions_of_a_connection() {
    let mut talk = Talk::with_session(|options| options.transactions = 2);
    talk.log_in(0);
    for (id, end) in [("a", "COMMIT"), ("b", "ABORT"), ("c", "")] {
        talk.say(0, &format!("BEGIN\ntransaction:{id}\n\n^"));
        talk.fine(0);
        if !end.is_empty() {
            talk.say(0, &format!("{end}\ntransaction:{id}\n\n^"));
        }
    }
    talk.say(0, "BEGIN\ntransaction:d\n\n^");
    talk.fine(0);
    talk.say(0, "BEGIN\ntransaction:e\n\n^");
    talk.refused(0, "too-many-transactions");
}

#[test]
fn frames_of_a_transaction() {
    let mut talk = Talk::with_session(|options| options.transaction_frames = 3);
    talk.log_in(0);
    talk.say(0, "BEGIN\ntransaction:other\n\n^BEGIN\ntransaction:t\n\n^");
    let frame = "SEND\ndestination:/queue/a\ntransaction:t\n\n^";
    for _ in 0..3 {
        talk.say(0, frame);
        talk.fine(0);
    }
    talk.say(0, "SEND\ndestination:/queue/a\ntransaction:other\n\n^");
    talk.fine(0);
    talk.say(0, frame);
    talk.refused(0, "transaction-too-large");
    assert!(talk.0.engine().queues().is_empty(), "a transaction that was not committed has no effect");
}

#[test]
fn octets_of_all_transactions_of_a_connection() {
    let frame_bytes = 128 + stored_bytes("/queue/a", 0);
    for (body, refused) in [(99, false), (100, false), (101, true)] {
        let mut talk = Talk::with_session(|options| options.transaction_bytes = 2 * frame_bytes + 100);
        talk.log_in(0);
        talk.say(0, "BEGIN\ntransaction:a\n\n^BEGIN\ntransaction:b\n\n^");
        talk.say(0, "SEND\ndestination:/queue/a\ntimestamp:1\ntransaction:a\n\n^");
        let body = "x".repeat(body);
        talk.say(0, &format!("SEND\ndestination:/queue/a\ntimestamp:1\ntransaction:b\n\n{body}^"));
        if refused {
            talk.refused(0, "transaction-too-large");
            continue;
        }
        // What ends gives its octets back.
        talk.say(0, "COMMIT\ntransaction:b\n\n^BEGIN\ntransaction:b\n\n^");
        talk.say(0, &format!("SEND\ndestination:/queue/a\ntimestamp:1\ntransaction:b\n\n{body}^"));
        talk.fine(0);
    }
}

#[test]
fn a_transaction_lies_idle_only_so_long() {
    let mut talk = Talk::with_session(|options| options.transaction_idle = Duration::from_secs(60));
    talk.log_in(0);
    talk.say(0, "BEGIN\ntransaction:a\n\n^");
    talk.0.wait(Duration::from_millis(59_999));
    talk.fine(0);
    talk.say(0, "SEND\ndestination:/queue/a\ntransaction:a\n\n^");
    talk.0.wait(Duration::from_millis(59_999));
    talk.fine(0);
    talk.0.wait(Duration::from_millis(1));
    talk.refused(0, "transaction-idle");
    talk.log_in(1);
    talk.say(1, "BEGIN\ntransaction:a\n\n^ABORT\ntransaction:a\n\n^");
    talk.0.wait(Duration::from_secs(3600));
    talk.fine(1);
}

#[test]
fn prefetch_by_messages() {
    let mut talk = Talk::with_session(|options| {
        options.credit.messages = 2;
        options.credit_limit.messages = 3;
    });
    talk.log_in(0);
    for _ in 0..20 {
        talk.publish(0, "/queue/a", "x");
    }
    for (client, asked, granted) in [(1, "", 2), (2, "prefetch-count:1\n", 1), (3, "prefetch-count:3\n", 3)] {
        talk.log_in(client);
        talk.subscribe(client, "1", "/queue/a", &format!("ack:client-individual\n{asked}"));
        let acks: Vec<_> = (0..granted).map(|_| talk.message(client)).collect();
        talk.silent(client);
        talk.say(client, &format!("ACK\nid:{}\n\n^", acks[0]));
        talk.message(client);
        talk.silent(client);
    }
    talk.log_in(4);
    talk.subscribe(4, "1", "/queue/a", "ack:client\nprefetch-count:4\n");
    for _ in 0..3 {
        talk.message(4);
    }
    talk.silent(4);
}

#[test]
fn prefetch_by_octets() {
    // The one that reaches the limit is the last: a message that is larger than all of it can still leave.
    for (first, goes) in [(99, true), (100, false), (101, false)] {
        let mut talk = Talk::with_session(|options| options.credit.bytes = 100);
        talk.log_in(0);
        talk.publish(0, "/queue/a", &"x".repeat(first - stored_bytes("/queue/a", 0)));
        talk.publish(0, "/queue/a", "second");
        talk.log_in(1);
        talk.subscribe(1, "1", "/queue/a", "ack:client\n");
        let ack = talk.message(1);
        if goes {
            talk.message(1);
        } else {
            talk.silent(1);
            talk.say(1, &format!("ACK\nid:{ack}\n\n^"));
            talk.message(1);
        }
    }
}

#[test]
fn prefetch_by_octets_has_a_limit_of_its_own() {
    for (asked, second) in [("99", false), ("100", true), ("101", true), ("-1", true)] {
        let mut talk = Talk::with_session(|options| options.credit_limit.bytes = 100);
        talk.log_in(0);
        talk.publish(0, "/queue/a", &"x".repeat(99 - stored_bytes("/queue/a", 0)));
        talk.publish(0, "/queue/a", &"x".repeat(99));
        talk.publish(0, "/queue/a", "third");
        talk.log_in(1);
        talk.subscribe(1, "1", "/queue/a", &format!("ack:client\nconsumer-window-size:{asked}\n"));
        talk.message(1);
        if second {
            talk.message(1);
        }
        talk.silent(1);
    }
}

#[test]
fn unacknowledged_messages_of_a_connection() {
    let mut talk = Talk::with_engine(|options| options.unsettled_per_session.messages = 5);
    talk.log_in(0);
    for _ in 0..20 {
        talk.publish(0, "/queue/a", "x");
    }
    talk.log_in(1);
    // Three are given out, then what is left of five, then one each: a subscription without any would never move.
    for (id, granted) in [("1", 3), ("2", 2), ("3", 1)] {
        talk.subscribe(1, id, "/queue/a", "ack:client-individual\nprefetch-count:3\n");
        for _ in 0..granted {
            talk.message(1);
        }
        talk.silent(1);
    }
    talk.log_in(2);
    // What needs no ACK does not count.
    talk.subscribe(2, "0", "/queue/nothing", "");
    talk.subscribe(2, "1", "/queue/a", "ack:client\nprefetch-count:3\n");
    for _ in 0..3 {
        talk.message(2);
    }
    talk.silent(2);
}

#[test]
fn destinations_of_the_broker() {
    let mut talk = Talk::with_engine(|options| options.destinations = 3);
    talk.log_in(0);
    talk.log_in(1);
    talk.publish(0, "/queue/a", "");
    talk.publish(0, "/queue/b", "");
    talk.subscribe(1, "1", "/queue/c", "");
    talk.publish(0, "/queue/c", "");
    talk.message(1);
    talk.say(0, "SEND\ndestination:/queue/d\nreceipt:1\n\n^");
    talk.refused(0, "too-many-destinations");
    talk.subscribe(1, "2", "/topic/d", "");
    talk.refused(1, "too-many-destinations");
    // One that is empty and left alone makes room.
    talk.0.wait(Duration::from_secs(61));
    talk.log_in(2);
    talk.publish(2, "/queue/d", "");
    talk.say(2, "DISCONNECT\nreceipt:1\n\n^");
    assert_eq!(talk.hear(2).command, Command::Receipt);
}

#[test]
fn messages_of_a_queue() {
    let mut talk = Talk::with_policy(Policy { max_length: 3, ..Policy::default() });
    talk.log_in(0);
    talk.log_in(1);
    for _ in 0..3 {
        talk.publish(0, "/queue/a", "");
        talk.publish(0, "/queue/b", "");
        talk.fine(0);
    }
    // What is out counts too; what is acknowledged does not.
    talk.subscribe(1, "1", "/queue/a", "ack:client-individual\n");
    let acks: Vec<_> = (0..3).map(|_| talk.message(1)).collect();
    talk.say(1, &format!("ACK\nid:{}\n\n^", acks[0]));
    talk.publish(0, "/queue/a", "");
    talk.fine(0);
    talk.message(1);
    talk.say(0, "SEND\ndestination:/queue/a\nreceipt:1\n\n^");
    talk.refused(0, "queue-full");
    talk.fine(1);
}

#[test]
fn a_transaction_fits_into_a_queue_or_changes_nothing() {
    let mut talk = Talk::with_policy(Policy { max_length: 3, ..Policy::default() });
    talk.log_in(0);
    let send = "SEND\ndestination:/queue/a\ntransaction:t\n\n^";
    talk.say(0, &format!("BEGIN\ntransaction:t\n\n^{}COMMIT\ntransaction:t\n\n^", send.repeat(2)));
    talk.fine(0);
    talk.say(0, &format!("BEGIN\ntransaction:t\n\n^{}COMMIT\ntransaction:t\nreceipt:1\n\n^", send.repeat(2)));
    talk.refused(0, "queue-full");
    assert_eq!(talk.0.engine().queues()[0].ready, 2);
}

#[test]
fn octets_of_a_queue() {
    let limit = 2 * stored_bytes("/queue/a", 0) as u64 + 10;
    for (body, refused) in [(9, false), (10, false), (11, true)] {
        let mut talk = Talk::with_policy(Policy { max_bytes: limit, ..Policy::default() });
        talk.log_in(0);
        talk.publish(0, "/queue/a", "");
        talk.publish(0, "/queue/a", &"x".repeat(body));
        if refused {
            talk.refused(0, "queue-full");
        } else {
            talk.fine(0);
            assert_eq!(talk.0.engine().queues()[0].bytes, limit - 10 + body as u64);
        }
    }
}

#[test]
fn deliveries_before_the_dead_letter_queue() {
    let mut talk = Talk::with_policy(Policy { max_deliveries: 16, ..Policy::default() });
    talk.log_in(0);
    talk.publish(0, "/queue/a", "poison");
    talk.subscribe(0, "1", "/queue/a", "ack:client-individual\n");
    for delivery in 1..=16u32 {
        let frame = talk.hear(0);
        assert_eq!(frame.headers.get("delivery-count"), Some(delivery.to_string().as_str()));
        let ack = frame.headers.get("ack").expect("an ack");
        talk.say(0, &format!("NACK\nid:{ack}\nx-delay:0\nx-error:it is {delivery}\n\n^"));
    }
    talk.silent(0);
    talk.subscribe(0, "2", "/queue/DLQ.a", "ack:client\n");
    let dead = talk.hear(0);
    let header = |name| dead.headers.get(name);
    assert_eq!(header("original-destination"), Some("/queue/a"));
    assert_eq!(header("x-death-reason"), Some("deliveries"));
    assert_eq!(header("x-death-deliveries"), Some("16"));
    assert_eq!(header("x-error"), Some("it is 16"));
    assert_eq!(header("dlqDeliveryFailureCause"), Some("16 deliveries failed: it is 16"));
    assert_eq!(dead.body, "poison");
    // There is nowhere further to go: there it is buried.
    talk.say(0, &format!("NACK\nid:{}\nrequeue:false\n\n^", header("ack").expect("an ack")));
    talk.silent(0);
    assert_eq!(talk.0.engine().queues()[0].buried, 1);
}

#[test]
fn lost_connections_count_as_deliveries() {
    let mut talk = Talk::with_policy(Policy { max_deliveries: 3, ..Policy::default() });
    talk.log_in(0);
    talk.publish(0, "/queue/a", "poison");
    for client in 1..=3 {
        talk.log_in(client);
        talk.subscribe(client, "1", "/queue/a", "ack:client\n");
        talk.message(client);
        talk.0.hang_up(client);
    }
    let queues = talk.0.engine().queues();
    let ready: Vec<_> = queues.iter().map(|queue| (queue.name.as_str(), queue.ready)).collect();
    assert_eq!(ready, [("/queue/DLQ.a", 1), ("/queue/a", 0)]);
}

#[test]
fn what_waits_for_a_subscriber_of_a_topic() {
    let mut options = engine::Options::default();
    options.topic_backlog.messages = 3;
    let mut talk = Talk::new(options, stomp::Options::default());
    for client in 0..3 {
        talk.log_in(client);
    }
    talk.subscribe(1, "1", "/topic/a", "ack:client\nprefetch-count:1\n");
    talk.subscribe(2, "1", "/topic/a", "");
    for sent in 0..4 {
        talk.publish(0, "/topic/a", &sent.to_string());
    }
    talk.message(1);
    talk.fine(1);
    // One is out, three wait: the next one is too much.
    talk.publish(0, "/topic/a", "4");
    talk.refused(1, "slow-consumer");
    talk.fine(0);
    for sent in 0..5 {
        assert_eq!(talk.hear(2).body, sent.to_string());
    }
    talk.fine(2);
}

#[test]
fn octets_that_wait_for_a_subscriber_of_a_topic() {
    // The message that reaches the limit is the last that waits.
    for (body, refused) in [(99, false), (100, true), (101, true)] {
        let mut options = engine::Options::default();
        options.topic_backlog.bytes = 100;
        let mut talk = Talk::new(options, stomp::Options::default());
        talk.log_in(0);
        talk.log_in(1);
        talk.subscribe(1, "1", "/topic/a", "ack:client\nprefetch-count:1\n");
        talk.publish(0, "/topic/a", "out");
        talk.message(1);
        talk.publish(0, "/topic/a", &"x".repeat(body - stored_bytes("/topic/a", 0)));
        talk.publish(0, "/topic/a", "one more");
        if refused {
            talk.refused(1, "slow-consumer");
        } else {
            talk.fine(1);
        }
    }
}

#[test]
fn octets_of_a_destination() {
    for (bytes, refused) in [(254, false), (255, false), (256, true)] {
        let name = format!("/queue/{}", "n".repeat(bytes - "/queue/".len()));
        let mut talk = Talk::with_session(|_| {});
        talk.log_in(0);
        talk.log_in(1);
        talk.publish(0, &name, "");
        talk.subscribe(1, "1", &name, "");
        if refused {
            talk.refused(0, "bad-destination");
            talk.refused(1, "bad-destination");
        } else {
            talk.message(1);
        }
    }
}

#[test]
fn time_to_log_in() {
    for drip in [false, true] {
        let mut talk = Talk::with_session(|options| options.connect_timeout = Duration::from_secs(10));
        talk.say(0, if drip { "CON" } else { "\n" });
        for _ in 0..9 {
            talk.0.wait(Duration::from_secs(1));
            // An octet now and then buys no time.
            talk.say(0, if drip { "x" } else { "\n" });
        }
        talk.0.wait(Duration::from_millis(999));
        talk.silent(0);
        talk.0.wait(Duration::from_millis(1));
        talk.refused(0, "connect-timeout");
    }
    let mut talk = Talk::with_session(|options| options.connect_timeout = Duration::from_secs(10));
    talk.say(0, "\n");
    talk.0.wait(Duration::from_millis(9_999));
    talk.log_in(0);
    talk.0.wait(Duration::from_secs(3600));
    talk.fine(0);
}

#[test]
fn heart_beats_are_clamped() {
    let low = [(0, 0), (1, 1000), (999, 1000), (1000, 1000), (1001, 1001)];
    let high = [(299_999, 299_999), (300_000, 300_000), (300_001, 300_000), (9_999_999_999_u64, 300_000)];
    for (wish, answer) in low.into_iter().chain(high) {
        let mut talk = Talk::with_session(|_| {});
        talk.say(0, &format!("CONNECT\naccept-version:1.2\nheart-beat:{wish},{wish}\n\n^"));
        let connected = talk.hear(0);
        assert_eq!(connected.headers.get("heart-beat"), Some(&*format!("{answer},{answer}")));
    }
}

#[test]
fn a_client_that_promised_heart_beats_may_be_late_once() {
    let mut talk = Talk::with_session(|_| {});
    talk.say(0, "CONNECT\naccept-version:1.2\nheart-beat:5000,0\n\n^");
    talk.hear(0);
    for _ in 0..3 {
        talk.0.wait(Duration::from_millis(9_999));
        talk.say(0, "\n");
    }
    talk.0.wait(Duration::from_millis(9_999));
    talk.silent(0);
    talk.0.wait(Duration::from_millis(1));
    talk.refused(0, "no-heart-beat");
}

#[test]
fn heart_beats_come_at_half_the_interval_and_only_if_agreed() {
    let mut talk = Talk::with_session(|_| {});
    talk.say(0, "CONNECT\naccept-version:1.2\nheart-beat:0,5000\n\n^");
    talk.hear(0);
    let before = talk.0.beats(0);
    talk.0.wait(Duration::from_millis(2_499));
    assert_eq!(talk.0.beats(0), before);
    talk.0.wait(Duration::from_millis(1));
    assert_eq!(talk.0.beats(0), before + 1);
    talk.0.wait(Duration::from_millis(2_500));
    assert_eq!(talk.0.beats(0), before + 2);
    talk.log_in(1);
    let before = talk.0.beats(1);
    talk.0.wait(Duration::from_secs(3600));
    assert_eq!(talk.0.beats(1), before);
    talk.fine(1);
}

#[test]
fn silence_where_a_listener_limits_it() {
    let mut talk = Talk::with_session(|options| options.idle_limit = Some(Duration::from_secs(60)));
    talk.log_in(0);
    talk.0.wait(Duration::from_millis(59_999));
    talk.fine(0);
    talk.0.wait(Duration::from_secs(60));
    talk.refused(0, "idle");
}

#[test]
fn octets_of_a_command() {
    for (bytes, code) in [(31, "unknown-command"), (32, "unknown-command"), (33, "command-too-long")] {
        let mut talk = Talk::with_session(|_| {});
        talk.log_in(0);
        talk.say(0, &format!("{}\n\n^", "C".repeat(bytes)));
        talk.refused(0, code);
    }
    let mut talk = Talk::with_session(|_| {});
    talk.log_in(0);
    // Not even a line end has to come.
    talk.say(0, &"C".repeat(33));
    talk.refused(0, "command-too-long");
}

#[test]
fn octets_of_a_header_line() {
    let limits = Limits { line_bytes: 64, ..Limits::default() };
    for (bytes, refused) in [(63, false), (64, false), (65, true)] {
        let mut talk = Talk::with_frames(limits);
        talk.log_in(0);
        talk.say(0, &format!("SEND\ndestination:/queue/a\na:{}\n\n^", "x".repeat(bytes - 2)));
        if refused { talk.refused(0, "line-too-long") } else { talk.fine(0) }
    }
}

#[test]
fn headers_of_a_frame() {
    let limits = Limits { header_count: 10, ..Limits::default() };
    for (count, refused) in [(9, false), (10, false), (11, true)] {
        let mut talk = Talk::with_frames(limits);
        talk.log_in(0);
        let more: String = (1..count).fold(String::new(), |mut text, _| {
            // The same one again and again counts each time.
            let _ = writeln!(text, "a:b");
            text
        });
        talk.say(0, &format!("SEND\ndestination:/queue/a\n{more}\n^"));
        if refused { talk.refused(0, "too-many-headers") } else { talk.fine(0) }
    }
}

#[test]
fn octets_of_a_head() {
    let limits = Limits { head_bytes: 200, ..Limits::default() };
    for (bytes, refused) in [(199, false), (200, false), (201, true)] {
        let mut talk = Talk::with_frames(limits);
        talk.log_in(0);
        let fixed = "SEND\ndestination:/queue/a\na:\n\n".len();
        talk.say(0, &format!("SEND\ndestination:/queue/a\na:{}\n\n^", "x".repeat(bytes - fixed)));
        if refused { talk.refused(0, "head-too-large") } else { talk.fine(0) }
    }
}

#[test]
fn octets_of_a_body() {
    let limits = Limits { body_bytes: 100, ..Limits::default() };
    for (bytes, refused) in [(99, false), (100, false), (101, true)] {
        for length in [String::new(), format!("content-length:{bytes}\n")] {
            let mut talk = Talk::with_frames(limits);
            talk.log_in(0);
            talk.say(0, &format!("SEND\ndestination:/queue/a\n{length}\n{}^", "x".repeat(bytes)));
            if refused { talk.refused(0, "body-too-large") } else { talk.fine(0) }
        }
    }
}

#[test]
fn octets_of_a_stranger() {
    for (bytes, refused) in [(8191, false), (8192, false), (8193, true)] {
        let mut talk = Talk::with_session(|_| {});
        let (first, second) = ("CONNECT\naccept-version:1.2\na:", "\nb:");
        let rest = bytes - first.len() - second.len() - "\n\n".len();
        let half = "x".repeat(rest / 2);
        let other = "x".repeat(rest - rest / 2);
        talk.say(0, &format!("{first}{half}{second}{other}\n\n^"));
        if refused {
            talk.refused(0, "head-too-large");
        } else {
            assert_eq!(talk.hear(0).command, Command::Connected);
            // Once it is let in it may send more.
            talk.publish(0, "/queue/a", &"x".repeat(100_000));
            talk.fine(0);
        }
    }
    for (bytes, refused) in [(8191, false), (8192, false), (8193, true)] {
        let mut talk = Talk::with_session(|_| {});
        talk.say(0, &format!("SEND\ndestination:/queue/a\ncontent-length:{bytes}\n\n"));
        if refused { talk.refused(0, "body-too-large") } else { talk.silent(0) }
    }
}

#[test]
fn octets_in_memory_of_a_temporary_queue() {
    for (body, refused) in [(9, false), (10, false), (11, true)] {
        let mut talk = Talk::with_engine(|options| {
            options.transient_bytes = stored_bytes("/temp-queue/a", 10) as u64;
        });
        talk.log_in(0);
        talk.subscribe(0, "1", "/temp-queue/a", "ack:client\n");
        talk.publish(0, "/temp-queue/a", &"x".repeat(body));
        if refused {
            talk.refused(0, "queue-full");
        } else {
            talk.message(0);
        }
    }
}

#[test]
fn defaults_are_those_of_the_security_page() {
    let (session, engine, policy) = (stomp::Options::default(), engine::Options::default(), Policy::default());
    let frames = Limits::default();
    assert_eq!((frames.command_bytes, frames.header_count), (32, 100));
    assert_eq!((frames.line_bytes, frames.head_bytes, frames.body_bytes), (8 << 10, 64 << 10, 4 << 20));
    assert_eq!((Limits::BEFORE_LOGIN.head_bytes, Limits::BEFORE_LOGIN.body_bytes), (8 << 10, 8 << 10));
    assert_eq!(session.connect_timeout, Duration::from_secs(10));
    assert_eq!((session.heart_beat_min, session.heart_beat_max), (Duration::from_secs(1), Duration::from_secs(300)));
    assert_eq!((session.subscriptions_per_connection, engine.unsettled_per_session.messages), (256, 10_000));
    assert_eq!(session.credit, Credit { messages: 100, bytes: 4 << 20 });
    assert_eq!((session.transactions, session.transaction_frames, session.transaction_bytes), (16, 1024, 16 << 20));
    assert_eq!(session.transaction_idle, Duration::from_secs(60));
    assert_eq!(engine.destinations, 100_000);
    assert_eq!((policy.max_length, policy.max_bytes, policy.max_deliveries), (10_000_000, 10 << 30, 16));
    let dead_letter: Arc<str> = "DLQ.{name}".into();
    assert_eq!(policy.dead_letter, dead_letter);
}

#[test]
fn what_waits_for_all_subscriptions_of_a_client() {
    let mut options = engine::Options::default();
    options.topic_backlog.messages = 4;
    let mut talk = Talk::new(options, stomp::Options::default());
    for client in 0..2 {
        talk.log_in(client);
    }
    for id in ["1", "2", "3"] {
        talk.subscribe(1, id, &format!("/topic/{id}"), "ack:client\nprefetch-count:1\n");
        talk.publish(0, &format!("/topic/{id}"), "out");
        talk.message(1);
    }
    for to in ["/topic/1", "/topic/2", "/topic/3", "/topic/1"] {
        talk.publish(0, to, "waits");
    }
    talk.fine(1);
    talk.publish(0, "/topic/2", "too much");
    talk.refused(1, "slow-consumer");
    talk.fine(0);
}

#[test]
fn what_is_out_to_all_subscriptions_of_a_client_leaves_room_for_the_others() {
    let mut options = engine::Options::default();
    options.topic_backlog.bytes = 100;
    let mut talk = Talk::new(options, stomp::Options::default());
    for client in 0..2 {
        talk.log_in(client);
    }
    for id in ["1", "2"] {
        talk.subscribe(1, id, &format!("/topic/{id}"), "ack:client-individual\n");
    }
    talk.publish(0, "/topic/1", &"x".repeat(100));
    let ack = talk.message(1);
    // The other subscription has credit of its own, and there is no room for its client.
    talk.publish(0, "/topic/2", "later");
    talk.silent(1);
    talk.say(1, &format!("ACK\nid:{ack}\n\n^"));
    let frame = talk.hear(1);
    assert_eq!((frame.command, &frame.body[..]), (Command::Message, &b"later"[..]), "{frame:?}");
    // What ends with its subscription makes room as well.
    talk.publish(0, "/topic/2", &"x".repeat(100));
    talk.message(1);
    talk.publish(0, "/topic/1", "at last");
    talk.silent(1);
    talk.say(1, "UNSUBSCRIBE\nid:2\n\n^");
    assert_eq!(talk.hear(1).body, "at last");
}
