//! What is encoded decodes to the same, in every version and however the octets are cut.

use bytes::BytesMut;
use kolejka_codec::{Command, Decoder, Ending, Frame, Item, Limits, Version, encode, encoder};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn decoding_undoes_encoding_in_1_2(frames in several(frame(Version::V1_2)), ending in ending(), cuts in cuts()) {
        decoding_undoes_encoding(&frames, Version::V1_2, ending, &cuts)?;
    }

    #[test]
    fn decoding_undoes_encoding_in_1_1(frames in several(frame(Version::V1_1)), ending in ending(), cuts in cuts()) {
        decoding_undoes_encoding(&frames, Version::V1_1, ending, &cuts)?;
    }

    #[test]
    fn decoding_undoes_encoding_in_1_0(frames in several(frame(Version::V1_0)), ending in ending(), cuts in cuts()) {
        decoding_undoes_encoding(&frames, Version::V1_0, ending, &cuts)?;
    }

    /// Any text at all, unlike above: what cannot be said is left out, and nothing else comes to be.
    #[test]
    fn no_text_of_a_program_makes_a_wrong_frame(
        command in command(),
        headers in prop::collection::vec((any_text(), any_text()), 0..6),
        version in version(),
    ) {
        let mut frame = Frame::new(command);
        frame.headers.extend(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let mut octets = BytesMut::new();
        encode(&frame, version, Ending::Nul, &mut octets);
        let (items, error) = decode(&octets, version, &[]);
        prop_assert_eq!(error, None);
        prop_assert_eq!(items.len(), 1);
        let Item::Frame(back) = &items[0] else { return Err(TestCaseError::fail("not a frame")) };
        prop_assert_eq!(back.command, command);
        for (name, _) in back.headers.iter().filter(|(name, _)| *name != "content-length") {
            prop_assert!(frame.headers.iter().any(|(known, _)| known == name), "{name:?} was not there");
        }
    }

    /// A stored block reads the same as headers written one by one, in every version.
    #[test]
    fn a_block_says_what_its_headers_say(headers in prop::collection::vec(("[a\\\\\n:\r]{1,4}", "[a\\\\\n:\r]{0,6}"), 0..8)) {
        let mut block = BytesMut::new();
        for (name, value) in &headers {
            encoder::put_header(&mut block, name, value, Version::V1_2);
        }
        for version in Version::ALL {
            let (mut translated, mut direct) = (BytesMut::new(), BytesMut::new());
            encoder::put_block(&mut translated, &block, version);
            for (name, value) in &headers {
                encoder::put_header(&mut direct, name, value, version);
            }
            prop_assert_eq!(&translated, &direct, "{}", version);
        }
    }

    #[test]
    fn any_octets_give_the_same_answer_however_cut(
        octets in prop::collection::vec(prop::sample::select(&b"SEND\n\n\n\0\0:\\nc1\xc3content-length:2\n"[..]), 0..120),
        beginning in prop::sample::select(vec!["", "SEND\n", "SEND\ncontent-length:3\n\n", "CONNECT\n", "\r\n\0ACK\n"]),
        version in version(),
        cuts in cuts(),
    ) {
        let octets = [beginning.as_bytes(), &octets[..]].concat();
        prop_assert_eq!(decode(&octets, version, &cuts), decode(&octets, version, &[]));
    }

    #[test]
    fn unescaping_undoes_escaping(text in any_text()) {
        for version in Version::ALL {
            let mut escaped = BytesMut::new();
            kolejka_codec::escape::escape_into(&text, version, &mut escaped);
            let escaped = std::str::from_utf8(&escaped).unwrap();
            prop_assert_eq!(escaped != text, kolejka_codec::escape::needs_escape(&text, version));
            prop_assert_eq!(kolejka_codec::escape::unescape(escaped, version), Ok(text.as_str().into()));
        }
    }
}

