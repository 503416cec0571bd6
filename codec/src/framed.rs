//! The codec of tokio-util. The only file that knows it.

use std::io;

use bytes::BytesMut;
use thiserror::Error;
use tokio_util::codec;

use crate::decoder::{Decoder, Item};
use crate::encoder::{Ending, encode};
use crate::error::DecodeError;
use crate::frame::Frame;
use crate::limits::Limits;
use crate::version::Version;

/// Both directions of one connection, for `tokio_util::codec::Framed`.
///
/// When many frames are written, feed them and flush once, and raise the backpressure boundary of `Framed` from its
/// 8 KiB to 64 KiB: it writes to the socket each time that boundary is passed.
#[derive(Debug)]
pub struct Codec {
    decoder: Decoder,
    version: Version,
    ending: Ending,
}

impl Codec {
    /// A codec at the beginning of a connection, speaking 1.0 until told otherwise.
    pub fn new(limits: Limits, ending: Ending) -> Codec {
        Codec { decoder: Decoder::new(limits), version: Version::default(), ending }
    }

    /// Settles the version in both directions.
    pub fn set_version(&mut self, version: Version) {
        self.version = version;
        self.decoder.set_version(version);
    }

    /// Access to limits and leniency.
    pub fn decoder_mut(&mut self) -> &mut Decoder {
        &mut self.decoder
    }
}

/// Why a framed stream ends.
#[derive(Debug, Error)]
pub enum FramedError {
    /// The peer broke the protocol.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The stream failed, or ended within a frame (`UnexpectedEof`).
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl codec::Decoder for Codec {
    type Item = Item;
    type Error = FramedError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Item>, FramedError> {
        Ok(self.decoder.decode(buffer)?)
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<Item>, FramedError> {
        match self.decode(buffer)? {
            None if !self.decoder.is_between_frames() => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            item => Ok(item),
        }
    }
}

impl codec::Encoder<&Frame> for Codec {
    type Error = FramedError;

    fn encode(&mut self, frame: &Frame, buffer: &mut BytesMut) -> Result<(), FramedError> {
        encode(frame, self.version, self.ending, buffer);
        Ok(())
    }
}

impl codec::Encoder<Item> for Codec {
    type Error = FramedError;

    fn encode(&mut self, item: Item, buffer: &mut BytesMut) -> Result<(), FramedError> {
        match item {
            Item::Frame(frame) => encode(&frame, self.version, self.ending, buffer),
            Item::HeartBeat => buffer.extend_from_slice(b"\n"),
        }
        Ok(())
    }
}
