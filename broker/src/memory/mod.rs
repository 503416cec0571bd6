//! One account of the memory that clients can make the process use, by purpose.
//!
//! What is counted are bytes that a client brings about: halves of frames, open transactions, what waits to be written,
//! what a topic keeps for slow readers, and all that queues keep in memory. It knows nothing of who uses it. It allocates
//! nothing itself; counting is an atomic addition, so the shells and the engine may do it anywhere.

mod account;
mod charge;
mod line;
mod purpose;
#[cfg(test)]
mod tests;

pub use account::{Account, Short};
pub use charge::Charge;
pub use line::Turn;
pub use purpose::{Purpose, Share};
