//! The task itself: what it holds, what it waits for, what it does then.

use std::future::{Future, poll_fn};
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::FutureExt as _;
use kolejka_codec::{Decoder, Limits};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::batch::Batch;
use super::closing::Phase;
use super::holding::{Holding, Patience};
use super::outgoing::{Deliveries, Receipts};
use super::users::{Membership, Users};
use super::waking::Woken;
use crate::auth::{Admitted, Credentials, Denied, Generation, Grants, Peer, Principal, Revoked};
use crate::clock::Clock;
use crate::engine::{Client, Handle};
use crate::model::{Burst, Event, Now};
use crate::seeded::{self, Bug};
use crate::stomp::Session;
use crate::transport::Stream;

/// Limits of a connection.
#[derive(Clone, Debug)]
pub struct Options {
    /// Of a frame, before the client is let in.
    pub stranger_limits: Limits,
    /// Of a frame, afterwards.
    pub limits: Limits,
    /// How long a frame may take to arrive once it has begun, plus one second for each 64 KiB received.
    pub frame_timeout: Duration,
    /// Octets waiting to be written, beyond which nothing more is read.
    pub output_bytes: usize,
    /// Receipts that may wait for the log, beyond which nothing more is read.
    pub pending_receipts: usize,
    /// How long a peer may take nothing of what is written.
    pub write_stall: Duration,
    /// How long messages wait for room on a full disk before they are refused.
    pub disk_wait: Duration,
    /// How long the last words may take to be acknowledged by the log.
    pub drain: Duration,
    /// How long the peer may take to close its side after ours.
    pub linger: Duration,
}

impl Options {
    /// A frame waits for memory as long as another of any size may take. In its turn it goes beyond the share, so it has to
    /// come quickly.
    fn patience(&self) -> Patience {
        let largest = Duration::from_secs((self.limits.body_bytes / (64 * 1024)) as u64);
        Patience { wait: self.frame_timeout + largest, step: self.frame_timeout / 16 }
    }
}

/// What all connections share.
#[derive(Clone)]
pub struct Surroundings {
    /// The engine.
    pub handle: Handle,
    /// Who may come in.
    pub gate: Arc<dyn Gate>,
    /// What each user has open.
    pub open: Arc<Users>,
    /// Limits.
    pub options: Arc<Options>,
    /// The server is about to stop.
    pub shutdown: CancellationToken,
}

/// Lets clients in, or not. The server's, because it counts and throttles.
pub trait Gate: Send + Sync {
    /// Checks credentials; may take a while, on another thread, and a failure seconds. Tells when the password is looked at.
    fn verify<'a>(
        &'a self,
        peer: Peer,
        credentials: Credentials,
        place: &'a dyn Place,
    ) -> Pin<Box<dyn Future<Output = Result<Admitted, Denied>> + Send + 'a>>;

    /// Tells when the users have changed.
    fn changes(&self) -> watch::Receiver<Generation>;

    /// What a client that was let in by the users of that generation may do now, or why it has to go.
    fn review(&self, peer: Peer, who: &Principal, generation: Generation) -> Result<Grants, Revoked>;
}

/// One client's connection.
pub struct Connection {
    pub(super) stream: Stream,
    pub(super) session: Session,
    pub(super) decoder: Decoder,
    pub(super) input: BytesMut,
    pub(super) out: Burst,
    pub(super) client: Option<Client>,
    pub(super) surroundings: Surroundings,
    pub(super) clock: Clock,
    pub(super) owner: String,
    pub(super) peer: Peer,
    /// Whom the client is let in as, and by the users of which generation.
    pub(super) standing: Option<(Principal, Generation)>,
    pub(super) users: watch::Receiver<Generation>,
    pub(super) batch: Batch,
    /// Whose it is, once its client is let in.
    pub(super) membership: Option<Membership>,
    /// What of all this is counted.
    pub(super) holding: Holding,
    pub(super) receipts: Receipts,
    pub(super) deliveries: Deliveries,
    pub(super) events: Vec<Event>,
    pub(super) phase: Phase,
    /// Why the conversation ends.
    pub(super) ending: Ending,
    /// Our side of the socket is to be closed.
    pub(super) half_close: bool,
    /// The stream has taken octets out of `out` that it could not send yet.
    pub(super) held_back: bool,
    stall: Stall,
    /// Since when a frame is on its way.
    pub(super) begun: Option<Duration>,
    pub(super) room: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Counts looks at what can wake the task.
    pub(super) turn: u8,
    /// Is told how far the client is.
    pub(super) place: Box<dyn Place>,
}

