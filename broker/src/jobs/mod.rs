//! What is known of jobs that are followed: one row each, from the submission until it is forgotten.
//!
//! A row outlives its message. Nothing here decides when something happens to a job: the engine reports it. It knows no
//! queue beyond its name, no client, no clock and no log; what a client sees of a row is made in `document`.

mod book;
mod document;
mod head;
mod outbox;
mod row;

#[cfg(test)]
mod tests;

pub use book::{Book, Limits};
pub use document::{document, event, unknown};
pub use head::Head;
pub use outbox::Outbox;
pub use row::Row;
