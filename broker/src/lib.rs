//! Kolejka, a STOMP message broker and job queue.

pub mod journal;
pub mod model;
