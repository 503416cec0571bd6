//! Patterns over destination names, for rights, policies and subscriptions.

use std::fmt;

use thiserror::Error;

use super::DestinationName;

/// A glob over the segments of a full name, as in `/queue/mail.**`: `*` stands for one segment, `**` (also written `>` or
/// `#`) for any number of them, none included, at the end. `.` and `/` separate alike. No regular expressions: what a
/// pattern costs and means must be plain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    segments: Vec<Segment>,
}

/// One part of a pattern, as between two separators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// This text and no other.
    Exactly(String),
    /// Any one part.
    One,
    /// Any number of parts, none included.
    Rest,
}

impl Pattern {
    /// Reads a pattern. A pattern without a leading `/` means queues, as a name does.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        let full = if text.starts_with('/') { text.to_owned() } else { format!("/queue/{text}") };
        let mut segments = Vec::new();
        for part in full[1..].split(['.', '/']) {
            if segments.last() == Some(&Segment::Rest) {
                return Err(PatternError::RestNotLast);
            }
            segments.push(match part {
                "" => return Err(PatternError::EmptySegment),
                "*" => Segment::One,
                "**" | ">" | "#" => Segment::Rest,
                other if other.contains(['*', '>', '#']) => return Err(PatternError::PartialWildcard),
                other => Segment::Exactly(other.to_owned()),
            });
        }
        Ok(Pattern { text: text.to_owned(), segments })
    }

    /// Its parts; the first says the kind of destination.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether the name is one of those meant.
    pub fn matches(&self, name: &DestinationName) -> bool {
        let mut parts = name.as_str()[1..].split(['.', '/']);
        for segment in &self.segments {
            match (segment, parts.next()) {
                (Segment::Rest, _) => return true,
                (Segment::One, Some(_)) => {}
                (Segment::Exactly(text), Some(part)) if text == part => {}
                _ => return false,
            }
        }
        parts.next().is_none()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PatternError {
    /// Something follows `**`.
    #[error("`**` can only be the last part of a pattern")]
    RestNotLast,
    /// `a..b` and the like.
    #[error("a part of the pattern between dots or slashes is empty")]
    EmptySegment,
    /// `a*`: wildcards stand for whole segments.
    #[error("a wildcard stands for a whole part between dots or slashes")]
    PartialWildcard,
}
