//! Old messages do not hold their segments: what they cost on the disk, and that nothing of them changes.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use super::super::appender::Appender;
use super::super::compaction::Pace;
use super::super::conformance;
use super::super::conformance::{FAN, Ledger, Reading, content};
use super::super::fanout;
use super::super::fault::{CrashDisk, Dice, Survival};
use super::super::format::{SegmentId, locate};
use super::super::fs::{File, FileSystem, Lock};
use super::super::message::ACCEPTED_HEAD_BYTES;
use super::super::places::Places;
use super::super::record::Entry;
use super::super::roll::SPARE_PREFIX;
use super::super::weight::{Scale, Weight};
use super::super::work::{Step, Unit, Work};
use super::super::{Journal, Options};
use super::workload::{Run, check_survivor, small_options};
use crate::model::{DestinationId, LogReader, MessageId, Place, Position, Record, ShardId, Ticket, Timestamp, Urgency};

const SEGMENT_BYTES: u64 = 256 << 10;

fn options() -> Options {
    Options { segment_bytes: SEGMENT_BYTES, batch_bytes: 32 << 10, spare_segments: 3, ..small_options() }
}

/// The writing half of a journal, driven by hand.
struct Hand {
    appender: Appender,
    ledger: Ledger,
    positions: BTreeMap<MessageId, Position>,
    /// Bytes of the records that were written.
    brought: u64,
}

impl Hand {
    fn start(disk: &CrashDisk, options: Options) -> Hand {
        Hand::on(Arc::new(disk.clone()), options)
    }

    fn on(fs: Arc<dyn FileSystem>, options: Options) -> Hand {
        let mut reading = Reading::default();
        let Journal { appender } = Journal::open(options, fs, &mut reading, Timestamp(5)).unwrap().journal;
        Hand { appender, ledger: reading.ledger, positions: reading.positions.into_iter().collect(), brought: 0 }
    }

    /// Writes a unit, as the journal's thread does.
    fn write(&mut self, records: Vec<Record>) {
        let (bytes, count) = (fanout::unit_bytes(&records), records.len());
        let fresh: Vec<MessageId> = records
            .iter()
            .filter_map(|record| if let Record::Accepted(accepted) = record { Some(accepted.message) } else { None })
            .collect();
        for record in &records {
            self.ledger.apply(record);
        }
        let mut work = Work::default();
        let (ticket, accepted, wall) = (Ticket(1), fresh.len() as u32, Timestamp(1));
        work.records = records;
        work.units.push(Unit { ticket, records: count, bytes, accepted, wall });
        assert!(matches!(self.appender.advance(&mut work).unwrap(), Step::Written(_)));
        self.brought += bytes as u64;
        self.positions.extend(fresh.into_iter().zip(self.appender.positions.iter().copied()));
        while self.appender.spares.top_up() {}
        self.appender.relieve().unwrap();
        self.appender.compact(Pace::Busy).unwrap();
    }

    fn settle(&mut self, ids: impl Iterator<Item = u64>) {
        let settled = |id| {
            let message = MessageId::new(ShardId::default(), id);
            conformance::settled(message, &self.ledger.messages[&message], self.positions[&message])
        };
        let unit = ids.map(settled).collect();
        self.write(unit);
    }

    /// Nothing comes for a while.
    fn rest(&mut self) {
        self.appender.idle().unwrap();
        while self.appender.compact(Pace::Idle).unwrap() {}
        self.appender.idle().unwrap();
        while self.appender.spares.top_up() {}
    }

    /// Everything is there, by the places that were given first.
    fn check(&self) {
        for (message, kept) in &self.ledger.messages {
            let read = self.appender.shelf.read(self.positions[message]).unwrap();
            let expected = content(message.sequence(), kept.size as usize);
            assert_eq!((read.head(), read.body()), (expected.head(), expected.body()), "{message}");
        }
    }

    /// Another start finds the same.
    fn check_after(&self, disk: &CrashDisk) -> Hand {
        let hand = Hand::start(&disk.crash(Survival::Nothing), self.appender.store.options.clone());
        assert_eq!(hand.ledger, self.ledger);
        hand.check();
        hand
    }
}

