//! Where a session stands.
//!
//! ```text
//!            CONNECT                 login granted               DISCONNECT
//! Waiting ───────────▶ Authenticating ───────────▶ Established ───────────▶ Over
//!    │                       │                          │                    ▲
//!    └───────────────────────┴──── anything wrong ──────┴────────────────────┘
//! ```

use std::time::Duration;

use super::client::Client;
use super::handshake::Hello;

/// The state of a session. Deadlines are readings of the monotonic clock.
#[derive(Debug)]
pub(super) enum State {
    /// Nothing came yet but line ends.
    Waiting {
        /// When the peer must have logged in.
        until: Duration,
    },
    /// CONNECT came, and its login is being checked.
    Authenticating {
        /// The same moment.
        until: Duration,
        /// What the client said.
        hello: Box<Hello>,
    },
    /// CONNECTED went out.
    Established(Box<Client>),
    /// The last output is made; whatever comes is ignored.
    Over,
}

impl State {
    /// When a client that has not logged in is given up.
    pub(super) fn login_deadline(&self) -> Option<Duration> {
        match self {
            State::Waiting { until } | State::Authenticating { until, .. } => Some(*until),
            State::Established(_) | State::Over => None,
        }
    }

    /// The client, once it has logged in and until it is over.
    pub(super) fn client(&self) -> Option<&Client> {
        match self {
            State::Established(client) => Some(client),
            _ => None,
        }
    }
}
