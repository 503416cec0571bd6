//! What can be wrong with received octets, and where. Says it in words for people and in a code for programs.

use thiserror::Error;

/// The peer broke the protocol; the connection cannot go on. (The stream has no point at which to pick it up again.)
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{kind}, at octet {offset}")]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// The guilty octet, counted from 0 at the beginning of the connection.
    pub offset: u64,
}

/// What is wrong with a frame. Sizes are octets.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The first line is no command of STOMP. Holds its beginning, anything but printable ASCII escaped.
    #[error("unknown command \"{0}\"")]
    UnknownCommand(String),
    /// The first line does not end in time.
    #[error("the command line is longer than {limit} octets")]
    CommandTooLong {
        /// [`Limits::command_bytes`](crate::Limits::command_bytes).
        limit: usize,
    },
    /// A header line does not end in time.
    #[error("a header line is longer than {limit} octets")]
    LineTooLong {
        /// [`Limits::line_bytes`](crate::Limits::line_bytes).
        limit: usize,
    },
    /// The empty line does not come in time.
    #[error("the headers together are longer than {limit} octets")]
    HeadTooLarge {
        /// [`Limits::head_bytes`](crate::Limits::head_bytes).
        limit: usize,
    },
    /// One header line too many.
    #[error("the frame has more than {limit} headers")]
    TooManyHeaders {
        /// [`Limits::header_count`](crate::Limits::header_count).
        limit: usize,
    },
    /// The body is announced to be too long.
    #[error("the body has {actual} octets, more than the {limit} allowed")]
    BodyTooLarge {
        /// [`Limits::body_bytes`](crate::Limits::body_bytes).
        limit: usize,
        /// What `content-length` announces.
        actual: u64,
    },
    /// A body without `content-length` does not end in time.
    #[error("the body is longer than {limit} octets")]
    BodyEndless {
        /// [`Limits::body_bytes`](crate::Limits::body_bytes).
        limit: usize,
    },
    /// A NUL before the empty line.
    #[error("the head of the frame holds a NUL (is the empty line missing?)")]
    NulInHead,
    /// The head is not UTF-8.
    #[error("the head of the frame is not UTF-8")]
    InvalidUtf8,
    /// A header line without a colon.
    #[error("a header line has no colon")]
    NoColon,
    /// A header line that begins with its colon.
    #[error("a header has no name")]
    EmptyName,
    /// A backslash with something behind it that the version does not define.
    #[error("undefined escape in a header")]
    UndefinedEscape,
    /// `content-length` is not one to ten decimal digits.
    #[error("content-length is not a decimal number of one to ten digits")]
    BadContentLength,
    /// The octet after the announced body is not NUL.
    #[error("no NUL after the {length} octets of body that content-length announces")]
    MissingNul {
        /// What `content-length` announces.
        length: usize,
    },
    /// A body where the command allows none.
    #[error("a {0} frame has no body")]
    UnexpectedBody(crate::Command),
}

impl DecodeErrorKind {
    /// A word for programs. It never changes, whatever happens to the sentence.
    pub fn code(&self) -> &'static str {
        match self {
            DecodeErrorKind::UnknownCommand(_) => "unknown-command",
            DecodeErrorKind::CommandTooLong { .. } => "command-too-long",
            DecodeErrorKind::LineTooLong { .. } => "line-too-long",
            DecodeErrorKind::HeadTooLarge { .. } => "head-too-large",
            DecodeErrorKind::TooManyHeaders { .. } => "too-many-headers",
            DecodeErrorKind::BodyTooLarge { .. } | DecodeErrorKind::BodyEndless { .. } => "body-too-large",
            DecodeErrorKind::NulInHead => "nul-in-head",
            DecodeErrorKind::InvalidUtf8 => "invalid-utf8",
            DecodeErrorKind::NoColon => "header-without-colon",
            DecodeErrorKind::EmptyName => "header-without-name",
            DecodeErrorKind::UndefinedEscape => "undefined-escape",
            DecodeErrorKind::BadContentLength => "bad-content-length",
            DecodeErrorKind::MissingNul { .. } => "missing-nul",
            DecodeErrorKind::UnexpectedBody(_) => "unexpected-body",
        }
    }

    /// The unknown command made fit for a log line and an ERROR: ASCII, short.
    pub(crate) fn unknown_command(line: &[u8]) -> DecodeErrorKind {
        const SHOWN_BYTES: usize = 24;
        let (shown, more) = line.split_at_checked(SHOWN_BYTES).unwrap_or((line, &[]));
        let mut text = shown.escape_ascii().to_string();
        if !more.is_empty() {
            text.push_str("...");
        }
        DecodeErrorKind::UnknownCommand(text)
    }
}

/// An error on its way up: its place is still counted from the beginning of the piece at hand.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: DecodeErrorKind,
    pub(crate) at: usize,
}

impl Fault {
    pub(crate) fn new(kind: DecodeErrorKind, at: usize) -> Fault {
        Fault { kind, at }
    }

    /// The same, counted from the beginning of the connection; the piece began at `start`.
    pub(crate) fn counted_from(self, start: u64) -> DecodeError {
        DecodeError { kind: self.kind, offset: start + self.at as u64 }
    }
}
