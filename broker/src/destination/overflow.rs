//! What a full queue does.

use super::{Entry, Queue};

/// What becomes of a message that a full queue has no room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The queue takes nothing more.
    #[default]
    Refuse,
    /// The queue drops the least urgent, and of these what has waited longest. What is out, delayed or buried is not
    /// touched: a queue that is full of what is delayed or buried refuses.
    DropOldest,
}

impl Overflow {
    /// Its words in the configuration, the default first.
    pub const WORDS: [&str; 2] = ["refuse", "drop-oldest"];

    /// Whether something is dropped.
    pub fn drops(self) -> bool {
        self == Overflow::DropOldest
    }

    /// The one with that word.
    pub fn from_word(word: &str) -> Option<Overflow> {
        [Overflow::Refuse, Overflow::DropOldest]
            .into_iter()
            .zip(Overflow::WORDS)
            .find(|(_, own)| *own == word)
            .map(|it| it.0)
    }
}

impl Queue {
    /// Whether that many messages more find no place for their number.
    pub fn lacks_places(&self, messages: u64) -> bool {
        let most = self.policy().max_length;
        match self.policy().overflow {
            Overflow::Refuse => self.len() as u64 + messages > most,
            Overflow::DropOldest => self.parked() > 0 && self.parked() + messages > most,
        }
    }

    /// Whether that many octets more find no room.
    pub fn lacks_room(&self, bytes: u64) -> bool {
        let droppable = match self.policy().overflow {
            Overflow::Refuse => false,
            Overflow::DropOldest => self.parked() == 0 || self.ready() > 0,
        };
        !droppable && self.bytes() + bytes > self.policy().max_bytes
    }

    /// Whether it is to drop something. What is out does not count among its messages, and one that is alone with such
    /// stays however large it is.
    pub fn overflows(&self) -> bool {
        let ready = self.ready() as u64;
        let spared = u64::from(self.parked() == 0);
        self.policy().overflow == Overflow::DropOldest
            && ((ready > 0 && ready + self.parked() > self.policy().max_length)
                || (ready > spared && self.bytes() > self.policy().max_bytes))
    }

    /// The message that is dropped first where messages are dropped: of the least urgent, what has waited longest.
    pub fn least(&self) -> Option<&Entry> {
        self.slots.get(self.ready.least()?)
    }

    /// Messages that wait, but not for a consumer.
    fn parked(&self) -> u64 {
        (self.delayed() + self.buried()) as u64
    }
}
