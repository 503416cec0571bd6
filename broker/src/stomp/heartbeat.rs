//! Signs of life in both directions. Knows intervals and moments, no frames; moments are readings of the monotonic clock.

use std::time::Duration;

use super::error::Fault;
use super::options::Options;

/// What a client's `heart-beat` header says, in milliseconds; 0 is *no*.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    /// It can send at least this often.
    sends: u64,
    /// It wants to receive at least this often.
    wants: u64,
}

impl Wish {
    /// Reads the header. A missing one is `0,0` (STOMP 1.2, "Heart-beating"). Blanks around the numbers are tolerated, a
    /// sign, a third number or more than ten digits are not.
    pub(super) fn parse(header: Option<&str>) -> Result<Wish, Fault> {
        let Some(text) = header else { return Ok(Wish::default()) };
        let numbers = text.split_once(',').and_then(|(sends, wants)| Some((number(sends)?, number(wants)?)));
        let (sends, wants) = numbers.ok_or(Fault::BadHeader {
            header: "heart-beat",
            expected: "two numbers of milliseconds, of at most ten digits each, with a comma between them",
        })?;
        Ok(Wish { sends, wants })
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = text.trim_matches([' ', '\t']);
    let plain = (1..=10).contains(&digits.len()) && digits.bytes().all(|octet| octet.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// When to give a sign of life, and when the peer's is overdue.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HeartBeat {
    /// We write at least this often: half of what was agreed, since some clients allow no margin.
    every: Option<Duration>,
    /// The peer is given up after such a silence.
    patience: Option<Duration>,
    /// The agreed interval of the peer in milliseconds; 0 if its silence has another limit.
    promised: u64,
    wrote: Duration,
    heard: Duration,
}

impl HeartBeat {
    /// A browser wakes a page in the background once a minute: its interval is never taken to be shorter.
    const THROTTLED: Duration = Duration::from_secs(60);

    /// Agrees with the client. Its wishes are mirrored within our bounds and never answered by 0, because there are
    /// clients that go by their own wish whatever the answer is. Returns the two numbers of our `heart-beat` header too.
    pub(super) fn agree(wish: Wish, options: &Options, websocket: bool, now: Duration) -> (HeartBeat, (u64, u64)) {
        let mirror = |ms: u64| match ms {
            0 => 0,
            _ => ms.clamp(millis(options.heart_beat_min), millis(options.heart_beat_max)),
        };
        let ours = (mirror(wish.wants), mirror(wish.sends));
        let outgoing = ours.0.max(wish.wants);
        let incoming = ours.1.max(wish.sends);
        let patience = match Duration::from_millis(incoming) {
            Duration::ZERO => options.idle_limit,
            interval if websocket => Some(interval.max(Self::THROTTLED) * 2),
            interval => Some(interval * 2),
        };
        let every = (outgoing > 0).then(|| Duration::from_millis(outgoing) / 2);
        (HeartBeat { every, patience, promised: incoming, wrote: now, heard: now }, ours)
    }

    /// Whether the peer has promised to give signs of life.
    pub(super) fn is_promised(&self) -> bool {
        self.promised > 0
    }

    /// An octet came.
    pub(super) fn heard(&mut self, now: Duration) {
        self.heard = now;
    }

    /// An octet left.
    pub(super) fn wrote(&mut self, now: Duration) {
        self.wrote = now;
    }

    /// Whether it is time to write; counts as written.
    pub(super) fn beat(&mut self, now: Duration) -> bool {
        let due = self.every.is_some_and(|every| now >= self.wrote + every);
        if due {
            self.wrote = now;
        }
        due
    }

    /// What to say if the peer has been silent for too long.
    pub(super) fn overdue(&self, now: Duration) -> Option<Fault> {
        let patience = self.patience.filter(|patience| now >= self.heard + *patience)?;
        Some(match self.promised {
            0 => Fault::Idle { limit: patience },
            promised => Fault::NoHeartBeat { promised, silence: now.saturating_sub(self.heard) },
        })
    }

    /// The next moment at which something is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let beat = self.every.map(|every| self.wrote + every);
        let silence = self.patience.map(|patience| self.heard + patience);
        beat.into_iter().chain(silence).min()
    }
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}