fn decoding_undoes_encoding(
    frames: &[Frame],
    version: Version,
    ending: Ending,
    cuts: &[usize],
) -> Result<(), TestCaseError> {
    let mut octets = BytesMut::new();
    for frame in frames {
        encode(frame, version, ending, &mut octets);
    }
    let (items, error) = decode(&octets, version, cuts);
    prop_assert_eq!(error, None);
    let back: Vec<Frame> = items
        .into_iter()
        .filter_map(|item| match item {
            Item::Frame(frame) => Some(frame),
            Item::HeartBeat => None,
        })
        .collect();
    prop_assert_eq!(back.len(), frames.len());
    for (back, frame) in back.iter().zip(frames) {
        prop_assert_eq!(back, &with_length(frame));
    }
    let mut again = BytesMut::new();
    for frame in &back {
        encode(frame, version, ending, &mut again);
    }
    prop_assert_eq!(again, octets);
    Ok(())
}

/// The frame with the header that the encoder adds.
fn with_length(frame: &Frame) -> Frame {
    match frame.command {
        Command::Send | Command::Message | Command::Error => {
            frame.clone().header("content-length", &frame.body.len().to_string())
        }
        _ => frame.clone(),
    }
}

/// Decodes in pieces of the given sizes, and the rest in one.
fn decode(octets: &[u8], version: Version, sizes: &[usize]) -> (Vec<Item>, Option<String>) {
    let mut decoder = Decoder::new(Limits::default());
    decoder.set_version(version);
    let mut buffer = BytesMut::new();
    let mut items = Vec::new();
    let mut rest = octets;
    for size in sizes.iter().copied().chain([usize::MAX]) {
        let (piece, after) = rest.split_at(size.min(rest.len()));
        buffer.extend_from_slice(piece);
        rest = after;
        loop {
            match decoder.decode(&mut buffer) {
                Ok(None) => break,
                Ok(Some(Item::HeartBeat)) if items.last() == Some(&Item::HeartBeat) => {}
                Ok(Some(item)) => items.push(item),
                Err(error) => return (items, Some(error.to_string())),
            }
        }
    }
    (items, None)
}

fn several(frame: impl Strategy<Value = Frame>) -> impl Strategy<Value = Vec<Frame>> {
    prop::collection::vec(frame, 1..4)
}

/// A frame that the version can say in full.
fn frame(version: Version) -> impl Strategy<Value = Frame> {
    let (name, value) = match version {
        // Blanks at the ends, empty values and what would need an escape cannot be said.
        Version::V1_0 => ("[a-c\\\\ü -]{1,6}", "[a-c\\\\:ü]([a-c\\\\:ü ]{0,6}[a-c\\\\:ü])?"),
        // There is no escape for CR, and the last one is taken for a part of the line end.
        Version::V1_1 => ("[a-c\\\\:\nü\r ]{1,6}", "[a-c\\\\:\nü\r ]{0,6}[a-c\\\\:\nü ]"),
        Version::V1_2 => ("[a-c\\\\:\nü\r ]{1,6}", "[a-c\\\\:\nü\r ]{0,6}"),
    };
    let body = prop::collection::vec(prop::sample::select(&b"\0\n:a\xff\r"[..]), 0..40);
    let headers = prop::collection::vec((name, value), 0..6);
    let not_verbatim = command().prop_filter("is written without escapes", |command| !command.is_verbatim());
    (not_verbatim, headers, body).prop_map(|(command, headers, body)| {
        let mut frame = Frame::new(command);
        frame.headers.extend(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        if command.may_have_body() { frame.body(body) } else { frame }
    })
}

fn command() -> impl Strategy<Value = Command> {
    prop::sample::select(&Command::ALL[..])
}

fn version() -> impl Strategy<Value = Version> {
    prop::sample::select(&Version::ALL[..])
}

fn ending() -> impl Strategy<Value = Ending> {
    prop::sample::select(vec![Ending::NulLf, Ending::Nul])
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![prop::collection::vec(0..20usize, 0..12), Just(vec![1; 400])]
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[a\\\\:\n\r\0 ]{0,5}", any::<String>()]
}
