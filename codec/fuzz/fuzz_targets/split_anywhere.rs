//! How octets are cut into reads changes nothing: neither items nor error, nor where the error is.
//!
//! Input: one octet that chooses the version ('0', '1' or '2'), one that chooses the cuts, then what a peer sends.

#![no_main]

use bytes::BytesMut;
use kolejka_codec::{DecodeError, Decoder, Item, Limits, Version};
use libfuzzer_sys::fuzz_target;

/// Small, so that they are reached.
const LIMITS: Limits = Limits { head_bytes: 120, line_bytes: 40, header_count: 4, body_bytes: 30, command_bytes: 16 };

fuzz_target!(|input: &[u8]| {
    let [choice, cuts, octets @ ..] = input else { return };
    let version = Version::ALL[usize::from(*choice) % 3];
    let whole = decode(version, [octets]);
    assert_eq!(decode(version, octets.chunks(1)), whole, "octet by octet");
    assert_eq!(decode(version, pieces(octets, *cuts)), whole, "cut by {cuts}");
});

fn decode<'a>(version: Version, pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Item>, Option<DecodeError>, bool) {
    let mut decoder = Decoder::new(LIMITS);
    decoder.set_version(version);
    let mut buffer = BytesMut::new();
    let mut items = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(None) => break,
                // A cut between two line ends makes two items of one run.
                Ok(Some(Item::HeartBeat)) if items.last() == Some(&Item::HeartBeat) => {}
                Ok(Some(item)) => items.push(item),
                Err(error) => return (items, Some(error), false),
            }
        }
    }
    (items, None, decoder.is_between_frames())
}

/// Pieces of 0 to 15 octets, from a small generator.
fn pieces(octets: &[u8], seed: u8) -> impl Iterator<Item = &[u8]> {
    let mut state = u32::from(seed);
    let mut rest = octets;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (piece, after) = rest.split_at(rest.len().min(state as usize >> 28));
        rest = after;
        Some(piece)
    })
}
