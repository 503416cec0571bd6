//! Heads that were read back from the log, so that selective consumers can judge messages whose content is not in memory.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use crate::model::MessageId;

/// What is known of a message's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Head<'a> {
    /// It is here.
    Known(&'a [u8]),
    /// Only the log has it.
    Elsewhere,
    /// The log has it no more, or damaged.
    Unreadable,
}

/// A few heads, for a while: each newer one pushes out the oldest when the room is used up.
#[derive(Debug, Default)]
pub(super) struct Heads {
    /// `None` for what could not be read: it is selected by nobody.
    known: HashMap<MessageId, Option<Box<[u8]>>, RandomState>,
    order: VecDeque<MessageId>,
    bytes: usize,
}

impl Heads {
    /// Octets kept, beside what each costs.
    const MAX_BYTES: usize = 8 << 20;
    /// What each costs beside its octets.
    const ENTRY_BYTES: usize = 64;

    pub(super) fn insert(&mut self, message: MessageId, head: Option<&[u8]>) {
        let cost = |head: &Option<Box<[u8]>>| Self::ENTRY_BYTES + head.as_deref().map_or(0, <[u8]>::len);
        let head = head.map(Box::from);
        self.bytes += cost(&head);
        match self.known.insert(message, head) {
            Some(old) => self.bytes -= cost(&old),
            None => self.order.push_back(message),
        }
        while self.bytes > Self::MAX_BYTES && self.order.len() > 1 {
            let Some(oldest) = self.order.pop_front() else { return };
            if let Some(head) = self.known.remove(&oldest) {
                self.bytes -= cost(&head);
            }
        }
    }

    /// The head, if it has been read, or that it cannot be.
    pub(super) fn get(&self, message: MessageId) -> Head<'_> {
        match if self.known.is_empty() { None } else { self.known.get(&message) } {
            None => Head::Elsewhere,
            Some(None) => Head::Unreadable,
            Some(Some(head)) => Head::Known(head),
        }
    }
}
