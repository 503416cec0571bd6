//! What the engine may be told.

use std::sync::Arc;
use std::time::Duration;

use super::quotas::UserLimits;
use crate::destination::Policies;
use crate::jobs::Limits;
use crate::memory::Account;
use crate::model::{Credit, Filter, ShardId};
use crate::router::Routes;

/// Limits and policies of the engine. Every limit is finite.
#[derive(Clone, Debug)]
pub struct Options {
    /// The shard whose state this is.
    pub shard: ShardId,
    /// Rules by destination.
    pub policies: Policies,
    /// Where else messages go than to where they are sent.
    pub routes: Routes,
    /// Destinations that may exist at a time.
    pub destinations: usize,
    /// Schedules that may exist at a time.
    pub schedules: usize,
    /// What one user may have.
    pub user: UserLimits,
    /// What one address may have, with all its users.
    pub address: UserLimits,
    /// What one request may append to the log at once.
    pub append: Append,
    /// Queues behind one topic.
    pub topic_queues: usize,
    /// Steps that the selectors of queues behind one topic may take for a message with an ordinary head.
    pub topic_selectors: u64,
    /// What one session may hold unsettled, over all its subscriptions in client modes.
    pub unsettled_per_session: Credit,
    /// What a topic keeps for a subscriber beyond its credit before it is disconnected.
    pub topic_backlog: Credit,
    /// Octets of transient messages in memory; over it, a queue's transient messages are logged as if persistent.
    pub transient_bytes: u64,
    /// Octets of durable messages that stay in memory beside their copy in the log.
    pub cache_bytes: u64,
    /// What the selector of a durable subscription means; `None` if it is not understood. The engine knows the text only.
    pub compile: fn(&str) -> Option<Arc<dyn Filter>>,
    /// Where chance begins: the jitter of the back-off.
    pub seed: u64,
    /// What may be known of jobs that are followed.
    pub jobs: Limits,
    /// Where names of jobs come from that nobody can guess. Without one they come from `seed`, which is for tests.
    pub tokens: Option<fn() -> u128>,
    /// Where the memory is counted that clients make the engine use.
    pub memory: Arc<Account>,
    /// How long a destination without messages and consumers is kept.
    pub idle_destination: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            shard: ShardId::default(),
            policies: Policies::default(),
            routes: Routes::default(),
            destinations: 100_000,
            schedules: 10_000,
            user: UserLimits::default(),
            address: UserLimits::OF_ADDRESS,
            append: Append::default(),
            topic_queues: 2048,
            topic_selectors: 4096,
            unsettled_per_session: Credit { messages: 10_000, bytes: 256 << 20 },
            topic_backlog: Credit { messages: 65_536, bytes: 16 << 20 },
            transient_bytes: 64 << 20,
            cache_bytes: 32 << 20,
            compile: |_| None,
            seed: 0,
            jobs: Limits::default(),
            tokens: None,
            memory: Arc::default(),
            idle_destination: Duration::from_secs(60),
        }
    }
}

/// What one request may append to the log at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Append {
    /// Messages in queues, all copies counted.
    pub messages: usize,
    /// Bytes. A body that several messages share counts once.
    pub bytes: usize,
}

impl Default for Append {
    fn default() -> Append {
        Append { messages: 2_560, bytes: 128 << 20 }
    }
}
