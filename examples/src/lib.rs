//! The client that the examples share: the codec of `kolejka-codec` on a socket of tokio, and little else.
//!
//! Copy it into a program of your own. It knows no reconnecting and no heart-beats.

mod client;

pub use client::{Client, Problem};
