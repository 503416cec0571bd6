//! A message as the engine sees it: what decides about its way, lifted into typed fields once.

use super::{Content, Terms};

/// Who goes first: 0 is the most urgent. STOMP priorities 0–9 map onto bands of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Urgency(pub u32);

impl Urgency {
    /// What priority 4, the default of JMS, stands for.
    pub const NORMAL: Urgency = Urgency(1024);

    /// The most urgent of each band, by JMS priority.
    const BANDS: [u32; 10] = [1 << 31, 1 << 20, 1 << 16, 1 << 14, 1024, 820, 615, 410, 205, 0];

    /// Urgency of a JMS priority, 0–9 with 9 first; higher values count as 9.
    pub const fn from_priority(priority: u8) -> Urgency {
        Urgency(Self::BANDS[if priority > 9 { 9 } else { priority as usize }])
    }

    /// The JMS priority of the band that it falls in.
    pub fn to_priority(self) -> u8 {
        Self::BANDS.iter().position(|first| *first <= self.0).unwrap_or(9) as u8
    }
}

/// Where a message stands in its queue: by urgency, then by sequence. A returned message goes back to its own place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Urgency first.
    pub urgency: Urgency,
    /// Then the order of arrival; signed, so that a message can be put in front of all others.
    pub sequence: i64,
}

/// Whether a message is meant to outlive the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Durability {
    /// Goes to the log; its receipt is a promise of the disk.
    Persistent,
    /// Lives in memory (`persistent:false`).
    Transient,
}

/// A message on its way into a destination.
#[derive(Clone, Debug)]
pub struct Message {
    /// Headers and body.
    pub content: Content,
    /// Its rank in a queue.
    pub urgency: Urgency,
    /// Whether queues log it.
    pub durability: Durability,
    /// What its sender says about time and failures; `None` is nothing, and costs nothing.
    pub terms: Option<Box<Terms>>,
}

impl Message {
    /// Whether it is to be followed by a name that its sender has given it.
    pub fn is_named(&self) -> bool {
        let tracking = self.terms.as_ref().and_then(|terms| terms.tracking.as_ref());
        tracking.is_some_and(|tracking| tracking.token.is_some())
    }
}
