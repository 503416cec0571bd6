//! Mistakes that other implementations made, each as a test.

#![expect(clippy::unwrap_used, reason = "helpers of tests, too, fail by panicking")]

use bytes::{Bytes, BytesMut};
use kolejka_codec::{Command, Decoder, Ending, Frame, Headers, Item, Limits, Version, encode, encoder};

fn encoded(frame: &Frame, version: Version) -> String {
    let mut octets = BytesMut::new();
    encode(frame, version, Ending::Nul, &mut octets);
    String::from_utf8(octets.to_vec()).unwrap()
}

fn decoded(octets: &str, version: Version) -> Frame {
    let mut decoder = Decoder::new(Limits::default());
    decoder.set_version(version);
    match decoder.decode(&mut BytesMut::from(octets)) {
        Ok(Some(Item::Frame(frame))) => frame,
        other => panic!("no frame: {other:?}"),
    }
}

#[test]
fn a_line_end_from_1_2_injects_nothing_into_1_0() {
    let hostile = decoded("SEND\na:x\\nreceipt\\cevil\nb\\nreceipt\\cevil:y\nc:z\n\n\0", Version::V1_2);
    assert_eq!(hostile.headers.len(), 3);
    let frame = Frame { command: Command::Message, ..hostile };
    assert_eq!(encoded(&frame, Version::V1_0), "MESSAGE\nc:z\ncontent-length:0\n\n\0");
    assert_eq!(
        encoded(&frame, Version::V1_1),
        "MESSAGE\na:x\\nreceipt\\cevil\nb\\nreceipt\\cevil:y\nc:z\ncontent-length:0\n\n\0"
    );
}

#[test]
fn a_line_end_in_a_stored_block_injects_nothing_into_1_0() {
    let mut out = BytesMut::new();
    let block = b"a:x\\nreceipt\\cevil\nb\\c:y\nb\\n:y\nempty:\nback\\\\slash:\\\\n\\r\\c\nc:z\n";
    encoder::put_block(&mut out, block, Version::V1_0);
    assert_eq!(out, "back\\slash:\\n\r:\nc:z\n");
    out.clear();
    encoder::put_block(&mut out, block, Version::V1_1);
    assert_eq!(out, "a:x\\nreceipt\\cevil\nb\\c:y\nb\\n:y\nempty:\nback\\\\slash:\\\\n\r\\c\nc:z\n");
    out.clear();
    encoder::put_block(&mut out, block, Version::V1_2);
    assert_eq!(out, &block[..]);
}

#[test]
fn a_line_end_in_connected_injects_nothing_in_any_version() {
    let frame =
        Frame::new(Command::Connected).header("session", "1\nuser:root").header("a:b\nc", "d").header("ok", "1");
    for version in Version::ALL {
        assert_eq!(encoded(&frame, version), "CONNECTED\nok:1\n\n\0");
    }
    let mut out = BytesMut::new();
    encoder::put_plain_header(&mut out, "session", "1\nuser:root", Version::V1_2);
    assert!(out.is_empty());
}

#[test]
fn a_nul_from_a_program_never_ends_a_frame() {
    let frame = Frame::new(Command::Message).header("a\0b", "c").header("a", "b\0c").header("ok", "1");
    for version in Version::ALL {
        assert_eq!(encoded(&frame, version), "MESSAGE\nok:1\ncontent-length:0\n\n\0");
    }
}

#[test]
fn a_header_without_name_is_not_written() {
    for version in Version::ALL {
        assert_eq!(encoded(&Frame::new(Command::Receipt).header("", "x"), version), "RECEIPT\n\n\0");
    }
}

#[test]
fn an_empty_value_is_not_sent_to_1_0() {
    let frame = Frame::new(Command::Receipt).header("a", "");
    assert_eq!(encoded(&frame, Version::V1_0), "RECEIPT\n\n\0");
    assert_eq!(encoded(&frame, Version::V1_1), "RECEIPT\na:\n\n\0");
}

#[test]
fn the_length_of_another_body_is_not_believed() {
    let frame = Frame::new(Command::Message).header("content-length", "99").body("hello");
    assert_eq!(encoded(&frame, Version::V1_2), "MESSAGE\ncontent-length:5\n\nhello\0");
}

#[test]
fn a_body_where_none_may_be_is_not_written() {
    assert_eq!(encoded(&Frame::new(Command::Receipt).body("x"), Version::V1_2), "RECEIPT\n\n\0");
}

#[test]
fn each_header_may_hold_the_nul_that_refuses_the_frame() {
    let head = "SEND\nfirst:one\nsecond:two\nthird:three\n\n";
    for at in "SEND\n".len()..head.len() {
        let octets = format!("{}\0{}\0", &head[..at], &head[at..]);
        let error = Decoder::new(Limits::default()).decode(&mut BytesMut::from(octets.as_str())).unwrap_err();
        assert_eq!((error.kind.code(), error.offset), ("nul-in-head", at as u64), "{octets:?}");
    }
}