fn message(id: u64, size: usize) -> Record {
    conformance::accepted(ShardId::default(), 1, id, size)
}

/// Sends messages through a queue, of which every `kept_every`th stays.
fn pass(hand: &mut Hand, ids: std::ops::Range<u64>, size: usize, kept_every: u64) {
    for id in ids.step_by(20) {
        hand.write((id..id + 20).map(|id| message(id, size)).collect());
        hand.settle((id..id + 20).filter(|id| id % kept_every != 0));
    }
}

#[test]
fn a_message_kept_in_each_segment_costs_its_own_bytes_and_not_a_segment() {
    let disk = CrashDisk::new();
    let mut hand = Hand::start(&disk, options());
    hand.write(vec![conformance::created(1), conformance::created(2)]);
    let (mut most, mut id) = (0, 1000);
    // 80 MiB through one queue, and a small message of another that stays in each 240 KiB: as 20 GiB and a message of up
    // to 50 KiB are to segments of 64 MiB.
    while hand.brought < 80 << 20 {
        hand.write(vec![conformance::accepted(ShardId::default(), 2, id, 100)]);
        pass(&mut hand, id + 20..id + 260, 1000, u64::MAX);
        id += 260;
        most = most.max(disk.used());
    }
    let (brought, written, kept) = (hand.brought, disk.written(), hand.ledger.messages.len());
    let copied = hand.appender.copied();
    println!("{kept} kept, at most {most} bytes on the disk, {written} written for {brought}, {copied:?}");
    assert!(kept > 300 && copied.segments > 300, "{kept} {copied:?}");
    assert!(most <= SEGMENT_BYTES * 8 + 8192, "{most}");
    assert!(written < brought * 2 && copied.bytes < brought / 4, "{written} {copied:?}");
    hand.rest();
    // As 400 MiB where segments have 64.
    assert!(disk.used() <= SEGMENT_BYTES * 400 / 64, "{}", disk.used());
    hand.check();
    hand.check_after(&disk);
}

#[test]
fn whatever_is_kept_the_log_writes_at_most_twice_what_it_is_brought() {
    for kept_every in [2, 3, 5, 20] {
        let disk = CrashDisk::new();
        let mut hand = Hand::start(&disk, options());
        hand.write(vec![conformance::created(1)]);
        let mut id = 1000;
        for _ in 0..30 {
            pass(&mut hand, id..id + 480, 1000, kept_every);
            // What was kept goes later, so that what lives stays about as much as four segments.
            let old: Vec<u64> = hand.ledger.messages.keys().map(|message| message.sequence()).collect();
            for some in old[..old.len().saturating_sub(800)].chunks(20) {
                hand.settle(some.iter().copied());
            }
            id += 480;
            hand.rest();
        }
        let copied = hand.appender.copied();
        println!("one of {kept_every}: {copied:?} for {} brought, {} written", hand.brought, disk.written());
        assert!(copied.segments > 0, "one of {kept_every}");
        assert!(copied.bytes < hand.brought, "one of {kept_every}: {copied:?} for {}", hand.brought);
        let live: u64 = hand.ledger.messages.values().map(|kept| u64::from(kept.size) + 80).sum();
        assert!(disk.used() <= live * 2 + SEGMENT_BYTES * 5, "{}, of which {live} live", disk.used());
        hand.check_after(&disk);
    }
}

