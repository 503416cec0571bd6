//! Any octets: no panic, no frame beyond the limits, an error within the octets that stays.
//!
//! Input: one octet that chooses the version ('0', '1' or '2'), then what a peer sends.

#![no_main]

use bytes::BytesMut;
use kolejka_codec::{Decoder, Item, Limits, Version};
use libfuzzer_sys::fuzz_target;

/// Small, so that they are reached.
const LIMITS: Limits = Limits { head_bytes: 200, line_bytes: 60, header_count: 5, body_bytes: 50, command_bytes: 32 };

fuzz_target!(|input: &[u8]| {
    let Some((&choice, octets)) = input.split_first() else { return };
    let mut decoder = Decoder::new(LIMITS);
    decoder.set_version(Version::ALL[usize::from(choice) % 3]);
    decoder.set_lenient_escapes(choice >= 0x80);
    let mut buffer = BytesMut::from(octets);
    loop {
        let before = buffer.len();
        match decoder.decode(&mut buffer) {
            Ok(Some(Item::Frame(frame))) => {
                assert!(buffer.len() < before, "a frame came from nothing");
                assert!(frame.headers.len() <= LIMITS.header_count);
                assert!(frame.body.len() <= LIMITS.body_bytes);
                for (name, value) in frame.headers.iter() {
                    assert!(!name.is_empty() && name.len() + value.len() < LIMITS.line_bytes);
                    assert!(frame.headers.get(name).is_some());
                    assert!(!name.contains('\0') && !value.contains('\0'));
                }
                assert!(frame.body.is_empty() || frame.command.may_have_body());
            }
            Ok(Some(Item::HeartBeat)) => assert!(buffer.len() < before, "a heart-beat came from nothing"),
            Ok(None) => {
                assert!(buffer.len() <= LIMITS.head_bytes.max(LIMITS.body_bytes), "{} kept", buffer.len());
                assert!(buffer.is_empty() || !decoder.is_between_frames());
                return;
            }
            Err(error) => {
                assert!(error.offset < octets.len() as u64, "{error}");
                assert_eq!(decoder.decode(&mut buffer), Err(error));
                return;
            }
        }
    }
});
