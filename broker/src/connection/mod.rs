//! One task per client: socket, decoder and session in one pair of hands.
//!
//! The only place where STOMP meets the engine. It reads once per wake, takes the engine's lock once for all that was
//! read, keeps receipts until the log is durable, and writes until the socket would block. It knows no destination, no
//! journal and no rule of the protocol.

mod batch;
mod closing;
mod holding;
mod news;
mod outgoing;
mod requests;
mod task;
mod users;
mod waking;

#[cfg(test)]
mod tests;

pub use task::{Arrival, Connection, Ending, Gate, Options, Place, Surroundings};
pub use users::{UserLimits, Users};
