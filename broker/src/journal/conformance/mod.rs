//! What every log must do, as checks that any of them can be put through: the memory log, the disk journal on the crash
//! disk and on a real one, and whatever comes later.
//!
//! A check panics with what is wrong. It must not know which log it has before it.

#![expect(clippy::missing_panics_doc, reason = "checks panic: that is what they are for")]

mod job;
mod ledger;
mod session;
mod unit;
mod witness;

use std::sync::Arc;

pub use self::job::{attached, reported, tracked};
pub use self::ledger::{Kept, Ledger, Reading};
pub use self::session::Session;
pub use self::unit::{
    FAN, accepted, accepted_with_terms, bound, carried, content, created, fan_out, limits, moved, parked, ranked,
    returned, schedule, scheduled, settled, terms, woken,
};
pub use self::witness::{Seen, Witness};
use crate::model::{
    DestinationId, Keyed, Log, LogError, LogReader, LogSink, MessageId, Position, Record, Replay, ShardId,
};
use crate::model::{Standing, Timestamp};

/// A log under test, which can be opened again and again.
pub trait Subject {
    /// The shard of its positions.
    fn shard(&self) -> ShardId;

    /// Opens it and replays what is there.
    fn open(&mut self, sink: Arc<dyn LogSink>, replay: &mut dyn Replay) -> (Box<dyn Log>, Arc<dyn LogReader>);

    /// Lets what was appended become durable, if that does not happen by itself.
    fn settle(&mut self);

    /// An append that is too large is a panic, not a refusal: it is a bug.
    fn asserts(&self) -> bool {
        false
    }

    /// Ends this opening: in good order, or as a power cut does. The log was dropped before.
    fn close(&mut self, orderly: bool);
}

/// All checks.
pub fn check_all(make: &mut dyn FnMut() -> Box<dyn Subject>) {
    tickets_resolve_in_order(make().as_mut());
    messages_are_read_back(make().as_mut());
    bodies_that_are_shared_are_read_back(make().as_mut());
    state_survives(make().as_mut(), true);
    state_survives(make().as_mut(), false);
    if !make().asserts() {
        an_append_too_large_is_left_with_the_caller(make().as_mut());
    }
    capacity_is_spent_and_comes_back(make().as_mut());
}

/// Many appends in flight: tickets rise by one, and the positions come in the order of appends.
pub fn tickets_resolve_in_order(subject: &mut dyn Subject) {
    let mut session = Session::open(subject);
    let shard = subject.shard();
    let mut last = session.log.append(&mut vec![created(1)], Timestamp(1)).expect("the log takes it");
    for message in 0..200 {
        let mut unit: Vec<Record> = (0..message % 4).map(|n| accepted(shard, 1, message * 4 + n, 100)).collect();
        let ticket = session.log.append(&mut unit, Timestamp(2)).expect("the log takes it");
        assert_eq!(ticket.0, last.0 + 1);
        last = ticket;
    }
    subject.settle();
    let seen = session.witness.wait(last);
    assert_eq!((seen.through, seen.failed), (last, None));
    assert_eq!(seen.positions.len(), 300);
    assert!(seen.positions.is_sorted_by(|a, b| a < b) && seen.positions.iter().all(|p| p.shard() == shard));
    drop(session);
    subject.close(true);
}

/// Contents of every size come back as they were.
pub fn messages_are_read_back(subject: &mut dyn Subject) {
    let mut session = Session::open(subject);
    let shard = subject.shard();
    session.write(subject, vec![created(1)]);
    for (message, size) in (1..).zip([0, 1, 5, 100, 4096, 4100, 5000, 9000, 20_000]) {
        session.write(subject, vec![accepted(shard, 1, message, size)]);
    }
    session.check_contents();
    let nowhere = Position::new(shard, (1 << 52) - 1);
    assert!(matches!(session.reader.read(nowhere), Err(LogError::Damaged(_))));
    drop(session);
    subject.close(false);
    let session = Session::open(subject);
    assert_eq!(session.reading.ledger.messages.len(), 9);
    session.check_contents();
    drop(session);
    subject.close(true);
}

/// A body that many messages share comes back with each of them.
pub fn bodies_that_are_shared_are_read_back(subject: &mut dyn Subject) {
    let mut session = Session::open(subject);
    let shard = subject.shard();
    session.write(subject, (1..4).map(created).collect());
    for (unit, size) in (0..).zip([300, 700, 4096, 20_000]) {
        let first = FAN.next_multiple_of(100) + unit * 100;
        session.write(subject, fan_out(shard, first, 7, size));
    }
    session.check_contents();
    drop(session);
    subject.close(false);
    let session = Session::open(subject);
    assert_eq!(session.reading.ledger.messages.len(), 4 * 7);
    session.check_contents();
    drop(session);
    subject.close(true);
}

