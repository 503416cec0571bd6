//! The engine's side of each client: its subscriptions and what it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use super::chore::Chore;
use crate::destination::{ConsumerKey, Outstanding};
use crate::model::{
    Credit, DestinationId, MessageId, Permissions, SessionId, SoftRefusal, SubscriptionId, Which, Whose,
};
use crate::table::BusyTable;

/// How a client went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Departure {
    /// It said goodbye: what it holds returns without counting as a failure.
    Clean,
    /// The connection was lost, or ended by an error: the oldest unsettled delivery of each subscription counts.
    Lost,
}

/// One client.
#[derive(Debug)]
pub(super) struct Session {
    /// What the names of its temporary destinations begin with.
    pub(super) owner: String,
    /// What its client may do; `None`: everything.
    pub(super) permissions: Option<Arc<dyn Permissions>>,
    /// Whose it is.
    pub(super) whose: Whose,
    /// Its subscriptions.
    pub(super) subscriptions: BTreeMap<SubscriptionId, ConsumerKey>,
    /// Its temporary destinations.
    pub(super) temporary: BTreeSet<DestinationId>,
    /// Credit given to its subscriptions so far.
    granted: Credit,
    /// What topics keep for all its subscriptions.
    pub(super) backlog: Credit,
    /// Those for which something is kept.
    pub(super) behind: BTreeSet<ConsumerKey>,
    /// One of these has credit, and may be given more once there is room.
    pub(super) lacks_room: bool,
    /// Which of them had its turn last.
    turn: Option<ConsumerKey>,
    /// Bytes handed out that no queue holds: of topics, and of what it looks through.
    copies: u64,
    /// Its last request, if that goes on.
    pub(super) chore: Option<Chore>,
    /// It was told to go; nothing is delivered to it any more.
    pub(super) leaving: bool,
    /// The highest message id that it has been handed: an ACK beyond it was invented.
    highest: Option<MessageId>,
    /// Unsettled deliveries that a client can name, by message.
    held: BusyTable<MessageId, Held>,
    /// The same for messages that are held through a second subscription.
    held_again: BTreeMap<(MessageId, SubscriptionId), Held>,
    /// Deliveries that are over without a word of the client, and why; they take up credit until it says one.
    lost: BTreeMap<(MessageId, SubscriptionId, u64), (Held, SoftRefusal)>,
}

/// A delivery that the client can settle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) consumer: ConsumerKey,
    pub(super) subscription: SubscriptionId,
    pub(super) number: u64,
    /// The client was told the number: it may have been given the same message before.
    pub(super) is_numbered: bool,
}

impl Held {
    /// Whether a client means this one.
    fn is(&self, which: Which) -> bool {
        which.subscription.is_none_or(|wanted| self.subscription == wanted)
            && which.nth.is(self.number, self.is_numbered)
    }
}

impl Session {
    /// What of a limit has not been given to its subscriptions.
    pub(super) fn left_of(&self, limit: Credit) -> Credit {
        Credit {
            messages: limit.messages.saturating_sub(self.granted.messages),
            bytes: limit.bytes.saturating_sub(self.granted.bytes),
        }
    }

    /// Notes what a subscription was given.
    pub(super) fn grant(&mut self, credit: Credit) {
        self.granted.messages = self.granted.messages.saturating_add(credit.messages);
        self.granted.bytes = self.granted.bytes.saturating_add(credit.bytes);
    }

    /// Whether more of topics may be handed out. With nothing out anything may, however large.
    pub(super) fn has_room(&self, limit: Credit) -> bool {
        self.copies == 0 || self.copies < limit.bytes
    }

    /// For which subscription something is kept and whose turn it is.
    pub(super) fn next_behind(&mut self) -> Option<ConsumerKey> {
        let last = self.turn.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.behind.range((last, Bound::Unbounded)).next().or_else(|| self.behind.first()).copied();
        self.turn = next;
        next
    }

    /// Something was handed out that no queue holds.
    pub(super) fn lend_copy(&mut self, bytes: usize) {
        self.copies += bytes as u64;
    }

    /// A delivery is over: if no queue holds it, it is in memory no more.
    pub(super) fn take_copy(&mut self, out: &Outstanding) {
        if out.queue.is_none() {
            self.copies = self.copies.saturating_sub(out.size.into());
        }
    }

    /// A subscription has ended.
    pub(super) fn take_back(&mut self, credit: Credit) {
        self.granted.messages = self.granted.messages.saturating_sub(credit.messages);
        self.granted.bytes = self.granted.bytes.saturating_sub(credit.bytes);
    }

    /// Notes a delivery that has to be acknowledged. Returns whether the message was held already.
    pub(super) fn hold(&mut self, message: MessageId, held: Held) -> bool {
        if self.held.contains_key(&message) {
            self.held_again.insert((message, held.subscription), held);
            return true;
        }
        self.held.insert(message, held);
        false
    }

