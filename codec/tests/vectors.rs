//! Runs the known answers of `tests/vectors/*.stomp`: whole, octet by octet, and cut in two at every octet.

#![expect(clippy::unwrap_used, reason = "helpers of tests, too, fail by panicking")]

use bytes::BytesMut;
use kolejka_codec::{Command, Decoder, Ending, Frame, Item, Limits, Version, encode};

const FILES: [(&str, &str); 6] = [
    ("framing", include_str!("vectors/framing.stomp")),
    ("headers", include_str!("vectors/headers.stomp")),
    ("escapes", include_str!("vectors/escapes.stomp")),
    ("bodies", include_str!("vectors/bodies.stomp")),
    ("errors", include_str!("vectors/errors.stomp")),
    ("clients", include_str!("vectors/clients.stomp")),
];

struct Vector {
    title: String,
    versions: Vec<Version>,
    limits: Limits,
    lenient: bool,
    received: Vec<u8>,
    answer: Answer,
    encoded: Vec<u8>,
}

#[derive(Debug, PartialEq)]
struct Answer {
    items: Vec<Item>,
    error: Option<(String, u64)>,
    unfinished: bool,
}

#[test]
fn every_vector_has_its_known_answer() {
    for vector in all_vectors() {
        for &version in &vector.versions {
            assert_eq!(vector.decode(version, &[]), vector.answer, "{} in {version}", vector.title);
        }
    }
}

#[test]
fn no_cut_changes_the_answer() {
    for vector in all_vectors() {
        for &version in &vector.versions {
            let everywhere: Vec<usize> = (1..vector.received.len()).collect();
            assert_eq!(
                vector.decode(version, &everywhere),
                vector.answer,
                "{} in {version}, octet by octet",
                vector.title
            );
            for cut in everywhere {
                assert_eq!(
                    vector.decode(version, &[cut]),
                    vector.answer,
                    "{} in {version}, cut at {cut}",
                    vector.title
                );
            }
        }
    }
}

#[test]
fn every_vector_encodes_to_its_known_octets() {
    let mut encoded_some = false;
    for vector in all_vectors().into_iter().filter(|vector| !vector.encoded.is_empty()) {
        for &version in &vector.versions {
            let mut octets = BytesMut::new();
            for item in &vector.answer.items {
                if let Item::Frame(frame) = item {
                    encode(frame, version, Ending::NulLf, &mut octets);
                }
            }
            assert_eq!(
                octets.escape_ascii().to_string(),
                vector.encoded.escape_ascii().to_string(),
                "{}",
                vector.title
            );
            encoded_some = true;
        }
    }
    assert!(encoded_some);
}

fn all_vectors() -> Vec<Vector> {
    let vectors: Vec<Vector> = FILES.iter().flat_map(|(name, text)| read_file(name, text)).collect();
    assert!(vectors.len() > 80, "only {} vectors were found", vectors.len());
    vectors
}

impl Vector {
    /// Decodes what was received, in pieces that end at the cuts.
    fn decode(&self, version: Version, cuts: &[usize]) -> Answer {
        let mut decoder = Decoder::new(self.limits);
        decoder.set_version(version);
        decoder.set_lenient_escapes(self.lenient);
        let mut answer = Answer { items: Vec::new(), error: None, unfinished: false };
        let mut buffer = BytesMut::new();
        let ends = cuts.iter().copied().chain([self.received.len()]);
        let starts = [0].into_iter().chain(cuts.iter().copied());
        for (start, end) in starts.zip(ends) {
            buffer.extend_from_slice(&self.received[start..end]);
            loop {
                match decoder.decode(&mut buffer) {
                    Ok(None) => break,
                    // A cut between two line ends makes two items of one run.
                    Ok(Some(Item::HeartBeat)) if answer.items.last() == Some(&Item::HeartBeat) => {}
                    Ok(Some(item)) => answer.items.push(item),
                    Err(error) => {
                        assert_eq!(decoder.decode(&mut buffer), Err(error.clone()), "an error stays");
                        answer.error = Some((error.kind.code().to_owned(), error.offset));
                        return answer;
                    }
                }
            }
        }
        answer.unfinished = !decoder.is_between_frames();
        answer
    }
}

/// Reads a file of vectors; its format is told in `vectors/README.md`.
fn read_file(file: &str, text: &str) -> Vec<Vector> {
    let mut vectors: Vec<Vector> = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
        if let Some(title) = line.strip_prefix("== ") {
            vectors.push(Vector::new(format!("{file}: {title}")));
        } else {
            let vector = vectors.last_mut().expect("a title comes first");
            assert!(vector.read_line(line), "{file}, line {}: {line}", number + 1);
        }
    }
    vectors
}

impl Vector {
    fn new(title: String) -> Vector {
        Vector {
            title,
            versions: Version::ALL.to_vec(),
            limits: Limits::default(),
            lenient: false,
            received: Vec::new(),
            answer: Answer { items: Vec::new(), error: None, unfinished: false },
            encoded: Vec::new(),
        }
    }

    fn read_line(&mut self, line: &str) -> bool {
        let (sign, rest) = line.split_once(' ').unwrap_or((line, ""));
        match sign {
            "version" => self.versions = rest.split(' ').filter_map(Version::from_text).collect(),
            "limit" => return self.set_limit(rest),
            "lenient" => self.lenient = true,
            "|" => put_line(rest, &mut self.received),
            ">" => put_line(rest, &mut self.encoded),
            "=" if rest == "heart-beat" => self.answer.items.push(Item::HeartBeat),
            "=" => self.answer.items.extend(Command::from_bytes(rest.as_bytes()).map(|it| Item::Frame(Frame::new(it)))),
            "-" | "~" => return self.read_frame_line(sign, rest),
            "!" => self.answer.error = rest.split_once(' ').map(|(code, at)| (code.to_owned(), at.parse().unwrap())),
            "?" => self.answer.unfinished = true,
            _ => return false,
        }
        true
    }

    fn read_frame_line(&mut self, sign: &str, rest: &str) -> bool {
        let Some(Item::Frame(frame)) = self.answer.items.last_mut() else { return false };
        match (sign, rest.split_once(" = ")) {
            ("-", Some((name, value))) => {
                let text = |text| String::from_utf8(octets(text)).unwrap();
                frame.headers.push(&text(name), &text(value));
            }
            ("~", _) => frame.body = octets(rest).into(),
            _ => return false,
        }
        true
    }

    fn set_limit(&mut self, text: &str) -> bool {
        let Some((name, number)) = text.split_once(' ') else { return false };
        let limit = match name {
            "head" => &mut self.limits.head_bytes,
            "line" => &mut self.limits.line_bytes,
            "header-count" => &mut self.limits.header_count,
            "body" => &mut self.limits.body_bytes,
            "command" => &mut self.limits.command_bytes,
            _ => return false,
        };
        *limit = number.parse().unwrap();
        true
    }
}

fn put_line(text: &str, into: &mut Vec<u8>) {
    let (text, end) = match text.strip_suffix('…') {
        Some(text) => (text, ""),
        None if text.ends_with('␀') => (text, ""),
        None => (text, "\n"),
    };
    into.extend(octets(text));
    into.extend_from_slice(end.as_bytes());
}

fn octets(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text.chars();
    while let Some(sign) = rest.next() {
        match sign {
            '␀' => octets.push(0),
            '␊' => octets.push(b'\n'),
            '␍' => octets.push(b'\r'),
            '‹' => {
                let digits: String = rest.by_ref().take_while(|digit| *digit != '›').collect();
                octets.push(u8::from_str_radix(&digits, 16).unwrap());
            }
            plain => octets.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    octets
}
