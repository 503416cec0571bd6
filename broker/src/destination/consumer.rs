//! A subscription as the destination sees it: credit, and the ledger of what is out.

use std::collections::{BTreeMap, btree_map};
use std::ops::Bound;
use std::sync::Arc;

use slotmap::{SlotMap, new_key_type};

use super::Allowance;
use super::View;
use crate::memory::Charge;
use crate::model::{
    AckMode, Credit, DestinationId, Durability, Filter, MessageId, Order, Payload, SessionId, SubscriptionId,
    Timestamp, Urgency, Wildcard,
};
use crate::table::Pieces;

new_key_type! {
    /// Names a consumer; a key whose consumer is gone finds nothing.
    pub struct ConsumerKey;
}

/// All consumers of the engine.
pub type Consumers = SlotMap<ConsumerKey, Box<Consumer>>;

/// One delivery that is not settled, or not yet written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outstanding {
    /// Its number in the subscription.
    pub number: u64,
    /// The message.
    pub message: MessageId,
    /// Octets of credit that it holds.
    pub size: u32,
    /// The queue that leased it; a topic leases nothing.
    pub queue: Option<DestinationId>,
}

/// From where a consumer receives.
#[derive(Debug)]
pub enum Reach {
    /// One destination.
    One(DestinationId),
    /// Several, or all that a pattern means.
    Many(Box<Many>),
    /// One that it looks through.
    View(Box<View>),
    /// From nowhere any more: it has ended, and holds what it holds.
    Nowhere,
}

/// Where a subscription to many destinations has got to.
#[derive(Debug)]
pub struct Many {
    /// What it means.
    pub scope: Scope,
    /// Destinations that it receives from, with their places among those that are parked; 0 for one that is not.
    joined: BTreeMap<DestinationId, u64>,
    /// Those of them, all queues, in whose rotation it does not stand for want of credit or of heads to choose by, in the order
    /// of their turns.
    parked: BTreeMap<u64, DestinationId>,
    last_parked: u64,
    /// It has credit again, and waits for the next dispatch.
    pub refilled: bool,
}

/// What many destinations have in common.
#[derive(Debug)]
pub enum Scope {
    /// A pattern means them; each queue gives what it has when it is its turn.
    Wildcard(Arc<Wildcard>),
    /// They were listed: who reads them chooses among the queues.
    List(Sources),
}

/// The destinations of a list.
#[derive(Debug, Default)]
pub struct Sources {
    /// Which of the queues comes first.
    pub order: Order,
    /// All of them, as they were written.
    pub listed: Vec<DestinationId>,
    /// Where it goes on in turns.
    pub next: usize,
}

impl Many {
    /// A scope that has not reached anything yet.
    pub fn new(scope: Scope) -> Many {
        Many { scope, joined: BTreeMap::new(), parked: BTreeMap::new(), last_parked: 0, refilled: false }
    }

    /// The pattern, if it is one.
    pub fn wildcard(&self) -> Option<&Arc<Wildcard>> {
        match &self.scope {
            Scope::Wildcard(wildcard) => Some(wildcard),
            Scope::List(_) => None,
        }
    }

    /// Receives from one more destination. `false` if it does already.
    pub fn join(&mut self, destination: DestinationId) -> bool {
        let is_new = !self.joined.contains_key(&destination);
        if is_new {
            self.joined.insert(destination, 0);
        }
        is_new
    }

    /// Whether it receives from a destination.
    pub fn has_joined(&self, destination: DestinationId) -> bool {
        self.joined.contains_key(&destination)
    }

    /// Destinations that it receives from, in the order of their numbers, behind one of them.
    pub fn joined_behind(&self, behind: Option<DestinationId>) -> impl Iterator<Item = DestinationId> {
        let from = behind.map_or(Bound::Unbounded, Bound::Excluded);
        self.joined.range((from, Bound::Unbounded)).map(|(id, _)| *id)
    }

    /// The same, once it receives from none of them any more.
    pub fn into_joined(self) -> btree_map::IntoKeys<DestinationId, u64> {
        self.joined.into_keys()
    }

