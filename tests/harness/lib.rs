//! Test language: conversations as text, and two worlds in which they are held.
//!
//! A transcript says what clients send (`C:`) and what the server answers (`S:`), one rule each. It runs twice: in
//! [`memory`], where session and engine meet without a socket or a thread, and over a [`socket`] against a whole server.

pub mod house;
pub mod memory;
pub mod script;
pub mod server;
pub mod socket;
pub mod tls;
pub mod websocket;
