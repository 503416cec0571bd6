//! From an open port to running connections.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, debug, info, info_span, warn};

use super::admission::Admission;
use crate::auth::Peer;
use crate::connection::{Arrival, Connection, Surroundings};
use crate::model::Now;
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
                    let established = reception.stopping.run_until_cancelled(accepted.establish()).await;
                    match established {
                        Some(Ok(stream)) => reception.converse(stream, now, place).await,
                        Some(Err(rejected)) => info!(reason = %rejected, "not connected"),
                        None => {}
                    }
                };
                self.tasks.spawn(task.instrument(span));
            }
            Err(sentence) => {
                // Each holds a descriptor. With too many of them at a time the rest gets no word.
                let Some(permit) = self.admission.refusal() else {
                    return debug!(%address, reason = sentence, "refused without a word");
                };
                let task = async move {
                    warn!(reason = sentence, "refused");
                    accepted.refuse(sentence).await;
                    drop(permit);
                };
                self.tasks.spawn(task.instrument(span));
            }
        }
    }

    async fn converse(self, stream: Stream, now: Now, mut place: super::admission::Place) {
        let peer = *stream.peer();
        let facts = PeerFacts {
            websocket: peer.kind == Kind::WebSocket,
            trailing_lf: self.trailing_lf && peer.kind.trailing_lf(),
            owner_token: uuid::Uuid::new_v4().simple().to_string(),
            session_name: uuid::Uuid::new_v4().simple().to_string(),
        };
        debug!(kind = peer.kind.as_str(), tls = peer.tls, "connected");
        let clock = self.surroundings.handle.clock();
        let arrival = Arrival {
            owner: facts.owner_token.clone(),
            session: Session::new(Arc::clone(&self.session), facts, now),
            peer: Peer { address: peer.address.ip(), anonymous: self.anonymous },
            stream,
        };
        let (connection, admitted) = Connection::new(arrival, self.surroundings.clone());
        let place = async move {
            // Held until the connection ends; told once that its client is no stranger any more.
            if admitted.await.is_ok() {
                place.logged_in(clock.now().monotonic);
            }
            place
        };
        let (ending, _place) = tokio::join!(connection.run(), place);
        if ending.is_orderly {
            debug!("disconnected");
        } else {
            info!(reason = %ending.words, "disconnected");
        }
    }
}
