//! The words that the session, the engine and the log share, and nothing else.
//!
//! A *request* goes down from a client, an *event* comes up to it, a *record* goes to the log, a *position* comes back.
//! Nothing here does anything: no I/O, no clock, no lock, no STOMP. Whoever wants to add a second protocol or a second
//! log speaks these words and needs no others.

mod audit;
mod backoff;
mod browse;
mod burst;
mod content;
mod effects;
mod event;
mod feed;
mod filter;
mod id;
mod job;
mod key;
mod list;
mod log;
mod manage;
mod message;
mod name;
mod network;
mod oversee;
mod pattern;
mod pause;
mod permission;
mod record;
mod refusal;
mod request;
mod schedule;
mod shape;
mod source;
mod statistics;
mod status;
mod steps;
mod take;
mod terms;
mod time;
mod token;
mod unique;
mod whose;
mod window;

#[cfg(test)]
mod tests;

pub use audit::{Actor, Audit, AuditOutcome};
pub use backoff::{Backoff, BackoffError};
pub use browse::{Browse, Stage};
pub use burst::Burst;
pub use content::Content;
pub use effects::{Effects, Weight};
pub use event::{DeathNote, DeathReason, Delivery, Event, Lease, Payload};
pub use feed::Feed;
pub use filter::{Candidate, Filter};
pub use id::{DestinationId, Epoch, MessageId, Position, SessionId, ShardId, SubscriptionId, Ticket, UserId};
pub use job::{Job, JobEvent, JobName, Progress};
pub use key::{bare_key, key_of};
pub use list::{List, Order};
pub use log::{Capacity, Durable, Log, LogError, LogReader, LogSink, Replay, Room, StateBytes};
pub use manage::{Manage, Operation, Reply, States, Transfer, Writer};
pub use message::{Durability, Message, Place, Urgency};
pub use name::{DestinationKind, DestinationName, NameError, is_invisible};
pub use network::Network;
pub use oversee::{Oversee, Oversight, Scribe, Upcoming};
pub use pattern::{Pattern, PatternError, Segment};
pub use pause::{Pause, Paused, Side};
pub use permission::{Permissions, Right};
pub use record::{Accepted, Bound, Carried, Keyed, Moved, Ranked, Record, Returned, Scheduled, Settled, Woken};
pub use refusal::{Answer, Refusal, SoftRefusal, Submission};
pub use request::{AckMode, Action, Credit, Nth, Outcome, Publish, Request, Retain, Settle, Subscribe, Touch, Which};
pub use schedule::{Cron, Schedule};
pub use shape::{Limited, Limits, Shape};
pub use source::{Reader, Source, Wildcard};
pub use statistics::{Inquiry, Subject};
pub use status::{JobError, JobResult, JobState, Report, ResultBody, Status, Tracking, Waiter};
pub use steps::Steps;
pub use take::{End, Grant, Manner, Take};
pub use terms::{Group, OnExhaust, Standing, Terms};
pub use time::{Now, Timestamp};
pub use token::{JobToken, TokenError};
pub use unique::{OnDuplicate, Unique, Until};
pub use whose::Whose;
pub use window::Windows;