/// Whether the peer takes what is written.
#[derive(Debug, Default)]
struct Stall {
    since: Option<Duration>,
    taken: usize,
}

/// How a conversation came to its end.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// A word that stands for all ends of its kind: the code of the ERROR, where there was one.
    pub code: &'static str,
    /// In words, for the log.
    pub words: String,
    /// Nothing went wrong: one side said goodbye.
    pub is_orderly: bool,
}

impl Ending {
    pub(super) fn trouble(words: impl Into<String>) -> Ending {
        Ending { code: "connection-lost", words: words.into(), is_orderly: false }
    }
}

/// A connection's place among all others, given back when dropped. The server's, because it counts them.
pub trait Place: Send + Sync {
    /// The password of its client is looked at from now on, or the refusal held back.
    fn logs_in(&self);

    /// The refusal leaves.
    fn is_refused(&self);

    /// Its client is in.
    fn is_in(&self);
}

/// A stranger becomes a connection when its first octets are understood.
pub struct Arrival {
    /// The socket.
    pub stream: Stream,
    /// Its session.
    pub session: Session,
    /// What names of its temporary destinations begin with.
    pub owner: String,
    /// Where it comes from.
    pub peer: Peer,
    /// Its place among all connections.
    pub place: Box<dyn Place>,
}

impl Connection {
    /// A connection that has said nothing yet.
    pub fn new(arrival: Arrival, surroundings: Surroundings) -> Connection {
        let Arrival { stream, session, owner, peer, place } = arrival;
        Connection {
            out: stream.new_burst(),
            stream,
            session,
            decoder: Decoder::new(surroundings.options.stranger_limits),
            input: BytesMut::new(),
            client: None,
            clock: surroundings.handle.clock(),
            membership: None,
            holding: Holding::new(&surroundings.handle.memory(), surroundings.options.patience()),
            standing: None,
            users: surroundings.gate.changes(),
            surroundings,
            owner,
            peer,
            batch: Batch::default(),
            receipts: Receipts::default(),
            deliveries: Deliveries::default(),
            events: Vec::new(),
            phase: Phase::Open,
            ending: Ending::default(),
            half_close: false,
            held_back: false,
            turn: 0,
            stall: Stall::default(),
            begun: None,
            room: None,
            place,
        }
    }

    /// Serves the client until one side is done. Returns why. A panic is the end of this connection and of no other: its
    /// session is closed as if the connection had been lost. Boxed, because a future keeps what it is given more than once.
    pub async fn run(self: Box<Self>) -> Ending {
        AssertUnwindSafe(self.serve()).catch_unwind().await.unwrap_or_else(|_| {
            error!("the connection panicked, which is a bug; the others go on");
            Ending::trouble("it panicked")
        })
    }

    async fn serve(mut self: Box<Self>) -> Ending {
        let mut sleep = Box::pin(tokio::time::sleep(Duration::ZERO));
        let mut news = self.news();
        // What the timer is set to. Once it has run out it is set to nothing, not even to the moment that never comes.
        let (mut armed, mut is_set) = (None, false);
        loop {
            self.encode_deliveries().await;
            self.weigh();
            if let Some(ending) = self.advance_close() {
                return ending;
            }
            let due = self.deadline();
            if !is_set || due != armed {
                (armed, is_set) = (due, true);
                let moment = due.unwrap_or(self.clock.now().monotonic + NEVER);
                sleep.as_mut().reset(self.clock.instant(moment).into());
            }
            self.watch_room();
            let reads = self.may_read();
            let woken = poll_fn(|context| self.poll_wake(context, sleep.as_mut(), news.as_mut())).await;
            if !reads {
                self.excuse_silence();
            }
            // Before anything that was read or is to be delivered: whoever saw a change take effect may rely on it.
            if self.users.has_changed().unwrap_or(false) {
                self.review().await;
            }
            match woken {
                Woken::Read => {
                    self.session.heard(self.now());
                    self.digest().await;
                }
                Woken::PeerClosed => {
                    self.digest().await;
                    self.peer_closed();
                }
                Woken::Wrote => {
                    self.stall.since = None;
                    self.session.wrote(self.now());
                    self.all_written().await;
                }
                Woken::Told => self.take_events().await,
                Woken::Room => self.room = None,
                // It is weighed again, and goes on.
                Woken::Memory => {}
                Woken::OtherUsers => news = self.news(),
                Woken::Stopping => {
                    news = Box::pin(std::future::pending());
                    self.stop().await;
                }
                Woken::Due => {
                    (armed, is_set) = (armed.filter(|_| !seeded::is(Bug::TimerNotSet)), seeded::is(Bug::TimerNotSet));
                    if self.is_stalled() {
                        return Ending::trouble("the peer reads nothing");
                    }
                    self.keep_time().await;
                }
                Woken::Lost(error) if error.kind() == io::ErrorKind::InvalidData && self.phase.is_open() => {
                    self.session.violated(self.now(), error.to_string());
                    self.collect().await;
                }
                Woken::Lost(error) => return Ending::trouble(format!("connection lost: {error}")),
            }
        }
    }

