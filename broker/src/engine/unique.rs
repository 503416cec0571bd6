//! Jobs of which a queue wants one at a time: who holds which key, and what becomes of those that come with the same.
//!
//! The key lives with the terms of its message, so the log knows it, and whoever replays knows who holds what.

use std::collections::HashSet;
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::happening::Happening;
use super::machine::Engine;
use crate::destination::{Departed, Entry, State};
use crate::model::{
    Answer, DestinationId, Effects, JobState, MessageId, Now, OnDuplicate, Place, Publish, Record, Refusal, Submission,
    Terms, Unique, Until, bare_key,
};
use crate::table::Table;

/// Who holds which key of which queue.
#[derive(Debug, Default)]
pub(super) struct Uniques(Table<DestinationId, Keys>);

/// Who holds which key of one queue.
type Keys = Table<Arc<str>, (MessageId, Place)>;

impl Uniques {
    /// A message with such terms is in a queue. A log that was opened may tell of an older one later, which is not the one
    /// that holds the key.
    pub(super) fn enter(&mut self, queue: DestinationId, message: (MessageId, Place), terms: Option<&Terms>) {
        if let Some(unique) = terms.and_then(|terms| terms.unique.as_ref())
            && let Some(keys) = self.0.get_or_default(queue)
            && keys.get(&unique.key).is_none_or(|(_, holder)| holder.sequence <= message.1.sequence)
        {
            keys.insert(unique.key.clone(), message);
        }
    }

    /// A queue is gone with all that was in it.
    pub(super) fn forget(&mut self, queue: DestinationId) {
        self.0.remove(&queue);
    }

    /// A message has left a queue.
    pub(super) fn leave(&mut self, queue: DestinationId, departed: &Departed) {
        let Some(unique) = departed.more.as_ref().and_then(|terms| terms.unique.as_ref()) else { return };
        let Some(keys) = self.0.get_mut(&queue) else { return };
        if keys.get(&unique.key).is_some_and(|(holder, _)| *holder == departed.entry.message) {
            keys.remove(&unique.key);
        }
        if keys.is_empty() {
            self.0.remove(&queue);
        }
    }
}

/// How a message with a key meets its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hit {
    /// Nobody holds the key, or there is none.
    New,
    /// That message holds it, and stays.
    Known(MessageId),
    /// That message holds it, and makes room.
    Replace(MessageId, Place),
}

impl Engine {
    /// Who holds the key of a message that is about to be taken in.
    pub(super) fn hit(&self, now: Now, destination: DestinationId, publish: &Publish) -> Result<Hit, Refusal> {
        let terms = publish.message.terms.as_ref();
        let Some(unique) = terms.and_then(|terms| terms.unique.as_ref()) else { return Ok(Hit::New) };
        let Some((holder, place)) = self.holder(destination, &unique.key) else { return Ok(Hit::New) };
        let Some(queue) = self.destinations.get(&destination).and_then(|found| found.kind.queue()) else {
            return Ok(Hit::New);
        };
        // One that the log does not have yet cannot be seen, nor taken out.
        let entry = queue.locate(holder, place);
        let until = entry.and_then(|entry| queue.more(entry)?.unique.as_ref()).map(|unique| unique.until);
        let has_begun = |entry: &Entry| entry.state == State::Reserved || entry.handed_out;
        let is_free = match until {
            Some(Until::Moment(moment)) => moment <= now.wall,
            Some(Until::Start) => entry.is_some_and(has_begun),
            Some(Until::Done) | None => false,
        };
        if is_free {
            return Ok(Hit::New);
        }
        match unique.on_duplicate {
            OnDuplicate::Attach | OnDuplicate::Drop => Ok(Hit::Known(holder)),
            OnDuplicate::Replace if entry.is_some_and(|entry| entry.state != State::Reserved) => {
                Ok(Hit::Replace(holder, place))
            }
            OnDuplicate::Replace if entry.is_none() => Ok(Hit::Known(holder)),
            OnDuplicate::Reject | OnDuplicate::Replace => Err(Refusal::NotUnique),
        }
    }