    /// A destination is gone, or is not for it any more.
    pub fn part(&mut self, destination: DestinationId) {
        if let Some(place) = self.joined.remove(&destination) {
            self.parked.remove(&place);
        }
    }

    /// It stands in the rotation of that queue no more.
    pub fn park(&mut self, queue: DestinationId) {
        if let Some(place) = self.joined.get_mut(&queue).filter(|place| **place == 0) {
            self.last_parked += 1;
            *place = self.last_parked;
            self.parked.insert(self.last_parked, queue);
        }
    }

    /// Takes out the queue that has been parked for longest, for it to stand there again.
    pub fn unpark(&mut self) -> Option<DestinationId> {
        let (_, queue) = self.parked.pop_first()?;
        if let Some(place) = self.joined.get_mut(&queue) {
            *place = 0;
        }
        Some(queue)
    }

    /// In how many queues it does not stand in the rotation.
    pub fn parked_len(&self) -> usize {
        self.parked.len()
    }
}

/// A topic's message that waits for the credit of one subscriber.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The message.
    pub message: MessageId,
    /// Head and body.
    pub payload: Payload,
    /// From when on it must not be handed out.
    pub expires: Option<Timestamp>,
    /// Its bytes, counted once for all for whom it is kept.
    pub charge: Arc<Charge>,
    /// The subscriber's filter has not been asked about it, and will want to know this.
    pub unjudged: Option<(Urgency, Durability)>,
}

/// Who receives, and how much of it is out. Settling goes by this ledger, never by what a client says it has.
#[derive(Debug)]
pub struct Consumer {
    /// The client.
    pub session: SessionId,
    /// Which of its subscriptions.
    pub subscription: SubscriptionId,
    /// From where.
    pub reach: Reach,
    /// How deliveries are settled.
    pub mode: AckMode,
    /// How long it keeps a message, in milliseconds, whatever message and policy say.
    pub time_to_run_ms: Option<u32>,
    /// It keeps a message as long as its session lasts, whatever message and policy say.
    pub is_bound: bool,
    /// It stands in its queue's rotation, if it has one queue.
    pub in_rotation: bool,
    /// It wants only what this lets through.
    pub filter: Option<Arc<dyn Filter>>,
    /// How it ranks among the consumers of a queue: higher ones are served first.
    pub priority: i32,
    /// It wants its queues for itself.
    pub is_exclusive: bool,
    /// It does not want from topics what its own session has sent.
    pub no_local: bool,
    /// It hears what happens to jobs.
    pub hears: bool,
    /// It is on its way out: nothing more is handed to it.
    pub is_closed: bool,
    /// Its client may read less than before, and it has not left all that this means: nothing is handed to it meanwhile.
    pub is_withheld: bool,
    /// Something that a topic keeps for it is looked at in the background.
    pub is_late: bool,
    /// What else bounds it beside its credit.
    pub allowance: Option<Box<Allowance>>,
    credit: Credit,
    out: Pieces<Outstanding, KEPT>,
    out_bytes: u64,
    next_number: u64,
    /// What a topic has for it beyond its credit, oldest first.
    backlog: Pieces<Waiting, KEPT>,
    backlog_bytes: u64,
}

/// Places that a consumer keeps for what is out to it and what waits for it.
const KEPT: usize = 128;

impl Consumer {
    /// A consumer with nothing out.
    pub fn new(
        session: SessionId,
        subscription: SubscriptionId,
        reach: Reach,
        mode: AckMode,
        credit: Credit,
    ) -> Consumer {
        Consumer {
            session,
            subscription,
            reach,
            mode,
            time_to_run_ms: None,
            is_bound: false,
            in_rotation: false,
            filter: None,
            priority: 0,
            is_exclusive: false,
            no_local: false,
            hears: false,
            is_closed: false,
            is_withheld: false,
            is_late: false,
            allowance: None,
            credit,
            out: Pieces::default(),
            out_bytes: 0,
            next_number: 1,
            backlog: Pieces::default(),
            backlog_bytes: 0,
        }
    }

