//! Everything on disk is read back as it was written, and what is not exactly that is nothing.

use std::sync::Arc;

use super::super::change::{Arrival, Override};
use super::super::conformance::{accepted_with_terms, attached, content, limits, reported, schedule, terms, tracked};
use super::super::fault::Dice;
use super::super::format::{
    BATCH_HEADER_BYTES, BatchHeader, Key, Link, SegmentHeader, SegmentId, Sequence, VERSION, locate,
};
use super::super::message;
use super::super::record;
use super::super::record::{Entry, ExtentRecord};
use super::super::stored;
use super::super::stored::{Back, Elsewhere, Parts, Stored};
use crate::model::{
    Bound, Carried, DeathNote, DeathReason, DestinationId, DestinationName, Epoch, Keyed, Limited, MessageId, Moved,
    Pause, Paused, Place, Position, Ranked,
};
use crate::model::{Pattern, Record, Returned, Scheduled, ShardId, Standing, Terms, Timestamp, Urgency, Woken};

const KEY: Key = Key(0x0123_4567_89ab_cdef);
const SEGMENT: SegmentId = SegmentId(77);
const OFFSET: u64 = 4096 + BATCH_HEADER_BYTES as u64;

fn entry(content_bytes: usize) -> Entry {
    Entry {
        offset: OFFSET as u32,
        size: content_bytes as u32,
        destination: DestinationId(5),
        message: MessageId::new(ShardId::MAX, 99),
        place: Place { urgency: Urgency(3), sequence: -4 },
    }
}

fn position(slot: u32) -> Position {
    SEGMENT.position(ShardId::MAX, slot)
}

fn note(error: Option<&str>) -> Arc<DeathNote> {
    let origin = DestinationName::queue("a.b").unwrap();
    Arc::new(DeathNote { origin, reason: DeathReason::Deliveries, attempts: 16, error: error.map(Arc::from) })
}

fn keyed() -> Keyed {
    Keyed { queue: DestinationId(5), key: "order-17".into(), at: Timestamp(1 << 41) }
}

fn selective() -> Bound {
    Bound { selector: Some("price > 100".into()), ..bound(None) }
}

fn bound(expires_after: Option<u64>) -> Bound {
    Bound { queue: DestinationId(5), topics: Pattern::parse("/topic/price.>").unwrap(), expires_after, selector: None }
}

