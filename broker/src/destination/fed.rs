//! A queue that topics feed.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{Candidate, Filter, Pattern};

use super::{ConsumerKey, Queue};

/// A selector that outlives its client.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Its text, which the log keeps.
    pub text: Arc<str>,
    /// What it means; a text that is not understood any more lets everything through.
    pub filter: Option<Arc<dyn Filter>>,
}

/// What is known of a queue behind topics.
#[derive(Debug)]
pub struct Fed {
    /// The topics.
    pub topics: Pattern,
    /// How long it is kept without a reader; `None`: for ever.
    pub expires_after: Option<Duration>,
    /// Which messages it takes; `None`: all.
    pub condition: Option<Condition>,
    /// Since when nobody reads it; `None` while somebody does.
    pub unread_since: Option<Duration>,
    /// Who reads it.
    pub readers: Vec<ConsumerKey>,
}

impl Fed {
    /// The selector, as it was written.
    pub fn selector(&self) -> Option<&Arc<str>> {
        self.condition.as_ref().map(|condition| &condition.text)
    }

    /// The most that it costs to ask whether a message with a head of so many bytes is for it.
    pub fn steps(&self, head: usize) -> u64 {
        let filter = self.condition.as_ref().and_then(|condition| condition.filter.as_ref());
        filter.map_or(0, |filter| filter.steps(head))
    }

    /// Whether it takes a message.
    pub fn takes(&self, candidate: &Candidate<'_>) -> bool {
        let filter = self.condition.as_ref().and_then(|condition| condition.filter.as_ref());
        filter.is_none_or(|filter| filter.wants(candidate))
    }
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
