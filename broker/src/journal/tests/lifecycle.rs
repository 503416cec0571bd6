//! Opening, stopping, locking, space: the life of a data directory.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use super::super::claim::holders;
use super::super::conformance;
use super::super::conformance::{Reading, Witness};
use super::super::fault::{CrashDisk, Dice, Survival};
use super::super::fs::{Disk, FileSystem};
use super::super::{Journal, OpenError, Options};
use super::workload::{Run, open, small_options};
use crate::model::{Durable, LogError, LogSink, Record, ShardId, Timestamp};

#[test]
fn only_one_process_has_a_directory() {
    let root = tempfile::tempdir().unwrap();
    let file_systems: [Arc<dyn FileSystem>; 2] = [Arc::new(CrashDisk::new()), Arc::new(Disk::at(root.path()).unwrap())];
    for fs in file_systems {
        let try_open = || Journal::open(small_options(), fs.clone(), &mut Reading::default(), Timestamp(1));
        let first = try_open().unwrap();
        assert!(matches!(try_open(), Err(OpenError::Locked)));
        drop(first);
        assert!(try_open().is_ok());
    }
}

#[test]
fn a_directory_and_its_lock_are_closed_to_other_users() {
    let root = tempfile::tempdir().unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let set = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let (data, lock) = (root.path().join("data"), root.path().join("data/lock"));
    drop(Disk::at(&data).unwrap().lock().unwrap());
    assert_eq!((mode(&data), mode(&lock)), (0o700, 0o600), "as they are made");
    set(&data, 0o755);
    set(&lock, 0o644);
    let disk = Disk::at(&data).unwrap();
    let held = disk.lock().unwrap();
    assert_eq!((mode(&data), mode(&lock)), (0o700, 0o600), "as they are found");
    set(&lock, 0o644);
    assert_eq!(disk.lock().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "a lock of our own is never replaced");
    drop(held);
    // What is not ours alone stays as it is.
    for (place, open) in [("shared", 0o1777), ("home", 0o755)] {
        let place = root.path().join(place);
        std::fs::create_dir_all(place.join("something")).unwrap();
        set(&place, open);
        Disk::at(&place).unwrap();
        assert_eq!(mode(&place), open);
    }
}

#[test]
fn the_holders_of_a_lock_are_found_in_the_table_of_the_kernel() {
    let file = tempfile::tempfile().unwrap().metadata().unwrap();
    let place = format!("{:02x}:{:02x}:{}", rustix::fs::major(file.dev()), rustix::fs::minor(file.dev()), file.ino());
    let others = format!("1: POSIX  ADVISORY  WRITE 7 {place} 0 EOF\n2: FLOCK  ADVISORY  WRITE 8 00:00:1 0 EOF\n");
    assert!(holders(&others, &file).is_empty());
    let held =
        format!("{others}3: FLOCK  ADVISORY  READ 9 {place} 0 EOF\n3: -> FLOCK  ADVISORY  WRITE 10 {place} 0 EOF\n");
    assert_eq!(holders(&held, &file), [9]);
    let elsewhere = format!("{held}4: FLOCK  ADVISORY  READ 0 {place} 0 EOF\n");
    assert!(holders(&elsewhere, &file).is_empty(), "of another container, and perhaps a broker");
}

#[test]
fn the_epoch_rises_and_a_clean_stop_is_told_from_a_crash() {
    let mut disk = CrashDisk::new();
    let mut epoch = 0;
    for orderly in [true, true, false, true, false, false] {
        let (journal, recovered, _) = open(&disk, small_options()).unwrap();
        epoch += 1;
        assert_eq!(recovered.epoch.0, epoch);
        let running = journal.start(Arc::new(Witness::default())).unwrap();
        if orderly {
            running.stopper.stop().unwrap();
            disk = disk.crash(Survival::Nothing);
        } else {
            disk = disk.crash(Survival::Nothing);
            drop(running.stopper.stop());
        }
        let (journal, recovered, _) = open(&disk.copy(), small_options()).unwrap();
        assert_eq!(recovered.clean, orderly);
        drop(journal);
    }
}