/// One of each kind, as written and as it should be read.
fn examples() -> Vec<(Vec<u8>, Stored<'static>)> {
    let (destination, place, name) = (DestinationId(5), entry(0).place, DestinationName::queue("mail").unwrap());
    let message = entry(0).message;
    let write = |record: Record| {
        let mut bytes = Vec::new();
        record::put_record(&mut bytes, &record);
        assert!(bytes.len() <= record::encoded_bytes(&record), "{record:?} is longer than was said");
        assert!(record::encoded_bytes(&record) <= record.bytes(), "{record:?} is longer than was said");
        bytes
    };
    let put = |put: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        put(&mut bytes);
        bytes
    };
    let extent =
        ExtentRecord { segment: SEGMENT, length: 1 << 26, summary_at: 8192, slots: 65, bitmap: vec![u64::MAX, 1] };
    let change = |note| {
        let (nacks, standing) = (0, Standing::Ready);
        Override { destination, place, attempts_before: 2, note, attempts: 3, nacks, standing, out: true }
    };
    let (entries, to) = (vec![entry(7), entry(0)], DestinationId(6));
    let returned = |nacks, standing| {
        let position = position(1);
        Returned { destination, message, place, position, attempts: 9, nacks, standing }
    };
    let back = |nacks, standing| Stored::Returned(Back::of(&returned(nacks, standing)));
    let (delayed, buried) = (Standing::Delayed(Timestamp(8)), Standing::Buried(Timestamp(1 << 40)));
    let moved = |error, carried| Moved {
        message,
        position: position(2),
        from: destination,
        from_place: place,
        to,
        to_place: place,
        size: 0,
        note: error,
        carried,
    };
    let carried = |standing| Some(Carried { attempts: 3, nacks: 2, standing });
    let arrived = |error, carried| Stored::Moved {
        position: position(2),
        from: destination,
        arrival: Arrival { to, place, note: error, carried },
    };
    let paused = |until: Option<u64>| {
        let (input, output) = (until.map(Timestamp), Some(Pause::FOR_GOOD));
        Paused { queue: destination, pause: Pause { input, output } }
    };
    let ranges = vec![(position(0), 3), (position(7), 1)];
    let body = Elsewhere { holder: 4100, bytes: 1 << 22 };
    let copied = Entry { size: (1 << 22) + 4, ..entry(0) };
    vec![
        (
            put(&|bytes| message::put_copied(bytes, (KEY, SEGMENT), copied, b"a:b\n", (4100, 1 << 22))),
            Stored::Copied { entry: copied, head: b"a:b\n", body },
        ),
        (write(Record::Returned(returned(0, Standing::Ready))), back(0, Standing::Ready)),
        (write(Record::Returned(returned(3, Standing::Ready))), back(3, Standing::Ready)),
        (write(Record::Returned(returned(0, delayed))), back(0, delayed)),
        (write(Record::Returned(returned(255, buried))), back(255, buried)),
        (
            write(Record::Ranked(Ranked { destination, message, place, position: position(4), urgency: Urgency(9) })),
            Stored::Ranked { position: position(4), destination, place: Place { urgency: Urgency(9), ..place } },
        ),
        (write(Record::Woken(Woken { destination, message, position: position(4) })), Stored::Woken(position(4))),
        (
            write(Record::Scheduled(Scheduled {
                destination,
                message,
                place,
                position: position(4),
                schedule: Box::new(schedule(127)),
            })),
            Stored::Scheduled { position: position(4), schedule: Box::new(schedule(127)) },
        ),
        (write(Record::Moved(moved(Some(note(Some("no"))), None))), arrived(Some(note(Some("no"))), None)),
        (write(Record::Moved(moved(Some(note(None)), None))), arrived(Some(note(None)), None)),
        (write(Record::Moved(moved(None, None))), arrived(None, None)),
        (write(Record::Moved(moved(None, carried(buried)))), arrived(None, carried(buried))),
        (write(Record::Moved(moved(Some(note(None)), carried(delayed)))), arrived(Some(note(None)), carried(delayed))),
        (write(Record::Created { destination, name: name.clone() }), Stored::Created { destination, name }),
        (write(Record::Deleted { destination }), Stored::Deleted { destination }),
        (write(Record::Bound(bound(None))), Stored::Bound(bound(None))),
        (write(Record::Bound(bound(Some(60_000)))), Stored::Bound(bound(Some(60_000)))),
        (write(Record::Bound(selective())), Stored::Bound(selective())),
        (write(Record::Keyed(keyed())), Stored::Keyed(keyed())),
        (write(Record::Unbound { queue: destination }), Stored::Unbound { queue: destination }),
        (write(Record::Paused(paused(None))), Stored::Ordered(Record::Paused(paused(None)))),
        (write(Record::Paused(paused(Some(9)))), Stored::Ordered(Record::Paused(paused(Some(9))))),
        (write(Record::IdBlock { next: 1 << 50 }), Stored::IdBlock { next: 1 << 50 }),
        (write(Record::Suspected { below: 1 << 51 }), Stored::Suspected { below: 1 << 51 }),
        (put(&|bytes| record::put_claim(bytes, Epoch(4))), Stored::Claim { epoch: Epoch(4) }),
        (put(&record::put_stopped), Stored::Stopped),
        (put(&|bytes| record::put_extent(bytes, &extent)), Stored::Extent(extent.clone())),
        (
            put(&|bytes| record::put_override(bytes, position(3), &change(None))),
            Stored::Override { position: position(3), change: change(None) },
        ),
        (
            put(&|bytes| record::put_override(bytes, position(3), &change(Some(note(None))))),
            Stored::Override { position: position(3), change: change(Some(note(None))) },
        ),
        (put(&|bytes| record::put_summary(bytes, &entries)), Stored::Summary(entries.clone())),
        (
            put(&|bytes| record::put_settled(bytes, &mut [2, 7, 0, 1].map(|slot| position(slot).to_bits()).to_vec())),
            Stored::Settled(ranges),
        ),
    ]
}

#[test]
fn every_record_is_read_back_as_it_was_written() {
    for (bytes, expected) in examples() {
        let mut rest = [&bytes[..], &[1, 2, 3]].concat();
        rest.truncate(bytes.len() + 3);
        let mut body = &rest[..];
        assert_eq!(stored::take(&mut body, OFFSET).as_ref(), Some(&expected));
        assert_eq!(body, [1, 2, 3]);
    }
}

