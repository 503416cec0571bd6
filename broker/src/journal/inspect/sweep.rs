//! Walks all batches of a segment, those behind damage too.
//!
//! What is sound, and whether an end is a torn write or damage, is decided by the walk of recovery; this only goes on where
//! that stops. It must not know what records mean.

use super::super::OpenError;
use super::super::format::{BATCH_HEADER_BYTES, BLOCK_BYTES, BatchHeader, FIRST_BATCH_AT, SegmentId};
use super::super::segment::Segment;
use super::super::store::Store;
use super::super::walk::{Walk, open_segment};

/// What lies at a place of a segment.
#[derive(Debug)]
pub(super) enum Found {
    /// A batch that is whole.
    Batch { at: u64, header: BatchHeader, body: Vec<u8> },
    /// Octets that were durable and are not what they were. `batch` is what is left of the batch there, if its header is.
    Damaged { at: u64, until: u64, what: String, batch: Option<(BatchHeader, Vec<u8>)> },
    /// A write that was never finished: nothing follows it.
    Torn { at: u64 },
}

/// Reads one segment from its first batch to its end.
#[derive(Debug)]
pub(super) struct Sweep<'a> {
    store: &'a Store,
    segment: Segment,
    walk: Option<Walk<'a>>,
    /// What is wrong with the segment itself, to be told first.
    first: Option<String>,
}

impl<'a> Sweep<'a> {
    /// Begins with a segment, also where its own first block is damaged.
    pub(super) fn of(store: &'a Store, id: SegmentId) -> Result<Sweep<'a>, OpenError> {
        let (segment, first) = match open_segment(store.fs.as_ref(), &store.meta, id) {
            Ok(segment) => (segment, None),
            Err(OpenError::Damaged { what, .. }) => {
                let name = id.file_name();
                let io = |error| OpenError::io(name.clone(), error);
                let file = store.fs.open(&name).map_err(io)?;
                let length = file.size().map_err(io)?;
                (Segment { id, file, length }, Some(what.to_owned()))
            }
            Err(error) => return Err(error),
        };
        let walk = Some(Walk::new(&store.meta, segment.clone()));
        Ok(Sweep { store, segment, walk, first })
    }

    /// Octets of the file.
    pub(super) fn length(&self) -> u64 {
        self.segment.length
    }

    /// What comes next; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Found>, OpenError> {
        if let Some(what) = self.first.take() {
            return Ok(Some(Found::Damaged { at: 0, until: FIRST_BATCH_AT, what, batch: None }));
        }
        let Some(walk) = &mut self.walk else { return Ok(None) };
        let at = walk.offset;
        let what = match walk.next() {
            Ok(Some((header, body))) => return Ok(Some(Found::Batch { at, header, body: body.to_vec() })),
            Ok(None) => match walk.expect_end() {
                Ok(()) => {
                    self.walk = None;
                    return Ok(self.is_torn(at).then_some(Found::Torn { at }));
                }
                Err(OpenError::Damaged { what, .. }) => what.to_owned(),
                Err(OpenError::Io { source, .. }) => format!("cannot be read: {source}"),
                Err(error) => return Err(error),
            },
            Err(OpenError::Damaged { what, .. }) => {
                let is_whole = self.begin_at(at)?;
                if is_whole {
                    return Ok(Some(Found::Damaged { at, until: at, what: what.to_owned(), batch: None }));
                }
                what.to_owned()
            }
            Err(OpenError::Io { source, .. }) => format!("cannot be read: {source}"),
            Err(error) => return Err(error),
        };
        let batch = self.header_at(at).map(|header| {
            let mut body = vec![0; header.body_bytes as usize];
            let read = self.segment.file.read_at(&mut body, at + BATCH_HEADER_BYTES as u64).unwrap_or_default();
            body.truncate(read);
            (header, body)
        });
        let from = batch.as_ref().map_or(at + BLOCK_BYTES as u64, |(header, _)| at + header.span());
        let until = self.next_header(from);
        self.walk = until.map(|offset| Walk::at(&self.store.meta, self.segment.clone(), offset));
        Ok(Some(Found::Damaged { at, until: until.unwrap_or(self.segment.length), what, batch }))
    }

    /// Goes on with the batch there, whatever was before it. Says whether it can be read at all.
    fn begin_at(&mut self, at: u64) -> Result<bool, OpenError> {
        let fresh = || Walk::at(&self.store.meta, self.segment.clone(), at);
        let is_whole = match fresh().next() {
            Ok(found) => found.is_some(),
            Err(error @ OpenError::Newer { .. }) => return Err(error),
            Err(_) => false,
        };
        if is_whole {
            self.walk = Some(fresh());
        }
        Ok(is_whole)
    }

    fn header_at(&self, at: u64) -> Option<BatchHeader> {
        let mut octets = [0; BATCH_HEADER_BYTES];
        let read = self.segment.file.read_at(&mut octets, at).ok()?;
        let header = BatchHeader::decode(self.store.meta.key, octets.get(..read)?)?;
        let is_here = header.segment == self.segment.id && header.offset == at && header.is_known();
        (is_here && at + header.span() <= self.segment.length).then_some(header)
    }

    /// The next place that has the header of a batch of this segment that was written there.
    fn next_header(&self, from: u64) -> Option<u64> {
        (from..self.segment.length).step_by(BLOCK_BYTES).find(|at| self.header_at(*at).is_some())
    }

    /// Whether something was begun there: what an earlier use of the file left does not count.
    fn is_torn(&self, at: u64) -> bool {
        self.header_at(at).is_some()
    }
}
