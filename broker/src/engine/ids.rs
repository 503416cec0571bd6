//! Message ids: never used twice, not even by the next process.

use crate::model::{MessageId, Record, ShardId};

/// Hands out ids from blocks that the log knows of ahead of time: whatever a crash makes forgotten (a transient message
/// leaves no record), the next process starts behind the block.
#[derive(Debug)]
pub(super) struct Ids {
    shard: ShardId,
    next: u64,
    /// First sequence that the log does not know to be in use.
    block_end: u64,
}

/// Ids of one block. At a million messages a second a block lasts four seconds, and the next one is logged halfway.
const BLOCK: u64 = 1 << 22;

impl Ids {
    pub(super) fn new(shard: ShardId) -> Ids {
        Ids { shard, next: 1, block_end: 1 }
    }

    /// The next id, and the record of a new block where one is due.
    pub(super) fn next(&mut self, records: &mut Vec<Record>) -> MessageId {
        self.reserve(records);
        let id = MessageId::new(self.shard, self.next);
        self.next += 1;
        id
    }

    /// Logs a new block where less than half of one is left, so that it is durable long before it is used. The first one
    /// is not unless somebody waits for it.
    pub(super) fn reserve(&mut self, records: &mut Vec<Record>) {
        if self.next + BLOCK / 2 >= self.block_end {
            self.block_end = self.next + BLOCK;
            records.push(Record::IdBlock { next: self.block_end });
        }
    }

    /// The log knows of a block: all ids below `next` may be in use.
    pub(super) fn skip_to(&mut self, next: u64) {
        self.next = self.next.max(next);
        self.block_end = self.block_end.max(next);
    }

    /// The first sequence that was never given.
    pub(super) fn unused(&self) -> u64 {
        self.next
    }

    /// The log knows of a message.
    pub(super) fn seen(&mut self, id: MessageId) {
        self.next = self.next.max(id.sequence() + 1);
    }
}
