//! A queue: its messages by place, and the leases of those that are out.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::memory::Account;
use crate::model::{
    DeathNote, DestinationName, Limits, MessageId, Pause, Place, Position, Standing, Terms, Timestamp, Urgency,
};
use crate::table::BusyTable;

use super::agenda::Agenda;
use super::beside::Beside;
use super::ends::Ends;
use super::groups::Groups;
use super::last::LastValues;
use super::ready::Ready;
use super::selection::Selections;
use super::slots::Slots;
use super::{ConsumerKey, Counts, Departed, Entry, Fed, Lease, Policy, Return, Rotation, SlotId, State};

/// Messages, leases, and the consumers that have credit.
#[derive(Debug)]
pub struct Queue {
    name: DestinationName,
    pub(super) policy: Policy,
    /// The log knows the queue.
    pub declared: bool,
    pub(super) slots: Slots,
    pub(super) ready: Ready,
    pub(super) leases: BusyTable<MessageId, Lease>,
    pub(super) beside: Beside,
    pub(super) ends: Ends,
    pub(super) agenda: Agenda,
    pub(super) selections: Selections,
    /// Groups of messages; `None` while there is none.
    pub(super) groups: Option<Box<Groups>>,
    /// A consumer wants groups to be exclusive.
    pub(super) asked_exclusive: bool,
    next_sequence: i64,
    bytes: u64,
    pub(super) counts: Counts,
    /// Ready messages that are not handed out before the log has what put them here.
    pub(super) withheld: BTreeSet<Place>,
    consumers: usize,
    /// Those that came by a pattern.
    passers: usize,
    /// What feeds it, if something does.
    pub fed: Option<Box<Fed>>,
    /// The newest message of each value, where it goes by values.
    pub(super) last: Option<Box<LastValues>>,
    /// What its maker asked for.
    pub asked: Option<Box<Limits>>,
    /// Somebody read it once by its name.
    pub(super) had_reader: bool,
    /// Which sides stand still.
    pub pause: Pause,
    /// Nobody will read it again: what is in it goes, then itself.
    pub doomed: bool,
    /// Those who look through it.
    pub viewers: Vec<ConsumerKey>,
    /// Consumers with credit, by their turns.
    pub rotation: Rotation,
}

impl Queue {
    /// An empty queue.
    pub fn new(name: DestinationName, policy: Policy) -> Queue {
        Queue {
            name,
            policy,
            declared: false,
            slots: Slots::default(),
            ready: Ready::default(),
            leases: BusyTable::default(),
            beside: Beside::default(),
            ends: Ends::default(),
            agenda: Agenda::default(),
            selections: Selections::default(),
            groups: None,
            asked_exclusive: false,
            next_sequence: 1,
            bytes: 0,
            counts: Counts::default(),
            withheld: BTreeSet::new(),
            consumers: 0,
            passers: 0,
            fed: None,
            last: None,
            asked: None,
            had_reader: false,
            pause: Pause::default(),
            doomed: false,
            viewers: Vec::new(),
            rotation: Rotation::default(),
        }
    }

    /// Counts the memory of its table there.
    pub fn count_in(&mut self, account: Arc<Account>) {
        self.slots.count_in(Arc::clone(&account));
        self.beside.count_in(account);
    }

    /// The place at the end of the queue, for a message of that urgency.
    pub fn next_place(&self, urgency: Urgency) -> Place {
        Place { urgency, sequence: self.next_sequence }
    }

    /// Takes a message in. It stays unseen until [`release`](Self::release).
    pub fn accept(&mut self, mut entry: Entry, note: Option<Arc<DeathNote>>, terms: Option<Box<Terms>>) -> SlotId {
        self.next_sequence = self.next_sequence.max(entry.place().sequence + 1);
        self.bytes += u64::from(entry.size);
        self.counts.enqueued += 1;
        if let Some(note) = note {
            self.beside.keep_note(entry.message, note);
        }
        if let Some(terms) = entry.agree(terms) {
            self.beside.keep_terms(entry.message, terms);
        }
        let (message, has_terms) = (entry.message, entry.has_terms());
        let slot = self.slots.insert(entry);
        if has_terms {
            self.note_value(message, slot);
        }
        slot
    }

