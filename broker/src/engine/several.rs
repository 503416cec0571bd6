//! Several queues in one subscription: whenever it is its turn in one of them, it chooses among all.
//!
//! One message of one queue for each unit of credit. It never holds a message of one queue while it looks at another, so there
//! is nothing to give back; and it takes no more turns than anybody else, since its turn is that of the queue where it came.

use super::dispatch::deliver;
use super::machine::{Engine, queue_of};
use crate::destination::{ConsumerKey, Reach, Scope, Sought, Sources};
use crate::dispatcher;
use crate::model::{DestinationId, Effects, List, MessageId, Now, Order, Place, Refusal, SessionId, Steps};

/// What one queue has to choose from.
enum Offer {
    /// Nothing for this consumer.
    Nothing,
    /// This one.
    Message(Candidate),
    /// It cannot be said before heads have been read.
    Unread,
    /// It cannot be said yet.
    Later,
}

#[derive(Clone, Copy)]
struct Candidate {
    queue: DestinationId,
    place: Place,
    message: MessageId,
    /// Where the queue stands in the list.
    at: usize,
}

impl Engine {
    /// The destinations of a list, made where there are none.
    pub(super) fn sources(&mut self, now: Now, id: SessionId, list: &List) -> Result<Sources, Refusal> {
        let listed = list.names().iter().map(|name| self.obtain_for(now, id, name)).collect::<Result<_, _>>()?;
        Ok(Sources { order: list.order(), listed, next: 0 })
    }

    /// Puts a new consumer into all destinations of its list.
    pub(super) fn join_all(&mut self, key: ConsumerKey) {
        let Some(Reach::Many(many)) = self.consumers.get_mut(key).map(|consumer| &mut consumer.reach) else { return };
        let Scope::List(sources) = &many.scope else { return };
        let listed = sources.listed.clone();
        for &id in &listed {
            many.join(id);
        }
        for id in listed {
            self.join_by_name(id, key);
        }
    }

    /// It is a consumer's turn in a queue, and it has credit: it takes one message from wherever it wants to. `false` if the
    /// round cannot go on, because there was too much to look at.
    pub(super) fn choose(
        &mut self,
        now: Now,
        (here, key): (DestinationId, ConsumerKey),
        effects: &mut Effects,
    ) -> bool {
        let Some(mut sources) = self.lend_sources(key) else { return false };
        let offer = self.best(now, key, &sources, effects);
        if let Offer::Message(candidate) = offer {
            sources.next = candidate.at + 1;
        }
        self.restore_sources(key, sources);
        match offer {
            Offer::Message(candidate) => {
                self.give(now, key, candidate, effects);
                self.end_turn(here, key);
                self.revive(key);
                true
            }
            Offer::Nothing => self.end_turn(here, key) == 0,
            Offer::Later => {
                self.end_turn(here, key);
                false
            }
            Offer::Unread => {
                // It comes back once they have been read.
                let queue = queue_of(&mut self.destinations, here).filter(|queue| queue.rotation.next() == Some(key));
                if let (Some(queue), Some(consumer)) = (queue, self.consumers.get_mut(key)) {
                    queue.rotation.drop_next();
                    consumer.park(here);
                }
                true
            }
        }
    }

    /// The message that comes first in the order of a list.
    fn best(&mut self, now: Now, key: ConsumerKey, sources: &Sources, effects: &mut Effects) -> Offer {
        let (mut budget, count) = (self.share(effects, Self::PART), sources.listed.len());
        let best = self.best_within(now, key, sources, (&mut budget, count), effects);
        self.steps.charge(budget.spent());
        best
    }

    fn best_within(
        &mut self,
        now: Now,
        key: ConsumerKey,
        sources: &Sources,
        (budget, count): (&mut Steps, usize),
        effects: &mut Effects,
    ) -> Offer {
        let first = if sources.order == Order::Fair { sources.next } else { 0 };
        let mut best: Option<Candidate> = None;
        let mut blocked = None;
        for at in (first..first + count).map(|at| at % count) {
            let offer = self.offer(now, (sources.listed[at], at), key, budget, effects);
            match (offer, sources.order) {
                (Offer::Nothing, _) => {}
                (Offer::Message(found), Order::Priority) => {
                    let rank = |candidate: &Candidate| (candidate.place.urgency, candidate.message);
                    let (kept, left) = match best.take() {
                        Some(other) if rank(&other) < rank(&found) => (other, Some(found)),
                        other => (found, other),
                    };
                    best = Some(kept);
                    self.put_back(key, left);
                }
                (message @ Offer::Message(_), Order::Strict | Order::Fair) => return message,
                (wait @ (Offer::Unread | Offer::Later), Order::Strict) => return wait,
                (wait @ (Offer::Unread | Offer::Later), Order::Priority | Order::Fair) => blocked = Some(wait),
            }
        }
        if let Some(wait) = blocked {
            // What is not known yet may come first.
            self.put_back(key, best);
            return wait;
        }
        best.map_or(Offer::Nothing, Offer::Message)
    }

