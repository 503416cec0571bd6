//! Deliveries: each has to be one that the model allows, and none that it wants may be missing.

use kolejka::destination::Overflow;
use kolejka::model::{AckMode, Content, Delivery, DestinationName, Lease, MessageId, Now, Order, Timestamp};

use super::grouping::Access;
use super::message::{Holder, Known, Out};
use super::queue::Queue;
use super::reference::Model;
use super::subscriber::{Reach, Sub};

impl Model {
    /// A client is handed a message.
    pub(super) fn delivered(&mut self, client: usize, delivery: &Delivery, content: &Content, now: Now) {
        let id = delivery.subscription.0;
        let is_held = self.holds_plainly(client, delivery.message);
        let may_have_seen = self.clients[client].highest >= Some(delivery.message);
        let sub = self.subs.get_mut(&id).expect("a subscription that is there");
        // Another subscription of the client may have been given what a topic has, and have settled it.
        let may_be_again = may_have_seen && (delivery.redelivered || sub.is_of_topics() && !delivery.held_twice);
        assert_eq!(sub.client, client);
        sub.number += 1;
        assert_eq!(delivery.number, sub.number, "deliveries are numbered");
        assert_eq!(delivery.auto, sub.mode == AckMode::Auto);
        // A topic has something at once for who settles, while other parts of the same request are still to come.
        let was_held =
            sub.is_of_topics() && delivery.held_twice && self.clients[client].settled.contains(&delivery.message);
        assert_eq!(delivery.held_twice, (is_held || was_held) && !delivery.auto, "tokens tell deliveries apart");
        assert_eq!(delivery.is_numbered, may_be_again && !delivery.auto, "an ack token names one delivery");
        let (of_topic, size, is_plain) = (sub.is_of_topics(), content.len() as u32, !delivery.held_twice);
        assert_eq!(delivery.payload.len(), content.len());
        let out = Out {
            number: delivery.number,
            message: delivery.message,
            size,
            is_leased: !of_topic,
            is_plain,
            is_numbered: delivery.is_numbered,
            is_lost: false,
        };
        if of_topic {
            let coming = sub.next_coming(content.body());
            assert_eq!(content.body(), coming.body, "in the order in which they were sent");
            assert_eq!((delivery.attempt, delivery.redelivered, delivery.lease), (1, false, Lease::None));
            sub.out.push(out);
        } else {
            assert!(sub.is_hungry(), "no more than the credit");
            sub.out.push(out);
            if let Some(allowance) = &mut sub.allowance {
                allowance.spend(size);
            }
            let sub = sub.clone();
            self.leased(&sub, delivery, content, now.wall);
        }
        let highest = &mut self.clients[client].highest;
        *highest = (*highest).max(Some(delivery.message));
    }

    /// A queue's message: the first of those that are ready and wanted, with the right marks.
    fn leased(&mut self, sub: &Sub, delivery: &Delivery, content: &Content, now: Timestamp) {
        let has_it = |queue: &&mut Queue| sub.reads(queue) && queue.find(delivery.message).is_some();
        let queue = self.queues.iter_mut().find(has_it).expect("a message of a queue that it reads");
        let (name, policy) = (queue.name.clone(), queue.policy.clone());
        assert!(queue.gives(), "{name} stands still");
        // A message returns to its own place; urgency goes first, then the order of arrival.
        let may_be_first = |known: &Known| !known.is_arriving || known.id == delivery.message;
        let first = queue.offers(sub, may_be_first).min_by_key(|(known, _)| known.place());
        let (first, access) = first.map(|(known, access)| (known.id, access)).expect("a ready message");
        assert_eq!(first, delivery.message, "the first ready message of {name}");
        queue.claim(first, sub);
        let first = queue.find_mut(first).expect("it is there");
        assert_eq!(content.body(), first.body);
        // §5.1: the number of this attempt, and whether anybody may have seen it before, counted or not.
        assert_eq!(delivery.redelivered, first.handed_out);
        assert_eq!(delivery.attempt, first.attempts + 1);
        // §5.4: a dead letter says where it comes from, and where it is if the subscription does not say that.
        assert_eq!(delivery.death.as_deref(), first.note.as_ref());
        let is_far = first.note.is_some() && !matches!(sub.reach, Reach::One(_));
        assert_eq!(delivery.from.as_deref(), is_far.then_some(&name));
        // §5.6: the consumer's time goes before the message's, and that before the policy's; none of them for a bound one.
        let own = first.terms.as_ref().and_then(|terms| terms.time_to_run_ms);
        let is_timed = sub.mode != AckMode::Auto && !sub.is_bound;
        let ms = sub.time_to_run.or(own).or(policy.time_to_run_ms).filter(|_| is_timed);
        let timed = ms.map(|ms| (Timestamp(now.0 + u64::from(ms)), ms));
        let lease = match timed {
            Some((end, time_to_run_ms)) => Lease::Until { end, time_to_run_ms },
            None if sub.mode == AckMode::Auto => Lease::None,
            None => Lease::Bound,
        };
        assert_eq!(delivery.lease, lease);
        let (rank, says) = ((first.urgency, first.id), first.says);
        first.handed_out = true;
        first.holder = Some(Holder::Sub { sub: delivery.subscription.0, number: delivery.number, timed });
        queue.handed_out += u64::from(sub.wants.is_some() || queue.has_dropped_withheld());
        // Whoever owns a group gets what is on call for it, whoever's turn it is.
        if access == Access::Open {
            self.check_order(sub, &name, rank);
            self.check_rank(sub, &name, says);
        }
    }

