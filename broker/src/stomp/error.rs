//! Everything that ends a session in an ERROR: what is wrong in a few words, a code that never changes, and what to do
//! about it. Nothing here echoes a frame, a secret or a path.

use std::time::Duration;

use kolejka_codec::Command;
use kolejka_codec::DecodeError;
use thiserror::Error;

use crate::auth::{Action, Denied, Revoked};
use crate::model::NameError;
use crate::model::Refusal;
use crate::model::Right;
use crate::selector::SelectorError;

/// Why a session ends. Displays as the short `message` of the ERROR.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Fault {
    #[error("not connected")]
    NotConnected,
    #[error("already connected")]
    AlreadyConnected,
    #[error("unexpected command {0}")]
    ServerCommand(Command),
    #[error("no common protocol version")]
    NoCommonVersion,
    #[error("login failed")]
    LoginFailed(Denied),
    #[error("login revoked: {0}")]
    Revoked(Revoked),
    #[error("no login in time")]
    ConnectTimeout { limit: Duration },
    #[error("no heart-beat in time")]
    NoHeartBeat { promised: u64, silence: Duration },
    #[error("idle for too long")]
    Idle { limit: Duration },
    #[error("{0}")]
    Malformed(DecodeError),
    #[error("{command} without {header}")]
    MissingHeader { command: Command, header: &'static str },
    #[error("bad {header} header")]
    BadHeader { header: &'static str, expected: &'static str },
    #[error("bad AMQ_SCHEDULED_PERIOD header")]
    ShortPeriod { least: Duration },
    #[error("bad selector, {0}")]
    BadSelector(SelectorError),
    #[error("bad destination")]
    BadDestination(NameError),
    #[error("reserved destination")]
    ReservedDestination,
    #[error("forbidden to {} {name}", .action.as_str())]
    Forbidden { action: Action, name: Box<str> },
    #[error("not supported yet: {0}")]
    Unsupported(&'static str),
    #[error("subscription exists")]
    DuplicateSubscription,
    #[error("no such subscription")]
    UnknownSubscription,
    #[error("several subscriptions have this destination")]
    AmbiguousSubscription,
    #[error("too many subscriptions")]
    TooManySubscriptions { limit: usize },
    #[error("transaction exists")]
    DuplicateTransaction,
    #[error("no such transaction")]
    UnknownTransaction,
    #[error("frame not complete in time")]
    FrameTimeout,
    #[error("{0}")]
    Transport(String),
    #[error("too many transactions")]
    TooManyTransactions { limit: usize },
    #[error("too many frames in a transaction")]
    TransactionFrames { limit: usize },
    #[error("too many octets in transactions")]
    TransactionBytes { limit: usize },
    #[error("transaction left open")]
    TransactionIdle { limit: Duration },
    #[error("{0}")]
    Refused(Refusal),
}

impl Fault {
    /// A word for programs, in the header `code`.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Fault::NotConnected => "not-connected",
            Fault::AlreadyConnected => "already-connected",
            Fault::ServerCommand(_) => "unexpected-command",
            Fault::NoCommonVersion => "no-common-version",
            Fault::LoginFailed(_) => "login-failed",
            Fault::Revoked(_) => "login-revoked",
            Fault::ConnectTimeout { .. } => "connect-timeout",
            Fault::NoHeartBeat { .. } => "no-heart-beat",
            Fault::Idle { .. } => "idle",
            Fault::Malformed(error) => error.kind.code(),
            Fault::FrameTimeout => "frame-timeout",
            Fault::Transport(_) => "transport",
            Fault::MissingHeader { .. } => "missing-header",
            Fault::BadHeader { .. } | Fault::ShortPeriod { .. } => "bad-header",
            Fault::BadSelector(_) => "bad-selector",
            Fault::BadDestination(_) => "bad-destination",
            Fault::ReservedDestination => "reserved-destination",
            Fault::Forbidden { .. } => "forbidden",
            Fault::Unsupported(_) => "not-supported",
            Fault::DuplicateSubscription => "duplicate-subscription",
            Fault::UnknownSubscription => "unknown-subscription",
            Fault::AmbiguousSubscription => "ambiguous-subscription",
            Fault::TooManySubscriptions { .. } => "too-many-subscriptions",
            Fault::DuplicateTransaction => "duplicate-transaction",
            Fault::UnknownTransaction => "unknown-transaction",
            Fault::TooManyTransactions { .. } => "too-many-transactions",
            Fault::TransactionFrames { .. } | Fault::TransactionBytes { .. } => "transaction-too-large",
            Fault::TransactionIdle { .. } => "transaction-idle",
            Fault::Refused(refusal) => refusal.code(),
        }
    }

    /// One sentence more, for the body: what is expected, or what to do.
    pub(super) fn remedy(&self) -> String {
        match self {
            Fault::NotConnected => "A connection begins with CONNECT or STOMP, and waits for CONNECTED.".into(),
            Fault::AlreadyConnected => "CONNECT comes once on a connection.".into(),
            Fault::ServerCommand(_) => "This command is spoken by servers only.".into(),
            Fault::NoCommonVersion => "This server speaks 1.0, 1.1 and 1.2.".into(),
            Fault::LoginFailed(_) => "Check login and passcode.".into(),
            Fault::Revoked(_) => "The configuration was read again, and lets this client in no longer.".into(),
            Fault::ConnectTimeout { limit } => format!("A login is complete within {}.", words(*limit)),
            Fault::NoHeartBeat { promised, silence } => {
                format!("One was promised every {promised} ms, and nothing came for {}.", words(*silence))
            }
            Fault::Idle { limit } => {
                format!("This server gives up after {} of silence; heart-beats would tell it to wait.", words(*limit))
            }
            Fault::Malformed(_) => "The connection cannot go on behind a broken frame.".into(),
            Fault::FrameTimeout => "A frame that has begun has to arrive without long pauses.".into(),
            Fault::Transport(_) => "The connection cannot go on behind it.".into(),
            Fault::MissingHeader { header, .. } => format!("The header {header} is required here."),
            Fault::BadHeader { expected, .. } => format!("Expected is {expected}."),
            Fault::ShortPeriod { least } => {
                format!("Expected are {} milliseconds or more (limits.schedule_period).", least.as_millis())
            }
            Fault::BadSelector(_) => {
                "A selector is a condition over headers, such as: type = 'invoice' AND amount > 100.".into()
            }
            Fault::BadDestination(error) => format!("The reason: {error}."),
            Fault::ReservedDestination => "Names that begin with Kolejka are the server's own.".into(),
            Fault::Forbidden { .. } => "This login has no such right.".into(),
            Fault::Unsupported(_) => {
                "The server refuses what it cannot do, so that it is not taken for done; leave the header out.".into()
            }
            Fault::DuplicateSubscription => "Each subscription of a connection has an id of its own.".into(),
            Fault::UnknownSubscription => "It was never made on this connection, or has ended.".into(),
            Fault::AmbiguousSubscription => "Say which one by its id.".into(),
            Fault::TooManySubscriptions { limit } => format!("A connection has at most {limit}."),
            Fault::DuplicateTransaction => "End the open one by COMMIT or ABORT first.".into(),
            Fault::UnknownTransaction => "A transaction is open from its BEGIN to its COMMIT or ABORT.".into(),
            Fault::TooManyTransactions { limit } => format!("A connection has at most {limit} open."),
            Fault::TransactionFrames { limit } => format!("At most {limit} are taken."),
            Fault::TransactionBytes { limit } => {
                format!("The open transactions of a connection hold at most {limit} octets together.")
            }
            Fault::TransactionIdle { limit } => {
                format!("A transaction that gets no frame for {} is given up.", words(*limit))
            }
            Fault::Refused(refusal) => refused(refusal).into(),
        }
    }

    /// The same for the log, where a refused login has its reason.
    pub(super) fn words(&self) -> String {
        match self {
            Fault::LoginFailed(denied) => format!("{self}: {}", denied.reason()),
            _ => format!("{self}: {}", self.remedy()),
        }
    }

    /// Whether there may still be somebody to read what we write.
    pub(super) fn leaves_a_reader(&self) -> bool {
        !matches!(self, Fault::NoHeartBeat { .. } | Fault::Idle { .. })
    }
}

