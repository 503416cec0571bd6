//! What only the log has and the engine needs: heads for selective consumers, the contents of schedules. Asked for here, read
//! by the shell, brought back.

use super::machine::{Engine, queue_of};
use crate::dispatcher;
use crate::model::{Content, DestinationId, Effects, MessageId, Now, Position};

/// Messages of one queue whose heads are to be read.
#[derive(Debug)]
pub struct Unread {
    /// The queue.
    pub destination: DestinationId,
    /// Which, and where they lie.
    pub messages: Vec<(MessageId, Position)>,
}

impl Engine {
    /// How long what cannot be read now waits until it is tried again, in milliseconds.
    pub const READ_AGAIN_MS: u64 = 10_000;

    /// Whether the last [`dispatch`](Self::dispatch) has left something for the next one.
    pub fn is_unfinished(&self) -> bool {
        !self.late.is_empty() || self.announcements.are_waiting() || self.outbox.has_ripe(self.told_through)
    }

    /// Whether heads are to be read.
    pub fn wants_heads(&self) -> bool {
        !self.unread.is_empty()
            || self.schedules.has_cold()
            || self.wants_legacies()
            || !self.dim.is_empty()
            || self.errands.wants_heads()
    }

    /// What is to be read next; to be answered with [`heads_read`](Self::heads_read). Queues take turns. Who waited for what
    /// others have taken meanwhile goes on here.
    pub fn next_unread(&mut self, now: Now, effects: &mut Effects) -> Option<Unread> {
        if let Some((destination, message, position)) = self.schedules.next_cold() {
            return Some(Unread { destination, messages: vec![(message, position)] });
        }
        if let Some(unread) = self.next_legacy() {
            return Some(unread);
        }
        loop {
            let Some(destination) = self.unread.pop_front() else {
                return self.next_dim(now, effects).or_else(|| self.unread_of_errands());
            };
            let Some(queue) = queue_of(&mut self.destinations, destination) else { continue };
            if !queue.wants_heads() {
                continue;
            }
            let messages = queue.unread(&self.contents);
            if messages.is_empty() {
                self.release(destination);
                self.examined.append(&mut self.undecided);
                self.dispatch(now, effects);
                continue;
            }
            return Some(Unread { destination, messages });
        }
    }

    /// Takes in what has been read; `None` for what cannot be, which no filter selects.
    pub fn heads_read(
        &mut self,
        now: Now,
        destination: DestinationId,
        contents: Vec<(MessageId, Option<Content>)>,
        effects: &mut Effects,
    ) {
        effects.begin();
        if self.is_of_schedules(destination) {
            self.thaw(now, destination, contents, effects);
            return self.dispatch(now, effects);
        }
        if self.legacy.is_some() {
            self.legacy_read(now, contents, effects);
            return self.dispatch(now, effects);
        }
        for (message, content) in contents {
            self.contents.keep_head(message, content.as_ref().map(Content::head));
        }
        self.errands.heads_read(destination);
        self.light_up(destination);
        self.release(destination);
        // Who waited for these heads may be at its end.
        self.examined.append(&mut self.undecided);
        self.dispatch(now, effects);
    }

    /// What was to be read could not be now. Heads are asked for again as they are wanted; the others are not forgotten.
    pub fn not_read(&mut self, now: Now, destination: DestinationId, messages: &[MessageId]) {
        if self.is_of_schedules(destination) {
            for &message in messages {
                self.read_schedule_later(now, destination, message);
            }
        } else if let Some(legacy) = self.legacy.take_if(|legacy| messages.contains(&legacy.message)) {
            self.legacies.push_back(legacy);
        }
    }

    /// Consumers that waited for heads have their turns again.
    fn release(&mut self, destination: DestinationId) {
        let Some(queue) = queue_of(&mut self.destinations, destination) else { return };
        for key in queue.heads_read() {
            dispatcher::readmit((destination, queue), key, &mut self.consumers);
            // In its other queues it stood aside for this.
            if self.consumers.get(key).is_some_and(|consumer| consumer.chooses()) {
                self.refilled.push(key);
            }
        }
        self.touch(destination);
    }
}