    /// Whoever has a queue for itself is alone there, and nobody is served before one of a higher priority with room.
    fn check_rank(&self, sub: &Sub, name: &DestinationName, says: u32) {
        let queue = self.find_queue(name).expect("a queue that is there");
        assert!(!self.is_barred(sub, queue), "somebody else has {name} for itself");
        let is_alone = sub.is_exclusive && sub.names(name);
        let others = self.subs.values().filter(|other| other.reach == Reach::One(name.clone()) && other.is_hungry());
        for other in others.filter(|other| other.wants.is_none() && other.wants(says)) {
            assert!(other.priority <= sub.priority || is_alone, "one of a higher priority waits for {name}");
        }
    }

    /// Whether another subscription has a queue for itself: that of the highest priority, and of equals the first.
    pub(super) fn is_barred(&self, sub: &Sub, queue: &Queue) -> bool {
        let sole = self.subs.values().filter(|other| other.is_exclusive && other.names(&queue.name));
        let sole = sole.max_by_key(|other| (other.priority, std::cmp::Reverse(other.id)));
        sole.is_some_and(|sole| sole.id != sub.id)
    }

    /// Of several queues the one comes first that the order of the list says. Queues that drop something for want of room
    /// are left out: what they had is not known any more.
    fn check_order(&self, sub: &Sub, chosen: &DestinationName, rank: (u32, MessageId)) {
        let Reach::List(names, order) = &sub.reach else { return };
        let keeps =
            |queue: &&Queue| queue.policy.overflow == Overflow::Refuse && queue.gives() && !self.is_barred(sub, queue);
        for queue in self.queues.iter().filter(keeps).filter(|queue| names.contains(&queue.name)) {
            // There it would have to let one of a higher priority go first.
            let goes_first =
                |other: &Sub| other.names(&queue.name) && other.priority > sub.priority && other.is_hungry();
            if self.subs.values().any(goes_first) {
                continue;
            }
            let offers = queue.offers(sub, |known| !known.is_arriving);
            let best = offers.map(|(known, _)| known).map(|known| (known.urgency, known.sequence, known.id)).min();
            let Some((urgency, _, id)) = best.filter(|_| queue.name != *chosen) else { continue };
            let place = |name| names.iter().position(|other| other == name);
            match order {
                Order::Priority => assert!(rank < (urgency, id), "{} has something more urgent", queue.name),
                Order::Strict => assert!(place(chosen) < place(&queue.name), "{} comes first", queue.name),
                Order::Fair => {}
            }
        }
    }

    /// A client names that message already when it names nothing else.
    fn holds_plainly(&self, client: usize, message: MessageId) -> bool {
        self.outs_of(client).any(|(_, out)| out.message == message && out.is_plain && !out.is_lost)
    }

    /// §5.6: a holder asks for more time. A lease without a time stays without, unless one is set.
    pub(super) fn touch(&mut self, sub: u32, number: u64, ms: Option<u32>, now: Timestamp) {
        let is_it = |known: &&mut Known| matches!(known.holder, Some(Holder::Sub { sub: s, number: n, .. }) if (s, n) == (sub, number));
        let known = self.queues.iter_mut().flat_map(|queue| &mut queue.messages).find(is_it);
        if let Some(Holder::Sub { timed, .. }) = known.and_then(|known| known.holder.as_mut())
            && let Some(ms) = ms.or(timed.map(|(_, ms)| ms))
        {
            *timed = Some((Timestamp(now.0 + u64::from(ms)), ms));
        }
    }

    /// Nothing that somebody wants and has credit for is kept back, and what topics gave has come.
    pub(super) fn check_nothing_kept_back(&self) {
        for sub in self.subs.values().filter(|sub| !self.clients[sub.client].is_leaving) {
            assert!(sub.coming.is_empty(), "a topic's message is missing");
            if sub.is_hungry() {
                assert!(sub.backlog.is_empty(), "a topic keeps a message back");
                for queue in self.queues.iter().filter(|queue| sub.reads(queue) && queue.gives()) {
                    if self.is_barred(sub, queue) {
                        continue;
                    }
                    let wanted = queue.offers(sub, |_| true).next().is_some();
                    assert!(!wanted, "{} keeps a message back from somebody with credit", queue.name);
                }
            }
        }
    }

    /// A message is out with at most one subscription, and whoever holds one has it in its ledger.
    pub(super) fn check_nothing_held_twice(&self) {
        for known in self.messages() {
            let leased = |out: &Out| out.message == known.id && out.is_leased && !out.is_lost;
            let holders = self.subs.values().flat_map(|sub| &sub.out).filter(|out| leased(out)).count();
            assert_eq!(holders, usize::from(matches!(known.holder, Some(Holder::Sub { .. }))));
        }
    }
}

impl Sub {
    pub(super) fn is_of_topics(&self) -> bool {
        match &self.reach {
            Reach::One(name) => !name.kind().is_queue(),
            Reach::Queues(_) | Reach::List(..) | Reach::Nowhere => false,
            Reach::Topics => true,
        }
    }
}
