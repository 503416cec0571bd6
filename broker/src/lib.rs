//! Kolejka, a STOMP message broker and job queue.

pub mod model;
pub mod transport;
