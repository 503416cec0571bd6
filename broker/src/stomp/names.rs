//! What each header of a client means: which are acted on, which are passed on, which belong to the server, and which ask
//! for what this server cannot do yet. The lists are here and nowhere else.

use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::FixedState;
use kolejka_codec::Headers;

use super::error::Fault;
use super::terms::Term;

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
    /// Asks for a limit of the queue that it may bring into being; ends here.
    Limit,
    /// What it does to what its topic retains: lifted and ending here, or the application's.
    Retain,
    /// By which the message is known if it is sent again. Lifted; ends here.
    Key,
    /// Ends with this hop.
    OfTheHop,
    /// The server says it on MESSAGE, or will; nobody may say it in its place. Ends here.
    OfTheServer,
    /// A client says it on NACK. Some send back the whole MESSAGE, and must not say by it what they do not mean. Ends here.
    OfNack,
    /// Says something about time and failures; ends here where it does, but for `expires`.
    Term(Term),
    /// Says how the job is followed; ends here.
    Tracking,
    /// Says that it shall be the only one; ends here.
    Unique,
    /// Asks for something that is not there yet, or else is forwarded.
    Unsupported(Ask),
}

/// When a value asks for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Any but the empty one.
    Any,
    /// `true`.
    True,
}

impl Ask {
    fn is_meant(self, value: &str) -> bool {
        match self {
            Ask::Any => !value.is_empty(),
            Ask::True => value == "true",
        }
    }

    /// Refuses a header that asks.
    pub(super) fn refuse(self, header: &'static str, value: &str) -> Result<(), Fault> {
        if self.is_meant(value) { Err(Fault::Unsupported(header)) } else { Ok(()) }
    }
}

/// What the headers of SEND mean that are not the application's alone. What is not supported here is what a RECEIPT would
/// be taken for a promise of.
const IN_SEND: [(&str, Meaning); 89] = [
    // Acted on.
    ("message-id", Meaning::Renamed),
    ("persistent", Meaning::Persistent),
    ("priority", Meaning::Priority),
    ("reply-to", Meaning::ReplyTo),
    ("timestamp", Meaning::Timestamp),
    ("transaction", Meaning::Transaction),
    ("x-urgency", Meaning::Urgency),
    ("_AMQ_DUPL_ID", Meaning::Key),
    ("idempotency-key", Meaning::Key),
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
    ("JMSXUserID", Meaning::OfTheServer),
    ("ack", Meaning::OfTheServer),
    ("browser", Meaning::OfTheServer),
    ("delivery-count", Meaning::OfTheServer),
    ("dlqDeliveryFailureCause", Meaning::OfTheServer),
    ("original-destination", Meaning::OfTheServer),
    ("redelivered", Meaning::OfTheServer),
    ("scheduledJobId", Meaning::OfTheServer),
    ("subscription", Meaning::OfTheServer),
    ("user-id", Meaning::OfTheServer),
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
    ("x-error-class", Meaning::OfNack),
    // Delay and repetition.
    ("AMQ_SCHEDULED_CRON", Meaning::Term(Term::Cron)),
    ("AMQ_SCHEDULED_DELAY", Meaning::Term(Term::Delay)),
    ("AMQ_SCHEDULED_PERIOD", Meaning::Term(Term::Period)),
    ("AMQ_SCHEDULED_REPEAT", Meaning::Term(Term::Repeat)),
    ("AMQ_SCHEDULED_TIME", Meaning::Term(Term::Due)),
    ("AMQ_SCHEDULER_ACTION", Meaning::Unsupported(Ask::Any)),
    ("delay", Meaning::Term(Term::BareDelay)),
    ("deliver-at", Meaning::Term(Term::Due)),
    ("x-at", Meaning::Term(Term::Due)),
    ("x-cron-zone", Meaning::Term(Term::Zone)),
    ("x-delay", Meaning::Term(Term::Delay)),
    ("x-schedule", Meaning::Term(Term::Schedule)),
    // Expiry.
    ("expiration", Meaning::Term(Term::Expiration)),
    ("expires", Meaning::Term(Term::Expires)),
    ("ttl", Meaning::Term(Term::Ttl)),
    // Leases, retries and dead letters other than the policy says.
    ("x-backoff", Meaning::Term(Term::Backoff)),
    ("x-dead-letter", Meaning::Term(Term::DeadLetter)),
    ("x-max-deliveries", Meaning::Term(Term::MaxDeliveries)),
    ("x-on-exhaust", Meaning::Term(Term::OnExhaust)),
    ("x-ttr", Meaning::Term(Term::TimeToRun)),
    // Limits of the queue.
    ("x-max-length", Meaning::Limit),
    ("x-max-length-bytes", Meaning::Limit),
    ("x-overflow", Meaning::Limit),
    ("x-message-ttl", Meaning::Limit),
    ("x-expires", Meaning::Limit),
    ("x-delivery-limit", Meaning::Limit),
    ("x-dead-letter-routing-key", Meaning::Limit),
    ("x-dead-letter-exchange", Meaning::Limit),
    ("x-single-active-consumer", Meaning::Limit),
    ("x-queue-type", Meaning::Limit),
    ("x-queue-mode", Meaning::Limit),
    ("x-queue-version", Meaning::Limit),
    ("x-max-priority", Meaning::Limit),
    ("x-queue-leader-locator", Meaning::Limit),
    // Tracking.
    ("x-drop-if-abandoned", Meaning::Tracking),
    ("x-job-token", Meaning::Tracking),
    ("x-result-ttl", Meaning::Tracking),
    ("x-token-scope", Meaning::Tracking),
    ("x-track", Meaning::Tracking),
    // Uniqueness.
    ("x-on-duplicate", Meaning::Unique),
    ("x-unique", Meaning::Unique),
    ("x-unique-until", Meaning::Unique),
    // Events and commands.
    ("x-event", Meaning::Unsupported(Ask::Any)),
    ("x-op", Meaning::Unsupported(Ask::Any)),
    // Groups, and what is retained.
    ("JMSXGroupID", Meaning::Term(Term::Group)),
    ("JMSXGroupSeq", Meaning::Term(Term::Member)),
    ("message_group", Meaning::Term(Term::Group)),
    ("retain", Meaning::Retain),
];

