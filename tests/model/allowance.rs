//! Subscriptions that pull, and such as end by themselves, as the model sees them.

use std::time::Duration;

use kolejka::model::{AckMode, Credit, End, Manner, Now, Ticket};

use super::queue::Queue;
use super::reference::Model;
use super::subscriber::{Reach, Sub};

/// What a subscription may still be given beside its credit, and when it ends.
#[derive(Clone, Debug)]
pub(super) struct Allowance {
    manner: Manner,
    /// §5.11: granted and not used, where nothing comes back by itself.
    pub(super) granted: Option<Credit>,
    /// Deliveries before it ends.
    left: Option<u32>,
    /// When its patience ends, while it waits.
    waits_until: Option<Duration>,
    /// It was given something since somebody looked.
    is_served: bool,
    has_ended: bool,
    /// Whether something is there for it is not known before that append is durable.
    unsure_until: Option<Ticket>,
    /// That was so since it was served last. It may have begun to wait at any moment since.
    was_unsure: bool,
}

impl Allowance {
    pub(super) fn new(manner: Manner) -> Allowance {
        let (granted, left) = (manner.pull, manner.limit);
        Allowance {
            manner,
            granted,
            left,
            waits_until: None,
            is_served: false,
            has_ended: false,
            unsure_until: None,
            was_unsure: false,
        }
    }

    pub(super) fn permits(&self) -> bool {
        let is_granted = self.granted.is_none_or(|credit| credit.messages > 0 && credit.bytes > 0);
        !self.has_ended && self.left != Some(0) && is_granted
    }

    pub(super) fn spend(&mut self, bytes: u32) {
        self.is_served = true;
        self.left = self.left.map(|left| left - 1);
        if let Some(granted) = &mut self.granted {
            granted.messages -= 1;
            granted.bytes = granted.bytes.saturating_sub(bytes.into());
        }
    }

    fn ends_when_idle(&self) -> bool {
        self.manner.until_empty || self.manner.wait_ms.is_some()
    }

    fn wait(&self) -> Option<Duration> {
        self.manner.wait_ms.map(|ms| Duration::from_millis(ms.into()))
    }
}

impl Model {
    /// A subscription is told that it has ended: it was its time, and nothing was there that it could have had.
    pub(super) fn ended(&mut self, id: u32, why: End, now: Now) {
        let sub = &self.subs[&id];
        let allowance = sub.allowance.as_ref().expect("it was not meant to last");
        assert!(!allowance.has_ended, "it ends once");
        match why {
            End::Limit => assert_eq!(allowance.left, Some(0)),
            // §5.10: empty is nothing that is ready for it now; what others have or what is delayed does not count.
            End::Empty => assert!(allowance.manner.until_empty && sub.is_hungry() && !self.has_some_for(sub)),
            // §5.10: the time of waiting runs only while there is room and nothing is ready.
            End::Wait => {
                assert!(sub.is_hungry() && !self.has_some_for(sub));
                let is_over = allowance.waits_until.is_some_and(|until| until <= now.monotonic);
                assert!(is_over || allowance.was_unsure || allowance.wait() == Some(Duration::ZERO), "too early");
            }
            End::Browse => panic!("it looks through nothing"),
        }
        let sub = self.subs.get_mut(&id).expect("it is there");
        // It has read the queue until now, however short that was.
        for queue in self.queues.iter_mut().filter(|queue| sub.names(&queue.name)) {
            queue.feed.iter_mut().for_each(|feed| feed.unread_since = None);
        }
        self.queues.iter_mut().for_each(|queue| queue.give_up_groups(id));
        sub.reach = Reach::Nowhere;
        // §5.10: what it delivered stays leased, and only that takes up credit.
        if sub.mode != AckMode::Auto {
            let bytes: u64 = sub.out.iter().map(|out| u64::from(out.size)).sum();
            sub.credit.messages = sub.credit.messages.min(sub.out.len() as u32);
            sub.credit.bytes = sub.credit.bytes.min(bytes);
        }
        let allowance = sub.allowance.as_mut().expect("it has one");
        (allowance.has_ended, allowance.waits_until) = (true, None);
    }

