//! Stand-in: a log in memory whose appends become durable at once. The disk journal takes this place.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;

use crate::model::{
    Capacity, Content, Durable, Log, LogError, LogReader, LogSink, Position, Record, Replay, ShardId, Ticket, Timestamp,
};

/// Options.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where.
    pub directory: PathBuf,
    /// Octets kept free.
    pub reserve_bytes: u64,
}

/// Errors of opening.
#[derive(Debug, Error)]
pub enum OpenError {}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Messages.
    pub messages: usize,
    /// Ended in order.
    pub clean: bool,
    /// No data before.
    pub is_new: bool,
    /// Time of recovery.
    pub took: Duration,
    /// Highest wall clock seen.
    pub last_wall: Timestamp,
}

/// Opened.
#[derive(Debug)]
pub struct Opened {
    /// What was found.
    pub report: Report,
    /// The log.
    pub journal: Journal,
}

/// The log.
#[derive(Debug, Default)]
pub struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Debug, Default)]
struct State {
    ticket: u64,
    done: u64,
    stored: Vec<Content>,
    fresh: Vec<Position>,
    stop: bool,
}

/// Ends it.
#[derive(Debug)]
pub struct Stopper {
    shared: Arc<Shared>,
    thread: std::thread::JoinHandle<()>,
}

impl Stopper {
    /// Ends it.
    pub fn stop(self) -> Result<(), LogError> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).stop = true;
        self.shared.work.notify_all();
        let _ = self.thread.join();
        Ok(())
    }
}

impl Journal {
    /// Opens.
    pub fn open(_options: Options, _replay: &mut dyn Replay) -> Result<Opened, OpenError> {
        Ok(Opened { report: Report { is_new: true, clean: true, ..Report::default() }, journal: Journal::default() })
    }

    /// Starts.
    #[expect(clippy::disallowed_methods, reason = "the journal's thread")]
    pub fn start(self, sink: Arc<dyn LogSink>) -> (Box<dyn Log>, Arc<dyn LogReader>, Stopper) {
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::spawn(move || {
            loop {
                let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
                while state.done == state.ticket && !state.stop {
                    state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                if state.done == state.ticket {
                    return;
                }
                state.done = state.ticket;
                let (through, positions) = (Ticket(state.ticket), std::mem::take(&mut state.fresh));
                drop(state);
                sink.durable(Durable { through, positions: &positions });
            }
        });
        let stopper = Stopper { shared: Arc::clone(&self.shared), thread };
        (Box::new(Writer(Arc::clone(&self.shared))), Arc::new(Reader(self.shared)), stopper)
    }
}

#[derive(Debug)]
struct Writer(Arc<Shared>);

impl Log for Writer {
    fn append(&mut self, records: &mut Vec<Record>, _wall: Timestamp) -> Result<Ticket, LogError> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.ticket += 1;
        for record in records.drain(..) {
            if let Record::Accepted(accepted) = record {
                state.stored.extend(accepted.content);
                let position = Position::new(ShardId::default(), state.stored.len() as u64);
                state.fresh.push(position);
            }
        }
        self.0.work.notify_all();
        Ok(Ticket(state.ticket))
    }

    fn capacity(&self) -> Capacity {
        Capacity { bytes: 1 << 20, batches: 100 }
    }

    fn is_full(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct Reader(Arc<Shared>);

impl LogReader for Reader {
    fn read(&self, position: Position) -> Result<Content, LogError> {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let content = state.stored.get(position.place() as usize - 1).cloned();
        content.ok_or_else(|| LogError::Damaged("not there".into()))
    }
}
