//! How much a peer may send before it is told to stop. Numbers only; the decoder enforces them while it reads.

/// The limits of one frame. A frame of exactly a limit is accepted; one octet or one header more is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of the head: from the command to the empty line, line ends counted.
    pub head_bytes: usize,
    /// Octets of one header line as sent, its LF not counted (a CR before it is).
    pub line_bytes: usize,
    /// Header lines of one frame, repeated ones counted.
    pub header_count: usize,
    /// Octets of the body, its NUL not counted.
    pub body_bytes: usize,
    /// Octets of the command line, its LF not counted (a CR before it is).
    pub command_bytes: usize,
}

impl Limits {
    /// For a peer that has not logged in yet: head and body at most 8 KiB each, so 16 KiB in all.
    pub const BEFORE_LOGIN: Limits = Limits {
        head_bytes: 8 * 1024,
        line_bytes: 8 * 1024,
        header_count: 100,
        body_bytes: 8 * 1024,
        command_bytes: 32,
    };
}

impl Default for Limits {
    /// Head 64 KiB, line 8 KiB, 100 headers, body 4 MiB, command 32 octets.
    fn default() -> Limits {
        Limits {
            head_bytes: 64 * 1024,
            line_bytes: 8 * 1024,
            header_count: 100,
            body_bytes: 4 * 1024 * 1024,
            command_bytes: 32,
        }
    }
}
