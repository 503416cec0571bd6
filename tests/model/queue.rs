//! A queue as the model sees it: a plain list.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kolejka::destination::{Overflow, Policy};
use kolejka::model::{DestinationKind, DestinationName, MessageId, Pattern, Pause, Timestamp};

use super::grouping::Owner;
use super::message::Known;

/// A queue with its messages in no order that means anything.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    pub(super) name: DestinationName,
    pub(super) policy: Policy,
    pub(super) messages: Vec<Known>,
    /// Topics that feed it.
    pub(super) feed: Option<Behind>,
    /// Messages that were handed out when surplus may have been dropped already: to subscriptions that select, or from behind
    /// one that waited for the log and was dropped.
    pub(super) handed_out: u64,
    /// Who was given something of a group, as far as that still counts.
    pub(super) owners: BTreeMap<Arc<str>, Owner>,
    /// Somebody wants that its groups are exclusive.
    pub(super) asked_exclusive: bool,
    /// Which of its sides stand still.
    pub(super) pause: Pause,
    /// It has lost its name, and what is in it goes.
    pub(super) is_doomed: bool,
}

/// How a queue stands behind topics.
#[derive(Clone, Debug)]
pub(super) struct Behind {
    pub(super) topics: Pattern,
    /// It takes messages of that urgency only.
    pub(super) wants: Option<u32>,
    /// How many milliseconds it is kept without a reader.
    pub(super) expires_after: Option<u64>,
    /// Since when nobody reads it.
    pub(super) unread_since: Option<Duration>,
}

impl Queue {
    pub(super) fn new(name: DestinationName, policy: Policy) -> Queue {
        Queue {
            name,
            policy,
            messages: Vec::new(),
            feed: None,
            handed_out: 0,
            owners: BTreeMap::new(),
            asked_exclusive: false,
            pause: Pause::default(),
            is_doomed: false,
        }
    }

    pub(super) fn find(&self, id: MessageId) -> Option<&Known> {
        self.messages.iter().find(|known| known.id == id)
    }

    pub(super) fn find_mut(&mut self, id: MessageId) -> Option<&mut Known> {
        self.messages.iter_mut().find(|known| known.id == id)
    }

    pub(super) fn take(&mut self, id: MessageId) -> Known {
        let at = self.messages.iter().position(|known| known.id == id).expect("a message that is there");
        self.messages.remove(at)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.messages.iter().map(|known| u64::from(known.size)).sum()
    }

    pub(super) fn count(&self, is_it: impl Fn(&Known) -> bool) -> u64 {
        self.messages.iter().filter(|known| is_it(known)).count() as u64
    }

    /// A message that may not be seen yet is not overtaken.
    pub(super) fn has_unseen(&self) -> bool {
        self.messages.iter().any(|known| known.waits_for.is_some())
    }

    /// Something that kept what is behind it from going out was dropped for want of room.
    pub(super) fn has_dropped_withheld(&self) -> bool {
        self.messages.iter().any(|known| known.is_gone && known.withheld.is_some())
    }

    /// §5.25: whether so many messages and octets more find no room, and nothing may be dropped for them.
    pub(super) fn lacks_room(&self, messages: u64, bytes: u64) -> bool {
        let parked = self.count(Known::is_parked);
        let (places, room) = match self.policy.overflow {
            Overflow::Refuse => (self.messages.len() as u64 + messages > self.policy.max_length, true),
            Overflow::DropOldest => {
                let lacks = parked > 0 && parked + messages > self.policy.max_length;
                (lacks, parked > 0 && self.count(Known::is_ready) == 0)
            }
        };
        places || (room && self.bytes() + bytes > self.policy.max_bytes)
    }

    /// §5.25: whether it has to drop something of so many ready messages and octets.
    pub(super) fn overflows(&self, ready: u64, bytes: u64) -> bool {
        let parked = self.count(Known::is_parked);
        let spared = u64::from(parked == 0);
        self.policy.overflow == Overflow::DropOldest
            && ((ready > 0 && ready + parked > self.policy.max_length)
                || (ready > spared && bytes > self.policy.max_bytes))
    }

    /// §5.4: where a dead letter goes: where its sender wants, or the policy; nowhere from where there are none.
    pub(super) fn dead_letters(&self, wanted: Option<DestinationName>) -> Option<DestinationName> {
        let path = self.policy.dead_letter.replace("{name}", self.name.path());
        let usual = || DestinationName::queue(path.strip_prefix("/queue/").unwrap_or(&path)).expect("a name");
        let target = wanted.unwrap_or_else(usual);
        (self.has_dead_letters() && target != self.name).then_some(target)
    }

    /// §5.4: a queue `DLQ.*` buries, and so does what lives in memory only.
    pub(super) fn has_dead_letters(&self) -> bool {
        self.name.kind() != DestinationKind::TempQueue && !self.name.path().starts_with("DLQ.")
    }

    /// §5.21: whether it hands messages out.
    pub(super) fn gives(&self) -> bool {
        !self.is_doomed && self.pause.output.is_none()
    }

    /// When something in it has to be looked at.
    pub(super) fn next_moment(&self) -> Option<Timestamp> {
        self.messages.iter().filter_map(Known::next_moment).chain(self.pause.next_end()).min()
    }
}