    /// Notes that a message was handed over, whatever the mode.
    pub(super) fn handed(&mut self, message: MessageId) {
        self.highest = self.highest.max(Some(message));
    }

    /// Whether the client may have seen the message.
    pub(super) fn may_have_seen(&self, message: MessageId) -> bool {
        self.highest.is_some_and(|highest| message.sequence() > 0 && message <= highest)
    }

    /// Whether a delivery of the message is out whose ack says nothing but its id.
    pub(super) fn holds(&self, message: MessageId) -> bool {
        self.held.contains_key(&message)
    }

    /// The delivery that a client means.
    pub(super) fn find(&self, message: MessageId, which: Which) -> Option<Held> {
        let first = self.held.get(&message).filter(|held| held.is(which));
        let again = || self.held_again.get(&(message, which.subscription?)).filter(|held| held.is(which));
        first.or_else(again).copied()
    }

    /// A delivery that the client may mean although its lease ran out.
    pub(super) fn find_lost(&self, message: MessageId, which: Which) -> Option<(Held, SoftRefusal)> {
        if self.lost.is_empty() {
            return None;
        }
        let of_message = (message, SubscriptionId(0), 0)..=(message, SubscriptionId(u32::MAX), u64::MAX);
        let mut lost = self.lost.range(of_message).map(|(_, lost)| *lost);
        lost.find(|(held, _)| held.is(which))
    }

    /// Forgets a delivery, and returns it if it was held.
    pub(super) fn release(&mut self, message: MessageId, subscription: SubscriptionId, number: u64) -> Option<Held> {
        let is_it = |held: &Held| held.subscription == subscription && held.number == number;
        if self.held.get(&message).is_some_and(is_it) {
            return self.held.remove(&message);
        }
        if self.held_again.get(&(message, subscription)).is_some_and(is_it) {
            return self.held_again.remove(&(message, subscription));
        }
        if !self.lost.is_empty() {
            self.lost.remove(&(message, subscription, number));
        }
        None
    }

    /// A delivery is over: its lease ran out, or somebody cancelled the job.
    pub(super) fn lose(
        &mut self,
        message: MessageId,
        (consumer, subscription, number): (ConsumerKey, SubscriptionId, u64),
        why: SoftRefusal,
    ) {
        let is_numbered = self.release(message, subscription, number).is_some_and(|held| held.is_numbered);
        let held = Held { consumer, subscription, number, is_numbered };
        self.lost.insert((message, subscription, number), (held, why));
    }
}

/// All clients, by index and generation.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    rows: Vec<(u32, Option<Box<Session>>)>,
    free: Vec<u32>,
}

impl Sessions {
    pub(super) fn open(&mut self, owner: String) -> SessionId {
        let session = Session {
            owner,
            permissions: None,
            whose: Whose::default(),
            subscriptions: BTreeMap::new(),
            temporary: BTreeSet::new(),
            granted: Credit { messages: 0, bytes: 0 },
            backlog: Credit { messages: 0, bytes: 0 },
            behind: BTreeSet::new(),
            lacks_room: false,
            turn: None,
            copies: 0,
            chore: None,
            leaving: false,
            highest: None,
            held: BusyTable::default(),
            held_again: BTreeMap::new(),
            lost: BTreeMap::new(),
        };
        let index = self.free.pop().unwrap_or_else(|| {
            self.rows.push((0, None));
            self.rows.len() as u32 - 1
        });
        let row = &mut self.rows[index as usize];
        row.1 = Some(Box::new(session));
        SessionId { index, generation: row.0 }
    }

    pub(super) fn close(&mut self, id: SessionId) -> Option<Session> {
        let row = self.rows.get_mut(id.index as usize).filter(|row| row.0 == id.generation)?;
        let session = row.1.take()?;
        row.0 = row.0.wrapping_add(1);
        self.free.push(id.index);
        Some(*session)
    }

    pub(super) fn get(&self, id: SessionId) -> Option<&Session> {
        self.rows.get(id.index as usize).filter(|row| row.0 == id.generation)?.1.as_deref()
    }

    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.rows.get_mut(id.index as usize).filter(|row| row.0 == id.generation)?.1.as_deref_mut()
    }

    /// The subscription behind that one, in the order of sessions.
    pub(super) fn next_subscription(
        &self,
        behind: Option<(u32, SubscriptionId)>,
    ) -> Option<((u32, SubscriptionId), ConsumerKey)> {
        let (first, behind) = behind.map_or((0, None), |(index, id)| (index, Some(id)));
        (first..).zip(self.rows.get(first as usize..)?).find_map(|(index, (_, session))| {
            let from = behind.filter(|_| index == first).map_or(Bound::Unbounded, Bound::Excluded);
            let (id, key) = session.as_ref()?.subscriptions.range((from, Bound::Unbounded)).next()?;
            Some(((index, *id), *key))
        })
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len() - self.free.len()
    }
}
