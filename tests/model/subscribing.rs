//! Subscriptions begin, to a name, a pattern or a queue behind topics.

use std::sync::Arc;

use kolejka::model::{
    Answer, Credit, DestinationName, Feed, List, Manner, Order, Pattern, Reader, Refusal, Source, Subscribe,
    SubscriptionId, Wildcard,
};

use super::allowance::Allowance;
use super::queue::Behind;
use super::setting::{QUEUES, SHARED_FEED, SOLE_FEED, SOLE_FEED_MS, TOPICS, compile, condition, name, temporary};
use super::step::Wish;
use super::subscriber::{Family, Reach, Sub};
use super::world::World;

#[derive(Debug)]
struct Anybody;

impl Reader for Anybody {
    fn may_read(&self, _: &DestinationName) -> bool {
        true
    }
}

impl World {
    fn source(client: usize, wish: &Wish) -> (Source, Reach) {
        let wildcard =
            |text: &str| Source::Wildcard(Arc::new(Wildcard::parse(text, Arc::new(Anybody)).expect("a pattern")));
        let one = |to: &str| Reach::One(name(to));
        match wish.source {
            0..4 => (World::place(wish.source).into(), Reach::One(World::place(wish.source))),
            4 => (wildcard("/queue/*"), Reach::Queues(Family::OnePart)),
            5 => (wildcard("/queue/>"), Reach::Queues(Family::Any)),
            6 => (wildcard("/queue/DLQ.>"), Reach::Queues(Family::DeadLetters)),
            7 => (wildcard("/topic/>"), Reach::Topics),
            8 => {
                let topics = Pattern::exactly(&name(TOPICS[0]));
                let feed =
                    Feed { queue: name(SHARED_FEED), topics, expires_after: None, selector: None, is_sole: false };
                (Source::Feed(Arc::new(feed)), one(SHARED_FEED))
            }
            9 => {
                let feed = Feed {
                    queue: name(SOLE_FEED),
                    topics: Pattern::parse("/topic/>").expect("a pattern"),
                    expires_after: Some(SOLE_FEED_MS),
                    selector: wish.wants.map(|urgency| condition(urgency).into()),
                    is_sole: true,
                };
                (Source::Feed(Arc::new(feed)), one(SOLE_FEED))
            }
            10 => (temporary(client).into(), Reach::One(temporary(client))),
            number => {
                let order = [Order::Priority, Order::Strict, Order::Fair][number - 11];
                let names = QUEUES.iter().rev().map(|queue| name(queue)).collect::<Vec<_>>();
                (Source::List(Arc::new(List::new(names.clone(), order))), Reach::List(names, order))
            }
        }
    }

    pub(super) fn subscribe(&mut self, client: usize, wish: &Wish) {
        let id = self.next_sub;
        self.next_sub += 1;
        let (to, reach) = World::source(client, wish);
        // In which order retained messages use up octets is the engine's affair.
        let bytes = if reach == Reach::Topics { 1 << 20 } else { wish.bytes };
        let asked = Credit { messages: wish.messages, bytes };
        let time_to_run = (wish.time_to_run > 0).then_some(wish.time_to_run);
        let subscribe = Subscribe {
            id: SubscriptionId(id),
            to: to.clone(),
            mode: wish.mode,
            credit: asked,
            time_to_run_ms: time_to_run,
            filter: wish.wants.and_then(|urgency| compile(&condition(urgency))),
        };
        let mut manner = manner(&to, &reach, wish.manner);
        manner.exclusive &= !self.setting.has_groups;
        manner.exclusive_groups &= self.setting.has_groups;
        let answer = self.apply(client, manner.request(subscribe));
        if let Source::Feed(feed) = &to
            && !self.bind(client, feed, wish.wants)
        {
            assert_eq!(answer, Err(Refusal::OtherSelector));
            return self.refused(client);
        }
        assert_eq!(answer, Ok(Answer::Done));
        if let Reach::One(queue) = &reach
            && queue.kind().is_queue()
        {
            self.model.queue(queue);
        }
        if manner.exclusive_groups {
            let named = QUEUES.iter().map(|queue| name(queue)).filter(|queue| reach.names(queue));
            named.for_each(|queue| self.model.queue(&queue).asked_exclusive = true);
        }
        let credit = self.model.grant(client, wish.mode, asked);
        let (mode, wants) = (wish.mode, wish.wants);
        let (out, coming, backlog, number) = Default::default();
        let allowance = (manner != Manner::default()).then(|| Allowance::new(manner));
        let Manner { priority, exclusive: is_exclusive, no_local: is_no_local, bound: is_bound, .. } = manner;
        let sub = Sub {
            id,
            client,
            reach,
            mode,
            credit,
            time_to_run,
            is_bound,
            wants,
            out,
            number,
            priority,
            is_exclusive,
            is_no_local,
            allowance,
            coming,
            backlog,
        };
        self.model.subs.insert(id, sub);
        self.model.recall(id, self.now.wall);
    }

    /// `false` if somebody goes on reading it with another selector.
    fn bind(&mut self, client: usize, feed: &Feed, wants: Option<u32>) -> bool {
        let wants = wants.filter(|_| feed.selector.is_some());
        let is_other = |behind: &Behind| behind.wants != wants;
        let is_other =
            self.model.find_queue(&feed.queue).is_some_and(|queue| queue.feed.as_ref().is_some_and(is_other));
        let mut readers = self.model.subs.values().filter(|sub| sub.names(&feed.queue));
        if is_other && readers.any(|sub| !feed.is_sole || sub.client == client) {
            return false;
        }
        if feed.is_sole {
            self.model.take_over(&feed.queue, client, self.now.wall);
        }
        if is_other {
            self.model.doom(&feed.queue);
        }
        let (topics, expires_after) = (feed.topics.clone(), feed.expires_after);
        let is_new = self.model.find_queue(&feed.queue).is_none_or(|queue| queue.feed.is_none());
        self.model.queue(&feed.queue).feed.get_or_insert(Behind { topics, wants, expires_after, unread_since: None });
        if is_new {
            self.model.inherit(&feed.queue, self.now.wall);
        }
        true
    }
}

/// What of a manner there is a meaning for. Ranks are modelled where a queue is named.
fn manner(to: &Source, reach: &Reach, wanted: Manner) -> Manner {
    let is_queue = to.kind().is_queue();
    let is_own = QUEUES.iter().any(|queue| reach.names(&name(queue)));
    let Manner { no_local, priority, exclusive, .. } = wanted;
    match reach {
        _ if !is_queue => Manner { no_local, ..Manner::default() },
        Reach::One(_) => Manner {
            no_local: false,
            priority,
            exclusive,
            exclusive_groups: is_own && wanted.exclusive_groups,
            ..wanted
        },
        Reach::List(..) => Manner { no_local: false, priority: 0, exclusive: false, ..wanted },
        _ => Manner { no_local: false, priority: 0, exclusive: false, exclusive_groups: false, ..wanted },
    }
}
