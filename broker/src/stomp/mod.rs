//! STOMP, and one client: a pure machine between the codec and the words of the model.
//!
//! A session takes frames and gives outputs: requests for the engine, replies for the client, a login to check, an end.
//! It writes MESSAGE, RECEIPT and ERROR; it keeps subscriptions, open transactions and the clock of the heart-beats. It does
//! no I/O, reads no clock, waits for nothing, and has never heard of queues: whether a delivery is still held or a
//! message may be accepted is the engine's to say. It keeps nothing per message.
//!
//! The rules are those of STOMP 1.0, 1.1 and 1.2; `docs/stomp-conformance.md` lists them one by one with their tests.

mod browse;
mod client;
mod composite;
mod credit;
mod error;
mod feed;
mod gate;
mod handshake;
mod heartbeat;
mod job;
mod lease;
mod limits;
mod manage;
mod moment;
mod names;
mod operator;
mod options;
mod output;
mod oversee;
mod query;
mod reply;
mod schedule;
mod session;
mod settlement;
mod speech;
mod state;
mod statistics;
mod subscription;
mod take;
mod terms;
#[cfg(test)]
mod tests;
mod tracking;
mod transaction;
mod turn;
mod understand;
mod unique;

pub use options::{Options, PeerFacts};
pub use output::{Farewell, Output, Receipt};
pub use reply::Reply;
pub use session::Session;
