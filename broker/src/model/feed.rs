//! A queue behind a topic: what a durable subscription, a consumer group and the queue of a virtual topic are.

use std::sync::Arc;

use super::{DestinationName, Pattern};

/// A queue that gets a copy of every message of a topic, or of all topics that a pattern means, whether somebody reads it
/// or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// The queue.
    pub queue: DestinationName,
    /// The topics.
    pub topics: Pattern,
    /// How many milliseconds it is kept without a reader; `None`: for ever.
    pub expires_after: Option<u64>,
    /// The selector of the messages that it takes, which has been understood; `None`: all.
    pub selector: Option<Arc<str>>,
    /// It is meant for one connection at a time, so whoever comes takes it over.
    pub is_sole: bool,
}
