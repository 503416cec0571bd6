//! Records for checks: a message's content follows from its id and its size.

use std::sync::Arc;

use bytes::Bytes;

use super::Kept;
use crate::model::Group;
use crate::model::{
    Accepted, Bound, Carried, Content, DeathNote, DeathReason, DestinationId, DestinationName, Limits, MessageId,
    Moved, Place,
};
use crate::model::{
    Backoff, Cron, OnDuplicate, OnExhaust, Pattern, Position, Ranked, Record, Retain, Returned, Schedule, Scheduled,
    Settled, ShardId, Standing, Terms, Timestamp, Unique, Until, Urgency, Woken,
};

/// From this id on, a hundred messages in a row of the same size say the same, each under its own head.
pub const FAN: u64 = 1 << 20;

/// What a message of that id and size says.
pub fn content(message: u64, size: usize) -> Content {
    let said = if message < FAN { message } else { message / 100 };
    let head = format!("n:{message}\n");
    let head = head.as_bytes().get(..head.len().min(size)).unwrap_or_default();
    let body: Vec<u8> =
        (head.len()..size).map(|at| (at as u64).wrapping_mul(31).wrapping_add(said * 7) as u8).collect();
    Content::new(head, Bytes::from(body))
}

/// A message and its copies in queues 1 to 3, all with one body: ids from that one on, which is a multiple of 100 above
/// [`FAN`].
pub fn fan_out(shard: ShardId, first: u64, count: u64, size: usize) -> Vec<Record> {
    let mut body: Option<Bytes> = None;
    let copy = |message: u64| match accepted(shard, 1 + message % 3, message, size) {
        Record::Accepted(plain) => {
            let own = content(message, size);
            let shared = body.get_or_insert_with(|| own.body().to_vec().into()).clone();
            Record::Accepted(Accepted { content: Some(Content::large(own.head(), shared)), ..plain })
        }
        other => other,
    };
    (first..first + count).map(copy).collect()
}

/// The queue that the checks use under that number.
pub fn created(destination: u64) -> Record {
    let name = DestinationName::queue(&format!("q{destination}")).expect("a good name");
    Record::Created { destination: DestinationId(destination), name }
}

/// A queue that is fed by the topics of that text.
pub fn bound(queue: u64, topics: &str, expires_after: Option<u64>) -> Record {
    let topics = Pattern::parse(topics).expect("a pattern");
    Record::Bound(Bound { queue: DestinationId(queue), topics, expires_after, selector: None })
}

/// A message in a queue.
pub fn accepted(shard: ShardId, destination: u64, message: u64, size: usize) -> Record {
    Record::Accepted(Accepted {
        destination: DestinationId(destination),
        message: MessageId::new(shard, message),
        place: Place { urgency: Urgency::NORMAL, sequence: message.cast_signed() },
        size: size as u32,
        content: Some(content(message, size)),
        terms: None,
    })
}

/// Terms that differ by a number; all of them are there sooner or later.
pub fn terms(number: u64) -> Terms {
    let has = |bit: u64| number >> bit & 1 == 1;
    Terms {
        due: has(0).then_some(Timestamp(number + 1)),
        expires: has(1).then_some(Timestamp(number * 1000)),
        time_to_run_ms: has(2).then_some(number as u32),
        max_deliveries: has(3).then_some(number as u16 + 1),
        backoff: has(4).then_some(if has(5) { Backoff::Fixed { ms: number } } else { Backoff::default() }),
        on_exhaust: has(5).then_some(if has(6) { OnExhaust::Bury } else { OnExhaust::Drop }),
        tracking: None,
        unique: has(7).then(|| Box::new(unique(number))),
        dead_letter: has(6).then(|| DestinationName::queue("failed").expect("a good name")),
        last_value: has(2).then(|| format!("v{number}").into()),
        schedule: has(3).then(|| Box::new(schedule(number))),
        group: has(2).then(|| Group { name: format!("customer {number}").into(), closes: has(4) }),
    }
}

/// A key that differs by a number.
fn unique(number: u64) -> Unique {
    let until = [Until::Done, Until::Start, Until::Moment(Timestamp(number))][(number % 3) as usize];
    Unique { key: format!("k{number}").into(), until, on_duplicate: OnDuplicate::default(), waiter: None }
}

