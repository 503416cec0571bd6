//! STOMP in WebSocket messages: a stream of octets in, one message per frame out.
//!
//! The library's protocol machine is driven directly on the wire, by the one task that polls it. Compression is never
//! negotiated. Memory is bounded: a message in by its limit, octets out by [`PIECE_BYTES`] and [`WRITE_BYTES`] besides
//! the one frame that is being sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::error::{CapacityError, Error as Failure};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame, Utf8Bytes};
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig, WebSocketContext};

use super::intake::{IDLE_BYTES, Intake, READ_BYTES};
use super::nonblocking::Nonblocking;
use super::options::Options;
use super::pings::Pings;
use super::wire::Wire;
use crate::model::Burst;

/// A longer frame leaves as one message in several fragments of this size, in octets, so that it is not copied whole.
const PIECE_BYTES: usize = 32 * 1024;

/// Octets gathered before they are given to the socket.
const WRITE_BYTES: usize = 16 * 1024;

/// What may be left of messages that are complete, by our count, when nothing of another has come: their own headers.
const HEADERS_BYTES: usize = 4096;

/// Messages taken in one read.
const MESSAGES_PER_READ: usize = 128;

/// Reads forgotten in a row before others get their turn.
const READS_FORGOTTEN: usize = 16;

/// What a peer did wrong, in a sentence for it.
#[derive(Debug, Error)]
enum Fault {
    #[error("a WebSocket message is larger than {0} octets")]
    TooLarge(usize),
    #[error("a WebSocket text message is not UTF-8")]
    NotText,
    #[error("there are more than {} WebSocket pings and pongs a second", Pings::PER_SECOND)]
    Pings,
    #[error("a WebSocket rule is broken: {0}")]
    Protocol(String),
}

impl Fault {
    fn code(&self) -> CloseCode {
        match self {
            Fault::TooLarge(_) => CloseCode::Size,
            Fault::NotText => CloseCode::Invalid,
            Fault::Pings => CloseCode::Policy,
            Fault::Protocol(_) => CloseCode::Protocol,
        }
    }
}

/// Whether there is more to read.
#[derive(Debug)]
enum Input {
    Open,
    /// Not told yet; what came before it has been.
    Faulty(Fault),
    /// Told. What comes is forgotten.
    Forgotten,
    Ended,
}

/// A frame that is partly sent.
#[derive(Debug)]
struct Outgoing {
    rest: Bytes,
    opcode: Data,
}

/// One WebSocket connection.
#[derive(Debug)]
pub(super) struct WebSocket {
    wire: Wire,
    machine: WebSocketContext,
    intake: Intake,
    pings: Pings,
    input: Input,
    outgoing: Option<Outgoing>,
    /// Fragments that have been given to the machine.
    pieces: usize,
    /// The socket took no more at the last write.
    blocked: bool,
    /// Whether the peer's first message was binary: we answer in kind.
    binary: Option<bool>,
    admitted: bool,
    /// Bytes read and not handed over.
    held: usize,
    /// Bytes that may still be read before others get their turn.
    budget: usize,
    message_bytes: usize,
    close: CloseCode,
}

impl WebSocket {
    /// `early` is what came behind the handshake.
    pub(super) fn new(wire: Wire, early: BytesMut, options: &Options) -> WebSocket {
        let config = WebSocketConfig::default()
            .read_buffer_size(IDLE_BYTES)
            .write_buffer_size(WRITE_BYTES)
            // One piece is written beside a full buffer; pongs and the Close message are small.
            .max_write_buffer_size(2 * (WRITE_BYTES + PIECE_BYTES))
            .max_message_size(Some(options.login_message_bytes))
            .max_frame_size(Some(options.login_message_bytes));
        WebSocket {
            wire,
            machine: WebSocketContext::from_partially_read(early.into(), Role::Server, Some(config)),
            intake: Intake::new(),
            pings: Pings::default(),
            input: Input::Open,
            outgoing: None,
            pieces: 0,
            blocked: false,
            binary: None,
            admitted: false,
            held: 0,
            budget: 0,
            message_bytes: options.message_bytes,
            close: CloseCode::Normal,
        }
    }