    /// A message that was accepted may be seen: it is durable, or never will be. With a due time it is delayed, whatever
    /// the clock says: only [`wake`](Self::wake) makes it ready.
    pub fn release(&mut self, slot: SlotId) {
        let Some(entry) = self.slots.get(slot) else { return };
        let (message, due) = (entry.message, self.more(entry).and_then(|terms| terms.due));
        self.stand(slot, due.map_or(Standing::Ready, Standing::Delayed));
        self.note_seen(message, slot);
    }

    /// Nobody holds the message: it takes its place among the ready, or waits.
    pub(super) fn stand(&mut self, slot: SlotId, standing: Standing) {
        let Some(entry) = self.slots.get_mut(slot) else { return };
        let (message, place) = (entry.message, entry.place());
        entry.state = match standing {
            Standing::Ready => State::Ready,
            Standing::Delayed(_) => State::Delayed,
            Standing::Buried(_) => State::Buried,
        };
        let (has_terms, is_withheld) = (entry.has_terms(), entry.is_withheld());
        if entry.expires().is_some() {
            self.ends.insert(&self.slots, slot);
        }
        match standing {
            Standing::Ready => {
                self.ready.insert(&self.slots, place, slot);
                if is_withheld {
                    self.withheld.insert(place);
                }
                let is_plain = self.groups.is_none() && !has_terms || self.show(slot);
                if is_plain && !self.selections.is_empty() {
                    self.selections.notice(place);
                }
            }
            waits => {
                self.agenda.park(message, slot, waits);
                if matches!(waits, Standing::Delayed(_)) {
                    self.hold_back(slot);
                }
            }
        }
    }

    /// A message that waited is ready, in its own place.
    pub fn wake(&mut self, message: MessageId) {
        let Some(slot) = self.agenda.unpark(message) else { return };
        self.forget_due(slot);
        self.stand(slot, Standing::Ready);
    }

    /// Ends a lease without success. At replay, where nothing is leased, the message is taken from where it stands.
    /// Returns where it is.
    pub fn give_back(&mut self, message: MessageId, place: Place, back: Return) -> Option<SlotId> {
        let slot = self.withdraw(message, place)?;
        if let Some(entry) = self.slots.get_mut(slot) {
            (entry.attempts, entry.nacks, entry.handed_out) = (back.attempts, back.nacks, true);
        }
        self.forget_due(slot);
        self.stand(slot, back.standing);
        Some(slot)
    }

    /// A message leaves the queue, wherever it stands.
    pub fn depart(&mut self, message: MessageId, place: Place) -> Option<Departed> {
        let slot = self.withdraw(message, place)?;
        if self.slots.get(slot)?.expires().is_some() {
            self.ends.remove(&self.slots, slot);
        }
        let entry = self.slots.remove(slot)?;
        self.bytes -= u64::from(entry.size);
        self.counts.dequeued += 1;
        let more = if entry.has_terms() { self.beside.take_terms(message) } else { None };
        if let Some(value) = more.as_ref().and_then(|terms| terms.last_value.as_ref()) {
            self.forget_value(message, value);
        }
        if self.slots.len() == 0 {
            self.groups.take_if(|groups| groups.is_empty());
            // Whatever a flood has made grow shrinks once the queue is empty.
            self.ready.shrink();
        }
        Some(Departed { entry, note: self.beside.take_note(message), more })
    }

    /// Takes a message out of whatever it is in: a lease, the agenda, the ready ones.
    pub(super) fn withdraw(&mut self, message: MessageId, place: Place) -> Option<SlotId> {
        let lease = self.leases.remove(&message);
        if let Some((end, _)) = lease.and_then(|lease| lease.timed) {
            self.agenda.forget_lease(end, message);
        }
        let slot = lease
            .map(|lease| lease.slot)
            .or_else(|| self.agenda.unpark(message))
            .or_else(|| self.ready.remove(&self.slots, place))?;
        if !self.withheld.is_empty() {
            self.withheld.remove(&place);
        }
        if self.groups.is_some() {
            self.hide(slot, place, (lease.is_some(), true));
        }
        Some(slot)
    }

