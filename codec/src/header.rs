//! Headers of a frame: decoded text in the order received, the first of a name counts. Knows no escapes and no limits.

use bytestring::ByteString;

/// The headers of a frame, decoded.
///
/// What a decoder yields lies in one block shared with the read buffer, found by spans; [`push`](Headers::push) adds
/// text of its own behind it. Repeated names are kept in order, and [`get`](Headers::get) sees the first
/// (STOMP 1.2, "Repeated Header Entries"). Lookups walk the list: headers are few.
#[derive(Clone, Default)]
pub struct Headers {
    shared: ByteString,
    own: String,
    spans: Vec<Span>,
}

/// Where one header lies: offsets into the shared block, and from its end on into the text of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) name: Piece,
    pub(crate) value: Piece,
}

/// A run of octets. 32 bits are enough: a head is bounded far below that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    start: u32,
    len: u32,
}

impl Piece {
    pub(crate) fn new(start: usize, len: usize) -> Piece {
        Piece { start: start as u32, len: len as u32 }
    }

    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.start as usize + self.len as usize
    }
}

impl Headers {
    /// No headers.
    pub fn new() -> Headers {
        Headers::default()
    }

    /// Headers that lie in a block. The spans must cut it between characters.
    pub(crate) fn in_block(shared: ByteString, spans: Vec<Span>) -> Headers {
        Headers { shared, own: String::new(), spans }
    }

    /// Adds a header behind the others. Names and values may hold any character; what a version cannot spell is left
    /// out by the encoder.
    pub fn push(&mut self, name: &str, value: &str) {
        let start = self.shared.len() + self.own.len();
        self.own.reserve(name.len() + value.len());
        self.own.push_str(name);
        self.own.push_str(value);
        let name = Piece::new(start, name.len());
        let value = Piece::new(name.range().end, value.len());
        self.spans.push(Span { name, value });
    }

    /// The value of the first header of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name).map(|span| self.text(span.value))
    }

    /// Like [`get`](Headers::get), as text that outlives the frame. Shares the block of a decoded frame, and so keeps
    /// the read buffer alive; what was pushed is copied.
    pub fn slice(&self, name: &str) -> Option<ByteString> {
        let value = self.find(name)?.value;
        let text = self.text(value);
        let is_shared = value.range().end <= self.shared.len();
        Some(if is_shared { self.shared.slice_ref(text) } else { ByteString::from(text) })
    }

    /// All headers in order, repeated ones too, as name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.spans.iter().map(|span| (self.text(span.name), self.text(span.value)))
    }

    /// The number of headers, repeated ones counted.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Octets of all names and values, to guess the size of an encoding.
    pub(crate) fn text_len(&self) -> usize {
        self.spans.iter().map(|span| span.name.range().len() + span.value.range().len()).sum()
    }

    fn find(&self, name: &str) -> Option<&Span> {
        // Most names differ in length already, which is cheaper to see than to compare texts.
        self.spans.iter().find(|span| span.name.len as usize == name.len() && self.text(span.name) == name)
    }

    /// The spans cut both texts at characters, so the empty text never stands in for another.
    fn text(&self, piece: Piece) -> &str {
        let range = piece.range();
        match range.start.checked_sub(self.shared.len()) {
            None => self.shared.get(range),
            Some(start) => self.own.get(start..start + range.len()),
        }
        .unwrap_or_default()
    }
}

impl PartialEq for Headers {
    fn eq(&self, other: &Headers) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Headers {}

impl<'a> Extend<(&'a str, &'a str)> for Headers {
    fn extend<I: IntoIterator<Item = (&'a str, &'a str)>>(&mut self, headers: I) {
        for (name, value) in headers {
            self.push(name, value);
        }
    }
}

impl std::fmt::Debug for Headers {
    /// A passcode is not shown: frames end up in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(name, value)| (name, if name == names::PASSCODE { "(hidden)" } else { value })))
            .finish()
    }
}

/// The header names of the specification.
#[expect(missing_docs, reason = "each constant is the header of that name")]
pub mod names {
    pub const ACCEPT_VERSION: &str = "accept-version";
    pub const ACK: &str = "ack";
    pub const CONTENT_LENGTH: &str = "content-length";
    pub const CONTENT_TYPE: &str = "content-type";
    pub const DESTINATION: &str = "destination";
    pub const HEART_BEAT: &str = "heart-beat";
    pub const HOST: &str = "host";
    pub const ID: &str = "id";
    pub const LOGIN: &str = "login";
    pub const MESSAGE: &str = "message";
    pub const MESSAGE_ID: &str = "message-id";
    pub const PASSCODE: &str = "passcode";
    pub const RECEIPT: &str = "receipt";
    pub const RECEIPT_ID: &str = "receipt-id";
    pub const SELECTOR: &str = "selector";
    pub const SERVER: &str = "server";
    pub const SESSION: &str = "session";
    pub const SUBSCRIPTION: &str = "subscription";
    pub const TRANSACTION: &str = "transaction";
    pub const VERSION: &str = "version";
}
