//! A queue that topics feed.

use std::time::Duration;

use crate::model::Pattern;

use super::{ConsumerKey, Queue};

/// What is known of a queue behind topics.
#[derive(Debug)]
pub struct Fed {
    /// The topics.
    pub topics: Pattern,
    /// How long it is kept without a reader; `None`: for ever.
    pub expires_after: Option<Duration>,
    /// Since when nobody reads it; `None` while somebody does.
    pub unread_since: Option<Duration>,
    /// Who reads it.
    pub readers: Vec<ConsumerKey>,
}

impl Queue {
    /// Notes since when nobody reads a queue behind topics.
    pub fn note_readers(&mut self, now: Duration) {
        let is_wanted = self.is_wanted();
        if let Some(fed) = &mut self.fed {
            fed.unread_since = if is_wanted { None } else { fed.unread_since.or(Some(now)) };
        }
    }
}
