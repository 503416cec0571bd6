//! Identities. Each is a type of its own, so that none can stand in for another.

use std::fmt;
use std::str::FromStr;

const SEQUENCE_BITS: u32 = 52;
const SEQUENCE_MASK: u64 = (1 << SEQUENCE_BITS) - 1;

/// Number of a shard: one log, one engine state, at most one writer. 12 bits; today there is only shard 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(u16);

impl ShardId {
    /// The highest shard number.
    pub const MAX: ShardId = ShardId((1 << 12) - 1);

    /// The shard with that number; `None` beyond [`ShardId::MAX`].
    pub const fn new(number: u16) -> Option<ShardId> {
        if number <= Self::MAX.0 { Some(ShardId(number)) } else { None }
    }

    /// Its number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

macro_rules! sharded {
    ($(#[$doc:meta])* $name:ident, $part:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// Joins a shard and a number of at most 52 bits; higher bits of the number are cut off.
            pub const fn new(shard: ShardId, $part: u64) -> $name {
                $name(((shard.0 as u64) << SEQUENCE_BITS) | ($part & SEQUENCE_MASK))
            }

            /// The shard it belongs to.
            pub const fn shard(self) -> ShardId {
                ShardId((self.0 >> SEQUENCE_BITS) as u16)
            }

            /// What counts inside the shard.
            pub const fn $part(self) -> u64 {
                self.0 & SEQUENCE_MASK
            }

            /// As it is written on disk.
            pub const fn to_bits(self) -> u64 {
                self.0
            }

            /// Back from [`to_bits`](Self::to_bits).
            pub const fn from_bits(bits: u64) -> $name {
                $name(bits)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

sharded! {
    /// Identity of a message: shard (12 bits) and sequence (52 bits), never used twice, the same at every delivery.
    MessageId, sequence
}

sharded! {
    /// A place in the log. Ordered, and opaque to everyone but the log that gave it out.
    Position, place
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for MessageId {
    type Err = std::num::ParseIntError;

    /// Reads the decimal text of [`Display`](fmt::Display); signs and leading zeros are refused by comparing the two.
    fn from_str(text: &str) -> Result<MessageId, Self::Err> {
        let number: u64 = text.parse()?;
        if text.starts_with('+') || (text.len() > 1 && text.starts_with('0')) {
            // The one error value that can be made by hand is the one of an empty text.
            return "".parse().map(MessageId);
        }
        Ok(MessageId(number))
    }
}

/// Number of a destination: given once, logged when the destination holds something durable, never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationId(pub u64);

/// A client's session with the engine: an index into its table and a generation, so that a late word to a closed
/// session never reaches the next one with the same index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    /// Row of the engine's table.
    pub index: u32,
    /// How often that row had been used before.
    pub generation: u32,
}

/// A user, as the engine knows it: one number for each, the same whenever it comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub u64);

/// Number of a subscription inside its session, never used twice there. Its name on the wire is the session's affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub u32);

/// What an append to the log is called until it is durable. Tickets rise by one from 1 and resolve in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

impl Ticket {
    /// Of what the log did not take: it will never be durable.
    pub const NEVER: Ticket = Ticket(u64::MAX);
}

/// How often the log has been claimed. Rises by one at every start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);
