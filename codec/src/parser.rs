//! The grammar of a head. Works on complete heads only, so that nothing is ever parsed twice; knows neither limits nor
//! escapes.

use memchr::memchr;
use nom::Err;
use nom::IResult;
use nom::Offset;
use nom::Parser;
use nom::bytes::complete::tag;
use nom::combinator::{all_consuming, rest};
use nom::error::{ErrorKind, ParseError};
use nom::multi::fold_many_m_n;
use nom::sequence::{separated_pair, terminated};

use crate::command::Command;
use crate::error::{DecodeErrorKind, Fault};
use crate::header::{Piece, Span};

type Parsed<'a, T> = IResult<&'a [u8], T, Flaw<'a>>;

/// Parses a complete head with this many header lines, into the command and the places of names and values.
///
/// `head = command *header empty-line`
pub(crate) fn parse(head: &[u8], headers: usize) -> Result<(Command, Vec<Span>), Fault> {
    let spans = fold_many_m_n(
        headers,
        headers,
        header,
        || Vec::with_capacity(headers),
        |mut spans, (name, value)| {
            spans.push(Span { name: place(head, name), value: place(head, value) });
            spans
        },
    );
    match all_consuming(terminated((command, spans), line)).parse(head) {
        Ok((_, parsed)) => Ok(parsed),
        Err(Err::Error(flaw) | Err::Failure(flaw)) => Err(Fault::new(flaw.kind, head.offset(flaw.rest))),
        Err(Err::Incomplete(_)) => Err(Fault::new(DecodeErrorKind::NoColon, head.len())),
    }
}

/// `command = "CONNECT" / "STOMP" / "SEND" / … , alone on its line`
fn command(input: &[u8]) -> Parsed<'_, Command> {
    let (after, name) = line(input)?;
    match Command::from_bytes(name) {
        Some(command) => Ok((after, command)),
        None => Err(Err::Failure(Flaw { rest: input, kind: DecodeErrorKind::unknown_command(name) })),
    }
}

/// `header = name ":" value , alone on its line`
fn header(input: &[u8]) -> Parsed<'_, (&[u8], &[u8])> {
    line.and_then(separated_pair(name, tag(":"), rest)).parse(input)
}

/// `name = 1*<any octet except LF and ":">`; the first colon of a line ends it, further ones belong to the value.
fn name(line: &[u8]) -> Parsed<'_, &[u8]> {
    let flaw = |kind| Err(Err::Failure(Flaw { rest: line, kind }));
    match memchr(b':', line).and_then(|colon| line.split_at_checked(colon)) {
        None => flaw(DecodeErrorKind::NoColon),
        Some(([], _)) => flaw(DecodeErrorKind::EmptyName),
        Some((name, after)) => Ok((after, name)),
    }
}

/// `line = *<any octet except LF> [CR] LF`; the CR before LF is no part of it in any version, since clients send it
/// before a version is agreed.
fn line(input: &[u8]) -> Parsed<'_, &[u8]> {
    match memchr(b'\n', input).and_then(|end| Some((input.get(end + 1..)?, input.get(..end)?))) {
        Some((after, line)) => Ok((after, line.strip_suffix(b"\r").unwrap_or(line))),
        None => Err(Err::Failure(Flaw::from_error_kind(input, ErrorKind::CrLf))),
    }
}

fn place(head: &[u8], part: &[u8]) -> Piece {
    Piece::new(head.offset(part), part.len())
}

/// What is wrong with the grammar, and what was left to parse there.
#[derive(Debug)]
struct Flaw<'a> {
    rest: &'a [u8],
    kind: DecodeErrorKind,
}

impl<'a> ParseError<&'a [u8]> for Flaw<'a> {
    /// The only thing that combinators themselves can miss is the shape of a line.
    fn from_error_kind(rest: &'a [u8], _: ErrorKind) -> Flaw<'a> {
        Flaw { rest, kind: DecodeErrorKind::NoColon }
    }

    fn append(_: &'a [u8], _: ErrorKind, first: Flaw<'a>) -> Flaw<'a> {
        first
    }
}
