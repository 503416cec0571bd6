//! The journal's threads: one writes and syncs, one fills the pool of spare segments, one checks what is there.
//!
//! While one batch is being synced the next gathers in the inbox; there is no timer. It must not know what a segment
//! looks like. The first error is final: it is told to the sink, and nothing becomes durable any more.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use super::Options;
use super::appender::Appender;
use super::compaction::Pace;
use super::fanout;
use super::roll::Spares;
use super::scrub::Scrub;
use super::work::{Step, Unit, Work, Written};
use crate::model::{Capacity, Durable, Log, LogError, LogSink, Record, Room, StateBytes, Ticket, Timestamp};

/// Takes appends; the journal's thread writes them.
#[derive(Debug)]
pub(super) struct Writer {
    inbox: Arc<Inbox>,
    spares: Arc<Spares>,
    unit_bytes: usize,
    /// Bytes of the state, and the most that new messages may make of it.
    state: Arc<AtomicU64>,
    state_bytes: u64,
    /// Whoever appends was told that there is room.
    has_word: bool,
}

impl Log for Writer {
    fn append(&mut self, records: &mut Vec<Record>, wall: Timestamp) -> Result<Ticket, LogError> {
        let bytes = fanout::unit_bytes(records);
        let accepted = records.iter().filter(|record| matches!(record, Record::Accepted(_))).count() as u32;
        if bytes > self.unit_bytes {
            debug_assert!(false, "an append of {bytes} bytes, of at most {}", self.unit_bytes);
            return Err(LogError::TooLarge { size: bytes, limit: self.unit_bytes });
        }
        if accepted > 0 && !self.has_word && self.spares.is_full() {
            return Err(LogError::Full);
        }
        let mut state = self.inbox.state();
        if let Some(error) = &state.ended {
            return Err(error.clone());
        }
        state.last.0 += 1;
        let ticket = state.last;
        let unit = Unit { ticket, records: records.len(), bytes, accepted, wall };
        state.work.records.append(records);
        state.work.units.push(unit);
        state.bytes += bytes;
        state.batches += 1;
        if state.waiting {
            self.inbox.wake.notify_one();
        }
        Ok(ticket)
    }

    fn unit_bytes(&self) -> usize {
        self.unit_bytes
    }

    fn capacity(&self) -> Capacity {
        let state = self.inbox.state();
        Capacity {
            bytes: self.inbox.bytes_max.saturating_sub(state.bytes),
            batches: self.inbox.batches_max.saturating_sub(state.batches),
        }
    }

    fn state(&self) -> StateBytes {
        StateBytes { used: self.state.load(Ordering::Relaxed), most: self.state_bytes }
    }

    fn is_full(&mut self) -> bool {
        self.has_word = !self.spares.is_full();
        !self.has_word
    }

    fn room(&self) -> Room {
        self.spares.room()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.inbox.close(false);
    }
}

/// Ends an open journal in good order. Dropping it does nothing: the journal ends, without its last word, when the log
/// is dropped.
pub struct Stopper {
    inbox: Arc<Inbox>,
    /// The writing thread, then those for spares and for checks, which the first one's end ends.
    threads: Vec<JoinHandle<()>>,
}

impl Stopper {
    /// Makes everything durable that was appended, notes that the stop was clean (unless the log was dropped before) and waits until the threads are gone. What
    /// is appended meanwhile is refused. Not to be called under a lock that the sink takes.
    pub fn stop(self) -> Result<(), LogError> {
        self.inbox.close(true);
        for thread in self.threads {
            // A panic of a thread is told by what it leaves behind.
            drop(thread.join());
        }
        self.inbox.state().outcome.clone().map_or(Ok(()), Err)
    }
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stopper")
    }
}

/// Starts the threads of a journal.
pub(super) fn start(appender: Appender, sink: Arc<dyn LogSink>, options: &Options) -> io::Result<(Writer, Stopper)> {
    let inbox = Arc::new(Inbox {
        state: Mutex::default(),
        wake: Condvar::new(),
        bytes_max: options.in_flight_bytes,
        batches_max: options.in_flight_batches,
        idle_after: options.idle_after,
    });
    let spares = appender.spares.clone();
    let scrub = Arc::new(Scrub::new(appender.store.clone(), appender.shelf.clone()));
    let of_scrub = scrub.clone();
    let writer = Writer {
        inbox: inbox.clone(),
        spares: spares.clone(),
        unit_bytes: options.unit_bytes,
        state: appender.state.clone(),
        state_bytes: options.state_bytes,
        has_word: false,
    };
    let (of_thread, of_spares) = (inbox.clone(), sink.clone());
    let inline = !options.spares_thread;
    let run = move || {
        let mut end = End { inbox: &of_thread, spares: &spares, scrub: &of_scrub, sink: sink.as_ref(), error: None };
        end.error = run(appender, &of_thread, sink.as_ref(), inline).err();
    };
    let mut threads = vec![thread::Builder::new().name("journal".to_owned()).spawn(run)?];
    if options.spares_thread {
        let (spares, idle_after, inbox) = (writer.spares.clone(), options.idle_after, inbox.clone());
        let run = move || {
            let _end = SparesEnd { inbox: &inbox, sink: of_spares.as_ref() };
            keep_spares(&spares, idle_after);
        };
        threads.push(thread::Builder::new().name("journal-spares".to_owned()).spawn(run)?);
        threads.push(thread::Builder::new().name("journal-scrub".to_owned()).spawn(move || scrub.run())?);
    }
    Ok((writer, Stopper { inbox, threads }))
}

