//! The journal as the store of a run, on a disk in memory whose power can be cut. What it tells a new process is what
//! matters of all that was appended, by its own summaries and checkpoints, and has to come to the same.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kolejka::journal::conformance::Witness;
use kolejka::journal::fault::{CrashDisk, Survival};
use kolejka::journal::{Journal, Options, Running};
use kolejka::model::{Content, Log, LogReader, Position, Record, Replay, ShardId, Timestamp};

use super::log::Store;

/// A journal with segments so small that every run has many.
pub(super) struct OnDisk {
    disk: CrashDisk,
    options: Options,
    running: Option<Running>,
    witness: Arc<Witness>,
}

struct Nobody;

impl Replay for Nobody {
    fn record(&mut self, _: Record, _: Option<Position>) {}
}

impl OnDisk {
    pub(super) fn new(shard: ShardId) -> OnDisk {
        let options = Options {
            shard,
            segment_bytes: 32 << 10,
            batch_bytes: 4096,
            unit_bytes: 1 << 20,
            spare_segments: 1,
            disk_reserve_bytes: 0,
            open_files: 2,
            idle_after: Duration::from_secs(3600),
            spares_thread: false,
            ..Options::new(Path::new("unused"))
        };
        let mut store = OnDisk { disk: CrashDisk::new(), options, running: None, witness: Arc::default() };
        assert!(store.open(&mut Nobody), "a new directory was not left in disorder");
        store
    }

    /// Says whether the last process ended in order.
    fn open(&mut self, replay: &mut dyn Replay) -> bool {
        let disk = Arc::new(self.disk.clone());
        let opened = Journal::open(self.options.clone(), disk, replay, Timestamp(1)).expect("the journal opens");
        self.witness = Arc::default();
        self.running = Some(opened.journal.start(self.witness.clone()).expect("its threads start"));
        opened.recovered.clean
    }

    fn reader(&self) -> &Arc<dyn LogReader> {
        &self.running.as_ref().expect("it runs").reader
    }

    fn log(&mut self) -> &mut Box<dyn Log> {
        &mut self.running.as_mut().expect("it runs").log
    }
}

impl Store for OnDisk {
    fn append(&mut self, mut unit: Vec<Record>) -> Vec<Position> {
        let messages = unit.iter().filter(|record| matches!(record, Record::Accepted(_))).count();
        let ticket = self.log().append(&mut unit, Timestamp(1)).expect("the journal takes it");
        let seen = self.witness.wait(ticket);
        assert_eq!(seen.failed, None);
        let all = seen.positions.len();
        seen.positions[all - messages..].to_vec()
    }

    fn read(&self, position: Position) -> Option<Content> {
        self.reader().read(position).ok()
    }

    fn reopen(&mut self, is_clean: bool, replay: &mut dyn Replay) {
        let Running { log, reader, stopper } = self.running.take().expect("it runs");
        let before = self.disk.copy();
        drop(reader);
        if is_clean {
            stopper.stop().expect("it stops");
            drop(log);
        } else {
            drop(log);
            drop(stopper.stop());
            self.disk = before.crash(Survival::Nothing);
        }
        assert_eq!(self.open(replay), is_clean);
    }
}
