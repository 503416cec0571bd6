//! Conversations written down.
//!
//! ```text
//! # What the rule says, and where it stands.
//! C: CONNECT
//! C: accept-version:1.2
//! C:
//! C: ^@
//! S: CONNECTED
//! S: version:1.2
//! S: session:*
//! S: !login
//! S: ^@
//! ```
//!
//! Client lines are sent as they are, each with an LF; `^@` is NUL, `\r` CR, `\xNN` any octet; a line `C> …` gets no LF.
//! A server frame names its command, headers that must be there (`*` is any value, `$x` remembers it, and in later lines
//! stands for it), headers that must not be (`!name`), then after an empty line the exact body, and ends with `^@`.
//! Where the body's lines begin with `~`, each stands for a text that must be somewhere in it.
//! Headers that are not named do not matter. `S: (closed)` is the end of the connection, `C: (hangs up)` its end without
//! a word from the client, and `C: (connects 1.2)` stands for a CONNECT of that version and the CONNECTED that answers it.
//! A digit behind the letter is the number of the connection: `C2:`, `S2:`; without it, it is the first.

use std::collections::HashMap;

use bytes::Bytes;
use kolejka_codec::Frame;

/// One conversation.
#[derive(Debug)]
pub struct Script {
    /// Steps with the line on which each begins.
    pub steps: Vec<(usize, Step)>,
}

/// Something happens.
#[derive(Debug)]
pub enum Step {
    /// A client sends octets, with `$x` still in them.
    Send {
        /// Connection, from 0.
        client: usize,
        /// What is sent.
        text: String,
    },
    /// The server sends a frame.
    Expect {
        /// Connection, from 0.
        client: usize,
        /// What it has to look like.
        frame: Expected,
    },
    /// The server has closed the connection.
    Closed {
        /// Connection, from 0.
        client: usize,
    },
    /// A client is gone without a word.
    HangUp {
        /// Connection, from 0.
        client: usize,
    },
}

/// What a frame of the server has to look like.
#[derive(Debug, Default)]
pub struct Expected {
    command: String,
    headers: Vec<(String, String)>,
    absent: Vec<String>,
    body: Option<String>,
}

/// Values remembered with `$x`.
pub type Memory = HashMap<String, String>;

impl Script {
    /// Reads a transcript.
    ///
    /// # Panics
    /// If it is not one: a test that cannot be read has failed.
    pub fn parse(text: &str) -> Script {
        let mut steps: Vec<(usize, Step)> = Vec::new();
        let mut open: Option<(usize, usize, Vec<String>)> = None;
        for (at, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (side, rest) = line.split_at(1);
            let (digits, rest) = rest.split_at(rest.find([':', '>']).unwrap_or_else(|| panic!("line {at}: {line:?}")));
            let client = digits.parse::<usize>().map_or(0, |number| number - 1);
            let (mark, content) = rest.split_at(1);
            let content = content.strip_prefix(' ').unwrap_or(content);
            match side {
                "C" if content == "(hangs up)" => steps.push((at, Step::HangUp { client })),
                "C" if content.starts_with("(connects ") => steps.extend(connects(at, client, content)),
                "C" => {
                    assert!(open.is_none(), "line {at}: the frame of the server before it has no end");
                    let text = if mark == ":" { format!("{content}\n") } else { content.to_owned() };
                    match steps.last_mut() {
                        Some((_, Step::Send { client: last, text: sent })) if *last == client => sent.push_str(&text),
                        _ => steps.push((at, Step::Send { client, text })),
                    }
                }
                "S" if content == "(closed)" => steps.push((at, Step::Closed { client })),
                "S" => {
                    let (begins, whose, mut lines) = open.take().unwrap_or((at, client, Vec::new()));
                    assert_eq!(whose, client, "line {at}: another connection in the middle of a frame");
                    if let Some(last) = content.strip_suffix("^@") {
                        lines.push(last.to_owned());
                        steps.push((begins, Step::Expect { client, frame: Expected::parse(&lines) }));
                    } else {
                        lines.push(content.to_owned());
                        open = Some((begins, whose, lines));
                    }
                }
                _ => panic!("line {at}: {line:?}"),
            }
        }
        assert!(open.is_none(), "the last frame of the server has no end");
        assert!(steps.iter().any(|(_, step)| !matches!(step, Step::Send { .. })), "nothing is expected");
        Script { steps }
    }
}

/// CONNECT and CONNECTED in short.
fn connects(at: usize, client: usize, content: &str) -> [(usize, Step); 2] {
    let version = content.trim_start_matches("(connects ").trim_end_matches(')');
    let text = format!("CONNECT\naccept-version:{version}\nhost:test\n\n^@\n");
    let mut frame = Expected { command: "CONNECTED".into(), ..Expected::default() };
    if version == "1.0" {
        frame.absent.push("version".into());
    } else {
        frame.headers.push(("version".into(), version.into()));
    }
    [(at, Step::Send { client, text }), (at, Step::Expect { client, frame })]
}

