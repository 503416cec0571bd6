//! What each header of a client means: which are acted on, which are passed on, which belong to the server, and which ask
//! for what this server cannot do yet. The lists are here and nowhere else.

use kolejka_codec::Headers;

use super::error::Fault;
use crate::model::DestinationKind;

/// What becomes of a header of SEND.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The application's: goes through to MESSAGE as it is.
    Forwarded,
    /// Says which transaction; ends here.
    Transaction,
    /// `message-id`: the server's name, so it goes on under another one.
    Renamed,
    /// Lifted, and forwarded.
    Priority,
    /// Lifted, and forwarded.
    Persistent,
    /// Rewritten if it names a temporary destination of the sender, and forwarded.
    ReplyTo,
    /// Forwarded; one is made if there is none.
    Timestamp,
    /// Lifted; ends here.
    Urgency,
    /// For this hop, or a name that the server owns on MESSAGE or understands on NACK; ends here.
    Dropped,
}

/// When a value asks for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Any but the empty one.
    Any,
    /// Any but 0, which asks for nothing.
    NotZero,
    /// A number but 0. Under a name that is a plain word, anything else is the application's.
    Number,
    /// Any but `false`.
    NotFalse,
    /// `true`.
    True,
}

impl Ask {
    fn is_meant(self, value: &str) -> bool {
        match self {
            Ask::Any => !value.is_empty(),
            Ask::NotZero => !is_zero(value),
            Ask::Number => value.parse::<i64>().is_ok_and(|number| number != 0),
            Ask::NotFalse => !value.is_empty() && value != "false",
            Ask::True => value == "true",
        }
    }

    /// Refuses a header that asks.
    pub(super) fn refuse(self, header: &'static str, value: &str) -> Result<(), Fault> {
        if self.is_meant(value) { Err(Fault::Unsupported(header)) } else { Ok(()) }
    }
}

fn is_zero(value: &str) -> bool {
    value.is_empty() || value.bytes().all(|octet| octet == b'0')
}

/// What a SEND must not ask for yet: delay, repetition, expiry, leases, uniqueness, tracking, groups, retained messages.
/// A RECEIPT for such a frame would be taken for a promise to do it.
const UNSUPPORTED_IN_SEND: [(&str, Ask); 28] = [
    ("AMQ_SCHEDULED_DELAY", Ask::NotZero),
    ("AMQ_SCHEDULED_PERIOD", Ask::NotZero),
    ("AMQ_SCHEDULED_REPEAT", Ask::NotZero),
    ("AMQ_SCHEDULED_CRON", Ask::Any),
    ("AMQ_SCHEDULED_TIME", Ask::NotZero),
    ("AMQ_SCHEDULER_ACTION", Ask::Any),
    ("x-delay", Ask::NotZero),
    ("delay", Ask::Number),
    ("x-at", Ask::NotZero),
    ("deliver-at", Ask::NotZero),
    ("expires", Ask::NotZero),
    ("expiration", Ask::NotZero),
    ("ttl", Ask::Number),
    ("x-ttr", Ask::NotZero),
    ("x-max-deliveries", Ask::Any),
    ("x-backoff", Ask::Any),
    ("x-on-exhaust", Ask::Any),
    ("x-dead-letter", Ask::Any),
    ("x-unique", Ask::Any),
    ("_AMQ_DUPL_ID", Ask::Any),
    ("idempotency-key", Ask::Any),
    ("x-job-token", Ask::Any),
    ("x-track", Ask::NotFalse),
    ("x-event", Ask::Any),
    ("x-op", Ask::Any),
    ("JMSXGroupID", Ask::Any),
    ("message_group", Ask::Any),
    ("retain", Ask::NotFalse),
];

/// What a SUBSCRIBE must not ask for yet: selection, browsing, replay, exclusive reading, leases, ends.
const UNSUPPORTED_IN_SUBSCRIBE: [(&str, Ask); 17] = [
    ("selector", Ask::Any),
    ("browser", Ask::True),
    ("activemq.exclusive", Ask::True),
    ("exclusive", Ask::True),
    ("activemq.retroactive", Ask::True),
    ("from-seq", Ask::Any),
    ("x-stream-offset", Ask::Any),
    ("from", Ask::Any),
    ("group", Ask::Any),
    ("x-groups", Ask::Any),
    ("x-states", Ask::Any),
    ("x-ttr", Ask::NotZero),
    ("x-lease", Ask::Any),
    ("x-wait", Ask::Any),
    ("x-until-empty", Ask::NotFalse),
    ("x-limit", Ask::NotZero),
    ("x-order", Ask::Any),
];

