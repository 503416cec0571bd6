//! Every log of this program goes through the conformance kit.

use std::path::PathBuf;
use std::sync::Arc;

use super::super::conformance;
use super::super::conformance::Subject;
use super::super::fault::{CrashDisk, Survival};
use super::super::fs::{Disk, FileSystem};
use super::super::memory::{MemoryLog, When};
use super::super::{Journal, Options, Stopper};
use super::workload::small_options;
use crate::model::{Log, LogError, LogReader, LogSink, Replay, ShardId, Timestamp};

struct Memory {
    log: MemoryLog,
}

impl Memory {
    fn new(when: When) -> Memory {
        let log = MemoryLog::new(shard(), when);
        log.set_largest(256 << 20);
        Memory { log }
    }
}

fn shard() -> ShardId {
    ShardId::new(3).unwrap()
}

impl Subject for Memory {
    fn shard(&self) -> ShardId {
        shard()
    }

    fn open(&mut self, sink: Arc<dyn LogSink>, replay: &mut dyn Replay) -> (Box<dyn Log>, Arc<dyn LogReader>) {
        self.log.replay(replay);
        self.log.set_sink(sink);
        (Box::new(self.log.clone()), Arc::new(self.log.clone()))
    }

    fn settle(&mut self) {
        self.log.sync();
    }

    fn close(&mut self, _orderly: bool) {
        self.log = self.log.crash();
    }
}

struct OnDisk {
    options: Options,
    stopper: Option<Stopper>,
    /// The file system of the next opening.
    fs: Arc<dyn FileSystem>,
    /// The same, if it is one whose power can be cut.
    crash_disk: Option<CrashDisk>,
}

impl Subject for OnDisk {
    fn shard(&self) -> ShardId {
        shard()
    }

    fn open(&mut self, sink: Arc<dyn LogSink>, replay: &mut dyn Replay) -> (Box<dyn Log>, Arc<dyn LogReader>) {
        let opened = Journal::open(self.options.clone(), self.fs.clone(), replay, Timestamp(1)).unwrap();
        let running = opened.journal.start(sink).unwrap();
        self.stopper = Some(running.stopper);
        (running.log, running.reader)
    }

    fn settle(&mut self) {}

    fn asserts(&self) -> bool {
        cfg!(debug_assertions)
    }

    fn close(&mut self, orderly: bool) {
        let stopper = self.stopper.take().unwrap();
        if orderly {
            let stopped = stopper.stop();
            assert!(matches!(stopped, Ok(()) | Err(LogError::Poisoned(_))));
        } else {
            if let Some(disk) = &self.crash_disk {
                let disk = disk.crash(Survival::Nothing);
                self.fs = Arc::new(disk.clone());
                self.crash_disk = Some(disk);
            }
            drop(stopper.stop());
        }
    }
}

#[test]
fn the_memory_log_conforms() {
    conformance::check_all(&mut || Box::new(Memory::new(When::AtOnce)));
    conformance::check_all(&mut || Box::new(Memory::new(When::OnDemand)));
}

#[test]
fn the_journal_conforms_on_the_crash_disk() {
    conformance::check_all(&mut || {
        let disk = CrashDisk::new();
        let (fs, crash_disk) = (Arc::new(disk.clone()), Some(disk));
        Box::new(OnDisk { options: options(PathBuf::new()), stopper: None, fs, crash_disk })
    });
}

#[test]
fn the_journal_conforms_on_a_real_disk() {
    let root = tempfile::tempdir().unwrap();
    let mut number = 0;
    conformance::check_all(&mut || {
        number += 1;
        let directory = root.path().join(number.to_string());
        let fs = Arc::new(Disk::at(&directory).unwrap());
        Box::new(OnDisk { options: options(directory), stopper: None, fs, crash_disk: None })
    });
}

fn options(directory: PathBuf) -> Options {
    Options { shard: shard(), directory, unit_bytes: 256 << 20, ..small_options() }
}

#[test]
fn the_memory_log_fails_as_it_is_told() {
    let mut memory = Memory::new(When::OnDemand);
    let session = conformance::Session::open(&mut memory);
    let mut log = memory.log.clone();
    let message = || vec![conformance::created(1), conformance::accepted(shard(), 1, 1, 10)];
    memory.log.set_full(true);
    assert_eq!(log.append(&mut message(), Timestamp(1)), Err(LogError::Full));
    assert!(log.append(&mut vec![conformance::created(1)], Timestamp(1)).is_ok());
    memory.log.set_full(false);
    let ticket = log.append(&mut message(), Timestamp(1)).unwrap();
    memory.log.fail(LogError::LostTail("gone".to_owned()));
    let seen = session.witness.wait(ticket);
    assert_eq!((seen.through.0, seen.failed), (0, Some(LogError::LostTail("gone".to_owned()))));
    assert_eq!(log.append(&mut message(), Timestamp(1)), Err(LogError::LostTail("gone".to_owned())));
    assert!(!memory.log.sync_one());
}
