//! What state costs: checkpoints of several segments are written seldom, at any size, and never where there is no room.

use std::sync::Arc;
use std::time::Duration;

use super::super::conformance;
use super::super::fault::{CrashDisk, Survival};
use super::super::format::{BATCH_HEADER_BYTES, BLOCK_BYTES};
use super::super::record::CONTINUED;
use super::super::{OpenError, Options};
use super::workload::{Run, open, small_options};
use crate::model::{
    Bound, DeathNote, DeathReason, DestinationId, DestinationName, JobError, JobState, Keyed, MessageId, Moved,
    Pattern, Position, Record, Report, Room, ShardId, Terms, Timestamp,
};

const SEGMENT_BYTES: u64 = 128 << 10;

fn options() -> Options {
    Options { segment_bytes: SEGMENT_BYTES, batch_bytes: 16 << 10, ..small_options() }
}

/// Appends without a model of what is there; gives the places of new messages.
fn append(run: &mut Run, mut records: Vec<Record>) -> Vec<Position> {
    let count = records.iter().filter(|record| matches!(record, Record::Accepted(_))).count();
    let ticket = run.session.log.append(&mut records, Timestamp(9)).unwrap();
    let seen = run.session.witness.wait(ticket);
    assert_eq!(seen.failed, None);
    seen.positions[seen.positions.len() - count..].to_vec()
}

/// The same where it may have to wait for room.
fn append_unless_out(run: &mut Run, mut records: Vec<Record>) {
    let ticket = run.session.log.append(&mut records, Timestamp(9)).unwrap();
    let is_out = || run.session.log.room() == Room::None;
    assert!(run.session.witness.wait_unless(ticket, is_out).is_none_or(|seen| seen.failed.is_none()));
}

fn message(id: u64, size: usize, terms: Option<Terms>) -> Record {
    match conformance::accepted(ShardId::default(), 1, id, size) {
        Record::Accepted(plain) => Record::Accepted(crate::model::Accepted { terms: terms.map(Box::new), ..plain }),
        other => other,
    }
}

fn settled(id: u64, position: Position) -> Record {
    let message = MessageId::new(ShardId::default(), id);
    let place = crate::model::Place { urgency: crate::model::Urgency::NORMAL, sequence: id.cast_signed() };
    Record::Settled(crate::model::Settled { destination: DestinationId(1), message, place, position })
}

/// What clients can make that stays, in units of a hundred.
type Fill = fn(&mut Run, u64);

fn with_a_life(run: &mut Run, unit: u64) {
    let terms = |id| Terms { expires: Some(Timestamp(id + 1_000_000)), ..Terms::default() };
    append(run, (unit * 100..unit * 100 + 100).map(|id| message(id, 0, Some(terms(id)))).collect());
}

fn dead_letters(run: &mut Run, unit: u64) {
    let ids = unit * 100..unit * 100 + 100;
    let positions = append(run, ids.clone().map(|id| message(id, 0, None)).collect());
    let origin = DestinationName::queue("origin").unwrap();
    let error = Some("it is broken and nobody knows why, not even the one who broke it".into());
    let note = Arc::new(DeathNote { origin, reason: DeathReason::Nack, attempts: 3, error });
    let moved = |(id, position): (u64, Position)| {
        let place = crate::model::Place { urgency: crate::model::Urgency::NORMAL, sequence: id.cast_signed() };
        Record::Moved(Moved {
            message: MessageId::new(ShardId::default(), id),
            position,
            from: DestinationId(1),
            from_place: place,
            to: DestinationId(2),
            to_place: place,
            size: 0,
            note: Some(note.clone()),
            carried: None,
        })
    };
    append(run, ids.zip(positions).map(moved).collect());
}

fn keys(run: &mut Run, unit: u64) {
    let keyed = |id: u64| Keyed { queue: DestinationId(1), key: format!("{id:0250}").into(), at: Timestamp(9) };
    append(run, (unit * 20..unit * 20 + 20).map(|id| Record::Keyed(keyed(id))).collect());
}

fn failed_jobs(run: &mut Run, unit: u64) {
    for id in unit * 2..unit * 2 + 2 {
        let job = MessageId::new(ShardId::default(), id);
        let trace = Some("at line 17\n".repeat(300).into());
        let error = Some(Arc::new(JobError { attempt: 1, message: "broken".into(), class: None, trace }));
        let (state, at) = (JobState::Failed, Timestamp(9));
        let report = Report { job, at, state, attempt: 1, due: None, queue: None, error, result: None };
        append(run, vec![conformance::tracked(job), Record::Reported(Box::new(report))]);
    }
}

