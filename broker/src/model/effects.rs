//! What a call of the engine brings about. The caller owns the lists and reuses them.

use super::{Audit, Event, Record, SessionId};

/// Records for the log and events for sessions, in the order in which they came about.
#[derive(Debug, Default)]
pub struct Effects {
    /// To be appended as one batch.
    pub records: Vec<Record>,
    /// To be handed to the sessions.
    pub events: Vec<(SessionId, Event)>,
    /// For the audit log.
    pub audits: Vec<Audit>,
    /// An answer rests on what others have asked for, and holds once the log has all that was appended before.
    pub leans: bool,
}

impl Effects {
    /// Whether nothing came about.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.events.is_empty()
    }
}
