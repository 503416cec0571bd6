//! What a directory holds that recovery refuses: all that is sound, and no more.
//!
//! Where recovery reads the log its answer is taken. Otherwise the state is gathered from the newest checkpoint that is whole,
//! or from nothing, and every sound batch behind it. What damaged batches said is lost, so that what was done may be there
//! again. It must not write.

use super::super::OpenError;
use super::super::format::{BATCH_HEADER_BYTES, SegmentId};
use super::super::live::Live;
use super::super::recovery::read_tail;
use super::super::store::Store;
use super::super::stored;
use super::super::stored::Stored;
use super::super::walk::Walk;
use super::sweep::{Found, Sweep};
use super::tables::is_summary;

/// The state of a directory, as far as it is known.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) live: Live,
    /// The last stop was an orderly one, and nothing is missing.
    pub(super) clean: bool,
    /// Why recovery does not take it.
    pub(super) refusal: Option<OpenError>,
    /// The segment that was being written, where the log is whole.
    pub(super) newest: Option<SegmentId>,
}

/// Looks at a directory as recovery does, and further where that stops.
pub(super) fn look(store: &Store, ids: &[SegmentId]) -> Result<Image, OpenError> {
    match read_tail(store, ids) {
        Ok(tail) => {
            let newest = tail.segment.map(|segment| segment.id);
            Ok(Image { live: tail.live, clean: tail.clean, refusal: None, newest })
        }
        Err(error @ OpenError::Newer { .. }) => Err(error),
        Err(refusal) => {
            let live = gather(store, ids)?;
            Ok(Image { live, clean: false, refusal: Some(refusal), newest: None })
        }
    }
}

fn gather(store: &Store, ids: &[SegmentId]) -> Result<Live, OpenError> {
    let mut base = None;
    for id in ids.iter().rev() {
        if begins_with_checkpoint(store, *id)? {
            base = Some(*id);
            break;
        }
    }
    let mut live = Live::default();
    for id in ids.iter().filter(|id| base.is_none_or(|base| **id >= base)) {
        let mut gathering = Gathering { store, id: *id, live: &mut live, chain: Vec::new() };
        gathering.run()?;
    }
    Ok(live)
}

/// Whether the opening of a segment is a checkpoint, complete and sound.
fn begins_with_checkpoint(store: &Store, id: SegmentId) -> Result<bool, OpenError> {
    let mut sweep = match Sweep::of(store, id) {
        Ok(sweep) => sweep,
        Err(error @ OpenError::Newer { .. }) => return Err(error),
        Err(_) => return Ok(false),
    };
    loop {
        match sweep.next()? {
            // The block in front of the batches says nothing about them.
            Some(Found::Damaged { at: 0, .. }) => {}
            Some(Found::Batch { at, header, body }) if header.is_opening() => {
                let mut rest = body.as_slice();
                if matches!(stored::take(&mut rest, at), Some(Stored::Continued { .. })) {
                    return Ok(false);
                }
                if header.link().closes() {
                    return Ok(true);
                }
            }
            _ => return Ok(false),
        }
    }
}

/// Takes in what is sound in one segment.
#[derive(Debug)]
struct Gathering<'a> {
    store: &'a Store,
    id: SegmentId,
    live: &'a mut Live,
    /// Where the batches of a chain are that is not closed yet.
    chain: Vec<u64>,
}

impl Gathering<'_> {
    fn run(&mut self) -> Result<(), OpenError> {
        let mut sweep = match Sweep::of(self.store, self.id) {
            Ok(sweep) => sweep,
            Err(error @ OpenError::Newer { .. }) => return Err(error),
            Err(_) => return Ok(()),
        };
        let length = sweep.length();
        while let Some(found) = sweep.next()? {
            match found {
                Found::Batch { at, header, body } => {
                    if !is_summary(&body) && self.chain.is_empty() {
                        self.live.accept_up_to(self.id, header.first_slot);
                    }
                    match (header.link().closes(), self.chain.is_empty()) {
                        (true, true) => self.take(at, &body, length),
                        (closes, _) => {
                            self.chain.push(at);
                            if closes {
                                self.close(length)?;
                            }
                        }
                    }
                }
                // A unit that is damaged was durable as a whole: what is left of it stays.
                Found::Damaged { .. } => self.close(length)?,
                Found::Torn { .. } => {}
            }
        }
        Ok(())
    }

    /// The batches of a chain, which count now.
    fn close(&mut self, length: u64) -> Result<(), OpenError> {
        for at in std::mem::take(&mut self.chain) {
            let segment = super::super::segment::Segment {
                id: self.id,
                file: self.store.fs.open(&self.id.file_name()).map_err(|e| OpenError::io(self.id.file_name(), e))?,
                length,
            };
            let mut walk = Walk::at(&self.store.meta, segment, at);
            let Some((header, body)) = walk.next()? else { continue };
            if !is_summary(body) {
                self.live.accept_up_to(self.id, header.first_slot);
            }
            self.take(at, body, length);
        }
        Ok(())
    }

    fn take(&mut self, at: u64, body: &[u8], length: u64) {
        let mut rest = body;
        while !rest.is_empty() {
            let offset = at + (BATCH_HEADER_BYTES + body.len() - rest.len()) as u64;
            let Some(stored) = stored::take(&mut rest, offset) else { return };
            if matches!(stored, Stored::Summary(_)) && self.live.summary_at(self.id).is_none() {
                self.live.sealed(self.id, length, at);
            }
            self.live.restore(self.id, stored);
        }
    }
}