fn subscriptions(run: &mut Run, unit: u64) {
    for id in unit * 5..unit * 5 + 5 {
        let (topics, selector) = (Pattern::parse("/topic/a.>").unwrap(), Some("a = 1 OR ".repeat(100).into()));
        let bound = Bound { queue: DestinationId(10 + id), topics, expires_after: None, selector };
        append(run, vec![conformance::created(10 + id), Record::Bound(bound)]);
    }
}

/// Messages that are consumed at once: what is written for them, and how many segments they take.
fn churn(disk: &CrashDisk, run: &mut Run) -> (u64, usize, u64) {
    let (before, first, mut most) = (disk.written(), newest(disk), 0);
    for id in 1_000_000..1_000_250 {
        let positions = append(run, vec![message(id, 15_000, None)]);
        append(run, vec![settled(id, positions[0])]);
        most = most.max(disk.used());
    }
    (disk.written() - before, newest(disk) - first, most)
}

fn newest(disk: &CrashDisk) -> usize {
    let newest = disk.names().into_iter().filter_map(|name| Some(name.strip_prefix("seg-")?.to_owned())).max();
    usize::from_str_radix(&newest.unwrap(), 16).unwrap()
}

#[test]
fn state_of_many_segments_adds_a_tenth_to_what_is_written_and_no_segments() {
    let begin = |disk: &CrashDisk| {
        let mut run = Run::start(disk, options()).unwrap();
        append(&mut run, vec![conformance::created(1), conformance::created(2)]);
        run
    };
    let disk = CrashDisk::new();
    let (plain, segments, _) = churn(&disk, &mut begin(&disk));
    let fills: [(&str, Fill); 5] = [
        ("a time to live", with_a_life),
        ("dead letters", dead_letters),
        ("keys", keys),
        ("failed jobs", failed_jobs),
        ("durable subscriptions", subscriptions),
    ];
    for (name, fill) in fills {
        let disk = CrashDisk::new();
        let mut run = begin(&disk);
        let (before, mut unit) = (disk.written(), 0);
        while run.session.log.state().used < 3 * SEGMENT_BYTES {
            fill(&mut run, unit);
            unit += 1;
        }
        let state = run.session.log.state().used;
        let (filling, filled) = (disk.written() - before, disk.used());
        assert!(filling < 8 * state + 4096 * 2 * unit * 10, "{name}: {filling} octets written for a state of {state}");
        let (written, rolls, most) = churn(&disk, &mut run);
        assert!(written < plain + plain / 7 + 2 * state, "{name}: {written} octets written instead of {plain}");
        assert!(rolls <= segments + segments / 7 + 4, "{name}: {rolls} segments instead of {segments}");
        println!(
            "{name}: state {state}, filling {filling}, {written}/{plain} written, {rolls}/{segments} segments, {most}/{filled} on disk"
        );
        assert!(
            most < filled + 13 * state + 4 * SEGMENT_BYTES,
            "{name}: {most} octets on the disk for a state of {state}"
        );
        drop(run.abandon());
        let (journal, recovered, reading) = open(&disk.crash(Survival::Nothing), options()).unwrap();
        assert!(recovered.messages == reading.ledger.messages.len() as u64 && !reading.ledger.destinations.is_empty());
        drop(journal);
    }
}

#[test]
fn a_checkpoint_without_room_is_not_made_and_the_log_goes_on() {
    let disk = CrashDisk::new();
    let run_options = Options { spare_segments: 3, idle_after: Duration::from_millis(5), ..options() };
    let mut run = Run::start(&disk, run_options.clone()).unwrap();
    append(&mut run, vec![conformance::created(1), conformance::created(2)]);
    let mut unit = 0;
    while run.session.log.state().used < 3 * SEGMENT_BYTES {
        with_a_life(&mut run, unit);
        unit += 1;
    }
    // Enough for some spares and for a start, and not for a checkpoint.
    disk.set_free(4 * SEGMENT_BYTES);
    for id in 1_000_000..1_000_200 {
        if run.session.log.is_full() {
            // Finishing work goes on, over more than a segment, until a start would find no room.
            let mut batches = 0;
            while run.session.log.room() < Room::None {
                batches += 1;
                append_unless_out(&mut run, (0..50).map(|n| Record::IdBlock { next: batches * 50 + n }).collect());
            }
            assert!(batches > 40, "{batches} batches");
            let (_, _, reading) = open(&disk.copy_pending(), run_options).expect("a start on the full disk");
            assert!(reading.ledger.next_id > batches * 50 - 100);
            disk.set_free(64 * SEGMENT_BYTES);
            for _ in 0..3 {
                append(&mut run, vec![Record::IdBlock { next: id }]);
            }
            assert_eq!(run.session.log.room(), Room::Enough);
            assert!(!run.session.log.is_full(), "there is room again");
            return;
        }
        let positions = append(&mut run, vec![message(id, 15_000, None)]);
        append(&mut run, vec![settled(id, positions[0])]);
    }
    panic!("a log that has no room for its checkpoint is full");
}