    /// Something is ready that a subscription wants.
    fn has_some_for(&self, sub: &Sub) -> bool {
        let may = |queue: &&Queue| sub.reads(queue) && queue.gives() && !self.is_barred(sub, queue);
        self.queues.iter().filter(may).any(|queue| queue.offers(sub, |_| true).next().is_some())
    }

    /// The last append that something waits for which a subscription may be given then.
    fn withheld_from(&self, sub: &Sub) -> Option<Ticket> {
        let queues = self.queues.iter().filter(|queue| sub.reads(queue));
        queues.flat_map(Queue::withheld).filter_map(|known| known.withheld).max()
    }

    /// The log is durable up to there.
    pub(super) fn be_sure(&mut self, through: Ticket) {
        for allowance in self.subs.values_mut().filter_map(|sub| sub.allowance.as_mut()) {
            allowance.unsure_until = allowance.unsure_until.filter(|ticket| *ticket > through);
        }
    }

    /// What waits for an append that has no number yet waits for that one.
    pub(super) fn name_append(&mut self, ticket: Ticket) {
        for allowance in self.subs.values_mut().filter_map(|sub| sub.allowance.as_mut()) {
            allowance.unsure_until = allowance.unsure_until.map(|until| until.min(ticket));
        }
    }

    /// Nobody is kept beyond its end, and who has room and nothing begins to wait.
    pub(super) fn examine(&mut self, now: Now) {
        let ids: Vec<_> = self.subs.iter().filter(|(_, sub)| sub.allowance.is_some()).map(|(&id, _)| id).collect();
        for id in ids {
            let (is_hungry, has_some) = (self.subs[&id].is_hungry(), self.has_some_for(&self.subs[&id]));
            let selects = self.subs[&id].wants.is_some();
            let unsure_until = self.withheld_from(&self.subs[&id]);
            let Some(allowance) = self.subs.get_mut(&id).and_then(|sub| sub.allowance.as_mut()) else { continue };
            if allowance.has_ended {
                continue;
            }
            assert_ne!(allowance.left, Some(0), "it has had all, and has not ended");
            if std::mem::take(&mut allowance.is_served) || !is_hungry {
                (allowance.waits_until, allowance.was_unsure) = (None, false);
            }
            if let Some(ticket) = unsure_until.filter(|_| is_hungry) {
                allowance.unsure_until = allowance.unsure_until.max(Some(ticket));
            }
            if allowance.unsure_until.is_some() {
                (allowance.waits_until, allowance.was_unsure) = (None, true);
                continue;
            }
            if is_hungry && !has_some && allowance.ends_when_idle() {
                let wait = allowance.wait().filter(|wait| !allowance.manner.until_empty && !wait.is_zero());
                let wait = wait.expect("nothing is there, and it has not ended");
                // Where it had to be read first whether something is for it, it waits anew.
                let is_over = |until: &Duration| *until <= now.monotonic && selects;
                let from_now = now.monotonic + wait;
                let until = *allowance.waits_until.get_or_insert(from_now);
                let until = if is_over(&until) { from_now } else { until };
                allowance.waits_until = Some(until);
                assert!(until > now.monotonic, "it waits for too long");
            }
        }
    }

    /// When somebody's patience ends.
    pub(super) fn next_patience(&self) -> Option<Duration> {
        self.subs.values().filter_map(|sub| sub.allowance.as_ref()?.waits_until).min()
    }

    /// §5.11: more credit, for those to whom it does not come by itself.
    pub(super) fn grant_more(&mut self, id: u32, messages: u32) -> bool {
        let allowance = self.subs.get_mut(&id).and_then(|sub| sub.allowance.as_mut());
        let Some(granted) = allowance.and_then(|allowance| allowance.granted.as_mut()) else { return false };
        granted.messages += messages;
        granted.bytes += 1000;
        true
    }
}
