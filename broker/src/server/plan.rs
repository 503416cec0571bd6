//! From the configuration to what each module is told.

use std::sync::Arc;
use std::time::Duration;

use kolejka_codec::Limits as FrameLimits;

use super::admission;
use super::descriptors::Descriptors;
use super::machine;
use crate::config::{Config, ListenerConfig, RouteConfig};
use crate::connection;
use crate::destination::{Policies, Policy, PolicyRule};
use crate::engine;
use crate::jobs::Limits;
use crate::journal;
use crate::memory::{Account, Share};
use crate::model::{Credit, Filter, ShardId};
use crate::router::{Route, Routes};
use crate::selector::Selector;
use crate::stomp;
use crate::transport;
use crate::transport::FairPermits;

/// Below that a broker is of no use, whatever a quarter of the machine is.
const LEAST_MEMORY_BYTES: u64 = 64 << 20;
/// How long the peer may take to read the last word.
const LINGER: Duration = Duration::from_secs(2);

/// The journal's options.
pub(super) fn journal(config: &Config, descriptors: Descriptors) -> journal::Options {
    journal::Options {
        open_files: descriptors.journal,
        segment_bytes: config.limits.segment.next_multiple_of(4096),
        // With less the reserve would be of no use to the log, which needs a whole segment at once.
        disk_reserve_bytes: config.limits.disk_reserve.max(config.limits.segment.next_multiple_of(4096)),
        state_bytes: config.limits.state,
        scrub_bytes: config.limits.scrub,
        ..journal::Options::new(&config.data)
    }
}

/// The engine's options.
pub(super) fn engine(config: &Config) -> engine::Options {
    let limits = &config.limits;
    let memory = Arc::new(Account::new(memory(config)));
    let queues = memory.limit(Share::Queues);
    engine::Options {
        shard: ShardId::default(),
        policies: policies(config),
        routes: routes(config),
        destinations: limits.destinations as usize,
        schedules: limits.schedules as usize,
        user: engine::UserLimits {
            destinations: limits.user_destinations as usize,
            subscriptions: limits.user_subscriptions as usize,
            schedules: limits.user_schedules as usize,
        },
        address: engine::UserLimits {
            destinations: limits.address_destinations as usize,
            subscriptions: limits.address_subscriptions as usize,
            schedules: limits.address_schedules as usize,
        },
        append: engine::Append { messages: limits.append_messages as usize, bytes: limits.append_bytes as usize },
        topic_queues: limits.topic_queues as usize,
        topic_selectors: limits.topic_selectors.into(),
        unsettled_per_session: Credit { messages: limits.unacked_messages, bytes: limits.unacked_bytes },
        topic_backlog: Credit { messages: limits.topic_pending_messages, bytes: limits.topic_pending_bytes },
        // A part of what queues may use, so that there is always room for a message that is not kept.
        transient_bytes: limits.memory_transient.min(queues / 2),
        cache_bytes: limits.memory_cache.min(queues / 4),
        compile: |text| Selector::parse(text).ok().map(|selector| Arc::new(selector) as Arc<dyn Filter>),
        seed: uuid::Uuid::new_v4().as_u64_pair().0,
        jobs: Limits {
            records: limits.jobs as usize,
            bytes: limits.jobs_bytes as usize,
            data_bytes: limits.jobs_data as usize,
        },
        tokens: Some(|| uuid::Uuid::new_v4().as_u128()),
        memory,
        idle_destination: limits.destination_idle,
    }
}

/// Bytes of memory that clients can make the broker use.
pub(super) fn memory(config: &Config) -> u64 {
    config.limits.memory_total.unwrap_or_else(|| (machine::memory() / 4).max(LEAST_MEMORY_BYTES))
}

/// Where else messages go.
pub(super) fn routes(config: &Config) -> Routes {
    let route = |route: &RouteConfig| Route {
        from: route.from.clone(),
        filter: route.selector.clone(),
        to: route.to.clone(),
        is_exclusive: route.exclusive,
    };
    Routes::new(config.routes.iter().map(route).collect())
}

/// Rules of destinations.
pub(super) fn policies(config: &Config) -> Policies {
    let limits = &config.limits;
    let default = Policy {
        max_deliveries: u16::try_from(limits.deliveries).unwrap_or(u16::MAX),
        max_length: limits.queue_messages.into(),
        max_bytes: limits.queue_bytes,
        ..Policy::default()
    };
    let rules = config.policies.iter().map(|rule| PolicyRule {
        pattern: rule.pattern.clone(),
        max_deliveries: rule.max_deliveries,
        dead_letter: rule.dead_letter.as_deref().map(Into::into),
        max_length: rule.max_length,
        max_bytes: rule.max_bytes,
        overflow: rule.overflow,
        backoff: rule.backoff,
        on_exhaust: rule.on_exhaust,
        expiry_ms: rule.expiry.map(|time| time.as_millis() as u64),
        dead_letter_expired: rule.dead_letter_expired,
        time_to_run_ms: rule.time_to_run.map(|time| time.as_millis() as u32),
        exclusive_groups: rule.exclusive_groups,
        exclusive_consumer: rule.exclusive_consumer,
        last_value_key: rule.last_value_key.as_deref().map(Into::into),
        shared_keys: rule.shared_keys,
        idle_ms: rule.idle.map(|time| time.as_millis() as u64),
    });
    Policies { default, rules: rules.collect() }
}

