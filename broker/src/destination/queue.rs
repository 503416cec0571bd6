//! A queue: its messages by place, and the leases of those that are out.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;

use crate::model::{DeathNote, DestinationName, MessageId, Place, Position, Urgency};

use super::ready::Ready;
use super::selection::Selections;
use super::slots::Slots;
use super::{ConsumerKey, Entry, Policy, SlotId, State};

/// Who holds a message that is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    slot: SlotId,
    /// The holder.
    pub consumer: ConsumerKey,
}

/// A message on its way out.
#[derive(Debug)]
pub struct Taken {
    /// Its slot, for what is still to be done with it.
    pub slot: SlotId,
    /// A copy of what the queue knows about it.
    pub entry: Entry,
    /// Whether it may have been handed out before this time.
    pub redelivered: bool,
}

/// A message that left its queue, with what a dead-letter queue knew of it.
#[derive(Debug)]
pub struct Departed {
    /// What the queue knew about it.
    pub entry: Entry,
    /// Why it had been dead-lettered into this queue, if it had.
    pub note: Option<Arc<DeathNote>>,
}

/// Messages, leases, and the consumers that have credit.
#[derive(Debug)]
pub struct Queue {
    name: DestinationName,
    policy: Policy,
    /// The log knows the queue.
    pub declared: bool,
    pub(super) slots: Slots,
    pub(super) ready: Ready,
    leases: HashMap<MessageId, Lease, RandomState>,
    pub(super) notes: HashMap<MessageId, Arc<DeathNote>, RandomState>,
    pub(super) selections: Selections,
    next_sequence: i64,
    bytes: u64,
    consumers: usize,
    /// Consumers with credit, in the order of their turns.
    pub rotation: VecDeque<ConsumerKey>,
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
            leases: HashMap::default(),
            notes: HashMap::default(),
            selections: Selections::default(),
            next_sequence: 1,
            bytes: 0,
            consumers: 0,
            rotation: VecDeque::new(),
        }
    }

    /// The place at the end of the queue, for a message of that urgency.
    pub fn next_place(&self, urgency: Urgency) -> Place {
        Place { urgency, sequence: self.next_sequence }
    }

    /// Takes a message in. It stays unseen until [`make_ready`](Self::make_ready).
    pub fn accept(&mut self, entry: Entry, note: Option<Arc<DeathNote>>) -> SlotId {
        self.next_sequence = self.next_sequence.max(entry.place().sequence + 1);
        self.bytes += u64::from(entry.size);
        if let Some(note) = note {
            self.notes.insert(entry.message, note);
        }
        self.slots.insert(entry)
    }

    /// A message may be seen: it is durable, or never will be.
    pub fn make_ready(&mut self, slot: SlotId) {
        if let Some(entry) = self.slots.get_mut(slot) {
            entry.state = State::Ready;
            let place = entry.place();
            self.ready.insert(&self.slots, place, slot);
            if !self.selections.is_empty() {
                self.selections.notice(place);
            }
        }
    }

    /// Leases the first ready message to a consumer.
    pub fn take(&mut self, consumer: ConsumerKey) -> Option<Taken> {
        let slot = self.ready.pop()?;
        self.lease(slot, consumer)
    }

    /// Leases the ready message at a place to a consumer.
    pub fn take_at(&mut self, place: Place, consumer: ConsumerKey) -> Option<Taken> {
        let slot = self.ready.remove(&self.slots, place)?;
        self.lease(slot, consumer)
    }

    fn lease(&mut self, slot: SlotId, consumer: ConsumerKey) -> Option<Taken> {
        let entry = self.slots.get_mut(slot)?;
        let redelivered = entry.handed_out;
        entry.state = State::Reserved;
        entry.handed_out = true;
        self.leases.insert(entry.message, Lease { slot, consumer });
        Some(Taken { slot, entry: entry.clone(), redelivered })
    }

    /// Ends a lease: the message is ready again, in its own place. `attempts` is the new count where one was counted.
    /// At replay, where nothing is leased, only the count is taken over.
    pub fn give_back(&mut self, message: MessageId, place: Place, attempts: Option<u16>) {
        let lease = self.leases.remove(&message);
        let slot = lease.map(|lease| lease.slot).or_else(|| self.ready.find(&self.slots, place));
        let Some((slot, entry)) = slot.and_then(|slot| Some((slot, self.slots.get_mut(slot)?))) else { return };
        entry.attempts = attempts.unwrap_or(entry.attempts);
        entry.handed_out = true;
        if lease.is_some() {
            self.make_ready(slot);
        }
    }

    /// A message leaves the queue, leased or ready.
    pub fn depart(&mut self, message: MessageId, place: Place) -> Option<Departed> {
        let leased = self.leases.remove(&message).map(|lease| lease.slot);
        let slot = leased.or_else(|| self.ready.remove(&self.slots, place))?;
        let entry = self.slots.remove(slot)?;
        self.bytes -= u64::from(entry.size);
        if self.slots.len() == 0 {
            // Whatever a flood has made grow shrinks once the queue is empty.
            self.ready.shrink();
            self.leases.shrink_to(64);
        }
        let note = if self.notes.is_empty() { None } else { self.notes.remove(&entry.message) };
        Some(Departed { entry, note })
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

    /// The message that a consumer holds, if it holds it.
    pub fn leased(&self, message: MessageId, consumer: ConsumerKey) -> Option<&Entry> {
        let lease = self.leases.get(&message).filter(|lease| lease.consumer == consumer)?;
        self.slots.get(lease.slot)
    }

    /// Why a message was dead-lettered into this queue, if it was.
    pub fn note(&self, message: MessageId) -> Option<&Arc<DeathNote>> {
        if self.notes.is_empty() { None } else { self.notes.get(&message) }
    }

    /// A consumer came.
    pub fn join(&mut self) {
        self.consumers += 1;
    }

    /// A consumer went; it has no turn any more.
    pub fn leave(&mut self, consumer: ConsumerKey) {
        self.consumers -= 1;
        self.rotation.retain(|&other| other != consumer);
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

    /// Whether something was taken in that may not be seen yet.
    pub fn has_unseen(&self) -> bool {
        self.slots.len() > self.ready.len() + self.leases.len()
    }

    /// Consumers.
    pub fn consumers(&self) -> usize {
        self.consumers
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