#[test]
fn the_clock_of_a_log_is_told_and_what_is_written_next_does_not_keep_one_that_was_wrong() {
    let mut disk = CrashDisk::new();
    let minute = Timestamp::TOLERANCE_MS;
    // The machine's clock is at 0 at each start.
    for (clock, told) in [(minute, minute), (400 * 86_400_000, 400 * 86_400_000), (1_000, 1_000)] {
        let mut run = Run::start(&disk, small_options()).unwrap();
        // In the last run the clock is wrong for a while, and is corrected.
        for clock in if clock == 1_000 { vec![400 * 86_400_000, clock] } else { vec![clock] } {
            let ticket = run.session.log.append(&mut vec![conformance::created(1)], Timestamp(clock)).unwrap();
            run.session.witness.wait(ticket);
        }
        run.end();
        disk = disk.crash(Survival::Nothing);
        let (journal, recovered, _) = open(&disk, small_options()).unwrap();
        assert_eq!(recovered.clock, Timestamp(told));
        drop(journal);
        disk = disk.crash(Survival::Nothing);
    }
}

#[test]
fn what_is_settled_gives_its_segments_back() {
    let disk = CrashDisk::new();
    let mut run = Run::start(&disk, small_options()).unwrap();
    assert!(run.write(vec![conformance::created(1)]));
    let mut most = 0;
    for id in 1..200 {
        assert!(run.write(vec![conformance::accepted(ShardId::default(), 1, id, 2000)]));
        let (message, kept) = run.session.reading.ledger.messages.first_key_value().unwrap();
        let position = run.session.reading.position(*message).unwrap();
        let settled = conformance::settled(*message, kept, position);
        assert!(run.write(vec![settled]));
        most = most.max(disk.names().iter().filter(|name| name.starts_with("seg-")).count());
    }
    assert!(most <= 3, "{most} segments for a queue that is empty");
    assert!(run.end().0.last().unwrap().messages.is_empty());
}

#[test]
fn an_old_message_keeps_its_segment_and_no_other() {
    let disk = CrashDisk::new();
    let mut run = Run::start(&disk, small_options()).unwrap();
    assert!(run.write(vec![conformance::created(1), conformance::accepted(ShardId::default(), 1, 1, 100)]));
    for id in 2..100 {
        assert!(run.write(vec![conformance::accepted(ShardId::default(), 1, id, 2000)]));
        let (message, kept) = run.session.reading.ledger.messages.last_key_value().unwrap();
        let settled = conformance::settled(*message, kept, run.session.reading.position(*message).unwrap());
        assert!(run.write(vec![settled]));
    }
    assert!(disk.names().iter().filter(|name| name.starts_with("seg-")).count() <= 4);
    run.session.check_contents();
    let states = run.end().0;
    let (_, recovered, reading) = open(&disk.crash(Survival::Nothing), small_options()).unwrap();
    assert_eq!((recovered.messages, &reading.ledger), (1, states.last().unwrap()));
}

#[test]
fn on_a_full_disk_settling_goes_on_and_makes_room_again() {
    let options = || Options { spare_segments: 4, ..small_options() };
    let disk = CrashDisk::new();
    let mut run = Run::start(&disk, options()).unwrap();
    assert!(run.write(vec![conformance::created(1)]));
    disk.set_free(0);
    let mut id = 0;
    let refused = loop {
        id += 1;
        let mut unit = vec![conformance::accepted(ShardId::default(), 1, id, 3000)];
        match run.session.log.append(&mut unit.clone(), Timestamp(id)) {
            Ok(ticket) => {
                let seen = run.session.witness.wait(ticket);
                run.session.note(&unit, &seen.positions[seen.positions.len() - 1..]);
            }
            Err(error) => break (error, std::mem::take(&mut unit)),
        }
        assert!(id < 100);
    };
    assert_eq!((refused.0, refused.1.len()), (LogError::Full, 1));
    assert!(run.session.log.is_full() && !run.session.log.capacity().is_spent());
    let messages: Vec<_> = run.session.reading.ledger.messages.clone().into_iter().collect();
    for (message, kept) in messages {
        let settled = conformance::settled(message, &kept, run.session.reading.position(message).unwrap());
        let ticket = run.session.log.append(&mut vec![settled.clone()], Timestamp(id)).expect("finishing work goes on");
        assert_eq!(run.session.witness.wait(ticket).failed, None);
        run.session.reading.ledger.apply(&settled);
    }
    // A further append passes the thread once more: by then the segments have been given back.
    let ticket = run.session.log.append(&mut vec![Record::IdBlock { next: 1 }], Timestamp(id)).unwrap();
    run.session.witness.wait(ticket);
    let ticket = run.session.log.append(&mut vec![Record::IdBlock { next: 2 }], Timestamp(id)).unwrap();
    run.session.witness.wait(ticket);
    let mut unit = vec![conformance::accepted(ShardId::default(), 1, 1000, 3000)];
    let ticket = run.session.log.append(&mut unit, Timestamp(id)).expect("there is room again");
    assert_eq!(run.session.witness.wait(ticket).failed, None);
    run.end();
}

