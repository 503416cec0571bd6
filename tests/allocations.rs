//! How many allocations a small message costs, from the octets of its SEND to the octets of its MESSAGE.
//!
//! Decoder, session and engine are driven as a connection drives them, in bursts and with buffers that are used again;
//! there is no socket, no log and no thread that would count as well. It is a program of its own because counting takes
//! the place of the allocator.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use kolejka::auth::Grants;
use kolejka::engine::{self, Engine};
use kolejka::journal;
use kolejka::model::{
    Accepted, AckMode, Answer, Burst, Content, Credit, Delivery, DestinationName, Durability, Durable, Effects, Event,
    Group, Message, MessageId, Now, OnDuplicate, Outcome, Payload, Position, Publish, Record, Replay, Request,
    SessionId, Settle, ShardId, Source, Subscribe, SubscriptionId, Terms as MessageTerms, Ticket, Timestamp, Unique,
    Until, Urgency, Which,
};
use kolejka::stomp::{Options, Output, PeerFacts, Receipt, Session};
use kolejka_codec::{Decoder, Item, Limits};

const NOW: Now = Now { monotonic: Duration::from_secs(1), wall: Timestamp(1_700_000_000_000) };

/// Messages of a burst: what one read of a busy producer holds, and what one of a quiet producer holds.
const BURSTS: [usize; 2] = [64, 1];

/// Messages before counting begins, and messages counted.
const WARM_UP: usize = 1_280;
const COUNTED: usize = 10_240;

/// Allocations that a message may cost. What a burst costs as a whole is spread over its messages.
const ALLOWED: f64 = 3.0;
/// Allocations that an ACK may cost; it is a frame of its own.
const ALLOWED_FOR_ACK: f64 = 1.25;

/// One end of a connection, as its task holds it.
struct Party {
    decoder: Decoder,
    input: BytesMut,
    session: Session,
    id: Option<SessionId>,
    out: Burst,
    receipts: Burst,
}

impl Party {
    fn new(name: &str) -> Party {
        let facts = PeerFacts {
            websocket: false,
            trailing_lf: true,
            owner_token: name.to_owned(),
            session_name: name.to_owned(),
        };
        Party {
            decoder: Decoder::new(Limits::default()),
            input: BytesMut::with_capacity(64 * 1024),
            session: Session::new(Arc::new(Options::default()), facts, NOW),
            id: None,
            out: Burst::stream(),
            receipts: Burst::stream(),
        }
    }
}

struct Bench {
    engine: Engine,
    effects: Effects,
    parties: [Party; 2],
    deliveries: Vec<Delivery>,
    positions: Vec<Position>,
    places: u64,
    delivered: usize,
    written: usize,
}

impl Bench {
    const PRODUCER: usize = 0;
    const CONSUMER: usize = 1;

    fn new() -> Bench {
        let mut bench = Bench {
            engine: Engine::new(engine::Options::default()),
            effects: Effects::default(),
            parties: [Party::new("producer"), Party::new("consumer")],
            deliveries: Vec::new(),
            positions: Vec::new(),
            places: 0,
            delivered: 0,
            written: 0,
        };
        for party in [Bench::PRODUCER, Bench::CONSUMER] {
            bench.hear(party, b"CONNECT\naccept-version:1.2\n\n\0");
        }
        bench
    }

    /// One read: everything in it is decoded, understood and asked for, then the log syncs.
    fn hear(&mut self, party: usize, octets: &[u8]) {
        self.parties[party].input.extend_from_slice(octets);
        loop {
            let Party { decoder, input, session, .. } = &mut self.parties[party];
            match decoder.decode(input).expect("good frames") {
                Some(Item::Frame(frame)) => session.receive(NOW, frame),
                Some(Item::HeartBeat) => continue,
                None => break,
            }
            while let Some(output) = self.parties[party].session.next_output() {
                self.act(party, output);
            }
        }
        self.engine.dispatch(NOW, &mut self.effects);
        self.absorb();
        self.sync();
        self.write(party);
    }

