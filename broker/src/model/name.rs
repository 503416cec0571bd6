//! Names of destinations: checked once at the edge, never a raw string behind it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use thiserror::Error;

use super::{JobToken, PatternError};

/// What kind of destination a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DestinationKind {
    /// Each message goes to one consumer.
    Queue,
    /// Each message goes to every subscriber of the moment.
    Topic,
    /// A queue in memory that dies with the connection that made it.
    TempQueue,
    /// A topic that dies with the connection that made it.
    TempTopic,
    /// The queue of a durable topic subscription. No client writes such a name.
    Subscription,
    /// Where a topic's retained message lies: a queue of one. No client writes such a name.
    Retained,
    /// Where a job is watched; reached by its token only.
    Job,
    /// Where results of jobs lie that are too large for a status. No client writes such a name.
    Results,
    /// Where the schedules of a queue or topic lie. No client writes such a name.
    Schedules,
}

impl DestinationKind {
    /// How a full name of this kind begins.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            DestinationKind::Queue => "/queue/",
            DestinationKind::Topic => "/topic/",
            DestinationKind::TempQueue => "/remote-temp-queue/",
            DestinationKind::TempTopic => "/remote-temp-topic/",
            DestinationKind::Subscription => "/dsub/",
            DestinationKind::Retained => "/retained/",
            DestinationKind::Job => "/job/",
            DestinationKind::Results => "/results/",
            DestinationKind::Schedules => "/schedules/",
        }
    }

    /// Whether it lives only as long as a connection.
    pub const fn is_temporary(self) -> bool {
        matches!(self, DestinationKind::TempQueue | DestinationKind::TempTopic)
    }

    /// Whether each message goes to one consumer.
    pub const fn is_queue(self) -> bool {
        matches!(
            self,
            DestinationKind::Queue
                | DestinationKind::TempQueue
                | DestinationKind::Subscription
                | DestinationKind::Retained
                | DestinationKind::Results
                | DestinationKind::Schedules
        )
    }
}

/// The full name of one destination. Cloning shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DestinationName {
    kind: DestinationKind,
    full: Arc<str>,
}

impl Hash for DestinationName {
    /// The text alone, which says the kind as well: half the work of the keyed hash that looks a name up with each SEND.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.full.as_bytes());
    }
}

impl DestinationName {
    /// Most octets of a name as a client writes it.
    pub const MAX_BYTES: usize = 255;

    /// Reads a name as a client writes it. A bare name is a queue; `/temp-queue/x` and `/temp-topic/x` belong to the
    /// connection with the token `owner` and are known to others as `/remote-temp-queue/<owner>.x`, for queues also as
    /// `/reply-queue/<owner>.x`.
    pub fn parse(text: &str, owner: &str) -> Result<DestinationName, NameError> {
        if text.len() > Self::MAX_BYTES {
            return Err(NameError::TooLong { bytes: text.len() });
        }
        if text.chars().any(is_invisible) {
            return Err(NameError::Invisible);
        }
        for (prefix, kind) in
            [("/temp-queue/", DestinationKind::TempQueue), ("/temp-topic/", DestinationKind::TempTopic)]
        {
            if let Some(path) = text.strip_prefix(prefix) {
                check(path)?;
                return Ok(DestinationName { kind, full: format!("{}{owner}.{path}", kind.prefix()).into() });
            }
        }
        let (kind, path) = split(text)?;
        check(path)?;
        let prefix = kind.prefix();
        let is_full = text.len() == prefix.len() + path.len() && text.starts_with(prefix);
        let full = if is_full { Arc::from(text) } else { Arc::from(format!("{prefix}{path}")) };
        Ok(DestinationName { kind, full })
    }

    /// A queue by its path, for names that the broker makes itself.
    pub fn queue(path: &str) -> Result<DestinationName, NameError> {
        check(path)?;
        Ok(DestinationName { kind: DestinationKind::Queue, full: format!("/queue/{path}").into() })
    }

    /// A topic by its path, for names that the broker makes itself.
    pub fn topic(path: &str) -> Result<DestinationName, NameError> {
        check(path)?;
        Ok(DestinationName { kind: DestinationKind::Topic, full: format!("/topic/{path}").into() })
    }

    /// Whether it is a topic on which the broker alone speaks.
    pub fn is_announced(&self) -> bool {
        let mut parts = self.path().split(['.', '/']);
        self.kind == DestinationKind::Topic
            && match parts.next() {
                Some("Kolejka") => true,
                Some("ActiveMQ") => parts.next() == Some("Advisory"),
                _ => false,
            }
    }

    /// The queue of a durable subscription, by its path.
    pub fn subscription(path: &str) -> Result<DestinationName, NameError> {
        check(path)?;
        let kind = DestinationKind::Subscription;
        Ok(DestinationName { kind, full: format!("{}{path}", kind.prefix()).into() })
    }

    /// Where the retained message of this topic lies.
    #[must_use]
    pub fn retained(&self) -> DestinationName {
        let kind = DestinationKind::Retained;
        DestinationName { kind, full: format!("{}{}", kind.prefix(), self.path()).into() }
    }

    /// The topic whose retained message lies here.
    pub fn retained_of(&self) -> Option<DestinationName> {
        let kind = DestinationKind::Topic;
        let full = || format!("{}{}", kind.prefix(), self.path()).into();
        (self.kind == DestinationKind::Retained).then(|| DestinationName { kind, full: full() })
    }

