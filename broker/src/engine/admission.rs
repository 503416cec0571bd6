//! Admission: what a request would add to queues, to memory and to the log is known before anything changes.
//!
//! An append is whole or not at all, and a log has a largest one. So all copies that a request makes are counted here, a
//! body that they share once, and a request that would be too much is refused as long as nothing has happened.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::RandomState;

use super::destination::Kind;
use super::machine::Engine;
use super::options::Append;
use crate::destination::{ConsumerKey, bytes_of_terms};
use crate::model::{DestinationId, Durability, Job, Outcome, Publish, Record, Refusal, SessionId, Settle, Weight};

/// Bytes that the status of a job takes in the log at its submission, at most: two names, two texts, and what is fixed.
const STATUS_BYTES: usize = 2048;
/// Bytes that the end of a delivery takes in the log, at most, beside what its consumer says: the message leaves its queue
/// or goes to another, and its job has another state.
const END_BYTES: usize = 2 * Record::OVERHEAD_BYTES + 1024;

/// Messages and bytes that a request adds to one queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) destination: DestinationId,
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

impl Load {
    /// One message.
    pub(super) fn of(destination: DestinationId, publish: &Publish) -> Load {
        Load { destination, messages: 1, bytes: publish.message.content.len() as u64 }
    }
}

/// What a request has been found to add so far.
#[derive(Debug, Default)]
pub(super) struct Admission {
    /// Bytes in memory.
    pub(super) memory: u64,
    /// Messages in queues.
    messages: usize,
    /// What goes to the log.
    weight: Weight,
    /// What is kept in memory of all copies, for a while at least.
    kept: Weight,
}

/// The same for one that adds several messages to a queue.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    pub(super) admission: Admission,
    /// Schedules that it makes.
    pub(super) schedules: usize,
    loads: HashMap<DestinationId, Load, RandomState>,
    /// Up to which of their deliveries consumers have settled in client mode.
    covered: HashMap<ConsumerKey, u64, RandomState>,
}

impl Admission {
    /// The same for what is looked at by itself as far as memory goes.
    pub(super) fn without_memory(self) -> Admission {
        Admission { memory: 0, ..self }
    }
}

impl Transaction {
    /// Adds one more message to those of a queue.
    pub(super) fn load(&mut self, one: Load) -> Load {
        let load = self.loads.entry(one.destination);
        let load = load.and_modify(|load| {
            load.messages += one.messages;
            load.bytes += one.bytes;
        });
        *load.or_insert(one)
    }
}

impl Engine {
    /// Whether one more copy of a message may go where it is to go. `load` is what the request brings there, it included.
    pub(super) fn admit_copy(&self, admission: &mut Admission, load: &Load, publish: &Publish) -> Result<(), Refusal> {
        self.count(admission, load.destination, publish)?;
        self.admit(load, publish.message.durability, admission.memory)?;
        self.admit_kept(admission)
    }

    /// The same for one that may take the place of another.
    pub(super) fn admit_leader(
        &self,
        admission: &mut Admission,
        destination: DestinationId,
        publish: &Publish,
    ) -> Result<(), Refusal> {
        self.count(admission, destination, publish)?;
        self.admit_one(destination, &publish.message, admission.memory)?;
        self.admit_kept(admission)
    }

    /// Whether there is memory for all copies so far.
    pub(super) fn admit_kept(&self, admission: &Admission) -> Result<(), Refusal> {
        self.lacks_memory(admission.kept.bytes as u64).map_or(Ok(()), Err)
    }

