//! Subscriptions that pull, and such as end by themselves: after a wait, when nothing is left, with the last delivery.
//!
//! Whoever may have come to its end is looked at behind all handing out, so that "nothing there" means nothing after
//! everybody's turns. What an ended subscription holds stays in its ledger.

use super::destination::Kind;
use super::machine::Engine;
use crate::destination::{ConsumerKey, Reach};
use crate::model::{AckMode, Answer, Credit, DestinationId, Effects, End, Event, Grant, Now, SessionId, SoftRefusal};

/// Destinations that a pattern means in which it is looked in a row whether anything is there for a consumer.
const LOOKED_AT_ONCE: usize = 512;

/// What that comes to.
enum Look {
    There,
    Nothing,
    /// There are more to be looked at.
    On,
}

impl Engine {
    /// Gives credit to a consumer that pulls. To others it comes by itself.
    pub(super) fn allow(&mut self, now: Now, session: SessionId, grant: Grant, effects: &mut Effects) -> Answer {
        let key = self.sessions.get(session).and_then(|state| state.subscriptions.get(&grant.subscription)).copied();
        let allowance = key.and_then(|key| self.consumers.get_mut(key)?.allowance.as_mut());
        match (key, allowance.is_some_and(|allowance| allowance.grant(grant.credit))) {
            (Some(key), true) => {
                self.refill(now, key, effects);
                Answer::Done
            }
            _ => Answer::Soft(SoftRefusal::BadRequest),
        }
    }

    /// Looks at consumers that may have come to their end.
    pub(super) fn examine(&mut self, now: Now, effects: &mut Effects) {
        let mut examined = std::mem::take(&mut self.examined);
        examined.sort_unstable();
        examined.dedup();
        for key in examined.drain(..) {
            if self.is_used_up(effects) {
                self.late.examined.push_back(key);
            } else {
                self.steps.charge(1);
                self.examine_one(now, key, effects);
            }
        }
        if self.examined.is_empty() {
            self.examined = examined;
        }
    }

    pub(super) fn examine_one(&mut self, now: Now, key: ConsumerKey, effects: &mut Effects) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let has_room = consumer.has_credit();
        let Some(allowance) = consumer.allowance.as_mut().filter(|allowance| !allowance.has_ended()) else { return };
        if allowance.is_used_up() {
            return self.end(key, End::Limit, effects);
        }
        if (allowance.was_served() || !has_room)
            && let Some(moment) = allowance.waits_until.take()
        {
            self.waits.cancel(moment, key);
        }
        let (until_empty, wait) = (allowance.until_empty, allowance.wait);
        if !has_room || !until_empty && wait.is_none() {
            return;
        }
        match self.look_for(key) {
            Look::There => return self.undecided.push(key),
            Look::On => return self.late.examined.push_back(key),
            Look::Nothing => {}
        }
        match wait {
            _ if until_empty => self.end(key, End::Empty, effects),
            Some(wait) if wait.is_zero() => self.end(key, End::Wait, effects),
            Some(wait) => self.wait(key, now.monotonic + wait),
            None => {}
        }
    }

    fn wait(&mut self, key: ConsumerKey, until: std::time::Duration) {
        let allowance = self.consumers.get_mut(key).and_then(|consumer| consumer.allowance.as_mut());
        if let Some(allowance) = allowance.filter(|allowance| allowance.waits_until.is_none()) {
            allowance.waits_until = Some(until);
            self.waits.at(until, key);
        }
    }

    /// Whether something is there for a consumer that has room, and only its turn has not come yet.
    fn look_for(&mut self, key: ConsumerKey) -> Look {
        let allowance = self.consumers.get_mut(key).and_then(|consumer| consumer.allowance.as_mut());
        let behind = allowance.and_then(|allowance| allowance.looked.take());
        let has = |id: &DestinationId| match self.destinations.get(id).map(|found| &found.kind) {
            Some(Kind::Queue(queue)) => queue.may_have(key),
            _ => false,
        };
        match self.consumers.get(key).map(|consumer| &consumer.reach) {
            Some(Reach::One(id)) if has(id) => Look::There,
            Some(Reach::Many(many)) => {
                let (mut last, mut count) = (None, 0);
                for id in many.joined_behind(behind).take(LOOKED_AT_ONCE) {
                    if has(&id) {
                        self.steps.charge(count);
                        return Look::There;
                    }
                    (last, count) = (Some(id), count + 1);
                }
                self.steps.charge(count);
                if count < LOOKED_AT_ONCE as u64 {
                    return Look::Nothing;
                }
                if let Some(allowance) = self.consumers.get_mut(key).and_then(|consumer| consumer.allowance.as_mut()) {
                    allowance.looked = last;
                }
                Look::On
            }
            Some(Reach::One(_) | Reach::View(_) | Reach::Nowhere) | None => Look::Nothing,
        }
    }

    /// Ends those that have waited for long enough, but for such that may yet want what is there.
    pub(super) fn lose_patience(&mut self, now: Now, effects: &mut Effects) {
        while !self.is_used_up(effects)
            && let Some(key) = self.waits.due(now.monotonic)
        {
            let allowance = self.consumers.get_mut(key).and_then(|consumer| consumer.allowance.as_mut());
            let Some(allowance) = allowance else { continue };
            allowance.waits_until = None;
            match self.look_for(key) {
                Look::There => self.undecided.push(key),
                Look::Nothing => self.end(key, End::Wait, effects),
                // Its time is over all the same.
                Look::On => self.wait(key, now.monotonic),
            }
        }
    }

    /// A subscription delivers no more. Its client hears of it behind what was delivered.
    pub(super) fn end(&mut self, key: ConsumerKey, why: End, effects: &mut Effects) {
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let (id, subscription, is_auto) = (consumer.session, consumer.subscription, consumer.mode == AckMode::Auto);
        if let Some(allowance) = &mut consumer.allowance {
            allowance.end();
            if let Some(moment) = allowance.waits_until.take() {
                self.waits.cancel(moment, key);
            }
        }
        let reach = std::mem::replace(&mut consumer.reach, Reach::Nowhere);
        let unused = if is_auto { Credit { messages: 0, bytes: 0 } } else { consumer.retire() };
        if let Some(session) = self.sessions.get_mut(id) {
            session.take_back(unused);
        }
        self.part(key, reach);
        effects.events.push((id, Event::End { subscription, why }));
    }
}
