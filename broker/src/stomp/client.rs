//! A client that has logged in: its frames become requests, transactions and subscriptions. Knows nothing of CONNECT,
//! of heart-beats and of how replies are written.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kolejka_codec::Command;
use kolejka_codec::Frame;
use kolejka_codec::Headers;
use kolejka_codec::Version;
use kolejka_codec::header::names::{DESTINATION, ID, TRANSACTION};

use super::browse;
use super::composite;
use super::credit::{self, Asked};
use super::error::Fault;
use super::feed;
use super::gate::{Gate, Routing};
use super::job;
use super::lease;
use super::names;
use super::operator;
use super::options::Options;
use super::query;
use super::schedule;
use super::settlement;
use super::speech;
use super::subscription::{Subscription, Subscriptions, Wanted};
use super::take;
use super::transaction::Transactions;
use super::turn::Turn;
use super::understand::{self, Sending};
use crate::auth::Grants;
use crate::model::AckMode;
use crate::model::Action;
use crate::model::DestinationName;
use crate::model::Manner;
use crate::model::Now;
use crate::model::Outcome;
use crate::model::Publish;
use crate::model::Request;
use crate::model::Settle;
use crate::model::Source;
use crate::model::Subscribe;
use crate::model::SubscriptionId;
use crate::seeded::{self, Bug};

/// What is known of a client between CONNECTED and its end.
#[derive(Debug)]
pub(super) struct Client {
    options: Arc<Options>,
    version: Version,
    pub(super) gate: Gate,
    subscriptions: Subscriptions,
    transactions: Transactions,
    /// Where heads are written, kept for its allocation.
    scratch: BytesMut,
}

impl Client {
    /// What the buffer for heads may keep: more is given back.
    const SCRATCH_BYTES: usize = 16 * 1024;

    /// A client that may do what its gate lets through, and speaks `version`.
    pub(super) fn new(options: Arc<Options>, version: Version, gate: Gate) -> Client {
        let subscriptions = Subscriptions::new(options.subscriptions_per_connection, version);
        Client {
            options,
            version,
            gate,
            subscriptions,
            transactions: Transactions::default(),
            scratch: BytesMut::new(),
        }
    }

    /// Processes a frame. CONNECT and DISCONNECT are not for here.
    pub(super) fn receive(&mut self, turn: Turn<'_>, frame: &Frame) -> Result<(), Fault> {
        match frame.command {
            Command::Send => self.send(turn, frame),
            Command::Subscribe => self.subscribe(turn, frame),
            Command::Unsubscribe => self.unsubscribe(turn, frame),
            Command::Ack | Command::Nack => self.settle(turn, frame),
            Command::Begin => self.begin(turn, frame),
            Command::Commit => self.commit(turn, frame),
            Command::Abort => self.abort(turn, frame),
            command => Err(Fault::ServerCommand(command)),
        }
    }

    /// Other rights hold from now on. A subscription to what may not be read any more is a fault; what patterns reach is for
    /// the engine to find out.
    pub(super) fn regrant(&mut self, grants: Grants) -> Result<(), Fault> {
        self.gate.regrant(grants);
        self.subscriptions.iter().try_for_each(|subscription| {
            self.gate.check_readable(&subscription.to)?;
            feed::check(subscription, &self.gate)
        })
    }

    /// The subscription that a delivery is for, if it is still there.
    pub(super) fn subscription(&self, number: SubscriptionId) -> Option<&Subscription> {
        self.subscriptions.get(number)
    }

    /// Transactions that are open.
    pub(super) fn transactions(&self) -> usize {
        self.transactions.len()
    }

    /// Bytes that open transactions hold.
    pub(super) fn transaction_bytes(&self) -> usize {
        self.transactions.bytes()
    }

