//! Dead letters of several queues in one: each client takes out those only that come from where it may read.
//!
//! A queue that is not named for dead letters, and has none, costs nothing: its consumers are not made selective.

use std::sync::Arc;

use super::errand::Errand;
use super::machine::{Engine, queue_of};
use crate::destination::{ConsumerKey, Entry, Reach, Scope};
use crate::model::{Candidate, DestinationId, DestinationKind, DestinationName, Filter, Permissions, Right, SessionId};

/// A choice among messages, of those that a client may read at all.
#[derive(Debug)]
struct Readable {
    permissions: Arc<dyn Permissions>,
    queue: DestinationName,
    /// What the client wants of them; `None`: all.
    wanted: Option<Arc<dyn Filter>>,
}

impl Readable {
    /// What it costs to ask some rules about the origin of a message.
    const STEPS: u64 = 8;
}

impl Filter for Readable {
    fn steps(&self, head: usize) -> u64 {
        Readable::STEPS + self.wanted.as_ref().map_or(0, |filter| filter.steps(head))
    }

    fn wants(&self, candidate: &Candidate<'_>) -> bool {
        let may = |origin| self.permissions.may_take(Right::Read, &self.queue, origin);
        candidate.death.is_none_or(|death| may(&death.origin))
            && self.wanted.as_ref().is_none_or(|filter| filter.wants(candidate))
    }
}

impl Engine {
    /// The filter of a consumer in one queue.
    pub(super) fn filter_in(&self, id: DestinationId, key: ConsumerKey) -> Option<Arc<dyn Filter>> {
        let consumer = self.consumers.get(key)?;
        self.readable(consumer.session, id, consumer.filter.as_ref())
    }

    /// What a client wants of a queue, of what it may read there.
    pub(super) fn readable(
        &self,
        session: SessionId,
        id: DestinationId,
        wanted: Option<&Arc<dyn Filter>>,
    ) -> Option<Arc<dyn Filter>> {
        let permissions = self.sessions.get(session).and_then(|session| session.permissions.as_ref());
        let Some(permissions) = permissions.filter(|_| self.takes_dead_letters(id)) else { return wanted.cloned() };
        let queue = self.destinations.get(&id)?.kind.name().clone();
        Some(Arc::new(Readable { permissions: Arc::clone(permissions), queue, wanted: wanted.cloned() }))
    }

    /// Whether messages that died elsewhere may be in a queue. A sender who names another one for his own messages may send
    /// there as well, so that says nothing new to its readers.
    fn takes_dead_letters(&self, id: DestinationId) -> bool {
        let Some(queue) = self.destinations.get(&id).and_then(|found| found.kind.queue()) else { return false };
        queue.name().kind() == DestinationKind::Queue
            && (queue.has_notes() || self.options.policies.take_dead_letters(queue.name()))
    }

    /// Whether the operator who asked for some work may do it with a message, which may have died where he may not.
    pub(super) fn may_touch(&mut self, errand: &Errand, entry: &Entry) -> bool {
        let Some(permissions) = &errand.permissions else { return true };
        let note = queue_of(&mut self.destinations, errand.queue).and_then(|queue| queue.note(entry.message));
        note.is_none_or(|note| permissions.may_take(Right::Manage, &errand.name, &note.origin))
    }

    /// The rights of a client have changed: its consumers come to queues with dead letters anew.
    pub(super) fn judge_anew(&mut self, key: ConsumerKey) {
        let queues: Vec<DestinationId> = match self.consumers.get_mut(key).map(|consumer| &mut consumer.reach) {
            Some(Reach::One(id)) => vec![*id],
            Some(Reach::Many(many)) if matches!(many.scope, Scope::List(_)) => many.joined_behind(None).collect(),
            // What it was shown it may have been shown; it ends there.
            Some(Reach::View(view)) => {
                view.left = Some(0);
                self.views.push(key);
                return;
            }
            _ => return,
        };
        for id in queues.into_iter().filter(|id| self.takes_dead_letters(*id)).collect::<Vec<_>>() {
            self.leave(id, key, true);
            self.join_by_name(id, key);
        }
    }
}
