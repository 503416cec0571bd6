//! Queues are made to stand still, and go on.

use super::machine::Engine;
use crate::model::{DestinationId, Effects, Now, Pause, Paused, Record, Side, Timestamp};

impl Engine {
    /// Has a side of a queue stand still until a moment, or go on, and says how both sides stand then.
    pub(super) fn set_pause(
        &mut self,
        now: Now,
        (queue, side): (DestinationId, Side),
        until: Option<Timestamp>,
        effects: &mut Effects,
    ) -> Pause {
        let Some(found) = self.queue_mut(queue) else { return Pause::default() };
        let (pause, is_temporary) = (found.pause.with(side, until), found.name().kind().is_temporary());
        let begins = pause.begins_after(found.pause.left_at(now.wall));
        if pause != found.pause {
            if !is_temporary {
                self.declare(queue, effects);
            }
            self.note_pause(Paused { queue, pause }, effects);
        }
        if begins && self.is_overheard() {
            self.hook_paused(now, queue, pause);
        }
        pause
    }

    /// Ends what has lasted as long as it should.
    pub(super) fn end_pause(&mut self, now: Now, queue: DestinationId, effects: &mut Effects) {
        let Some(found) = self.queue_mut(queue) else { return };
        let pause = found.pause.left_at(now.wall);
        if pause != found.pause && !self.holds_back(queue) {
            self.note_pause(Paused { queue, pause }, effects);
        }
    }

    fn note_pause(&mut self, paused: Paused, effects: &mut Effects) {
        let record = Record::Paused(paused);
        self.evolve(&record, None);
        if self.queue_mut(paused.queue).is_some_and(|queue| queue.declared) {
            effects.records.push(record);
        }
        self.touch(paused.queue);
    }
}
