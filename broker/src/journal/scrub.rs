//! Reads sealed segments again in the background, slowly, so that damage is known while a copy of the data may still exist, and
//! not only when somebody wants the message.
//!
//! It only reads and tells; a message that cannot be read is dealt with where it is read. It must not know what is alive
//! beyond which segments are needed.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::OpenError;
use super::format::SegmentId;
use super::reader::Shelf;
use super::record::SUMMARY;
use super::store::Store;
use super::walk::{Walk, open_segment};

/// How long a broker runs before it begins: a start has better things to do.
const FIRST_AFTER: Duration = Duration::from_secs(3600);
/// From the beginning of one round to that of the next.
const ROUND: Duration = Duration::from_secs(7 * 24 * 3600);

/// What reads the segments of one journal.
#[derive(Debug)]
pub(super) struct Scrub {
    store: Arc<Store>,
    shelf: Arc<Shelf>,
    closed: Mutex<bool>,
    changed: Condvar,
}

impl Scrub {
    pub(super) fn new(store: Arc<Store>, shelf: Arc<Shelf>) -> Scrub {
        Scrub { store, shelf, closed: Mutex::default(), changed: Condvar::new() }
    }

    /// Ends it, in the middle of a segment if need be.
    pub(super) fn close(&self) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits; `false` when it is closed.
    fn wait(&self, time: Duration) -> bool {
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(closed, time, |closed| !*closed);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Goes round until it is closed. For a thread of its own.
    pub(super) fn run(&self) {
        let mut rest = FIRST_AFTER;
        while self.wait(rest) {
            let mut spent = Duration::ZERO;
            let is_over = !self.round(&mut |bytes| {
                let pause = Duration::from_secs_f64(bytes as f64 / self.store.options.scrub_bytes.max(1) as f64);
                spent += pause;
                self.wait(pause)
            });
            if is_over {
                return;
            }
            rest = ROUND.saturating_sub(spent);
        }
    }

    /// Reads every sealed segment once. `pause` is told of each batch that was read, and says whether to go on.
    pub(super) fn round(&self, pause: &mut dyn FnMut(u64) -> bool) -> bool {
        let mut segments = self.shelf.segments();
        // The newest is being written.
        segments.pop();
        segments.into_iter().all(|id| self.read(id, pause))
    }

    fn read(&self, id: SegmentId, pause: &mut dyn FnMut(u64) -> bool) -> bool {
        match self.walk(id, pause) {
            Ok(goes_on) => return goes_on,
            // Its file is in use for something else meanwhile.
            Err(_) if !self.shelf.has(id) => {}
            Err(OpenError::Damaged { file, offset, what }) => {
                if self.shelf.is_new_damage(id, offset) {
                    tracing::error!(
                        file,
                        offset,
                        what,
                        "the journal is damaged: a start will refuse it, or messages cannot be read; stop the broker and run \
                         `kolejka journal verify`"
                    );
                }
            }
            Err(error) => tracing::error!(%error, "the journal cannot be read to check it"),
        }
        true
    }

    fn walk(&self, id: SegmentId, pause: &mut dyn FnMut(u64) -> bool) -> Result<bool, OpenError> {
        let segment = open_segment(self.store.fs.as_ref(), &self.store.meta, id)?;
        let mut walk = Walk::new(&self.store.meta, segment);
        let mut is_sealed = false;
        loop {
            let at = walk.offset;
            let Some((header, body)) = walk.next()? else { break };
            is_sealed = body.get(4) == Some(&SUMMARY) && header.link().closes();
            if !pause(walk.offset - at) {
                return Ok(false);
            }
            if !self.shelf.has(id) {
                return Ok(true);
            }
        }
        walk.expect_end()?;
        if is_sealed { Ok(true) } else { Err(walk.damaged("the segment's last batch is damaged")) }
    }
}