#[test]
fn a_stream_goes_on_after_a_frame_of_another_version() {
    let mut decoder = Decoder::new(Limits::default());
    let mut buffer = BytesMut::from("CONNECT\naccept-version:1.2\n\n\0SEND\na:x\\cy\n\n\0");
    assert!(matches!(decoder.decode(&mut buffer), Ok(Some(Item::Frame(_)))));
    decoder.set_version(Version::V1_2);
    let Ok(Some(Item::Frame(send))) = decoder.decode(&mut buffer) else { panic!("the pipelined frame") };
    assert_eq!(send.headers.get("a"), Some("x:y"));
}

#[test]
fn a_decoder_in_error_stays_there() {
    let mut decoder = Decoder::new(Limits::default());
    let mut buffer = BytesMut::from("HELO\n");
    let error = decoder.decode(&mut buffer).unwrap_err();
    buffer.clear();
    buffer.extend_from_slice(b"SEND\n\n\0");
    assert_eq!(decoder.decode(&mut buffer), Err(error));
    assert_eq!(buffer.len(), 7, "nothing is taken");
}

#[test]
fn an_unknown_command_is_shown_short_and_harmless() {
    let shown =
        |octets: &[u8]| Decoder::new(Limits::default()).decode(&mut BytesMut::from(octets)).unwrap_err().to_string();
    assert_eq!(shown(b"GET / HTTP/1.1\r\n"), "unknown command \"GET / HTTP/1.1\", at octet 0");
    assert_eq!(shown(b"\x16\x03\x01\x1b[2J\xff\n"), "unknown command \"\\x16\\x03\\x01\\x1b[2J\\xff\", at octet 0");
    assert_eq!(shown(b"abcdefghijklmnopqrstuvwxyz\n"), "unknown command \"abcdefghijklmnopqrstuvwx...\", at octet 0");
}

#[test]
fn head_and_body_are_slices_of_the_read_buffer() {
    let mut buffer = BytesMut::from("SEND\ndestination:/queue/a\nnote:a\\cb\n\nhello\0");
    let octets = buffer.as_ptr_range();
    let mut decoder = Decoder::new(Limits::default());
    decoder.set_version(Version::V1_2);
    let Ok(Some(Item::Frame(frame))) = decoder.decode(&mut buffer) else { panic!("a frame") };
    let text = |name| frame.headers.slice(name).unwrap().into_bytes();
    let slices = [frame.body.clone(), text("destination"), text("note")];
    for slice in &slices {
        assert!(octets.contains(&slice.as_ptr()), "{slice:?} was copied");
    }
    assert_eq!(slices, [Bytes::from("hello"), Bytes::from("/queue/a"), Bytes::from("a:b")]);
}

#[test]
fn headers_may_be_added_to_a_decoded_frame() {
    let mut headers = decoded("SEND\na:1\nb:\n\n\0", Version::V1_2).headers;
    headers.push("c", "3");
    headers.push("a", "2");
    headers.push("", "");
    assert_eq!(headers.iter().collect::<Vec<_>>(), [("a", "1"), ("b", ""), ("c", "3"), ("a", "2"), ("", "")]);
    assert_eq!((headers.get("a"), headers.get("c"), headers.get("d")), (Some("1"), Some("3"), None));
    assert_eq!((headers.slice("c"), headers.slice("b")), (Some("3".into()), Some("".into())));
    assert_eq!((headers.len(), headers.is_empty(), Headers::new().is_empty()), (5, false, true));
}

#[test]
fn a_passcode_is_not_shown() {
    let frame = Frame::new(Command::Connect).header("login", "ada").header("passcode", "lovelace").body("secret");
    let shown = format!("{frame:?}");
    assert!(shown.contains("ada") && !shown.contains("lovelace") && !shown.contains("secret"), "{shown}");
}

#[test]
fn numbers_are_written_in_full() {
    for number in [0, 7, 10, 1_234_567_890, u64::MAX] {
        let mut out = BytesMut::new();
        encoder::put_number_header(&mut out, "n", number);
        assert_eq!(out, format!("n:{number}\n"));
    }
}

#[test]
fn the_highest_common_version_is_chosen() {
    let chosen = |list| Version::negotiate(Some(list));
    assert_eq!(Version::negotiate(None), Some(Version::V1_0));
    assert_eq!(chosen("1.0,1.1,1.2"), Some(Version::V1_2));
    assert_eq!(chosen("1.2 , 1.1"), Some(Version::V1_2));
    assert_eq!(chosen("2.0,1.1,1.3"), Some(Version::V1_1));
    assert_eq!((chosen("2.0"), chosen(""), chosen("1"), chosen("1.2;1.1")), (None, None, None, None));
}
