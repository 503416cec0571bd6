//! When a message is to be sent, and how often: schedules.
//!
//! A schedule is a message that lies in a queue of its own until it is cancelled, and of which a copy is sent whenever its
//! time has come. What a cron expression means is not known here.

use std::sync::Arc;

use super::{Content, MessageId, Retain, Timestamp};

/// A plan for one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// What its owner calls it; a later one of that name for the same destination takes its place.
    pub name: Option<Arc<str>>,
    /// When a series begins, again and again. Without it there is one series.
    pub cron: Option<Cron>,
    /// How long after that its first message is sent, in milliseconds.
    pub delay_ms: u64,
    /// Between two messages of a series, in milliseconds; `None` for a series of one.
    pub period_ms: Option<u64>,
    /// Messages of a series after its first; `None` for no end.
    pub repeat: Option<u32>,
    /// When the next message is sent.
    pub next: Timestamp,
    /// Messages of the present series after that one; `None` for no end.
    pub left: Option<u32>,
    /// How long each lives, in milliseconds.
    pub life_ms: Option<u64>,
    /// They live in memory.
    pub is_transient: bool,
    /// What each does to what its topic retains.
    pub retain: Option<Retain>,
}

/// When a series begins: minute, hour, day, month and weekday, on the clocks of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    /// Its five fields.
    pub expression: Arc<str>,
    /// The name of the zone, such as `Europe/Berlin`.
    pub zone: Arc<str>,
}

impl Schedule {
    /// Octets of a name.
    pub const NAME_BYTES: usize = 255;
    /// Octets of a cron expression.
    pub const EXPRESSION_BYTES: usize = 255;
    /// Octets of the name of a zone.
    pub const ZONE_BYTES: usize = 64;

    /// Most bytes that it takes in a log.
    pub fn bytes(&self) -> usize {
        const FIXED: usize = 128;
        let cron = self.cron.as_ref().map_or(0, |cron| cron.expression.len() + cron.zone.len());
        FIXED + self.name.as_ref().map_or(0, |name| name.len()) + cron
    }

    /// The content of a message that is sent for the schedule with that id, at that moment.
    pub fn content(id: MessageId, now: Timestamp, content: &Content) -> Content {
        let mut head = content.head().to_vec();
        if !content.has_line("timestamp") {
            head.extend_from_slice(format!("timestamp:{}\n", now.0).as_bytes());
        }
        head.extend_from_slice(format!("scheduledJobId:{id}\n").as_bytes());
        content.with_head(head)
    }
}
