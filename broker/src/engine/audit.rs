//! The audit log: what operators do is written down with who did it, and so is what was refused to them.

use std::sync::Arc;

use tracing::info;

use super::machine::Engine;
use crate::model::{Actor, Audit, AuditOutcome, DestinationName, Effects, Permissions, Right, SessionId};

impl Engine {
    /// Whose request is being carried out.
    pub(super) fn actor(&self) -> Actor {
        let session = self.author.unwrap_or(SessionId { index: u32::MAX, generation: 0 });
        let user = self.permissions().map_or("anonymous".into(), |permissions| permissions.user().into());
        Actor { session, user }
    }

    /// What that client may do; `None`: everything.
    pub(super) fn permissions(&self) -> Option<Arc<dyn Permissions>> {
        self.sessions.get(self.author?)?.permissions.clone()
    }

    /// Whether the client whose request is being carried out has a right.
    pub(super) fn may(&self, right: Right, name: &DestinationName) -> bool {
        self.permissions().is_none_or(|permissions| permissions.may(right, name))
    }

    /// Notes what was asked for and what became of it.
    pub(super) fn audit(
        &self,
        (verb, object): (&'static str, &str),
        (count, outcome): (u64, AuditOutcome),
        effects: &mut Effects,
    ) {
        // An operation that is none was not recognised: nothing is asked for in so many words.
        if !verb.is_empty() {
            let object = Arc::from(object);
            effects.audits.push(Audit { actor: self.actor(), verb, object, count, outcome });
        }
    }
}

/// Writes lines down, each at the level `info` under the target `audit`.
pub(super) fn write(lines: Vec<Audit>) {
    for Audit { actor: Actor { session, user }, verb, object, count, outcome } in lines {
        let session = format_args!("{}-{}", session.index, session.generation);
        info!(target: "audit", %user, %session, verb, %object, count, outcome = outcome.as_str());
    }
}
