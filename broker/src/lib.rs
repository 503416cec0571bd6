//! Kolejka, a STOMP message broker and job queue.

pub mod auth;
pub mod config;
pub mod model;
