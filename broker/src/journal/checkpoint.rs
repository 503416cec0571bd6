//! A checkpoint on its way to the head of a segment, and when one is due.
//!
//! It must not know what the records mean.

use std::io;

use super::segment::Chain;

/// A checkpoint is written once the log has grown by this many times its size since the last one: so it costs at most a
/// tenth of what is written anyway. Until then segments begin with the number of the one that has the last.
pub(super) const GROWTH: u64 = 10;

/// Takes the records of a checkpoint, one at a time, so that no more of it than a batch is in memory.
#[derive(Debug)]
pub(super) struct Checkpoint<'a, 'b> {
    chain: &'a mut Chain<'b>,
    record: Vec<u8>,
    bytes: usize,
    result: io::Result<()>,
}

impl<'a, 'b> Checkpoint<'a, 'b> {
    pub(super) fn new(chain: &'a mut Chain<'b>) -> Checkpoint<'a, 'b> {
        Checkpoint { chain, record: Vec::new(), bytes: 0, result: Ok(()) }
    }

    /// Adds a record, unless something failed before.
    pub(super) fn put(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.result.is_ok() {
            self.record.clear();
            write(&mut self.record);
            self.bytes += self.record.len();
            let record = &self.record;
            self.result = self.chain.put(record.len(), |bytes| bytes.extend_from_slice(record));
        }
    }

    /// Ends it; it was expected to have at most so many bytes.
    pub(super) fn finish(self, most: usize) -> io::Result<()> {
        debug_assert!(self.bytes <= most, "a checkpoint of {} bytes instead of {most}", self.bytes);
        self.result
    }
}
