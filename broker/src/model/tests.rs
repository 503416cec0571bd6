//! The vocabulary: what may be said, and that it reads back as it was written.

use std::io::IoSlice;

use bytes::Bytes;
use proptest::prelude::*;

use super::{
    Burst, Content, DestinationKind, DestinationName, MessageId, NameError, Pattern, PatternError, Position, ShardId,
    Urgency,
};

fn name(text: &str) -> DestinationName {
    DestinationName::parse(text, "tok").expect("a name")
}

#[test]
fn a_bare_name_is_a_queue_and_equals_its_full_name() {
    assert_eq!(name("mail"), name("/queue/mail"));
    assert_eq!((name("mail").as_str(), name("mail").path()), ("/queue/mail", "mail"));
    assert_ne!(name("mail"), name("/topic/mail"));
}

#[test]
fn a_temporary_name_carries_its_owner_and_others_reach_it_by_its_remote_name() {
    let mine = name("/temp-queue/reply");
    assert_eq!(mine.as_str(), "/remote-temp-queue/tok.reply");
    for text in ["/remote-temp-queue/tok.reply", "/reply-queue/tok.reply"] {
        assert_eq!(DestinationName::parse(text, "other"), Ok(mine.clone()));
    }
    assert_eq!(name("/temp-topic/t").kind(), DestinationKind::TempTopic);
}

#[test]
fn bad_names_are_refused_with_the_reason() {
    let parse = |text: &str| DestinationName::parse(text, "tok").unwrap_err();
    for text in ["", "/queue/", "/queue/a..b", "/queue/a//b", ".a", "a.", "../x", "/queue/../../etc"] {
        assert_eq!(parse(text), NameError::EmptySegment, "{text:?}");
    }
    for text in ["/queue/a b", "/queue/a\nb", "/topic/\u{0}", "/queue/\u{85}"] {
        assert_eq!(parse(text), NameError::Unprintable, "{text:?}");
    }
    // A log may have such names, from a time before they were refused.
    assert_eq!(parse("/queue/a\u{202e}b"), NameError::Invisible);
    assert!(DestinationName::from_full("/queue/a\u{202e}b").is_ok());
    assert_eq!(parse("/exchange/x"), NameError::UnknownPrefix);
    let full = |text| DestinationName::parse(text, "").map(|name| name.to_string());
    assert_eq!(full("/exchange/amq.topic/a.b"), Ok("/topic/a.b".to_owned()));
    assert_eq!(full("/amq/queue/a"), Ok("/queue/a".to_owned()));
    assert_eq!(parse("/queue/a,/queue/b"), NameError::Composite);
    assert_eq!(parse("/topic/a.*"), NameError::Wildcard);
}

#[test]
fn a_name_has_255_octets_at_most() {
    let of_length = |length: usize| format!("/queue/{}", "n".repeat(length - 7));
    for length in [254, 255] {
        assert!(DestinationName::parse(&of_length(length), "tok").is_ok());
    }
    assert_eq!(DestinationName::parse(&of_length(256), "tok"), Err(NameError::TooLong { bytes: 256 }));
}

#[test]
fn a_name_survives_the_log() {
    for text in ["/queue/a", "/topic/a.b/c", "/temp-queue/x"] {
        let name = name(text);
        assert_eq!(DestinationName::from_full(name.as_str()), Ok(name));
    }
}

#[test]
fn patterns_match_whole_segments() {
    let matches = |pattern: &str, text: &str| Pattern::parse(pattern).expect("a pattern").matches(&name(text));
    for (pattern, text) in [
        ("/queue/mail", "mail"),
        ("mail.*", "/queue/mail.out"),
        ("/queue/mail/*", "/queue/mail.out"),
        ("/queue/**", "/queue/a.b.c"),
        ("/queue/mail.>", "/queue/mail.a.b"),
        ("/topic/#", "/topic/x"),
        ("/queue/mail.**", "/queue/mail"),
        ("/**", "/topic/x"),
    ] {
        assert!(matches(pattern, text), "{pattern} means {text}");
    }
    for (pattern, text) in
        [("/queue/mail", "/topic/mail"), ("/queue/*", "/queue/a.b"), ("/queue/a.b", "/queue/a"), ("/queue/ma", "mail")]
    {
        assert!(!matches(pattern, text), "{pattern} does not mean {text}");
    }
}

