//! The last message of each value, in queues that keep no other.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::{Entry, Queue, SlotId, State};
use crate::model::{Content, MessageId};

/// What is known of a queue's values. A message that somebody holds is neither replaced nor looked for.
#[derive(Debug, Default)]
pub(super) struct LastValues {
    newest: HashMap<Arc<str>, (MessageId, SlotId), RandomState>,
    /// Those that a newer one has replaced and that are still there, oldest first.
    replaced: Vec<(MessageId, SlotId)>,
}

impl Queue {
    /// Longest value, in octets; of what has a longer one nothing is replaced.
    const VALUE_BYTES: usize = 255;

    /// The value of a message here, if this queue goes by values and the message has one.
    pub fn value_of(&self, content: &Content) -> Option<Arc<str>> {
        let header = self.policy().last_value_key.as_deref()?;
        let value = content.header(header).or_else(|| content.header("_AMQ_LVQ_NAME"))?;
        (value.len() <= Self::VALUE_BYTES).then(|| value.into())
    }

    /// Whether a message of that value takes the place of one that is here.
    pub fn replaces(&self, value: &str) -> bool {
        let newest = self.last.as_ref().and_then(|last| last.newest.get(value));
        newest.and_then(|at| self.still(*at)).is_some_and(|entry| entry.state != State::Reserved)
    }

    /// A message came. A log that was opened may tell of an older one later, which replaces nothing.
    pub(super) fn note_value(&mut self, message: MessageId, slot: SlotId) {
        if self.policy().last_value_key.is_none() {
            return;
        }
        let Some(value) = self.beside.terms(message).and_then(|terms| terms.last_value.clone()) else { return };
        let sequence = self.entry(slot).map_or(0, |entry| entry.place().sequence);
        let newest = self.last.as_ref().and_then(|last| last.newest.get(&value)).copied();
        let is_older = newest.and_then(|at| self.still(at)).is_some_and(|newest| newest.place().sequence > sequence);
        let last = self.last.get_or_insert_default();
        if is_older {
            last.replaced.push((message, slot));
        } else if let Some(old) = last.newest.insert(value, (message, slot)) {
            last.replaced.push(old);
        }
    }

    /// A message of that value left.
    pub(super) fn forget_value(&mut self, message: MessageId, value: &str) {
        if let Some(last) = &mut self.last
            && last.newest.get(value).is_some_and(|(newest, _)| *newest == message)
        {
            last.newest.remove(value);
        }
    }

    /// Whether something has been replaced that may still be here.
    pub fn has_replaced(&self) -> bool {
        self.last.as_ref().is_some_and(|last| !last.replaced.is_empty())
    }

    /// Messages that have been replaced and that nobody holds. Those that are still on their way to the log stay for later.
    pub fn take_replaced(&mut self) -> Vec<Entry> {
        let Some(last) = self.last.as_mut().filter(|last| !last.replaced.is_empty()) else { return Vec::new() };
        let mut replaced = std::mem::take(&mut last.replaced);
        let mut gone = Vec::new();
        replaced.retain(|at| match self.still(*at) {
            Some(entry) if entry.state == State::Accepted => true,
            Some(entry) if entry.state == State::Reserved => false,
            Some(entry) => {
                gone.push(entry.clone());
                false
            }
            None => false,
        });
        if let Some(last) = &mut self.last {
            last.replaced = replaced;
        }
        gone
    }

    fn still(&self, (message, slot): (MessageId, SlotId)) -> Option<&Entry> {
        self.entry(slot).filter(|entry| entry.message == message)
    }
}
