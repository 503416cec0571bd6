//! Queues and topics: what waits, what is out, and who wants it.
//!
//! A destination accepts, leases, settles and takes back. It never calls another destination (dead-lettering is an
//! outcome that the engine routes), never decides who gets a message next (the dispatcher does), and knows no log, no
//! clock and no client beyond a key.

mod agenda;
mod allowance;
mod asked;
mod beside;
mod consumer;
mod contents;
mod counts;
mod ends;
mod entry;
mod fed;
mod finding;
mod grouping;
mod groups;
mod heads;
mod last;
mod lease;
mod ordered;
mod overflow;
mod pausing;
mod policy;
mod queue;
mod rank;
mod ready;
mod rotation;
mod schedule;
mod selecting;
mod selection;
mod slab;
mod slots;
mod survey;
mod topic;
mod view;
mod withholding;

#[cfg(test)]
mod tests;

pub use allowance::Allowance;
pub use beside::bytes_of_terms;
pub use consumer::{Consumer, ConsumerKey, Consumers, Many, Outstanding, Reach, Scope, Sources, Waiting};
pub use contents::{ContentKey, Contents};
pub use counts::Counts;
pub use entry::{Entry, State};
pub use fed::{Condition, Fed};
pub use lease::{Departed, Lease, Return, Taken, Wish};
pub use overflow::Overflow;
pub use policy::{Policies, Policy, PolicyRule};
pub use queue::Queue;
pub use rotation::Rotation;
pub use selection::Sought;
pub use slots::SlotId;
pub use survey::{Survey, Surveyed};
pub use topic::Topic;
pub use view::{Glimpse, View};
