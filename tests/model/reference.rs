//! The reference: what a broker has to know, in the plainest form, and who finds what in it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kolejka::destination::Policy;
use kolejka::model::{AckMode, Credit, DestinationName, MessageId, Nth, SubscriptionId, Ticket, Timestamp, Which};

use super::message::{Known, Out};
use super::queue::Queue;
use super::setting::Setting;
use super::subscriber::Sub;

/// The broker that is never wrong.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) setting: Setting,
    pub(super) queues: Vec<Queue>,
    pub(super) subs: BTreeMap<u32, Sub>,
    pub(super) clients: [Client; 3],
    /// When a destination first saw a key, and whether the log knows.
    pub(super) keys: BTreeMap<(DestinationName, u8), (Timestamp, bool)>,
    /// Retained messages that are to be read for durable subscriptions: which, where, and for whom while that is there.
    pub(super) legacies: VecDeque<(MessageId, DestinationName, Option<DestinationName>)>,
    /// The highest id ever given to a message.
    pub(super) highest: MessageId,
    /// The log takes nothing new.
    pub(super) is_full: bool,
    /// Of the next append.
    pub(super) next_ticket: Ticket,
    /// The last durable message that waits for the log waits for that one.
    pub(super) last_pending: Option<Ticket>,
}

/// A client.
#[derive(Clone, Debug, Default)]
pub(super) struct Client {
    /// Told to go: topics give it nothing any more.
    pub(super) is_leaving: bool,
    /// The highest id that it was handed.
    pub(super) highest: Option<MessageId>,
    /// What it has settled just now, in the same request perhaps behind what was handed out.
    pub(super) settled: BTreeSet<MessageId>,
    /// Appends that it waits for.
    pub(super) promises: VecDeque<Ticket>,
}

/// A delivery that a client names with an ACK or NACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meant {
    /// One that it holds: the subscription, and the number.
    Held(u32, u64),
    /// One whose lease ran out.
    Lost(u32, u64),
    /// One that it held once.
    Past,
    /// None that it ever saw.
    Unknown,
}

/// A delivery as a client names it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    pub(super) message: MessageId,
    /// Through which subscription.
    pub(super) by: Option<u32>,
    pub(super) nth: Nth,
}

impl Named {
    /// The same for the engine.
    pub(super) fn which(self) -> Which {
        Which { subscription: self.by.map(SubscriptionId), nth: self.nth }
    }
}

impl Model {
    pub(super) fn new(setting: Setting) -> Model {
        Model {
            queues: Vec::new(),
            subs: BTreeMap::new(),
            clients: Default::default(),
            keys: BTreeMap::new(),
            legacies: VecDeque::new(),
            highest: MessageId::new(setting.shard, 0),
            setting,
            is_full: false,
            next_ticket: Ticket(1),
            last_pending: None,
        }
    }

    /// The queue of that name, made if there is none.
    pub(super) fn queue(&mut self, name: &DestinationName) -> &mut Queue {
        let at = self.queues.iter().position(|queue| queue.name == *name && !queue.is_doomed);
        let at = at.unwrap_or_else(|| {
            self.queues.push(Queue::new(name.clone(), self.setting.policy(name)));
            self.queues.len() - 1
        });
        &mut self.queues[at]
    }

    pub(super) fn find_queue(&self, name: &DestinationName) -> Option<&Queue> {
        self.queues.iter().find(|queue| queue.name == *name && !queue.is_doomed)
    }

    /// The queue that a message is in.
    pub(super) fn home_of(&mut self, id: MessageId) -> &mut Queue {
        self.queues.iter_mut().find(|queue| queue.find(id).is_some()).expect("a message that is there")
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &Known> {
        self.queues.iter().flat_map(|queue| &queue.messages)
    }

    /// What holds in a queue.
    pub(super) fn policy(&self, name: &DestinationName) -> Policy {
        self.setting.policy(name)
    }

    /// Octets that live in memory only.
    pub(super) fn transient_bytes(&self) -> u64 {
        self.messages().filter(|known| !known.durable).map(|known| u64::from(known.size)).sum()
    }

    /// However many subscriptions share it, a session holds no more than the limit, and each gets at least one.
    pub(super) fn grant(&self, client: usize, mode: AckMode, asked: Credit) -> Credit {
        if mode == AckMode::Auto {
            return asked;
        }
        let granted = self.subs.values().filter(|sub| sub.client == client && sub.mode != AckMode::Auto);
        let (messages, bytes) = granted.fold((0, 0), |(m, b), sub| (m + sub.credit.messages, b + sub.credit.bytes));
        Credit {
            messages: asked.messages.min(self.setting.unsettled.saturating_sub(messages)).max(1),
            bytes: asked.bytes.min((1u64 << 20).saturating_sub(bytes)).max(1),
        }
    }

    pub(super) fn subs_of(&self, client: usize) -> Vec<u32> {
        self.subs.iter().filter(|(_, sub)| sub.client == client).map(|(&id, _)| id).collect()
    }

    /// One of the client's subscriptions, by any number.
    pub(super) fn sub_of(&self, client: usize, which: usize) -> Option<u32> {
        let subs = self.subs_of(client);
        subs.get(which.checked_rem(subs.len())?).copied()
    }

    /// Deliveries that a client can name, lost ones too.
    pub(super) fn outs_of(&self, client: usize) -> impl Iterator<Item = (u32, &Out)> {
        let subs = self.subs.iter().filter(move |(_, sub)| sub.client == client && sub.mode != AckMode::Auto);
        subs.flat_map(|(&id, sub)| sub.out.iter().map(move |out| (id, out)))
    }

    /// §5.8: the delivery that this connection holds now; otherwise the oldest one that it lost.
    pub(super) fn meant(&self, client: usize, named: Named) -> Meant {
        let Named { message, by, nth } = named;
        let is_meant = |out: &Out| out.message == message && nth.is(out.number, out.is_numbered);
        let of_message: Vec<_> = self.outs_of(client).filter(|(_, out)| is_meant(out)).collect();
        let is_named = |sub: u32, out: &Out| by.map_or(out.is_plain, |wanted| wanted == sub);
        if let Some((sub, out)) = of_message.iter().find(|(sub, out)| !out.is_lost && is_named(*sub, out)) {
            return Meant::Held(*sub, out.number);
        }
        let mut lost = of_message.iter().filter(|(sub, out)| out.is_lost && by.is_none_or(|wanted| wanted == *sub));
        if let Some((sub, out)) = lost.next() {
            return Meant::Lost(*sub, out.number);
        }
        let may_have_seen = message.sequence() > 0 && self.clients[client].highest >= Some(message);
        if may_have_seen { Meant::Past } else { Meant::Unknown }
    }

    /// Ids of all messages that are there, in order.
    pub(super) fn ids(&self) -> BTreeSet<MessageId> {
        self.messages().map(|known| known.id).collect()
    }
}
