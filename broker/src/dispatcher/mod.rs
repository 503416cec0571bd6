//! Pairs ready messages with consumers that have credit.
//!
//! Each turn gives one message to one consumer; who still has credit goes to the end of the rotation. A consumer without
//! credit leaves it and comes back when something is settled, so a turn never looks at anybody in vain.

use std::sync::Arc;

use crate::destination::{Consumer, ConsumerKey, Consumers, Contents, Queue, Reach, Sought, Taken, Wish};
use crate::model::{
    AckMode, Content, DeathNote, Delivery, DestinationId, Lease, MessageId, Payload, Place, Steps, Timestamp,
};

#[cfg(test)]
mod tests;

/// How a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Everything that could be handed out has been.
    Done,
    /// The steps are used up; another round goes on from there.
    Unfinished,
    /// They are, and a selective consumer is in the middle of what it looks at.
    Looking,
    /// It is the turn of a consumer that chooses among several queues. It does so elsewhere; then the round goes on.
    Choice(ConsumerKey),
}

/// Hands out what can be handed out of the queue with that number, at that moment, as far as there are steps for it. `told`
/// gets each delivery with the key of its consumer.
pub fn pump(
    (id, queue): (DestinationId, &mut Queue),
    consumers: &mut Consumers,
    contents: &mut Contents,
    (now, steps): (Timestamp, &mut Steps),
    mut told: impl FnMut(ConsumerKey, &Consumer, Delivery),
) -> Round {
    while !steps.is_used_up() {
        // A message that goes out may bring another one of its group into the open.
        for key in queue.roused() {
            steps.charge(1);
            readmit((id, queue), key, consumers);
        }
        if serve_owner((id, queue), consumers, contents, now, &mut told) {
            steps.charge(Steps::DELIVERY);
            continue;
        }
        if !queue.offers() {
            return Round::Done;
        }
        let Some(key) = queue.rotation.next() else { return Round::Done };
        let Some(consumer) = consumers.get_mut(key).filter(|consumer| consumer.has_credit()) else {
            steps.charge(1);
            queue.rotation.drop_next();
            if let Some(consumer) = consumers.get_mut(key) {
                consumer.park(id);
            }
            continue;
        };
        if consumer.chooses() {
            return Round::Choice(key);
        }
        let wish = wish(consumer, now);
        let taken = if queue.is_selective(key) {
            match queue.seek(key, contents, steps) {
                Sought::Found(place) => queue.take_at(place, (key, consumer.next_number()), wish),
                Sought::Nothing | Sought::Unread => {
                    steps.charge(1);
                    queue.rotation.drop_next();
                    consumer.in_rotation = false;
                    continue;
                }
                Sought::Later => {
                    queue.rotation.turn();
                    return Round::Looking;
                }
            }
        } else {
            queue.take(key, consumer.next_number(), wish)
        };
        let Some(taken) = taken else { return Round::Done };
        let delivery = hand_out((id, queue), consumer, contents, &taken);
        queue.rotation.turn();
        told(key, consumer, delivery);
        steps.charge(Steps::DELIVERY);
    }
    Round::Unfinished
}

/// Gives the owner of a group the next message of it, which nobody else may have, whoever's turn it is. `false` if there is
/// none to be given now.
fn serve_owner(
    (id, queue): (DestinationId, &mut Queue),
    consumers: &mut Consumers,
    contents: &mut Contents,
    now: Timestamp,
    told: &mut impl FnMut(ConsumerKey, &Consumer, Delivery),
) -> bool {
    let Some((place, key)) = queue.next_call().filter(|_| queue.gives()) else { return false };
    let Some(consumer) = consumers.get_mut(key).filter(|_| !queue.rotation.is_barred(key)) else {
        queue.disband(key);
        return true;
    };
    if !consumer.has_credit() {
        queue.set_room(key, false);
        if queue.rotation.remove(key) {
            consumer.park(id);
        }
        return true;
    }
    match give((id, queue), (key, consumer), contents, (place, now)) {
        Some(delivery) => told(key, consumer, delivery),
        None => queue.set_room(key, false),
    }
    true
}

/// Hands out the ready message at a place to a consumer that has chosen it.
pub fn give(
    (id, queue): (DestinationId, &mut Queue),
    (key, consumer): (ConsumerKey, &mut Consumer),
    contents: &mut Contents,
    (place, now): (Place, Timestamp),
) -> Option<Delivery> {
    let taken = queue.take_at(place, (key, consumer.next_number()), wish(consumer, now))?;
    Some(hand_out((id, queue), consumer, contents, &taken))
}

/// How long a consumer wants to keep what it is given; nothing where being written settles it, or only its end does.
fn wish(consumer: &Consumer, now: Timestamp) -> Option<Wish> {
    let is_timed = consumer.mode != AckMode::Auto && !consumer.is_bound;
    is_timed.then_some(Wish { now, time_to_run_ms: consumer.time_to_run_ms })
}

/// Writes a taken message into the ledger of its consumer.
fn hand_out(
    (id, queue): (DestinationId, &mut Queue),
    consumer: &mut Consumer,
    contents: &mut Contents,
    taken: &Taken,
) -> Delivery {
    let number = consumer.hand_out(taken.entry.message, taken.entry.size, Some(id));
    let death = note_of(queue, taken.entry.message);
    let from =
        death.as_ref().filter(|_| matches!(consumer.reach, Reach::Many(_))).map(|_| Box::new(queue.name().clone()));
    Delivery {
        subscription: consumer.subscription,
        number,
        message: taken.entry.message,
        auto: consumer.mode == AckMode::Auto,
        tracked: taken.entry.is_tracked(),
        is_event: taken.entry.is_event(),
        token: None,
        held_twice: false,
        is_numbered: taken.entry.is_successor(),
        attempt: taken.entry.attempts.saturating_add(1),
        redelivered: taken.redelivered,
        lease: match taken.timed {
            Some((end, time_to_run_ms)) => Lease::Until { end, time_to_run_ms },
            None if consumer.mode != AckMode::Auto => Lease::Bound,
            None => Lease::None,
        },
        death,
        from,
        payload: payload(queue, contents, taken),
    }
}

/// A consumer that is new in a queue, or that stood aside there, has its turns: at once, or when it has credit.
pub fn readmit((id, queue): (DestinationId, &mut Queue), key: ConsumerKey, consumers: &mut Consumers) {
    let Some(consumer) = consumers.get_mut(key) else { return };
    let has_credit = consumer.has_credit();
    match &mut consumer.reach {
        Reach::One(_) => enrol(queue, key, consumer),
        Reach::Many(_) if has_credit => queue.line_up(key, consumer.priority),
        Reach::Many(many) => many.park(id),
        Reach::View(_) | Reach::Nowhere => {}
    }
}

/// Gives a consumer of this queue alone a turn, if it has credit and no turn.
pub fn enrol(queue: &mut Queue, key: ConsumerKey, consumer: &mut Consumer) {
    if !consumer.in_rotation && consumer.has_credit() {
        consumer.in_rotation = true;
        queue.line_up(key, consumer.priority);
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
