//! What a listener is told. Plain values; where they come from is not known here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How one listener behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// Whether STOMP over TCP is served, in clear or inside TLS.
    pub stomp: bool,
    /// Whether STOMP over WebSocket is served.
    pub websocket: bool,
    /// The certificate, if TLS is served.
    pub tls: Option<TlsFiles>,
    /// Whether peers beyond loopback may speak without TLS. A peer on loopback always may.
    pub allow_plaintext: bool,
    /// Whether no login is asked for here. Then a host's name proves nothing: it may be a stranger's, pointed here.
    pub anonymous: bool,
    /// Whether a browser page must come from the very port that it connects to, not only from its host; a [`Reloader`]
    /// may change it.
    ///
    /// [`Reloader`]: super::Reloader
    pub same_port: bool,
    /// Origins a browser page may come from besides the host it connects to, as the browser spells them
    /// (`https://app.example.com`); `*` stands for all of them.
    pub origins: Vec<String>,
    /// Whether a WebSocket handshake without an Origin, which no browser sends, is refused.
    pub require_origin: bool,
    /// Largest WebSocket message of a peer that was admitted, in octets.
    pub message_bytes: usize,
    /// Largest WebSocket message of a peer that was not admitted yet, in octets: a login frame with its end.
    pub login_message_bytes: usize,
    /// From the accept to the end of sniffing and of all handshakes. Absolute: no octet extends it.
    pub connect_deadline: Duration,
    /// For the first message of a TLS handshake, and again for the rest of it.
    pub tls_deadline: Duration,
    /// TLS handshakes that may run at the same time, counted from their first message on, and a quarter of them for one
    /// network; more of them wait, within their connect deadline, and networks are served in turns.
    pub tls_handshakes: usize,
    /// Connections the system may hold that were not accepted yet.
    pub backlog: u16,
}

impl Options {
    /// The defaults: every kind in one place, plaintext on loopback only, no foreign origins.
    pub fn new(address: SocketAddr) -> Options {
        Options {
            address,
            stomp: true,
            websocket: true,
            tls: None,
            allow_plaintext: false,
            anonymous: false,
            same_port: false,
            origins: Vec::new(),
            require_origin: false,
            message_bytes: 4 * 1024 * 1024 + 64 * 1024,
            login_message_bytes: 8 * 1024 + 64,
            connect_deadline: Duration::from_secs(10),
            tls_deadline: Duration::from_secs(5),
            tls_handshakes: 256,
            backlog: 1024,
        }
    }
}

/// Where a certificate and its key lie, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, followed by those that lead to its root.
    pub certificate: PathBuf,
    /// The private key: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
}
