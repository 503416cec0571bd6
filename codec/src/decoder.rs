//! From octets as they arrive to frames. Holds what one connection needs between two reads; reads no socket, knows no
//! clock, and reserves no memory because a peer claims to need it.

use bytes::Buf;
use bytes::Bytes;
use bytes::BytesMut;
use bytestring::ByteString;

use crate::command::Command;
use crate::error::{DecodeError, DecodeErrorKind, Fault};
use crate::escape::Undefined;
use crate::frame::Frame;
use crate::head;
use crate::head::{BodyExtent, Head, Rules};
use crate::header::Headers;
use crate::limits::Limits;
use crate::scanner::{HeadExtent, HeadScanner};
use crate::search;
use crate::version::Version;

/// What a peer sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A frame.
    Frame(Frame),
    /// One or more line ends between frames. The line end that many peers write behind a frame looks the same.
    HeartBeat,
}

/// An incremental decoder for one direction of one connection.
///
/// Give it the same buffer again and again, appending what was read in between. It takes complete items off the front;
/// the head and the body of a frame are slices of that buffer, not copies. Work is linear in the octets received,
/// whatever the size of the reads.
///
/// It begins with the rules of 1.0 and must be told what the handshake has settled with
/// [`set_version`](Decoder::set_version) before the next call. CONNECT, STOMP and CONNECTED are never unescaped.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    version: Version,
    undefined: Undefined,
    /// Octets taken off the buffer since the beginning of the connection.
    taken: u64,
    scanner: HeadScanner,
    /// The frame whose head is complete and whose body is awaited.
    open: Option<Open>,
    failed: Option<DecodeError>,
}

#[derive(Debug)]
struct Open {
    command: Command,
    headers: Headers,
    body: BodyExtent,
}

impl Decoder {
    /// The most that is reserved for a body at a time, however long it claims to be.
    pub const GROWTH_STEP_BYTES: usize = 64 * 1024;

    /// A decoder at the beginning of a connection.
    pub fn new(limits: Limits) -> Decoder {
        Decoder {
            limits,
            version: Version::default(),
            undefined: Undefined::Refuse,
            taken: 0,
            scanner: HeadScanner::default(),
            open: None,
            failed: None,
        }
    }

    /// Settles the version. It holds for heads not yet complete.
    pub fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    /// Changes the limits, for instance after a login. They hold from the next octet on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Lets undefined escapes pass as they stand, instead of refusing them, for peers that never escaped properly.
    pub fn set_lenient_escapes(&mut self, lenient: bool) {
        self.undefined = if lenient { Undefined::Keep } else { Undefined::Refuse };
    }

    /// Whether nothing of a frame has begun. Meaningful after [`decode`](Decoder::decode) has returned `None`.
    pub fn is_between_frames(&self) -> bool {
        self.open.is_none() && self.scanner.is_fresh()
    }

    /// Takes the next item off the buffer; `None` if more octets are needed.
    ///
    /// Limits are checked while octets arrive, so a buffer never has to hold more than one frame within its limits.
    /// After an error the decoder stays in error: it returns the same one again and takes nothing.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Item>, DecodeError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.advance(buffer).map_err(|fault| {
            let error = fault.counted_from(self.taken);
            self.failed = Some(error.clone());
            error
        })
    }

    /// The places of faults count from the front of the buffer.
    fn advance(&mut self, buffer: &mut BytesMut) -> Result<Option<Item>, Fault> {
        if let Some(open) = self.open.take() {
            return self.close_frame(open, buffer);
        }
        if self.scanner.is_fresh() && self.skip_line_ends(buffer) {
            return Ok(Some(Item::HeartBeat));
        }
        let Some(extent) = self.scanner.find_end(buffer, &self.limits)? else {
            return Ok(None);
        };
        self.scanner = HeadScanner::default();
        let open = self.open_frame(&extent, buffer)?;
        self.close_frame(open, buffer)
    }

    /// Takes what may stand between frames: line ends, and NULs that some peers add. True if there was a line end.
    fn skip_line_ends(&mut self, buffer: &mut BytesMut) -> bool {
        let run = buffer.iter().take_while(|octet| matches!(octet, b'\n' | b'\r' | 0)).count();
        let beats = buffer.iter().take(run).any(|octet| *octet == b'\n');
        self.take(buffer, run);
        beats
    }

    /// Takes a complete head.
    fn open_frame(&mut self, extent: &HeadExtent, buffer: &mut BytesMut) -> Result<Open, Fault> {
        let octets = buffer.get_mut(..extent.len).unwrap_or_default();
        let rules = Rules { version: self.version, undefined: self.undefined, body_bytes: self.limits.body_bytes };
        let Head { command, spans, body } = head::read(octets, extent.headers, &rules)?;
        let text = ByteString::try_from(buffer.split_to(extent.len).freeze()).map_err(head::not_text)?;
        let headers = Headers::in_block(text, spans);
        self.taken += extent.len as u64;
        if let BodyExtent::Counted(len) = body {
            buffer.reserve(len.saturating_add(1).saturating_sub(buffer.len()).min(Decoder::GROWTH_STEP_BYTES));
        }
        Ok(Open { command, headers, body })
    }

    /// Takes the body and its NUL, or keeps the frame open.
    fn close_frame(&mut self, mut open: Open, buffer: &mut BytesMut) -> Result<Option<Item>, Fault> {
        let Some(len) = body_len(&mut open, buffer, self.limits.body_bytes)? else {
            self.open = Some(open);
            return Ok(None);
        };
        // An empty slice would only keep the buffer alive.
        let body = if len == 0 { Bytes::new() } else { buffer.split_to(len).freeze() };
        self.taken += len as u64;
        self.take(buffer, 1);
        Ok(Some(Item::Frame(Frame { command: open.command, headers: open.headers, body })))
    }

    fn take(&mut self, buffer: &mut BytesMut, len: usize) {
        buffer.advance(len);
        self.taken += len as u64;
    }
}

/// The length of the body, once its NUL is there.
fn body_len(open: &mut Open, buffer: &[u8], limit: usize) -> Result<Option<usize>, Fault> {
    let (length, kind) = match &mut open.body {
        BodyExtent::None => (0, DecodeErrorKind::UnexpectedBody(open.command)),
        BodyExtent::Counted(length) => (*length, DecodeErrorKind::MissingNul { length: *length }),
        BodyExtent::UntilNul { looked } => {
            let found = search::nul(buffer.get(*looked..).unwrap_or_default()).map(|at| *looked + at);
            *looked = found.unwrap_or(buffer.len());
            if *looked > limit {
                return Err(Fault::new(DecodeErrorKind::BodyEndless { limit }, limit));
            }
            return Ok(found);
        }
    };
    match buffer.get(length) {
        None => Ok(None),
        Some(0) => Ok(Some(length)),
        Some(_) => Err(Fault::new(kind, length)),
    }
}