    fn act(&mut self, party: usize, output: Output) {
        let Party { decoder, session, id, out, receipts, .. } = &mut self.parties[party];
        match output {
            Output::Ask { request, receipt } => self.ask(party, request, receipt),
            Output::Promise(receipt) => session.answered(Some(receipt), Answer::Done, receipts),
            Output::Reply(reply) => reply.write(out),
            Output::Authenticate(_) => {
                session.authenticated(NOW, Ok(Grants::everything()));
                decoder.set_version(session.version());
                *id = Some(self.engine.open(party.to_string()));
            }
            Output::HeartBeat | Output::Close(_) => panic!("nobody asked for that"),
        }
    }

    fn ask(&mut self, party: usize, request: Request, receipt: Option<Receipt>) {
        let Party { session, id, receipts, .. } = &mut self.parties[party];
        let id = id.expect("a client that has logged in");
        let answer = self.engine.apply(NOW, id, request, &mut self.effects).expect("no refusal");
        session.answered(receipt, answer, receipts);
    }

    /// What the log would take and what the consumer's task would be told.
    fn absorb(&mut self) {
        for record in self.effects.records.drain(..) {
            if let Record::Accepted(_) = record {
                self.places += 1;
                self.positions.push(Position::new(ShardId::default(), self.places));
            }
        }
        self.deliveries.extend(self.effects.events.drain(..).filter_map(|(_, event)| match event {
            Event::Deliver(delivery) => Some(delivery),
            Event::Durable(_) | Event::Disconnect(_) | Event::End { .. } => None,
        }));
    }

    fn sync(&mut self) {
        let durable = Durable { through: Ticket(self.places), positions: &self.positions };
        self.engine.persisted(NOW, durable, &mut self.effects);
        self.positions.clear();
        self.absorb();
    }

    /// Receipts and messages become octets, the kernel takes them, and what is settled by that is settled.
    fn write(&mut self, party: usize) {
        let Party { out, receipts, .. } = &mut self.parties[party];
        out.append(receipts);
        let mut last = None;
        for delivery in self.deliveries.drain(..) {
            let Payload::Memory(content) = &delivery.payload else { panic!("a message that is still in memory") };
            let Party { session, out, .. } = &mut self.parties[Bench::CONSUMER];
            assert!(session.deliver(NOW, &delivery, content, out));
            self.delivered += 1;
            last = delivery.auto.then_some((delivery.subscription, delivery.number));
        }
        for party in &mut self.parties {
            self.written += party.out.len();
            party.out.advance(party.out.len());
        }
        if let Some((subscription, through)) = last {
            self.ask(Bench::CONSUMER, Request::Written { subscription, through }, None);
            self.engine.dispatch(NOW, &mut self.effects);
            self.absorb();
        }
    }

    /// Counts for a producer that says `send` again and again, and a consumer that answers every burst.
    fn measure(&mut self, burst: usize, subscribe: &str, send: &str, acks: Acks) -> Cost {
        self.hear(Bench::CONSUMER, subscribe.as_bytes());
        let octets = send.repeat(burst).into_bytes();
        let (mut counted, mut for_acks) = (0, 0);
        for first in (1..=(WARM_UP + COUNTED) as u64).step_by(burst) {
            let answer = acks.to(first, burst);
            let publishing = allocation_counter::measure(|| self.hear(Bench::PRODUCER, &octets));
            let answering = allocation_counter::measure(|| self.hear(Bench::CONSUMER, answer.as_bytes()));
            if first > WARM_UP as u64 {
                counted += publishing.count_total;
                for_acks += answering.count_total;
            }
        }
        assert_eq!(self.delivered, WARM_UP + COUNTED, "every message was delivered once");
        assert!(self.written > BODY.len() * self.delivered, "and written");
        Cost { message: counted as f64 / COUNTED as f64, ack: for_acks as f64 / COUNTED as f64 }
    }
}

/// Allocations for each message.
struct Cost {
    message: f64,
    ack: f64,
}

/// What the consumer says after each burst.
#[derive(Clone, Copy)]
enum Acks {
    None,
    Each,
    Last,
}

