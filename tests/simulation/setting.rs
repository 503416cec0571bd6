//! How the broker is set up: limits so small that a short run meets them, and the rules of the queues.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kolejka::destination::{Overflow, Policies, Policy, PolicyRule};
use kolejka::memory::Account;
use kolejka::model::{Backoff, Credit, Filter, Pattern};
use kolejka::selector::Selector;
use kolejka::{connection, engine, journal, stomp};
use kolejka_codec::Limits;

use super::alone::LAST;

/// Bytes that all clients together may make the broker hold.
const MEMORY_BYTES: u64 = 64 << 20;
/// The longest time to run of a lease in the queue that has one.
pub(crate) const LEASE_MS: u32 = 200;
/// Deliveries before a message is dead.
pub(crate) const DELIVERIES: u16 = 3;

/// The journal's, with segments so small that a run has many. The sizes stand to each other as those of a server do.
pub(crate) fn journal() -> journal::Options {
    journal::Options {
        segment_bytes: 64 << 10,
        batch_bytes: 8 << 10,
        unit_bytes: 40 << 10,
        state_bytes: 128 << 10,
        in_flight_bytes: 16 << 10,
        in_flight_batches: 64,
        spare_segments: 3,
        disk_reserve_bytes: 64 << 10,
        open_files: 3,
        idle_after: Duration::ZERO,
        spares_thread: false,
        ..journal::Options::new(Path::new("unused"))
    }
}

/// The engine's.
pub(crate) fn engine(seed: u64) -> engine::Options {
    TOKENS.set(u128::from(seed) << 64);
    engine::Options {
        policies: policies(),
        append: engine::Append { messages: 512, bytes: 32 << 10 },
        unsettled_per_session: Credit { messages: 500, bytes: 8 << 20 },
        topic_backlog: Credit { messages: 200, bytes: 1 << 20 },
        transient_bytes: 64 << 10,
        cache_bytes: 16 << 10,
        compile: |text| Selector::parse(text).ok().map(|selector| Arc::new(selector) as Arc<dyn Filter>),
        seed,
        tokens: Some(|| {
            TOKENS.set(TOKENS.get() + 1);
            TOKENS.get()
        }),
        memory: Arc::new(Account::new(MEMORY_BYTES)),
        ..engine::Options::default()
    }
}

thread_local! {
    /// The last name of a job that nobody was to guess.
    static TOKENS: Cell<u128> = const { Cell::new(0) };
}

fn policies() -> Policies {
    let rule = |name: &str| PolicyRule::new(Pattern::parse(name).expect("a pattern"));
    Policies {
        default: Policy { max_deliveries: DELIVERIES, backoff: Backoff::Fixed { ms: 20 }, ..Policy::default() },
        rules: vec![
            PolicyRule { time_to_run_ms: Some(LEASE_MS), ..rule("/queue/leased") },
            PolicyRule { last_value_key: Some("symbol".into()), ..rule(LAST) },
            PolicyRule { max_length: Some(4), ..rule("/queue/small") },
            PolicyRule { max_length: Some(4), overflow: Some(Overflow::DropOldest), ..rule("/queue/newest") },
        ],
    }
}

/// The sessions'.
pub(crate) fn session() -> Arc<stomp::Options> {
    Arc::new(stomp::Options { transactions: 4, transaction_frames: 32, ..stomp::Options::default() })
}

/// The connections'.
pub(crate) fn connection() -> Arc<connection::Options> {
    let limits = Limits { body_bytes: BODY_BYTES, ..Limits::default() };
    Arc::new(connection::Options {
        stranger_limits: Limits { body_bytes: 1024, ..limits },
        limits,
        frame_timeout: Duration::from_secs(30),
        output_bytes: 64 << 10,
        pending_receipts: 64,
        write_stall: Duration::from_secs(30),
        disk_wait: Duration::from_secs(5),
        drain: Duration::from_secs(5),
        linger: Duration::from_secs(2),
    })
}

/// The largest body.
pub(crate) const BODY_BYTES: usize = 12 << 10;
