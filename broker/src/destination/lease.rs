//! How a message is out, how it comes back, and how it leaves. Plain facts that a queue gives and takes.

use std::sync::Arc;

use super::{ConsumerKey, Entry, Queue, SlotId, State};
use crate::model::{Carried, DeathNote, MessageId, Place, Standing, Terms, Timestamp};
use crate::seeded::{self, Bug};

/// Who holds a message that is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub(super) slot: SlotId,
    /// The holder.
    pub consumer: ConsumerKey,
    /// Which delivery of the holder it is: the same message may come to it again.
    pub number: u64,
    /// When the message comes back by itself, and after what time, in milliseconds.
    pub timed: Option<(Timestamp, u32)>,
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
    /// When it comes back by itself, and after what time, in milliseconds.
    pub timed: Option<(Timestamp, u32)>,
}

/// How long a consumer that is timed wants to keep a message.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// From when.
    pub now: Timestamp,
    /// In milliseconds; `None` leaves it to message and policy.
    pub time_to_run_ms: Option<u32>,
}

/// A message that left its queue, with what a dead-letter queue knew of it.
#[derive(Debug)]
pub struct Departed {
    /// What the queue knew about it.
    pub entry: Entry,
    /// Why it had been dead-lettered into this queue, if it had.
    pub note: Option<Arc<DeathNote>>,
    /// What its sender said about it, if that is more than when it expires.
    pub more: Option<Box<Terms>>,
}

impl Departed {
    /// What its sender said about it.
    pub fn into_terms(self) -> Option<Box<Terms>> {
        self.more.or_else(|| self.entry.own_terms().map(Box::new))
    }
}

/// How a lease ends without success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Return {
    /// Failed deliveries so far.
    pub attempts: u16,
    /// NACKs among them.
    pub nacks: u8,
    /// How the message stands from now on.
    pub standing: Standing,
}

impl Queue {
    /// Leases the first ready message to a consumer, as its delivery of that number. `wish` is the time that the consumer
    /// sets; it goes before that of the message, and that before the policy's. `None` for a holder who is not timed at all.
    pub fn take(&mut self, consumer: ConsumerKey, number: u64, wish: Option<Wish>) -> Option<Taken> {
        if self.groups.is_some() {
            let place = self.first_ready()?.place();
            return self.take_at(place, (consumer, number), wish);
        }
        let slot = self.ready.pop()?;
        self.lease(slot, (consumer, number), wish)
    }

    /// The same for the ready message at a place.
    pub fn take_at(&mut self, place: Place, holder: (ConsumerKey, u64), wish: Option<Wish>) -> Option<Taken> {
        let slot = self.ready.remove(&self.slots, place)?;
        if self.groups.is_none() {
            return self.lease(slot, holder, wish);
        }
        self.hide(slot, place, (false, false));
        self.claim(slot, holder.0);
        self.lease(slot, holder, wish)
    }

    fn lease(&mut self, slot: SlotId, (consumer, number): (ConsumerKey, u64), wish: Option<Wish>) -> Option<Taken> {
        let entry = self.slots.get_mut(slot)?;
        let redelivered = entry.handed_out;
        entry.state = State::Reserved;
        self.counts.dispatched += 1;
        entry.handed_out = true;
        if entry.expires().is_some() {
            self.ends.remove(&self.slots, slot);
        }
        let entry = self.slots.get(slot)?;
        let own = || self.more(entry)?.time_to_run_ms;
        let timed = wish.and_then(|wish| {
            let ms = wish.time_to_run_ms.or_else(own).or(self.policy.time_to_run_ms)?;
            Some((wish.now.after(ms.into()), ms))
        });
        if let Some((end, _)) = timed {
            self.agenda.lend(end, entry.message);
        }
        self.leases.insert(entry.message, Lease { slot, consumer, number, timed });
        if seeded::is(Bug::HandedOutTwice) && !redelivered {
            let (entry, place) = (entry.clone(), entry.place());
            self.ready.insert(&self.slots, place, slot);
            return Some(Taken { slot, entry, redelivered, timed });
        }
        Some(Taken { slot, entry: entry.clone(), redelivered, timed })
    }

    /// A message comes from another queue: with what it takes along, or to begin anew.
    pub fn arrive(
        &mut self,
        mut entry: Entry,
        note: Option<Arc<DeathNote>>,
        terms: Option<Box<Terms>>,
        carried: Option<Carried>,
    ) -> SlotId {
        let Carried { attempts, nacks, standing } =
            carried.unwrap_or(Carried { attempts: 0, nacks: 0, standing: Standing::Ready });
        (entry.attempts, entry.nacks) = (attempts, nacks);
        let slot = self.accept(entry, note, terms);
        self.stand(slot, standing);
        slot
    }

    /// The message that a consumer holds by its delivery of that number, if it still does.
    pub fn leased(&self, message: MessageId, consumer: ConsumerKey, number: u64) -> Option<&Entry> {
        let is_it = |lease: &&Lease| lease.consumer == consumer && lease.number == number;
        self.slots.get(self.leases.get(&message).filter(is_it)?.slot)
    }

    /// Restarts the time of a lease, or sets another one. A lease without a time stays without, unless one is set.
    pub fn touch(&mut self, message: MessageId, wish: Wish) {
        let Some(lease) = self.leases.get_mut(&message) else { return };
        let Some(ms) = wish.time_to_run_ms.or(lease.timed.map(|(_, ms)| ms)) else { return };
        let end = wish.now.after(ms.into());
        if let Some((old, _)) = lease.timed.replace((end, ms)) {
            self.agenda.forget_lease(old, message);
        }
        self.agenda.lend(end, message);
    }

    /// The lease of a message has no time any more: it is out until the process ends.
    pub fn hold(&mut self, message: MessageId) {
        if let Some((end, _)) = self.leases.get_mut(&message).and_then(|lease| lease.timed.take()) {
            self.agenda.forget_lease(end, message);
        }
    }

    /// A message whose lease is over, and the lease.
    pub fn lapsed(&self, now: Timestamp) -> Option<(&Entry, Lease)> {
        let lease = *self.leases.get(&self.agenda.lapsed(now)?)?;
        Some((self.slots.get(lease.slot)?, lease))
    }
}