impl Acks {
    /// Ids are given out one by one from 1.
    fn to(self, first: u64, burst: usize) -> String {
        let end = first + burst as u64;
        let ids = match self {
            Acks::None => end..end,
            Acks::Each => first..end,
            Acks::Last => end - 1..end,
        };
        ids.map(|id| format!("ACK\nid:{id}\n\n\0\n")).collect::<Vec<_>>().concat()
    }
}

const BODY: &str =
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";

fn hold(subscribe: &str, send: &str, acks: Acks) {
    for burst in BURSTS {
        let Cost { message, ack } = Bench::new().measure(burst, subscribe, send, acks);
        assert!(message > 0.5, "nothing was measured");
        assert!(message <= ALLOWED, "{message:.2} allocations a message in bursts of {burst}");
        assert!(ack <= ALLOWED_FOR_ACK, "{ack:.2} allocations for an ACK in bursts of {burst}");
    }
}

const PERSISTENT: &str = "SEND\ndestination:/queue/a\ncontent-type:text/plain\nreceipt:message-12\n\n";

#[test]
fn a_persistent_message_with_an_ack_of_its_own() {
    let subscribe = "SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client-individual\n\n\0";
    hold(subscribe, &format!("{PERSISTENT}{BODY}\0\n"), Acks::Each);
}

#[test]
fn a_persistent_message_acknowledged_with_others() {
    let subscribe = "SUBSCRIBE\nid:1\ndestination:/queue/a\nack:client\n\n\0";
    hold(subscribe, &format!("{PERSISTENT}{BODY}\0\n"), Acks::Last);
}

#[test]
fn a_transient_message_in_auto_mode() {
    let send = format!("SEND\ndestination:/queue/a\npersistent:false\ncontent-length:100\n\n{BODY}\0\n");
    hold("SUBSCRIBE\nid:1\ndestination:/queue/a\n\n\0", &send, Acks::None);
}

#[test]
fn a_message_of_a_topic() {
    let send = format!("SEND\ndestination:/topic/a\n\n{BODY}\0\n");
    hold("SUBSCRIBE\nid:1\ndestination:/topic/a\n\n\0", &send, Acks::None);
}

/// Bytes that the journal keeps for so many messages once they have been read back, and that a replay of them takes.
fn kept_by_the_journal(messages: u64, terms: Option<&MessageTerms>) -> i64 {
    let folder = tempfile::tempdir().expect("a folder");
    let options = journal::Options { spares_thread: false, spare_segments: 1, ..journal::Options::new(folder.path()) };
    let open = || {
        let fs = Arc::new(journal::Disk::at(folder.path()).expect("the folder"));
        journal::Journal::open(options.clone(), fs, &mut Deaf, Timestamp(1)).expect("it opens").journal
    };
    let sink = Arc::new(journal::conformance::Witness::default());
    let mut running = open().start(sink.clone()).expect("it starts");
    for first in (0..messages).step_by(1000) {
        let message = |id: u64| match journal::conformance::accepted(ShardId::default(), 1, id, 0) {
            Record::Accepted(plain) => Record::Accepted(Accepted { terms: terms.cloned().map(Box::new), ..plain }),
            other => other,
        };
        let ticket = running.log.append(&mut (first..first + 1000).map(message).collect(), Timestamp(1));
        sink.wait(ticket.expect("the log takes it"));
    }
    running.stopper.stop().expect("it stops");
    drop((running.log, running.reader));
    let mut kept = None;
    let counted = allocation_counter::measure(|| kept = Some(open()));
    drop(kept);
    counted.bytes_current
}

/// Takes no notice of what it is told.
struct Deaf;

impl Replay for Deaf {
    fn record(&mut self, _record: Record, _position: Option<Position>) {}
}