    /// Messages in that state: ready ones by place, delayed ones by time, buried ones in the order of their burial.
    pub fn in_state(&self, state: State) -> Box<dyn Iterator<Item = &Entry> + '_> {
        let entry = |slot| self.slots.get(slot);
        match state {
            State::Ready => Box::new(self.ready.iter().filter_map(entry)),
            State::Delayed => Box::new(self.agenda.delayed().filter_map(entry)),
            State::Buried => Box::new(self.agenda.buried().filter_map(entry)),
            State::Accepted | State::Reserved => Box::new(std::iter::empty()),
        }
    }

    /// The first message that nobody holds: one that is ready, delayed or buried.
    pub fn first(&self) -> Option<&Entry> {
        [State::Ready, State::Delayed, State::Buried].into_iter().find_map(|state| self.in_state(state).next())
    }

    /// The message that came last, seen or not.
    pub fn newest(&self) -> Option<&Entry> {
        self.slots.iter().max_by_key(|entry| entry.place().sequence)
    }

    /// The log has a message.
    pub fn set_position(&mut self, slot: SlotId, position: Position) {
        if let Some(entry) = self.slots.get_mut(slot) {
            entry.set_position(position);
        }
    }

    /// What is known about a message.
    pub fn entry(&self, slot: SlotId) -> Option<&Entry> {
        self.slots.get(slot)
    }

    /// What is known about a message, to be changed.
    pub fn entry_mut(&mut self, slot: SlotId) -> Option<&mut Entry> {
        self.slots.get_mut(slot)
    }

    /// Whether a dead letter is in it.
    pub fn has_notes(&self) -> bool {
        self.beside.has_notes()
    }

    /// Why a message was dead-lettered into this queue, if it was.
    pub fn note(&self, message: MessageId) -> Option<&Arc<DeathNote>> {
        self.beside.note(message)
    }

    /// What the sender of a message said about it.
    pub fn terms(&self, entry: &Entry) -> Option<Cow<'_, Terms>> {
        self.more(entry).map(Cow::Borrowed).or_else(|| entry.own_terms().map(Cow::Owned))
    }

    /// The same, if that is more than when the message expires.
    pub fn more(&self, entry: &Entry) -> Option<&Terms> {
        if entry.has_terms() { self.beside.terms(entry.message) } else { None }
    }

    /// A delayed message whose time has come.
    pub fn due(&self, now: Timestamp) -> Option<&Entry> {
        self.slots.get(self.agenda.due(now)?)
    }

    /// How a message stands that nobody holds.
    pub fn standing(&self, message: MessageId) -> Standing {
        self.agenda.standing(message)
    }

    /// A consumer came, by the queue's name or by a pattern.
    pub fn join(&mut self, by_name: bool) {
        if by_name {
            self.consumers += 1;
            self.had_reader = true;
        } else {
            self.passers += 1;
        }
    }

    /// A consumer went; it has no turn any more.
    pub fn leave(&mut self, consumer: ConsumerKey, by_name: bool) {
        if by_name {
            self.consumers -= 1;
        } else {
            self.passers -= 1;
        }
        self.rotation.leave(consumer);
        self.disband(consumer);
        self.selections.leave(consumer);
    }

    /// Nobody can say any more what was handed out: everything may have been.
    pub fn mark_handed_out(&mut self) {
        for entry in self.slots.iter_mut() {
            entry.handed_out = true;
        }
    }

    /// Its name.
    pub fn name(&self) -> &DestinationName {
        &self.name
    }

    /// Its rules.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Changes its rules.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
        self.apply_rule_of_groups();
    }

    /// Messages in it, ready, out or not yet durable.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.slots.len() == 0
    }

    /// Octets of head and body of what is in it.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Messages that wait for a consumer.
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Messages that are out.
    pub fn reserved(&self) -> usize {
        self.leases.len()
    }

    /// Messages that wait for their time.
    pub fn delayed(&self) -> usize {
        self.agenda.counts().0
    }

    /// Messages that wait until somebody kicks them.
    pub fn buried(&self) -> usize {
        self.agenda.counts().1
    }

    /// Consumers, however they came.
    pub fn consumers(&self) -> usize {
        self.consumers + self.passers
    }

    /// Whether somebody wants it by its name. A pattern keeps no queue in being.
    pub fn is_wanted(&self) -> bool {
        self.consumers > 0 || !self.viewers.is_empty()
    }

    /// Everything in it, ready messages in order first. For comparison and inspection.
    pub fn entries(&self) -> Vec<&Entry> {
        let ready = self.ready.iter().filter_map(|slot| self.slots.get(slot));
        let others = self.slots.iter().filter(|entry| entry.state != State::Ready);
        let mut others: Vec<_> = others.collect();
        others.sort_by_key(|entry| entry.place());
        ready.chain(others).collect()
    }
}
