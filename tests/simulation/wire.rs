//! A client's end of a connection: bytes out in pieces of any size, bytes in, frames of what came.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use kolejka::journal::fault::Dice;
use kolejka_codec::{Command, Decoder, Frame, Item, Limits, Version};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::broker::Failure;
use super::trace::{Trace, show};

/// One end.
pub(crate) struct Wire {
    /// Of its connection.
    number: u64,
    pipe: DuplexStream,
    out: BytesMut,
    decoder: Decoder,
    heard: BytesMut,
    is_open: bool,
}

impl Wire {
    pub(crate) fn new(number: u64, pipe: DuplexStream) -> Wire {
        // The broker adds to what was at the limits when it was sent.
        let limits = Limits {
            body_bytes: 1 << 20,
            head_bytes: 1 << 18,
            line_bytes: 1 << 14,
            header_count: 1000,
            ..Limits::default()
        };
        let mut decoder = Decoder::new(limits);
        decoder.set_version(Version::V1_2);
        Wire { number, pipe, out: BytesMut::new(), decoder, heard: BytesMut::new(), is_open: true }
    }

    /// Says something, sooner or later.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        show(&format!("{} says", self.number), bytes);
        self.out.extend_from_slice(bytes);
    }

    /// Writes a piece, or as much as goes.
    pub(crate) fn write(&mut self, dice: &mut Dice) {
        let most = match dice.below(6) {
            0 => 1,
            1 => 1 + dice.below(64) as usize,
            _ => usize::MAX,
        };
        let mut context = Context::from_waker(Waker::noop());
        let mut left = most;
        while left > 0 && !self.out.is_empty() && self.is_open {
            let piece = &self.out[..self.out.len().min(left)];
            match Pin::new(&mut self.pipe).poll_write(&mut context, piece) {
                Poll::Ready(Ok(written)) => {
                    self.out.advance(written);
                    left -= written;
                }
                Poll::Ready(Err(_)) => self.is_open = false,
                Poll::Pending => return,
            }
        }
    }

    /// Reads all that is there. What is not understood is the broker's fault. `false` behind the frames: it has closed.
    pub(crate) fn read(&mut self, trace: &mut Trace) -> Result<(Vec<Frame>, bool), Failure> {
        let mut context = Context::from_waker(Waker::noop());
        let mut room = vec![0; 16 << 10];
        let mut is_open = true;
        while is_open {
            let mut buffer = ReadBuf::new(&mut room);
            match Pin::new(&mut self.pipe).poll_read(&mut context, &mut buffer) {
                Poll::Pending => break,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    trace.add(buffer.filled());
                    self.heard.extend_from_slice(buffer.filled());
                }
                Poll::Ready(_) => is_open = false,
            }
        }
        let mut frames = Vec::new();
        loop {
            match self.decoder.decode(&mut self.heard) {
                Ok(Some(Item::Frame(frame))) => {
                    show(&format!("{} hears", self.number), format!("{frame:?}").as_bytes());
                    frames.push(frame);
                }
                Ok(Some(Item::HeartBeat)) => {}
                Ok(None) => break,
                Err(error) => return Err(format!("codec: the broker says what is no frame: {error}")),
            }
        }
        self.is_open &= is_open;
        Ok((frames, is_open))
    }
}

/// A frame as bytes.
pub(crate) fn spell(command: Command, headers: &[(&str, String)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{}\n", command.as_str()).into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}:{value}\n").as_bytes());
    }
    bytes.push(b'\n');
    bytes.extend_from_slice(body);
    bytes.extend_from_slice(b"\0\n");
    bytes
}
