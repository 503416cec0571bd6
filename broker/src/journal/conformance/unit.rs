//! Records for checks: a message's content follows from its id and its size.

use std::sync::Arc;

use bytes::Bytes;

use super::Kept;
use crate::model::{
    Accepted, Bound, Content, DeathNote, DeathReason, DestinationId, DestinationName, MessageId, Moved, Place,
};
use crate::model::{Pattern, Position, Record, Returned, Settled, ShardId, Urgency};

/// What a message of that id and size says.
pub fn content(message: u64, size: usize) -> Content {
    let head = format!("n:{message}\n");
    let head = head.as_bytes().get(..head.len().min(size)).unwrap_or_default();
    let body: Vec<u8> =
        (head.len()..size).map(|at| (at as u64).wrapping_mul(31).wrapping_add(message * 7) as u8).collect();
    Content::new(head, Bytes::from(body))
}

/// The queue that the checks use under that number.
pub fn created(destination: u64) -> Record {
    let name = DestinationName::queue(&format!("q{destination}")).expect("a good name");
    Record::Created { destination: DestinationId(destination), name }
}

/// A queue that is fed by the topics of that text.
pub fn bound(queue: u64, topics: &str, expires_after: Option<u64>) -> Record {
    let topics = Pattern::parse(topics).expect("a pattern");
    Record::Bound(Bound { queue: DestinationId(queue), topics, expires_after })
}

/// A message in a queue.
pub fn accepted(shard: ShardId, destination: u64, message: u64, size: usize) -> Record {
    Record::Accepted(Accepted {
        destination: DestinationId(destination),
        message: MessageId::new(shard, message),
        place: Place { urgency: Urgency::NORMAL, sequence: message.cast_signed() },
        size: size as u32,
        content: Some(content(message, size)),
    })
}

/// Its end.
pub fn settled(message: MessageId, kept: &Kept, position: Position) -> Record {
    Record::Settled(Settled { destination: kept.destination, message, place: kept.place, position })
}

/// A failed delivery of it.
pub fn returned(message: MessageId, kept: &Kept, position: Position) -> Record {
    let Kept { destination, place, attempts, .. } = *kept;
    Record::Returned(Returned { destination, message, place, position, attempts: attempts + 1 })
}

/// Its way to another queue, which must exist.
pub fn moved(message: MessageId, kept: &Kept, position: Position, to: u64) -> Record {
    let origin = DestinationName::queue("origin").expect("a good name");
    let note = DeathNote { origin, reason: DeathReason::Nack, attempts: kept.attempts, error: Some("broken".into()) };
    Record::Moved(Moved {
        message,
        position,
        from: kept.destination,
        from_place: kept.place,
        to: DestinationId(to),
        to_place: Place { urgency: Urgency(7), sequence: -kept.place.sequence },
        size: kept.size,
        note: Arc::new(note),
    })
}
