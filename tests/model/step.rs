//! What clients, time and fate may do next.

use kolejka::engine::Departure;
use kolejka::model::{
    AckMode, Backoff, Credit, Manner, OnExhaust, Operation, Outcome, Retain, Side, States, Transfer, Urgency,
};
use proptest::option::of;
use proptest::prelude::*;

use super::setting::name;

/// One thing that happens.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Publish {
        client: usize,
        send: Send,
    },
    Subscribe {
        client: usize,
        wish: Wish,
    },
    Unsubscribe {
        client: usize,
        which: usize,
    },
    /// Asks for so many messages more.
    Grant {
        client: usize,
        which: usize,
        messages: u32,
    },
    Settle {
        client: usize,
        target: Target,
        outcome: Outcome,
    },
    Touch {
        client: usize,
        target: Target,
        ms: Option<u32>,
    },
    Written {
        client: usize,
        which: usize,
        count: usize,
    },
    Commit {
        client: usize,
        acts: Vec<Act>,
    },
    Quarantine {
        client: usize,
        which: usize,
    },
    Manage {
        client: usize,
        operation: Operation,
        queue: usize,
        wants_reply: bool,
    },
    /// Ends a queue behind topics.
    Discard {
        client: usize,
        is_sole: bool,
    },
    /// So many milliseconds pass; timers fire on time, or late and all together.
    Wait {
        ms: u64,
        on_time: bool,
    },
    /// So many units of the log become durable.
    Sync(usize),
    /// The disk is full, or is not any more.
    Full(bool),
    Leave {
        client: usize,
        departure: Departure,
    },
    /// The process is gone without a word.
    Crash,
    /// The process ends in order, and another one begins.
    Restart,
}

/// A part of a transaction.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Send(Send),
    Settle(Target, Outcome),
}

/// A message to be sent. Times are in milliseconds, 0 for none.
#[derive(Clone, Debug)]
pub(super) struct Send {
    pub(super) place: usize,
    pub(super) urgency: u32,
    pub(super) durable: bool,
    pub(super) padding: usize,
    pub(super) delay: u64,
    pub(super) life: u64,
    pub(super) time_to_run: u32,
    pub(super) failures: Failures,
    pub(super) key: Option<u8>,
    pub(super) retain: Option<Retain>,
    /// A group by its number, and whether this is the last of it.
    pub(super) group: Option<(u8, bool)>,
}

/// What a sender says about failures.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures {
    pub(super) max_deliveries: Option<u16>,
    pub(super) backoff: Option<Backoff>,
    pub(super) on_exhaust: Option<OnExhaust>,
    /// A queue by its number.
    pub(super) dead_letter: Option<usize>,
}

/// A wish to receive.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) source: usize,
    pub(super) mode: AckMode,
    pub(super) messages: u32,
    pub(super) bytes: u64,
    /// In milliseconds, 0 for none.
    pub(super) time_to_run: u32,
    pub(super) wants: Option<u32>,
    pub(super) manner: Manner,
}

/// Which delivery is meant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// One that the client has yet to settle, named by its message alone where that is enough.
    Out { which: usize, by_message: bool },
    /// Any message that is there.
    Any(usize),
}

/// What may happen in a run; whether the batch that it is a part of goes on behind it.
pub(super) fn steps() -> impl Strategy<Value = Vec<(Step, bool)>> {
    prop::collection::vec((step(), prop::bool::weighted(0.3)), 1..60)
}

fn step() -> impl Strategy<Value = Step> {
    let client = 0..3usize;
    let which = || 0..8usize;
    let departure = prop_oneof![Just(Departure::Clean), Just(Departure::Lost)];
    let act = prop_oneof![
        3 => send().prop_map(Act::Send),
        2 => (target(), outcome()).prop_map(|(target, outcome)| Act::Settle(target, outcome))
    ];
    let acts = prop::collection::vec(act, 1..5);
    let ms = prop_oneof![8 => 1..30u64, 1 => Just(100_000)];
    let talk = prop_oneof![
        9 => (client.clone(), send()).prop_map(|(client, send)| Step::Publish { client, send }),
        5 => (client.clone(), wish()).prop_map(|(client, wish)| Step::Subscribe { client, wish }),
        2 => (client.clone(), which()).prop_map(|(client, which)| Step::Unsubscribe { client, which }),
        2 => (client.clone(), which(), 0..3u32)
            .prop_map(|(client, which, messages)| Step::Grant { client, which, messages }),
        9 => (client.clone(), target(), outcome())
            .prop_map(|(client, target, outcome)| Step::Settle { client, target, outcome }),
        1 => (client.clone(), target(), of(1..40u32))
            .prop_map(|(client, target, ms)| Step::Touch { client, target, ms }),
        3 => (client.clone(), which(), which())
            .prop_map(|(client, which, count)| Step::Written { client, which, count }),
        3 => (client.clone(), acts).prop_map(|(client, acts)| Step::Commit { client, acts }),
        1 => (client.clone(), which()).prop_map(|(client, which)| Step::Quarantine { client, which }),
        4 => (client.clone(), operation(), 0..15usize, any::<bool>()).prop_map(
            |(client, operation, queue, wants_reply)| Step::Manage { client, operation, queue, wants_reply }
        ),
        1 => (client.clone(), any::<bool>()).prop_map(|(client, is_sole)| Step::Discard { client, is_sole }),
        2 => (client, departure).prop_map(|(client, departure)| Step::Leave { client, departure })
    ];
    let fate = prop_oneof![
        6 => (ms, any::<bool>()).prop_map(|(ms, on_time)| Step::Wait { ms, on_time }),
        7 => prop_oneof![3 => Just(usize::MAX), 1 => 1..3usize].prop_map(Step::Sync),
        1 => any::<bool>().prop_map(Step::Full),
        1 => Just(Step::Crash),
        1 => Just(Step::Restart)
    ];
    prop_oneof![3 => talk, 1 => fate]
}

