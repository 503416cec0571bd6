//! Leases with a time: they run out, and their holders may ask for more.
//!
//! They are no part of durable state: what comes back is a return like any other.

use super::failure::Failure;
use super::happening::Word;
use super::machine::Engine;
use crate::destination::Wish;
use crate::model::{Answer, DestinationId, Effects, Now, Refusal, SessionId, SoftRefusal, Touch};
use crate::seeded::{self, Bug};

impl Engine {
    /// Takes back what has been out for too long. It counts, and it is ready at once. Its holder keeps the place in its
    /// window until it says something about the delivery: one that hangs is not given more and more.
    pub(super) fn lapse(&mut self, now: Now, id: DestinationId, effects: &mut Effects) {
        while !self.is_used_up(effects) {
            let Some(queue) = self.queue_mut(id) else { return };
            let Some((entry, lease)) = queue.lapsed(now.wall).map(|(entry, lease)| (entry.clone(), lease)) else {
                return;
            };
            if let Some(holder) = self.consumers.get(lease.consumer)
                && let Some(session) = self.sessions.get_mut(holder.session)
            {
                let delivery = (lease.consumer, holder.subscription, lease.number);
                session.lose(entry.message, delivery, SoftRefusal::LeaseLost);
            }
            if let Some(queue) = self.queue_mut(id) {
                queue.disown(&entry, lease.consumer);
            }
            self.word = Some(Word::Late);
            self.retry(now, id, &entry, Failure::Lost, effects);
            self.word = None;
            self.end_part(now, effects);
        }
    }

    /// Gives a holder more time.
    pub(super) fn lengthen(&mut self, now: Now, session: SessionId, touch: Touch) -> Result<Answer, Refusal> {
        let Touch { message, which, time_to_run_ms } = touch;
        let Some(state) = self.sessions.get(session) else { return Err(Refusal::ShuttingDown) };
        let Some(held) = state.find(message, which) else {
            let lost = state.find_lost(message, which);
            return Ok(Answer::Soft(lost.map_or(SoftRefusal::NotHolder, |(_, why)| why)));
        };
        let Some(destination) =
            self.consumers.get(held.consumer).and_then(|consumer| consumer.outstanding(held.number)?.queue)
        else {
            return Ok(Answer::Soft(SoftRefusal::NotHolder));
        };
        if let Some(queue) = self.queue_mut(destination).filter(|_| !seeded::is(Bug::TouchIgnored)) {
            queue.touch(message, Wish { now: now.wall, time_to_run_ms });
        }
        self.make_appointment(destination);
        Ok(Answer::Done)
    }
}
