//! What was decoded, encoded and decoded again is the same, in every version.
//!
//! Input: one octet that chooses the version ('0', '1' or '2'), then what a peer sends.

#![no_main]

use bytes::BytesMut;
use kolejka_codec::{Decoder, Ending, Frame, Item, Limits, Version, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, octets)) = input.split_first() else { return };
    let version = Version::ALL[usize::from(choice) % 3];
    let mut decoder = decoder(version, Limits::default().header_count);
    let mut buffer = BytesMut::from(octets);
    while let Ok(Some(item)) = decoder.decode(&mut buffer) {
        if let Item::Frame(frame) = item {
            comes_back(&frame, version);
        }
    }
});

fn comes_back(frame: &Frame, version: Version) {
    // Without an escape for CR, one at the end of a line is taken for a part of the line end.
    let escapes_cr = version == Version::V1_2 && !frame.command.is_verbatim();
    if !escapes_cr && frame.headers.iter().any(|(_, value)| value.ends_with('\r')) {
        return;
    }
    let mut once = BytesMut::new();
    encode(frame, version, Ending::Nul, &mut once);
    let mut rest = once.clone();
    let Ok(Some(Item::Frame(back))) = decoder(version, Limits::default().header_count + 1).decode(&mut rest) else {
        panic!("{frame:?} became {once:?}");
    };
    assert!(rest.is_empty(), "{frame:?} became more than a frame: {once:?}");
    assert_eq!(back.command, frame.command);
    assert_eq!(back.body, frame.body);
    assert_eq!(said(&back, version), said(frame, version));
    let mut twice = BytesMut::new();
    encode(&back, version, Ending::Nul, &mut twice);
    assert_eq!(once, twice);
}

/// The headers that an encoder copies: the length is its own, and 1.0 has no empty values.
fn said(frame: &Frame, version: Version) -> Vec<(&str, &str)> {
    let copied =
        |(name, value): &(&str, &str)| *name != "content-length" && !(value.is_empty() && version == Version::V1_0);
    frame.headers.iter().filter(copied).collect()
}

/// Wide enough for the octets that escapes and a length add to a frame that just fitted. The length is a header of its own:
/// what is read back may hold one more than what came.
fn decoder(version: Version, header_count: usize) -> Decoder {
    let limits = Limits { head_bytes: 1 << 24, line_bytes: 1 << 24, header_count, ..Limits::default() };
    let mut decoder = Decoder::new(limits);
    decoder.set_version(version);
    decoder
}
