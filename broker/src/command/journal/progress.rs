//! How far a long command is, for whoever watches.

use std::io::{self, IsTerminal as _, Write as _};

/// Shows a percentage on standard error, if that is a terminal.
#[derive(Debug)]
pub(super) struct Progress {
    is_shown: bool,
    last: Option<u64>,
}

impl Progress {
    pub(super) fn new() -> Progress {
        Progress { is_shown: io::stderr().is_terminal(), last: None }
    }

    /// So much of so much.
    pub(super) fn show(&mut self, done: u64, total: u64) {
        let percent = done.saturating_mul(100) / total.max(1);
        if self.is_shown && self.last != Some(percent) {
            self.last = Some(percent);
            let _ = write!(io::stderr(), "\r{percent:3} %");
        }
    }

    /// So many of whatever there is no knowing how many there are.
    pub(super) fn count(&mut self, done: u64) {
        if self.is_shown && done.is_multiple_of(1000) {
            self.last = Some(done);
            let _ = write!(io::stderr(), "\r{done}");
        }
    }

    /// Makes way for a line.
    pub(super) fn clear(&mut self) {
        if self.is_shown && self.last.take().is_some() {
            let _ = write!(io::stderr(), "\r           \r");
        }
    }
}
