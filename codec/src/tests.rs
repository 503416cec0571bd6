//! What only the inside can tell: how many octets are looked at.

use bytes::BytesMut;

use crate::decoder::{Decoder, Item};
use crate::limits::Limits;
use crate::search::LOOKED_AT;

/// Decodes in reads of `read_bytes`; returns the number of frames and of octets that the searches looked at.
fn decode_in_reads(octets: &[u8], read_bytes: usize) -> (usize, usize) {
    let before = LOOKED_AT.get();
    let mut decoder = Decoder::new(Limits::default());
    let mut buffer = BytesMut::new();
    let mut frames = 0;
    for read in octets.chunks(read_bytes) {
        buffer.extend_from_slice(read);
        while let Some(item) = decoder.decode(&mut buffer).unwrap() {
            frames += usize::from(matches!(item, Item::Frame(_)));
        }
    }
    assert!(decoder.is_between_frames());
    (frames, LOOKED_AT.get() - before)
}

/// The octets that any search has to look at: head and body of each frame, each octet once.
fn each_octet_once(octets: &[u8]) {
    for read_bytes in [1, 7, 4_096, usize::MAX] {
        let (frames, looked_at) = decode_in_reads(octets, read_bytes);
        assert!(frames > 0);
        assert!(looked_at <= octets.len(), "{looked_at} of {} in reads of {read_bytes}", octets.len());
    }
}

#[test]
fn a_head_of_64_kib_is_looked_at_once() {
    let head = format!("SEND\n{}\n", format!("a:{}\n", "x".repeat(645)).repeat(100));
    assert!((64_000..=65_536).contains(&head.len()));
    each_octet_once(format!("{head}\0").as_bytes());
}

#[test]
fn a_body_of_4_mib_without_length_is_looked_at_once() {
    each_octet_once(format!("SEND\n\n{}\0", "x".repeat(4 << 20)).as_bytes());
}

#[test]
fn a_body_of_4_mib_with_length_is_not_looked_at() {
    let octets = format!("SEND\ncontent-length:{}\n\n{}\0", 4 << 20, "x".repeat(4 << 20));
    for read_bytes in [1, 4_096, usize::MAX] {
        let (frames, looked_at) = decode_in_reads(octets.as_bytes(), read_bytes);
        assert_eq!(frames, 1);
        assert!(looked_at < 64, "{looked_at}");
    }
}

#[test]
fn ten_thousand_frames_in_one_buffer_are_looked_at_once() {
    let frames = "SEND\ndestination:/queue/a\n\nhello\0".repeat(10_000);
    each_octet_once(frames.as_bytes());
    assert_eq!(decode_in_reads(frames.as_bytes(), usize::MAX).0, 10_000);
}
