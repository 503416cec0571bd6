//! Groups of messages as the model sees them: who owns one, and who may have which message of it.

use kolejka::model::{Group, MessageId};

use super::message::Known;
use super::queue::Queue;
use super::subscriber::Sub;

/// Who gets the messages of a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    sub: u32,
    /// It neither selects nor has gone, so that it may have more than it holds.
    is_steady: bool,
}

/// Why somebody may have a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Anybody may.
    Open,
    /// It owns the group.
    OnCall,
}

impl Queue {
    /// What a subscription may be given, of those that count.
    pub(super) fn offers<'a>(
        &'a self,
        sub: &'a Sub,
        counts: impl Fn(&Known) -> bool + Copy + 'a,
    ) -> impl Iterator<Item = (&'a Known, Access)> {
        // What comes back or from elsewhere is not overtaken, and waits for the log.
        let until = self.withheld().filter(|known| counts(known)).map(Known::place).min();
        let counts = move |known: &Known| counts(known) && until.is_none_or(|until| known.place() < until);
        let ready = self.messages.iter().filter(move |known| known.is_offered() && counts(known));
        let wanted = ready.filter(|known| sub.wants(known.says));
        wanted.filter_map(move |known| Some((known, self.access(known, sub, counts)?)))
    }

    /// Ready messages that wait for the log.
    pub(super) fn withheld(&self) -> impl Iterator<Item = &Known> {
        self.messages.iter().filter(|known| known.is_offered() && known.withheld.is_some())
    }

    /// Of a group the first ready message goes out next: to the owner if there is one, otherwise to anybody. In an
    /// exclusive group it waits for one before it that has failed, and for all that is out with others.
    fn access(&self, known: &Known, sub: &Sub, counts: impl Fn(&Known) -> bool) -> Option<Access> {
        let Some(name) = known.group() else { return Some(Access::Open) };
        let has_failed = |other: &Known| other.is_delayed() && other.attempts > 0;
        let is_before = |other: &&Known| other.place() < known.place();
        let goes_first = |other: &Known| {
            let is_ready = other.is_offered() && counts(other);
            is_ready || (self.has_exclusive_groups() && has_failed(other))
        };
        if self.of_group(name).filter(is_before).any(goes_first) {
            return None;
        }
        match self.owner(name) {
            Some(owner) => (owner.is_steady && owner.sub == sub.id).then_some(Access::OnCall),
            None => (!self.has_exclusive_groups() || !self.is_out(name)).then_some(Access::Open),
        }
    }

    /// Whoever was given something of a group owns it: as long as something of it is out, or, where groups stick, as long
    /// as it stays.
    fn owner(&self, name: &str) -> Option<Owner> {
        let owner = self.owners.get(name).copied()?;
        let sticks = owner.is_steady && !self.has_exclusive_groups();
        (sticks || self.is_out(name)).then_some(owner)
    }

    /// A message goes to a subscription, and with it its group, unless it closes that.
    pub(super) fn claim(&mut self, message: MessageId, sub: &Sub) {
        let terms = self.find(message).and_then(|known| known.terms.as_ref());
        let Some(Group { name, closes }) = terms.and_then(|terms| terms.group.clone()) else { return };
        if self.owner(&name).is_none() {
            self.owners.insert(name.clone(), Owner { sub: sub.id, is_steady: sub.wants.is_none() });
        }
        if closes && !self.has_exclusive_groups() {
            self.owners.remove(&name);
        }
    }

    /// A subscription has lost the lease of a message: if it owns the group, it does so no more.
    pub(super) fn disown(&mut self, message: MessageId, sub: u32) {
        let name = self.find(message).and_then(Known::group).map(str::to_owned);
        if let Some(name) = name.filter(|_| !self.has_exclusive_groups()) {
            self.owners.retain(|other, owner| **other != *name || owner.sub != sub);
        }
    }

    /// A subscription gets nothing more. What it still holds of exclusive groups keeps others from them.
    pub(super) fn give_up_groups(&mut self, sub: u32) {
        let is_kept = self.has_exclusive_groups();
        self.owners.retain(|_, owner| owner.sub != sub || is_kept);
        self.owners.values_mut().filter(|owner| owner.sub == sub).for_each(|owner| owner.is_steady = false);
    }

    /// The process has gone, or the queue: nobody owns anything, and nobody wants anything of it.
    pub(super) fn forget_groups(&mut self) {
        self.owners.clear();
        self.asked_exclusive = false;
    }

    fn has_exclusive_groups(&self) -> bool {
        self.asked_exclusive || self.policy.exclusive_groups
    }

    fn is_out(&self, name: &str) -> bool {
        self.of_group(name).any(|known| known.holder.is_some())
    }

    fn of_group<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Known> {
        self.messages.iter().filter(move |known| known.group() == Some(name))
    }
}

impl Known {
    /// The name of its group.
    fn group(&self) -> Option<&str> {
        Some(&self.terms.as_ref()?.group.as_ref()?.name)
    }
}
