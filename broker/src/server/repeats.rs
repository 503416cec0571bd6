//! Log lines that strangers can cause as often as they like: the first of a kind from a network is written, the others are
//! counted, and their number is written each minute. So a flood of connections is no flood of the log.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::model::Network;

/// Kinds and networks that are counted apart; those beyond are counted by kind.
const REMEMBERED: usize = 256;
/// So often what was counted is written.
const EVERY: Duration = Duration::from_secs(60);

/// What was counted, shared by all that writes such lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Repeats(Arc<Mutex<Lines>>);

/// The table itself. It knows no clock: whoever asks for the counts says when.
#[derive(Debug, Default)]
pub(super) struct Lines {
    counts: HashMap<(&'static str, Origin), u64>,
}

/// From where lines come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Origin {
    /// One network.
    From(Network),
    /// Networks that are not told apart, because there are too many.
    Others,
}

impl Repeats {
    /// Whether a line of this kind is to be written now.
    pub(super) fn is_first(&self, kind: &'static str, network: Network) -> bool {
        self.lines().is_first(kind, network)
    }

    /// Writes what was counted, each minute until the server stops.
    pub(super) async fn report(self, stopping: CancellationToken) {
        while stopping.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            self.write();
        }
    }

    /// Writes what was counted since the last time.
    pub(super) fn write(&self) {
        let counted = self.lines().take();
        for (kind, origin, count) in counted {
            info!(kind, address = %origin, count, "the same again, within a minute");
        }
    }

    /// Numbers only: a panic elsewhere leaves nothing half done that matters.
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    /// Notes a line. `true` if it is the first of its kind from there since one minute passed without any.
    pub(super) fn is_first(&mut self, kind: &'static str, network: Network) -> bool {
        let own = (kind, Origin::From(network));
        let key =
            if self.counts.len() < REMEMBERED || self.counts.contains_key(&own) { own } else { (kind, Origin::Others) };
        if let Some(count) = self.counts.get_mut(&key) {
            *count = count.saturating_add(1);
            return false;
        }
        self.counts.insert(key, 0);
        true
    }

    /// Takes what was counted since the last time, in a fixed order. Of what did not come again the next line is a first one.
    pub(super) fn take(&mut self) -> Vec<(&'static str, Origin, u64)> {
        self.counts.retain(|_, count| *count > 0);
        let mut taken: Vec<_> =
            self.counts.iter_mut().map(|((kind, origin), count)| (*kind, *origin, std::mem::take(count))).collect();
        taken.sort_unstable();
        taken
    }

    /// Kinds and networks that are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.counts.len()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::From(network) => network.fmt(f),
            Origin::Others => f.write_str("others"),
        }
    }
}
