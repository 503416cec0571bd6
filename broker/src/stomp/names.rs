//! What each header of a client means: which are acted on, which are passed on, which belong to the server, and which ask
//! for what this server cannot do yet. The lists are here and nowhere else.

use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::FixedState;
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
    /// Ends with this hop.
    OfTheHop,
    /// The server says it on MESSAGE, or will; nobody may say it in its place. Ends here.
    OfTheServer,
    /// A client says it on NACK. Some send back the whole MESSAGE, and must not say by it what they do not mean. Ends here.
    OfNack,
    /// Asks for something that is not there yet, or else is forwarded.
    Unsupported(Ask),
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

/// What the headers of SEND mean that are not the application's alone. What is not supported here is what a RECEIPT would
/// be taken for a promise of.
const IN_SEND: [(&str, Meaning); 63] = [
    // Acted on.
    ("message-id", Meaning::Renamed),
    ("persistent", Meaning::Persistent),
    ("priority", Meaning::Priority),
    ("reply-to", Meaning::ReplyTo),
    ("timestamp", Meaning::Timestamp),
    ("transaction", Meaning::Transaction),
    ("x-urgency", Meaning::Urgency),
    // Of this hop.
    ("content-length", Meaning::OfTheHop),
    ("destination", Meaning::OfTheHop),
    ("destination-type", Meaning::OfTheHop),
    ("login", Meaning::OfTheHop),
    ("passcode", Meaning::OfTheHop),
    ("receipt", Meaning::OfTheHop),
    ("receipt-id", Meaning::OfTheHop),
    // Of the server.
    ("JMSXDeliveryCount", Meaning::OfTheServer),
    ("ack", Meaning::OfTheServer),
    ("browser", Meaning::OfTheServer),
    ("delivery-count", Meaning::OfTheServer),
    ("dlqDeliveryFailureCause", Meaning::OfTheServer),
    ("original-destination", Meaning::OfTheServer),
    ("redelivered", Meaning::OfTheServer),
    ("subscription", Meaning::OfTheServer),
    ("x-death-deliveries", Meaning::OfTheServer),
    ("x-death-reason", Meaning::OfTheServer),
    ("x-duplicate", Meaning::OfTheServer),
    ("x-end", Meaning::OfTheServer),
    ("x-error", Meaning::OfTheServer),
    ("x-final", Meaning::OfTheServer),
    ("x-job-id", Meaning::OfTheServer),
    ("x-lease-until", Meaning::OfTheServer),
    ("x-policy-ignored", Meaning::OfTheServer),
    ("x-refused", Meaning::OfTheServer),
    ("x-state", Meaning::OfTheServer),
    // Of NACK.
    ("requeue", Meaning::OfNack),
    ("x-bury", Meaning::OfNack),
    // Delay and repetition.
    ("AMQ_SCHEDULED_CRON", Meaning::Unsupported(Ask::Any)),
    ("AMQ_SCHEDULED_DELAY", Meaning::Unsupported(Ask::NotZero)),
    ("AMQ_SCHEDULED_PERIOD", Meaning::Unsupported(Ask::NotZero)),
    ("AMQ_SCHEDULED_REPEAT", Meaning::Unsupported(Ask::NotZero)),
    ("AMQ_SCHEDULED_TIME", Meaning::Unsupported(Ask::NotZero)),
    ("AMQ_SCHEDULER_ACTION", Meaning::Unsupported(Ask::Any)),
    ("delay", Meaning::Unsupported(Ask::Number)),
    ("deliver-at", Meaning::Unsupported(Ask::NotZero)),
    ("x-at", Meaning::Unsupported(Ask::NotZero)),
    ("x-delay", Meaning::Unsupported(Ask::NotZero)),
    // Expiry.
    ("expiration", Meaning::Unsupported(Ask::NotZero)),
    ("expires", Meaning::Unsupported(Ask::NotZero)),
    ("ttl", Meaning::Unsupported(Ask::Number)),
    // Leases, retries and dead letters other than the policy says.
    ("x-backoff", Meaning::Unsupported(Ask::Any)),
    ("x-dead-letter", Meaning::Unsupported(Ask::Any)),
    ("x-max-deliveries", Meaning::Unsupported(Ask::Any)),
    ("x-on-exhaust", Meaning::Unsupported(Ask::Any)),
    ("x-ttr", Meaning::Unsupported(Ask::NotZero)),
    // Uniqueness.
    ("_AMQ_DUPL_ID", Meaning::Unsupported(Ask::Any)),
    ("idempotency-key", Meaning::Unsupported(Ask::Any)),
    ("x-job-token", Meaning::Unsupported(Ask::Any)),
    ("x-unique", Meaning::Unsupported(Ask::Any)),
    // Tracking, events and commands.
    ("x-event", Meaning::Unsupported(Ask::Any)),
    ("x-op", Meaning::Unsupported(Ask::Any)),
    ("x-track", Meaning::Unsupported(Ask::NotFalse)),
    // Groups and retained messages.
    ("JMSXGroupID", Meaning::Unsupported(Ask::Any)),
    ("message_group", Meaning::Unsupported(Ask::Any)),
    ("retain", Meaning::Unsupported(Ask::NotFalse)),
];

/// The table by name: every header of every SEND is looked up in it.
static BY_NAME: LazyLock<HashMap<&'static str, (&'static str, Meaning), FixedState>> =
    LazyLock::new(|| IN_SEND.into_iter().map(|row| (row.0, row)).collect());

/// What a SUBSCRIBE must not ask for yet: browsing, replay, exclusive reading, leases, ends.
const UNSUPPORTED_IN_SUBSCRIBE: [(&str, Ask); 16] = [
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

/// What a header of SEND means. STOMP 1.2, "MESSAGE": user headers go through; the table has those that do not.
pub(super) fn in_send(name: &str, value: &str) -> Result<Meaning, Fault> {
    match BY_NAME.get(name) {
        None => Ok(Meaning::Forwarded),
        Some((header, Meaning::Unsupported(ask))) => ask.refuse(header, value).map(|()| Meaning::Forwarded),
        Some((_, meaning)) => Ok(*meaning),
    }
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

fn check<'a>(headers: &Headers, list: impl IntoIterator<Item = &'a (&'static str, Ask)>) -> Result<(), Fault> {
    list.into_iter().try_for_each(|(header, ask)| match headers.get(header) {
        Some(value) => ask.refuse(header, value),
        None => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_in_the_table_once_and_is_found() {
        assert_eq!(BY_NAME.len(), IN_SEND.len());
        for (name, meaning) in IN_SEND {
            match meaning {
                Meaning::Unsupported(_) => assert!(in_send(name, "1").is_err() || in_send(name, "true").is_err()),
                _ => assert_eq!(in_send(name, "1"), Ok(meaning)),
            }
        }
    }
}