impl Expected {
    fn parse(lines: &[String]) -> Expected {
        let mut expected = Expected { command: lines[0].clone(), ..Expected::default() };
        let head_end = lines.iter().position(String::is_empty).unwrap_or(lines.len());
        for line in &lines[1..head_end] {
            if let Some(name) = line.strip_prefix('!') {
                expected.absent.push(name.to_owned());
            } else {
                let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("{line:?} is no header"));
                expected.headers.push((name.to_owned(), value.to_owned()));
            }
        }
        if head_end + 1 < lines.len() {
            expected.body = Some(lines[head_end + 1..].join("\n"));
        }
        expected
    }

    /// Compares, and remembers values that are asked for with `$x`.
    ///
    /// # Errors
    /// What differs, in words.
    pub fn check(&self, frame: &Frame, memory: &mut Memory) -> Result<(), String> {
        if frame.command.as_str() != self.command {
            return Err(format!("expected {}, got {frame:?}", self.command));
        }
        for (name, value) in &self.headers {
            let Some(found) = frame.headers.get(name) else { return Err(format!("no `{name}` in {frame:?}")) };
            if let Some(variable) = value.strip_prefix('$').filter(|variable| !memory.contains_key(*variable)) {
                memory.insert(variable.to_owned(), found.to_owned());
            } else if value != "*" && found != String::from_utf8_lossy(&octets(value, memory)) {
                return Err(format!("`{name}` is {found:?}, not {value:?}, in {frame:?}"));
            }
        }
        if let Some(name) = self.absent.iter().find(|name| frame.headers.get(name).is_some()) {
            return Err(format!("`{name}` should not be in {frame:?}"));
        }
        match &self.body {
            Some(body) if body.starts_with('~') => {
                let found = String::from_utf8_lossy(&frame.body);
                let wanted = |line: &str| octets(line.trim_start_matches('~'), memory);
                match body.lines().find(|line| !found.contains(&*String::from_utf8_lossy(&wanted(line)))) {
                    Some(line) => Err(format!("the body is {found:?}, without {line:?}")),
                    None => Ok(()),
                }
            }
            Some(body) if octets(body, memory) != frame.body => {
                Err(format!("the body is {:?}, not {body:?}", String::from_utf8_lossy(&frame.body)))
            }
            _ => Ok(()),
        }
    }
}

/// What a client line stands for on the wire.
///
/// # Panics
/// If it names a value that nobody remembered.
pub fn octets(text: &str, memory: &Memory) -> Bytes {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("^@") {
            out.push(0);
            rest = after;
        } else if let Some(after) = rest.strip_prefix("\\r") {
            out.push(b'\r');
            rest = after;
        } else if let Some(after) = rest.strip_prefix("\\x") {
            out.push(u8::from_str_radix(&after[..2], 16).expect("two hexadecimal digits"));
            rest = &after[2..];
        } else if let Some(after) = rest.strip_prefix('$') {
            let end = after.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(after.len());
            let value = memory.get(&after[..end]).unwrap_or_else(|| panic!("nobody remembered ${}", &after[..end]));
            out.extend_from_slice(value.as_bytes());
            rest = &after[end..];
        } else {
            out.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes());
            rest = &rest[next.len_utf8()..];
        }
    }
    out.into()
}

/// Where a conversation is held.
pub trait Wire {
    /// A client sends; one that is new connects first.
    fn send(&mut self, client: usize, octets: &[u8]);
    /// The next frame for a client; `None` when the connection is closed.
    ///
    /// # Errors
    /// If there is neither, in words.
    fn receive(&mut self, client: usize) -> Result<Option<Frame>, String>;
    /// A client is gone without a word.
    fn hang_up(&mut self, client: usize);
}

/// Holds a conversation.
///
/// # Errors
/// The line at which it went wrong, and how.
pub fn run(script: &Script, wire: &mut dyn Wire) -> Result<(), String> {
    let mut memory = Memory::new();
    for (line, step) in &script.steps {
        let outcome = match step {
            Step::Send { client, text } => {
                wire.send(*client, &octets(text, &memory));
                Ok(())
            }
            Step::HangUp { client } => {
                wire.hang_up(*client);
                Ok(())
            }
            Step::Expect { client, frame } => match wire.receive(*client) {
                Ok(Some(received)) => frame.check(&received, &mut memory),
                Ok(None) => Err(format!("expected {}, the connection is closed", frame.command)),
                Err(error) => Err(format!("expected {}: {error}", frame.command)),
            },
            Step::Closed { client } => match wire.receive(*client) {
                Ok(None) => Ok(()),
                Ok(Some(frame)) => Err(format!("expected the end, got {frame:?}")),
                Err(error) => Err(format!("expected the end: {error}")),
            },
        };
        outcome.map_err(|error| format!("line {line}: {error}"))?;
    }
    Ok(())
}
