//! How a command ends: a number that scripts can rely on (those of `sysexits.h`), and a sentence for people.

use std::io::{self, Write as _};
use std::process::ExitCode;

use super::client::ClientError;

/// Exit statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Status {
    /// All went well.
    Done = 0,
    /// The broker, or a check, said no.
    No = 1,
    /// The command line makes no sense; also what the parser of arguments ends with.
    Usage = 2,
    /// Durable data are damaged.
    Damaged = 65,
    /// The broker cannot be reached, or what is there is none.
    Unreachable = 69,
    /// A part of the broker panicked.
    Panicked = 70,
    /// A port or a file cannot be made.
    CannotCreate = 73,
    /// Something could not be read or written.
    Io = 74,
    /// Out of time, or in use by somebody else; it may work later.
    TimedOut = 75,
    /// Access refused.
    Refused = 77,
    /// The configuration is wrong.
    BadConfig = 78,
    /// Ended by Ctrl-C.
    Interrupted = 130,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> ExitCode {
        ExitCode::from(status as u8)
    }
}

/// A command that did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    status: Status,
    text: String,
}

impl Failure {
    /// With a sentence, which ends in the remedy if there is one.
    pub(crate) fn new(status: Status, text: impl Into<String>) -> Failure {
        Failure { status, text: text.into() }
    }

    /// Says it to standard error. If nobody listens there, the status still tells.
    pub(crate) fn report(&self) -> Status {
        let text = self.text.trim_end();
        let _ = if text.contains('\n') {
            writeln!(io::stderr(), "{text}")
        } else {
            writeln!(io::stderr(), "kolejka: {text}")
        };
        self.status
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        let status = match &error {
            ClientError::Unreachable { .. } | ClientError::Closed | ClientError::NotStomp { .. } => Status::Unreachable,
            ClientError::Refused { .. } => Status::Refused,
            ClientError::Error { code: Some(code), .. } if code == "forbidden" => Status::Refused,
            ClientError::Error { .. } => Status::No,
            ClientError::TimedOut => Status::TimedOut,
            ClientError::Interrupted => Status::Interrupted,
        };
        Failure::new(status, error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::new(Status::Io, error.to_string())
    }
}
