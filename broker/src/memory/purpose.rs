//! What memory is used for, and how the whole is shared out.

/// What bytes are used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Purpose {
    /// Frames that have begun to arrive, and such that have arrived and have to wait.
    Frames,
    /// Frames of open transactions.
    Transactions,
    /// What waits to be written to a client.
    Output,
    /// What topics keep for slow subscribers.
    Topics,
    /// Heads and bodies of messages.
    Bodies,
    /// The tables of queued messages.
    Messages,
    /// What senders said about their messages, and why messages died.
    Terms,
    /// Keys of duplicates.
    Keys,
    /// Statuses and results of jobs.
    Jobs,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Purpose; 9] = [
        Purpose::Frames,
        Purpose::Transactions,
        Purpose::Output,
        Purpose::Topics,
        Purpose::Bodies,
        Purpose::Messages,
        Purpose::Terms,
        Purpose::Keys,
        Purpose::Jobs,
    ];

    /// The share of the whole that it uses.
    pub const fn share(self) -> Share {
        match self {
            Purpose::Frames => Share::Frames,
            Purpose::Transactions => Share::Transactions,
            Purpose::Output => Share::Output,
            Purpose::Topics => Share::Topics,
            Purpose::Bodies | Purpose::Messages | Purpose::Terms | Purpose::Keys | Purpose::Jobs => Share::Queues,
        }
    }
}

/// A part of the whole with a bound of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Share {
    /// Of frames that have begun to arrive or have to wait.
    Frames,
    /// Of open transactions.
    Transactions,
    /// Of what waits to be written.
    Output,
    /// Of what topics keep for slow subscribers.
    Topics,
    /// Of all that queues keep in memory.
    Queues,
}

impl Share {
    /// All of them.
    pub const ALL: [Share; 5] = [Share::Frames, Share::Transactions, Share::Output, Share::Topics, Share::Queues];

    /// Its part of the whole, in sixteenths. They add up to sixteen.
    pub const fn sixteenths(self) -> u64 {
        match self {
            Share::Frames => 3,
            Share::Transactions | Share::Output | Share::Topics => 2,
            Share::Queues => 7,
        }
    }

    /// What it is for, in words that follow "memory for".
    pub const fn words(self) -> &'static str {
        match self {
            Share::Frames => "frames that are not complete or have to wait",
            Share::Transactions => "open transactions",
            Share::Output => "what waits to be sent",
            Share::Topics => "slow subscribers of topics",
            Share::Queues => "queued messages",
        }
    }
}
