//! The session through its face: text in, text out, a clock that stands still until it is told to move.
//!
//! Numbers in comments are items of the checklist in `docs/stomp-conformance.md`.

mod anything;
mod browse;
mod connect;
mod deliver;
mod durable;
mod ending;
mod heartbeat;
mod job;
mod limits;
mod manage;
mod oversee;
mod prefetch;
mod query;
mod schedule;
mod send;
mod settle;
mod subscribe;
mod take;
mod temporary;
mod transaction;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kolejka_codec::Decoder;
use kolejka_codec::Item;
use kolejka_codec::Limits;

use super::{Farewell, Options, Output, PeerFacts, Session};
use crate::auth::{Action as Right, Authenticator, Credentials, Denied, Grants, Peer, Rights, User, hash_password};
use crate::model::Answer;
use crate::model::Burst;
use crate::model::Content;
use crate::model::Delivery;
use crate::model::Lease;
use crate::model::MessageId;
use crate::model::Now;
use crate::model::Payload;
use crate::model::Publish;
use crate::model::Refusal;
use crate::model::Request;
use crate::model::Settle;
use crate::model::Subscribe;
use crate::model::SubscriptionId;
use crate::model::Timestamp;

/// A client, the shell around its session, and an engine that says yes unless told otherwise.
struct Client {
    session: Session,
    now: Now,
    decoder: Decoder,
    input: BytesMut,
    login: Result<Grants, Denied>,
    answers: VecDeque<Result<Answer, Refusal>>,
    /// What the engine was asked, in order.
    asked: Vec<Request>,
    /// Each login that was to be checked.
    logins: Vec<Credentials>,
    beats: usize,
    farewell: Option<Farewell>,
    wire: Burst,
}

fn facts() -> PeerFacts {
    let (owner_token, session_name) = ("Tok3n".to_owned(), "s-1".to_owned());
    PeerFacts { websocket: false, trailing_lf: true, owner_token, session_name }
}

impl Client {
    fn with(options: Options, facts: PeerFacts) -> Client {
        let now = Now { monotonic: Duration::from_secs(1000), wall: Timestamp(1_700_000_000_000) };
        Client {
            session: Session::new(Arc::new(options), facts, now),
            now,
            decoder: Decoder::new(Limits::default()),
            input: BytesMut::new(),
            login: Ok(Grants::everything()),
            answers: VecDeque::new(),
            asked: Vec::new(),
            logins: Vec::new(),
            beats: 0,
            farewell: None,
            wire: Burst::stream(),
        }
    }

    fn new() -> Client {
        Client::with(Options::default(), facts())
    }

    /// One that has connected with that `accept-version`.
    fn speaking(version: &str) -> Client {
        Client::new().connect(version)
    }

    fn connect(mut self, version: &str) -> Client {
        self.says(&format!("CONNECT\naccept-version:{version}\nhost:h\n\n^@"));
        assert!(self.session.is_established());
        self.asked.clear();
        self
    }

    /// Sends text in which `^@` stands for NUL; returns what comes back, in the same spelling.
    fn says(&mut self, text: &str) -> String {
        self.says_octets(text.replace("^@", "\0").as_bytes())
    }

    fn says_octets(&mut self, octets: &[u8]) -> String {
        self.input.extend_from_slice(octets);
        self.session.heard(self.now);
        loop {
            self.decoder.set_version(self.session.version());
            match self.decoder.decode(&mut self.input) {
                Ok(Some(Item::Frame(frame))) => self.session.receive(self.now, frame),
                Ok(Some(Item::HeartBeat)) => self.session.heart_beat(self.now),
                Ok(None) => return self.hears(),
                Err(error) => {
                    self.session.malformed(self.now, &error);
                    return self.hears();
                }
            }
            self.run();
        }
    }

    /// Does what the session wants, and returns what was written.
    fn hears(&mut self) -> String {
        self.run();
        let mut text = String::new();
        let octets = self.wire.len();
        let mut slices = [std::io::IoSlice::new(&[]); 64];
        let filled = self.wire.slices(&mut slices);
        for slice in &slices[..filled] {
            text.push_str(&String::from_utf8_lossy(slice).replace('\0', "^@"));
        }
        self.wire.advance(octets);
        text
    }