    /// Where that job is watched.
    #[must_use]
    pub fn job(token: JobToken) -> DestinationName {
        let kind = DestinationKind::Job;
        DestinationName { kind, full: format!("{}{token}", kind.prefix()).into() }
    }

    /// Where results of jobs lie.
    #[must_use]
    pub fn results() -> DestinationName {
        let kind = DestinationKind::Results;
        DestinationName { kind, full: format!("{}jobs", kind.prefix()).into() }
    }

    /// Where the schedules of this queue or topic lie.
    #[must_use]
    pub fn schedules(&self) -> DestinationName {
        let kind = DestinationKind::Schedules;
        DestinationName { kind, full: format!("{}{}", kind.prefix(), &self.full[1..]).into() }
    }

    /// The queue or topic whose schedules lie here.
    pub fn scheduled(&self) -> Option<DestinationName> {
        let full = self.full.strip_prefix("/schedules").filter(|_| self.kind == DestinationKind::Schedules)?;
        DestinationName::from_full(full).ok()
    }

    /// Back from [`as_str`](Self::as_str), as the log keeps it.
    pub fn from_full(full: &str) -> Result<DestinationName, NameError> {
        if let Some(path) = full.strip_prefix(DestinationKind::Subscription.prefix()) {
            return DestinationName::subscription(path);
        }
        for kind in [DestinationKind::Retained, DestinationKind::Schedules] {
            if let Some(path) = full.strip_prefix(kind.prefix()) {
                check(path)?;
                return Ok(DestinationName { kind, full: full.into() });
            }
        }
        if *full == *DestinationName::results().full {
            return Ok(DestinationName::results());
        }
        let (kind, path) = split(full)?;
        check(path)?;
        Ok(DestinationName { kind, full: full.into() })
    }

    /// Queue, topic or temporary.
    pub fn kind(&self) -> DestinationKind {
        self.kind
    }

    /// The full name, such as `/queue/mail`.
    pub fn as_str(&self) -> &str {
        &self.full
    }

    /// The name without what says its kind, such as `mail`.
    pub fn path(&self) -> &str {
        self.full.strip_prefix(self.kind.prefix()).unwrap_or(&self.full)
    }
}

/// Takes the kind off a name or pattern that names no temporary destination of the speaker.
pub(super) fn split(text: &str) -> Result<(DestinationKind, &str), NameError> {
    const PREFIXES: [(&str, DestinationKind); 7] = [
        ("/queue/", DestinationKind::Queue),
        ("/topic/", DestinationKind::Topic),
        ("/remote-temp-queue/", DestinationKind::TempQueue),
        ("/reply-queue/", DestinationKind::TempQueue),
        ("/remote-temp-topic/", DestinationKind::TempTopic),
        // RabbitMQ's names of the same.
        ("/amq/queue/", DestinationKind::Queue),
        ("/exchange/amq.topic/", DestinationKind::Topic),
    ];
    for (prefix, kind) in PREFIXES {
        if let Some(path) = text.strip_prefix(prefix) {
            return Ok((kind, path));
        }
    }
    if text.starts_with('/') {
        return Err(NameError::UnknownPrefix);
    }
    Ok((DestinationKind::Queue, text))
}

/// Whether a character is not seen, or turns the direction of those around it: two names that look alike would not be the
/// same, and a name could look like another. Clients may not use such; names that a log has are read as they are.
pub fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Refuses what no path may hold. `.` and `/` both separate segments, and no segment may be empty.
fn check(path: &str) -> Result<(), NameError> {
    if path.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(NameError::Unprintable);
    }
    if path.split(['.', '/']).any(str::is_empty) {
        return Err(NameError::EmptySegment);
    }
    if path.contains(',') {
        return Err(NameError::Composite);
    }
    if path.contains(['*', '>', '#']) {
        return Err(NameError::Wildcard);
    }
    Ok(())
}

impl fmt::Display for DestinationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

impl fmt::Debug for DestinationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.full)
    }
}

/// Why a text is no destination.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// Longer than [`DestinationName::MAX_BYTES`].
    #[error("a destination has at most {} octets, this one {bytes}", DestinationName::MAX_BYTES)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Begins with `/`, but with none of the known kinds.
    #[error(
        "a destination begins with /queue/, /topic/, /temp-queue/ or /temp-topic/, or has no slash in front and is a queue"
    )]
    UnknownPrefix,
    /// `a..b`, `/queue/`, `.a` and the like.
    #[error("a part of the destination between dots or slashes is empty")]
    EmptySegment,
    /// Control characters or blanks.
    #[error("a destination holds no blanks and no control characters")]
    Unprintable,
    /// What is not seen, or turns what is.
    #[error("a destination holds no invisible characters, and none that change the direction of writing")]
    Invisible,
    /// A comma: a list of destinations.
    #[error("a list of destinations stands on SEND only")]
    Composite,
    /// A list that is too long.
    #[error("a list has at most {limit} destinations")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// `*`, `>` or `#`.
    #[error("wildcards stand for whole parts of what is subscribed to, under /queue/ and /topic/, and nowhere else")]
    Wildcard,
    /// A wildcard where none can be.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}
