//! What a starting server says: what it listens on, what it found, what to try next.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::transport::Listener;

/// The facts of a start.
#[derive(Clone, Debug)]
pub struct Banner {
    /// Where the data lie.
    pub data: PathBuf,
    /// Whether they were there before.
    pub is_new: bool,
    /// Messages found in the journal.
    pub recovered: u64,
    /// How long that took.
    pub recovery: Duration,
    /// Whether the last run ended in order.
    pub clean: bool,
    /// The listeners.
    pub listeners: Vec<Listening>,
    /// Users that may log in. None means that all who reach a listener may do everything: programs of this machine, what a
    /// proxy on it brings, and web pages of every port of `localhost` that a browser on it shows. It ends with the first user.
    pub users: usize,
    /// From the start to readiness.
    pub took: Duration,
}

/// One listener.
#[derive(Clone, Debug)]
pub struct Listening {
    /// Its address, with the port that it has got.
    pub address: SocketAddr,
    /// Serves STOMP over TCP.
    pub stomp: bool,
    /// Serves STOMP over WebSocket.
    pub websocket: bool,
    /// Has a certificate.
    pub tls: bool,
}

impl Listening {
    pub(super) fn of(listener: &Listener) -> Listening {
        let options = listener.options();
        Listening {
            address: listener.local_addr(),
            stomp: options.stomp,
            websocket: options.websocket,
            tls: options.tls.is_some(),
        }
    }
}

impl Listening {
    /// Whether only this machine can reach it.
    pub(super) fn is_loopback(&self) -> bool {
        self.address.ip().to_canonical().is_loopback()
    }
}

impl fmt::Display for Banner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (self.is_new, self.clean) {
            (true, _) => "new",
            (false, true) => "clean",
            (false, false) => "after an unclean stop",
        };
        writeln!(
            f,
            "kolejka {}  ·  data {} ({state})  ·  recovered {} messages in {} ms",
            env!("CARGO_PKG_VERSION"),
            self.data.display(),
            self.recovered,
            self.recovery.as_millis(),
        )?;
        for listening in &self.listeners {
            writeln!(f, "{listening}")?;
        }
        match self.users {
            0 => writeln!(f, "  login    none, anonymous, this machine only    to let others in: kolejka config init")?,
            1 => writeln!(f, "  login    1 user")?,
            users => writeln!(f, "  login    {users} users")?,
        }
        write!(f, "ready in {} ms.   next: kolejka sub /queue/hello   (another terminal)", self.took.as_millis())
    }
}

impl fmt::Display for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, mut kinds) = if self.stomp { ("stomp", vec!["STOMP 1.0 1.1 1.2"]) } else { ("ws", vec![]) };
        if self.websocket {
            kinds.push("WebSocket");
        }
        if self.tls {
            kinds.push("TLS");
        }
        write!(f, "  {word:<8} {:<21} {}", self.address, kinds.join(", "))?;
        if self.websocket {
            let (scheme, host) = (if self.tls { "wss" } else { "ws" }, self.address);
            write!(f, "   browsers: {scheme}://{host}/ws")?;
        }
        Ok(())
    }
}
