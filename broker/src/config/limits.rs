//! Every limit of the broker, with its name, its unit, its default and the reason why it exists. One table: the fields,
//! their defaults, the keys of the file and the reference page all come from it.

use std::time::Duration;

use super::keys::{Fallback, Key};
use super::settings::Section;
use super::value::Kind;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// Most of what is counted in octets without a reason of its own.
const TIB: u64 = 1 << 40;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Bytes; where nothing is written, what the machine has decides.
pub(super) type Machine = Option<u64>;

/// The kind of a key, by the type of its field: `u32` counts, `u64` is octets.
macro_rules! kind {
    (u32, $least:expr, $most:expr) => {
        Kind::Count($least, $most)
    };
    (u64, $least:expr, $most:expr) => {
        Kind::Size($least, $most)
    };
    (Machine, $least:expr, $most:expr) => {
        Kind::Size($least, $most)
    };
    (Duration, $least:expr, $most:expr) => {
        Kind::Time($least, $most)
    };
}

macro_rules! fallback {
    (u32, $default:expr) => {
        Fallback::Count($default)
    };
    (u64, $default:expr) => {
        Fallback::Size($default)
    };
    (Machine, $default:expr) => {
        Fallback::Absent("a quarter of the machine's, at least 64MiB")
    };
    (Duration, $default:expr) => {
        Fallback::Time($default)
    };
}

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $field:ident: $type:ident = $default:expr, $least:expr => $most:expr, $path:literal;)+) => {
        /// The limits. All are finite; none can be switched off.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Limits {
            $($(#[doc = $doc])+ pub $field: $type,)+
        }

        impl Default for Limits {
            fn default() -> Limits {
                Limits { $($field: $default,)+ }
            }
        }

        impl Limits {
            pub(super) fn read(section: &Section) -> Limits {
                Limits { $($field: section.get(concat!("limits.", $path)).unwrap_or($default),)+ }
            }
        }

        /// Their keys.
        pub(super) const LIMITS: &[Key] = &[
            $(Key {
                path: concat!("limits.", $path),
                kind: kind!($type, $least, $most),
                fallback: fallback!($type, $default),
                doc: concat!($($doc),+),
            },)+
        ];
    };
}

