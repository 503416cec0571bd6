//! Kolejka, a STOMP message broker and job queue.
//!
//! Modules in the order in which data flows; `ARCHITECTURE.md` has the map and the rules.

pub mod memory;

pub mod table;

pub mod model;

pub mod clock;

pub mod auth;

pub mod selector;

pub mod calendar;

pub mod router;

pub mod destination;

pub mod dispatcher;

pub mod scheduler;

pub mod jobs;

pub mod engine;

pub mod journal;

pub mod stomp;

pub mod transport;

pub mod connection;

pub mod config;

pub mod server;
