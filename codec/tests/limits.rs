//! Every limit at one less, exactly and one more, and what a peer can make the decoder hold or reserve.

use bytes::BytesMut;
use kolejka_codec::{DecodeError, Decoder, Item, Limits};

fn decode(octets: &[u8], limits: Limits) -> Result<Option<Item>, DecodeError> {
    Decoder::new(limits).decode(&mut BytesMut::from(octets))
}

/// The code of a limit, octets that need exactly `n` of it, and limits that allow `n`.
type Demand = (&'static str, fn(usize) -> Vec<u8>, fn(usize) -> Limits);

fn demands() -> Vec<Demand> {
    vec![
        (
            "command-too-long",
            // No command has any length but its own: a shorter limit than SEND's is what can be met exactly.
            |_| b"SEND\n\n\0".to_vec(),
            |n| Limits { command_bytes: n, ..Limits::default() },
        ),
        (
            "line-too-long",
            |n| format!("SEND\na:{}\n\n\0", "x".repeat(n - 2)).into_bytes(),
            |n| Limits { line_bytes: n, ..Limits::default() },
        ),
        (
            "head-too-large",
            |n| format!("SEND\na:{}\n\n\0", "x".repeat(n - 9)).into_bytes(),
            |n| Limits { head_bytes: n, ..Limits::default() },
        ),
        (
            "too-many-headers",
            |n| format!("SEND\n{}\n\0", "a:b\n".repeat(n)).into_bytes(),
            |n| Limits { header_count: n, ..Limits::default() },
        ),
        (
            "body-too-large",
            |n| format!("SEND\n\n{}\0", "x".repeat(n)).into_bytes(),
            |n| Limits { body_bytes: n, ..Limits::default() },
        ),
        (
            "body-too-large",
            |n| format!("SEND\ncontent-length:{n}\n\n{}\0", "x".repeat(n)).into_bytes(),
            |n| Limits { body_bytes: n, ..Limits::default() },
        ),
    ]
}

#[test]
fn each_limit_is_met_exactly() {
    for (code, octets, limits) in demands() {
        for limit in [4, 40, 400] {
            let limit = if code == "command-too-long" { 4 } else { limit.max(10) };
            for spare in [0, 1] {
                let item = decode(&octets(limit), limits(limit + spare));
                assert!(matches!(item, Ok(Some(Item::Frame(_)))), "{code}: {limit} within {}: {item:?}", limit + spare);
            }
            let error = decode(&octets(limit), limits(limit - 1)).unwrap_err();
            assert_eq!(error.kind.code(), code, "{limit} within {}", limit - 1);
            assert!(error.to_string().contains(&(limit - 1).to_string()), "the limit is told: {error}");
        }
    }
}

#[test]
fn the_default_limits_are_met_exactly() {
    let Limits { head_bytes, line_bytes, header_count, body_bytes, command_bytes } = Limits::default();
    assert_eq!((head_bytes, line_bytes, header_count, body_bytes, command_bytes), (65_536, 8_192, 100, 4_194_304, 32));
    for (code, octets, limits) in demands() {
        let standard = match code {
            "line-too-long" => line_bytes,
            "too-many-headers" => header_count,
            "body-too-large" => body_bytes,
            _ => continue,
        };
        assert_eq!(limits(standard), Limits::default());
        for (needed, fits) in [(standard - 1, true), (standard, true), (standard + 1, false)] {
            assert_eq!(decode(&octets(needed), Limits::default()).is_ok(), fits, "{code}: {needed}");
        }
    }
}

#[test]
fn a_head_of_many_lines_is_met_exactly() {
    // 15 lines of 4,096 octets and one that fills up.
    let head = |len: usize| {
        let lines = format!("SEND\n{}", format!("a:{}\n", "x".repeat(4_093)).repeat(15));
        let head = format!("{lines}b:{}\n\n", "x".repeat(len - lines.len() - 4));
        assert_eq!(head.len(), len);
        format!("{head}\0").into_bytes()
    };
    assert!(decode(&head(65_535), Limits::default()).is_ok());
    assert!(decode(&head(65_536), Limits::default()).is_ok());
    assert_eq!(decode(&head(65_537), Limits::default()).unwrap_err().kind.code(), "head-too-large");
}

#[test]
fn an_endless_line_is_refused_by_the_first_octet_too_many() {
    for (beginning, limit) in [("", 32), ("SEND\n", 8_192), ("SEND\na:b\n", 8_192)] {
        let mut decoder = Decoder::new(Limits::default());
        let mut buffer = BytesMut::from(beginning);
        buffer.extend(std::iter::repeat_n(b'x', limit));
        assert_eq!(decoder.decode(&mut buffer), Ok(None));
        buffer.extend_from_slice(b"x");
        let error = decoder.decode(&mut buffer).unwrap_err();
        assert_eq!(error.offset, (beginning.len() + limit) as u64);
    }
}

#[test]
fn an_endless_body_is_refused_by_the_first_octet_too_many() {
    let mut decoder = Decoder::new(Limits { body_bytes: 1_000, ..Limits::default() });
    let mut buffer = BytesMut::from("SEND\n\n");
    buffer.extend(std::iter::repeat_n(b'x', 1_000));
    assert_eq!(decoder.decode(&mut buffer), Ok(None));
    buffer.extend_from_slice(b"x");
    let error = decoder.decode(&mut buffer).unwrap_err();
    assert_eq!((error.kind.code(), error.offset), ("body-too-large", 1_006));
}

#[test]
fn a_claimed_body_reserves_one_step_only() {
    let limits = Limits { body_bytes: usize::MAX, ..Limits::default() };
    for claimed in [65_536, 4_194_304, 1_000_000_000, 9_999_999_999_u64] {
        let mut buffer = BytesMut::from(format!("SEND\ncontent-length:{claimed}\n\n").as_str());
        assert_eq!(Decoder::new(limits).decode(&mut buffer), Ok(None));
        assert!(buffer.capacity() <= 2 * Decoder::GROWTH_STEP_BYTES, "{} reserved", buffer.capacity());
    }
}

#[test]
fn a_refused_claim_reserves_nothing() {
    let mut buffer = BytesMut::from("SEND\ncontent-length:4194305\n\n");
    let before = buffer.capacity();
    let error = Decoder::new(Limits::default()).decode(&mut buffer).unwrap_err();
    assert_eq!(error.to_string(), "the body has 4194305 octets, more than the 4194304 allowed, at octet 20");
    assert_eq!(buffer.capacity(), before);
}

#[test]
fn a_flood_of_line_ends_and_nuls_leaves_nothing_behind() {
    let mut decoder = Decoder::new(Limits::default());
    let mut buffer = BytesMut::with_capacity(4_096);
    for flood in ["\n", "\0", "\r\n"] {
        for _ in 0..1_000 {
            buffer.extend_from_slice(flood.repeat(1_024).as_bytes());
            while decoder.decode(&mut buffer).unwrap().is_some() {}
            assert!(buffer.is_empty() && decoder.is_between_frames());
        }
    }
    assert!(buffer.capacity() <= 8_192);
}

#[test]
fn new_limits_hold_from_the_next_octet_on() {
    let mut decoder = Decoder::new(Limits::BEFORE_LOGIN);
    let mut buffer = BytesMut::from("CONNECT\n\n\0");
    assert!(decoder.decode(&mut buffer).unwrap().is_some());
    decoder.set_limits(Limits::default());
    buffer.extend_from_slice(format!("SEND\n\n{}\0", "x".repeat(9_000)).as_bytes());
    assert!(decoder.decode(&mut buffer).unwrap().is_some());

    let mut decoder = Decoder::new(Limits::BEFORE_LOGIN);
    let mut buffer = BytesMut::from(format!("SEND\n\n{}\0", "x".repeat(9_000)).as_str());
    assert_eq!(decoder.decode(&mut buffer).unwrap_err().kind.code(), "body-too-large");
}
