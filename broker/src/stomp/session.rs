//! The machine: frames, answers, deliveries and the time go in, outputs come out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use kolejka_codec::Command;
use kolejka_codec::DecodeError;
use kolejka_codec::Ending;
use kolejka_codec::Frame;
use kolejka_codec::Version;

use super::client::Client;
use super::error::Fault;
use super::gate::Gate;
use super::handshake;
use super::heartbeat::HeartBeat;
use super::options::{Options, PeerFacts};
use super::output::{Farewell, Output, Receipt};
use super::reply::Voice;
use super::state::State;
use super::turn::Turn;
use crate::auth::Denied;
use crate::auth::Grants;
use crate::auth::Revoked;
use crate::model::Answer;
use crate::model::Burst;
use crate::model::Content;
use crate::model::Delivery;
use crate::model::End;
use crate::model::Now;
use crate::model::Refusal;
use crate::model::Request;
use crate::model::SubscriptionId;

/// One client's side of the conversation.
///
/// Whoever drives it hands over what arrives and does what [`next_output`](Session::next_output) says until that is `None`.
/// After a CONNECT it looks at [`version`](Session::version) before it decodes more, and it hands over no frame while
/// [`awaits_login`](Session::awaits_login).
#[derive(Debug)]
pub struct Session {
    options: Arc<Options>,
    peer: PeerFacts,
    state: State,
    voice: Voice,
    heart_beat: HeartBeat,
    outputs: VecDeque<Output>,
    /// What the frame asked of its queue that is answered next is not granted.
    is_unheeded: bool,
}

impl Session {
    /// Room for outputs that is kept when they are taken; more is given back.
    const OUTPUTS_KEPT: usize = 256;

    /// A session with a peer that has just connected.
    pub fn new(options: Arc<Options>, peer: PeerFacts, now: Now) -> Session {
        let until = now.monotonic + options.connect_timeout;
        let ending = if peer.trailing_lf { Ending::NulLf } else { Ending::Nul };
        Session {
            options,
            peer,
            state: State::Waiting { until },
            voice: Voice { version: Version::V1_0, ending },
            heart_beat: HeartBeat::default(),
            is_unheeded: false,
            outputs: VecDeque::new(),
        }
    }

    /// A frame came.
    #[expect(clippy::needless_pass_by_value, reason = "the frame is used up: its octets should not outlive the call")]
    pub fn receive(&mut self, now: Now, frame: Frame) {
        let mut receipt = Receipt::of(&frame);
        let outcome = match (&mut self.state, frame.command) {
            (State::Over, _) => return,
            (State::Waiting { until }, Command::Connect | Command::Stomp) => {
                let until = *until;
                self.connect(until, &frame)
            }
            (State::Waiting { .. } | State::Authenticating { .. }, _) => Err(Fault::NotConnected),
            (State::Established(_), Command::Connect | Command::Stomp) => Err(Fault::AlreadyConnected),
            (State::Established(_), Command::Disconnect) => return self.disconnect(receipt),
            (State::Established(client), _) => {
                let beats = self.heart_beat.is_promised();
                let turn = Turn { now, beats, receipt: &mut receipt, outputs: &mut self.outputs };
                client.receive(turn, &frame)
            }
        };
        if let Err(fault) = outcome {
            self.fail(receipt.as_ref(), &fault);
        }
    }

    /// A line end came between frames.
    pub fn heart_beat(&mut self, now: Now) {
        self.heard(now);
    }

    /// Octets came, whatever they were.
    pub fn heard(&mut self, now: Now) {
        self.heart_beat.heard(now.monotonic);
    }

    /// What came is no frame.
    pub fn malformed(&mut self, _now: Now, error: &DecodeError) {
        self.fail(None, &Fault::Malformed(error.clone()));
    }

    /// A frame has begun and does not end.
    pub fn unfinished(&mut self, _now: Now) {
        self.fail(None, &Fault::FrameTimeout);
    }

    /// The peer broke a rule of what carries the frames; `words` are fit for its eyes.
    pub fn violated(&mut self, _now: Now, words: String) {
        self.fail(None, &Fault::Transport(words));
    }

