//! The open transactions of one client: frames taken and not yet asked for. All of it goes to the engine at COMMIT, or
//! nothing does.

use std::time::Duration;

use super::error::Fault;
use super::options::Options;
use crate::model::Action;

/// All open transactions of one client.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    open: Vec<Transaction>,
    /// Octets held by all of them.
    bytes: usize,
}

#[derive(Debug)]
struct Transaction {
    id: Box<str>,
    actions: Vec<Action>,
    bytes: usize,
    /// When it is given up if no other frame comes.
    until: Duration,
}

impl Transactions {
    /// What each frame counts beside its content.
    const FRAME_BYTES: usize = 128;

    /// BEGIN. Ids are unique among the open ones (STOMP 1.2, "BEGIN").
    pub(super) fn begin(&mut self, id: &str, now: Duration, options: &Options) -> Result<(), Fault> {
        if self.find(id).is_ok() {
            return Err(Fault::DuplicateTransaction);
        }
        if self.open.len() >= options.transactions {
            return Err(Fault::TooManyTransactions { limit: options.transactions });
        }
        let until = now + options.transaction_idle;
        self.open.push(Transaction { id: id.into(), actions: Vec::new(), bytes: 0, until });
        Ok(())
    }

    /// A SEND, ACK or NACK inside a transaction.
    pub(super) fn take(&mut self, id: &str, action: Action, now: Duration, options: &Options) -> Result<(), Fault> {
        let at = self.find(id)?;
        let content = match &action {
            Action::Publish(publish) => publish.message.content.len(),
            Action::Settle(_) => 0,
            Action::Job(said) => said.bytes(),
        };
        let bytes = Self::FRAME_BYTES + content;
        if self.open[at].actions.len() >= options.transaction_frames {
            return Err(Fault::TransactionFrames { limit: options.transaction_frames });
        }
        if self.bytes + bytes > options.transaction_bytes {
            return Err(Fault::TransactionBytes { limit: options.transaction_bytes });
        }
        self.bytes += bytes;
        let transaction = &mut self.open[at];
        transaction.actions.push(action);
        transaction.bytes += bytes;
        transaction.until = now + options.transaction_idle;
        Ok(())
    }

    /// What one frame came to, where that is more than one thing.
    pub(super) fn take_all(
        &mut self,
        id: &str,
        actions: Vec<Action>,
        now: Duration,
        options: &Options,
    ) -> Result<(), Fault> {
        actions.into_iter().try_for_each(|action| self.take(id, action, now, options))
    }

    /// COMMIT or ABORT: it is open no more, and this is what it held.
    pub(super) fn end(&mut self, id: &str) -> Result<Vec<Action>, Fault> {
        let at = self.find(id)?;
        let ended = self.open.swap_remove(at);
        self.bytes -= ended.bytes;
        Ok(ended.actions)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Bytes that all of them hold.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the next one is given up.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.open.iter().map(|transaction| transaction.until).min()
    }

    fn find(&self, id: &str) -> Result<usize, Fault> {
        self.open.iter().position(|transaction| &*transaction.id == id).ok_or(Fault::UnknownTransaction)
    }
}
