//! Looking at the messages of a queue without taking them.

use super::Subscribe;

/// A wish to look at a queue.
#[derive(Clone, Debug)]
pub struct Browse {
    /// Which queue, which messages and how many at a time. Nothing of it is ever settled.
    pub subscribe: Subscribe,
    /// Messages in which stages, one stage after the other.
    pub stages: Vec<Stage>,
    /// At most so many.
    pub limit: Option<u32>,
    /// It does not end with the last one that was there: what comes later is shown too, as long as it is ready.
    pub tail: bool,
}

/// How a message stands in its queue, as whoever looks at it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Whoever comes may have it.
    Ready,
    /// It waits for its time.
    Delayed,
    /// It waits for a kick.
    Buried,
    /// Somebody has it.
    Reserved,
}

impl Stage {
    /// All of them.
    pub const ALL: [Stage; 4] = [Stage::Ready, Stage::Delayed, Stage::Buried, Stage::Reserved];

    /// Its word on the wire (`x-state`).
    pub const fn as_str(self) -> &'static str {
        match self {
            Stage::Ready => "ready",
            Stage::Delayed => "delayed",
            Stage::Buried => "buried",
            Stage::Reserved => "reserved",
        }
    }

    /// The one with that word.
    pub fn from_word(word: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| stage.as_str() == word)
    }
}