#[test]
fn a_time_to_live_costs_the_journal_less_than_a_cache_line_of_memory() {
    const MESSAGES: u64 = 100_000;
    let life = MessageTerms { expires: Some(Timestamp(9_000_000)), ..MessageTerms::default() };
    let (plain, with_a_life) = (kept_by_the_journal(MESSAGES, None), kept_by_the_journal(MESSAGES, Some(&life)));
    let each = (with_a_life - plain) / MESSAGES.cast_signed();
    println!("{} bytes a plain message, {each} more for a time to live", plain / MESSAGES.cast_signed());
    assert!(each <= 64, "{each} bytes");
    assert!(plain / MESSAGES.cast_signed() < 128, "{plain} bytes");
}

/// Bytes that the engine keeps for so many messages of one queue that are in the log, with terms that follow from their
/// numbers.
fn kept_by_the_engine(messages: u64, terms: impl Fn(u64) -> Option<MessageTerms>) -> i64 {
    let options = engine::Options { cache_bytes: 0, ..engine::Options::default() };
    let mut engine = Engine::new(options);
    let client = engine.open("a".to_owned());
    let kept = fill(&mut engine, client, messages, terms);
    assert_eq!(engine.queues()[0].ready as u64, messages, "all of them wait");
    kept
}

/// Sends so many messages, which the log then has. Returns how many bytes the engine keeps more.
fn fill(engine: &mut Engine, client: SessionId, messages: u64, terms: impl Fn(u64) -> Option<MessageTerms>) -> i64 {
    let to = DestinationName::parse("/queue/a", "").expect("a name");
    let content = Content::small(BODY.as_bytes(), 0);
    let mut effects = Effects::default();
    let mut positions = Vec::with_capacity(1000);
    let mut through = 0;
    let counted = allocation_counter::measure(|| {
        for first in (0..messages).step_by(1000) {
            for number in first..(first + 1000).min(messages) {
                let message = Message {
                    content: content.clone(),
                    urgency: Urgency::NORMAL,
                    durability: Durability::Persistent,
                    terms: terms(number).map(Box::new),
                };
                let publish = Publish { to: to.clone(), message, key: None, retain: None };
                engine.apply(NOW, client, Request::Publish(publish), &mut effects).expect("no refusal");
                through += 1;
                positions.push(Position::new(ShardId::default(), through));
            }
            engine.dispatch(NOW, &mut effects);
            effects = Effects::default();
            let durable = Durable { through: Ticket(through), positions: &positions };
            engine.persisted(NOW, durable, &mut effects);
            effects = Effects::default();
            positions.clear();
        }
        positions = Vec::new();
    });
    counted.bytes_current
}

/// What the engine may keep of a flood of which one message is left: room for some to come, and the heads of tables.
const LEFT_BYTES: i64 = 512 << 10;

/// Time passes until nothing more happens.
fn pass(engine: &mut Engine, by: Duration) {
    let now = Now { monotonic: NOW.monotonic + by, wall: NOW.wall.after(by.as_millis() as u64) };
    let mut effects = Effects::default();
    while engine.deadline(now).is_some_and(|due| due <= now.monotonic) {
        engine.tick(now, &mut effects);
        engine.dispatch(now, &mut effects);
        effects = Effects::default();
    }
}

#[test]
fn one_message_that_stays_does_not_keep_the_tables_of_the_largest_backlog() {
    const MESSAGES: u64 = 300_000;
    let unique = |number: u64| Unique {
        key: format!("a key of its own {number}").into(),
        until: Until::Done,
        on_duplicate: OnDuplicate::Drop,
        waiter: None,
    };
    let later = Timestamp(NOW.wall.0 + 1_000_000);
    let kinds: [(&str, &dyn Fn(u64) -> MessageTerms); 3] = [
        ("keys", &|number| MessageTerms { unique: Some(Box::new(unique(number))), ..MessageTerms::default() }),
        ("delays", &|_| MessageTerms { due: Some(later), ..MessageTerms::default() }),
        ("groups", &|number| MessageTerms {
            group: Some(Group { name: format!("group {}", number / 2).into(), closes: false }),
            ..MessageTerms::default()
        }),
    ];
    for (what, terms) in kinds {
        let options = engine::Options { cache_bytes: 0, ..engine::Options::default() };
        let mut engine = Engine::new(options);
        let client = engine.open("a".to_owned());
        let all = fill(&mut engine, client, MESSAGES, |number| {
            // All but one are over soon.
            let expires = (number != MESSAGES / 2).then(|| Timestamp(NOW.wall.0 + 1000 + number % 1000));
            Some(MessageTerms { expires, ..terms(number) })
        });
        let back = allocation_counter::measure(|| pass(&mut engine, Duration::from_secs(60))).bytes_current;
        assert_eq!(engine.queues()[0].entries.len(), 1, "{what}: one is left");
        println!("{what}: {all} bytes for all, {} with one left", all + back);
        assert!(all > 100 * MESSAGES.cast_signed(), "{what}: {all} bytes");
        assert!(all + back < LEFT_BYTES, "{what}: {} bytes for one message", all + back);
    }
}

