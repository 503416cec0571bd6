//! Messages that belong together, one consumer at a time for each group of them.
//!
//! Of each group only the first message that is ready is in the open, and only while the group has no owner; for an owner
//! it is on call. So whoever looks for a message never looks past one that it may not have, however many groups
//! others own. Order is that of places and names, never that of a hash.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ConsumerKey;
use super::ready::Ready;
use super::slots::Slots;
use crate::model::Place;

/// Owned groups without a message that a queue remembers. Beyond it those are forgotten that have had none for longest.
const IDLE_GROUPS: usize = 10_000;

/// The groups of one queue.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// Ready messages that anybody may have: those without a group, and the first one of each free group.
    pub(super) open: Ready,
    /// Nothing of a group is out with two consumers, and no message overtakes a failed one.
    exclusive: bool,
    by_name: BTreeMap<Arc<str>, Group>,
    owners: BTreeMap<ConsumerKey, Owner>,
    /// Owners that have room, as far as is known, by the first message that is there for them.
    calls: BTreeSet<(Place, ConsumerKey)>,
    /// Owned groups without a message, by when they had the last one.
    idle: BTreeMap<u64, Arc<str>>,
    clock: u64,
}

#[derive(Debug, Default)]
struct Group {
    /// What is ready.
    waiting: BTreeSet<Place>,
    /// What has failed and waits for its time.
    failed: BTreeSet<Place>,
    /// How many are out.
    out: u32,
    owner: Option<ConsumerKey>,
    /// The one of those that wait that is in the open.
    shown: Option<Place>,
    /// The one that is on call for the owner.
    called: Option<Place>,
    idle: Option<u64>,
}

#[derive(Debug)]
struct Owner {
    groups: BTreeSet<Arc<str>>,
    heads: BTreeSet<Place>,
    /// It gets everything of its groups; who selects gets the next one only when the group is free again.
    is_steady: bool,
    has_room: bool,
    call: Option<Place>,
}

/// All ready messages of the queue.
pub(super) type All<'a> = (&'a Slots, &'a Ready);

impl Groups {
    /// Groups of a queue where so far all is in the open.
    pub(super) fn new((slots, ready): All<'_>, exclusive: bool) -> Groups {
        let mut groups = Groups { exclusive, ..Groups::default() };
        for slot in ready.iter() {
            if let Some(entry) = slots.get(slot) {
                groups.open.insert(slots, entry.place(), slot);
            }
        }
        groups
    }

    /// A message is ready. Returns what is in the open by it.
    pub(super) fn ready(&mut self, name: &Arc<str>, place: Place, all: All<'_>) -> Option<Place> {
        let group = self.by_name.entry(Arc::clone(name)).or_default();
        group.failed.remove(&place);
        group.waiting.insert(place);
        self.refresh(name, all)
    }

    /// A message has failed and waits: in an exclusive group those behind it wait too.
    pub(super) fn failed(&mut self, name: &Arc<str>, place: Place, all: All<'_>) -> Option<Place> {
        self.by_name.entry(Arc::clone(name)).or_default().failed.insert(place);
        self.refresh(name, all)
    }

    /// A message is not ready any more, or does not wait after a failure. To be followed by [`refresh`](Self::refresh).
    pub(super) fn withdraw(&mut self, name: &Arc<str>, place: Place, slots: &Slots) {
        let Some(group) = self.by_name.get_mut(name) else { return };
        group.failed.remove(&place);
        group.waiting.remove(&place);
        if group.shown.take_if(|shown| *shown == place).is_some() {
            self.open.remove(slots, place);
        }
    }

    /// A message went out to a consumer, which owns the group from now on unless it is closed by that.
    pub(super) fn taken(&mut self, name: &Arc<str>, (consumer, is_steady): (ConsumerKey, bool), closes: bool) {
        let Some(group) = self.by_name.get_mut(name) else { return };
        group.out += 1;
        if group.owner.is_none() {
            group.owner = Some(consumer);
            let new =
                || Owner { groups: BTreeSet::new(), heads: BTreeSet::new(), is_steady, has_room: true, call: None };
            self.owners.entry(consumer).or_insert_with(new).groups.insert(Arc::clone(name));
        }
        if closes && !self.exclusive {
            self.disown(name);
        }
    }

    /// A message is not out any more.
    pub(super) fn ended(&mut self, name: &Arc<str>) {
        if let Some(group) = self.by_name.get_mut(name) {
            group.out = group.out.saturating_sub(1);
        }
    }

    /// Whether a group is a consumer's.
    pub(super) fn is_owner(&self, name: &Arc<str>, consumer: ConsumerKey) -> bool {
        self.by_name.get(name).is_some_and(|group| group.owner == Some(consumer))
    }

    /// Nobody owns a group any more; in an exclusive one that is so when nothing of it is out.
    pub(super) fn free(&mut self, name: &Arc<str>, all: All<'_>) -> Option<Place> {
        if !self.exclusive {
            self.disown(name);
        }
        self.refresh(name, all)
    }