/// Segments that hold a third of the state at most, and what was done in them.
fn continuing() -> (CrashDisk, Run, Vec<bool>) {
    let disk = CrashDisk::new();
    let options = Options { segment_bytes: 32 << 10, batch_bytes: 1024, ..small_options() };
    let mut run = Run::start(&disk, options).unwrap();
    assert!(run.write(vec![conformance::created(1)]));
    let unit = |ids: std::ops::Range<u64>| {
        ids.map(|id| conformance::accepted_with_terms(ShardId::default(), 1, id, 10)).collect::<Vec<_>>()
    };
    assert!((0..4).all(|number| run.write(unit(100 + number * 30..130 + number * 30))));
    let (mut kinds, mut last) = (Vec::new(), newest(&disk));
    for id in 300..325 {
        assert!(run.write(vec![conformance::accepted(ShardId::default(), 1, id, 9000)]));
        let message = MessageId::new(ShardId::default(), id);
        let kept = run.session.reading.ledger.messages[&message].clone();
        let position = run.session.reading.position(message).unwrap();
        assert!(run.write(vec![conformance::settled(message, &kept, position)]));
        if newest(&disk) > last {
            last = newest(&disk);
            let opening = disk.contents(&format!("seg-{last:016x}"));
            kinds.push(opening[BLOCK_BYTES + BATCH_HEADER_BYTES + 4] == CONTINUED);
        }
    }
    (disk, run, kinds)
}

#[test]
fn openings_continue_until_a_checkpoint_is_due() {
    let (disk, run, kinds) = continuing();
    let text: String = kinds.iter().map(|continues| if *continues { '.' } else { 'C' }).collect();
    assert!(text.contains("..C..") && !text.contains("CC"), "{text}");
    let segments = disk.names().iter().filter(|name| name.starts_with("seg-")).count();
    assert!(segments <= kinds.len() - 2, "{segments} segments of {text}");
    run.end();
}

#[test]
fn every_segment_since_the_checkpoint_is_needed() {
    let (disk, run, _) = continuing();
    let options = || Options { segment_bytes: 32 << 10, batch_bytes: 1024, ..small_options() };
    let states = run.end().0;
    let whole = disk.copy();
    assert_eq!(&open(&whole.copy(), options()).unwrap().2.ledger, states.last().unwrap());
    let segments: Vec<String> = whole.names().into_iter().filter(|name| name.starts_with("seg-")).collect();
    assert!(segments.len() > 3);
    for name in &segments {
        let lost = whole.copy();
        lost.lose(name);
        assert!(matches!(open(&lost, options()), Err(OpenError::Damaged { .. })), "{name} lost");
        let length = whole.contents(name).len();
        let (mut refused, mut blocks) = (0, 0);
        for at in (0..length).step_by(BLOCK_BYTES).filter(|at| whole.contents(name)[*at] != 0) {
            for octet in [4, 20, BATCH_HEADER_BYTES + 4] {
                let spoilt = whole.copy();
                spoilt.flip(name, at + octet, 3);
                match open(&spoilt, options()) {
                    Err(OpenError::Damaged { .. }) => refused += 1,
                    Err(error) => panic!("{name} at {at}: {error}"),
                    Ok((_, _, reading)) => assert_eq!(&reading.ledger, states.last().unwrap(), "{name} at {at}"),
                }
                blocks += 1;
            }
        }
        assert!(refused > 0 && blocks > refused / 2, "{name}: {refused} of {blocks}");
    }
    for pair in segments.windows(2) {
        let swapped = whole.copy();
        swapped.put(&pair[0], whole.contents(&pair[1]));
        assert!(matches!(open(&swapped, options()), Err(OpenError::Damaged { .. })), "{} for another", pair[0]);
    }
}
