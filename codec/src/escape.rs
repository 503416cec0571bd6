//! How a character that would end a name, a value or a line is spelled, per version. Knows text only, no frames.
//!
//! | | 1.0 | 1.1 | 1.2 |
//! |---|---|---|---|
//! | LF `\n` · colon `\c` · backslash `\\` | – | yes | yes |
//! | CR `\r` | – | – | yes |
//!
//! 1.0 has no escapes: its text is verbatim. Any other escape, and a backslash at the very end, is an error in 1.1 and
//! 1.2 (STOMP 1.2, "Value Encoding").

use std::borrow::Cow;

use bytes::BufMut;
use bytes::BytesMut;
use memchr::memchr;
use thiserror::Error;

use crate::command::Command;
use crate::version::Version;

/// An escape that the version does not define.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("undefined escape at octet {at}")]
pub struct UndefinedEscape {
    /// Where its backslash stands in the text, in octets.
    pub at: usize,
}

/// The escapes that hold for a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escapes {
    /// Verbatim.
    None,
    /// `\n`, `\c`, `\\`.
    Three,
    /// Those and `\r`.
    Four,
}

impl Escapes {
    /// Those of a frame: of its version, unless the command is exempt.
    pub(crate) fn of(command: Command, version: Version) -> Escapes {
        if command.is_verbatim() { Escapes::None } else { Escapes::from(version) }
    }

    /// The letter behind the backslash that spells this octet.
    pub(crate) fn letter(self, octet: u8) -> Option<u8> {
        match (self, octet) {
            (Escapes::Three | Escapes::Four, b'\n') => Some(b'n'),
            (Escapes::Three | Escapes::Four, b':') => Some(b'c'),
            (Escapes::Three | Escapes::Four, b'\\') => Some(b'\\'),
            (Escapes::Four, b'\r') => Some(b'r'),
            _ => None,
        }
    }

    /// The octet that a backslash and this letter spell.
    fn octet(self, letter: u8) -> Option<u8> {
        match (self, letter) {
            (Escapes::Three | Escapes::Four, b'n') => Some(b'\n'),
            (Escapes::Three | Escapes::Four, b'c') => Some(b':'),
            (Escapes::Three | Escapes::Four, b'\\') => Some(b'\\'),
            (Escapes::Four, b'r') => Some(b'\r'),
            _ => None,
        }
    }
}

impl From<Version> for Escapes {
    fn from(version: Version) -> Escapes {
        match version {
            Version::V1_0 => Escapes::None,
            Version::V1_1 => Escapes::Three,
            Version::V1_2 => Escapes::Four,
        }
    }
}

/// Whether the text changes when it is escaped for this version.
pub fn needs_escape(text: &str, version: Version) -> bool {
    text.bytes().any(|octet| Escapes::from(version).letter(octet).is_some())
}

/// Appends the text as this version spells it. (In 1.0 that is verbatim: the caller must know that it fits.)
pub fn escape_into(text: &str, version: Version, into: &mut BytesMut) {
    put_escaped(text, Escapes::from(version), into);
}

/// What the text spells in this version; borrowed when it holds no backslash.
pub fn unescape(text: &str, version: Version) -> Result<Cow<'_, str>, UndefinedEscape> {
    if version == Version::V1_0 || memchr(b'\\', text.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(text));
    }
    let mut octets = text.as_bytes().to_vec();
    let len = unescape_in_place(&mut octets, Escapes::from(version), Undefined::Refuse)?;
    octets.truncate(len);
    // Only ASCII was exchanged for ASCII.
    Ok(Cow::Owned(String::from_utf8(octets).unwrap_or_default()))
}

/// What becomes of an undefined escape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undefined {
    Refuse,
    /// Backslash and letter stay as they are.
    Keep,
}

/// Whether the text is spelled the same in all versions, wherever it stands in a header. Nearly every text is. All of it is
/// looked at, which takes fewer steps than to stop at the first.
pub(crate) fn is_plain(text: &str) -> bool {
    let is_special = |found, byte: &u8| found | matches!(byte, 0 | b'\n' | b'\r' | b':' | b'\\');
    !text.as_bytes().iter().fold(false, is_special)
}

pub(crate) fn put_escaped(text: &str, escapes: Escapes, into: &mut BytesMut) {
    let mut rest = text.as_bytes();
    if is_plain(text) {
        return into.put_slice(rest);
    }
    let special = |octets: &[u8]| octets.iter().position(|octet| escapes.letter(*octet).is_some());
    while let Some((plain, [octet, after @ ..])) = special(rest).and_then(|at| rest.split_at_checked(at)) {
        into.put_slice(plain);
        into.put_slice(&[b'\\', escapes.letter(*octet).unwrap_or(*octet)]);
        rest = after;
    }
    into.put_slice(rest);
}

/// Unescapes within the same octets, which can only get fewer; returns how many are left. What lies behind them is rubbish.
pub(crate) fn unescape_in_place(
    octets: &mut [u8],
    escapes: Escapes,
    undefined: Undefined,
) -> Result<usize, UndefinedEscape> {
    let (mut read, mut written) = (0, 0);
    while let Some(&octet) = octets.get(read) {
        let mut plain = octet;
        if octet == b'\\' {
            match octets.get(read + 1).and_then(|letter| escapes.octet(*letter)) {
                Some(spelled) => (plain, read) = (spelled, read + 1),
                None if undefined == Undefined::Refuse => return Err(UndefinedEscape { at: read }),
                None => {}
            }
        }
        if let Some(place) = octets.get_mut(written) {
            *place = plain;
        }
        (read, written) = (read + 1, written + 1);
    }
    Ok(written)
}
