//! A subscription as the destination sees it: credit, and the ledger of what is out.

use std::collections::VecDeque;
use std::sync::Arc;

use slotmap::{SlotMap, new_key_type};

use crate::model::{AckMode, Content, Credit, DestinationId, Filter, MessageId, SessionId, SubscriptionId};

new_key_type! {
    /// Names a consumer; a key whose consumer is gone finds nothing.
    pub struct ConsumerKey;
}

/// All consumers of the engine.
pub type Consumers = SlotMap<ConsumerKey, Consumer>;

/// One delivery that is not settled, or not yet written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outstanding {
    /// Its number in the subscription.
    pub number: u64,
    /// The message.
    pub message: MessageId,
    /// Octets of credit that it holds.
    pub size: u32,
}

/// Who receives, and how much of it is out. Settling goes by this ledger, never by what a client says it has.
#[derive(Debug)]
pub struct Consumer {
    /// The client.
    pub session: SessionId,
    /// Which of its subscriptions.
    pub subscription: SubscriptionId,
    /// From where.
    pub destination: DestinationId,
    /// How deliveries are settled.
    pub mode: AckMode,
    /// It stands in its queue's rotation.
    pub in_rotation: bool,
    /// It wants only what this lets through.
    pub filter: Option<Arc<dyn Filter>>,
    credit: Credit,
    out: VecDeque<Outstanding>,
    out_bytes: u64,
    next_number: u64,
    /// What a topic has for it beyond its credit, oldest first.
    backlog: VecDeque<(MessageId, Content)>,
    backlog_bytes: u64,
}

impl Consumer {
    /// A consumer with nothing out.
    pub fn new(
        session: SessionId,
        subscription: SubscriptionId,
        destination: DestinationId,
        mode: AckMode,
        credit: Credit,
    ) -> Consumer {
        Consumer {
            session,
            subscription,
            destination,
            mode,
            in_rotation: false,
            filter: None,
            credit,
            out: VecDeque::new(),
            out_bytes: 0,
            next_number: 1,
            backlog: VecDeque::new(),
            backlog_bytes: 0,
        }
    }

    /// Whether one more may go out. With nothing out anything may, however large: otherwise it could never leave.
    pub fn has_credit(&self) -> bool {
        self.out.is_empty() || (self.out.len() < self.credit.messages as usize && self.out_bytes < self.credit.bytes)
    }

    /// Writes a delivery into the ledger and returns its number.
    pub fn hand_out(&mut self, message: MessageId, size: u32) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.out.push_back(Outstanding { number, message, size });
        self.out_bytes += u64::from(size);
        number
    }

    /// Takes one delivery out of the ledger.
    pub fn take(&mut self, number: u64) -> Option<Outstanding> {
        let at = self.out.binary_search_by_key(&number, |out| out.number).ok()?;
        let taken = self.out.remove(at)?;
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

    /// How much may be out.
    pub fn credit(&self) -> Credit {
        self.credit
    }

    /// Keeps a topic's message until there is credit.
    pub fn push_backlog(&mut self, message: MessageId, content: Content) {
        self.backlog_bytes += content.len() as u64;
        self.backlog.push_back((message, content));
    }

    /// The oldest message that waits for credit.
    pub fn pop_backlog(&mut self) -> Option<(MessageId, Content)> {
        let (message, content) = self.backlog.pop_front()?;
        self.backlog_bytes -= content.len() as u64;
        Some((message, content))
    }

    /// Messages and octets that wait for credit.
    pub fn backlog(&self) -> Credit {
        Credit { messages: self.backlog.len() as u32, bytes: self.backlog_bytes }
    }
}
