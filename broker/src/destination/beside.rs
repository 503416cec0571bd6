//! What a queue keeps beside the rows of its messages, because few messages have it: what senders said, and why messages
//! died. Its bytes are counted as they come and go.

use std::sync::Arc;

use crate::memory::{Account, Purpose};
use crate::model::{DeathNote, MessageId, Schedule, Terms, Unique};
use crate::table::Table;

/// Terms and notes by message.
#[derive(Debug, Default)]
pub(super) struct Beside {
    terms: Table<MessageId, Box<Terms>>,
    notes: Table<MessageId, Arc<DeathNote>>,
    bytes: u64,
    account: Option<Arc<Account>>,
}

/// A row of a hash table with a key and a pointer, at the load that such tables have.
const ROW: usize = 32;
/// What an allocation takes beside what is in it, and the counts of a shared text.
const BLOCK: usize = 16;
/// The places of a delayed message in the agenda.
const DUE: usize = 96;
/// The place of a unique key, of a named schedule or of a group in the tables of the engine and of the queue.
const NAMED: usize = 96;

impl Beside {
    /// Counts its bytes there.
    pub(super) fn count_in(&mut self, account: Arc<Account>) {
        account.add(Purpose::Terms, self.bytes);
        self.account = Some(account);
    }

    /// Keeps the terms of a message.
    pub(super) fn keep_terms(&mut self, message: MessageId, terms: Box<Terms>) {
        let new = bytes_of_terms(&terms);
        let old = self.terms.insert(message, terms).map_or(0, |old| bytes_of_terms(&old));
        self.recount(old, new);
    }

    /// Keeps why a message died.
    pub(super) fn keep_note(&mut self, message: MessageId, note: Arc<DeathNote>) {
        let new = bytes_of_note(&note);
        let old = self.notes.insert(message, note).map_or(0, |old| bytes_of_note(&old));
        self.recount(old, new);
    }

    /// The terms of a message, if they are here.
    pub(super) fn terms(&self, message: MessageId) -> Option<&Terms> {
        self.terms.get(&message).map(AsRef::as_ref)
    }

    /// Why a message died, if it did.
    pub(super) fn note(&self, message: MessageId) -> Option<&Arc<DeathNote>> {
        self.notes.get(&message)
    }

    /// Whether a message here has died.
    pub(super) fn has_notes(&self) -> bool {
        !self.notes.is_empty()
    }

    /// Takes the terms of a message out.
    pub(super) fn take_terms(&mut self, message: MessageId) -> Option<Box<Terms>> {
        let terms = self.terms.remove(&message)?;
        self.recount(bytes_of_terms(&terms), 0);
        Some(terms)
    }

    /// Takes out why a message died.
    pub(super) fn take_note(&mut self, message: MessageId) -> Option<Arc<DeathNote>> {
        let note = self.notes.remove(&message)?;
        self.recount(bytes_of_note(&note), 0);
        Some(note)
    }

    fn recount(&mut self, old: u64, new: u64) {
        self.bytes = self.bytes + new - old;
        if let Some(account) = self.account.as_ref().filter(|_| old != new) {
            account.add(Purpose::Terms, new.saturating_sub(old));
            account.give(Purpose::Terms, old.saturating_sub(new));
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.recount(self.bytes, 0);
    }
}

/// About as many bytes as terms take in memory, their places in the tables that know of them included.
pub fn bytes_of_terms(terms: &Terms) -> u64 {
    let text = |text: &Arc<str>| BLOCK + text.len();
    let schedule = terms.schedule.as_ref().map_or(0, |it| BLOCK + size_of::<Schedule>() + it.bytes() + NAMED);
    let unique = terms.unique.as_ref().map_or(0, |it| BLOCK + size_of::<Unique>() + text(&it.key) + NAMED);
    let group = terms.group.as_ref().map_or(0, |it| text(&it.name) + NAMED);
    let value = terms.last_value.as_ref().map_or(0, |value| text(value) + NAMED);
    let dead_letter = terms.dead_letter.as_ref().map_or(0, |name| BLOCK + name.as_str().len());
    let due = if terms.due.is_some() { DUE } else { 0 };
    (ROW + BLOCK + size_of::<Terms>() + schedule + unique + group + value + dead_letter + due) as u64
}

/// About as many bytes as it takes in memory to know why a message died. The name of its queue is shared by all from there.
fn bytes_of_note(note: &DeathNote) -> u64 {
    (ROW + BLOCK + size_of::<DeathNote>() + note.error.as_ref().map_or(0, |error| BLOCK + error.len())) as u64
}