    /// The login has been checked.
    pub fn authenticated(&mut self, now: Now, outcome: Result<Grants, Denied>) {
        let State::Authenticating { hello, .. } = &self.state else { return };
        let grants = match outcome {
            Ok(grants) => grants,
            Err(denied) => {
                let receipt = hello.receipt.clone();
                return self.fail(receipt.as_ref(), &Fault::LoginFailed(denied));
            }
        };
        let (heart_beat, numbers) =
            HeartBeat::agree(hello.heart_beat, &self.options, self.peer.websocket, now.monotonic);
        let reply = self.voice.connected(hello, numbers, &self.options.server, &self.peer.session_name);
        let client_id = hello.client_id.clone();
        self.heart_beat = heart_beat;
        self.outputs.push_back(Output::Reply(reply));
        if grants.is_limited() {
            let request = Request::Permit(Arc::new(grants.clone()));
            self.outputs.push_back(Output::Ask { request, receipt: None });
        }
        let gate = Gate::new(grants, self.peer.owner_token.clone(), client_id);
        self.state = State::Established(Box::new(Client::new(self.options.clone(), self.voice.version, gate)));
    }

    /// The users have changed: what the client may do from now on, or why it has to go.
    pub fn reviewed(&mut self, now: Now, outcome: Result<Grants, Revoked>) {
        match (outcome, self.state.client()) {
            (Ok(grants), Some(client)) if !client.gate.has(&grants) => self.regrant(now, grants),
            (Err(revoked), Some(_)) => self.fail(None, &Fault::Revoked(revoked)),
            _ => {}
        }
    }

    /// The rights of the client have changed. They hold for every frame that comes, for the COMMIT of open transactions and
    /// for what its subscriptions receive; a session that reads what it may not read any more ends with an ERROR.
    pub fn regrant(&mut self, _now: Now, grants: Grants) {
        let State::Established(client) = &mut self.state else { return };
        if !grants.is_limited() && !client.gate.is_limited() {
            return;
        }
        let request = Request::Permit(Arc::new(grants.clone()));
        let outcome = client.regrant(grants);
        self.outputs.push_back(Output::Ask { request, receipt: None });
        if let Err(fault) = outcome {
            self.fail(None, &fault);
        }
    }

