//! One account of the memory that clients can make the process use, by purpose.
//!
//! What is counted are bytes that a client brings about: halves of frames, open transactions, what waits to be written,
//! what a topic keeps for slow readers, and all that queues keep in memory. Of who uses it, it knows that there are users
//! and addresses, none of which may have all of a share. It allocates nothing itself; counting is an atomic addition, so the shells and the engine may do it anywhere.

mod account;
mod charge;
mod holder;
mod line;
mod purpose;
#[cfg(test)]
mod tests;

pub use account::{Account, Short};
pub use charge::Charge;
pub use holder::{Holder, Holders, Kind};
pub use line::Turn;
pub use purpose::{Purpose, Share};