#[test]
fn a_record_with_one_octet_less_or_more_is_none() {
    for (bytes, expected) in examples() {
        for length in 0..bytes.len() {
            assert_eq!(stored::take(&mut &bytes[..length], OFFSET), None, "{expected:?} cut to {length}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        longer[0] += 1;
        assert_eq!(stored::take(&mut &longer[..], OFFSET), None, "{expected:?} with an octet more");
        let mut padded = bytes;
        padded[6] = 1;
        assert_eq!(stored::take(&mut &padded[..], OFFSET), None, "{expected:?} with something in its zeros");
    }
}

#[test]
fn schedules_are_read_back_as_they_were_written() {
    for number in 0..128 {
        let (schedule, mut bytes) = (Box::new(schedule(number)), Vec::new());
        record::put_planned(&mut bytes, position(5), &schedule);
        assert!(bytes.len() <= record::scheduled_bytes(&schedule), "{schedule:?} is longer than was said");
        let expected = Stored::Planned { position: position(5), schedule };
        assert_eq!(stored::take(&mut &bytes[..], OFFSET), Some(expected));
        for length in 0..bytes.len() {
            assert_eq!(stored::take(&mut &bytes[..length], OFFSET), None, "{number} cut to {length}");
        }
    }
}

#[test]
fn a_message_without_its_body_is_checked_like_one_with_it() {
    let (copied, mut bytes) = (Entry { size: 700 + 4, ..entry(0) }, Vec::new());
    message::put_copied(&mut bytes, (KEY, SEGMENT), copied, b"a:b\n", (4100, 700));
    let parts = Parts { head: b"a:b\n", body: Err(Elsewhere { holder: 4100, bytes: 700 }) };
    assert_eq!(stored::check_message(KEY, SEGMENT, OFFSET, &bytes), Some(parts));
    assert_eq!(stored::check_message(KEY, SEGMENT, OFFSET + 1, &bytes), None);
    assert_eq!(stored::check_message(KEY, SegmentId(78), OFFSET, &bytes), None);
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(stored::check_message(KEY, SEGMENT, OFFSET, &bytes), None, "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    // A record that is taken for one of the other kind.
    bytes[4] = record::ACCEPTED;
    assert_eq!(stored::check_message(KEY, SEGMENT, OFFSET, &bytes), None);
    let mut whole = Vec::new();
    message::put_accepted(&mut whole, KEY, SEGMENT, entry(16), (&[8, 0, 0, 0, 8, 0, 0, 0], &[0; 8]));
    whole[4] = record::COPIED;
    assert_eq!(stored::check_message(KEY, SEGMENT, OFFSET, &whole), None);
}

#[test]
fn limits_are_read_back_as_they_were_written() {
    for number in 0..256 {
        let record = Record::Limited(Limited { queue: DestinationId(7), limits: limits(number) });
        let mut bytes = Vec::new();
        record::put_record(&mut bytes, &record);
        assert!(bytes.len() <= record::encoded_bytes(&record), "{record:?} is longer than was said");
        assert_eq!(stored::take(&mut &bytes[..], OFFSET), Some(Stored::Ordered(record)));
        for length in 0..bytes.len() {
            assert_eq!(stored::take(&mut &bytes[..length], OFFSET), None, "{number} cut to {length}");
        }
    }
}

#[test]
fn terms_are_read_back_as_they_were_written() {
    for number in 0..256 {
        let accepted = accepted_with_terms(ShardId::MAX, 1, number, 40);
        assert!(record::encoded_bytes(&accepted) <= accepted.bytes(), "{accepted:?} is longer than was said");
        let (terms, mut bytes) = (Terms { schedule: None, ..terms(number) }, Vec::new());
        record::put_agreed(&mut bytes, position(5), &terms);
        assert!(bytes.len() <= record::terms_bytes(&terms), "{terms:?} are longer than was said");
        let expected = Stored::Terms { position: position(5), terms: Box::new(terms) };
        assert_eq!(stored::take(&mut &bytes[..], OFFSET), Some(expected));
        for length in 0..bytes.len() {
            assert_eq!(stored::take(&mut &bytes[..length], OFFSET), None, "{number} cut to {length}");
        }
    }
}

#[test]
fn records_about_jobs_are_read_back_as_they_were_written() {
    for number in 0..64 {
        let job = MessageId::new(ShardId::MAX, number);
        let records = [tracked(job), reported(job, number), attached(job, number), Record::Forgotten { job }];
        for record in records {
            let mut bytes = Vec::new();
            record::put_record(&mut bytes, &record);
            assert!(bytes.len() <= record::encoded_bytes(&record), "{record:?} is longer than was said");
            assert!(record::encoded_bytes(&record) <= record.bytes(), "{record:?} is longer than was said");
            for length in 0..bytes.len() {
                assert_eq!(stored::take(&mut &bytes[..length], OFFSET), None, "{number} cut to {length}");
            }
            assert_eq!(stored::take(&mut &bytes[..], OFFSET), Some(Stored::Job(record)));
        }
    }
}

#[test]
fn a_message_is_read_at_its_own_place_only() {
    for size in [0, 1, 10, 5000] {
        let (content, mut bytes) = (content(3, size), Vec::new());
        message::put_accepted(&mut bytes, KEY, SEGMENT, entry(size), (content.head(), content.body()));
        let whole = [content.head(), content.body()].concat();
        let head_bytes = content.head().len() as u32;
        let expected = Stored::Accepted { entry: entry(size), head_bytes, content: &whole };
        assert_eq!(stored::take(&mut &bytes[..], OFFSET), Some(expected));
        let parts = Parts { head: content.head(), body: Ok(content.body()) };
        assert_eq!(stored::check_message(KEY, SEGMENT, OFFSET, &bytes), Some(parts));
        assert_eq!(stored::check_message(KEY, SEGMENT, OFFSET + 1, &bytes), None);
        assert_eq!(stored::check_message(KEY, SegmentId(78), OFFSET, &bytes), None);
        assert_eq!(stored::check_message(Key(1), SEGMENT, OFFSET, &bytes), None);
        for bit in 0..bytes.len().min(64) * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(stored::check_message(KEY, SEGMENT, OFFSET, &bytes), None, "bit {bit} of size {size}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn noise_is_no_record() {
    let mut dice = Dice::new(1);
    for _ in 0..50_000 {
        let mut bytes: Vec<u8> = (0..dice.below(120)).map(|_| dice.roll() as u8).collect();
        if let Some(head) = bytes.first_chunk_mut::<8>() {
            *head = [dice.below(120) as u8, 0, 0, 0, dice.below(17) as u8, 0, 0, 0];
        }
        let mut body = &bytes[..];
        while !body.is_empty() {
            let before = body.len();
            if stored::take(&mut body, OFFSET).is_none() {
                break;
            }
            assert!(body.len() < before, "a record takes something");
        }
    }
}

#[test]
fn headers_are_read_back_and_every_bit_counts() {
    let header = BatchHeader {
        version: VERSION,
        flags: Link::Middle.flags(true),
        body_bytes: 1,
        records: 2,
        segment: SEGMENT,
        offset: 4096,
        shard: 4095,
        first_slot: 3,
        epoch: 4,
        clock: 5,
        sequence: Sequence(6),
        previous: 7,
        watermark: Sequence(5),
        body_sum: 8,
    };
    let mut bytes = header.encode(KEY);
    let read = BatchHeader::decode(KEY, &bytes).unwrap();
    assert_eq!((read, read.link(), read.is_opening(), read.is_known()), (header, Link::Middle, true, true));
    assert!(BatchHeader::decode(Key(2), &bytes).is_none() && BatchHeader::decode(KEY, &[0; 88]).is_none());
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(BatchHeader::decode(KEY, &bytes), None, "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    let unknown = BatchHeader { flags: 8, ..header };
    assert!(!BatchHeader::decode(KEY, &unknown.encode(KEY)).unwrap().is_known());

    let header = SegmentHeader { store: 9 << 100, segment: SEGMENT, length: 1 << 26 };
    let bytes = header.encode(KEY);
    assert_eq!((bytes.len(), SegmentHeader::decode(KEY, &bytes)), (4096, Some(header)));
    assert_eq!(SegmentHeader::decode(Key(2), &bytes), None);
}

#[test]
fn places_and_names_have_inverses() {
    for (segment, slot) in [(0, 0), (1, 5), ((1 << 28) - 1, (1 << 24) - 1)] {
        let position = SegmentId(segment).position(ShardId::MAX, slot);
        assert_eq!((locate(position), position.shard()), ((SegmentId(segment), slot), ShardId::MAX));
        assert_eq!(SegmentId::from_file_name(&SegmentId(segment).file_name()), Some(SegmentId(segment)));
    }
    for name in [
        "seg-",
        "seg-1",
        "seg-00000000000000zz",
        "seg-ffffffffffffffff",
        "xseg-0000000000000001",
        "seg-00000000000000010",
    ] {
        assert_eq!(SegmentId::from_file_name(name), None, "{name}");
    }
    assert_eq!(SegmentId((1 << 28) - 1).next(), None);
}