#[test]
fn bad_patterns_are_refused() {
    assert_eq!(Pattern::parse("/queue/**.a"), Err(PatternError::RestNotLast));
    assert_eq!(Pattern::parse("/queue/a*"), Err(PatternError::PartialWildcard));
    assert_eq!(Pattern::parse("/queue//a"), Err(PatternError::EmptySegment));
}

#[test]
fn ids_are_decimal_text_and_nothing_else() {
    let id = MessageId::new(ShardId::new(5).unwrap(), 12);
    assert_eq!(id.to_string().parse(), Ok(id));
    assert_eq!((id.shard().get(), id.sequence()), (5, 12));
    for text in ["", "+1", "01", "-1", "1 ", "0x1", "18446744073709551616", "1.5"] {
        assert!(text.parse::<MessageId>().is_err(), "{text:?}");
    }
    assert!(ShardId::new(4096).is_none());
}

#[test]
fn positions_are_ordered_inside_their_shard() {
    let at = |place| Position::new(ShardId::default(), place);
    assert!(at(1) < at(2));
    assert_eq!(Position::from_bits(at(7).to_bits()), at(7));
}

#[test]
fn priorities_map_onto_rising_urgency() {
    let urgencies: Vec<_> = (0..=9).map(Urgency::from_priority).collect();
    assert!(urgencies.windows(2).all(|pair| pair[0] > pair[1]), "9 goes first");
    assert_eq!((Urgency::from_priority(4), Urgency::from_priority(200)), (Urgency::NORMAL, urgencies[9]));
}

#[test]
fn content_is_one_block_when_small_and_shares_the_body_when_large() {
    let small = Content::new(b"a:b\n", Bytes::from_static(b"body"));
    assert_eq!((small.head(), small.body(), small.len()), (&b"a:b\n"[..], &b"body"[..], 8));
    assert!(small.large_body().is_none());
    let body = Bytes::from(vec![7; Content::SHARED_BODY + 1]);
    let large = Content::new(b"a:b\n", body.clone());
    assert_eq!(large.body(), &body[..]);
    assert_eq!(large.large_body().map(|shared| shared.as_ptr()), Some(body.as_ptr()), "not copied");
}

/// What is put into a burst, frame by frame: text, and whether it is spliced.
fn frames() -> impl Strategy<Value = Vec<Vec<(Vec<u8>, bool)>>> {
    let part = (prop::collection::vec(any::<u8>(), 1..20), any::<bool>());
    prop::collection::vec(prop::collection::vec(part, 1..4), 0..8)
}

fn fill(burst: &mut Burst, frames: &[Vec<(Vec<u8>, bool)>]) {
    for frame in frames {
        for (octets, spliced) in frame {
            if *spliced {
                burst.splice(Bytes::from(octets.clone()));
            } else {
                burst.write(|into| into.extend_from_slice(octets));
            }
        }
        burst.end_frame();
    }
}

proptest! {
    #[test]
    fn a_burst_gives_out_what_was_put_in_whatever_the_writes(frames in frames(), step in 1..13usize, split in 0..8usize) {
        let split = split.min(frames.len());
        let whole: Vec<u8> = frames.iter().flatten().flat_map(|(octets, _)| octets.clone()).collect();
        let mut burst = Burst::stream();
        fill(&mut burst, &frames[..split]);
        let mut second = burst.like();
        fill(&mut second, &frames[split..]);
        burst.append(&mut second);
        prop_assert!(second.is_empty());
        let mut out = Vec::new();
        while !burst.is_empty() {
            let mut slices = [IoSlice::new(&[]); 3];
            let filled = burst.slices(&mut slices);
            let seen: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).take(step).collect();
            prop_assert!(!seen.is_empty());
            burst.advance(seen.len());
            out.extend(seen);
        }
        prop_assert_eq!(out, whole);
    }

    #[test]
    fn a_burst_by_frame_gives_out_each_frame_whole(frames in frames(), split in 0..8usize, taken in 0..8usize) {
        let split = split.min(frames.len());
        let mut burst = Burst::by_frame();
        fill(&mut burst, &frames[..split]);
        let mut out = Vec::new();
        for _ in 0..taken.min(split) {
            out.extend(burst.pop_frame());
        }
        let mut second = burst.like();
        fill(&mut second, &frames[split..]);
        burst.append(&mut second);
        while let Some(frame) = burst.pop_frame() {
            out.push(frame);
        }
        let expected: Vec<Bytes> =
            frames.iter().map(|frame| frame.iter().flat_map(|(octets, _)| octets.clone()).collect()).collect();
        prop_assert_eq!(out, expected);
        prop_assert!(burst.is_empty());
    }
}