/// The sessions' options.
pub(super) fn session(config: &Config) -> Arc<stomp::Options> {
    let limits = &config.limits;
    Arc::new(stomp::Options {
        server: config.server.clone(),
        connect_timeout: limits.connect_timeout,
        heart_beat_min: config.heart_beat.min,
        heart_beat_max: config.heart_beat.max,
        subscriptions_per_connection: limits.subscriptions as usize,
        credit: Credit { messages: limits.prefetch_messages, bytes: limits.prefetch_bytes },
        transactions: limits.transactions as usize,
        transaction_frames: limits.transaction_frames as usize,
        transaction_bytes: limits.transaction_bytes as usize,
        transaction_idle: limits.transaction_idle,
        schedule_period: limits.schedule_period,
        ..stomp::Options::default()
    })
}

/// What one user may have open.
pub(super) fn users(config: &Config) -> Arc<connection::Users> {
    let limits = &config.limits;
    connection::Users::new(connection::UserLimits {
        connections: limits.user_connections as usize,
        transactions: limits.user_transactions as usize,
        transactions_per_address: limits.address_transactions as usize,
    })
}

/// The connections' options.
pub(super) fn connection(config: &Config) -> Arc<connection::Options> {
    let limits = &config.limits;
    let frames = FrameLimits {
        head_bytes: limits.head as usize,
        line_bytes: limits.line as usize,
        header_count: limits.headers as usize,
        body_bytes: limits.body as usize,
        ..FrameLimits::default()
    };
    let login = limits.login_frame as usize;
    let stranger_limits = FrameLimits {
        head_bytes: frames.head_bytes.min(login),
        line_bytes: frames.line_bytes.min(login),
        // CONNECT has no body; a little room lets the session say so.
        body_bytes: frames.body_bytes.min(1024),
        ..frames
    };
    Arc::new(connection::Options {
        stranger_limits,
        limits: frames,
        frame_timeout: limits.frame_timeout,
        output_bytes: limits.output_buffer as usize,
        pending_receipts: limits.receipts as usize,
        write_stall: limits.write_timeout,
        disk_wait: limits.disk_wait,
        drain: config.shutdown_timeout / 2,
        linger: LINGER.min(config.shutdown_timeout / 2),
    })
}

/// A listener's options.
pub(super) fn listener(config: &Config, listener: &ListenerConfig) -> transport::Options {
    let limits = &config.limits;
    transport::Options {
        stomp: listener.protocols.stomp,
        websocket: listener.protocols.websocket,
        tls: listener
            .tls
            .as_ref()
            .map(|files| transport::TlsFiles { certificate: files.certificate.clone(), key: files.key.clone() }),
        allow_plaintext: listener.allow_plaintext,
        anonymous: listener.anonymous,
        same_port: !config.auth.users.is_empty(),
        origins: listener.origins.clone(),
        require_origin: listener.require_origin,
        message_bytes: (limits.head + limits.body) as usize + 64,
        login_message_bytes: 2 * limits.login_frame as usize,
        connect_deadline: limits.connect_timeout,
        tls_deadline: limits.tls_handshake_timeout,
        tls_handshakes: limits.tls_handshakes as usize,
        ..transport::Options::new(listener.address)
    }
}

/// Limits on connections.
pub(super) fn admission(config: &Config, descriptors: Descriptors) -> admission::Limits {
    let limits = &config.limits;
    admission::Limits {
        total: descriptors.connections,
        refusals: descriptors.refusals,
        per_address: limits.connections_per_address,
        strangers: limits.unauthenticated,
        strangers_per_address: limits.unauthenticated_per_address,
        rate: limits.accept_rate.into(),
        burst: limits.accept_burst.into(),
    }
}

/// How many passwords are looked at: of one address for half of its connections that have not logged in, so that the other half
/// can give way to clients whose password is remembered.
pub(super) fn looking(config: &Config) -> FairPermits {
    let limits = &config.limits;
    let share = limits.unauthenticated_per_address.min(limits.unauthenticated) / 2;
    FairPermits::new(limits.unauthenticated as usize, share as usize)
}
