//! From frames to octets, in one canonical spelling: LF only, names and values escaped for the reader's version.
//!
//! Besides [`encode`] there are its parts, for programs that write frames without building them first. Whatever a text
//! holds, it cannot break out of its header: what a version cannot spell is left out.

use bytes::BufMut;
use bytes::BytesMut;
use memchr::memchr;
use memchr::memchr2;
use memchr::memchr3;

use crate::command::Command;
use crate::escape::{Escapes, is_plain, put_escaped, unescape};
use crate::frame::Frame;
use crate::header::names;
use crate::version::Version;

/// What stands behind the body of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// NUL and LF: for TCP, where some clients wait for the line end.
    #[default]
    NulLf,
    /// NUL alone: for WebSocket, and for clients that stumble over the line end.
    Nul,
}

/// Appends a frame as a reader of this version expects it.
///
/// SEND, MESSAGE and ERROR always get a `content-length`, computed from the body; one among the headers is not copied.
/// Other commands have no body. Left out is every header that cannot be said: an empty name, a NUL, and for 1.0 and
/// the unescaped CONNECT, STOMP and CONNECTED also a name with a colon or LF, a value with LF, and in 1.0 an empty value.
pub fn encode(frame: &Frame, version: Version, ending: Ending, into: &mut BytesMut) {
    const LINE_OVERHEAD: usize = 4;
    into.reserve(64 + frame.headers.text_len() + LINE_OVERHEAD * frame.headers.len() + frame.body.len());
    put_command(into, frame.command);
    let escapes = Escapes::of(frame.command, version);
    for (name, value) in frame.headers.iter().filter(|(name, _)| *name != names::CONTENT_LENGTH) {
        put(into, name, value, escapes, version);
    }
    if frame.command.may_have_body() {
        put_number_header(into, names::CONTENT_LENGTH, frame.body.len() as u64);
    }
    end_head(into);
    if frame.command.may_have_body() {
        into.put_slice(&frame.body);
    }
    finish(into, ending);
}

/// Appends the command line.
pub fn put_command(into: &mut BytesMut, command: Command) {
    into.put_slice(command.as_str().as_bytes());
    into.put_u8(b'\n');
}

/// Appends one header, escaped for the version; nothing if that version cannot say it. For CONNECT, STOMP and CONNECTED
/// see [`put_plain_header`].
pub fn put_header(into: &mut BytesMut, name: &str, value: &str, version: Version) {
    put(into, name, value, Escapes::from(version), version);
}

/// Appends one header of CONNECT, STOMP or CONNECTED, which are not escaped in any version; nothing if it cannot be said.
pub fn put_plain_header(into: &mut BytesMut, name: &str, value: &str, version: Version) {
    put(into, name, value, Escapes::None, version);
}

/// Appends a header whose value is a number and whose name needs no escape.
pub fn put_number_header(into: &mut BytesMut, name: &str, number: u64) {
    put_line(into, name.as_bytes(), itoa::Buffer::new().format(number).as_bytes());
}

/// Appends a stored block of headers, translated for the version.
///
/// The block is lines of `name:value` and LF in the escapes of 1.2, as [`put_header`] writes them for 1.2. Readers of 1.2
/// get it as it is, readers of 1.1 too unless it holds an escaped CR; for 1.0 each header is unescaped, and left out
/// if it cannot be said.
pub fn put_block(into: &mut BytesMut, block_in_1_2_escapes: &[u8], version: Version) {
    match version {
        Version::V1_2 => into.put_slice(block_in_1_2_escapes),
        Version::V1_1 => put_block_1_1(into, block_in_1_2_escapes),
        Version::V1_0 => put_block_1_0(into, block_in_1_2_escapes),
    }
}

/// Appends the empty line.
pub fn end_head(into: &mut BytesMut) {
    into.put_u8(b'\n');
}

/// Appends what stands behind the body.
pub fn finish(into: &mut BytesMut, ending: Ending) {
    match ending {
        Ending::NulLf => into.put_slice(b"\0\n"),
        Ending::Nul => into.put_u8(0),
    }
}

fn put(into: &mut BytesMut, name: &str, value: &str, escapes: Escapes, version: Version) {
    // Nearly no header has anything to escape, or to be left out for.
    if !name.is_empty() && !value.is_empty() && is_plain(name) && is_plain(value) {
        put_line(into, name.as_bytes(), value.as_bytes());
    } else if can_say(name, value, escapes, version) {
        put_escaped(name, escapes, into);
        into.put_u8(b':');
        put_escaped(value, escapes, into);
        into.put_u8(b'\n');
    }
}

/// Appends a header that is spelled the same in every version. One extension of the buffer instead of four, which is most of
/// what a short header costs.
fn put_line(into: &mut BytesMut, name: &[u8], value: &[u8]) {
    let (start, colon) = (into.len(), into.len() + name.len());
    into.resize(colon + value.len() + 2, b'\n');
    if let Some(line) = into.get_mut(start..)
        && let Some((before, rest)) = line.split_at_mut_checked(name.len())
        && let Some((separator, rest)) = rest.split_first_mut()
        && let Some(behind) = rest.get_mut(..value.len())
    {
        before.copy_from_slice(name);
        *separator = b':';
        behind.copy_from_slice(value);
    }
}

fn can_say(name: &str, value: &str, escapes: Escapes, version: Version) -> bool {
    let (name, value) = (name.as_bytes(), value.as_bytes());
    if name.is_empty() || (value.is_empty() && version == Version::V1_0) {
        return false;
    }
    match escapes {
        Escapes::None => memchr3(b':', b'\n', 0, name).is_none() && memchr2(b'\n', 0, value).is_none(),
        Escapes::Three | Escapes::Four => memchr(0, name).is_none() && memchr(0, value).is_none(),
    }
}

/// An escaped CR becomes a plain one: 1.1 has no escape for it and allows it. All else is the same.
fn put_block_1_1(into: &mut BytesMut, block: &[u8]) {
    let mut rest = block;
    while let Some(at) = memchr(b'\\', rest) {
        let (before, escape) = rest.split_at(at);
        let (escape, after) = escape.split_at_checked(2).unwrap_or((escape, &[]));
        into.put_slice(before);
        into.put_slice(if escape == b"\\r" { b"\r" } else { escape });
        rest = after;
    }
    into.put_slice(rest);
}

fn put_block_1_0(into: &mut BytesMut, block: &[u8]) {
    for line in block.split(|octet| *octet == b'\n') {
        let Some((name, value)) = std::str::from_utf8(line).ok().and_then(|line| line.split_once(':')) else {
            continue;
        };
        if let (Ok(name), Ok(value)) = (unescape(name, Version::V1_2), unescape(value, Version::V1_2)) {
            put(into, &name, &value, Escapes::None, Version::V1_0);
        }
    }
}
