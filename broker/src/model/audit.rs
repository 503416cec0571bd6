//! What was done to queues as a whole, and by whom: for the audit log.

use std::sync::Arc;

use super::{SessionId, SoftRefusal};

/// Who asked for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The session.
    pub session: SessionId,
    /// Its login; `anonymous` without one.
    pub user: Arc<str>,
}

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Who asked.
    pub actor: Actor,
    /// For what: `purge`, `move`, `kick`, `pause`, `resume`, `cancel`, `remove-schedule`.
    pub verb: &'static str,
    /// With which queue, job or schedules.
    pub object: Arc<str>,
    /// With how many messages it was done.
    pub count: u64,
    /// What became of it.
    pub outcome: AuditOutcome,
}

/// What became of something that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditOutcome {
    /// It goes on; another line says what came of it.
    Begun,
    /// It is done.
    Done,
    /// It was refused, or ended early.
    Refused(SoftRefusal),
}

impl AuditOutcome {
    /// Its word in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            AuditOutcome::Begun => "begun",
            AuditOutcome::Done => "done",
            AuditOutcome::Refused(why) => why.as_str(),
        }
    }
}
