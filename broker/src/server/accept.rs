//! From an open port to running connections.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, info, info_span, warn};

use super::admission::{Admission, Place};
use super::repeats::Repeats;
use crate::auth::Peer;
use crate::clock::Clock;
use crate::connection;
use crate::connection::{Arrival, Connection, Surroundings};
use crate::model::{Network, Now};
use crate::stomp::{self, PeerFacts, Session};
use crate::transport::{Accepted, Kind, Listener, Stream};

/// What every connection of a listener is given.
#[derive(Clone)]
pub(super) struct Reception {
    pub(super) surroundings: Surroundings,
    pub(super) session: Arc<stomp::Options>,
    /// Whether frames of a byte stream end with an LF behind their NUL. In WebSocket messages they never do.
    pub(super) trailing_lf: bool,
    /// Whether clients without a login may come in, where there are users.
    pub(super) anonymous: bool,
    pub(super) admission: Admission,
    pub(super) repeats: Repeats,
    pub(super) tasks: TaskTracker,
    pub(super) stopping: CancellationToken,
}

impl Reception {
    /// Takes connections in until the server stops, or the port is broken.
    pub(super) async fn run(self, mut listener: Listener) {
        let _vital = self.surroundings.handle.vital("a listener");
        if self.stopping.run_until_cancelled(self.surroundings.handle.ready()).await.is_none() {
            return;
        }
        loop {
            let accepted = tokio::select! {
                () = self.stopping.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok(accepted) => self.welcome(accepted),
                Err(error) => {
                    tracing::error!(address = %listener.local_addr(), %error, "the listener is broken");
                    return;
                }
            }
        }
    }

    fn welcome(&self, accepted: Accepted) {
        let address = accepted.address();
        let now = self.surroundings.handle.clock().now();
        let reception = self.clone();
        let span = info_span!("client", %address);
        match self.admission.enter(address.ip(), now.monotonic) {
            Ok(place) => {
                let task = async move {
                    let (sent_off, repeats) = (place.sent_off(), reception.repeats.clone());
                    let served = sent_off.run_until_cancelled(reception.serve(accepted, now, place)).await;
                    if served.is_none() && repeats.is_first("gave-way", Network::of(address.ip())) {
                        info!("gave way to others: it had not logged in");
                    }
                };
                self.tasks.spawn(task.instrument(span));
            }
            Err(sentence) => {
                let is_first = self.repeats.is_first(sentence, Network::of(address.ip()));
                // Each holds a descriptor. With too many of them at a time the rest gets no word.
                let Some(permit) = self.admission.refusal() else {
                    return debug!(%address, reason = sentence, "refused without a word");
                };
                let task = async move {
                    if is_first {
                        warn!(reason = sentence, "refused");
                    }
                    accepted.refuse(sentence).await;
                    drop(permit);
                };
                self.tasks.spawn(task.instrument(span));
            }
        }
    }

    async fn serve(self, accepted: Accepted, now: Now, place: Place) {
        let network = Network::of(accepted.address().ip());
        // Each of these is large, and only one of them is needed at a time.
        match self.stopping.run_until_cancelled(Box::pin(accepted.establish())).await {
            Some(Ok(stream)) => self.converse(stream, now, place).await,
            Some(Err(rejected)) if self.repeats.is_first(rejected.kind(), network) => {
                info!(reason = %rejected, "not connected");
            }
            Some(Err(rejected)) => debug!(reason = %rejected, "not connected"),
            None => {}
        }
    }

    async fn converse(self, stream: Stream, now: Now, place: Place) {
        let peer = *stream.peer();
        let facts = PeerFacts {
            websocket: peer.kind == Kind::WebSocket,
            trailing_lf: self.trailing_lf && peer.kind.trailing_lf(),
            owner_token: uuid::Uuid::new_v4().simple().to_string(),
            session_name: uuid::Uuid::new_v4().simple().to_string(),
        };
        debug!(kind = peer.kind.as_str(), tls = peer.tls, "connected");
        let arrival = Arrival {
            owner: facts.owner_token.clone(),
            session: Session::new(Arc::clone(&self.session), facts, now),
            peer: Peer { address: peer.address.ip(), anonymous: self.anonymous },
            place: Box::new(Seat { place: Mutex::new(place), clock: self.surroundings.handle.clock() }),
            stream,
        };
        let ending = Box::new(Connection::new(arrival, self.surroundings.clone())).run().await;
        if !ending.is_orderly && self.repeats.is_first(ending.code, Network::of(peer.address.ip())) {
            info!(reason = %ending.words, "disconnected");
        } else {
            debug!(reason = %ending.words, "disconnected");
        }
    }
}

/// A place, as its connection knows it. Counted at once: a client that has logged in gives way to nobody.
struct Seat {
    place: Mutex<Place>,
    clock: Clock,
}

impl Seat {
    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl connection::Place for Seat {
    fn logs_in(&self) {
        self.place().speaks();
    }

    fn is_refused(&self) {
        self.place().is_refused();
    }

    fn is_in(&self) {
        self.place().logged_in(self.clock.now().monotonic);
    }
}