/// After each opening the state is the one that was durable, several times over.
pub fn state_survives(subject: &mut dyn Subject, orderly: bool) {
    let shard = subject.shard();
    let mut expected = Ledger::default();
    for round in 0..4u64 {
        let mut session = Session::open(subject);
        assert_eq!(session.reading.ledger, expected, "round {round}");
        session.check_contents();
        let first = round * 100 + 1;
        session
            .write(subject, vec![created(round * 2 + 1), created(round * 2 + 2), Record::IdBlock { next: first + 99 }]);
        let fresh = |message: u64| match message % 3 {
            0 => accepted_with_terms(shard, round * 2 + 1, message, 200),
            _ => accepted(shard, round * 2 + 1, message, 200),
        };
        let unit = (first..first + 40).map(fresh).collect();
        session.write(subject, unit);
        for message in (first.saturating_sub(90)..first + 40).map(|n| MessageId::new(shard, n)) {
            let Some(kept) = session.reading.ledger.messages.get(&message).cloned() else { continue };
            let position = session.reading.position(message).expect("it is there");
            let records = match (message.sequence() + round) % 9 {
                0 | 1 => vec![settled(message, &kept, position)],
                2 => vec![moved(message, &kept, position, round * 2 + 2)],
                3 => vec![returned(message, &kept, position)],
                4 => vec![parked(message, &kept, position)],
                5 => vec![woken(message, &kept, position)],
                6 if kept.is_at_first_place() => vec![scheduled(message, &kept, position)],
                7 => vec![carried(message, &kept, position, round * 2 + 2)],
                _ => ranked(message, &kept, position).into(),
            };
            session.write(subject, records);
        }
        session.write(subject, vec![bound(round * 2 + 1, "/topic/a.>", (round > 1).then_some(round))]);
        let keyed =
            |key: u64| Keyed { queue: DestinationId(round * 2 + 1), key: key.to_string().into(), at: Timestamp(key) };
        session.write(subject, (0..3).map(|number| Record::Keyed(keyed(round * 10 + number))).collect());
        if round > 0 {
            session.write(subject, vec![Record::Unbound { queue: DestinationId(round * 2 - 1) }]);
        }
        session.write(subject, vec![created(100 + round), bound(100 + round, "/topic/b", None)]);
        session.write(subject, vec![Record::Deleted { destination: DestinationId(100 + round) }]);
        expected = session.reading.ledger.clone();
        drop(session);
        subject.close(orderly);
    }
    let waits = |kept: &Kept| kept.standing != Standing::Ready && kept.terms.is_some();
    assert!(expected.messages.values().any(waits), "the check is not vacuous");
    assert!(
        expected.messages.values().any(|kept| kept.note.is_some() && kept.attempts > 0),
        "the check is not vacuous"
    );
}

/// What does not fit is refused, stays with the caller and harms nobody.
pub fn an_append_too_large_is_left_with_the_caller(subject: &mut dyn Subject) {
    let mut session = Session::open(subject);
    let shard = subject.shard();
    session.write(subject, vec![created(1)]);
    let mut unit: Vec<Record> = (0..300).map(|message| accepted(shard, 1, message, 0)).collect();
    for record in &mut unit {
        if let Record::Accepted(accepted) = record {
            (accepted.size, accepted.content) = (1 << 20, Some(content(1, 1 << 20)));
        }
    }
    assert!(matches!(session.log.append(&mut unit, Timestamp(9)), Err(LogError::TooLarge { .. })));
    assert_eq!(unit.len(), 300);
    session.write(subject, vec![accepted(shard, 1, 1000, 10)]);
    session.check_contents();
    drop(session);
    subject.close(true);
}

/// What waits is counted, what is durable is not.
pub fn capacity_is_spent_and_comes_back(subject: &mut dyn Subject) {
    let mut session = Session::open(subject);
    let before = session.log.capacity();
    assert!(!before.is_spent());
    session.write(subject, vec![created(1)]);
    let message = accepted(subject.shard(), 1, 1, 5000);
    session.write(subject, vec![message]);
    assert_eq!(session.log.capacity(), before);
    drop(session);
    subject.close(true);
}
