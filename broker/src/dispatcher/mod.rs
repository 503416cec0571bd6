//! Pairs ready messages with consumers that have credit.
//!
//! Each turn gives one message to one consumer; who still has credit goes to the end of the rotation. A consumer without
//! credit leaves it and comes back when something is settled, so a turn never looks at anybody in vain.

use std::sync::Arc;

use crate::destination::{Consumer, ConsumerKey, Consumers, Contents, Queue, Sought, Taken};
use crate::model::{AckMode, Content, DeathNote, Delivery, MessageId, Payload};

#[cfg(test)]
mod tests;

/// How a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Everything that could be handed out has been.
    Done,
    /// Selective consumers have looked at as many messages as one round allows; another round goes on from there.
    Unfinished,
}

/// Messages that selective consumers look at in one round, all of them together.
const LOOKS: u32 = 4096;

/// Hands out what can be handed out. `told` gets each delivery with the key of its consumer.
pub fn pump(
    queue: &mut Queue,
    consumers: &mut Consumers,
    contents: &mut Contents,
    mut told: impl FnMut(ConsumerKey, &Consumer, Delivery),
) -> Round {
    let mut looks = LOOKS;
    for key in queue.roused() {
        if let Some(consumer) = consumers.get_mut(key) {
            enrol(queue, key, consumer);
        }
    }
    while queue.ready() > 0 {
        let Some(&key) = queue.rotation.front() else { return Round::Done };
        let Some(consumer) = consumers.get_mut(key).filter(|consumer| consumer.has_credit()) else {
            step_aside(queue, consumers.get_mut(key));
            continue;
        };
        let taken = if consumer.filter.is_none() {
            queue.take(key)
        } else {
            match queue.seek(key, contents, &mut looks) {
                Sought::Found(place) => queue.take_at(place, key),
                Sought::Nothing | Sought::Unread => {
                    step_aside(queue, Some(consumer));
                    continue;
                }
                Sought::Later => {
                    queue.rotation.rotate_left(1);
                    return Round::Unfinished;
                }
            }
        };
        let Some(taken) = taken else { return Round::Done };
        let delivery = hand_out(queue, consumer, contents, &taken);
        queue.rotation.rotate_left(1);
        told(key, consumer, delivery);
    }
    Round::Done
}

/// The first in the rotation has no use for a turn now.
fn step_aside(queue: &mut Queue, consumer: Option<&mut Consumer>) {
    queue.rotation.pop_front();
    if let Some(consumer) = consumer {
        consumer.in_rotation = false;
    }
}

/// Writes a taken message into the ledger of its consumer.
fn hand_out(queue: &mut Queue, consumer: &mut Consumer, contents: &mut Contents, taken: &Taken) -> Delivery {
    let number = consumer.hand_out(taken.entry.message, taken.entry.size);
    Delivery {
        subscription: consumer.subscription,
        number,
        message: taken.entry.message,
        auto: consumer.mode == AckMode::Auto,
        held_twice: false,
        attempt: taken.entry.attempts.saturating_add(1),
        redelivered: taken.redelivered,
        death: note_of(queue, taken.entry.message),
        payload: payload(queue, contents, taken),
    }
}

/// Gives a consumer with credit a turn, unless it has one.
pub fn enrol(queue: &mut Queue, key: ConsumerKey, consumer: &mut Consumer) {
    if !consumer.in_rotation && consumer.has_credit() {
        consumer.in_rotation = true;
        queue.rotation.push_back(key);
    }
}

fn note_of(queue: &Queue, message: MessageId) -> Option<Arc<DeathNote>> {
    queue.note(message).cloned()
}

/// The content if it is in memory, otherwise where to read it. A durable message gives up its place in the cache with
/// its first delivery: should it come back, the log still has it.
fn payload(queue: &mut Queue, contents: &mut Contents, taken: &Taken) -> Payload {
    let stored = taken.entry.position().map(|position| Payload::Stored { position, size: taken.entry.size });
    let cached = match (taken.entry.content, &stored) {
        (Some(key), Some(_)) => {
            if let Some(entry) = queue.entry_mut(taken.slot) {
                entry.content = None;
            }
            contents.remove(key)
        }
        (Some(key), None) => contents.get(key).cloned(),
        (None, _) => None,
    };
    match (cached, stored) {
        (Some(content), _) => Payload::Memory(content),
        (None, Some(stored)) => stored,
        // Unreachable: what has no position is kept in memory until it departs.
        (None, None) => Payload::Memory(Content::small(&[], 0)),
    }
}
