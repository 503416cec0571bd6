//! What a selective consumer has looked at: each message once, in order of place, however often it comes back for more.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::heads::Head;
use super::ready::Ready;
use super::slots::Slots;
use super::{ConsumerKey, Contents, Entry, SlotId};
use crate::model::{Candidate, DeathNote, Durability, Filter, MessageId, Place, Position, Steps};

/// How far one consumer has looked.
#[derive(Debug)]
struct Selection {
    filter: Arc<dyn Filter>,
    /// Everything ready up to here has been judged, but for what is `behind`.
    cursor: Option<Place>,
    /// What became ready behind the cursor's back: what was given back, and what is more urgent.
    behind: BTreeSet<Place>,
    /// It stands in `idle`.
    is_idle: bool,
    /// It stands in `parked`.
    is_parked: bool,
}

/// The selective consumers of a queue.
#[derive(Debug, Default)]
pub(super) struct Selections {
    by_consumer: BTreeMap<ConsumerKey, Selection>,
    /// Those that found nothing more; something new may be for them.
    idle: Vec<ConsumerKey>,
    /// Those that came to a message whose head is not in memory.
    parked: VecDeque<ConsumerKey>,
    /// Something became ready since the idle ones were last asked.
    news: bool,
    /// Heads are being read for the parked ones.
    is_reading: bool,
}

/// What a consumer that looks for its next message comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// This one; it is behind the cursor now.
    Found(Place),
    /// There is none for it.
    Nothing,
    /// The next one cannot be judged before its head has been read.
    Unread,
    /// It has looked at enough for now.
    Later,
}

/// What there is to look at.
pub(super) struct Field<'a> {
    pub(super) slots: &'a Slots,
    pub(super) ready: &'a Ready,
    pub(super) contents: &'a Contents,
    pub(super) note: &'a dyn Fn(MessageId) -> Option<&'a DeathNote>,
    /// From there on nothing is handed out for now. When it is, that is news for all.
    pub(super) until: Option<Place>,
}

impl Field<'_> {
    fn is_held_back(&self, place: Place) -> bool {
        self.until.is_some_and(|until| place >= until)
    }

    /// Whether the filter wants the message; `None` while its head is not known. To look at it costs a step, and what the
    /// filter makes of its head.
    pub(super) fn judge(&self, filter: &dyn Filter, entry: &Entry, steps: &mut Steps) -> Option<bool> {
        steps.charge(1);
        let head = match self.contents.head(entry) {
            Head::Known(head) => head,
            Head::Elsewhere => return None,
            Head::Unreadable => return Some(false),
        };
        steps.charge(filter.steps(head.len()));
        Some(filter.wants(&Candidate {
            head,
            message: entry.message,
            urgency: entry.place().urgency,
            attempts: entry.attempts,
            redelivered: entry.handed_out,
            durability: if entry.is_durable() { Durability::Persistent } else { Durability::Transient },
            death: (self.note)(entry.message),
        }))
    }
}

impl Selection {
    /// Places that may be kept behind the cursor before it is set back instead.
    const BEHIND: usize = 1024;

    fn notice(&mut self, place: Place) {
        if self.cursor.is_none_or(|cursor| place > cursor) {
            return;
        }
        self.behind.insert(place);
        if self.behind.len() > Self::BEHIND {
            self.cursor = self.behind.first().map(|first| before(*first));
            self.behind.clear();
        }
    }

    fn seek(&mut self, field: &Field<'_>, steps: &mut Steps) -> Sought {
        while let Some(&place) = self.behind.first() {
            if steps.is_used_up() {
                return Sought::Later;
            }
            let entry = field.ready.find(field.slots, place).and_then(|slot| field.slots.get(slot));
            if field.is_held_back(place) {
                return Sought::Nothing;
            }
            let wanted = match entry.map(|entry| field.judge(&*self.filter, entry, steps)) {
                Some(None) => return Sought::Unread,
                Some(Some(wanted)) => wanted,
                // Somebody else has it.
                None => {
                    steps.charge(1);
                    false
                }
            };
            self.behind.pop_first();
            if wanted {
                return Sought::Found(place);
            }
        }
        for entry in field.ready.after(field.slots, self.cursor).filter_map(|slot| field.slots.get(slot)) {
            if steps.is_used_up() {
                return Sought::Later;
            }
            if field.is_held_back(entry.place()) {
                return Sought::Nothing;
            }
            let Some(wanted) = field.judge(&*self.filter, entry, steps) else { return Sought::Unread };
            self.cursor = Some(entry.place());
            if wanted {
                return Sought::Found(entry.place());
            }
        }
        Sought::Nothing
    }
}

/// The place right before that one, whether or not anything stands there.
fn before(place: Place) -> Place {
    Place { sequence: place.sequence.saturating_sub(1), ..place }
}