limits! {
    /// Octets of a frame's command and headers together.
    head: u64 = 64 * KIB, KIB => MIB, "head";
    /// Octets of one header line.
    line: u64 = 8 * KIB, 256 => MIB, "line";
    /// Headers of a frame.
    headers: u32 = 100, 10 => 10_000, "headers";
    /// Octets of a frame's body.
    body: u64 = 4 * MIB, 1 => 64 * MIB, "body";
    /// Octets of the CONNECT frame, the only one that is read before somebody is known.
    login_frame: u64 = 8 * KIB, KIB => 64 * KIB, "login_frame";
    /// How long a frame may take to arrive once it has begun, plus one second for each 64 KiB received.
    frame_timeout: Duration = seconds(30), seconds(1) => seconds(3600), "frame_timeout";

    /// Connections at a time.
    connections: u32 = 10_000, 1 => 1_000_000, "connections";
    /// Connections of one address; of IPv6 a /64 counts as one, here and below. A web server or a relay brings all its users
    /// from one address.
    connections_per_address: u32 = 10_000, 1 => 1_000_000, "connections_per_address";
    /// Connections that have not logged in yet. Where there are as many, the oldest one of the busiest address that has sent
    /// no login gives way; a quarter is for addresses that logged in within ten minutes.
    unauthenticated: u32 = 1_000, 1 => 1_000_000, "unauthenticated";
    /// Connections of one address that have not logged in yet, beyond which its oldest one that has sent no login gives way;
    /// loopback is exempt.
    unauthenticated_per_address: u32 = 512, 1 => 1_000_000, "unauthenticated_per_address";
    /// New connections of one address within a second, once the burst is used up; loopback is exempt, and an address that
    /// logged in during the last minute.
    accept_rate: u32 = 1_000, 1 => 1_000_000, "accept.rate";
    /// New connections that one address may bring at once.
    accept_burst: u32 = 2_000, 1 => 1_000_000, "accept.burst";
    /// How long a client may take from the first octet of the connection to the end of CONNECT.
    connect_timeout: Duration = seconds(10), Duration::from_millis(100) => seconds(600), "connect_timeout";
    /// How long a TLS handshake may take.
    tls_handshake_timeout: Duration = seconds(5), Duration::from_millis(100) => seconds(600), "tls_handshake_timeout";
    /// TLS handshakes at a time, from the client's first message on; one address has a quarter of them at most, and addresses
    /// that wait are served in turns.
    tls_handshakes: u32 = 256, 1 => 65_536, "tls_handshakes";

    /// Subscriptions of one connection.
    subscriptions: u32 = 256, 1 => 100_000, "subscriptions";
    /// Messages that a subscription may hold unacknowledged, unless it asks for another number.
    prefetch_messages: u32 = 100, 1 => 65_535, "prefetch.messages";
    /// Octets that a subscription may hold unacknowledged. One message is always allowed.
    prefetch_bytes: u64 = 4 * MIB, 1 => GIB, "prefetch.bytes";
    /// Unacknowledged messages of one connection, over all its subscriptions.
    unacked_messages: u32 = 10_000, 1 => 1_000_000, "unacked.messages";
    /// Octets that one connection may hold unacknowledged, over all its subscriptions. One message of each is always allowed.
    unacked_bytes: u64 = 256 * MIB, 1 => 16 * GIB, "unacked.bytes";
    /// Octets that wait to be sent to one connection before nothing more is handed to it or read from it.
    output_buffer: u64 = MIB, 64 * KIB => GIB, "output_buffer";
    /// How long a client may take nothing of what is sent to it before it is disconnected.
    write_timeout: Duration = seconds(30), seconds(1) => seconds(3600), "write_timeout";
    /// Receipts that one connection may wait for before nothing more is read from it.
    receipts: u32 = 4_096, 1 => 1_000_000, "receipts";
    /// Transactions that one connection may have open.
    transactions: u32 = 16, 1 => 10_000, "transactions.count";
    /// Frames of one transaction.
    transaction_frames: u32 = 1_024, 1 => 65_536, "transactions.frames";
    /// Octets of one transaction.
    transaction_bytes: u64 = 16 * MIB, 1 => 64 * MIB, "transactions.bytes";
    /// How long a transaction may stay open without a frame.
    transaction_idle: Duration = seconds(60), seconds(1) => seconds(86_400), "transactions.idle";

    /// Connections of one user that have logged in. All that an address has without a login are one user, here and below.
    user_connections: u32 = 5_000, 1 => 1_000_000, "user.connections";
    /// Transactions that one user may have open, over all its connections.
    user_transactions: u32 = 1_000, 1 => 1_000_000, "user.transactions";
    /// Subscriptions of one user, over all its connections.
    user_subscriptions: u32 = 20_000, 1 => 10_000_000, "user.subscriptions";
    /// Destinations that one user has made since the start and that are still there.
    user_destinations: u32 = 50_000, 1 => 10_000_000, "user.destinations";
    /// Schedules that one user has made since the start and that are still there.
    user_schedules: u32 = 5_000, 1 => 1_000_000, "user.schedules";
    /// Transactions that one address may have open, with all its users. A web server or a relay brings many from one address.
    address_transactions: u32 = 2_000, 1 => 1_000_000, "address.transactions";
    /// Subscriptions of one address, with all its users.
    address_subscriptions: u32 = 40_000, 1 => 10_000_000, "address.subscriptions";
    /// Destinations that clients of one address have made since the start and that are still there.
    address_destinations: u32 = 75_000, 1 => 10_000_000, "address.destinations";
    /// Schedules that clients of one address have made since the start and that are still there.
    address_schedules: u32 = 7_500, 1 => 1_000_000, "address.schedules";

    /// Destinations at a time.
    destinations: u32 = 100_000, 1 => 10_000_000, "destinations";
    /// Schedules at a time.
    schedules: u32 = 10_000, 1 => 1_000_000, "schedules";
    /// Shortest time between two messages of a schedule.
    schedule_period: Duration = seconds(1), Duration::from_millis(10) => seconds(86_400), "schedule_period";
    /// Queues behind one topic: durable subscriptions, groups and queues of virtual topics.
    topic_queues: u32 = 2_048, 1 => 100_000, "topic_queues";
    /// What the selectors of queues behind one topic may cost for a message with 256 octets of headers, in steps of a fifth of a
    /// microsecond: an ordinary selector takes four. For a message with more headers four times as much.
    topic_selectors: u32 = 4_096, 64 => 1_000_000, "topic_selectors";
    /// Messages that one request may put into queues, all copies counted: a list, a topic with durable subscriptions, a
    /// transaction.
    append_messages: u32 = 2_560, 64 => 1_000_000, "append.messages";
    /// Octets that one request may append to the journal, at most three quarters of `disk_reserve`. A body that goes to several
    /// queues counts once.
    append_bytes: u64 = 128 * MIB, MIB => 192 * MIB, "append.bytes";
    /// How long a destination without messages and consumers is kept.
    destination_idle: Duration = seconds(60), seconds(1) => seconds(86_400), "destination_idle";
    /// Messages of one queue, where no policy says otherwise.
    queue_messages: u32 = 10_000_000, 1 => 1_000_000_000, "queue.messages";
    /// Octets of one queue, where no policy says otherwise.
    queue_bytes: u64 = 10 * GIB, KIB => TIB, "queue.bytes";
    /// Deliveries of one message before it goes to the dead-letter queue, where no policy says otherwise.
    deliveries: u32 = 16, 1 => 65_535, "deliveries";
    /// Messages of topics that wait for one slow connection, over all its subscriptions, before it is disconnected.
    topic_pending_messages: u32 = 65_536, 1 => 10_000_000, "topic_pending.messages";
    /// Bytes of topics that wait for one slow connection, over all its subscriptions, before it is disconnected. As many more
    /// may be on their way to it.
    topic_pending_bytes: u64 = 16 * MIB, KIB => 16 * GIB, "topic_pending.bytes";

    /// Jobs that are followed at a time. Beyond it, those that ended first are forgotten.
    jobs: u32 = 100_000, 1 => 10_000_000, "jobs.count";
    /// Octets of their statuses, small results and errors included. They are part of what `limits.state` counts.
    jobs_bytes: u64 = 64 * MIB, 64 * KIB => 4 * GIB, "jobs.bytes";
    /// Octets that are kept in memory of what workers send on the way.
    jobs_data: u64 = 16 * MIB, 64 * KIB => 16 * GIB, "jobs.data";

    /// Bytes of memory that clients can make the broker use, for all purposes: half frames, transactions, output, topics,
    /// queued messages. The machine's memory is that of its control group, if that has a limit.
    memory_total: Machine = None, 16 * MIB => TIB, "memory.total";
    /// Octets of non-persistent messages in memory; beyond it, those of queues are written to disk like persistent ones.
    memory_transient: u64 = 64 * MIB, MIB => TIB, "memory.transient";
    /// Octets of persistent messages that stay in memory beside their copy on disk.
    memory_cache: u64 = 32 * MIB, MIB => TIB, "memory.cache";
    /// Octets of one file of the journal.
    segment: u64 = 64 * MIB, 16 * MIB => GIB, "segment";
    /// Octets of disk that are kept free, at least `segment`: below it, no message is accepted.
    disk_reserve: u64 = 256 * MIB, 16 * MIB => TIB, "disk_reserve";
    /// Bytes a second at which the journal is read in the background to check it, each file about once a week. Damage is told in
    /// the log.
    scrub: u64 = 4 * MIB, 64 * KIB => GIB, "scrub";
    /// Bytes of what is kept beside messages: their times and failures, keys, jobs, durable subscriptions. From there on what
    /// would add to it is refused as on a full disk. The journal writes all of it anew now and then, and a start reads it.
    state: u64 = 512 * MIB, 16 * MIB => GIB, "state";
    /// How long a message waits for room on a full disk before it is refused.
    disk_wait: Duration = seconds(30), Duration::from_millis(1) => seconds(3600), "disk_wait";
}
