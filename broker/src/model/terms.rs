//! What a sender says about the time and the failures of one message, beyond what the policy of its queue says.
//!
//! Few messages have any, so they are boxed where a message is kept. Nothing here knows what the headers are called.

use std::sync::Arc;

use super::{Backoff, DestinationName, Schedule, Timestamp, Tracking, Unique};

/// Terms of one message. What is `None` is left to the policy of the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Not to be handed out before; gone once that moment has come.
    pub due: Option<Timestamp>,
    /// Not to be handed out from then on.
    pub expires: Option<Timestamp>,
    /// How long whoever takes it may keep it, in milliseconds.
    pub time_to_run_ms: Option<u32>,
    /// Deliveries before it is exhausted, at least 1.
    pub max_deliveries: Option<u16>,
    /// How long it waits after a NACK.
    pub backoff: Option<Backoff>,
    /// What becomes of it once it is exhausted.
    pub on_exhaust: Option<OnExhaust>,
    /// The queue that takes it as a dead letter.
    pub dead_letter: Option<DestinationName>,
    /// By which its queue knows that it replaces another.
    pub last_value: Option<Arc<str>>,
    /// How it is to be followed. On the way in only: the queue that takes the message takes this out.
    pub tracking: Option<Box<Tracking>>,
    /// Its queue takes no other with the same key.
    pub unique: Option<Box<Unique>>,
    /// It is no message for its queue, but a plan to send such.
    pub schedule: Option<Box<Schedule>>,
    /// The messages that it belongs to.
    pub group: Option<Group>,
}

/// Messages of a queue that one consumer at a time gets, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// By which they are known, at most 255 octets.
    pub name: Arc<str>,
    /// With this message its consumer has got all of it: the next one of that name may go to another.
    pub closes: bool,
}

impl Terms {
    /// Most bytes that they take in a log.
    pub fn bytes(&self) -> usize {
        const FIXED: usize = 128;
        let name = self.dead_letter.as_ref().map_or(0, |name| name.as_str().len());
        let group = self.group.as_ref().map_or(0, |group| group.name.len());
        let key = self.unique.as_ref().map_or(0, |unique| unique.key.len());
        let value = self.last_value.as_ref().map_or(0, |value| value.len());
        FIXED + name + group + key + value + self.schedule.as_ref().map_or(0, |schedule| schedule.bytes())
    }

    /// Whether everything is left to the policy.
    pub fn is_empty(&self) -> bool {
        *self == Terms::default()
    }

    /// What of it holds in another queue, where the message begins anew or keeps how it stands: that has the due time now.
    pub fn move_over(&mut self, begins_anew: bool) {
        if begins_anew {
            self.clear_time();
        } else {
            self.due = None;
        }
    }

    /// There is a new plan, which says when it is due.
    pub fn reschedule(&mut self, schedule: Box<Schedule>) {
        (self.due, self.schedule) = (Some(schedule.next), Some(schedule));
    }

    /// What of it holds for a dead letter: it is there at once, and stays until somebody looks at it.
    pub fn clear_time(&mut self) {
        self.unique = None;
        (self.due, self.expires) = (None, None);
    }
}

/// What becomes of a message whose deliveries are used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnExhaust {
    /// It goes to the dead-letter queue; where there is none, it is buried.
    #[default]
    DeadLetter,
    /// It stays in its queue, out of everybody's way, until somebody kicks it.
    Bury,
    /// It is gone.
    Drop,
}

impl OnExhaust {
    /// Its word on the wire and in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            OnExhaust::DeadLetter => "dlq",
            OnExhaust::Bury => "bury",
            OnExhaust::Drop => "drop",
        }
    }

    /// The one with that word.
    pub fn from_word(word: &str) -> Option<OnExhaust> {
        [OnExhaust::DeadLetter, OnExhaust::Bury, OnExhaust::Drop].into_iter().find(|it| it.as_str() == word)
    }
}

/// How a message stands in its queue when nobody holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Whoever comes may have it.
    Ready,
    /// Not before that moment.
    Delayed(Timestamp),
    /// Not until somebody kicks it; since when it is so.
    Buried(Timestamp),
}
