//! Queues that keep only the last message of each value.

use super::admission::Load;
use super::destination::Kind;
use super::happening::Happening;
use super::machine::Engine;
use crate::destination::Queue;
use crate::model::{DestinationId, Effects, JobState, Message, Now, Refusal};

impl Engine {
    /// Whether a queue may take one more message. One that takes the place of another needs none of its own.
    pub(super) fn admit_one(&self, destination: DestinationId, message: &Message, memory: u64) -> Result<(), Refusal> {
        let load = Load { destination, messages: 1, bytes: message.content.len() as u64 };
        match self.admit(&load, message.durability, memory) {
            Err(Refusal::QueueFull { .. }) if self.is_replacement(destination, message) => {
                self.admit(&Load { messages: 0, ..load }, message.durability, memory)
            }
            answer => answer,
        }
    }

    fn is_replacement(&self, destination: DestinationId, message: &Message) -> bool {
        match self.destinations.get(&destination).map(|found| &found.kind) {
            Some(Kind::Queue(queue)) => queue.value_of(&message.content).is_some_and(|value| queue.replaces(&value)),
            _ => false,
        }
    }

    /// Removes what has been replaced, once nothing more is to be done with it, as far as there are steps. `true` once that
    /// was all: until then nothing of the queue may be handed out.
    pub(super) fn drop_superseded(&mut self, now: Now, id: DestinationId, effects: &mut Effects) -> bool {
        loop {
            if self.is_used_up(effects) {
                return false;
            }
            // Those that are gone by now cost as much as one that is not.
            self.steps.charge(1);
            let Some(entry) = self.queue_mut(id).and_then(Queue::next_replaced) else { return true };
            self.remove(id, &entry, effects);
            self.note(now, (id, &entry), Happening::Over(JobState::Cancelled), effects);
            if self.end_part(now, effects) {
                return false;
            }
        }
    }
}