/// What only makes a difference on topics: durable subscriptions in every vendor's spelling, and leaving out one's own
/// messages. On a queue there is nothing in it to refuse: queues are durable.
const UNSUPPORTED_ON_TOPICS: [(&str, Ask); 8] = [
    ("activemq.subscriptionName", Ask::Any),
    ("activemq.subcriptionName", Ask::Any),
    ("durable-subscription-name", Ask::Any),
    ("durable-subscriber-name", Ask::Any),
    ("durable", Ask::True),
    ("persistent", Ask::True),
    ("no-local", Ask::True),
    ("activemq.noLocal", Ask::True),
];

/// What a NACK must not ask for yet: another time or rank for the next attempt, or burial.
const UNSUPPORTED_IN_NACK: [(&str, Ask); 4] =
    [("x-delay", Ask::NotZero), ("delay", Ask::Number), ("x-urgency", Ask::Any), ("x-bury", Ask::True)];

/// What a header of SEND means. STOMP 1.2, "MESSAGE": user headers go through; these are those that do not.
pub(super) fn in_send(name: &str, value: &str) -> Result<Meaning, Fault> {
    // Most names are the application's; the first octet tells many of them from all of ours.
    Ok(match name.as_bytes() {
        b"transaction" => Meaning::Transaction,
        b"message-id" => Meaning::Renamed,
        b"priority" => Meaning::Priority,
        b"persistent" => Meaning::Persistent,
        b"reply-to" => Meaning::ReplyTo,
        b"timestamp" => Meaning::Timestamp,
        b"x-urgency" => Meaning::Urgency,
        // This hop's.
        b"destination" | b"receipt" | b"receipt-id" | b"content-length" | b"login" | b"passcode"
        | b"destination-type" => Meaning::Dropped,
        // The server's on MESSAGE.
        b"ack"
        | b"subscription"
        | b"redelivered"
        | b"delivery-count"
        | b"JMSXDeliveryCount"
        | b"x-job-id"
        | b"x-lease-until"
        | b"x-state"
        | b"x-final"
        | b"x-end"
        | b"x-refused"
        | b"x-duplicate"
        | b"original-destination"
        | b"x-death-reason"
        | b"x-death-deliveries"
        | b"x-error"
        | b"dlqDeliveryFailureCause"
        | b"browser" => Meaning::Dropped,
        // The client's on NACK. Some clients send back the whole MESSAGE, and must not say by it what they do not mean.
        b"requeue" | b"x-bury" => Meaning::Dropped,
        _ => return unsupported_in_send(name, value),
    })
}

fn unsupported_in_send(name: &str, value: &str) -> Result<Meaning, Fault> {
    const FIRST: &[u8] = b"AJ_dertxim";
    if name.bytes().next().is_none_or(|first| !FIRST.contains(&first)) {
        return Ok(Meaning::Forwarded);
    }
    for (header, ask) in UNSUPPORTED_IN_SEND {
        if header == name {
            ask.refuse(header, value)?;
        }
    }
    Ok(Meaning::Forwarded)
}

/// Refuses a SUBSCRIBE that asks for what is not there yet.
pub(super) fn check_subscribe(headers: &Headers, kind: DestinationKind) -> Result<(), Fault> {
    let of_topics: &[_] = if kind.is_queue() { &[] } else { &UNSUPPORTED_ON_TOPICS };
    check(headers, UNSUPPORTED_IN_SUBSCRIBE.iter().chain(of_topics))
}

/// The same for NACK.
pub(super) fn check_nack(headers: &Headers) -> Result<(), Fault> {
    check(headers, &UNSUPPORTED_IN_NACK)
}

/// The same for ABORT: deliveries stay with the client, and cannot be sent back by it yet.
pub(super) fn check_abort(headers: &Headers) -> Result<(), Fault> {
    check(headers, &[("redeliver", Ask::True)])
}

fn check<'a>(headers: &Headers, list: impl IntoIterator<Item = &'a (&'static str, Ask)>) -> Result<(), Fault> {
    list.into_iter().try_for_each(|(header, ask)| match headers.get(header) {
        Some(value) => ask.refuse(header, value),
        None => Ok(()),
    })
}
