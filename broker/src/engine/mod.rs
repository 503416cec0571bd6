//! Destinations and all clients: one pure machine, and the shell that shares it.
//!
//! [`Engine`] decides which records a request means and changes durable state in one place, `evolve`, from the record
//! alone; replay after a crash goes through the same place. It has never heard of STOMP, reads no clock, takes no lock
//! and waits for nothing. [`Handle`] is the shell: one lock that a connection takes once per batch, and the log.

mod address;
mod admission;
mod announce;
mod audit;
mod backlog;
mod binding;
mod browse;
mod budget;
mod chore;
mod client;
mod close;
mod commit;
mod destination;
mod dispatch;
mod document;
mod driver;
mod duplicate;
mod errand;
mod evolve;
mod failure;
mod feed;
mod follow;
mod handle;
mod happening;
mod holds;
mod hook;
mod ids;
mod inbox;
mod jitter;
mod job;
mod late;
mod lease;
mod legacy;
mod lock;
mod machine;
mod manage;
mod moments;
mod notice;
mod options;
mod origins;
mod oversee;
mod pausing;
mod permission;
mod publish;
mod quotas;
mod rank;
mod reading;
mod reload;
mod replace;
mod retain;
mod room;
mod route;
mod schedule;
mod schedules;
mod selectors;
mod sessions;
mod settle;
mod several;
mod shape;
mod slow;
mod statistics;
mod subscribe;
mod take;
mod transfer;
mod unique;
mod units;
mod unlogged;
mod view;
mod vital;
mod wildcard;

#[cfg(test)]
mod tests;

pub use client::{Client, Item, Terms};
pub use handle::Handle;
pub use holds::{Holds, Row as HoldsOfVerb, Verb};
pub use inbox::Inbox;
pub use job::JobView;
pub use machine::Engine;
pub use options::{Append, Options};
pub use quotas::UserLimits;
pub use reading::Unread;
pub use sessions::Departure;
pub use view::QueueView;
pub use vital::Vital;