    /// Whether one more may go out. With nothing out anything may, however large: otherwise it could never leave.
    pub fn has_credit(&self) -> bool {
        !(self.is_closed || self.is_withheld)
            && (self.out.is_empty()
                || (self.out.len() < self.credit.messages as usize && self.out_bytes < self.credit.bytes))
            && self.allowance.as_ref().is_none_or(|allowance| allowance.permits())
    }

    /// Whether it chooses among several queues when it is its turn in one of them.
    pub fn chooses(&self) -> bool {
        matches!(&self.reach, Reach::Many(many) if matches!(many.scope, Scope::List(_)))
    }

    /// The number of the next delivery.
    pub fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Writes a delivery into the ledger and returns its number.
    pub fn hand_out(&mut self, message: MessageId, size: u32, queue: Option<DestinationId>) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.out.push_back(Outstanding { number, message, size, queue });
        self.out_bytes += u64::from(size);
        if let Some(allowance) = &mut self.allowance {
            allowance.spend(size);
        }
        number
    }

    /// It was the queue's turn, and there is no credit: it leaves the rotation.
    pub fn park(&mut self, queue: DestinationId) {
        match &mut self.reach {
            Reach::One(_) => self.in_rotation = false,
            Reach::Many(many) => many.park(queue),
            Reach::View(_) | Reach::Nowhere => {}
        }
    }

    /// One delivery of the ledger.
    pub fn outstanding(&self, number: u64) -> Option<&Outstanding> {
        self.out.find(number, |out| out.number)
    }

    /// Whether an ACK of it covers what was delivered before.
    pub fn is_cumulative(&self) -> bool {
        self.mode == AckMode::Client
    }

    /// How many deliveries are out whose numbers are above the first and not above the second.
    pub fn outstanding_between(&self, above: u64, through: u64) -> usize {
        let up_to = |number| self.out.count_through(number, |out| out.number);
        up_to(through).saturating_sub(up_to(above))
    }

    /// Takes one delivery out of the ledger.
    pub fn take(&mut self, number: u64) -> Option<Outstanding> {
        let taken = self.out.remove(number, |out| out.number)?;
        self.out_bytes -= u64::from(taken.size);
        Some(taken)
    }

    /// Takes the oldest delivery out of the ledger, if its number is not above `number`.
    pub fn take_through(&mut self, number: u64) -> Option<Outstanding> {
        if self.out.front()?.number > number {
            return None;
        }
        let taken = self.out.pop_front()?;
        self.out_bytes -= u64::from(taken.size);
        Some(taken)
    }

    /// Deliveries that are out, oldest first.
    pub fn out(&self) -> impl Iterator<Item = &Outstanding> {
        self.out.iter()
    }

    /// Whether something is out.
    pub fn has_out(&self) -> bool {
        !self.out.is_empty()
    }

    /// Nothing more will go out: what credit is not in use is given back, and returned.
    pub fn retire(&mut self) -> Credit {
        let used = Credit {
            messages: (self.out.len() as u32).min(self.credit.messages),
            bytes: self.out_bytes.min(self.credit.bytes),
        };
        let before = std::mem::replace(&mut self.credit, used);
        Credit { messages: before.messages - used.messages, bytes: before.bytes - used.bytes }
    }

    /// How much may be out.
    pub fn credit(&self) -> Credit {
        self.credit
    }

    /// Keeps a topic's message until there is credit.
    pub fn push_backlog(&mut self, waiting: Waiting) {
        self.backlog_bytes += waiting.payload.len() as u64;
        self.backlog.push_back(waiting);
    }

    /// The oldest message that waits for credit.
    pub fn pop_backlog(&mut self) -> Option<Waiting> {
        let waiting = self.backlog.pop_front()?;
        self.backlog_bytes -= waiting.payload.len() as u64;
        Some(waiting)
    }

    /// Messages and octets that wait for credit.
    pub fn backlog(&self) -> Credit {
        Credit { messages: self.backlog.len() as u32, bytes: self.backlog_bytes }
    }
}