    fn run(&mut self) {
        while let Some(output) = self.session.next_output() {
            assert!(self.farewell.is_none(), "nothing follows the end, but this did: {output:?}");
            match output {
                Output::Ask { request, receipt } => {
                    self.asked.push(request);
                    match self.answers.pop_front().unwrap_or(Ok(Answer::Done)) {
                        Ok(answer) => self.session.answered(receipt, answer, &mut self.wire),
                        Err(refusal) => self.session.refused(receipt, refusal),
                    }
                }
                Output::Promise(receipt) => self.session.answered(Some(receipt), Answer::Done, &mut self.wire),
                Output::Reply(reply) => reply.write(&mut self.wire),
                Output::Authenticate(credentials) => {
                    assert!(self.session.awaits_login());
                    self.logins.push(credentials);
                    self.session.authenticated(self.now, self.login.clone());
                }
                Output::HeartBeat => self.beats += 1,
                Output::Close(farewell) => {
                    if let Some(error) = &farewell.error {
                        error.write(&mut self.wire);
                    }
                    self.farewell = Some(farewell);
                }
            }
        }
    }

    fn waits(&mut self, ms: u64) -> String {
        self.now.monotonic += Duration::from_millis(ms);
        self.session.tick(self.now);
        self.hears()
    }

    /// The code of the ERROR that this text earns. It must be the end.
    fn fails_with(&mut self, text: &str) -> String {
        let heard = self.says(text);
        let farewell = self.farewell.as_ref().unwrap_or_else(|| panic!("no end after {text:?}, but {heard:?}"));
        assert!(heard.contains("ERROR\nmessage:"), "an end without ERROR: {heard:?}");
        assert!(heard.contains(&format!("\ncode:{}\n", farewell.code)), "{heard:?}");
        assert!(heard.ends_with("^@\n") && self.session.is_over());
        farewell.code.to_owned()
    }

    /// The last request, which must be a publish.
    fn published(&self) -> &Publish {
        match self.asked.last() {
            Some(Request::Publish(publish)) => publish,
            other => panic!("no publish but {other:?}"),
        }
    }

    /// The stored head of the last publish.
    fn head(&self) -> String {
        String::from_utf8(self.published().message.content.head().to_vec()).unwrap()
    }

    fn subscribed(&self) -> &Subscribe {
        match self.asked.last() {
            Some(Request::Subscribe(subscribe)) => subscribe,
            Some(Request::Take(take)) => &take.subscribe,
            other => panic!("no subscribe but {other:?}"),
        }
    }

    fn settled(&self) -> &Settle {
        match self.asked.last() {
            Some(Request::Settle(settle)) => settle,
            other => panic!("no settle but {other:?}"),
        }
    }

    /// What a delivery looks like on the wire; empty if its subscription is gone.
    fn gets(&mut self, delivery: &Delivery, head: &str, body: impl Into<Bytes>) -> String {
        let content = Content::new(head.as_bytes(), body.into());
        let written = self.session.deliver(self.now, delivery, &content, &mut self.wire);
        let heard = self.hears();
        assert_eq!(written, !heard.is_empty());
        heard
    }
}

/// A first delivery of a message to a subscription.
fn delivery(subscription: u32, message: u64) -> Delivery {
    Delivery {
        subscription: SubscriptionId(subscription),
        number: 1,
        message: MessageId::from_bits(message),
        auto: false,
        tracked: false,
        is_event: false,
        token: None,
        held_twice: false,
        is_numbered: false,
        attempt: 1,
        redelivered: false,
        lease: Lease::None,
        death: None,
        from: None,
        payload: Payload::Memory(Content::small(b"", 0)),
    }
}

/// Everything but these actions on these destinations.
fn all_but(denied: &[(&str, Right)]) -> Grants {
    let mut rights = Rights::default();
    rights.allow("anonymous", "/**", &Right::ALL).unwrap();
    for (pattern, right) in denied {
        rights.deny("anonymous", pattern, &[*right]).unwrap();
    }
    let somebody = User::new("ann", &hash_password("p").unwrap(), Rights::default()).unwrap();
    let options = crate::auth::Options { users: vec![somebody], anonymous: Some(rights) };
    Authenticator::new(options).unwrap().verify(Duration::ZERO, Peer::local(), &Credentials::default()).unwrap()
}
