//! Sessions and one engine in memory, joined as a connection joins them: what one login can reach by what it writes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use kolejka::auth::{Action, Grants, Rights};
use kolejka::engine::{Engine, Options};
use kolejka::model::{
    Audit, Burst, Content, Durable, Effects, Event, Now, Payload, Position, Record, Request, SessionId, ShardId,
    Ticket, Timestamp,
};
use kolejka::stomp::{self, Output, PeerFacts, Session};
use kolejka_codec::{Command, Decoder, Frame, Item, Limits, Version};

/// What a user is allowed and denied, as in the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) name: String,
    pub(crate) allow: Vec<(String, Vec<Action>)>,
    pub(crate) deny: Vec<(String, Vec<Action>)>,
}

impl Login {
    /// A user with these rules; words of the rights are separated by blanks.
    pub(crate) fn new(name: &str, allow: &[(&str, &str)], deny: &[(&str, &str)]) -> Login {
        let rules = |rules: &[(&str, &str)]| {
            let words =
                |words: &str| words.split_whitespace().map(|it| Action::from_word(it).expect("a right")).collect();
            rules.iter().map(|(on, to)| ((*on).to_owned(), words(to))).collect()
        };
        Login { name: name.to_owned(), allow: rules(allow), deny: rules(deny) }
    }

    fn grants(&self) -> Grants {
        let mut rights = Rights::default();
        for (on, to) in &self.allow {
            rights.allow(&self.name, on, to).expect("a rule");
        }
        for (on, to) in &self.deny {
            rights.deny(&self.name, on, to).expect("a rule");
        }
        Grants::of(&self.name, rights)
    }
}

/// One client, and what it has been told.
struct Client {
    id: SessionId,
    session: Session,
    decoder: Decoder,
    input: BytesMut,
    wire: Burst,
    replies: Decoder,
    told: BytesMut,
    is_over: bool,
}

