//! Session and engine, face to face: no socket, no disk, no thread, and time stands still unless it is moved.
//!
//! The log becomes durable as soon as everybody has finished speaking, and never earlier.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kolejka::auth::Grants;
use kolejka::engine::{Departure, Engine};
use kolejka::model::{
    Answer, Burst, Delivery, Durable, Effects, Event, Filter, Now, Payload, Position, Record, Request, SessionId,
    ShardId, Ticket, Timestamp,
};
use kolejka::selector::Selector;
use kolejka::stomp::{Options, Output, PeerFacts, Receipt, Session};
use kolejka_codec::{Decoder, Frame, Item, Limits};

use crate::script::Wire;

/// A broker without a body.
pub struct World {
    engine: Engine,
    session_options: Arc<Options>,
    /// Of a frame, once its sender has logged in.
    limits: Limits,
    now: Now,
    effects: Effects,
    /// Contents by position: what the log would be asked for.
    stored: Vec<kolejka::model::Content>,
    unsynced: usize,
    appended: u64,
    /// Of these, the last that is durable.
    synced: u64,
    clients: Vec<Peer>,
}

struct Peer {
    session: Session,
    id: Option<SessionId>,
    decoder: Decoder,
    input: BytesMut,
    /// Receipts that wait for the log.
    waiting: Vec<(u64, Burst)>,
    /// Deliveries, and the ends of subscriptions among them.
    deliveries: VecDeque<Event>,
    out: Burst,
    closed: bool,
    /// The other end: what the client makes of what it is sent.
    ear: Decoder,
    heard: BytesMut,
    seen: VecDeque<Frame>,
    beats: usize,
}

impl Default for World {
    fn default() -> World {
        World::new(engine_options(), Options::default())
    }
}

/// As the server has them by default.
fn engine_options() -> kolejka::engine::Options {
    kolejka::engine::Options {
        compile: |text| Selector::parse(text).ok().map(|selector| Arc::new(selector) as Arc<dyn Filter>),
        ..kolejka::engine::Options::default()
    }
}

impl World {
    /// A broker with these options.
    pub fn new(engine: kolejka::engine::Options, session: Options) -> World {
        World {
            engine: Engine::new(engine),
            session_options: Arc::new(session),
            limits: Limits::default(),
            now: Now { monotonic: Duration::from_secs(1), wall: Timestamp(1_700_000_000_000) },
            effects: Effects::default(),
            stored: Vec::new(),
            unsynced: 0,
            appended: 0,
            synced: 0,
            clients: Vec::new(),
        }
    }

