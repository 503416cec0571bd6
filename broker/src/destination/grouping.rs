//! A queue as its groups use it: what may be handed out, and to whom.

use super::groups::Groups;
use super::queue::Queue;
use super::ready::Ready;
use super::{ConsumerKey, Entry, SlotId};
use crate::model::{Group, Place};

impl Queue {
    /// Ready messages that anybody may have.
    pub(super) fn open(&self) -> &Ready {
        self.groups.as_ref().map_or(&self.ready, |groups| &groups.open)
    }

    /// The group of a message.
    pub(super) fn group_of(&self, entry: &Entry) -> Option<Group> {
        self.more(entry).and_then(|terms| terms.group.clone())
    }

    /// A message is ready, and in its place among all others. Says whether everybody may know of it by now.
    pub(super) fn show(&mut self, slot: SlotId) -> bool {
        let Some(entry) = self.slots.get(slot) else { return false };
        let (place, group) = (entry.place(), self.group_of(entry));
        if self.groups.is_none() && group.is_none() {
            return true;
        }
        let (all, exclusive) = ((&self.slots, &self.ready), self.has_exclusive_groups());
        let groups = self.groups.get_or_insert_with(|| {
            let mut groups = Groups::new(all, exclusive);
            // The one that is new is no part of what was there before.
            groups.open.remove(all.0, place);
            Box::new(groups)
        });
        let shown = if let Some(group) = group {
            groups.ready(&group.name, place, all)
        } else {
            groups.open.insert(all.0, place, slot);
            Some(place)
        };
        self.announce(shown);
        false
    }

    /// A message waits for its time; those of its group may have to wait for it.
    pub(super) fn hold_back(&mut self, slot: SlotId) {
        let Some(entry) = self.slots.get(slot).filter(|entry| entry.attempts > 0) else { return };
        let (place, Some(group)) = (entry.place(), self.group_of(entry)) else { return };
        let (all, exclusive) = ((&self.slots, &self.ready), self.has_exclusive_groups());
        let groups = self.groups.get_or_insert_with(|| Box::new(Groups::new(all, exclusive)));
        let shown = groups.failed(&group.name, place, all);
        self.announce(shown);
    }

    /// A message is neither ready nor waiting any more, nor, if it was, is it out. `is_over` if nobody takes it now.
    pub(super) fn hide(&mut self, slot: SlotId, place: Place, (was_out, is_over): (bool, bool)) {
        let Some(entry) = self.slots.get(slot) else { return };
        let group = self.group_of(entry);
        let Some(groups) = &mut self.groups else { return };
        let Some(Group { name, .. }) = group else {
            groups.open.remove(&self.slots, place);
            return;
        };
        groups.withdraw(&name, place, &self.slots);
        if was_out {
            groups.ended(&name);
        }
        if is_over {
            let all = (&self.slots, &self.ready);
            let shown = groups.refresh(&name, all);
            self.announce(shown);
        }
    }

    /// A message went out.
    pub(super) fn claim(&mut self, slot: SlotId, consumer: ConsumerKey) {
        let Some(Group { name, closes }) = self.slots.get(slot).and_then(|entry| self.group_of(entry)) else { return };
        let is_steady = !self.selections.has(consumer);
        let Some(groups) = &mut self.groups else { return };
        groups.taken(&name, (consumer, is_steady), closes);
        let all = (&self.slots, &self.ready);
        let shown = groups.refresh(&name, all);
        self.announce(shown);
    }

    /// The lease of a message was lost: if who held it owns its group, that is over.
    pub fn disown(&mut self, entry: &Entry, holder: ConsumerKey) {
        let Some(group) = self.group_of(entry) else { return };
        let Some(groups) = &mut self.groups else { return };
        if !groups.is_owner(&group.name, holder) {
            return;
        }
        let all = (&self.slots, &self.ready);
        let shown = groups.free(&group.name, all);
        self.announce(shown);
    }

    /// A consumer gives up its groups.
    pub fn disband(&mut self, consumer: ConsumerKey) {
        let Some(groups) = &mut self.groups else { return };
        let all = (&self.slots, &self.ready);
        let shown = groups.leave(consumer, all);
        self.announce(shown);
    }

    /// The message that is on call for the owner of its group, if none in the open comes before it.
    pub fn next_call(&self) -> Option<(Place, ConsumerKey)> {
        let groups = self.groups.as_ref()?;
        let (place, consumer) = groups.next_call()?;
        let is_first = self.first_ready().is_none_or(|entry| place < entry.place());
        (is_first && self.is_before_withheld(place)).then_some((place, consumer))
    }

    /// The first message for a consumer that does not select: of what is on call for it and, if it may, of what is in
    /// the open.
    pub fn first_for(&self, consumer: ConsumerKey, may_have_open: bool) -> Option<&Entry> {
        let open = self.first_ready().filter(|_| may_have_open);
        let is_served = self.gives() && !self.rotation.is_barred(consumer);
        let called = self.groups.as_ref().filter(|_| is_served).and_then(|groups| groups.first_call_of(consumer));
        let called = called.and_then(|place| self.ready_at(place));
        open.into_iter()
            .chain(called.filter(|entry| self.is_before_withheld(entry.place())))
            .min_by_key(|entry| entry.place())
    }

    /// Whether an owner of groups has room for what is on call.
    pub fn set_room(&mut self, consumer: ConsumerKey, has_room: bool) {
        if let Some(groups) = &mut self.groups {
            groups.set_room(consumer, has_room);
        }
    }

    /// A consumer has credit, and takes part in the turns.
    pub fn line_up(&mut self, consumer: ConsumerKey, priority: i32) {
        self.rotation.push(consumer, priority);
        self.set_room(consumer, true);
    }

    /// Whether nothing of a group may be out with two consumers.
    pub fn has_exclusive_groups(&self) -> bool {
        self.asked_exclusive || self.policy().exclusive_groups
    }

    /// A consumer wants that so, whatever the policy says.
    pub fn make_groups_exclusive(&mut self) {
        self.asked_exclusive = true;
        self.apply_rule_of_groups();
    }

    /// The rule may be another one now.
    pub(super) fn apply_rule_of_groups(&mut self) {
        let exclusive = self.has_exclusive_groups();
        let Some(groups) = &mut self.groups else { return };
        let all = (&self.slots, &self.ready);
        let shown = groups.set_exclusive(exclusive, all);
        self.announce(shown);
    }

    /// Whether something of its own groups is there for a consumer.
    pub(super) fn calls_for(&self, consumer: ConsumerKey) -> bool {
        self.groups.as_ref().is_some_and(|groups| groups.first_call_of(consumer).is_some())
    }

    /// Selective consumers hear of what has come into the open.
    fn announce(&mut self, shown: impl IntoIterator<Item = Place>) {
        if !self.selections.is_empty() {
            shown.into_iter().for_each(|place| self.selections.notice(place));
        }
    }
}