/// An engine whose log has everything at once, and its clients.
pub(crate) struct World {
    engine: Engine,
    now: Now,
    effects: Effects,
    tickets: u64,
    places: u64,
    stored: HashMap<Position, Content>,
    clients: Vec<Client>,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(Options::default())
    }

    pub(crate) fn with(options: Options) -> World {
        let now = Now { monotonic: Duration::from_secs(1000), wall: Timestamp(1_700_000_000_000) };
        World {
            engine: Engine::new(options),
            now,
            effects: Effects::default(),
            tickets: 0,
            places: 0,
            stored: HashMap::new(),
            clients: Vec::new(),
        }
    }

    /// A client that may do everything, as in a broker without users.
    pub(crate) fn anybody(&mut self) -> usize {
        self.enter(Grants::everything())
    }

    /// A client with a login.
    pub(crate) fn client(&mut self, login: &Login) -> usize {
        self.enter(login.grants())
    }

    fn enter(&mut self, grants: Grants) -> usize {
        let at = self.clients.len();
        let owner_token = format!("owner{at}");
        let facts = PeerFacts {
            websocket: false,
            trailing_lf: true,
            owner_token: owner_token.clone(),
            session_name: format!("s{at}"),
        };
        let mut session = Session::new(Arc::new(stomp::Options::default()), facts, self.now);
        let mut decoder = Decoder::new(Limits::default());
        let mut replies = Decoder::new(Limits::default());
        let mut input = BytesMut::from(&b"CONNECT\naccept-version:1.2\nhost:h\n\n\0"[..]);
        let Ok(Some(Item::Frame(connect))) = decoder.decode(&mut input) else { panic!("no CONNECT") };
        session.receive(self.now, connect);
        assert!(matches!(session.next_output(), Some(Output::Authenticate(_))));
        session.authenticated(self.now, Ok(grants));
        decoder.set_version(session.version());
        replies.set_version(Version::V1_2);
        let id = self.engine.open(owner_token);
        let (wire, told) = (Burst::stream(), BytesMut::new());
        self.clients.push(Client { id, session, decoder, input, wire, replies, told, is_over: false });
        self.turn(at);
        let connected = self.heard(at);
        assert_eq!(connected.first().map(|frame| frame.command), Some(Command::Connected));
        at
    }

    /// Gives a client other rights while it is connected.
    pub(crate) fn regrant(&mut self, at: usize, login: &Login) -> Vec<Frame> {
        self.clients[at].session.regrant(self.now, login.grants());
        self.turn(at);
        self.heard(at)
    }

    /// A client writes, with `^` for NUL, and hears what comes of it.
    pub(crate) fn says(&mut self, at: usize, text: &str) -> Vec<Frame> {
        self.clients[at].input.extend_from_slice(text.replace('^', "\0").as_bytes());
        loop {
            let client = &mut self.clients[at];
            if client.is_over {
                break;
            }
            match client.decoder.decode(&mut client.input).expect("frames") {
                Some(Item::Frame(frame)) => client.session.receive(self.now, frame),
                Some(Item::HeartBeat) => {}
                None => break,
            }
            self.turn(at);
        }
        self.heard(at)
    }

    /// What a client has been told since it was asked last.
    pub(crate) fn heard(&mut self, at: usize) -> Vec<Frame> {
        let client = &mut self.clients[at];
        let octets = client.wire.len();
        let mut slices = [std::io::IoSlice::new(&[]); 256];
        let filled = client.wire.slices(&mut slices);
        for slice in &slices[..filled] {
            client.told.extend_from_slice(slice);
        }
        client.wire.advance(octets);
        let mut frames = Vec::new();
        while let Some(item) = client.replies.decode(&mut client.told).expect("replies") {
            if let Item::Frame(frame) = item {
                frames.push(frame);
            }
        }
        frames
    }

    /// Time passes.
    pub(crate) fn wait(&mut self, ms: u64) {
        self.now.monotonic += Duration::from_millis(ms);
        self.now.wall.0 += ms;
        for _ in 0..8 {
            self.engine.tick(self.now, &mut self.effects);
            self.absorb();
        }
    }

    /// What has been written into the audit log since it was asked last.
    pub(crate) fn audits(&mut self) -> Vec<Audit> {
        std::mem::take(&mut self.effects.audits)
    }

    /// Names of the destinations that are queues, with the messages in each.
    pub(crate) fn queues(&self) -> Vec<(String, usize)> {
        self.engine.queues().iter().map(|view| (view.name.to_string(), view.entries.len())).collect()
    }

    /// Messages in a queue; `None` if it is not there.
    pub(crate) fn len_of(&self, queue: &str) -> Option<usize> {
        self.queues().into_iter().find(|(name, _)| name == queue).map(|(_, len)| len)
    }

    fn turn(&mut self, at: usize) {
        while let Some(output) = self.clients[at].session.next_output() {
            match output {
                Output::Ask { request, receipt } => {
                    let answer = self.engine.apply(self.now, self.clients[at].id, request, &mut self.effects);
                    self.engine.dispatch(self.now, &mut self.effects);
                    let Client { session, wire, .. } = &mut self.clients[at];
                    match answer {
                        Ok(answer) => session.answered(receipt, answer, wire),
                        Err(refusal) => session.refused(receipt, refusal),
                    }
                    self.absorb();
                }
                Output::Promise(receipt) => {
                    let Client { session, wire, .. } = &mut self.clients[at];
                    session.answered(Some(receipt), kolejka::model::Answer::Done, wire);
                }
                Output::Reply(reply) => reply.write(&mut self.clients[at].wire),
                Output::Authenticate(_) => panic!("a second login"),
                Output::HeartBeat => {}
                Output::Close(farewell) => {
                    if let Some(error) = &farewell.error {
                        error.write(&mut self.clients[at].wire);
                    }
                    self.clients[at].is_over = true;
                }
            }
        }
    }

    /// Records are durable at once, and events arrive.
    fn absorb(&mut self) {
        loop {
            let events = std::mem::take(&mut self.effects.events);
            let records = std::mem::take(&mut self.effects.records);
            if events.is_empty() && records.is_empty() && !self.read() {
                return;
            }
            if !records.is_empty() {
                self.tickets += 1;
                self.engine.appended(Ticket(self.tickets));
                let positions = self.keep(&records);
                let durable = Durable { through: Ticket(self.tickets), positions: &positions };
                self.engine.persisted(self.now, durable, &mut self.effects);
            }
            for (session, event) in events {
                self.tell(session, event);
            }
        }
    }

    fn keep(&mut self, records: &[Record]) -> Vec<Position> {
        let mut positions = Vec::new();
        for record in records {
            if let Record::Accepted(accepted) = record {
                self.places += 1;
                let position = Position::new(ShardId::default(), self.places);
                self.stored.insert(position, accepted.content.clone().expect("a content"));
                positions.push(position);
            }
        }
        positions
    }

    /// Reads heads that the engine waits for.
    fn read(&mut self) -> bool {
        let Some(unread) = self.engine.next_unread(self.now, &mut self.effects) else { return false };
        let read = |(message, position)| (message, self.stored.get(&position).cloned());
        let contents = unread.messages.into_iter().map(read).collect();
        self.engine.heads_read(self.now, unread.destination, contents, &mut self.effects);
        true
    }

    fn tell(&mut self, session: SessionId, event: Event) {
        let Some(at) = self.clients.iter().position(|client| client.id == session) else { return };
        let Client { session, wire, .. } = &mut self.clients[at];
        match event {
            Event::Deliver(delivery) => {
                let content = match &delivery.payload {
                    Payload::Memory(content) => content.clone(),
                    Payload::Stored { position, .. } => self.stored[position].clone(),
                };
                session.deliver(self.now, &delivery, &content, wire);
                if delivery.auto {
                    let request = Request::Written { subscription: delivery.subscription, through: delivery.number };
                    let id = self.clients[at].id;
                    self.engine.apply(self.now, id, request, &mut self.effects).expect("it is written");
                    self.engine.dispatch(self.now, &mut self.effects);
                }
            }
            Event::End { subscription, why } => session.ended(subscription, why, wire),
            Event::Durable(_) => {}
            Event::Disconnect(refusal) => {
                session.disconnected(self.now, refusal);
                self.turn(at);
            }
        }
    }
}

/// How a frame was taken: `ok`, or what refused it in the words of its `code` or `x-refused`, with the right that an ERROR
/// names.
pub(crate) fn verdict(frames: &[Frame]) -> String {
    for frame in frames {
        match frame.command {
            Command::Error if frame.headers.get("code") == Some("forbidden") => {
                return frame.headers.get("message").unwrap_or_default().to_owned();
            }
            Command::Error => return frame.headers.get("code").unwrap_or("error").to_owned(),
            Command::Receipt if frame.headers.get("x-refused").is_some() => {
                return frame.headers.get("x-refused").unwrap_or_default().to_owned();
            }
            _ => {}
        }
    }
    "ok".to_owned()
}

/// The bodies of MESSAGEs.
pub(crate) fn bodies(frames: &[Frame]) -> Vec<String> {
    let messages = frames.iter().filter(|frame| frame.command == Command::Message);
    messages.map(|frame| String::from_utf8_lossy(&frame.body).into_owned()).collect()
}