fn send() -> impl Strategy<Value = Send> {
    let padding = prop_oneof![3 => Just(0usize), 1 => 0..60usize];
    let rarely = |max: u64| prop_oneof![3 => Just(0u64), 1 => 1..max];
    let retain = prop_oneof![2 => Just(None), 2 => Just(Some(Retain::Set)), 1 => Just(Some(Retain::Remove))];
    let key = prop_oneof![3 => Just(None), 1 => (0..3u8).prop_map(Some)];
    let failures = prop_oneof![3 => Just(Failures::default()), 1 => failures()];
    let group = of((0..2u8, prop::bool::weighted(0.15)));
    let times = (rarely(40), rarely(60), rarely(30));
    (0..8usize, 0..3u32, any::<bool>(), padding, times, failures, key, retain, group).prop_map(
        |(place, urgency, durable, padding, (delay, life, time_to_run), failures, key, retain, group)| Send {
            place,
            urgency,
            durable,
            padding,
            delay,
            life,
            time_to_run: time_to_run as u32,
            failures,
            key,
            retain,
            group,
        },
    )
}

fn failures() -> impl Strategy<Value = Failures> {
    let backoff = prop_oneof![
        Just(Backoff::Fixed { ms: 7 }),
        Just(Backoff::Exponential { first_ms: 5, factor_milli: 3000, max_ms: 40 })
    ];
    let on_exhaust = prop_oneof![Just(OnExhaust::DeadLetter), Just(OnExhaust::Bury), Just(OnExhaust::Drop)];
    (of(1..4u16), of(backoff), of(on_exhaust), of(0..3usize)).prop_map(
        |(max_deliveries, backoff, on_exhaust, dead_letter)| Failures {
            max_deliveries,
            backoff,
            on_exhaust,
            dead_letter,
        },
    )
}

fn wish() -> impl Strategy<Value = Wish> {
    let mode = prop_oneof![Just(AckMode::Auto), Just(AckMode::Client), Just(AckMode::ClientIndividual)];
    let bytes = prop_oneof![4 => Just(1u64 << 20), 1 => 1..60u64];
    let time_to_run = prop_oneof![2 => Just(0u32), 1 => 1..30u32];
    let manner = prop_oneof![3 => Just(Manner::default()), 1 => manner()];
    (0..14usize, mode, 1..4u32, bytes, time_to_run, of(0..3u32), manner).prop_map(
        |(source, mode, messages, bytes, time_to_run, wants, manner)| Wish {
            source,
            mode,
            messages,
            bytes,
            time_to_run,
            wants,
            manner,
        },
    )
}

fn manner() -> impl Strategy<Value = Manner> {
    let pull = of((0..3u32).prop_map(|messages| Credit { messages, bytes: 1000 }));
    let rank = (-1..2i32, prop::bool::weighted(0.2), prop::bool::weighted(0.2), any::<bool>());
    let bound = prop::bool::weighted(0.3);
    (pull, of(0..40u32), prop::bool::weighted(0.2), of(1..4u32), (rank, bound)).prop_map(
        |(pull, wait_ms, until_empty, limit, ((priority, exclusive, exclusive_groups, no_local), bound))| Manner {
            pull,
            wait_ms,
            until_empty,
            limit,
            priority,
            exclusive,
            exclusive_groups,
            no_local,
            bound,
        },
    )
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        6 => (0..8usize, any::<bool>()).prop_map(|(which, by_message)| Target::Out { which, by_message }),
        1 => (0..8usize).prop_map(Target::Any)
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let reason = || prop_oneof![1 => Just(None), 1 => Just(Some("no".into()))];
    let delay_ms = prop_oneof![2 => Just(None), 1 => Just(Some(0)), 1 => (1..30u64).prop_map(Some)];
    let ranked = prop_oneof![
        Just(Outcome::Release),
        Just(Outcome::Bury),
        Just(Outcome::Retry { reason: None, delay_ms: Some(0) }),
        Just(Outcome::DeadLetter { reason: None })
    ];
    let ranked = (0..3u32, ranked)
        .prop_map(|(urgency, outcome)| Outcome::Ranked { urgency: Urgency(urgency), outcome: Box::new(outcome) });
    prop_oneof![
        1 => ranked,
        5 => Just(Outcome::Ack),
        1 => Just(Outcome::Release),
        4 => (reason(), delay_ms).prop_map(|(reason, delay_ms)| Outcome::Retry { reason, delay_ms }),
        2 => Just(Outcome::Bury),
        1 => reason().prop_map(|reason| Outcome::DeadLetter { reason })
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let states = || any::<[bool; 3]>().prop_map(|[ready, delayed, buried]| States { ready, delayed, buried });
    let side = || prop_oneof![1 => Just(Side::Input), 2 => Just(Side::Output), 1 => Just(Side::Both)];
    let to = of(prop_oneof![Just("/queue/a"), Just("/queue/b"), Just("/queue/new")].prop_map(name));
    let transfer =
        (to, states(), of(1..4u64)).prop_map(|(to, states, count)| Transfer { to, states, count, rate: None });
    prop_oneof![
        3 => (1..4u32).prop_map(|count| Operation::Kick { count }),
        2 => states().prop_map(Operation::Purge),
        3 => transfer.prop_map(Operation::Move),
        1 => (side(), of(1..40u64)).prop_map(|(side, for_ms)| Operation::Pause { side, for_ms }),
        2 => side().prop_map(|side| Operation::Resume { side })
    ]
}
