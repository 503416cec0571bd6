//! A connection between its accept and its first frame: sniffing, TLS, the WebSocket upgrade.
//!
//! All of it waits for the peer, so it runs in the connection's own task, under one absolute deadline.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use rustls::server::Acceptor;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::LazyConfigAcceptor;

use super::listener::Door;
use super::octets::Octets;
use super::options::Options;
use super::peer::{Kind, Peer, Subprotocol};
use super::rejected::{Rejected, TLS_ALERT, farewell, http_answer, stomp_error};
use super::sniff::{Guess, guess};
use super::stream::Stream;
use super::tcp;
use super::upgrade;
use super::websocket::WebSocket;
use super::wire::Wire;
use crate::model::Network;

/// The room for what is read before it is known what the peer speaks, in octets.
const SNIFF_BYTES: usize = 2048;

/// How long a connection that is turned away is listened to.
const REFUSAL_DEADLINE: Duration = Duration::from_secs(1);

/// A connection of which nothing is known but where it comes from.
#[derive(Debug)]
pub struct Accepted {
    socket: TcpStream,
    address: SocketAddr,
    at: Instant,
    door: Arc<Door>,
}

impl Accepted {
    #[expect(clippy::disallowed_methods, reason = "deadlines before the login count from the accept")]
    pub(super) fn new(socket: TcpStream, address: SocketAddr, door: Arc<Door>) -> Accepted {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        Accepted { socket, address, at: Instant::now(), door }
    }

    /// Where it comes from.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// When it was accepted.
    pub fn at(&self) -> Instant {
        self.at
    }

    /// Finds out what the peer speaks and finishes the handshakes, within the listener's deadlines. A peer that is
    /// rejected has been told why in its own protocol, where it has one.
    pub async fn establish(self) -> Result<Stream, Rejected> {
        let deadline = self.at + self.door.options.connect_deadline;
        timeout_at(deadline, self.negotiate()).await.unwrap_or(Err(Rejected::Late))
    }

    /// Turns the connection away with a sentence, in the peer's own protocol if it says within a second what that is.
    pub async fn refuse(self, sentence: &'static str) -> Rejected {
        let deadline = self.at + REFUSAL_DEADLINE;
        let refusal = async {
            let (mut wire, mut octets) = (Wire::Tcp(self.socket), BytesMut::with_capacity(SNIFF_BYTES));
            let words = match sniff(&mut wire, &mut octets).await? {
                Guess::Tls => TLS_ALERT.to_vec(),
                Guess::Http => http_answer(503, "Connection: close\r\n", sentence),
                Guess::Stomp => stomp_error(sentence),
            };
            Ok(farewell(wire, &words).await?)
        };
        match timeout_at(deadline, refusal).await {
            Ok(Err(rejected)) => rejected,
            Ok(Ok(())) | Err(_) => Rejected::Refused(sentence),
        }
    }

    async fn negotiate(self) -> Result<Stream, Rejected> {
        let Accepted { socket, address, at, door } = self;
        tcp::set_options(&socket)?;
        let mut first = [0];
        if socket.peek(&mut first).await? == 0 {
            return Err(Rejected::Gone);
        }
        let tls = guess(&first) == Some(Guess::Tls);
        let mut wire = if tls { handshake(socket, Network::of(address.ip()), &door).await? } else { Wire::Tcp(socket) };
        let mut octets = BytesMut::with_capacity(SNIFF_BYTES);
        let http = sniff(&mut wire, &mut octets).await? == Guess::Http;

        let refusal = objection(&door.options, address.ip(), tls, http);
        let peer = |kind, subprotocol| Peer { address, accepted: at, kind, tls, subprotocol };
        match (refusal, http) {
            (Some(refusal), http) => Err(turn_away(wire, http, refusal).await),
            (None, false) => Ok(Stream::octets(peer(Kind::Stomp, None), Octets::new(wire, octets))),
            (None, true) => {
                let (wire, early, subprotocol) = upgrade_wire(wire, octets, address, &door).await?;
                let websocket = WebSocket::new(wire, early, &door.options);
                Ok(Stream::websocket(peer(Kind::WebSocket, subprotocol), websocket))
            }
        }
    }
}

/// What speaks against serving a peer that speaks like this.
pub(super) fn objection(options: &Options, from: IpAddr, tls: bool, http: bool) -> Option<Rejected> {
    if !tls && !options.allow_plaintext && !from.is_loopback() {
        Some(Rejected::PlaintextForbidden)
    } else if http && !options.websocket {
        Some(Rejected::WebSocketForbidden)
    } else if !http && !options.stomp {
        Some(Rejected::StompForbidden)
    } else {
        None
    }
}

/// Reads until it is certain what the peer speaks. What was read stays in `octets`.
async fn sniff(wire: &mut Wire, octets: &mut BytesMut) -> Result<Guess, Rejected> {
    loop {
        if wire.read_buf(octets).await? == 0 {
            return Err(Rejected::Gone);
        }
        if let Some(guess) = guess(octets) {
            return Ok(guess);
        }
    }
}

/// The TLS handshake, one of a bounded number at a time, which networks get in turns.
async fn handshake(socket: TcpStream, network: Network, door: &Door) -> Result<Wire, Rejected> {
    let Some(certificate) = &door.certificate else {
        // The alert is a courtesy; that the peer does not take it is no news.
        let _ = farewell(Wire::Tcp(socket), &TLS_ALERT).await;
        return Err(Rejected::TlsWithoutCertificate);
    };
    // Whoever has not sent its hello yet costs nothing but a socket, and takes no permit from others.
    let hello = timeout(door.options.tls_deadline, LazyConfigAcceptor::new(Acceptor::default(), socket)).await;
    let start = hello.map_err(|_| Rejected::LateTls)?.map_err(Rejected::Tls)?;
    let _permit = door.handshakes.acquire(network).await;
    let finished = timeout(door.options.tls_deadline, start.into_stream(certificate.current())).await;
    let stream = finished.map_err(|_| Rejected::LateTls)?.map_err(Rejected::Tls)?;
    Ok(Wire::Tls(Box::new(stream)))
}

/// Reads one request and answers it. Returns what the peer sent beyond the request, and the subprotocol.
async fn upgrade_wire(
    mut wire: Wire,
    mut octets: BytesMut,
    address: SocketAddr,
    door: &Door,
) -> Result<(Wire, BytesMut, Option<Subprotocol>), Rejected> {
    let request = upgrade::read_head(&mut wire, &mut octets).await?;
    let same_port = door.same_port.load(Ordering::Relaxed);
    let judged = request.and_then(|head| upgrade::judge(&head, address.ip(), &door.options, same_port));
    match judged {
        Ok(upgrade) => {
            upgrade::send(&mut wire, &upgrade.response).await?;
            Ok((wire, octets, upgrade.subprotocol))
        }
        Err(refusal) => {
            let _ = farewell(wire, &http_answer(refusal.status, refusal.headers, &refusal.sentence)).await;
            Err(Rejected::Http { status: refusal.status, sentence: refusal.sentence })
        }
    }
}

/// Tells the peer in its own protocol why it is not served.
async fn turn_away(wire: Wire, http: bool, refusal: Rejected) -> Rejected {
    let sentence = refusal.to_string();
    let words = if http { http_answer(400, "Connection: close\r\n", &sentence) } else { stomp_error(&sentence) };
    // Whether the peer reads it changes nothing for us.
    let _ = farewell(wire, &words).await;
    refusal
}