    /// From now on messages may be large.
    pub(super) fn admit(&mut self) {
        let limit = Some(self.message_bytes);
        self.admitted = true;
        self.machine.set_config(|config| (config.max_message_size, config.max_frame_size) = (limit, limit));
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        let before = buf.len();
        let mut wait = false;
        self.budget = READ_BYTES;
        for _ in 0..MESSAGES_PER_READ {
            let taken = buf.len() - before;
            // A peer that is not admitted gets its messages read one by one: the limit may grow after any of them.
            let enough = taken >= READ_BYTES || (taken > 0 && !self.admitted);
            wait = !enough && matches!(self.input, Input::Open) && !self.take_message(cx, buf);
            if enough || wait || !matches!(self.input, Input::Open) {
                break;
            }
        }
        let taken = buf.len() - before;
        if taken > 0 {
            self.intake.took(taken, taken);
            return Poll::Ready(Ok(taken));
        }
        match std::mem::replace(&mut self.input, Input::Open) {
            Input::Open if wait && self.budget == 0 => yield_now(cx),
            Input::Open if wait => {
                self.intake.rest(buf);
                Poll::Pending
            }
            Input::Open => yield_now(cx),
            Input::Ended => {
                self.input = Input::Ended;
                Poll::Ready(Ok(0))
            }
            Input::Faulty(fault) => {
                self.input = Input::Forgotten;
                Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, fault)))
            }
            Input::Forgotten => {
                self.input = Input::Forgotten;
                self.poll_forget(cx)
            }
        }
    }

    /// Takes one message in; `false` if none is there.
    fn take_message(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> bool {
        let mut wire = Nonblocking::within(&mut self.wire, cx, self.budget);
        let read = self.machine.read(&mut wire);
        self.held += self.budget - wire.budget();
        self.budget = wire.budget();
        match read {
            Ok(Message::Text(text)) => self.take_payload(text.as_bytes(), false, buf),
            Ok(Message::Binary(octets)) => self.take_payload(&octets, true, buf),
            Ok(Message::Ping(_) | Message::Pong(_)) => {
                if !self.pings.take() {
                    self.fail(Fault::Pings);
                }
            }
            Ok(Message::Close(_)) => {
                self.input = Input::Ended;
                // Our Close in return; if it does not leave now, it does at the shutdown.
                let _ = self.machine.flush(&mut Nonblocking::new(&mut self.wire, cx));
            }
            Ok(Message::Frame(_)) => {}
            Err(Failure::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return false,
            // A socket that failed and one that was closed without a Close message both end the input.
            Err(Failure::Io(_) | Failure::ConnectionClosed | Failure::AlreadyClosed) => self.input = Input::Ended,
            Err(failure) if is_end(&failure) => self.input = Input::Ended,
            Err(Failure::Capacity(CapacityError::MessageTooLong { max_size, .. })) => {
                self.fail(Fault::TooLarge(max_size));
            }
            Err(Failure::Utf8(_)) => self.fail(Fault::NotText),
            Err(failure) => self.fail(Fault::Protocol(failure.to_string())),
        }
        true
    }

    fn take_payload(&mut self, octets: &[u8], binary: bool, buf: &mut BytesMut) {
        self.binary.get_or_insert(binary);
        let rest = self.held.saturating_sub(octets.len());
        self.held = if rest <= HEADERS_BYTES { 0 } else { rest };
        buf.extend_from_slice(octets);
    }

    fn fail(&mut self, fault: Fault) {
        self.close = fault.code();
        self.input = Input::Faulty(fault);
    }

    /// Reads until the peer has nothing more to say, so that what we said last can reach it.
    fn poll_forget(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut octets = [0; 4096];
        for _ in 0..READS_FORGOTTEN {
            let mut read = ReadBuf::new(&mut octets);
            ready!(Pin::new(&mut self.wire).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                self.input = Input::Ended;
                return Poll::Ready(Ok(0));
            }
        }
        yield_now(cx)
    }

    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, burst: &mut Burst) -> Poll<io::Result<()>> {
        loop {
            if self.blocked {
                ready!(self.poll_flush(cx))?;
            }
            let Some(piece) = self.next_piece(burst) else {
                return self.poll_flush(cx);
            };
            let wire = &mut Nonblocking::new(&mut self.wire, cx);
            match self.machine.write(wire, Message::Frame(piece)) {
                Ok(()) => {}
                // The machine has taken the piece all the same.
                Err(Failure::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => self.blocked = true,
                Err(failure) => return Poll::Ready(Err(broken(failure))),
            }
        }
    }

    /// Bytes of a message that is not complete.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    pub(super) fn pieces(&self) -> usize {
        self.pieces
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.machine.flush(&mut Nonblocking::new(&mut self.wire, cx)) {
            Ok(()) => self.blocked = false,
            Err(Failure::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Err(failure) => return Poll::Ready(Err(broken(failure))),
        }
        Poll::Ready(Ok(()))
    }

    /// The next fragment of the frame that is being sent, or the first of the next frame.
    fn next_piece(&mut self, burst: &mut Burst) -> Option<Frame> {
        let mut outgoing = match self.outgoing.take() {
            Some(outgoing) => outgoing,
            None => self.begin(burst.pop_frame()?),
        };
        self.pieces = self.pieces.wrapping_add(1);
        let piece = outgoing.rest.split_to(outgoing.rest.len().min(PIECE_BYTES));
        let opcode = OpCode::Data(std::mem::replace(&mut outgoing.opcode, Data::Continue));
        let last = outgoing.rest.is_empty();
        if !last {
            self.outgoing = Some(outgoing);
        }
        Some(Frame::message(piece, opcode, last))
    }

    /// Binary for a peer that began so; text for others, if the frame can be text.
    fn begin(&self, frame: Bytes) -> Outgoing {
        let binary = self.binary == Some(true) || std::str::from_utf8(&frame).is_err();
        Outgoing { rest: frame, opcode: if binary { Data::Binary } else { Data::Text } }
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let close = CloseFrame { code: self.close, reason: Utf8Bytes::default() };
        // Closing again only flushes.
        match self.machine.close(&mut Nonblocking::new(&mut self.wire, cx), Some(close)) {
            Ok(()) | Err(Failure::ConnectionClosed | Failure::AlreadyClosed) => {}
            Err(Failure::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Err(failure) => return Poll::Ready(Err(broken(failure))),
        }
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}

/// Lets others run although more could be done.
fn yield_now(cx: &Context<'_>) -> Poll<io::Result<usize>> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Whether the peer went away without a Close message, which programs do that are killed.
fn is_end(failure: &Failure) -> bool {
    use tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake;
    matches!(failure, Failure::Protocol(ResetWithoutClosingHandshake))
}

/// A failure to send.
fn broken(failure: Failure) -> io::Error {
    match failure {
        Failure::Io(error) => error,
        failure => io::Error::new(io::ErrorKind::BrokenPipe, failure),
    }
}