    /// The engine, to be looked at.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Lets clients that have logged in send frames within these limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> World {
        World { limits, ..self }
    }

    /// Line ends that a client has been sent so far: heart-beats, and those behind frames.
    pub fn beats(&self, client: usize) -> usize {
        self.clients[client].beats
    }

    /// Moves the time and lets everybody notice.
    pub fn wait(&mut self, time: Duration) {
        self.now.monotonic += time;
        self.now.wall.0 += time.as_millis() as u64;
        self.engine.tick(self.now, &mut self.effects);
        self.absorb();
        for client in 0..self.clients.len() {
            self.clients[client].session.tick(self.now);
            self.collect(client);
        }
        self.settle_down();
    }

    fn connect(&mut self) {
        let number = self.clients.len();
        let facts = PeerFacts {
            websocket: false,
            trailing_lf: true,
            owner_token: format!("owner{number}"),
            session_name: format!("session{number}"),
        };
        self.clients.push(Peer {
            session: Session::new(Arc::clone(&self.session_options), facts, self.now),
            id: None,
            decoder: Decoder::new(Limits::BEFORE_LOGIN),
            input: BytesMut::new(),
            waiting: Vec::new(),
            deliveries: VecDeque::new(),
            out: Burst::stream(),
            closed: false,
            ear: Decoder::new(Limits::default()),
            heard: BytesMut::new(),
            seen: VecDeque::new(),
            beats: 0,
        });
    }

    fn digest(&mut self, client: usize) {
        while !self.clients[client].closed {
            let peer = &mut self.clients[client];
            match peer.decoder.decode(&mut peer.input) {
                Ok(Some(Item::Frame(frame))) => peer.session.receive(self.now, frame),
                Ok(Some(Item::HeartBeat)) => peer.session.heart_beat(self.now),
                Ok(None) => return,
                Err(error) => peer.session.malformed(self.now, &error),
            }
            self.collect(client);
        }
    }

    /// Does what a session says after each frame. What that makes ready is handed out behind all of it, as in a batch.
    fn collect(&mut self, client: usize) {
        while let Some(output) = self.clients[client].session.next_output() {
            match output {
                Output::Ask { request, receipt } => self.ask(client, request, receipt),
                Output::Promise(receipt) => self.answer(client, Some(receipt), Answer::Done),
                Output::Reply(reply) => reply.write(&mut self.clients[client].out),
                Output::Authenticate(_) => {
                    let peer = &mut self.clients[client];
                    peer.session.authenticated(self.now, Ok(Grants::everything()));
                    peer.decoder.set_version(peer.session.version());
                    peer.decoder.set_limits(self.limits);
                    peer.ear.set_version(peer.session.version());
                    peer.id = Some(self.engine.open(format!("owner{client}")));
                }
                Output::HeartBeat => self.clients[client].out.write(|into| into.extend_from_slice(b"\n")),
                Output::Close(farewell) => {
                    // Promises are kept before the last word.
                    self.sync();
                    let peer = &mut self.clients[client];
                    if let Some(error) = &farewell.error {
                        error.write(&mut peer.out);
                    }
                    let departure = if farewell.is_goodbye() { Departure::Clean } else { Departure::Lost };
                    self.leave(client, departure);
                }
            }
        }
        self.dispatch();
    }

    fn dispatch(&mut self) {
        self.engine.dispatch(self.now, &mut self.effects);
        self.absorb();
    }

    fn leave(&mut self, client: usize, departure: Departure) {
        let peer = &mut self.clients[client];
        peer.closed = true;
        peer.deliveries.clear();
        if let Some(id) = peer.id.take() {
            self.engine.close(self.now, id, departure, &mut self.effects);
            self.dispatch();
        }
    }

    fn ask(&mut self, client: usize, request: Request, receipt: Option<Receipt>) {
        let Some(id) = self.clients[client].id else { return };
        let outcome = self.engine.apply(self.now, id, request, &mut self.effects);
        self.absorb();
        match outcome {
            Ok(answer) => self.answer(client, receipt, answer),
            Err(refusal) => self.clients[client].session.refused(receipt, refusal),
        }
    }

    fn answer(&mut self, client: usize, receipt: Option<Receipt>, answer: Answer) {
        let peer = &mut self.clients[client];
        let mut piece = Burst::stream();
        peer.session.answered(receipt, answer, &mut piece);
        peer.waiting.push((self.appended, piece));
    }

    fn absorb(&mut self) {
        if !self.effects.records.is_empty() {
            self.appended += 1;
            self.engine.appended(Ticket(self.appended));
        }
        for record in self.effects.records.drain(..) {
            if let Record::Accepted(accepted) = record {
                self.stored.extend(accepted.content);
            }
        }
        for (id, event) in std::mem::take(&mut self.effects.events) {
            let Some(client) = self.clients.iter().position(|peer| peer.id == Some(id)) else { continue };
            match event {
                Event::Deliver(_) | Event::End { .. } => self.clients[client].deliveries.push_back(event),
                Event::Durable(_) => {}
                Event::Disconnect(refusal) => {
                    self.clients[client].session.disconnected(self.now, refusal);
                    self.collect(client);
                }
            }
        }
    }

    /// Everything appended is durable now: receipts leave, then deliveries.
    fn sync(&mut self) {
        let positions: Vec<_> = (self.unsynced..self.stored.len())
            .map(|place| Position::new(ShardId::default(), place as u64 + 1))
            .collect();
        self.unsynced = self.stored.len();
        self.synced = self.appended;
        let durable = Durable { through: Ticket(self.appended), positions: &positions };
        self.engine.persisted(self.now, durable, &mut self.effects);
        self.absorb();
        for peer in &mut self.clients {
            for (_, mut piece) in peer.waiting.drain(..) {
                peer.out.append(&mut piece);
            }
        }
    }

    /// Writes what is to be written until nothing moves any more.
    fn settle_down(&mut self) {
        self.sync();
        loop {
            let mut moved = false;
            for client in 0..self.clients.len() {
                while let Some(event) = self.clients[client].deliveries.pop_front() {
                    moved = true;
                    self.say(client, &event);
                }
            }
            self.sync();
            moved |= self.read_heads() || self.synced < self.appended;
            if !moved {
                break;
            }
        }
        for peer in &mut self.clients {
            let mut slices = [std::io::IoSlice::new(&[]); 16];
            while !peer.out.is_empty() {
                let filled = peer.out.slices(&mut slices);
                let octets: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
                peer.heard.extend_from_slice(&octets);
                peer.out.advance(octets.len());
                slices = [std::io::IoSlice::new(&[]); 16];
            }
            while let Some(item) = peer.ear.decode(&mut peer.heard).expect("the server speaks STOMP") {
                match item {
                    Item::Frame(frame) => peer.seen.push_back(frame),
                    Item::HeartBeat => peer.beats += 1,
                }
            }
        }
    }

    /// What the driver does between requests: heads are read, and looking goes on where it was left.
    fn read_heads(&mut self) -> bool {
        let Some(unread) = self.engine.next_unread(self.now, &mut self.effects) else {
            let unfinished = self.engine.is_unfinished() || !self.effects.is_empty();
            if unfinished {
                self.engine.dispatch(self.now, &mut self.effects);
                self.absorb();
            }
            return unfinished;
        };
        let stored = |position: Position| self.stored.get(position.place() as usize - 1).cloned();
        let contents = unread.messages.into_iter().map(|(message, position)| (message, stored(position))).collect();
        self.engine.heads_read(self.now, unread.destination, contents, &mut self.effects);
        self.absorb();
        true
    }

    fn say(&mut self, client: usize, event: &Event) {
        let peer = &mut self.clients[client];
        match event {
            Event::Deliver(delivery) => self.deliver(client, delivery),
            Event::End { subscription, why } => peer.session.ended(*subscription, *why, &mut peer.out),
            Event::Durable(_) | Event::Disconnect(_) => {}
        }
    }

    fn deliver(&mut self, client: usize, delivery: &Delivery) {
        let content = match &delivery.payload {
            Payload::Memory(content) => content.clone(),
            Payload::Stored { position, .. } => self.stored[position.place() as usize - 1].clone(),
        };
        let (subscription, through, auto) = (delivery.subscription, delivery.number, delivery.auto);
        let peer = &mut self.clients[client];
        peer.session.deliver(self.now, delivery, &content, &mut peer.out);
        if auto {
            self.ask(client, Request::Written { subscription, through }, None);
            self.dispatch();
        }
    }
}

impl Wire for World {
    fn send(&mut self, client: usize, octets: &[u8]) {
        while self.clients.len() <= client {
            self.connect();
        }
        let peer = &mut self.clients[client];
        peer.session.heard(self.now);
        peer.input.extend_from_slice(&Bytes::copy_from_slice(octets));
        self.digest(client);
        self.settle_down();
    }

    fn receive(&mut self, client: usize) -> Result<Option<Frame>, String> {
        let peer = self.clients.get_mut(client).ok_or("this client never connected")?;
        match peer.seen.pop_front() {
            Some(frame) => Ok(Some(frame)),
            None if peer.closed => Ok(None),
            None => Err("nothing came".into()),
        }
    }

    fn hang_up(&mut self, client: usize) {
        self.leave(client, Departure::Lost);
        self.settle_down();
    }
}
