//! What differs from run to run: the shard, the rules of the queues, the limits. And the names that all runs use.

use std::sync::Arc;

use kolejka::destination::{Overflow, Policies, Policy, PolicyRule};
use kolejka::engine::Options;
use kolejka::model::{Backoff, Credit, DestinationKind, DestinationName, Filter, OnExhaust, Pattern, ShardId};
use kolejka::selector::Selector;
use proptest::prelude::*;

/// Queues with rules of their own.
pub(super) const QUEUES: [&str; 2] = ["/queue/a", "/queue/b"];
/// Two topics.
pub(super) const TOPICS: [&str; 2] = ["/topic/t", "/topic/u"];
/// Where management answers.
pub(super) const REPLIES: &str = "/queue/r";
/// A queue that the first topic feeds, once somebody has asked for it.
pub(super) const SHARED_FEED: &str = "/queue/Consumer.g.t";
/// The queue of a durable subscription to all topics, for one reader at a time.
pub(super) const SOLE_FEED: &str = "/dsub/me/n";
/// How long that one is kept without a reader, in milliseconds.
pub(super) const SOLE_FEED_MS: u64 = 70;

/// One world.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) shard: ShardId,
    policies: [Policy; 2],
    /// Messages are sent in groups. Then nobody wants a queue for itself: when it takes groups from others is the
    /// engine's affair.
    pub(super) has_groups: bool,
    /// Messages that a topic keeps for a subscriber.
    pub(super) backlog: u32,
    /// Messages that a session may hold.
    pub(super) unsettled: u32,
    /// Octets of transient messages in memory.
    pub(super) transient_bytes: u64,
}

impl Setting {
    /// Any world.
    pub(super) fn any() -> impl Strategy<Value = Setting> {
        let shard = prop_oneof![Just(0u16), Just(7)];
        let policies = prop::array::uniform2(policy());
        let small = |value: u32| prop_oneof![3 => Just(100_000u32), 1 => Just(value)];
        let limits = (small(4), small(5), small(150));
        let has_groups = prop::bool::weighted(0.35);
        (shard, policies, limits, has_groups).prop_map(|(shard, policies, (backlog, unsettled, bytes), has_groups)| {
            Setting {
                shard: ShardId::new(shard).expect("a shard"),
                policies,
                has_groups,
                backlog,
                unsettled,
                transient_bytes: bytes.into(),
            }
        })
    }

    /// The engine's options.
    pub(super) fn options(&self) -> Options {
        let rules = QUEUES.iter().zip(&self.policies).map(|(name, policy)| rule(name, policy)).collect();
        Options {
            shard: self.shard,
            policies: Policies { default: usual(), rules },
            topic_backlog: Credit { messages: self.backlog, bytes: 1 << 20 },
            unsettled_per_session: Credit { messages: self.unsettled, bytes: 1 << 20 },
            transient_bytes: self.transient_bytes,
            compile,
            ..Options::default()
        }
    }

    /// What holds in a queue.
    pub(super) fn policy(&self, name: &DestinationName) -> Policy {
        if name.kind() == DestinationKind::Retained {
            return Policy { max_length: 1, max_bytes: u64::MAX, overflow: Overflow::DropOldest, ..usual() };
        }
        let own = QUEUES.iter().position(|queue| *queue == name.as_str());
        own.map_or_else(usual, |at| self.policies[at].clone())
    }
}

/// Rules of all queues but two.
fn usual() -> Policy {
    Policy { max_deliveries: 3, backoff: Backoff::Fixed { ms: 20 }, ..Policy::default() }
}

fn policy() -> impl Strategy<Value = Policy> {
    let backoff = prop_oneof![
        Just(Backoff::Fixed { ms: 0 }),
        Just(Backoff::Fixed { ms: 20 }),
        Just(Backoff::Exponential { first_ms: 10, factor_milli: 2000, max_ms: 50 })
    ];
    let on_exhaust =
        prop_oneof![2 => Just(OnExhaust::DeadLetter), 1 => Just(OnExhaust::Bury), 1 => Just(OnExhaust::Drop)];
    let expiry = prop_oneof![3 => Just(None), 1 => (10..60u64).prop_map(Some)];
    let time_to_run = prop_oneof![2 => Just(None), 1 => (5..30u32).prop_map(Some)];
    let dead_letter = prop_oneof![2 => Just("DLQ.{name}"), 1 => Just("/queue/b"), 1 => Just("a"), 1 => Just("morgue")];
    let limits = prop_oneof![
        3 => Just((10_000, 1u64 << 30)),
        1 => (1..5u64).prop_map(|length| (length, 1 << 30)),
        1 => (40..200u64).prop_map(|bytes| (10_000, bytes))
    ];
    let overflow = prop_oneof![Just(Overflow::Refuse), Just(Overflow::DropOldest)];
    let rooms = (limits, overflow, prop::bool::weighted(0.4));
    (1..4u16, backoff, on_exhaust, expiry, any::<bool>(), time_to_run, dead_letter, rooms).prop_map(
        |(
            max_deliveries,
            backoff,
            on_exhaust,
            expiry_ms,
            dead_letter_expired,
            time_to_run_ms,
            dead,
            (limits, overflow, exclusive_groups),
        )| {
            let (dead_letter, (max_length, max_bytes)) = (dead.into(), limits);
            Policy {
                exclusive_consumer: false,
                max_deliveries,
                dead_letter,
                max_length,
                max_bytes,
                overflow,
                backoff,
                on_exhaust,
                expiry_ms,
                dead_letter_expired,
                idle_ms: None,
                last_value_key: None,
                shared_keys: false,
                time_to_run_ms,
                exclusive_groups,
            }
        },
    )
}

fn rule(name: &str, policy: &Policy) -> PolicyRule {
    PolicyRule {
        max_deliveries: Some(policy.max_deliveries),
        dead_letter: Some(Arc::clone(&policy.dead_letter)),
        max_length: Some(policy.max_length),
        max_bytes: Some(policy.max_bytes),
        overflow: Some(policy.overflow),
        backoff: Some(policy.backoff),
        on_exhaust: Some(policy.on_exhaust),
        expiry_ms: policy.expiry_ms,
        dead_letter_expired: Some(policy.dead_letter_expired),
        time_to_run_ms: policy.time_to_run_ms,
        exclusive_groups: Some(policy.exclusive_groups),
        ..PolicyRule::new(Pattern::parse(name).expect("a pattern"))
    }
}

/// A destination by its full name.
pub(super) fn name(full: &str) -> DestinationName {
    DestinationName::from_full(full).expect("a name")
}

/// A client's temporary queue, as everybody may call it.
pub(super) fn temporary(client: usize) -> DestinationName {
    DestinationName::parse("/temp-queue/x", &owner(client)).expect("a name")
}

/// What nobody can guess.
pub(super) fn owner(client: usize) -> String {
    format!("c{client}")
}

/// The text of a selector for messages of one urgency, which say it in their heads too.
pub(super) fn condition(urgency: u32) -> String {
    format!("u = {urgency}")
}

/// The meaning of such a text.
pub(super) fn compile(text: &str) -> Option<Arc<dyn Filter>> {
    Some(Arc::new(Selector::parse(text).ok()?))
}
