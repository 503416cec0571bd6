//! A queue as its selective consumers use it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::queue::Queue;
use super::selection::Field;
use super::{ConsumerKey, Contents, Entry, Sought};
use crate::model::{Filter, MessageId, Place, Position, Steps};

impl Queue {
    /// A consumer wants only what its filter lets through, if it has one.
    pub fn select(&mut self, consumer: ConsumerKey, filter: Option<&Arc<dyn Filter>>) {
        if let Some(filter) = filter {
            self.selections.join(consumer, Arc::clone(filter));
        }
    }

    /// Whether a consumer wants, or may read, only some of what is here.
    pub fn is_selective(&self, consumer: ConsumerKey) -> bool {
        self.selections.has(consumer)
    }

    /// Whether something is there that could be handed out.
    pub fn offers(&self) -> bool {
        self.has_open()
            && (self.withheld.is_empty()
                || self.first_ready().is_some_and(|entry| self.is_before_withheld(entry.place())))
    }

    /// The same, now or as soon as the log has what put it there.
    fn has_open(&self) -> bool {
        self.open().len() > 0 && self.gives()
    }

    /// Whether something is there that might be for a consumer: for one that selects, until it has looked at everything.
    pub fn may_have(&self, consumer: ConsumerKey) -> bool {
        let is_barred = self.rotation.is_barred(consumer);
        let is_called = self.calls_for(consumer);
        let has_looked = self.withheld.is_empty() && self.selections.is_idle(consumer);
        self.gives() && !is_barred && (is_called || self.has_open() && !has_looked)
    }

    /// Looks for the next message of a selective consumer, as far as there are steps for it. Each message is looked at once,
    /// unless it is given back.
    pub fn seek(&mut self, consumer: ConsumerKey, contents: &Contents, steps: &mut Steps) -> Sought {
        let (slots, beside) = (&self.slots, &self.beside);
        let ready = self.groups.as_ref().map_or(&self.ready, |groups| &groups.open);
        let note = |message| beside.note(message).map(|note| &**note);
        let until = self.withheld.first().copied();
        self.selections.seek(consumer, &Field { slots, ready, contents, note: &note, until }, steps)
    }

    /// Selective consumers that had looked at everything, and may go on because something became ready since.
    pub fn roused(&mut self) -> Vec<ConsumerKey> {
        if self.selections.is_empty() { Vec::new() } else { self.selections.roused() }
    }

    /// Whether selective consumers wait for heads that nobody reads.
    pub fn wants_heads(&self) -> bool {
        self.selections.wants_heads()
    }

    /// A selective consumer leaves what it has found, to come back to it.
    pub fn put_back(&mut self, consumer: ConsumerKey, place: Place) {
        self.selections.put_back(consumer, place);
    }

    /// The first message that anybody may have.
    pub fn first_ready(&self) -> Option<&Entry> {
        self.open().iter().next().and_then(|slot| self.slots.get(slot))
    }

    /// The ready message at a place.
    pub fn ready_at(&self, place: Place) -> Option<&Entry> {
        self.slots.get(self.ready.find(&self.slots, place)?)
    }

    /// Messages whose heads are to be read next, and where they lie. Until [`heads_read`](Self::heads_read) nothing more
    /// is wanted.
    pub fn unread(&mut self, contents: &Contents) -> Vec<(MessageId, Position)> {
        let (slots, beside) = (&self.slots, &self.beside);
        let ready = self.groups.as_ref().map_or(&self.ready, |groups| &groups.open);
        let note = |message| beside.note(message).map(|note| &**note);
        self.selections.unread(&Field { slots, ready, contents, note: &note, until: None })
    }

    /// What was wanted is in memory. Returns the consumers that waited for it.
    pub fn heads_read(&mut self) -> VecDeque<ConsumerKey> {
        self.selections.released()
    }
}