impl Selections {
    /// Messages whose heads are read at once.
    pub(super) const WINDOW: usize = 256;
    /// Octets of head and body that are read at once, if it is more than one message.
    const WINDOW_BYTES: usize = 1 << 20;

    pub(super) fn is_empty(&self) -> bool {
        self.by_consumer.is_empty()
    }

    pub(super) fn join(&mut self, consumer: ConsumerKey, filter: Arc<dyn Filter>) {
        let (cursor, behind) = (None, BTreeSet::new());
        let selection = Selection { filter, cursor, behind, is_idle: false, is_parked: false };
        self.by_consumer.insert(consumer, selection);
    }

    pub(super) fn leave(&mut self, consumer: ConsumerKey) {
        if self.by_consumer.remove(&consumer).is_some() {
            self.idle.retain(|&other| other != consumer);
            self.parked.retain(|&other| other != consumer);
        }
    }

    /// A message became ready.
    pub(super) fn notice(&mut self, place: Place) {
        for selection in self.by_consumer.values_mut() {
            selection.notice(place);
        }
        self.news = true;
    }

    /// The next message for a consumer, as far as there are steps to look for it. Who comes to an end stands aside until
    /// [`roused`](Self::roused).
    pub(super) fn seek(&mut self, consumer: ConsumerKey, field: &Field<'_>, steps: &mut Steps) -> Sought {
        let Some(selection) = self.by_consumer.get_mut(&consumer) else { return Sought::Nothing };
        let sought = selection.seek(field, steps);
        match sought {
            Sought::Nothing if !selection.is_idle => {
                selection.is_idle = true;
                self.idle.push(consumer);
            }
            Sought::Unread if !selection.is_parked => {
                selection.is_parked = true;
                self.parked.push_back(consumer);
            }
            _ => {}
        }
        sought
    }

    /// What a consumer has found it leaves where it is, to come back to it.
    pub(super) fn put_back(&mut self, consumer: ConsumerKey, place: Place) {
        if let Some(selection) = self.by_consumer.get_mut(&consumer) {
            selection.notice(place);
        }
    }

    /// Whether a consumer selects.
    pub(super) fn has(&self, consumer: ConsumerKey) -> bool {
        self.by_consumer.contains_key(&consumer)
    }

    /// Whether a consumer has looked at everything and found nothing more.
    pub(super) fn is_idle(&self, consumer: ConsumerKey) -> bool {
        self.by_consumer.get(&consumer).is_some_and(|selection| selection.is_idle)
    }

    /// Those that stood aside and may go on, if something became ready.
    pub(super) fn roused(&mut self) -> Vec<ConsumerKey> {
        if !std::mem::take(&mut self.news) {
            return Vec::new();
        }
        let roused = std::mem::take(&mut self.idle);
        for consumer in &roused {
            if let Some(selection) = self.by_consumer.get_mut(consumer) {
                selection.is_idle = false;
            }
        }
        roused
    }

    /// Whether heads have to be read, and nobody does.
    pub(super) fn wants_heads(&self) -> bool {
        !self.parked.is_empty() && !self.is_reading
    }

    /// What the one that has been parked for longest comes to next, and is not in memory.
    pub(super) fn unread(&mut self, field: &Field<'_>) -> Vec<(MessageId, Position)> {
        let Some(selection) = self.parked.front().and_then(|consumer| self.by_consumer.get(consumer)) else {
            return Vec::new();
        };
        self.is_reading = true;
        let behind = selection.behind.iter().filter_map(|place| field.ready.find(field.slots, *place));
        let slots = behind.chain(field.ready.after(field.slots, selection.cursor)).take(Self::WINDOW);
        let entries = slots.filter_map(|slot: SlotId| field.slots.get(slot));
        let unread = entries.filter(|entry| field.contents.head(entry) == Head::Elsewhere);
        Self::within_window(unread)
    }

    /// Of messages whose heads are wanted, as many as are read at once.
    pub(super) fn within_window<'a>(unread: impl Iterator<Item = &'a Entry>) -> Vec<(MessageId, Position)> {
        let mut bytes = 0;
        let within = unread.take_while(|entry| {
            let first = bytes == 0;
            bytes += entry.size as usize;
            first || bytes <= Self::WINDOW_BYTES
        });
        within.filter_map(|entry| Some((entry.message, entry.position()?))).collect()
    }

    /// The heads are there: who waited for them may go on.
    pub(super) fn released(&mut self) -> VecDeque<ConsumerKey> {
        self.is_reading = false;
        let released = std::mem::take(&mut self.parked);
        for consumer in &released {
            if let Some(selection) = self.by_consumer.get_mut(consumer) {
                selection.is_parked = false;
            }
        }
        released
    }
}
