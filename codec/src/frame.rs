//! A frame as a value: command, headers, body. Knows nothing of how it is spelled.

use bytes::Bytes;

use crate::command::Command;
use crate::header::Headers;

/// One STOMP frame, decoded. Cloning shares the octets.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// What the frame asks for or tells.
    pub command: Command,
    /// Its headers, without escapes.
    pub headers: Headers,
    /// Its body; opaque octets.
    pub body: Bytes,
}

impl Frame {
    /// A frame without headers and body.
    pub fn new(command: Command) -> Frame {
        Frame { command, headers: Headers::new(), body: Bytes::new() }
    }

    /// Adds a header. `content-length` is the encoder's to write.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Frame {
        self.headers.push(name, value);
        self
    }

    /// Sets the body. Only SEND, MESSAGE and ERROR have one; of others it is not encoded.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Frame {
        self.body = body.into();
        self
    }
}

impl std::fmt::Debug for Frame {
    /// The body is given by its length only: it may be long, binary or secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame")
            .field("command", &self.command)
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}