    /// What a queue of a list has for a consumer.
    fn offer(
        &mut self,
        now: Now,
        (id, at): (DestinationId, usize),
        key: ConsumerKey,
        budget: &mut Steps,
        effects: &mut Effects,
    ) -> Offer {
        budget.charge(1);
        let waits = self.destinations.get(&id).is_some_and(|destination| destination.next_moment().is_some());
        if waits && !self.expire(now, id, effects) {
            return Offer::Nothing;
        }
        let Some(consumer) = self.consumers.get(key) else { return Offer::Nothing };
        let Some(queue) = queue_of(&mut self.destinations, id) else { return Offer::Nothing };
        let is_for_it = queue.offers() && !queue.rotation.is_behind(key, consumer.priority);
        let found = if queue.is_selective(key) {
            if !is_for_it {
                return Offer::Nothing;
            }
            match queue.seek(key, &self.contents, budget) {
                Sought::Found(place) => queue.ready_at(place),
                Sought::Later => {
                    self.put_off(id);
                    return Offer::Later;
                }
                aside @ (Sought::Nothing | Sought::Unread) => {
                    queue.rotation.remove(key);
                    if queue.wants_heads() && !self.unread.contains(&id) {
                        self.unread.push_back(id);
                    }
                    return if aside == Sought::Unread { Offer::Unread } else { Offer::Nothing };
                }
            }
        } else {
            queue.first_for(key, is_for_it)
        };
        found.map_or(Offer::Nothing, |entry| {
            Offer::Message(Candidate { queue: id, place: entry.place(), message: entry.message, at })
        })
    }

    /// A selective consumer does not take what it has found.
    fn put_back(&mut self, key: ConsumerKey, candidate: Option<Candidate>) {
        if let Some(candidate) = candidate
            && let Some(queue) = queue_of(&mut self.destinations, candidate.queue)
        {
            queue.put_back(key, candidate.place);
        }
    }

    fn give(&mut self, now: Now, key: ConsumerKey, chosen: Candidate, effects: &mut Effects) {
        let Some(queue) = queue_of(&mut self.destinations, chosen.queue) else { return };
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let from = (chosen.queue, queue);
        let Some(delivery) = dispatcher::give(from, (key, consumer), &mut self.contents, (chosen.place, now.wall))
        else {
            return;
        };
        if consumer.allowance.is_some() {
            self.examined.push(key);
        }
        deliver(&mut self.sessions, key, consumer.session, consumer.mode, delivery, effects);
        self.make_appointment(chosen.queue);
    }

    /// Others have their turns there. Returns how many messages are still there for a consumer that has not left the queue.
    fn end_turn(&mut self, here: DestinationId, key: ConsumerKey) -> usize {
        let queue = queue_of(&mut self.destinations, here).filter(|queue| queue.rotation.next() == Some(key));
        queue.map_or(0, |queue| {
            queue.rotation.turn();
            queue.ready()
        })
    }

    /// Where it stood aside because it could not choose, it has its turns again.
    pub(super) fn revive(&mut self, key: ConsumerKey) {
        let Some(consumer) = self.consumers.get_mut(key).filter(|consumer| consumer.has_credit()) else { return };
        let Reach::Many(many) = &mut consumer.reach else { return };
        if many.parked_len() > 0 && !std::mem::replace(&mut many.refilled, true) {
            self.refilled.push(key);
        }
    }

    fn lend_sources(&mut self, key: ConsumerKey) -> Option<Sources> {
        match &mut self.consumers.get_mut(key)?.reach {
            Reach::Many(many) => match &mut many.scope {
                Scope::List(sources) => Some(std::mem::take(sources)),
                Scope::Wildcard(_) => None,
            },
            Reach::One(_) | Reach::View(_) | Reach::Nowhere => None,
        }
    }

    fn restore_sources(&mut self, key: ConsumerKey, lent: Sources) {
        if let Some(Reach::Many(many)) = self.consumers.get_mut(key).map(|consumer| &mut consumer.reach) {
            many.scope = Scope::List(lent);
        }
    }
}