#[test]
fn what_was_copied_is_changed_and_settled_by_the_place_it_was_given_first() {
    let disk = CrashDisk::new();
    let mut hand = Hand::start(&disk, options());
    hand.write((1..4).map(conformance::created).collect());
    hand.write((100..130).map(|id| conformance::accepted_with_terms(ShardId::default(), 1, id, 900)).collect());
    let mut id = 1000;
    // Copied again and again, while it goes on to change.
    for round in 0..12 {
        pass(&mut hand, id..id + 480, 1000, 240);
        id += 480;
        hand.rest();
        let at = |hand: &Hand, id| {
            let message = MessageId::new(ShardId::default(), id);
            (message, hand.ledger.messages[&message].clone(), hand.positions[&message])
        };
        let unit = (100 + round..130).step_by(3).map(|id| {
            let (message, kept, position) = at(&hand, id);
            match id % 5 {
                0 => conformance::returned(message, &kept, position),
                1 => conformance::moved(message, &kept, position, 2),
                2 => conformance::parked(message, &kept, position),
                3 => conformance::carried(message, &kept, position, 3),
                _ => conformance::woken(message, &kept, position),
            }
        });
        let unit = unit.collect();
        hand.write(unit);
        hand.settle(std::iter::once(100 + round));
        hand.check();
        hand.check_after(&disk.copy_pending());
    }
    assert!(hand.appender.copied().segments > 8, "{:?}", hand.appender.copied());
    let kept: Vec<u64> = hand.ledger.messages.keys().map(|message| message.sequence()).collect();
    hand.settle(kept.into_iter());
    hand.rest();
    assert!(hand.ledger.messages.is_empty());
    assert!(hand.check_after(&disk).ledger.messages.is_empty());
}

/// A disk that waits, the first time that a file is opened.
#[derive(Debug)]
struct Waiting {
    disk: CrashDisk,
    first: Mutex<Option<First>>,
}

/// The file, who is told that it is to be opened, and what is waited for.
type First = (String, SyncSender<()>, Receiver<()>);