/// Says what the thread ended with, also when it panics: nobody may wait for a journal that is gone.
struct End<'a> {
    inbox: &'a Inbox,
    spares: &'a Spares,
    scrub: &'a Scrub,
    sink: &'a dyn LogSink,
    error: Option<io::Error>,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.spares.close();
        self.scrub.close();
        let error = match &self.error {
            Some(error) => LogError::Poisoned(error.to_string()),
            None if thread::panicking() => LogError::Panicked("the journal"),
            None => return,
        };
        self.inbox.fail(error.clone());
        self.sink.failed(error);
    }
}

/// Says that the thread of spares has panicked: without it the journal would be full before long.
struct SparesEnd<'a> {
    inbox: &'a Inbox,
    sink: &'a dyn LogSink,
}

impl Drop for SparesEnd<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.inbox.fail(LogError::Panicked("the journal"));
            self.sink.failed(LogError::Panicked("the journal"));
        }
    }
}

fn keep_spares(spares: &Spares, idle_after: Duration) {
    while spares.wait_until_wanted(idle_after) {
        spares.top_up();
    }
}

/// How long what has no room waits before it is tried again.
const NO_ROOM_AGAIN: Duration = Duration::from_millis(500);

/// The journal's thread.
fn run(mut appender: Appender, inbox: &Inbox, sink: &dyn LogSink, inline: bool) -> io::Result<()> {
    let mut work = Work::default();
    while inline && appender.spares.top_up() {}
    loop {
        match inbox.take(&mut work) {
            Taken::Work => {
                loop {
                    match appender.advance(&mut work)? {
                        Step::Nothing => break,
                        Step::Written(written) => {
                            appender.spares.set_out(false);
                            inbox.release(written);
                            sink.durable(Durable { through: written.through, positions: &appender.positions });
                        }
                        Step::NoRoom => {
                            appender.spares.set_out(true);
                            if inbox.rest(NO_ROOM_AGAIN) {
                                tracing::warn!(
                                    "the log ends without what waited for room; nothing of it was confirmed"
                                );
                                return Ok(());
                            }
                            while inline && appender.spares.top_up() {}
                            appender.compact(Pace::Idle)?;
                        }
                    }
                }
                work.clear();
                while inline && appender.spares.top_up() {}
                appender.relieve()?;
                appender.compact(Pace::Busy)?;
            }
            Taken::Nothing => {
                appender.idle()?;
                while inbox.is_empty() && appender.compact(Pace::Idle)? {}
                while inline && appender.spares.top_up() {}
            }
            Taken::End { clean: true } => return appender.stop(),
            Taken::End { clean: false } => return Ok(()),
        }
    }
}

/// Where appends wait for the thread.
#[derive(Debug)]
struct Inbox {
    state: Mutex<State>,
    wake: Condvar,
    bytes_max: usize,
    batches_max: usize,
    idle_after: Duration,
}

#[derive(Debug, Default)]
struct State {
    work: Work,
    last: Ticket,
    /// Appended and not yet durable.
    bytes: usize,
    batches: usize,
    /// The thread waits.
    waiting: bool,
    closing: Option<Closing>,
    /// Why nothing is taken any more.
    ended: Option<LogError>,
    /// What the thread failed with.
    outcome: Option<LogError>,
}

#[derive(Clone, Copy, Debug)]
struct Closing {
    clean: bool,
}

enum Taken {
    Work,
    Nothing,
    End { clean: bool },
}

impl Inbox {
    /// Swaps what waits against the empty `work`; waits for it, but not for ever.
    fn take(&self, work: &mut Work) -> Taken {
        let mut state = self.state();
        if state.work.units.is_empty() && state.closing.is_none() {
            state.waiting = true;
            let idle = |state: &mut State| state.work.units.is_empty() && state.closing.is_none();
            let waited = self.wake.wait_timeout_while(state, self.idle_after, idle);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.waiting = false;
        }
        if !state.work.units.is_empty() {
            std::mem::swap(&mut state.work, work);
            return Taken::Work;
        }
        state.closing.map_or(Taken::Nothing, |Closing { clean }| Taken::End { clean })
    }

    /// Whether nothing waits for the thread.
    fn is_empty(&self) -> bool {
        let state = self.state();
        state.work.units.is_empty() && state.closing.is_none()
    }

    /// Waits for a while, or until the log is to end, and says whether it is.
    fn rest(&self, a_while: Duration) -> bool {
        let waits = |state: &mut State| state.closing.is_none();
        let waited = self.wake.wait_timeout_while(self.state(), a_while.min(self.idle_after), waits);
        waited.unwrap_or_else(PoisonError::into_inner).0.closing.is_some()
    }

    fn release(&self, written: Written) {
        let mut state = self.state();
        state.bytes -= written.bytes;
        state.batches -= written.units;
    }

    fn close(&self, clean: bool) {
        let mut state = self.state();
        // The first word counts: a log that was dropped before the stop was not closed in order.
        state.closing.get_or_insert(Closing { clean });
        if state.ended.is_none() {
            state.ended = Some(LogError::Poisoned("the journal is closed".to_owned()));
        }
        self.wake.notify_one();
    }

    fn fail(&self, error: LogError) {
        let mut state = self.state();
        state.ended = Some(error.clone());
        state.outcome = Some(error);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
