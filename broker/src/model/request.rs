//! What a client asks of the engine.

use std::sync::Arc;

use super::{
    Browse, DestinationName, Filter, Grant, Inquiry, Job, Manage, Message, MessageId, Oversee, Permissions, Shape,
    SoftRefusal, Source, SubscriptionId, Take, Urgency,
};

/// One thing asked. Requests of one session are applied in order.
#[derive(Clone, Debug)]
pub enum Request {
    /// The client has logged in, or its rights have changed: what it may do from now on. Before the first one nothing is
    /// denied to it.
    Permit(Arc<dyn Permissions>),
    /// Put a message into a destination.
    Publish(Publish),
    /// Start to receive.
    Subscribe(Subscribe),
    /// Start to receive, in a manner of one's own.
    Take(Box<Take>),
    /// Ask for more, where nothing comes by itself.
    Grant(Grant),
    /// Have a queue come into being with limits of its own.
    Shape(Box<Shape>),
    /// Stop to receive; what is unsettled goes back at once, to its own place, without counting as a failure.
    Unsubscribe(SubscriptionId),
    /// End a feed: the queue behind a topic and what is in it are not wanted any more.
    Discard(DestinationName),
    /// Say what became of a delivery.
    Settle(Settle),
    /// Keep a delivery for longer.
    Touch(Touch),
    /// Say something about a job.
    Job(Box<Job>),
    /// Do something with a queue as a whole.
    Manage(Box<Manage>),
    /// Tell numbers.
    Inquire(Box<Inquiry>),
    /// Look through a queue.
    Browse(Box<Browse>),
    /// Look at what waits for its time, or take away from it.
    Oversee(Box<Oversee>),
    /// Nothing: the session knows already why it must be refused softly, and the refusal keeps its turn.
    Decline(SoftRefusal),
    /// All of it or nothing: one unit in the log.
    Commit(Vec<Action>),
    /// Everything up to this delivery of an [`AckMode::Auto`] subscription, or of a topic, has been handed to the kernel.
    Written {
        /// Whose deliveries.
        subscription: SubscriptionId,
        /// [`Delivery::number`](super::Delivery::number) of the last one written.
        through: u64,
    },
    /// The content of that delivery cannot be read. One that is damaged is buried in its queue: no ACK of another message may
    /// cover it, the next consumer could not read it either (P18), and an operator finds it there. One that may be readable
    /// a little later waits as long, uncounted.
    Quarantine {
        /// Whose delivery.
        subscription: SubscriptionId,
        /// Its [`Delivery::number`](super::Delivery::number).
        number: u64,
        /// It is damaged; otherwise it may be read later.
        is_damaged: bool,
    },
}

/// What may stand in a transaction.
#[derive(Clone, Debug)]
pub enum Action {
    /// A SEND.
    Publish(Publish),
    /// An ACK or NACK.
    Settle(Settle),
    /// A word about a job.
    Job(Box<Job>),
}

/// A message and where it goes.
#[derive(Clone, Debug)]
pub struct Publish {
    /// The destination, resolved to its full name.
    pub to: DestinationName,
    /// The message.
    pub message: Message,
    /// By which it is known if it is sent again.
    pub key: Option<Arc<str>>,
    /// What it does to what its topic retains.
    pub retain: Option<Retain>,
}

/// What a message does to its topic's retained message, which those get first who subscribe later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retain {
    /// It takes that place.
    Set,
    /// It empties that place.
    Remove,
}

/// How deliveries are acknowledged (STOMP 1.2, SUBSCRIBE, `ack`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AckMode {
    /// Settled once handed to the kernel: at most once.
    Auto,
    /// An ACK settles this delivery and all earlier ones of the subscription.
    Client,
    /// An ACK settles one delivery.
    ClientIndividual,
}

/// How much may be unsettled at a time: prefetch. Whichever limit is reached first counts; one message may always be out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit {
    /// Messages.
    pub messages: u32,
    /// Octets of head and body.
    pub bytes: u64,
}

/// A wish to receive.
#[derive(Clone, Debug)]
pub struct Subscribe {
    /// Chosen by the session, rising.
    pub id: SubscriptionId,
    /// From where.
    pub to: Source,
    /// How deliveries are settled.
    pub mode: AckMode,
    /// How many may be out.
    pub credit: Credit,
    /// How long a delivery may stay out, in milliseconds, whatever message and policy say.
    pub time_to_run_ms: Option<u32>,
    /// Which messages; `None` for all.
    pub filter: Option<Arc<dyn Filter>>,
}

/// Which delivery of a message a client means: the same message may come to it through several subscriptions, and more than
/// once through each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Which {
    /// Which of the session's subscriptions holds it; `None` where the client named only the message.
    pub subscription: Option<SubscriptionId>,
    /// Which of the deliveries of that subscription.
    pub nth: Nth,
}

/// Which of several deliveries of a message through a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nth {
    /// The one that is out. Clients that acknowledge by `message-id` cannot say more.
    #[default]
    Any,
    /// The one that was told without its number.
    Unnumbered,
    /// The one that was told with this number.
    Number(u64),
}

impl Nth {
    /// Whether a delivery is meant that has this number and was told with it or without.
    pub fn is(self, number: u64, is_numbered: bool) -> bool {
        match self {
            Nth::Any => true,
            Nth::Unnumbered => !is_numbered,
            Nth::Number(wanted) => is_numbered && number == wanted,
        }
    }
}

/// What became of a delivery.
#[derive(Clone, Debug)]
pub struct Settle {
    /// Which message.
    pub message: MessageId,
    /// Which of its deliveries.
    pub which: Which,
    /// Done, or not.
    pub outcome: Outcome,
}

/// More time for a delivery that is out.
#[derive(Clone, Copy, Debug)]
pub struct Touch {
    /// Which message.
    pub message: MessageId,
    /// Which of its deliveries.
    pub which: Which,
    /// How much from now, in milliseconds; `None` for the whole time again.
    pub time_to_run_ms: Option<u32>,
}

/// The verdict on a delivery. In [`AckMode::Client`] it covers the earlier unsettled deliveries of the subscription too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done: the message is gone for good.
    Ack,
    /// Given back: ready again in its own place, without counting as a failure.
    Release,
    /// Not done: try again, until the policy's deliveries are used up.
    Retry {
        /// The consumer's reason, for the dead-letter queue; at most 256 octets are kept.
        reason: Option<Arc<str>>,
        /// When, in milliseconds from now, 0 for at once; `None` leaves it to the back-off of message and policy.
        delay_ms: Option<u64>,
    },
    /// The message has another urgency from now on; then as it says.
    Ranked {
        /// Which.
        urgency: Urgency,
        /// What becomes of the delivery.
        outcome: Box<Outcome>,
    },
    /// Not done, and nobody shall try until somebody kicks it.
    Bury,
    /// Not done and not to be tried again: to the dead-letter queue at once (`requeue:false`).
    DeadLetter {
        /// As above.
        reason: Option<Arc<str>>,
    },
}
