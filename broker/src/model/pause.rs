//! A queue that stands still: it takes nothing in, or gives nothing out, for a time or until somebody says otherwise.

use super::{DestinationId, Timestamp};

/// One side of a queue, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Side {
    /// Messages that are sent to it.
    Input,
    /// Messages that it hands out.
    #[default]
    Output,
    /// Both.
    Both,
}

impl Side {
    /// The one with that word on the wire.
    pub fn from_word(word: &str) -> Option<Side> {
        Some(match word {
            "input" => Side::Input,
            "output" => Side::Output,
            "both" => Side::Both,
            _ => return None,
        })
    }
}

/// Until when each side of a queue stands still; `None` where it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pause {
    /// A SEND to it is refused.
    pub input: Option<Timestamp>,
    /// Nothing is handed out.
    pub output: Option<Timestamp>,
}

impl Pause {
    /// Until somebody resumes it.
    pub const FOR_GOOD: Timestamp = Timestamp(u64::MAX);

    /// The same with a side standing still until that moment, or not at all.
    #[must_use]
    pub fn with(mut self, side: Side, until: Option<Timestamp>) -> Pause {
        if side != Side::Output {
            self.input = until;
        }
        if side != Side::Input {
            self.output = until;
        }
        self
    }

    /// What of it is left at that moment.
    #[must_use]
    pub fn left_at(self, now: Timestamp) -> Pause {
        let left = |until: Option<Timestamp>| until.filter(|until| *until > now);
        Pause { input: left(self.input), output: left(self.output) }
    }

    /// Whether a side stands still that did not before. One that is to stand still longer does not begin again.
    pub fn begins_after(self, before: Pause) -> bool {
        let begins = |after: Option<Timestamp>, before: Option<Timestamp>| after.is_some() && before.is_none();
        begins(self.input, before.input) || begins(self.output, before.output)
    }

    /// Whether nothing stands still.
    pub fn is_over(&self) -> bool {
        *self == Pause::default()
    }

    /// When the next side goes on by itself.
    pub fn next_end(&self) -> Option<Timestamp> {
        self.input.into_iter().chain(self.output).filter(|until| *until != Pause::FOR_GOOD).min()
    }
}

/// What the log keeps of it: how both sides of a queue stand from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paused {
    /// Which queue.
    pub queue: DestinationId,
    /// How it stands.
    pub pause: Pause,
}