fn words(duration: Duration) -> String {
    match duration.as_millis() {
        ms if ms % 1000 == 0 => format!("{} s", ms / 1000),
        ms => format!("{ms} ms"),
    }
}

fn refused(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::UnknownDelivery => "Acknowledge with the ack or message-id header of a MESSAGE of this connection.",
        Refusal::Forbidden { right: Right::Create, .. } => {
            "It is not there, and this login may not bring it into being: no rule allows create on it."
        }
        Refusal::Forbidden { .. } => "This login has no such right.",
        Refusal::TokenTaken => "Make a token that no one can guess, such as a random UUID, for each job.",
        Refusal::NotOwner => "Others send to it, by the name that they find in reply-to.",
        Refusal::OtherSelector => "Use the same selector, or wait until nobody reads it.",
        Refusal::SlowConsumer { .. } => "Read faster, or subscribe to less.",
        Refusal::StateFull { .. } => {
            "Messages without a time to live, a key or a job are taken; so is everything once others have been finished."
        }
        Refusal::TooLarge { .. } => "Nothing of it was done. Send less at once, or to fewer queues.",
        Refusal::OutOfMemory { .. } => "Try again later; the broker gives memory back as work is finished.",
        Refusal::ShuttingDown => "Connect again later.",
        _ => "The frame had no effect.",
    }
}
