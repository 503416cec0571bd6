//! One job that is followed: its status, and what is known of it only as long as the process lives.

use bytes::{Bytes, BytesMut};

use crate::model::{DestinationId, DestinationName, Place, Progress, Status, Timestamp};

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What outlives the process.
    pub status: Status,
    /// The log has it.
    pub durable: bool,
    /// Where its message is, while there is one.
    pub at: Option<(DestinationId, Place)>,
    /// How far the worker is.
    pub progress: Option<Progress>,
    /// When somebody was last told how far.
    pub told: Option<Timestamp>,
    /// Who works at it, by a name that says nothing to others.
    pub worker: Option<Box<str>>,
    /// Nobody else wants it but whoever reads there.
    pub(super) tie: Option<DestinationName>,
    /// The end of what the worker has sent so far.
    pub(super) data: Bytes,
}

impl Row {
    /// Octets of data that are kept of a job: the last ones.
    pub const DATA_BYTES: usize = 64 * 1024;

    /// Nothing is known but the status.
    pub(super) fn new(status: Status, durable: bool) -> Row {
        let data = Bytes::new();
        Row { status, durable, at: None, progress: None, told: None, worker: None, tie: None, data }
    }

    /// What is kept of what the worker has sent so far.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// The worker has sent more.
    pub(super) fn append(&mut self, more: &[u8]) {
        let more = &more[more.len().saturating_sub(Self::DATA_BYTES)..];
        let kept = &self.data[(self.data.len() + more.len()).saturating_sub(Self::DATA_BYTES).min(self.data.len())..];
        let mut joined = BytesMut::with_capacity(kept.len() + more.len());
        joined.extend_from_slice(kept);
        joined.extend_from_slice(more);
        self.data = joined.freeze();
    }
}
