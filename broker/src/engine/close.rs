//! Clients leave.

use super::happening::Happening;
use super::machine::Engine;
use super::sessions::Departure;
use crate::model::{DestinationId, Effects, JobState, Now, SessionId};

impl Engine {
    /// A client is gone: what it holds goes back, its temporary destinations and what is in them vanish.
    pub fn close(&mut self, now: Now, id: SessionId, departure: Departure, effects: &mut Effects) {
        effects.begin();
        let Some(session) = self.sessions.get_mut(id) else { return };
        let consumers: Vec<_> = std::mem::take(&mut session.subscriptions).into_values().collect();
        for key in consumers {
            self.dismiss(now, key, departure, effects);
        }
        if let Some(session) = self.sessions.close(id) {
            for destination in session.temporary {
                self.drop_temporary(now, destination, effects);
            }
        }
    }

    fn drop_temporary(&mut self, now: Now, id: DestinationId, effects: &mut Effects) {
        let Some(destination) = self.destinations.remove(&id) else { return };
        self.router.unbind(destination.kind.name(), id);
        self.abandon(now, destination.kind.name(), effects);
        self.windows.forget(id);
        self.uniques.forget(id);
        if let super::destination::Kind::Queue(queue) = destination.kind {
            for entry in queue.entries() {
                self.transient_bytes -= u64::from(entry.size);
                self.forget(entry);
                self.note(now, (id, entry), Happening::Over(JobState::Cancelled), effects);
                self.end_part(now, effects);
            }
        }
    }
}
