//! What becomes of a message whose delivery came to nothing: it returns, waits, is buried, dropped or dead-lettered.

use std::sync::Arc;

use super::happening::Happening;
use super::machine::Engine;
use crate::destination::{Entry, Policy, Return};
use crate::model::{
    DeathNote, DeathReason, DestinationId, DestinationName, Effects, JobState, Now, OnExhaust, Record, Returned,
    Standing, Steps,
};
use crate::seeded::{self, Bug};

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
        let (policy, terms) = (queue.policy(), queue.more(entry));
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
                back.standing = Standing::Delayed(now.wall.after(wait));
            }
            error = reason;
        }
        if attempts < limit || seeded::is(Bug::LimitOverrun) && attempts == limit {
            self.give_back(destination, entry, back, effects);
            return self.note(now, (destination, entry), Happening::Back(back), effects);
        }
        match on_exhaust {
            OnExhaust::DeadLetter if self.grave_of(destination, entry).is_some() => {
                let death = Death { reason: DeathReason::Deliveries, error };
                self.dead_letter(now, destination, entry, death, effects);
            }
            OnExhaust::Bury | OnExhaust::DeadLetter => {
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
            let slot = self.evolve(&record, None);
            self.withhold_until_logged(destination, slot, message);
            effects.records.push(record);
        } else if let Some(queue) = self.queue_mut(destination) {
            queue.give_back(entry.message, entry.place(), back);
            self.steps.charge(Steps::CHANGE);
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
        if seeded::is(Bug::DeadLetterDropped) {
            return self.remove(from, entry, effects);
        }
        let Some(target) = self.grave_of(from, entry) else { return self.bury(now, from, entry, effects) };
        let Some(queue) = self.queue_mut(from) else { return };
        let origin = queue.name().clone();
        let counts = u16::from(death.reason != DeathReason::Expired);
        let attempts = if seeded::is(Bug::AttemptsOverflow) {
            entry.attempts + counts
        } else {
            entry.attempts.saturating_add(counts)
        };
        let note = Arc::new(DeathNote { origin, reason: death.reason, attempts, error: death.error.cloned() });
        let to = self.finishing_queue(now, target);
        self.relocate(from, entry, to, (Some(note), None), effects);
        self.note(now, (from, entry), Happening::Over(JobState::Failed), effects);
    }

    /// Where a message goes as a dead letter, if there is such a queue: its sender's wish goes before the policy's, and its
    /// own queue is none.
    pub(super) fn grave_of(&mut self, queue: DestinationId, entry: &Entry) -> Option<DestinationName> {
        let queue = self.queue_mut(queue).filter(|queue| Policy::has_dead_letters(queue.name()))?;
        let named = queue.more(entry).and_then(|terms| terms.dead_letter.clone());
        let target = named.or_else(|| queue.policy().dead_letter_for(queue.name()))?;
        (target != *queue.name()).then_some(target)
    }

    /// Finishing work may not fail for lack of room, so no limit applies to it.
    pub(super) fn finishing_queue(&mut self, now: Now, name: DestinationName) -> DestinationId {
        // It is the broker's, not that of the user whose message died.
        let author = self.author.take();
        let obtained = self.obtain(now, &name);
        self.author = author;
        match obtained {
            Ok(id) => id,
            Err(_) => self.create(DestinationId(self.next_destination), name),
        }
    }
}
