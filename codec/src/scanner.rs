//! Finds the end of a head in octets that arrive in pieces, and refuses what is too long before anything is parsed.
//! It looks at every octet once: it remembers how far it came.

use crate::command::Command;
use crate::error::{DecodeErrorKind, Fault};
use crate::limits::Limits;
use crate::search;

/// How far the search for the empty line has come. Positions count from the beginning of the frame.
#[derive(Debug, Default)]
pub(crate) struct HeadScanner {
    /// Octets looked at.
    looked: usize,
    /// Where the line begins whose end is being searched.
    line_start: usize,
    /// Lines ended so far, the command line counted.
    lines: usize,
}

/// A complete head: how long it is, the empty line included, and how many header lines it has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HeadExtent {
    pub(crate) len: usize,
    pub(crate) headers: usize,
}

impl HeadScanner {
    /// Whether nothing of a frame has been seen.
    pub(crate) fn is_fresh(&self) -> bool {
        self.looked == 0
    }

    /// Looks through what has been added since the last call. `octets` begin with the command, which is not empty.
    ///
    /// The answer does not depend on how the octets were cut: an error is raised by the first octet that makes it one.
    pub(crate) fn find_end(&mut self, octets: &[u8], limits: &Limits) -> Result<Option<HeadExtent>, Fault> {
        loop {
            let unseen = octets.get(self.looked..).unwrap_or_default();
            let found = search::line_end_or_nul(unseen).map(|at| self.looked + at);
            let is_nul = found.is_some_and(|at| octets.get(at) == Some(&0));
            let seen = found.map_or(octets.len(), |at| at + 1);
            let line_end = found.filter(|_| !is_nul).unwrap_or(seen);
            self.check_sizes(line_end, seen, limits)?;
            self.looked = seen;
            match found {
                None => return Ok(None),
                Some(at) if is_nul => return Err(Fault::new(DecodeErrorKind::NulInHead, at)),
                Some(_) => {}
            }
            let line = octets.get(self.line_start..line_end).unwrap_or_default();
            if matches!(line, [] | [b'\r']) {
                return Ok(Some(HeadExtent { len: seen, headers: self.lines.saturating_sub(1) }));
            }
            self.end_line(line, limits)?;
        }
    }

    /// The head has `seen` octets by now, and its last line reaches to `line_end`.
    fn check_sizes(&self, line_end: usize, seen: usize, limits: &Limits) -> Result<(), Fault> {
        let (line_limit, line_kind) = match self.lines {
            0 => (limits.command_bytes, DecodeErrorKind::CommandTooLong { limit: limits.command_bytes }),
            _ => (limits.line_bytes, DecodeErrorKind::LineTooLong { limit: limits.line_bytes }),
        };
        let head_limit = limits.head_bytes.min(u32::MAX as usize);
        let line_over = (line_end - self.line_start > line_limit).then_some(self.line_start.saturating_add(line_limit));
        let head_over = (seen > head_limit).then_some(head_limit);
        match (line_over, head_over) {
            (Some(line), None) => Err(Fault::new(line_kind, line)),
            (Some(line), Some(head)) if line < head => Err(Fault::new(line_kind, line)),
            (_, Some(head)) => Err(Fault::new(DecodeErrorKind::HeadTooLarge { limit: limits.head_bytes }, head)),
            (None, None) => Ok(()),
        }
    }

    fn end_line(&mut self, line: &[u8], limits: &Limits) -> Result<(), Fault> {
        if self.lines == 0 {
            // Known early, so that a peer of another protocol is not kept waiting for an empty line.
            let name = line.strip_suffix(b"\r").unwrap_or(line);
            if Command::from_bytes(name).is_none() {
                return Err(Fault::new(DecodeErrorKind::unknown_command(name), 0));
            }
        } else if self.lines > limits.header_count {
            return Err(Fault::new(DecodeErrorKind::TooManyHeaders { limit: limits.header_count }, self.line_start));
        }
        self.lines += 1;
        self.line_start = self.looked;
        Ok(())
    }
}