#[test]
fn one_message_that_is_out_does_not_keep_the_tables_of_all_that_were() {
    const MESSAGES: u64 = 300_000;
    let all = Credit { messages: 1 << 20, bytes: 1 << 40 };
    let options = engine::Options { cache_bytes: 0, unsettled_per_session: all, ..engine::Options::default() };
    let mut engine = Engine::new(options);
    let client = engine.open("a".to_owned());
    let before = fill(&mut engine, client, MESSAGES, |_| None);
    let to = DestinationName::parse("/queue/a", "").expect("a name");
    let wish = Subscribe {
        id: SubscriptionId(1),
        to: Source::Name(to),
        mode: AckMode::ClientIndividual,
        credit: all,
        time_to_run_ms: None,
        filter: None,
    };
    let mut messages = Vec::with_capacity(MESSAGES as usize);
    let hand_out = |engine: &mut Engine, messages: &mut Vec<MessageId>| {
        let mut effects = Effects::default();
        engine.tick(NOW, &mut effects);
        engine.dispatch(NOW, &mut effects);
        messages.extend(effects.events.iter().filter_map(|(_, event)| match event {
            Event::Deliver(delivery) => Some(delivery.message),
            _ => None,
        }));
    };
    let out = allocation_counter::measure(|| {
        let mut effects = Effects::default();
        engine.apply(NOW, client, Request::Subscribe(wish), &mut effects).expect("no refusal");
        while messages.len() < MESSAGES as usize {
            hand_out(&mut engine, &mut messages);
        }
    });
    let back = allocation_counter::measure(|| {
        for (number, message) in messages.iter().enumerate().filter(|(number, _)| *number as u64 != MESSAGES / 2) {
            let settle = Settle { message: *message, which: Which::default(), outcome: Outcome::Ack };
            let mut effects = Effects::default();
            engine.apply(NOW, client, Request::Settle(settle), &mut effects).expect("no refusal");
            if number % 1000 == 0 {
                engine.dispatch(NOW, &mut effects);
            }
        }
        engine.tick(NOW, &mut Effects::default());
    });
    let left = before + out.bytes_current + back.bytes_current;
    println!("{} bytes for all that are out, {left} with one left", before + out.bytes_current);
    assert_eq!(engine.queues()[0].entries.len(), 1);
    assert!(left < LEFT_BYTES, "{left} bytes for one message");
}

#[test]
fn a_time_to_live_costs_the_engine_a_few_bytes_beside_the_row() {
    const MESSAGES: u64 = 51_200;
    let each =
        |terms: &dyn Fn(u64) -> Option<MessageTerms>| kept_by_the_engine(MESSAGES, terms) / MESSAGES.cast_signed();
    let ends = |at: u64| Some(MessageTerms { expires: Some(Timestamp(NOW.wall.0 + at)), ..MessageTerms::default() });
    let plain = each(&|_| None);
    // One time to live of all, and one of each in no order.
    let (in_order, in_none) = (each(&|number| ends(1000 + number)), each(&|n| ends(1000 + n * 48_271 % 65_521)));
    println!(
        "{plain} bytes a plain message, {in_order} with a time to live, {in_none} with one that others do not have"
    );
    assert!(plain <= 64, "{plain} bytes");
    assert!(in_order <= 72, "{in_order} bytes");
    assert!(in_none <= 80, "{in_none} bytes");
}
