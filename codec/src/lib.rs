//! STOMP 1.0, 1.1 and 1.2: what a frame is and how it is spelled.
//!
//! Octets go in as they arrive and frames come out; frames go in and octets come out. Nothing here waits, reads a
//! clock or knows whether it serves a client or a server.
//!
//! ```
//! use bytes::BytesMut;
//! use kolejka_codec::{Command, Decoder, Ending, Frame, Item, Limits, Version, encode};
//!
//! // What a client says, as a server reads it: in two pieces, cut anywhere.
//! let mut buffer = BytesMut::from("SEND\ndestination:/queue/a\nnote:one\\ntwo\n\nhel");
//! let mut decoder = Decoder::new(Limits::default());
//! decoder.set_version(Version::V1_2);
//! assert_eq!(decoder.decode(&mut buffer)?, None);
//!
//! buffer.extend_from_slice(b"lo\0\n");
//! let Some(Item::Frame(send)) = decoder.decode(&mut buffer)? else { panic!("a frame") };
//! assert_eq!(send.headers.get("destination"), Some("/queue/a"));
//! assert_eq!(send.headers.get("note"), Some("one\ntwo"));
//! assert_eq!(&send.body[..], b"hello");
//! assert_eq!(decoder.decode(&mut buffer)?, Some(Item::HeartBeat)); // the line end behind the frame
//!
//! // What the server says to another client, which speaks 1.1.
//! let message = Frame::new(Command::Message).header("note", "one\ntwo").body(send.body);
//! let mut out = BytesMut::new();
//! encode(&message, Version::V1_1, Ending::NulLf, &mut out);
//! assert_eq!(&out[..], b"MESSAGE\nnote:one\\ntwo\ncontent-length:5\n\nhello\0\n");
//! # Ok::<(), kolejka_codec::DecodeError>(())
//! ```

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod command;
mod decoder;
pub mod encoder;
mod error;
pub mod escape;
mod frame;
#[cfg(feature = "framed")]
mod framed;
mod head;
pub mod header;
mod limits;
mod parser;
mod scanner;
mod search;
#[cfg(test)]
mod tests;
mod version;

/// Text that shares its bytes: what [`Headers::slice`] yields.
pub use bytestring::ByteString;
pub use command::Command;
pub use decoder::{Decoder, Item};
pub use encoder::{Ending, encode};
pub use error::{DecodeError, DecodeErrorKind};
pub use frame::Frame;
#[cfg(feature = "framed")]
pub use framed::{Codec, FramedError};
pub use header::Headers;
pub use limits::Limits;
pub use version::Version;