    /// Counts one more copy.
    pub(super) fn count(
        &self,
        admission: &mut Admission,
        destination: DestinationId,
        publish: &Publish,
    ) -> Result<(), Refusal> {
        let Some(Kind::Queue(queue)) = self.destinations.get(&destination).map(|found| &found.kind) else {
            return Ok(());
        };
        let (content, terms) = (&publish.message.content, publish.message.terms.as_ref());
        let is_temporary = queue.name().kind().is_temporary();
        if is_temporary || publish.message.durability == Durability::Transient {
            admission.memory += content.len() as u64;
        }
        admission.messages += 1;
        if !self.has_ample_memory {
            admission.kept.add_content(content, kept_beside(publish));
        }
        if !is_temporary && (publish.message.durability == Durability::Persistent || self.spills(admission.memory)) {
            let weight = &mut admission.weight;
            // A value by which it replaces others comes from its head.
            let value = if queue.policy().last_value_key.is_some() { content.head().len() } else { 0 };
            let terms_bytes = terms.map_or(0, |terms| terms.bytes());
            weight.add_content(content, Record::OVERHEAD_BYTES + terms_bytes + value);
            if !queue.declared {
                weight.add_bytes(Record::OVERHEAD_BYTES + queue.name().as_str().len());
            }
            if let Some(key) = &publish.key {
                weight.add_bytes(Record::OVERHEAD_BYTES + key.len());
            }
            if terms.is_some_and(|terms| terms.tracking.is_some()) {
                weight.add_bytes(Record::OVERHEAD_BYTES + STATUS_BYTES);
            }
        }
        self.check(admission)
    }

    /// Whether so much may be appended at once.
    fn check(&self, admission: &Admission) -> Result<(), Refusal> {
        let Append { messages, bytes } = self.options.append;
        if admission.messages > messages {
            return Err(Refusal::TooLarge { unit: "messages", size: admission.messages, limit: messages });
        }
        if admission.weight.bytes > bytes {
            return Err(Refusal::TooLarge { unit: "bytes", size: admission.weight.bytes, limit: bytes });
        }
        Ok(())
    }

    /// Whether a transaction may settle a delivery, and all that this covers.
    pub(super) fn admit_settle(
        &self,
        transaction: &mut Transaction,
        session: SessionId,
        settle: &Settle,
    ) -> Result<(), Refusal> {
        let session = self.sessions.get(session).ok_or(Refusal::LeaseLost)?;
        let held = session.find(settle.message, settle.which).ok_or(Refusal::LeaseLost)?;
        let covered = match self.consumers.get(held.consumer) {
            Some(consumer) if consumer.is_cumulative() => {
                let before = match transaction.covered.entry(held.consumer) {
                    Entry::Occupied(mut known) => {
                        let before = *known.get();
                        known.insert(before.max(held.number));
                        before
                    }
                    Entry::Vacant(none) => {
                        none.insert(held.number);
                        0
                    }
                };
                consumer.outstanding_between(before, held.number)
            }
            _ => 1,
        };
        let each = END_BYTES + reason_bytes(&settle.outcome);
        transaction.admission.weight.add_bytes(covered.saturating_mul(each));
        self.check(&transaction.admission)
    }

    /// Whether a transaction may say that of a job.
    pub(super) fn admit_job(
        &self,
        transaction: &mut Transaction,
        session: SessionId,
        job: &Job,
    ) -> Result<(), Refusal> {
        self.may_say(session, job)?;
        transaction.admission.weight.add_bytes(END_BYTES + job.bytes());
        self.check(&transaction.admission)
    }
}

/// What is kept in memory of a message beside its content, in bytes: its row and its places in the tables of its queue, what
/// its sender said, its key, and the status of a job.
pub(super) fn kept_beside(publish: &Publish) -> usize {
    const ROW_BYTES: usize = 80;
    const KEY_BYTES: usize = 96;
    const JOB_BYTES: usize = 512;
    let terms = publish.message.terms.as_deref();
    let said = terms.map_or(0, |terms| bytes_of_terms(terms) as usize);
    let job = if terms.is_some_and(|terms| terms.tracking.is_some()) { JOB_BYTES } else { 0 };
    ROW_BYTES + said + job + publish.key.as_ref().map_or(0, |key| KEY_BYTES + key.len())
}

/// What a consumer says, which goes with a dead letter and stands in the status of its job.
fn reason_bytes(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Retry { reason, .. } | Outcome::DeadLetter { reason } => {
            2 * reason.as_ref().map_or(0, |reason| reason.len())
        }
        Outcome::Ranked { outcome, .. } => Record::OVERHEAD_BYTES + reason_bytes(outcome),
        Outcome::Ack | Outcome::Release | Outcome::Bury => 0,
    }
}