/// A schedule that differs by a number.
pub fn schedule(number: u64) -> Schedule {
    let has = |bit: u64| number >> bit & 1 == 1;
    let cron = || Cron { expression: "0 9 * * MON".into(), zone: "Europe/Berlin".into() };
    Schedule {
        name: has(0).then(|| "nightly".into()),
        cron: has(1).then(cron),
        delay_ms: number,
        period_ms: has(2).then_some(number + 10),
        repeat: has(4).then_some(7),
        next: Timestamp(number + 1),
        left: has(5).then_some(3),
        life_ms: has(6).then_some(9),
        is_transient: has(0) != has(1),
        retain: has(1).then_some(if has(2) { Retain::Set } else { Retain::Remove }),
    }
}

/// The next plan of it, if it is one.
pub fn scheduled(message: MessageId, kept: &Kept, position: Position) -> Record {
    let Kept { destination, place, .. } = *kept;
    let schedule = Box::new(schedule(message.sequence() + 1));
    Record::Scheduled(Scheduled { destination, message, place, position, schedule })
}

/// Limits that differ by a number; all of them are there sooner or later.
pub fn limits(number: u64) -> Limits {
    let has = |bit: u64| number >> bit & 1 == 1;
    Limits {
        max_length: has(0).then_some(number + 1),
        max_bytes: has(1).then_some(number * 1000),
        drops_oldest: has(2).then_some(has(3)),
        expiry_ms: has(3).then_some(number + 2),
        idle_ms: has(4).then_some(number + 3),
        max_deliveries: has(5).then_some(number as u16 + 1),
        dead_letter: has(6).then(|| DestinationName::queue("failed").expect("a good name")),
        auto_delete: has(7),
    }
}

/// A message with terms of its own.
pub fn accepted_with_terms(shard: ShardId, destination: u64, message: u64, size: usize) -> Record {
    match accepted(shard, destination, message, size) {
        Record::Accepted(plain) => Record::Accepted(Accepted { terms: Some(Box::new(terms(message))), ..plain }),
        other => other,
    }
}

/// A refused delivery of it, after which it waits.
pub fn parked(message: MessageId, kept: &Kept, position: Position) -> Record {
    let Kept { destination, place, attempts, nacks, .. } = *kept;
    let (attempts, nacks) = (attempts + 1, nacks + 1);
    let moment = Timestamp(message.sequence() * 7);
    let standing = if nacks % 2 == 0 { Standing::Buried(moment) } else { Standing::Delayed(moment) };
    Record::Returned(Returned { destination, message, place, position, attempts, nacks, standing })
}

/// Another urgency for it, and the return that always follows.
pub fn ranked(message: MessageId, kept: &Kept, position: Position) -> [Record; 2] {
    let urgency = Urgency(message.sequence() as u32 % 3);
    let place = Place { urgency, ..kept.place };
    let record = Ranked { destination: kept.destination, message, place: kept.place, position, urgency };
    [Record::Ranked(record), returned(message, &Kept { place, ..kept.clone() }, position)]
}

/// The end of its wait.
pub fn woken(message: MessageId, kept: &Kept, position: Position) -> Record {
    Record::Woken(Woken { destination: kept.destination, message, position })
}

/// Its end.
pub fn settled(message: MessageId, kept: &Kept, position: Position) -> Record {
    Record::Settled(Settled { destination: kept.destination, message, place: kept.place, position })
}

/// A failed delivery of it.
pub fn returned(message: MessageId, kept: &Kept, position: Position) -> Record {
    let Kept { destination, place, attempts, nacks, .. } = *kept;
    let (attempts, standing) = (attempts + 1, Standing::Ready);
    Record::Returned(Returned { destination, message, place, position, attempts, nacks, standing })
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
        note: Some(Arc::new(note)),
        carried: None,
    })
}

/// Its way to another queue, which must exist, by somebody's hand: with all that is known of it, or to begin anew.
pub fn carried(message: MessageId, kept: &Kept, position: Position, to: u64) -> Record {
    let Kept { destination: from, place: from_place, attempts, nacks, size, .. } = *kept;
    let (to, to_place) = (DestinationId(to), Place { urgency: Urgency(8), sequence: from_place.sequence + 1 });
    let moment = Timestamp(message.sequence() * 9);
    let (note, carried) = match message.sequence() % 4 {
        0 => (None, None),
        1 => (kept.note.clone(), Some(Carried { attempts, nacks, standing: Standing::Ready })),
        2 => (kept.note.clone(), Some(Carried { attempts, nacks, standing: Standing::Delayed(moment) })),
        _ => (None, Some(Carried { attempts, nacks, standing: Standing::Buried(moment) })),
    };
    Record::Moved(Moved { message, position, from, from_place, to, to_place, size, note, carried })
}
