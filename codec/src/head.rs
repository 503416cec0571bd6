//! What a complete head says: its command, its headers in plain text, and where its body will end. Pure: octets and
//! rules in, places out. The octets change in place, since an escape is longer than what it spells.

use std::str::Utf8Error;

use memchr::memchr;

use crate::command::Command;
use crate::error::{DecodeErrorKind, Fault};
use crate::escape::{Escapes, Undefined, unescape_in_place};
use crate::header::{Piece, Span, names};
use crate::parser;
use crate::version::Version;

/// How heads are read at the moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) version: Version,
    pub(crate) undefined: Undefined,
    /// The longest body that may be announced, in octets.
    pub(crate) body_bytes: usize,
}

/// A head, read. Its spans are places in the octets that were read.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) command: Command,
    pub(crate) spans: Vec<Span>,
    pub(crate) body: BodyExtent,
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyExtent {
    /// There is none: NUL follows at once.
    None,
    /// After this many octets, as `content-length` says; then NUL.
    Counted(usize),
    /// At the first NUL, which is not among the `looked` first octets.
    UntilNul { looked: usize },
}

/// Reads a complete head of this many header lines. That it is UTF-8 is left to the caller to find out, once, when it
/// becomes text; a fault in it is told before any other.
pub(crate) fn read(octets: &mut [u8], headers: usize, rules: &Rules) -> Result<Head, Fault> {
    read_octets(octets, headers, rules).map_err(|fault| check_text(octets).err().unwrap_or(fault))
}

fn read_octets(octets: &mut [u8], headers: usize, rules: &Rules) -> Result<Head, Fault> {
    let (command, mut spans) = parser::parse(octets, headers)?;
    if trims_values(command, rules.version, octets, &spans) {
        for span in &mut spans {
            span.value = trimmed(octets, span.value);
        }
    }
    let escapes = Escapes::of(command, rules.version);
    if escapes != Escapes::None && memchr(b'\\', octets).is_some() {
        // Before places shift.
        check_text(octets)?;
        for piece in spans.iter_mut().flat_map(|span| [&mut span.name, &mut span.value]) {
            *piece = unescaped(octets, *piece, escapes, rules.undefined)?;
        }
    }
    let body = body_extent(command, octets, &spans, rules.body_bytes)?;
    Ok(Head { command, spans, body })
}

/// Whether all of it is UTF-8.
fn check_text(octets: &[u8]) -> Result<(), Fault> {
    std::str::from_utf8(octets).map(drop).map_err(not_text)
}

/// A head that is not UTF-8.
pub(crate) fn not_text(error: Utf8Error) -> Fault {
    Fault::new(DecodeErrorKind::InvalidUtf8, error.valid_up_to())
}

/// Whether blanks around values are no part of them: in 1.0 only. A frame that opens a connection comes before any
/// version is settled, and says itself which one its sender means.
fn trims_values(command: Command, version: Version, octets: &[u8], spans: &[Span]) -> bool {
    let said = match command {
        Command::Connect | Command::Stomp => first(octets, spans, names::ACCEPT_VERSION),
        Command::Connected => first(octets, spans, names::VERSION),
        _ => return version == Version::V1_0,
    };
    let said = said.and_then(|piece| std::str::from_utf8(at(octets, piece)).ok());
    // Also true if nothing is common: such a frame is only read to be refused.
    Version::negotiate(said) <= Some(Version::V1_0)
}

fn trimmed(octets: &[u8], piece: Piece) -> Piece {
    let is_blank = |octet: &&u8| matches!(octet, b' ' | b'\t');
    let value = at(octets, piece);
    let leading = value.iter().take_while(is_blank).count();
    let trailing = value.iter().skip(leading).rev().take_while(is_blank).count();
    Piece::new(piece.range().start + leading, value.len() - leading - trailing)
}

fn unescaped(octets: &mut [u8], piece: Piece, escapes: Escapes, undefined: Undefined) -> Result<Piece, Fault> {
    let start = piece.range().start;
    let text = octets.get_mut(piece.range()).unwrap_or_default();
    match unescape_in_place(text, escapes, undefined) {
        Ok(len) => {
            // What lies behind may be half a character, and the whole head is read as text.
            text.get_mut(len..).unwrap_or_default().fill(b' ');
            Ok(Piece::new(start, len))
        }
        Err(flaw) => Err(Fault::new(DecodeErrorKind::UndefinedEscape, start + flaw.at)),
    }
}

/// Where the body will end. The announced length is checked before anything is done with it.
fn body_extent(command: Command, octets: &[u8], spans: &[Span], limit: usize) -> Result<BodyExtent, Fault> {
    let Some(length) = first(octets, spans, names::CONTENT_LENGTH) else {
        return Ok(if command.may_have_body() { BodyExtent::UntilNul { looked: 0 } } else { BodyExtent::None });
    };
    let fault = |kind| Err(Fault::new(kind, length.range().start));
    match decimal(at(octets, length)) {
        None => fault(DecodeErrorKind::BadContentLength),
        Some(1..) if !command.may_have_body() => fault(DecodeErrorKind::UnexpectedBody(command)),
        Some(actual) if actual > limit as u64 => fault(DecodeErrorKind::BodyTooLarge { limit, actual }),
        Some(actual) => Ok(BodyExtent::Counted(actual as usize)),
    }
}

/// One to ten decimal digits; no sign, no blanks.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 10 {
        return None;
    }
    digits.iter().try_fold(0, |number, digit| match digit {
        b'0'..=b'9' => Some(number * 10 + u64::from(digit - b'0')),
        _ => None,
    })
}

/// The value of the first header of this name.
fn first(octets: &[u8], spans: &[Span], name: &str) -> Option<Piece> {
    spans.iter().find(|span| at(octets, span.name) == name.as_bytes()).map(|span| span.value)
}

fn at(octets: &[u8], piece: Piece) -> &[u8] {
    octets.get(piece.range()).unwrap_or_default()
}