    /// What to do next.
    pub fn next_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() && self.outputs.capacity() > Self::OUTPUTS_KEPT {
            self.outputs = VecDeque::new();
        }
        output
    }

    /// The engine has processed a request, or a [`Promise`](Output::Promise) had its turn: writes the RECEIPT if one was
    /// asked for.
    pub fn answered(&mut self, receipt: Option<Receipt>, answer: Answer, out: &mut Burst) {
        if receipt.is_none() && answer == Answer::Unheeded {
            // It was asked in front of a frame that is answered next.
            self.is_unheeded = true;
            return;
        }
        let notice = std::mem::take(&mut self.is_unheeded);
        if let Some(receipt) = receipt {
            self.voice.receipt(&receipt, (answer, notice), out);
        }
    }

    /// The engine has refused a request. What the client sent behind it is not processed: outputs that were taken and
    /// not yet acted on are void, and so is a [`Close`](Output::Close) among them. Another one follows.
    #[expect(clippy::needless_pass_by_value, reason = "the receipt is used up, as in `answered`")]
    pub fn refused(&mut self, receipt: Option<Receipt>, refusal: Refusal) {
        self.state = State::Over;
        self.outputs.clear();
        self.close(receipt.as_ref(), &Fault::Refused(refusal));
    }

    /// There is no room for what the last frame has brought into a transaction: it gets an ERROR instead of the receipt that has
    /// not been taken out yet.
    pub fn retract(&mut self, refusal: Refusal) {
        let receipts = self.outputs.drain(..).filter_map(|output| match output {
            Output::Promise(receipt) => Some(receipt),
            _ => None,
        });
        let receipt = receipts.last();
        self.refused(receipt, refusal);
    }

    /// Whether a delivery for that subscription would still be written.
    pub fn is_subscribed(&self, subscription: SubscriptionId) -> bool {
        self.state.client().is_some_and(|client| client.subscription(subscription).is_some())
    }

    /// Writes a MESSAGE. `false`, and nothing is written, if its subscription has ended meanwhile.
    pub fn deliver(&mut self, _now: Now, delivery: &Delivery, content: &Content, out: &mut Burst) -> bool {
        let subscription = self.state.client().and_then(|client| client.subscription(delivery.subscription));
        let Some(subscription) = subscription else { return false };
        self.voice.message(subscription, delivery, content, out);
        true
    }

    /// Writes the MESSAGE that marks the end of a subscription, unless the client has ended it meanwhile itself.
    pub fn ended(&mut self, subscription: SubscriptionId, why: End, out: &mut Burst) {
        if let Some(subscription) = self.state.client().and_then(|client| client.subscription(subscription)) {
            self.voice.end(subscription, why, out);
        }
    }

    /// The engine ends the session.
    pub fn disconnected(&mut self, _now: Now, refusal: Refusal) {
        self.fail(None, &Fault::Refused(refusal));
    }

    /// Octets left.
    pub fn wrote(&mut self, now: Now) {
        self.heart_beat.wrote(now.monotonic);
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Now) {
        if self.is_over() {
            return;
        }
        let now = now.monotonic;
        let late = self.state.login_deadline().is_some_and(|deadline| now >= deadline);
        let overdue = match self.state.client() {
            None => late.then_some(Fault::ConnectTimeout { limit: self.options.connect_timeout }),
            Some(client) => self.heart_beat.overdue(now).or_else(|| client.overdue(now)),
        };
        if let Some(fault) = overdue {
            return self.fail(None, &fault);
        }
        if self.heart_beat.beat(now) {
            self.outputs.push_back(Output::HeartBeat);
        }
    }

    /// When to call [`tick`](Session::tick) at the latest, as a reading of the monotonic clock.
    pub fn deadline(&self) -> Option<Duration> {
        if self.is_over() {
            return None;
        }
        let transaction = self.state.client().and_then(Client::deadline);
        let deadlines = [self.state.login_deadline(), self.heart_beat.deadline(), transaction];
        deadlines.into_iter().flatten().min()
    }

    /// The version spoken; 1.0 until a CONNECT has been received.
    pub fn version(&self) -> Version {
        self.voice.version
    }

    /// Transactions that are open.
    pub fn transactions(&self) -> usize {
        self.state.client().map_or(0, Client::transactions)
    }

    /// Bytes that open transactions hold.
    pub fn transaction_bytes(&self) -> usize {
        self.state.client().map_or(0, Client::transaction_bytes)
    }

    /// Whether a login is being checked.
    pub fn awaits_login(&self) -> bool {
        matches!(self.state, State::Authenticating { .. })
    }

    /// Whether the client has logged in and not left.
    pub fn is_established(&self) -> bool {
        self.state.client().is_some()
    }

    /// Whether the last output has been made. What the client still sends is to be read and forgotten.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    fn connect(&mut self, until: Duration, frame: &Frame) -> Result<(), Fault> {
        let version = handshake::negotiate(frame)?;
        self.voice.version = version;
        let (hello, credentials) = handshake::understand(frame, version, &self.options)?;
        self.state = State::Authenticating { until, hello: Box::new(hello) };
        self.outputs.push_back(Output::Authenticate(credentials));
        Ok(())
    }

    /// Open transactions are forgotten; the receipt comes behind all others.
    fn disconnect(&mut self, receipt: Option<Receipt>) {
        self.outputs.extend(receipt.map(Output::Promise));
        self.state = State::Over;
        let words = "the client disconnected".to_owned();
        self.outputs.push_back(Output::Close(Farewell { error: None, code: Farewell::GOODBYE, words, linger: true }));
    }

    fn fail(&mut self, receipt: Option<&Receipt>, fault: &Fault) {
        if !self.is_over() {
            self.state = State::Over;
            self.close(receipt, fault);
        }
    }

    fn close(&mut self, receipt: Option<&Receipt>, fault: &Fault) {
        self.outputs.push_back(Output::Close(Farewell {
            error: Some(self.voice.error(fault, receipt)),
            code: fault.code(),
            words: fault.words(),
            linger: fault.leaves_a_reader(),
        }));
    }
}
