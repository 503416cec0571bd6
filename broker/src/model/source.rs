//! What a subscription reads from: one destination, several, or all that a pattern means.

use std::fmt;
use std::sync::Arc;

use super::name::{is_invisible, split};
use super::{DestinationKind, DestinationName, Feed, List, NameError, Pattern, Segment};

/// Whom a wildcard subscription reads for. A pattern says nothing about rights: each destination is asked about when it
/// comes into reach (SECURITY §5), by whoever knows the rights of that client.
pub trait Reader: fmt::Debug + Send + Sync {
    /// Whether the client may read that one, concrete destination.
    fn may_read(&self, name: &DestinationName) -> bool;
}

/// From where a subscription reads.
#[derive(Clone, Debug)]
pub enum Source {
    /// One destination.
    Name(DestinationName),
    /// Every destination that is meant, those to come included.
    Wildcard(Arc<Wildcard>),
    /// A queue behind a topic.
    Feed(Arc<Feed>),
    /// Each of several.
    List(Arc<List>),
}

impl Source {
    /// The full text of the name or pattern.
    pub fn as_str(&self) -> &str {
        match self {
            Source::Name(name) => name.as_str(),
            Source::Wildcard(wildcard) => wildcard.as_str(),
            Source::Feed(feed) => feed.queue.as_str(),
            Source::List(list) => list.as_str(),
        }
    }

    /// Queues or topics.
    pub fn kind(&self) -> DestinationKind {
        match self {
            Source::Name(name) => name.kind(),
            Source::Wildcard(wildcard) => wildcard.kind,
            Source::Feed(feed) => feed.queue.kind(),
            Source::List(list) => list.kind(),
        }
    }

    /// Whether it names that destination.
    pub fn names(&self, destination: &DestinationName) -> bool {
        match self {
            Source::List(list) => list.names().contains(destination),
            _ => self.as_str() == destination.as_str(),
        }
    }
}

impl From<DestinationName> for Source {
    fn from(name: DestinationName) -> Source {
        Source::Name(name)
    }
}

impl Source {
    /// Whether it reads from topics on which the broker tells what happens to jobs.
    pub fn hears(&self) -> bool {
        match self {
            Source::Name(name) => name.is_announced(),
            Source::Wildcard(wildcard) => {
                wildcard.kind == DestinationKind::Topic && wildcard.pattern.is_of_the_server()
            }
            Source::List(list) => list.names().iter().any(DestinationName::is_announced),
            // It is counted with its topics.
            Source::Feed(_) => false,
        }
    }
}

/// Two sources are one if they say the same; whom they read for does not count.
impl PartialEq for Source {
    fn eq(&self, other: &Source) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Source {}

/// A pattern over queues or over topics, and whom it reads for.
#[derive(Debug)]
pub struct Wildcard {
    kind: DestinationKind,
    text: String,
    pattern: Pattern,
    reader: Arc<dyn Reader>,
}

impl Wildcard {
    /// Whether a text has a part that is a wildcard.
    pub fn is_meant(text: &str) -> bool {
        text.contains(['*', '>', '#'])
    }

    /// Reads a pattern as a client writes it: `/queue/`, `/topic/` or a bare text for queues, then parts of which `*` stands
    /// for any one, and `>`, `#` or `**` at the end for any number of them, none included.
    pub fn parse(text: &str, reader: Arc<dyn Reader>) -> Result<Wildcard, NameError> {
        if text.len() > DestinationName::MAX_BYTES {
            return Err(NameError::TooLong { bytes: text.len() });
        }
        if text.chars().any(is_invisible) {
            return Err(NameError::Invisible);
        }
        let (kind, path) = split(text).map_err(|_| NameError::Wildcard)?;
        if !matches!(kind, DestinationKind::Queue | DestinationKind::Topic) {
            return Err(NameError::Wildcard);
        }
        let text = format!("{}{path}", kind.prefix());
        if text.contains(',') {
            return Err(NameError::Composite);
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(NameError::Unprintable);
        }
        let pattern = Pattern::parse(&text)?;
        Ok(Wildcard { kind, text, pattern, reader })
    }

    /// The same pattern for a client whose rights have changed.
    #[must_use]
    pub fn read_by(&self, reader: Arc<dyn Reader>) -> Wildcard {
        Wildcard { kind: self.kind, text: self.text.clone(), pattern: self.pattern.clone(), reader }
    }

    /// Whether that destination is meant, and may be read.
    pub fn reaches(&self, name: &DestinationName) -> bool {
        name.kind() == self.kind && self.pattern.reaches(name) && self.reader.may_read(name)
    }

    /// Whether it means names that are the broker's own to write.
    pub fn is_of_the_server(&self) -> bool {
        matches!(self.pattern.segments().get(1), Some(Segment::Exactly(first)) if first == "Kolejka")
    }

    /// What it means, apart from rights.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Queues or topics.
    pub fn kind(&self) -> DestinationKind {
        self.kind
    }

    /// The full text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}
