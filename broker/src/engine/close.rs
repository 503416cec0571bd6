//! Clients leave.

use std::collections::VecDeque;

use super::chore::Chore;
use super::happening::Happening;
use super::machine::{DESTINATIONS_KEPT, Engine};
use super::sessions::Departure;
use super::subscribe::Dismissal;
use crate::destination::Queue;
use crate::model::{DestinationId, Effects, JobState, Now, SessionId};
use crate::table::give_back_map;

/// A client that is gone, and whose subscriptions have not all ended.
#[derive(Debug)]
pub(super) struct Closing {
    session: SessionId,
    consumers: VecDeque<Dismissal>,
}

/// What it costs to end a subscription or to drop a temporary destination, beside what they hold, in steps.
const DROPPED: u64 = 5;
/// Messages of a temporary queue that vanish with it.
const AT_ONCE: usize = 256;

impl Engine {
    /// A client is gone: what it holds goes back, its temporary destinations and what is in them vanish. Where that is very
    /// much, the rest is background work.
    pub fn close(&mut self, now: Now, id: SessionId, departure: Departure, effects: &mut Effects) {
        effects.begin();
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.leaving = true;
        // A subscription that is ending is none of the others any more.
        let ending =
            session.chore.take().and_then(|chore| if let Chore::Dismiss(one) = chore { Some(one) } else { None });
        let keys: Vec<_> = std::mem::take(&mut session.subscriptions).into_values().collect();
        let others = keys.into_iter().map(|key| self.begin_dismissal(key, departure));
        let consumers = ending.into_iter().chain(others).collect();
        let mut closing = Closing { session: id, consumers };
        if !self.close_part(now, &mut closing, effects) {
            self.late.closing.push_back(closing);
        }
    }

    /// Goes on with the end of a client, as far as there are steps. `true` once that was all.
    pub(super) fn close_part(&mut self, now: Now, closing: &mut Closing, effects: &mut Effects) -> bool {
        while let Some(dismissal) = closing.consumers.front_mut() {
            self.steps.charge(DROPPED);
            if !self.dismiss_part(now, dismissal, effects) {
                return false;
            }
            closing.consumers.pop_front();
        }
        loop {
            if self.is_used_up(effects) {
                return false;
            }
            let Some(session) = self.sessions.get_mut(closing.session) else { return true };
            let Some(destination) = session.temporary.pop_first() else { break };
            self.steps.charge(DROPPED);
            self.drop_temporary(now, destination, effects);
        }
        self.sessions.close(closing.session);
        true
    }

    fn drop_temporary(&mut self, now: Now, id: DestinationId, effects: &mut Effects) {
        let is_large = |queue: &Queue| queue.len() > AT_ONCE;
        if self.destinations.get(&id).and_then(|found| found.kind.queue()).is_some_and(is_large) {
            return self.doom_temporary(now, id, effects);
        }
        let Some(destination) = self.destinations.remove(&id) else { return };
        give_back_map(&mut self.destinations, DESTINATIONS_KEPT);
        if let Some(moment) = destination.moment {
            self.moments.cancel(moment, id);
        }
        self.quotas.forget_destination(destination.maker);
        self.router.unbind(destination.kind.name(), id);
        self.abandon(now, destination.kind.name(), effects);
        self.windows.forget(id);
        self.uniques.forget(id);
        if let super::destination::Kind::Queue(queue) = destination.kind {
            self.steps.charge(queue.len() as u64);
            for entry in queue.entries() {
                self.transient_bytes -= u64::from(entry.size);
                self.forget(entry);
                self.note(now, (id, entry), Happening::Over(JobState::Cancelled), effects);
                self.end_part(now, effects);
            }
        }
    }
    /// A large one loses its name at once; what is in it vanishes in the background.
    fn doom_temporary(&mut self, now: Now, id: DestinationId, effects: &mut Effects) {
        let Some(queue) = self.queue_mut(id) else { return };
        queue.doomed = true;
        let name = queue.name().clone();
        if let Some(destination) = self.destinations.get_mut(&id) {
            destination.owner = None;
        }
        self.router.unbind(&name, id);
        self.abandon(now, &name, effects);
        self.windows.forget(id);
        self.doomed.insert(id);
    }
}
