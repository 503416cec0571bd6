//! What a message says: its forwarded headers and its body, as shared octets.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::DestinationName;

/// Forwarded headers and body of a message. Cloning shares; nothing is copied.
///
/// The head is a block of `name:value` lines, each ended by LF, with the escapes of STOMP 1.2. Whoever speaks another
/// dialect translates at its own edge; nobody below reads the block.
///
/// Small messages live in one allocation; a body above [`Content::SHARED_BODY`] has one of its own, so that it can be sent
/// without being copied. Neither may be a slice of something larger: limits count octets, not what they hold on to.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    block: Arc<[u8]>,
    head_len: u32,
    large: Bytes,
}

impl Content {
    /// Bodies up to this many octets stand behind their head; larger ones are kept apart.
    pub const SHARED_BODY: usize = 4096;

    /// Bodies of at least this many bytes are stored once in a log for all messages of one append that share them.
    pub const SHARED_IN_LOG: usize = 512;

    /// A small message: `block` is the head of `head_len` octets followed by the whole body. One allocation.
    ///
    /// # Panics
    /// If `head_len` is longer than the block.
    pub fn small(block: &[u8], head_len: usize) -> Content {
        assert!(head_len <= block.len(), "the head is a part of the block");
        Content { block: Arc::from(block), head_len: head_len as u32, large: Bytes::new() }
    }

    /// A message with a body of its own.
    pub fn large(head: &[u8], body: Bytes) -> Content {
        Content { block: Arc::from(head), head_len: head.len() as u32, large: body }
    }

    /// Small or large, by the size of the body.
    pub fn new(head: &[u8], body: Bytes) -> Content {
        if body.len() > Self::SHARED_BODY {
            return Content::large(head, body);
        }
        let mut block = Vec::with_capacity(head.len() + body.len());
        block.extend_from_slice(head);
        block.extend_from_slice(&body);
        Content::small(&block, head.len())
    }

    /// The header block.
    pub fn head(&self) -> &[u8] {
        &self.block[..self.head_len as usize]
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        if self.large.is_empty() { &self.block[self.head_len as usize..] } else { &self.large }
    }

    /// The same for another destination; it says where it was sent first. The first line of a head is its destination.
    #[must_use]
    pub fn sent_to(&self, to: &DestinationName) -> Content {
        let (first, rest) =
            self.head().split_at(self.head().iter().position(|octet| *octet == b'\n').map_or(0, |n| n + 1));
        let mut head = format!("destination:{}\n", to.as_str().replace('\\', "\\\\").replace(':', "\\c")).into_bytes();
        if let Some(written) = first.strip_prefix(b"destination:") {
            head.extend_from_slice(b"original-destination:");
            head.extend_from_slice(written);
            head.extend_from_slice(rest);
        } else {
            head.extend_from_slice(self.head());
        }
        self.with_head(head)
    }

    /// The same body under another head.
    #[must_use]
    pub fn with_head(&self, mut head: Vec<u8>) -> Content {
        if let Some(body) = self.large_body() {
            return Content::large(&head, body.clone());
        }
        let length = head.len();
        head.extend_from_slice(self.body());
        Content::small(&head, length)
    }

    /// Whether the head has a header of that name.
    pub fn has_line(&self, name: &str) -> bool {
        let is_it = |line: &[u8]| line.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b":"));
        self.head().split(|octet| *octet == b'\n').any(is_it)
    }

    /// The value of the first header of that name, with its escapes.
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = |line: &'_ [u8]| line.strip_prefix(name.as_bytes())?.strip_prefix(b":").map(<[u8]>::len);
        let line = self.head().split(|octet| *octet == b'\n').find(|line| value(line).is_some())?;
        std::str::from_utf8(line.get(name.len() + 1..)?).ok()
    }

    /// The body by reference, if it is one that should not be copied.
    pub fn large_body(&self) -> Option<&Bytes> {
        (!self.large.is_empty()).then_some(&self.large)
    }

    /// Octets of head and body together.
    pub fn len(&self) -> usize {
        self.block.len() + self.large.len()
    }

    /// Whether there is neither head nor body.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Content {
    /// Sizes only: bodies never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} + {} octets)", self.head_len, self.body().len())
    }
}
