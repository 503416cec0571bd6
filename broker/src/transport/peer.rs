//! Who is at the other end, as far as the transport can tell.

use std::net::SocketAddr;

use tokio::time::Instant;

/// What is known of a peer before it has said who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its address; an IPv4 address on an IPv6 socket is given as IPv4.
    pub address: SocketAddr,
    /// When its connection was accepted: deadlines before its login count from here.
    pub accepted: Instant,
    /// How it carries STOMP.
    pub kind: Kind,
    /// Whether the octets travel inside TLS.
    pub tls: bool,
    /// The WebSocket subprotocol both sides agreed on; `None` if none was offered, or over TCP. The version of STOMP
    /// is still negotiated by CONNECT.
    pub subprotocol: Option<Subprotocol>,
}

/// How STOMP is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// As a stream of octets.
    Stomp,
    /// In WebSocket messages.
    WebSocket,
}

impl Kind {
    /// Whether a frame ends with an LF after its NUL unless configured otherwise: some clients of byte streams need it,
    /// and in a message of its own it has no use.
    pub fn trailing_lf(self) -> bool {
        self == Kind::Stomp
    }

    /// Its word in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Stomp => "stomp",
            Kind::WebSocket => "websocket",
        }
    }
}

/// The WebSocket subprotocols that mean STOMP, best last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subprotocol {
    /// `stomp`, of any version.
    Any,
    /// `v10.stomp`.
    V10,
    /// `v11.stomp`.
    V11,
    /// `v12.stomp`.
    V12,
}

impl Subprotocol {
    /// All of them, best last.
    pub const ALL: [Subprotocol; 4] = [Subprotocol::Any, Subprotocol::V10, Subprotocol::V11, Subprotocol::V12];

    /// Its name in the handshake.
    pub fn as_str(self) -> &'static str {
        match self {
            Subprotocol::Any => "stomp",
            Subprotocol::V10 => "v10.stomp",
            Subprotocol::V11 => "v11.stomp",
            Subprotocol::V12 => "v12.stomp",
        }
    }

    /// The subprotocol of that name; names are compared exactly.
    pub fn from_name(name: &str) -> Option<Subprotocol> {
        Subprotocol::ALL.into_iter().find(|subprotocol| subprotocol.as_str() == name)
    }
}