    /// When a transaction will have been open for too long.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.transactions.deadline()
    }

    /// What to say if one has been.
    pub(super) fn overdue(&self, now: Duration) -> Option<Fault> {
        let over = self.transactions.deadline().is_some_and(|deadline| now >= deadline);
        over.then_some(Fault::TransactionIdle { limit: self.options.transaction_idle })
    }

    fn send(&mut self, turn: Turn<'_>, frame: &Frame) -> Result<(), Fault> {
        let written = required(frame, DESTINATION)?;
        if operator::is_plain(written) {
            return self.send_to_one(turn, frame, written);
        }
        self.send_elsewhere(turn, frame, written)
    }

    pub(super) fn send_to_one(&mut self, mut turn: Turn<'_>, frame: &Frame, written: &str) -> Result<(), Fault> {
        let (to, sending) = self.sending(turn.now, (frame, &mut None), written)?;
        let Sending { message, key, retain, transaction, limits, reply } = sending;
        if limits {
            self.shape(&mut turn, frame, &to, transaction)?;
        }
        if let Some((written, full)) = reply {
            self.listen_for_reply(&mut turn, written, full)?;
        }
        let to = schedule::address(to, &message);
        self.act(&mut turn, transaction, Action::Publish(Publish { to, message, key, retain }))
    }

    /// A message for one destination, which the client may send to. `body` is that of the copies before it.
    fn sending<'f>(
        &mut self,
        now: Now,
        (frame, body): (&'f Frame, &mut Option<Bytes>),
        written: &str,
    ) -> Result<(DestinationName, Sending<'f>), Fault> {
        let routing = Routing::of(written, &frame.headers, "destination-type")?;
        let to = self.gate.writable(written, routing)?;
        let sending = understand::sending((frame, body), (written, &to), &mut self.gate, now.wall, &mut self.scratch)?;
        schedule::not_too_often(&sending.message, self.options.schedule_period)?;
        if self.scratch.capacity() > Self::SCRATCH_BYTES {
            self.scratch = BytesMut::new();
        }
        Ok((to, sending))
    }

    /// A message for each destination of a list: all of them or none, as one unit of the log. Each copy says where it was
    /// sent to.
    pub(super) fn send_to_all(&mut self, mut turn: Turn<'_>, frame: &Frame, list: &str) -> Result<(), Fault> {
        let (mut actions, mut transaction, mut reply) = (Vec::new(), None, None);
        let mut body = None;
        for written in composite::parts(list)? {
            let (to, sending) = self.sending(turn.now, (frame, &mut body), &written)?;
            (transaction, reply) = (sending.transaction, sending.reply);
            if !actions.is_empty() && sending.message.is_named() {
                return Err(Fault::BadHeader { header: "x-job-token", expected: "one destination" });
            }
            if sending.limits {
                self.shape(&mut turn, frame, &to, transaction)?;
            }
            actions.push(Action::Publish(Publish {
                to: schedule::address(to, &sending.message),
                message: sending.message,
                key: sending.key,
                retain: sending.retain,
            }));
        }
        if let Some((written, full)) = reply {
            self.listen_for_reply(&mut turn, written, full)?;
        }
        if seeded::is(Bug::ListLosesTheLast) {
            drop(actions.pop());
        }
        let Some(id) = transaction else {
            turn.ask(Request::Commit(actions));
            return Ok(());
        };
        self.transactions.take_all(id, actions, turn.now.monotonic, &self.options)?;
        turn.promise();
        Ok(())
    }

    /// Whoever names a temporary destination in `reply-to` wants to hear the answer, subscribed or not.
    pub(super) fn listen_for_reply(
        &mut self,
        turn: &mut Turn<'_>,
        written: &str,
        to: DestinationName,
    ) -> Result<(), Fault> {
        if self.subscriptions.reads(&to) {
            return Ok(());
        }
        self.gate.readable(written, Routing::Queue)?;
        let credit = self.options.auto_credit;
        let to = Source::Name(to);
        let wanted = Wanted { id: Some(written), to: to.clone(), feed: None, written, implicit: true };
        let id = self.subscriptions.add(wanted)?;
        turn.ask_before(Request::Subscribe(Subscribe {
            id,
            to,
            mode: AckMode::Auto,
            credit,
            time_to_run_ms: None,
            filter: None,
        }));
        Ok(())
    }

    fn subscribe(&mut self, mut turn: Turn<'_>, frame: &Frame) -> Result<(), Fault> {
        let written = required(frame, DESTINATION)?;
        let id = match frame.headers.get(ID) {
            None if self.version >= Version::V1_1 => return Err(missing(frame, ID)),
            id => id,
        };
        let mode = understand::ack_mode(frame)?;
        let (written, query) = query::split(written);
        let frame = &*query::applied(frame, query)?;
        let routing = Routing::of(written, &frame.headers, "subscription-type")?;
        let (address, queue) = feed::qualified(written, routing);
        let to = self.source(address, routing, &frame.headers)?;
        self.gate.check_readable(&to)?;
        composite::check_order(&frame.headers, &to)?;
        names::check_subscribe(&frame.headers)?;
        if let Some(implicit) = self.subscriptions.remove_implicit(&to) {
            turn.ask_before(Request::Unsubscribe(implicit));
        }
        // A wish for prefetch means something only where acknowledgements bring it back; it is read in any case.
        let Asked { credit, pull } = credit::asked(&frame.headers, &self.options)?;
        let credit = if mode == AckMode::Auto { self.options.auto_credit } else { credit };
        let (time_to_run_ms, bound) = lease::asked(&frame.headers, turn.beats)?;
        let filter = understand::selector(&frame.headers)?;
        let feed = feed::asked(&frame.headers, &to, (id, queue), &self.gate)?;
        // A durable subscription keeps only what its selector lets through, so its readers need none.
        let filter = filter.filter(|_| feed.as_ref().is_none_or(|feed| feed.selector.is_none()));
        let queue = feed.as_ref().map(|feed| feed.queue.clone());
        let from = feed.map_or_else(|| to.clone(), |feed| Source::Feed(Arc::new(feed)));
        let manner = Manner { bound, ..take::manner(&frame.headers, (&to, &from), pull)? };
        let browse = browse::asked(&frame.headers, &from)?;
        self.shape_subscribed(&mut turn, frame, &from)?;
        let id = self.subscriptions.add(Wanted { id, to, feed: queue, written, implicit: false })?;
        let subscribe = Subscribe { id, to: from, mode, credit, time_to_run_ms, filter };
        turn.ask(match browse {
            Some(browse) => browse.request(subscribe, manner, &self.options)?,
            None => manner.request(subscribe),
        });
        Ok(())
    }

    /// What a client reads from, without a look at its rights.
    fn source(&self, written: &str, routing: Routing, headers: &Headers) -> Result<Source, Fault> {
        if let Some(name) = written.strip_prefix(job::PREFIX) {
            return job::watched(name);
        }
        if composite::is_list(written) {
            return composite::source(written, headers, &self.gate);
        }
        self.gate.any(written, routing)
    }

    /// By id, or by destination in every version: there are clients that do not keep their ids. One that names its durable
    /// subscription again ends it for good, also if it is not reading.
    fn unsubscribe(&mut self, mut turn: Turn<'_>, frame: &Frame) -> Result<(), Fault> {
        let written = frame.headers.get(DESTINATION).map(|written| query::split(written).0);
        let id = frame.headers.get(ID);
        let routing = Routing::of(written.unwrap_or_default(), &frame.headers, "subscription-type")?;
        let (address, queue) = feed::qualified(written.unwrap_or_default(), routing);
        let ended = match (id, written) {
            (Some(id), _) => self.subscriptions.remove_id(id),
            (None, Some(_)) => {
                let source = self.source(address, routing, &frame.headers)?;
                self.subscriptions.remove_destination(&source)
            }
            (None, None) => return Err(missing(frame, ID)),
        };
        let for_good = feed::is_for_good(&frame.headers);
        let gone = match ended {
            Ok(ended) if for_good && ended.feed.is_some() => {
                // The right may have been taken away since the SUBSCRIBE.
                feed::check(&ended, &self.gate)?;
                turn.ask_before(Request::Unsubscribe(ended.number));
                ended.feed
            }
            Ok(ended) => {
                turn.ask(Request::Unsubscribe(ended.number));
                return Ok(());
            }
            Err(Fault::UnknownSubscription) if for_good => {
                written.ok_or_else(|| missing(frame, DESTINATION))?;
                let source = self.gate.any(address, routing)?;
                feed::asked(&frame.headers, &source, (id, queue), &self.gate)?.map(|feed| feed.queue)
            }
            Err(Fault::UnknownSubscription) => None,
            Err(fault) => return Err(fault),
        };
        turn.ask(gone.map_or(Request::Decline(crate::model::SoftRefusal::Unknown), Request::Discard));
        Ok(())
    }

    /// An ACK may grant credit, with or without a message that it is about; that holds at once, in a transaction too.
    fn settle(&mut self, mut turn: Turn<'_>, frame: &Frame) -> Result<(), Fault> {
        if settlement::is_of_marker(&frame.headers) {
            turn.promise();
            return Ok(());
        }
        let grant = match frame.command {
            Command::Ack => take::grant(&frame.headers, &self.subscriptions)?,
            _ => None,
        };
        if grant.is_none() || take::names_message(&frame.headers) {
            let settle = settlement::settle(frame, &self.subscriptions)?;
            self.act(&mut turn, frame.headers.get(TRANSACTION), speech::verdict(frame, settle))?;
        }
        if let Some(grant) = grant {
            turn.ask(Request::Grant(grant));
        }
        Ok(())
    }

    /// Does it now, or puts it into its transaction. There its receipt is due at once: it says that the transaction took
    /// the frame, and some clients wait for it before they send COMMIT.
    pub(super) fn act(&mut self, turn: &mut Turn<'_>, transaction: Option<&str>, action: Action) -> Result<(), Fault> {
        match (transaction, action) {
            (Some(id), action) => {
                self.transactions.take(id, action, turn.now.monotonic, &self.options)?;
                turn.promise();
            }
            (None, Action::Publish(publish)) => turn.ask(Request::Publish(publish)),
            (None, Action::Settle(settle)) => turn.ask(Request::Settle(settle)),
            (None, Action::Job(said)) => turn.ask(Request::Job(said)),
        }
        Ok(())
    }

    fn begin(&mut self, mut turn: Turn<'_>, frame: &Frame) -> Result<(), Fault> {
        self.transactions.begin(required(frame, TRANSACTION)?, turn.now.monotonic, &self.options)?;
        turn.promise();
        Ok(())
    }

    fn commit(&mut self, mut turn: Turn<'_>, frame: &Frame) -> Result<(), Fault> {
        let actions = self.transactions.end(required(frame, TRANSACTION)?)?;
        for action in &actions {
            if let Action::Publish(publish) = action {
                self.gate.check_publish(publish)?;
            }
        }
        if actions.is_empty() {
            turn.promise();
        } else {
            turn.ask(Request::Commit(actions));
        }
        Ok(())
    }

    /// What was delivered stays with the client, to be acknowledged again; unless it says `redeliver:true`: then what the
    /// transaction acknowledged goes back, uncounted.
    fn abort(&mut self, mut turn: Turn<'_>, frame: &Frame) -> Result<(), Fault> {
        let actions = self.transactions.end(required(frame, TRANSACTION)?)?;
        if seeded::is(Bug::AbortCommits) {
            turn.ask(Request::Commit(actions));
            return Ok(());
        }
        if frame.headers.get("redeliver") == Some("true") {
            for action in actions {
                if let Action::Settle(settle) = action {
                    turn.ask_before(Request::Settle(Settle { outcome: Outcome::Release, ..settle }));
                }
            }
        }
        turn.promise();
        Ok(())
    }
}

fn required<'f>(frame: &'f Frame, header: &'static str) -> Result<&'f str, Fault> {
    frame.headers.get(header).ok_or_else(|| missing(frame, header))
}

fn missing(frame: &Frame, header: &'static str) -> Fault {
    Fault::MissingHeader { command: frame.command, header }
}
