//! How many files the process may have open, and what of that is for connections.
//!
//! The journal opens files while it works, and a journal that cannot is at its end (P22): connections may never take the
//! last descriptors. It must not know what a connection or a segment is.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Descriptors by use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Descriptors {
    /// Connections at a time, at most what was asked for.
    pub(super) connections: u32,
    /// Connections that are told why they may not stay.
    pub(super) refusals: usize,
    /// Files that the journal keeps open for reading.
    pub(super) journal: usize,
}

/// The runtime, listeners, what is being written, and what is being made.
const OWN: u64 = 32;
/// Most connections that are told why they may not stay.
const REFUSALS: u64 = 256;
/// Most files that the journal keeps open for reading.
const READING: u64 = 64;

impl Descriptors {
    /// Raises the process's limit as far as so many connections need it and the system allows it, and shares it out.
    pub(super) fn claim(connections: u32) -> Descriptors {
        let needed = OWN + REFUSALS + READING + u64::from(connections);
        let limit = getrlimit(Resource::Nofile);
        let has = limit.current.unwrap_or(u64::MAX);
        if has < needed {
            let raised = Rlimit { current: Some(needed.min(limit.maximum.unwrap_or(needed))), ..limit };
            // If it may not be raised, what there is must do.
            let _ = setrlimit(Resource::Nofile, raised);
        }
        let descriptors = Descriptors::share(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), connections);
        let allowed = descriptors.connections;
        if allowed < connections {
            warn!(allowed, "the process may open too few files for limits.connections: raise its limit (ulimit -n)");
        }
        descriptors
    }

    /// Shares out so many.
    pub(super) fn share(all: u64, connections: u32) -> Descriptors {
        let (journal, refusals) = ((all / 8).clamp(2, READING), (all / 16).clamp(1, REFUSALS));
        let left = all.saturating_sub(OWN + refusals + journal).max(1);
        let connections = u32::try_from(left).map_or(connections, |left| left.min(connections));
        Descriptors { connections, refusals: refusals as usize, journal: journal as usize }
    }
}
