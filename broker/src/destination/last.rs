//! The last message of each value, in queues that keep no other.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Entry, Queue, SlotId, State};
use crate::model::{Content, MessageId};
use crate::seeded::{self, Bug};
use crate::table::Table;

/// What is known of a queue's values. A message that somebody holds is neither replaced nor looked for.
#[derive(Debug, Default)]
pub(super) struct LastValues {
    newest: Table<Arc<str>, (MessageId, SlotId)>,
    /// Those that a newer one has replaced and that may still be there, in the order in which that was seen. None of them is on
    /// its way to the log.
    replaced: VecDeque<(MessageId, SlotId)>,
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
        if newest.and_then(|at| self.still(at)).is_some_and(|newest| newest.place().sequence > sequence) {
            return;
        }
        let old = self.last.get_or_insert_default().newest.insert(value, (message, slot));
        // One that is on its way to the log is looked at again when it may be seen.
        let is_seen = |at: &(MessageId, SlotId)| self.still(*at).is_some_and(|entry| entry.state != State::Accepted);
        if let Some(old) = old.filter(|old| is_seen(old) && !seeded::is(Bug::OldValueStays))
            && let Some(last) = &mut self.last
        {
            last.replaced.push_back(old);
        }
    }

    /// A message may be seen, and a newer one may have replaced it by now.
    pub(super) fn note_seen(&mut self, message: MessageId, slot: SlotId) {
        if self.last.is_none() {
            return;
        }
        let Some(value) = self.beside.terms(message).and_then(|terms| terms.last_value.clone()) else { return };
        if let Some(last) = &mut self.last
            && last.newest.get(&value).is_some_and(|(newest, _)| *newest != message)
        {
            last.replaced.push_back((message, slot));
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

    /// The oldest message that has been replaced and that nobody holds.
    pub fn next_replaced(&mut self) -> Option<Entry> {
        loop {
            let at = self.last.as_mut()?.replaced.pop_front()?;
            if let Some(entry) = self.still(at).filter(|entry| entry.state != State::Reserved) {
                return Some(entry.clone());
            }
        }
    }

    fn still(&self, (message, slot): (MessageId, SlotId)) -> Option<&Entry> {
        self.entry(slot).filter(|entry| entry.message == message)
    }
}