#[test]
fn a_start_on_a_full_disk_comes_up_and_says_that_it_is_full() {
    let options = || Options {
        segment_bytes: 1 << 20,
        batch_bytes: 64 << 10,
        unit_bytes: 1 << 20,
        spare_segments: 2,
        ..small_options()
    };
    let disk = CrashDisk::new();
    let mut run = Run::start(&disk, options()).unwrap();
    assert!(run.write(vec![conformance::created(1)]));
    // A tail that is as full as it gets, and no room: its opening needs more than a spare.
    let names = disk.names();
    for id in 1.. {
        let unit = (0..15).map(|n| conformance::accepted(ShardId::default(), 1, id * 20 + n, 4000)).collect();
        assert!(run.write(unit));
        if disk.names() != names {
            break;
        }
        disk.set_free(0);
    }
    let killed = disk.kill();
    let states = run.abandon().0;
    killed.set_free(0);
    let mut run = Run::start(&killed, options()).unwrap();
    assert_eq!(run.states[0], *states.last().unwrap());
    assert!(run.session.log.is_full(), "new messages have to wait");
    let mut unit = vec![conformance::accepted(ShardId::default(), 1, 1_000_000, 10)];
    assert_eq!(run.session.log.append(&mut unit, Timestamp(1)), Err(LogError::Full));
    let first = run.session.reading.ledger.messages.first_key_value().map(|(id, kept)| (*id, kept.clone())).unwrap();
    let settled = conformance::settled(first.0, &first.1, run.session.reading.position(first.0).unwrap());
    assert!(run.write(vec![settled]), "finishing work goes on");
    killed.set_free(8 << 20);
    for _ in 0..3 {
        assert!(run.write(vec![Record::IdBlock { next: 9 }]));
    }
    assert!(!run.session.log.is_full());
    run.end();
}

/// A sink that breaks.
#[derive(Debug, Default)]
struct Broken(Witness);

impl LogSink for Broken {
    fn durable(&self, _durable: Durable<'_>) {
        panic!("a sink that panics, on purpose");
    }

    fn failed(&self, error: LogError) {
        self.0.failed(error);
    }
}

#[test]
fn a_panic_of_the_journals_thread_is_told_as_such() {
    let (journal, ..) = open(&CrashDisk::new(), small_options()).unwrap();
    let sink = Arc::new(Broken::default());
    let mut running = journal.start(sink.clone()).unwrap();
    let ticket = running.log.append(&mut vec![conformance::created(1)], Timestamp(1)).unwrap();
    assert!(matches!(sink.0.wait(ticket).failed, Some(LogError::Panicked("the journal"))));
    assert!(matches!(running.stopper.stop(), Err(LogError::Panicked("the journal"))));
    assert!(matches!(running.log.append(&mut vec![], Timestamp(1)), Err(LogError::Panicked("the journal"))));
}

