//! Messages of one append that have their body in common: the log stores it once.
//!
//! The first of them holds it, the others say where the first one's record begins, in the same segment. It must not know
//! how that is spelled, nor where batches lie.

use super::message;
use super::record;
use crate::model::{Content, Record};
use crate::seeded::{self, Bug};

/// The message of this append whose body others may have too: the last one with a body worth it.
#[derive(Debug, Default)]
pub(super) struct Fanout {
    /// Where the body is in memory, and how long it is. The append keeps it alive, so nothing else can be there.
    body: (usize, usize),
    /// Where the message's record begins in the segment.
    offset: u32,
}

impl Fanout {
    /// Where the record begins that has the body of this content; `None` if it is to be stored.
    pub(super) fn holder(&self, content: &Content) -> Option<u32> {
        let body = place(content);
        ((body == self.body || seeded::is(Bug::BodyOfAnother) && self.offset > 0) && body.1 >= Content::SHARED_IN_LOG)
            .then_some(self.offset)
    }

    /// A content was stored, with its body, in the record that begins there.
    pub(super) fn hold(&mut self, content: &Content, offset: u32) {
        if content.body().len() >= Content::SHARED_IN_LOG {
            (self.body, self.offset) = (place(content), offset);
        }
    }

    /// Most bytes that a record takes behind those before it.
    pub(super) fn bytes(&self, record: &Record) -> usize {
        let whole = record::encoded_bytes(record);
        let content = if let Record::Accepted(accepted) = record { accepted.content.as_ref() } else { None };
        match content.filter(|content| self.holder(content).is_some()) {
            Some(content) => whole - content.body().len() + message::COPY_HEAD_BYTES - message::ACCEPTED_HEAD_BYTES,
            None => whole,
        }
    }
}

/// Most bytes of the records of one append.
pub(super) fn unit_bytes(records: &[Record]) -> usize {
    let mut fanout = Fanout::default();
    let bytes = |record| {
        let bytes = fanout.bytes(record);
        if let Record::Accepted(accepted) = record
            && let Some(content) = &accepted.content
        {
            fanout.hold(content, 0);
        }
        bytes
    };
    records.iter().map(bytes).sum()
}

fn place(content: &Content) -> (usize, usize) {
    let body = content.body();
    (body.as_ptr().addr(), body.len())
}
