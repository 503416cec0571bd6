//! Connections: what listens, what is spoken there, and how octets come and go.
//!
//! One port serves STOMP over TCP, over TLS and over WebSocket (with or without TLS); the first octets of a connection
//! tell them apart. What comes out is a [`Stream`], which looks the same for all. Knows nothing of STOMP but how to
//! refuse a peer readably, and must not.
//!
//! ```text
//! Listener ──accept──▶ Accepted ──establish──▶ Stream
//!                                   sniff · tls · upgrade
//! ```
//!
//! `accept` never waits for a peer; `establish` does, so it runs in the connection's own task.

mod accepted;
mod backoff;
mod intake;
mod listener;
mod nonblocking;
mod octets;
mod options;
mod peer;
mod permits;
mod pings;
mod rejected;
mod sniff;
mod stream;
mod tcp;
mod tls;
mod upgrade;
mod websocket;
mod wire;

#[cfg(test)]
mod tests;

pub use accepted::Accepted;
pub use listener::{BindError, Listener, Reloader};
pub use options::{Options, TlsFiles};
pub use peer::{Kind, Peer, Subprotocol};
pub use permits::{FairPermit, FairPermits};
pub use rejected::Rejected;
pub use stream::Stream;
pub use tls::TlsError;