impl FileSystem for Waiting {
    fn create(&self, name: &str, length: u64, fill: bool) -> io::Result<Arc<dyn File>> {
        self.disk.create(name, length, fill)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn File>> {
        let first = self.first.lock().unwrap().take_if(|(file, ..)| file == name);
        if let Some((_, arrived, go)) = first {
            arrived.send(()).unwrap();
            go.recv().unwrap();
        }
        self.disk.open(name)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        self.disk.unlink(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.disk.sync_dir()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn lock(&self) -> io::Result<Box<dyn Lock>> {
        self.disk.lock()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }

    fn random(&self, into: &mut [u8]) -> io::Result<()> {
        self.disk.random(into)
    }
}

#[test]
fn what_is_read_while_its_segment_is_given_back_is_found_where_it_is_now() {
    let disk = CrashDisk::new();
    let fs = Arc::new(Waiting { disk: disk.clone(), first: Mutex::default() });
    let mut hand = Hand::on(fs.clone(), options());
    hand.write(vec![conformance::created(1)]);
    hand.write(vec![message(7, 500)]);
    let position = hand.positions[&MessageId::new(ShardId::default(), 7)];
    let name = locate(position).0.file_name();
    // Enough segments for its file not to be at hand any more.
    pass(&mut hand, 1000..1480, 1000, u64::MAX);
    let ((arrived, at), (go, wait)) = (sync_channel(1), sync_channel(1));
    *fs.first.lock().unwrap() = Some((name.clone(), arrived, wait));
    let shelf = hand.appender.shelf.clone();
    let read = std::thread::scope(|scope| {
        let reader = scope.spawn(|| shelf.read(position));
        at.recv().unwrap();
        assert!(disk.names().contains(&name));
        pass(&mut hand, 2000..2480, 1000, u64::MAX);
        hand.rest();
        assert!(!disk.names().contains(&name), "it was given back between the look and the reading");
        go.send(()).unwrap();
        reader.join().unwrap().unwrap()
    });
    assert_eq!(read.body(), content(7, 500).body());
    assert_eq!(hand.appender.shelf.damaged(), 0);
}

#[test]
fn copies_of_a_body_still_share_it_when_they_are_copied_forward() {
    let disk = CrashDisk::new();
    let mut hand = Hand::start(&disk, options());
    hand.write((1..4).map(conformance::created).collect());
    let first = FAN.next_multiple_of(100);
    hand.write(conformance::fan_out(ShardId::default(), first, 40, 30_000));
    // The message that holds the body is gone, and some of those that refer to it.
    hand.settle(first..first + 7);
    pass(&mut hand, 1000..1480, 1000, 10_000);
    hand.rest();
    let copied = hand.appender.copied();
    assert_eq!((copied.segments, copied.messages), (1, 33), "{copied:?}");
    assert!(copied.bytes < 40_000, "{copied:?}");
    hand.check();
    let mut hand = hand.check_after(&disk);
    hand.settle(first + 7..first + 40);
}

#[test]
fn a_segment_whose_bodies_only_copies_refer_to_is_as_heavy_as_they_are() {
    let disk = CrashDisk::new();
    let mut hand = Hand::start(&disk, options());
    hand.write((1..4).map(conformance::created).collect());
    let fan = FAN.next_multiple_of(100);
    for n in 0..5 {
        hand.write(conformance::fan_out(ShardId::default(), fan + n * 100, 2, 28_000));
        hand.settle(std::iter::once(fan + n * 100));
    }
    pass(&mut hand, 1000..1480, 1000, 10_000);
    hand.rest();
    assert_eq!(hand.appender.copied().segments, 0);
    hand.check_after(&disk);
}

#[test]
fn a_disk_that_old_messages_hold_is_not_full_for_long() {
    let disk = CrashDisk::new();
    let options = Options { disk_reserve_bytes: SEGMENT_BYTES, ..options() };
    let mut hand = Hand::start(&disk, options);
    hand.write(vec![conformance::created(1)]);
    let mut id = 1000;
    for _ in 0..4 {
        hand.write((id..id + 160).map(|id| message(id, 1000)).collect());
        id += 160;
    }
    while hand.appender.spares.top_up() {}
    disk.set_free(0);
    hand.appender.spares.look();
    let mut last = id;
    while !hand.appender.spares.is_full() {
        hand.write((id..id + 20).map(|id| message(id, 1000)).collect());
        (last, id) = (id, id + 20);
    }
    let kept: Vec<u64> = (1000..last).filter(|id| id % 50 != 0).collect();
    let spares = || disk.names().iter().filter(|name| name.starts_with(SPARE_PREFIX)).count();
    let ready = spares();
    for some in kept.chunks(20) {
        hand.settle(some.iter().copied());
        assert!(spares() >= ready.min(2), "what finishing work needs is still there");
    }
    hand.rest();
    assert!(hand.appender.copied().segments > 0);
    assert!(!hand.appender.spares.is_full());
    hand.check_after(&disk);
}

#[test]
fn a_part_between_two_batches_is_small() {
    let disk = CrashDisk::new();
    let mut hand = Hand::start(&disk, options());
    hand.write(vec![conformance::created(1)]);
    hand.write(vec![message(7, 60_000)]);
    hand.write((10..60).map(|id| message(id, 500)).collect());
    pass(&mut hand, 1000..1960, 1000, 10_000);
    hand.appender.idle().unwrap();
    let mut parts = Vec::new();
    loop {
        let (before, written) = (hand.appender.copied(), disk.written());
        if !hand.appender.compact(Pace::Idle).unwrap() {
            break;
        }
        parts.push((hand.appender.copied().messages - before.messages, disk.written() - written));
    }
    // A part is half a batch here, or a single message; opening, summary and seals come with it at times.
    let most = |messages: u64| if messages == 1 { 128 << 10 } else { 48 << 10 };
    assert!(parts.len() >= 3 && parts.iter().all(|(messages, written)| *written < most(*messages)), "{parts:?}");
    hand.check();
}

#[test]
fn a_segment_with_a_damaged_message_keeps_it_and_its_room() {
    let disk = CrashDisk::new();
    let mut hand = Hand::start(&disk, options());
    hand.write(vec![conformance::created(1)]);
    hand.write(vec![message(7, 1000)]);
    let needle = content(7, 1000).body().to_vec();
    let name = disk.names().into_iter().find(|name| name.starts_with("seg-")).unwrap();
    let at = disk.contents(&name).windows(needle.len()).position(|window| window == needle).unwrap();
    disk.flip(&name, at + 10, 1);
    pass(&mut hand, 1000..1960, 1000, 10_000);
    hand.rest();
    assert_eq!((hand.appender.copied().messages, hand.appender.shelf.damaged()), (0, 1));
    assert!(disk.names().contains(&name));
    let hand = Hand::start(&disk.crash(Survival::Nothing), options());
    assert!(hand.appender.shelf.read(hand.positions[&MessageId::new(ShardId::default(), 7)]).is_err());
}

#[test]
fn a_mixture_over_many_segments_is_what_it_was_after_a_cut_at_any_time() {
    for seed in 0..12 {
        let disk = CrashDisk::new();
        let options = Options { segment_bytes: 64 << 10, batch_bytes: 8 << 10, ..options() };
        let mut run = Run::start(&disk, options.clone()).unwrap();
        let mut dice = Dice::new(seed);
        assert!(run.work(&mut dice, 300));
        run.session.check_contents();
        let (states, acknowledged) = run.end();
        check_survivor(&disk.crash(Survival::Random(seed)), options, (&states, acknowledged), &format!("seed {seed}"));
    }
}

#[test]
fn a_place_is_followed_over_many_copies_and_forgotten_with_the_last() {
    let at = |segment, slot| SegmentId(segment).position(ShardId::default(), slot);
    let mut places = Places::default();
    places.moved(at(1, 5), at(4, 0));
    places.moved(at(1, 9), at(4, 3));
    places.moved(at(2, 7), at(4, 4));
    places.forget(SegmentId(1));
    assert_eq!(
        [at(1, 5), at(1, 9), at(2, 7), at(3, 1)].map(|given| places.of(given)),
        [at(4, 0), at(4, 3), at(4, 4), at(3, 1)]
    );
    places.moved(at(4, 3), at(6, 2));
    places.moved(at(4, 4), at(6, 3));
    places.forget(SegmentId(4));
    assert_eq!([at(1, 5), at(1, 9), at(2, 7)].map(|given| places.of(given)), [at(1, 5), at(6, 2), at(6, 3)]);
    places.moved(at(6, 2), at(8, 0));
    places.forget(SegmentId(6));
    assert_eq!(places.of(at(1, 9)), at(8, 0));
    places.forget(SegmentId(8));
    assert_eq!(format!("{places:?}"), format!("{:?}", Places::default()));
    assert_eq!(locate(at(8, 3)), (SegmentId(8), 3));
}

#[test]
fn a_segment_is_weighed_by_what_a_copy_of_it_takes() {
    let entry = |offset: u32, size: u32| Entry {
        offset,
        size,
        destination: DestinationId(1),
        message: MessageId::new(ShardId::default(), 1),
        place: Place { urgency: Urgency::NORMAL, sequence: 1 },
    };
    let head = ACCEPTED_HEAD_BYTES as u32;
    // Two messages, then one of 10,000 bytes and two copies of its body, with a block between.
    let entries = [
        entry(4184, 100),
        entry(4184 + head + 100, 200),
        entry(8280, 10_000),
        entry(8280 + head + 10_000, 10_000),
        entry(8280 + head + 10_100, 10_000),
    ];
    let end = u64::from(8280 + head + 10_200);
    let weigh = |live: [bool; 5]| {
        let mut scale = Scale::default();
        entries.iter().zip(live).for_each(|(entry, live)| scale.put(entry, live));
        scale.weight(end)
    };
    let head = u64::from(head);
    assert_eq!(weigh([true; 5]), Weight { living: 5, bytes: 3 * head + 300 + 10_000 + 200 });
    assert_eq!(weigh([true, false, true, false, false]), Weight { living: 2, bytes: 2 * head + 10_100 });
    assert_eq!(weigh([false, false, false, true, true]), Weight { living: 2, bytes: head + 10_000 + 100 });
    assert_eq!(weigh([false; 5]), Weight::default());
    let weight = Weight { living: 100, bytes: 1000 };
    assert_eq!([100, 88, 87, 10, 0].map(|living| weight.of(living)), [1000, 1000, 870, 100, 0]);
}
