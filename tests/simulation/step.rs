//! What a run consists of: steps that stand for themselves, so that a failing run stays a run when some are left out.

use kolejka::journal::fault::Dice;

/// A step. What exactly it does follows from its salt and from how things stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Its place in the run of its seed.
    pub(crate) number: usize,
    pub(crate) kind: Kind,
    pub(crate) client: usize,
    pub(crate) salt: u64,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Send,
    SendMany,
    Subscribe,
    Unsubscribe,
    Ack,
    Nack,
    Touch,
    Begin,
    Commit,
    Abort,
    Grant,
    Manage,
    Schedule,
    Nonsense,
    Disconnect,
    Kill,
    /// The client reads what has come, and says the rest of what it had to say.
    Listen,
    /// Everything runs until it waits.
    Settle,
    /// A little time passes.
    Wait,
    /// Much time passes at once.
    Jump,
    /// The journal has nothing to do.
    Idle,
    Cut,
    /// The power is cut at an operation of the disk that comes soon.
    CutSoon,
    /// An operation of the disk that comes soon fails.
    Fault,
    /// The disk is full, or nearly.
    Fill,
    /// The disk is full all at once, at an operation that comes soon.
    FillSoon,
    /// It has room again.
    Empty,
    /// The broker stops in order and starts again.
    Stop,
}

/// How often each kind comes, of all weights together.
const WEIGHTS: [(Kind, u64); 28] = [
    (Kind::Send, 200),
    (Kind::SendMany, 20),
    (Kind::Subscribe, 70),
    (Kind::Unsubscribe, 12),
    (Kind::Ack, 150),
    (Kind::Nack, 25),
    (Kind::Touch, 40),
    (Kind::Begin, 18),
    (Kind::Commit, 26),
    (Kind::Abort, 4),
    (Kind::Grant, 8),
    (Kind::Manage, 14),
    (Kind::Schedule, 8),
    (Kind::Nonsense, 2),
    (Kind::Disconnect, 4),
    (Kind::Kill, 6),
    (Kind::Listen, 110),
    (Kind::Settle, 130),
    (Kind::Wait, 50),
    (Kind::Jump, 4),
    (Kind::Idle, 16),
    (Kind::Cut, 2),
    (Kind::CutSoon, 6),
    (Kind::Fault, 2),
    (Kind::Fill, 3),
    (Kind::FillSoon, 2),
    (Kind::Empty, 5),
    (Kind::Stop, 3),
];

/// The steps of a seed.
pub(crate) fn plan(seed: u64, count: usize) -> Vec<Step> {
    let mut dice = Dice::new(seed);
    let clients = 2 + dice.below(3);
    let all: u64 = WEIGHTS.iter().map(|(_, weight)| weight).sum();
    let step = |number| {
        let mut at = dice.below(all);
        let found = WEIGHTS.iter().find(|(_, weight)| at.checked_sub(*weight).map(|rest| at = rest).is_none());
        let kind = found.map_or(Kind::Settle, |(kind, _)| *kind);
        Step { number, kind, client: dice.below(clients) as usize, salt: dice.roll() }
    };
    (0..count).map(step).collect()
}
