//! The codec of tokio-util, driven as `Framed` drives it.

#![cfg(feature = "framed")]

use std::io::ErrorKind;

use bytes::BytesMut;
use kolejka_codec::{Codec, Command, Ending, Frame, FramedError, Item, Limits, Version};
use tokio_util::codec::{Decoder, Encoder};

#[test]
fn both_directions_follow_the_version() {
    let mut codec = Codec::new(Limits::default(), Ending::Nul);
    let frame = Frame::new(Command::Receipt).header("receipt-id", "a:b");
    let mut octets = BytesMut::new();
    codec.encode(&frame, &mut octets).unwrap();
    assert_eq!(octets, "RECEIPT\nreceipt-id:a:b\n\n\0");

    codec.set_version(Version::V1_1);
    octets.clear();
    codec.encode(Item::Frame(frame.clone()), &mut octets).unwrap();
    codec.encode(Item::HeartBeat, &mut octets).unwrap();
    assert_eq!(octets, "RECEIPT\nreceipt-id:a\\cb\n\n\0\n");
    assert_eq!(codec.decode(&mut octets).unwrap(), Some(Item::Frame(frame)));
    assert_eq!(codec.decode_eof(&mut octets).unwrap(), Some(Item::HeartBeat));
    assert_eq!(codec.decode_eof(&mut octets).unwrap(), None);
}

#[test]
fn a_stream_that_ends_within_a_frame_is_an_error() {
    for octets in ["SEND\ndest", "SEND\n\nbody", "SEND\ncontent-length:3\n\n"] {
        let mut codec = Codec::new(Limits::default(), Ending::NulLf);
        let mut buffer = BytesMut::from(octets);
        assert_eq!(codec.decode(&mut buffer).unwrap(), None);
        match codec.decode_eof(&mut buffer) {
            Err(FramedError::Io(error)) => assert_eq!(error.kind(), ErrorKind::UnexpectedEof),
            other => panic!("{octets:?}: {other:?}"),
        }
    }
}

#[test]
fn what_the_peer_broke_is_told() {
    let mut codec = Codec::new(Limits::default(), Ending::NulLf);
    codec.decoder_mut().set_limits(Limits { header_count: 0, ..Limits::default() });
    let error = codec.decode(&mut BytesMut::from("SEND\na:b\n")).unwrap_err();
    assert_eq!(error.to_string(), "the frame has more than 0 headers, at octet 5");
}