    /// Who holds a key of that user, or one that is everybody's.
    fn holder(&self, destination: DestinationId, key: &Arc<str>) -> Option<(MessageId, Place)> {
        let keys = self.uniques.0.get(&destination)?;
        let bare = bare_key(key);
        let own = keys.get(&self.key_in(destination, key));
        let others = || if bare.len() < key.len() { keys.get(bare) } else { None };
        own.or_else(others).copied()
    }

    /// A message that may hold a key has another place.
    pub(super) fn rank_unique(&mut self, destination: DestinationId, message: MessageId, place: Place) {
        if self.uniques.0.is_empty() {
            return;
        }
        let queue = self.destinations.get(&destination).and_then(|found| found.kind.queue());
        let terms = queue.and_then(|queue| queue.more(queue.locate(message, place)?));
        let Some(key) = terms.and_then(|terms| terms.unique.as_ref()).map(|unique| unique.key.clone()) else { return };
        if let Some((holder, held)) = self.uniques.0.get_mut(&destination).and_then(|keys| keys.get_mut(&key))
            && *holder == message
        {
            *held = place;
        }
    }

    /// Notes the key of a message of a transaction, and refuses one that an earlier message of it has taken if that is
    /// what its sender wants.
    pub(super) fn claim(
        destination: DestinationId,
        publish: &Publish,
        taken: &mut HashSet<(DestinationId, Arc<str>), RandomState>,
    ) -> Result<(), Refusal> {
        let terms = publish.message.terms.as_ref();
        let Some(unique) = terms.and_then(|terms| terms.unique.as_ref()) else { return Ok(()) };
        let key = (destination, unique.key.clone());
        if !taken.insert(key) && unique.on_duplicate == OnDuplicate::Reject {
            return Err(Refusal::NotUnique);
        }
        Ok(())
    }

    /// The sender of a message that is not taken, because another holds its key, waits for the result of that one.
    pub(super) fn join_job(&mut self, job: MessageId, publish: &Publish, effects: &mut Effects) -> Answer {
        effects.leans = true;
        let row = self.jobs.get(job).map(|row| (row.status.token, row.durable));
        let unique = publish.message.terms.as_ref().and_then(|terms| terms.unique.as_ref());
        let waiter = unique.filter(|unique| unique.on_duplicate == OnDuplicate::Attach);
        if let Some(((_, durable), waiter)) = row.zip(waiter.and_then(|unique| unique.waiter.clone())) {
            self.enter(Record::Attached { job, waiter: Box::new(waiter) }, durable, effects);
        }
        Answer::Submitted(Submission { job, token: row.map(|(token, _)| token), is_duplicate: true })
    }

    /// A message of a transaction that was let in. Another of it may have taken its key meanwhile.
    pub(super) fn put_unique(
        &mut self,
        now: Now,
        (destination, takers): (DestinationId, Vec<DestinationId>),
        publish: Publish,
        effects: &mut Effects,
    ) -> bool {
        match self.hit(now, destination, &publish) {
            Ok(Hit::Known(job)) => {
                self.join_job(job, &publish, effects);
                false
            }
            Ok(hit) => self.take_in(now, (destination, takers), (publish, hit), effects).is_some(),
            Err(_) => false,
        }
    }

    /// Puts a message where it belongs, or where the one is that it replaces; says as which it was taken.
    pub(super) fn take_in(
        &mut self,
        now: Now,
        (destination, takers): (DestinationId, Vec<DestinationId>),
        (mut publish, hit): (Publish, Hit),
        effects: &mut Effects,
    ) -> Option<MessageId> {
        if let Some(unique) = publish.message.terms.as_mut().and_then(|terms| terms.unique.as_mut()) {
            let (key, until) = (self.key_in(destination, &unique.key), unique.until);
            **unique = Unique { key, until, on_duplicate: OnDuplicate::default(), waiter: None };
        }
        let Hit::Replace(job, place) = hit else { return self.put(now, (destination, takers), publish, effects) };
        let entry = self.queue_mut(destination)?.locate(job, place)?.clone();
        self.remove(destination, &entry, effects);
        self.note(now, (destination, &entry), Happening::Over(JobState::Cancelled), effects);
        self.enqueue_at(now, (destination, job, Some(place)), publish.message, effects);
        Some(job)
    }
}