/// The table by name: every header of every SEND is looked up in it.
static BY_NAME: LazyLock<HashMap<&'static str, (&'static str, Meaning), FixedState>> =
    LazyLock::new(|| IN_SEND.into_iter().map(|row| (row.0, row)).collect());

/// What a SUBSCRIBE must not ask for yet: replay.
const UNSUPPORTED_IN_SUBSCRIBE: [(&str, Ask); 4] =
    [("activemq.retroactive", Ask::True), ("from-seq", Ask::Any), ("x-stream-offset", Ask::Any), ("from", Ask::Any)];

/// What a header of SEND means. STOMP 1.2, "MESSAGE": user headers go through; the table has those that do not.
/// The header's name as the table spells it comes with its meaning.
pub(super) fn in_send(name: &str, value: &str) -> Result<(&'static str, Meaning), Fault> {
    // Nearly every SEND has these.
    for common in ["destination", "content-length", "receipt"] {
        if name == common {
            return Ok((common, Meaning::OfTheHop));
        }
    }
    if name == "persistent" {
        return Ok(("persistent", Meaning::Persistent));
    }
    match BY_NAME.get(name) {
        None => Ok(("", Meaning::Forwarded)),
        Some((header, Meaning::Unsupported(ask))) => ask.refuse(header, value).map(|()| (*header, Meaning::Forwarded)),
        Some((header, Meaning::Term(term))) if !term.is_meant(value) => Ok((header, Meaning::Forwarded)),
        Some(row) => Ok(*row),
    }
}

/// Refuses a SUBSCRIBE that asks for what is not there yet.
pub(super) fn check_subscribe(headers: &Headers) -> Result<(), Fault> {
    check(headers, &UNSUPPORTED_IN_SUBSCRIBE)
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
                _ => assert_eq!(in_send(name, "1"), Ok((name, meaning))),
            }
        }
    }
}
