//! What becomes of a message whose delivery came to nothing: it returns, waits, is buried, dropped or dead-lettered.

use std::sync::Arc;

use super::happening::Happening;
use super::machine::Engine;
use crate::destination::{Entry, Return};
use crate::model::{
    DeathNote, DeathReason, DestinationId, DestinationName, Effects, JobState, Moved, Now, OnExhaust, Place, Record,
    Returned, Standing, Timestamp,
};

/// How a delivery failed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Failure<'a> {
    /// Its consumer said so: the message waits before the next attempt.
    Nack {
        /// Why, in the consumer's words.
        reason: Option<&'a Arc<str>>,
        /// How long, in milliseconds, if the consumer said that too.
        delay_ms: Option<u64>,
    },
    /// Its consumer went without a word: others may have it at once.
    Lost,
}

/// Why a message is dead-lettered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Death<'a> {
    pub(super) reason: DeathReason,
    pub(super) error: Option<&'a Arc<str>>,
}

impl From<DeathReason> for Death<'_> {
    fn from(reason: DeathReason) -> Self {
        Death { reason, error: None }
    }
}

impl Engine {
    /// A failed delivery that counts.
    pub(super) fn retry(
        &mut self,
        now: Now,
        destination: DestinationId,
        entry: &Entry,
        failure: Failure<'_>,
        effects: &mut Effects,
    ) {
        let Some(queue) = self.queue_mut(destination) else { return };
        let (policy, terms) = (queue.policy(), queue.terms(entry));
        let limit = terms.and_then(|terms| terms.max_deliveries).unwrap_or(policy.max_deliveries);
        let backoff = terms.and_then(|terms| terms.backoff).unwrap_or(policy.backoff);
        let on_exhaust = terms.and_then(|terms| terms.on_exhaust).unwrap_or(policy.on_exhaust);
        let attempts = entry.attempts.saturating_add(1);
        let mut back = Return { attempts, nacks: entry.nacks, standing: Standing::Ready };
        let mut error = None;
        if let Failure::Nack { reason, delay_ms } = failure {
            back.nacks = back.nacks.saturating_add(1);
            let wait = delay_ms.unwrap_or_else(|| backoff.wait_ms(back.nacks, self.jitter.next()));
            if wait > 0 {
                back.standing = Standing::Delayed(Timestamp(now.wall.0 + wait));
            }
            error = reason;
        }
        if attempts < limit {
            self.give_back(destination, entry, back, effects);
            return self.note(now, (destination, entry), Happening::Back(back), effects);
        }
        match on_exhaust {
            OnExhaust::DeadLetter => {
                let death = Death { reason: DeathReason::Deliveries, error };
                self.dead_letter(now, destination, entry, death, effects);
            }
            OnExhaust::Bury => {
                let back = Return { standing: Standing::Buried(now.wall), ..back };
                self.give_back(destination, entry, back, effects);
                self.note(now, (destination, entry), Happening::Back(back), effects);
            }
            OnExhaust::Drop => {
                self.remove(destination, entry, effects);
                self.note(now, (destination, entry), Happening::Over(JobState::Failed), effects);
            }
        }
    }

    /// A delivery that failed, and nobody shall try again until somebody says so.
    pub(super) fn bury(&mut self, now: Now, destination: DestinationId, entry: &Entry, effects: &mut Effects) {
        let back = Return {
            attempts: entry.attempts.saturating_add(1),
            nacks: entry.nacks.saturating_add(1),
            standing: Standing::Buried(now.wall),
        };
        self.give_back(destination, entry, back, effects);
        self.note(now, (destination, entry), Happening::Back(back), effects);
    }

    /// A delivery that came to nothing: the message is in its place again, or waits before it is. It is logged even where
    /// nothing was counted, because `redelivered` must survive a restart.
    pub(super) fn give_back(&mut self, destination: DestinationId, entry: &Entry, back: Return, effects: &mut Effects) {
        if let Some(position) = entry.position() {
            let (message, place) = (entry.message, entry.place());
            let Return { attempts, nacks, standing } = back;
            let record =
                Record::Returned(Returned { destination, message, place, position, attempts, nacks, standing });
            self.evolve(&record, None);
            effects.records.push(record);
        } else if let Some(queue) = self.queue_mut(destination) {
            queue.give_back(entry.message, entry.place(), back);
        }
        self.touch(destination);
    }

    /// A message goes to its dead-letter queue, in the same batch in which it leaves its own. Where there is no such
    /// queue it is buried in its own: a message is never thrown away because it failed.
    pub(super) fn dead_letter(
        &mut self,
        now: Now,
        from: DestinationId,
        entry: &Entry,
        death: Death<'_>,
        effects: &mut Effects,
    ) {
        let Some(queue) = self.queue_mut(from) else { return };
        let origin = queue.name().clone();
        let named = queue.terms(entry).and_then(|terms| terms.dead_letter.clone());
        let target = queue.policy().dead_letter_for(&origin).map(|usual| named.unwrap_or(usual));
        let Some(target) = target.filter(|target| *target != origin) else {
            return self.bury(now, from, entry, effects);
        };
        let attempts = entry.attempts + u16::from(death.reason != DeathReason::Expired);
        let note = Arc::new(DeathNote { origin, reason: death.reason, attempts, error: death.error.cloned() });
        let to = self.finishing_queue(now, target);
        let Some(to_queue) = self.queue_mut(to) else { return };
        let to_place = to_queue.next_place(entry.place().urgency);
        let end = Happening::Over(JobState::Failed);
        let Some(position) = entry.position() else {
            self.move_transient(from, to, to_place, entry, note);
            return self.note(now, (from, entry), end, effects);
        };
        if !to_queue.declared {
            let record = Record::Created { destination: to, name: to_queue.name().clone() };
            self.evolve(&record, None);
            effects.records.push(record);
        }
        let (message, size, from_place) = (entry.message, entry.size, entry.place());
        let record = Record::Moved(Moved { message, position, from, from_place, to, to_place, size, note });
        self.evolve(&record, None);
        effects.records.push(record);
        self.note(now, (from, entry), end, effects);
        self.touch(from);
        self.touch(to);
    }

    /// Finishing work may not fail for lack of room, so no limit applies to it.
    pub(super) fn finishing_queue(&mut self, now: Now, name: DestinationName) -> DestinationId {
        match self.obtain(now, &name) {
            Ok(id) => id,
            Err(_) => self.create(DestinationId(self.next_destination), name),
        }
    }

    fn move_transient(
        &mut self,
        from: DestinationId,
        to: DestinationId,
        place: Place,
        entry: &Entry,
        note: Arc<DeathNote>,
    ) {
        let departed = self.queue_mut(from).and_then(|queue| queue.depart(entry.message, entry.place()));
        let Some(departed) = departed else { return };
        self.uniques.leave(from, &departed);
        let mut moved = Entry::new(entry.message, place, entry.size);
        moved.content = departed.entry.content;
        moved.handed_out = departed.entry.handed_out;
        if departed.entry.tracked {
            moved.tracked = true;
            self.jobs.place(entry.message, Some((to, place)));
        }
        let mut terms = departed.terms;
        if let Some(terms) = &mut terms {
            terms.clear_time();
        }
        let Some(queue) = self.queue_mut(to) else { return };
        let slot = queue.accept(moved, Some(note), terms);
        queue.release(slot);
        self.touch(from);
        self.touch(to);
    }
}
