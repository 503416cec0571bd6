//! Time passes: leases run out, messages expire or come due, queues behind topics are given up.

use std::time::Duration;

use kolejka::model::{DeathReason, DestinationKind, Now, Standing, Timestamp};

use super::message::{Holder, Known};
use super::reference::Model;
use super::settling::Failure;

impl Model {
    /// Timers fire.
    pub(super) fn tick(&mut self, now: Now) {
        for queue in &mut self.queues {
            queue.pause = queue.pause.left_at(now.wall);
        }
        self.lapse(now.wall);
        self.expire(now.wall);
        self.wake(now.wall);
    }

    /// §5.7: what has been out for too long counts and comes back; its holder keeps the place in its window.
    fn lapse(&mut self, now: Timestamp) {
        let is_over = |known: &&Known| known.lease_end().is_some_and(|end| end <= now);
        let mut late: Vec<_> = self.messages().filter(is_over).map(|known| (known.lease_end(), known.id)).collect();
        late.sort_unstable();
        for (_, message) in late {
            let known = self.messages().find(|known| known.id == message);
            if let Some(Holder::Sub { sub, number, .. }) = known.and_then(|known| known.holder) {
                let outs = self.subs.get_mut(&sub).map(|sub| &mut sub.out);
                let out = outs.and_then(|outs| outs.iter_mut().find(|out| out.number == number));
                out.expect("its holder knows it").is_lost = true;
                self.home_of(message).disown(message, sub);
            }
            self.fail(message, Failure::Lost, now);
        }
    }

    /// §5.5: what is over, and nobody holds, is dropped, unless the policy dead-letters it and there is somewhere to go.
    pub(super) fn expire(&mut self, now: Timestamp) {
        self.replace_retained();
        let is_over = |known: &&Known| known.is_idle() && known.expires().is_some_and(|end| end <= now);
        let over: Vec<_> = self.messages().filter(is_over).map(|known| known.id).collect();
        for message in over {
            let is_kept = self.home_of(message).policy.dead_letter_expired;
            if !(is_kept && self.dead_letter(message, DeathReason::Expired, None)) {
                self.home_of(message).take(message);
            }
        }
    }

    /// What came by expiring is there for all.
    pub(super) fn arrive(&mut self) {
        for known in self.queues.iter_mut().flat_map(|queue| &mut queue.messages) {
            known.is_arriving = false;
        }
    }

    /// Of what a topic retains the last one counts, and what it replaced does not come back when it is over.
    fn replace_retained(&mut self) {
        for queue in self.queues.iter_mut().filter(|queue| queue.name.kind() == DestinationKind::Retained) {
            let last = queue.messages.iter().filter(|known| known.is_ready()).map(|known| known.id).max();
            queue.messages.retain(|known| !known.is_ready() || Some(known.id) == last);
        }
    }

    /// What waited for this moment is ready.
    fn wake(&mut self, now: Timestamp) {
        for known in self.queues.iter_mut().flat_map(|queue| &mut queue.messages).filter(|known| known.is_delayed()) {
            if matches!(known.standing, Standing::Delayed(due) if due <= now) {
                known.standing = Standing::Ready;
                known.clear_due();
            }
        }
    }

    /// Queues behind topics that nobody reads for too long are given up.
    pub(super) fn give_up(&mut self, now: Duration) {
        let is_late = |queue: &&super::queue::Queue| {
            queue.feed.as_ref().is_some_and(|feed| {
                let after = feed.expires_after.map(Duration::from_millis);
                feed.unread_since.zip(after).is_some_and(|(since, after)| since + after <= now)
            })
        };
        let late: Vec<_> = self.queues.iter().filter(is_late).map(|queue| queue.name.clone()).collect();
        for name in late {
            self.doom(&name);
        }
    }

    /// Notes since when nobody reads the queues behind topics.
    pub(super) fn note_readers(&mut self, now: Duration) {
        for queue in &mut self.queues {
            let is_read = self.subs.values().any(|sub| sub.names(&queue.name));
            if let Some(feed) = &mut queue.feed {
                feed.unread_since = if is_read { None } else { feed.unread_since.or(Some(now)) };
            }
        }
    }

    /// What nobody can reach any more goes, but for what somebody still holds or the log has yet to get.
    pub(super) fn drain(&mut self) {
        for queue in self.queues.iter_mut().filter(|queue| queue.is_doomed) {
            queue.messages.retain(|known| !known.is_idle());
        }
        self.queues.retain(|queue| !queue.is_doomed || !queue.messages.is_empty());
    }

    /// When something has to happen.
    pub(super) fn next_moment(&self) -> Option<Timestamp> {
        self.queues.iter().filter_map(super::queue::Queue::next_moment).min()
    }
}
