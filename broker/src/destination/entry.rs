//! What stays in memory of a queued message.

use crate::model::{MessageId, Place, Position, States, Terms, Timestamp, Urgency};

use super::ContentKey;

/// One message of a queue. Its body lives in the log, or for a while among the [`Contents`](super::Contents).
///
/// The whole backlog is made of these: 48 octets here and 4 to 8 in the ready list, so that a queued message stays
/// below 64. Place, position and what is yes or no are kept in pieces for that reason, and so is the end of a message: it is
/// all that most senders say of the time of one.
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
    /// It may have been handed to a client.
    pub handed_out: bool,
    /// Some of [`HAS_TERMS`], [`TRACKED`], [`DURABLE`], [`EVENT`], [`WITHHELD`] and [`SUCCESSOR`].
    marks: u8,
    /// When it expires; [`NEVER`] if it does not.
    expires: [u8; 6],
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

const HAS_TERMS: u8 = 1;
const TRACKED: u8 = 2;
const DURABLE: u8 = 4;
const EVENT: u8 = 8;
const WITHHELD: u8 = 16;
const SUCCESSOR: u8 = 32;

/// No message expires then or later: it is the year 10889.
const NEVER: u64 = (1 << 48) - 1;

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
            handed_out: false,
            marks: 0,
            expires: [u8::MAX; 6],
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

    /// When it expires, if it does.
    pub fn expires(&self) -> Option<Timestamp> {
        let mut bytes = [0; 8];
        bytes[..6].copy_from_slice(&self.expires);
        let end = u64::from_le_bytes(bytes);
        (end != NEVER).then_some(Timestamp(end))
    }

    /// Notes what its sender said about it. Returns that if it has to be kept beside, because it is more than an end.
    pub(super) fn agree(&mut self, terms: Option<Box<Terms>>) -> Option<Box<Terms>> {
        let end = terms.as_ref().and_then(|terms| terms.expires).map_or(NEVER, |end| end.0.min(NEVER));
        self.expires.copy_from_slice(&end.to_le_bytes()[..6]);
        let more = terms.filter(|terms| !self.says(terms));
        self.mark(HAS_TERMS, more.is_some());
        more
    }

    /// Whether what its sender said is no more than what is here.
    pub(super) fn says(&self, terms: &Terms) -> bool {
        *terms == Terms { expires: self.expires(), ..Terms::default() }
    }

    /// What is here of what its sender said: when it expires.
    pub(super) fn own_terms(&self) -> Option<Terms> {
        let expires = Some(self.expires()?);
        Some(Terms { expires, ..Terms::default() })
    }

    /// Whether the queue keeps [`Terms`] of it that say more than when it expires.
    pub fn has_terms(&self) -> bool {
        self.marks & HAS_TERMS != 0
    }

    /// Notes whether the queue does.
    pub(super) fn set_has_terms(&mut self, has_terms: bool) {
        self.mark(HAS_TERMS, has_terms);
    }

    /// Whether somebody follows it: what happens to it is reported.
    pub fn is_tracked(&self) -> bool {
        self.marks & TRACKED != 0
    }

    /// Notes whether somebody does.
    pub fn set_tracked(&mut self, tracked: bool) {
        self.mark(TRACKED, tracked);
    }

    /// Whether it goes to the log.
    pub fn is_durable(&self) -> bool {
        self.marks & DURABLE != 0
    }

    /// Notes whether it does.
    pub fn set_durable(&mut self, durable: bool) {
        self.mark(DURABLE, durable);
    }

    /// Whether it is an event that the broker has told, or a copy of one: nothing is told of it.
    pub fn is_event(&self) -> bool {
        self.marks & EVENT != 0
    }

    /// Notes whether it is.
    pub fn set_event(&mut self, event: bool) {
        self.mark(EVENT, event);
    }

    /// Whether it is not handed out before the log has the record that put it into its place.
    pub fn is_withheld(&self) -> bool {
        self.marks & WITHHELD != 0
    }

    /// Notes whether it is not.
    pub(super) fn set_withheld(&mut self, withheld: bool) {
        self.mark(WITHHELD, withheld);
    }

    /// Whether it has the id of another one, which may have been handed out: a late ACK may mean that one.
    pub fn is_successor(&self) -> bool {
        self.marks & SUCCESSOR != 0
    }

    /// Notes whether it has.
    pub fn set_successor(&mut self, is_successor: bool) {
        self.mark(SUCCESSOR, is_successor);
    }

    fn mark(&mut self, mark: u8, is_so: bool) {
        self.marks = if is_so { self.marks | mark } else { self.marks & !mark };
    }

    /// Notes where the content lies.
    pub fn set_position(&mut self, position: Position) {
        self.position = position.to_bits();
    }
}