#[test]
fn many_appends_in_flight_share_batches_and_all_arrive() {
    let root = tempfile::tempdir().unwrap();
    let options = Options { spares_thread: true, segment_bytes: 1 << 20, batch_bytes: 64 << 10, ..small_options() };
    let fs = Arc::new(Disk::at(root.path()).unwrap());
    let opened = Journal::open(options.clone(), fs.clone(), &mut Reading::default(), Timestamp(1)).unwrap();
    let witness = Arc::new(Witness::default());
    let mut running = opened.journal.start(witness.clone()).unwrap();
    let mut last = running.log.append(&mut vec![conformance::created(1)], Timestamp(1)).unwrap();
    for id in 1..=5000 {
        let mut unit = vec![conformance::accepted(ShardId::default(), 1, id, 700)];
        last = running.log.append(&mut unit, Timestamp(1)).unwrap();
    }
    let seen = witness.wait(last);
    assert_eq!((seen.positions.len(), seen.failed), (5000, None));
    running.stopper.stop().unwrap();
    assert!(matches!(running.log.append(&mut vec![], Timestamp(1)), Err(LogError::Poisoned(_))));
    drop((running.log, running.reader));
    let mut reading = Reading::default();
    let opened = Journal::open(options, fs, &mut reading, Timestamp(1)).unwrap();
    assert_eq!((opened.recovered.messages, opened.recovered.clean), (5000, true));
    let reader = opened.journal.reader();
    for (message, position) in &reading.positions {
        let expected = conformance::content(message.sequence(), 700);
        assert!(reader.read(*position).unwrap() == expected);
    }
}

#[test]
fn a_newer_format_is_refused_and_nothing_is_touched() {
    let disk = CrashDisk::new();
    let mut run = Run::start(&disk, small_options()).unwrap();
    assert!(run.work(&mut Dice::new(1), 3));
    run.end();
    let disk = disk.copy();
    for name in ["store.meta", "store.meta.copy"] {
        let mut bytes = disk.contents(name);
        bytes[8] = 3;
        let sum = xxh3_64(&bytes[..80]);
        bytes[80..88].copy_from_slice(&sum.to_le_bytes());
        disk.put(name, bytes);
    }
    let before: Vec<_> = disk.names().into_iter().map(|name| disk.contents(&name)).collect();
    let refused = open(&disk, small_options()).unwrap_err();
    assert!(matches!(refused, OpenError::Newer { version: 3, .. }), "{refused}");
    assert_eq!(before, disk.names().into_iter().map(|name| disk.contents(&name)).collect::<Vec<_>>());
}

#[test]
fn after_a_while_without_work_the_last_batch_is_sealed() {
    let sealed_and_spoilt = |idle_after| {
        let disk = CrashDisk::new();
        let mut run = Run::start(&disk, Options { idle_after, ..small_options() }).unwrap();
        assert!(run.write(vec![conformance::created(1), conformance::accepted(ShardId::default(), 1, 1, 500)]));
        let name = disk.names().into_iter().find(|name| name.starts_with("seg-")).unwrap();
        let needle = conformance::content(1, 500).body().to_vec();
        let at = disk.contents(&name).windows(needle.len()).position(|window| window == needle).unwrap();
        // The unit takes one block; the seal is the batch in the next.
        let seal = at.next_multiple_of(4096);
        while idle_after < Duration::from_secs(1) && !disk.contents(&name)[seal..].starts_with(b"KJ") {
            std::thread::yield_now();
        }
        let disk = disk.crash(Survival::Everything);
        disk.flip(&name, at, 0);
        drop(run.end());
        open(&disk, small_options()).map(|(_, _, reading)| reading.ledger)
    };
    assert!(matches!(sealed_and_spoilt(Duration::from_millis(1)), Err(OpenError::Damaged { .. })));
    assert!(sealed_and_spoilt(Duration::from_secs(3600)).unwrap().messages.is_empty());
}

#[test]
fn options_that_cannot_work_are_refused() {
    let refuse = |options: Options| {
        let refused = open(&CrashDisk::new(), options);
        assert!(matches!(refused, Err(OpenError::Options(_))));
    };
    refuse(Options { segment_bytes: 16 << 10, ..small_options() });
    refuse(Options { segment_bytes: (32 << 10) + 1, ..small_options() });
    refuse(Options { batch_bytes: 1000, ..small_options() });
    refuse(Options { unit_bytes: 3 << 30, ..small_options() });
    refuse(Options { spare_segments: 0, ..small_options() });
    refuse(Options { open_files: 1, ..small_options() });
    let disk = CrashDisk::new();
    assert!(open(&disk, small_options()).is_ok());
    let other = Options { shard: ShardId::new(1).unwrap(), ..small_options() };
    assert!(matches!(open(&disk, other), Err(OpenError::Options(_))));
    assert!(open(&CrashDisk::new(), Options { spares_thread: false, ..Options::new(Path::new("x")) }).is_ok());
}
