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

    /// First parts of names that the broker makes itself.
    const OWN: [&str; 3] = ["ActiveMQ", "DLQ", "Kolejka"];

    /// The pattern that means this name alone.
    pub fn exactly(name: &DestinationName) -> Pattern {
        let segments = name.as_str()[1..].split(['.', '/']).map(|part| Segment::Exactly(part.to_owned())).collect();
        Pattern { text: name.as_str().to_owned(), segments }
    }

    /// The one name that it means if it has no wildcard, as it is spelled.
    pub fn name(&self) -> Option<DestinationName> {
        let is_plain = self.segments.iter().all(|segment| matches!(segment, Segment::Exactly(_)));
        is_plain.then(|| DestinationName::from_full(&self.text).ok()).flatten()
    }

    /// Whether a subscription to the pattern means the name. Without a wildcard that is the name as it is spelled. Names that
    /// the broker makes itself have to be asked for by their first part: `/queue/>` does not mean dead letters.
    pub fn reaches(&self, name: &DestinationName) -> bool {
        if let Some(only) = self.name() {
            return only == *name;
        }
        let is_rooted = || matches!(self.segments.get(1), Some(Segment::Exactly(_)));
        let is_own = || name.path().split(['.', '/']).next().is_some_and(|first| Self::OWN.contains(&first));
        self.matches(name) && (is_rooted() || !is_own())
    }

    /// Whether it means names by which the broker tells what happens.
    pub fn is_of_the_server(&self) -> bool {
        let first = self.segments.get(1);
        matches!(first, Some(Segment::Exactly(first)) if matches!(first.as_str(), "Kolejka" | "ActiveMQ"))
    }

    /// Whether it means every name that the other one means. May say no where that is hard to tell, never yes in error.
    pub fn covers(&self, other: &Pattern) -> bool {
        let mut others = other.segments.iter();
        for segment in &self.segments {
            match (segment, others.next()) {
                (Segment::Rest, _) => return true,
                (Segment::One, Some(Segment::One | Segment::Exactly(_))) => {}
                (Segment::Exactly(mine), Some(Segment::Exactly(text))) if mine == text => {}
                _ => return false,
            }
        }
        others.next().is_none()
    }

    /// Whether there are names that both mean.
    pub fn overlaps(&self, other: &Pattern) -> bool {
        let mut others = other.segments.iter();
        for segment in &self.segments {
            match (segment, others.next()) {
                (Segment::Rest, _) | (_, Some(Segment::Rest)) => return true,
                (Segment::Exactly(mine), Some(Segment::Exactly(text))) if mine != text => return false,
                (_, Some(_)) => {}
                (_, None) => return false,
            }
        }
        matches!(others.next(), None | Some(Segment::Rest))
    }

    /// The text it was read from.
    pub fn as_str(&self) -> &str {
        &self.text
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