    /// A consumer gets no more of its groups, and gives up those that it may. Returns what is in the open by it.
    pub(super) fn leave(&mut self, consumer: ConsumerKey, all: All<'_>) -> Vec<Place> {
        let Some(owner) = self.owners.get_mut(&consumer) else { return Vec::new() };
        owner.is_steady = false;
        let names: Vec<_> = owner.groups.iter().cloned().collect();
        names.iter().filter_map(|name| self.free(name, all)).collect()
    }

    /// Which rule holds from now on. Returns what is in the open by it.
    pub(super) fn set_exclusive(&mut self, exclusive: bool, all: All<'_>) -> Vec<Place> {
        self.exclusive = exclusive;
        let names: Vec<_> = self.by_name.keys().cloned().collect();
        names.iter().filter_map(|name| self.refresh(name, all)).collect()
    }

    /// An owner has room, or has none.
    pub(super) fn set_room(&mut self, consumer: ConsumerKey, has_room: bool) {
        if let Some(owner) = self.owners.get_mut(&consumer) {
            owner.has_room = has_room;
            self.call(consumer);
        }
    }

    /// The first message that is on call for an owner with room.
    pub(super) fn next_call(&self) -> Option<(Place, ConsumerKey)> {
        self.calls.first().copied()
    }

    /// Whether there is no group.
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The first message that is on call for a consumer, whether it has room or not.
    pub(super) fn first_call_of(&self, consumer: ConsumerKey) -> Option<Place> {
        self.owners.get(&consumer).filter(|owner| owner.is_steady)?.heads.first().copied()
    }

    /// Puts the first message of a group where it belongs. Returns what is in the open by it.
    pub(super) fn refresh(&mut self, name: &Arc<str>, (slots, ready): All<'_>) -> Option<Place> {
        let group = self.by_name.get(name)?;
        let is_steady = |owner| self.owners.get(&owner).is_some_and(|owner: &Owner| owner.is_steady);
        if group.owner.is_some_and(|owner| group.out == 0 && (self.exclusive || !is_steady(owner))) {
            self.disown(name);
        }
        let group = self.by_name.get_mut(name)?;
        let is_blocked = |head: &Place| self.exclusive && group.failed.first().is_some_and(|failed| failed < head);
        let is_locked = self.exclusive && group.owner.is_none() && group.out > 0;
        let head = group.waiting.first().copied().filter(|head| !is_locked && !is_blocked(head));
        let (shown, called) = if group.owner.is_some() { (None, head) } else { (head, None) };
        let hidden = std::mem::replace(&mut group.shown, shown).filter(|old| Some(*old) != shown);
        let silenced = std::mem::replace(&mut group.called, called).filter(|old| Some(*old) != called);
        let is_new = shown.filter(|place| self.open.find(slots, *place).is_none());
        if let Some(place) = hidden {
            self.open.remove(slots, place);
        }
        if let Some((place, slot)) = is_new.and_then(|place| Some((place, ready.find(slots, place)?))) {
            self.open.insert(slots, place, slot);
        }
        if let Some(consumer) = group.owner
            && let Some(owner) = self.owners.get_mut(&consumer)
        {
            if let Some(place) = silenced {
                owner.heads.remove(&place);
            }
            owner.heads.extend(called);
            self.call(consumer);
        }
        self.settle(name);
        is_new
    }

    /// Whoever owns a group does so no more.
    fn disown(&mut self, name: &Arc<str>) {
        let Some(group) = self.by_name.get_mut(name) else { return };
        let Some(consumer) = group.owner.take() else { return };
        let called = group.called.take();
        if let Some(owner) = self.owners.get_mut(&consumer) {
            owner.groups.remove(name);
            if let Some(place) = called {
                owner.heads.remove(&place);
            }
            self.call(consumer);
            if self.owners.get(&consumer).is_some_and(|owner| owner.groups.is_empty()) {
                self.owners.remove(&consumer);
            }
        }
    }

    /// Brings the calls of an owner up to date.
    fn call(&mut self, consumer: ConsumerKey) {
        let Some(owner) = self.owners.get_mut(&consumer) else { return };
        let call = owner.heads.first().copied().filter(|_| owner.has_room && owner.is_steady);
        let old = std::mem::replace(&mut owner.call, call);
        if old != call {
            if let Some(place) = old {
                self.calls.remove(&(place, consumer));
            }
            self.calls.extend(call.map(|place| (place, consumer)));
        }
    }

    /// A group without messages is forgotten, unless it has an owner; then not at once.
    fn settle(&mut self, name: &Arc<str>) {
        let Some(group) = self.by_name.get_mut(name) else { return };
        let is_idle = group.waiting.is_empty() && group.failed.is_empty() && group.out == 0;
        if !is_idle {
            if let Some(stamp) = group.idle.take() {
                self.idle.remove(&stamp);
            }
        } else if group.owner.is_none() {
            if let Some(stamp) = self.by_name.remove(name).and_then(|group| group.idle) {
                self.idle.remove(&stamp);
            }
        } else if group.idle.is_none() {
            self.clock += 1;
            group.idle = Some(self.clock);
            self.idle.insert(self.clock, Arc::clone(name));
            if self.idle.len() > IDLE_GROUPS
                && let Some((_, oldest)) = self.idle.pop_first()
            {
                self.disown(&oldest);
                self.by_name.remove(&oldest);
            }
        }
    }
}
