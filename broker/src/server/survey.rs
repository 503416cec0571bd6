//! A start without its end: what the journal tells an engine, and whether that takes it. Nothing is changed, no time passes.

use std::collections::BTreeMap;

use super::lifecycle::ServerError;
use super::plan;
use crate::config::Config;
use crate::engine::Engine;
use crate::journal::inspect::Inspection;
use crate::model::{DestinationId, Position, Record, Replay};

/// What a start finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Messages that are there.
    pub messages: u64,
    /// The last stop was an orderly one.
    pub clean: bool,
    /// Destinations by their names.
    pub destinations: BTreeMap<String, Found>,
}

/// A destination that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Messages in it.
    pub messages: u64,
    /// Those of them that are schedules.
    pub schedules: u64,
    /// The topics that feed it.
    pub topics: Option<String>,
    /// It stands still.
    pub is_paused: bool,
}

/// Tells an engine, and counts.
struct Counting {
    engine: Engine,
    found: BTreeMap<DestinationId, (String, Found)>,
}

impl Counting {
    fn found(&mut self, destination: DestinationId) -> Option<&mut Found> {
        self.found.get_mut(&destination).map(|(_, found)| found)
    }
}

impl Replay for Counting {
    fn record(&mut self, record: Record, position: Option<Position>) {
        match &record {
            Record::Created { destination, name } => {
                self.found.insert(*destination, (name.as_str().to_owned(), Found::default()));
            }
            Record::Deleted { destination } => drop(self.found.remove(destination)),
            Record::Bound(bound) => {
                let topics = bound.topics.as_str().to_owned();
                if let Some(found) = self.found(bound.queue) {
                    found.topics = Some(topics);
                }
            }
            Record::Paused(paused) => {
                if let Some(found) = self.found(paused.queue) {
                    found.is_paused = true;
                }
            }
            Record::Accepted(accepted) => {
                let is_schedule = accepted.terms.as_ref().is_some_and(|terms| terms.schedule.is_some());
                if let Some(found) = self.found(accepted.destination) {
                    found.messages += 1;
                    found.schedules += u64::from(is_schedule);
                }
            }
            _ => {}
        }
        self.engine.record(record, position);
    }
}

/// Reads the journal of a configuration into an engine, and throws that away.
pub fn survey(config: &Config) -> Result<Survey, ServerError> {
    let failed = |source| ServerError::Journal { path: config.data.clone(), source };
    let inspection = Inspection::open(&config.data).map_err(failed)?;
    let mut counting = Counting { engine: Engine::new(plan::engine(config)), found: BTreeMap::new() };
    let state = inspection.replay(&mut counting).map_err(failed)?;
    match counting.engine.replayed(state.clean) {
        0 => {}
        homeless => return Err(ServerError::Homeless(homeless)),
    }
    let destinations = counting.found.into_values().collect();
    Ok(Survey { messages: state.messages, clean: state.clean, destinations })
}
