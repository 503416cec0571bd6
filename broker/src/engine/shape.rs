//! Queues that come into being with limits of their own.

use super::machine::Engine;
use crate::destination::SlotId;
use crate::model::{Answer, DestinationId, Effects, Limited, Limits, Now, Record, Refusal, Shape};

impl Engine {
    /// Makes a queue with the limits that its maker asks for. One that is there stays as it is; where it is not as it was
    /// asked for, the answer says so.
    pub(super) fn shape(&mut self, now: Now, shape: Shape, effects: &mut Effects) -> Result<Answer, Refusal> {
        let Shape { queue, limits, more, may_create } = shape;
        let Some(name) = queue else { return Ok(Answer::Unheeded) };
        let found = match self.router.resolve(&name) {
            Some(id) => {
                // Somebody else may have made it a moment ago.
                effects.leans = true;
                id
            }
            None if may_create && !self.is_full() => {
                let id = self.obtain(now, &name)?;
                self.limit(id, &limits, effects);
                id
            }
            None => return Ok(Answer::Unheeded),
        };
        let is_heeded = self.queue_mut(found).is_some_and(|queue| queue.heeds(&limits));
        Ok(if is_heeded && !more { Answer::Done } else { Answer::Unheeded })
    }

    fn limit(&mut self, queue: DestinationId, limits: &Limits, effects: &mut Effects) {
        if *limits == Limits::default() {
            return;
        }
        self.declare(queue, effects);
        let record = Record::Limited(Limited { queue, limits: limits.clone() });
        self.evolve(&record, None);
        effects.records.push(record);
    }

    pub(super) fn evolve_limited(&mut self, limited: &Limited) -> Option<SlotId> {
        let (name, limits) = (self.queue_mut(limited.queue)?.name().clone(), limited.limits.clone());
        let policy = self.options.policies.resolve_for(&name, Some(&limits));
        let queue = self.queue_mut(limited.queue)?;
        queue.asked = Some(Box::new(limits));
        queue.set_policy(policy);
        None
    }
}
