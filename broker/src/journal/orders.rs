//! What was said about queues beside their messages, as records and as what a checkpoint keeps of it.
//!
//! The document of this file is docs/journal-format.md. It must not know what comes of such an order.

use std::collections::BTreeMap;

use super::octets::Octets;
use super::record::{RECORD_HEAD_BYTES, framed};
use crate::model::{DestinationId, Pause, Paused, Record, Timestamp};

/// Kinds of records.
pub(super) const PAUSED: u8 = 40;

/// The orders in force.
#[derive(Debug, Default)]
pub(super) struct Orders {
    pauses: BTreeMap<DestinationId, Pause>,
}

impl Orders {
    /// Takes in what a record says; others say nothing here.
    pub(super) fn note(&mut self, record: &Record) {
        if let Record::Paused(Paused { queue, pause }) = record {
            if pause.is_over() {
                self.pauses.remove(queue);
            } else {
                self.pauses.insert(*queue, *pause);
            }
        }
    }

    /// A queue is gone.
    pub(super) fn forget(&mut self, queue: DestinationId) {
        self.pauses.remove(&queue);
    }

    /// All of them as records.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        self.pauses.iter().map(|(queue, pause)| Record::Paused(Paused { queue: *queue, pause: *pause }))
    }
}

/// Most octets of such a record.
pub(super) fn bytes(record: &Record) -> usize {
    match record {
        Record::Paused(_) => RECORD_HEAD_BYTES + 24,
        _ => 0,
    }
}

/// Writes such a record. A side that runs has 0 for its end.
pub(super) fn put(into: &mut Vec<u8>, record: &Record) {
    if let Record::Paused(Paused { queue, pause }) = record {
        framed(into, PAUSED, |bytes| {
            bytes.extend_from_slice(&queue.0.to_le_bytes());
            for until in [pause.input, pause.output] {
                bytes.extend_from_slice(&until.unwrap_or_default().0.to_le_bytes());
            }
        });
    }
}

/// Reads such a record back.
pub(super) fn read(kind: u8, fields: &mut Octets<'_>) -> Option<Record> {
    match kind {
        PAUSED => {
            let queue = DestinationId(fields.u64()?);
            let mut until = || Some(Some(Timestamp(fields.u64()?)).filter(|until| until.0 > 0));
            Some(Record::Paused(Paused { queue, pause: Pause { input: until()?, output: until()? } }))
        }
        _ => None,
    }
}
