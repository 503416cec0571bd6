//! What stays in memory of a queued message.

use crate::model::{MessageId, Place, Position, States, Urgency};

use super::ContentKey;

/// One message of a queue. Its body lives in the log, or for a while among the [`Contents`](super::Contents).
///
/// The whole backlog is made of these: 48 octets here and 4 to 8 in the ready list, so that a queued message stays
/// below 64. Place and position are kept in pieces for that reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Identity.
    pub message: MessageId,
    sequence: i64,
    position: u64,
    urgency: Urgency,
    /// Octets of head and body.
    pub size: u32,
    /// The content, while it is in memory.
    pub content: Option<ContentKey>,
    /// Failed deliveries that count.
    pub attempts: u16,
    /// NACKs among them.
    pub nacks: u8,
    /// The queue keeps [`Terms`](crate::model::Terms) of it.
    pub has_terms: bool,
    /// Somebody follows it: what happens to it is reported.
    pub tracked: bool,
    /// It may have been handed to a client.
    pub handed_out: bool,
    /// It goes to the log.
    pub durable: bool,
    /// It is an event that the broker has told, or a copy of one: nothing is told of it.
    pub is_event: bool,
    /// Where it is in its life.
    pub state: State,
}

/// The live states of the job model.
///
/// ```text
///                        ┌────────kick────────── Buried ◄──bury, exhausted──┐
///                        ▼                                                  │
/// Accepted ──durable──► Ready ──take──────────────────────────────────► Reserved ──settle──► gone
///     │                  ▲ ▲                                                │ │
///     │                  │ └──────────────return, lost──────────────────────┘ │
///     └──with a delay──► Delayed ◄───────────NACK, back-off───────────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Taken in, but the log does not have it yet: nobody may see it.
    Accepted,
    /// Waiting for a consumer.
    Ready,
    /// Out with a consumer.
    Reserved,
    /// Waiting for its time.
    Delayed,
    /// Waiting for somebody who kicks it.
    Buried,
}

impl State {
    /// Those that are meant, ready ones first.
    pub fn of(states: States) -> impl Iterator<Item = State> + Clone {
        let all = [(states.ready, State::Ready), (states.delayed, State::Delayed), (states.buried, State::Buried)];
        all.into_iter().filter(|(is_meant, _)| *is_meant).map(|(_, state)| state)
    }
}

/// No log gives out this position.
const NOWHERE: u64 = u64::MAX;

impl Entry {
    /// A message that has just been accepted.
    pub fn new(message: MessageId, place: Place, size: u32) -> Entry {
        Entry {
            message,
            sequence: place.sequence,
            position: NOWHERE,
            urgency: place.urgency,
            size,
            content: None,
            attempts: 0,
            nacks: 0,
            has_terms: false,
            tracked: false,
            handed_out: false,
            durable: false,
            is_event: false,
            state: State::Accepted,
        }
    }

    /// Place in the queue; a returned message goes back to it.
    pub fn place(&self) -> Place {
        Place { urgency: self.urgency, sequence: self.sequence }
    }

    /// Gives it another urgency. The queue must not be looking for it by its old place.
    pub fn rank(&mut self, urgency: Urgency) {
        self.urgency = urgency;
    }

    /// Where the content lies, once the log has it; never for a message that lives in memory only.
    pub fn position(&self) -> Option<Position> {
        (self.position != NOWHERE).then_some(Position::from_bits(self.position))
    }

    /// Notes where the content lies.
    pub fn set_position(&mut self, position: Position) {
        self.position = position.to_bits();
    }
}