    /// Something is due.
    async fn keep_time(&mut self) {
        self.session.tick(self.now());
        if self.batch.retry().is_some_and(|retry| retry <= self.now().monotonic) {
            self.flush_batch().await;
        }
        if self.frame_deadline().is_some_and(|deadline| deadline <= self.now().monotonic) {
            self.session.unfinished(self.now());
        }
        self.give_up_starved();
        self.collect().await;
    }

    /// The peer was not read: neither a frame nor a sign of life is late because of that.
    fn excuse_silence(&mut self) {
        let now = self.now();
        self.session.heard(now);
        self.begun = self.begun.map(|_| now.monotonic);
    }

    /// Counts what is held now.
    fn weigh(&mut self) {
        let half = if self.phase.is_open() { self.half_frame() } else { 0 };
        self.holding.weigh_input(half + self.batch.waiting_bytes(), self.clock.now().monotonic);
        self.weigh_output();
    }

    /// Counts what waits to be written, for the peer or for the log.
    pub(super) fn weigh_output(&mut self) {
        self.holding.weigh_output(self.out.len(), self.receipts.bytes());
    }

    /// Bytes of a frame that is not complete, wherever they are.
    pub(super) fn half_frame(&self) -> usize {
        self.input.len() + self.stream.held()
    }

    /// A frame for which there is no memory is given up in the end.
    fn give_up_starved(&mut self) {
        let now = self.now();
        if let Some(refusal) = self.holding.overdue(now.monotonic) {
            self.input = BytesMut::new();
            self.session.disconnected(now, refusal);
        }
    }

    fn watch_room(&mut self) {
        if self.room.is_none() && matches!(self.phase, Phase::Open) && self.surroundings.handle.is_spent() {
            let handle = self.surroundings.handle.clone();
            self.room = Some(Box::pin(async move { handle.room().await }));
        }
    }

    fn deadline(&mut self) -> Option<Duration> {
        let now = self.clock.now().monotonic;
        let taken = self.taken();
        if !self.has_unsent() {
            self.stall.since = None;
        } else if self.stall.since.is_none() || self.stall.taken != taken {
            self.stall = Stall { since: Some(now), taken };
        }
        let stalled = self.stall.since.map(|since| since + self.surroundings.options.write_stall);
        let deadlines = [
            self.session.deadline(),
            stalled,
            self.frame_deadline(),
            self.phase.deadline(),
            self.batch.retry(),
            self.holding.deadline().filter(|_| self.phase.is_open()),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Until when the frame that has begun must be complete: the more of it there is, the later.
    fn frame_deadline(&self) -> Option<Duration> {
        let received = Duration::from_secs((self.input.len() / (64 * 1024)) as u64);
        self.begun
            .filter(|_| self.phase.is_open())
            .map(|begun| begun + self.surroundings.options.frame_timeout + received)
    }

    /// Rises as long as the peer takes something.
    fn taken(&self) -> usize {
        self.out.taken() + self.stream.pieces()
    }

    fn is_stalled(&self) -> bool {
        let patience = self.surroundings.options.write_stall;
        self.stall.taken == self.taken()
            && self.stall.since.is_some_and(|since| self.clock.now().monotonic >= since + patience)
    }

    pub(super) async fn authenticate(&mut self, credentials: Credentials) -> Result<Grants, Denied> {
        let Admitted { grants, generation } =
            self.surroundings.gate.verify(self.peer, credentials, &*self.place).await?;
        self.standing = Some((grants.principal().clone(), generation));
        Ok(grants)
    }

    pub(super) fn now(&self) -> Now {
        self.clock.now()
    }
}

/// As good as no deadline at all.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);
