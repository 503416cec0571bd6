//! What an operator may set about sessions, and what a shell knows of a peer. Values only.

use std::time::Duration;

use crate::model::Credit;

/// The limits and switches of all sessions of a listener.
#[derive(Clone, Debug)]
pub struct Options {
    /// The `server` header of CONNECTED. Clients choose a dialect by words in it; printable ASCII without `:` and `\`.
    pub server: String,
    /// Refuse a CONNECT of 1.1 and later without `host`, as the specification allows. Many clients leave it out.
    pub strict_host: bool,
    /// How long a peer may take to log in, from the first octet to CONNECTED.
    pub connect_timeout: Duration,
    /// The shortest heart-beat interval that we promise or ask for.
    pub heart_beat_min: Duration,
    /// The longest.
    pub heart_beat_max: Duration,
    /// How long a peer that promised no heart-beats may be silent. `None`: for ever; TCP keep-alive finds the dead.
    pub idle_limit: Option<Duration>,
    /// Subscriptions of one connection at a time.
    pub subscriptions_per_connection: usize,
    /// Prefetch of a subscription in a client mode that asks for none. What all subscriptions of a client may hold together
    /// is the engine's to limit.
    pub credit: Credit,
    /// The most prefetch that a subscription gets, whatever it asks for.
    pub credit_limit: Credit,
    /// What may be on its way to the kernel for a subscription in auto mode.
    pub auto_credit: Credit,
    /// Open transactions of one connection.
    pub transactions: usize,
    /// Frames of one transaction.
    pub transaction_frames: usize,
    /// Octets of all open transactions of one connection together.
    pub transaction_bytes: usize,
    /// How long a transaction may lie without a frame.
    pub transaction_idle: Duration,
    /// The shortest time between two messages of a schedule.
    pub schedule_period: Duration,
}

impl Default for Options {
    fn default() -> Options {
        const MIB: u64 = 1024 * 1024;
        Options {
            server: "kolejka".to_owned(),
            strict_host: false,
            connect_timeout: Duration::from_secs(10),
            heart_beat_min: Duration::from_secs(1),
            heart_beat_max: Duration::from_secs(300),
            idle_limit: None,
            subscriptions_per_connection: 256,
            credit: Credit { messages: 100, bytes: 4 * MIB },
            credit_limit: Credit { messages: 10_000, bytes: 64 * MIB },
            auto_credit: Credit { messages: 1000, bytes: MIB },
            transactions: 16,
            transaction_frames: 1024,
            transaction_bytes: 16 * 1024 * 1024,
            transaction_idle: Duration::from_secs(60),
            schedule_period: Duration::from_secs(1),
        }
    }
}

/// What the shell tells a session about its peer.
#[derive(Clone, Debug)]
pub struct PeerFacts {
    /// It comes by WebSocket: perhaps a browser, whose timers may be throttled.
    pub websocket: bool,
    /// Frames end with NUL and LF, not NUL alone.
    pub trailing_lf: bool,
    /// A random word of letters and digits that no other connection has; its temporary destinations carry it.
    pub owner_token: String,
    /// The `session` header of CONNECTED. Not empty; printable ASCII without `:` and `\`.
    pub session_name: String,
}
