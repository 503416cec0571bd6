//! `kolejka journal drop`: removes a queue, a durable subscription or a schedule from a log, without a broker.
//!
//! The log is opened as a broker opens it, and nothing is asked of the engine: what keeps that from starting can be removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use kolejka::journal::inspect::{Inspection, Scribe};
use kolejka::model::{
    Accepted, DestinationId, DestinationKind, DestinationName, MessageId, Position, Record, Replay, Settled, bare_key,
};

use super::{count, directory, failure, now};
use crate::args::{Drop, Dropped};
use crate::command::output;
use crate::command::output::printable;
use crate::command::status::{Failure, Status};

/// Records of one unit.
const AT_ONCE: usize = 10_000;

/// What is to go.
struct Wanted<'a> {
    kind: Dropped,
    name: &'a str,
    names: BTreeMap<DestinationId, DestinationName>,
    /// Destinations that go as a whole.
    queues: BTreeSet<DestinationId>,
    messages: Vec<(Accepted, Position)>,
    jobs: BTreeSet<MessageId>,
}

impl<'a> Wanted<'a> {
    fn of(arguments: &'a Drop) -> Wanted<'a> {
        Wanted {
            kind: arguments.kind,
            name: &arguments.name,
            names: BTreeMap::new(),
            queues: BTreeSet::new(),
            messages: Vec::new(),
            jobs: BTreeSet::new(),
        }
    }

    fn is_it(&self, name: &DestinationName) -> bool {
        let is_named = name.as_str() == self.name || name.path() == self.name;
        match self.kind {
            Dropped::Queue => name.as_str() == self.name || name.kind() == DestinationKind::Queue && is_named,
            Dropped::Binding => name.kind() == DestinationKind::Subscription && is_named,
            Dropped::Schedule => false,
        }
    }

    /// Whether a message is the schedule that is meant.
    fn is_schedule(&self, accepted: &Accepted) -> bool {
        let schedule = accepted.terms.as_ref().and_then(|terms| terms.schedule.as_ref());
        let name = schedule.and_then(|schedule| schedule.name.as_ref());
        self.kind == Dropped::Schedule
            && schedule.is_some()
            && (name.is_some_and(|name| bare_key(name) == self.name) || accepted.message.to_string() == self.name)
    }

    /// Whether a message lies in the queue with the number that is meant, and that has no name: a start refuses such.
    fn is_homeless(&self, accepted: &Accepted) -> bool {
        let number = self.name.strip_prefix('#').and_then(|number| number.parse().ok());
        self.kind == Dropped::Queue
            && number == Some(accepted.destination.0)
            && !self.names.contains_key(&accepted.destination)
    }

    /// A line for each thing that is removed.
    fn lines(&self) -> String {
        let mut text = String::new();
        for queue in &self.queues {
            let name = self.names.get(queue).map_or("", |name| name.as_str());
            let number = self.messages.iter().filter(|(accepted, _)| accepted.destination == *queue).count();
            let number = count(number as u64, "message", "messages");
            let _ = writeln!(text, "{}  with {number}", printable(name, false));
        }
        let homeless =
            self.messages.iter().filter(|(accepted, _)| !self.names.contains_key(&accepted.destination)).count();
        if homeless > 0 {
            let _ = writeln!(text, "{} of no queue", count(homeless as u64, "message", "messages"));
        }
        if self.kind == Dropped::Schedule {
            for (accepted, _) in &self.messages {
                let name = self.names.get(&accepted.destination).map_or("", |name| name.as_str());
                let _ = writeln!(text, "schedule {} of {}", accepted.message, printable(name, false));
            }
        }
        text
    }

    fn records(self) -> Vec<Record> {
        let settled = |(accepted, position): &(Accepted, Position)| {
            let Accepted { destination, message, place, .. } = *accepted;
            Record::Settled(Settled { destination, message, place, position: *position })
        };
        let mut records: Vec<Record> = self.messages.iter().map(settled).collect();
        let known = self.messages.iter().map(|(accepted, _)| accepted.message).filter(|id| self.jobs.contains(id));
        records.extend(known.map(|job| Record::Forgotten { job }));
        records.extend(self.queues.iter().map(|destination| Record::Deleted { destination: *destination }));
        records
    }
}

impl Replay for Wanted<'_> {
    fn record(&mut self, record: Record, position: Option<Position>) {
        match (record, position) {
            (Record::Created { destination, name }, _) => {
                if self.is_it(&name) {
                    self.queues.insert(destination);
                }
                self.names.insert(destination, name);
            }
            (Record::Deleted { destination }, _) => drop(self.queues.remove(&destination)),
            (Record::Bound(bound), _) if self.kind == Dropped::Binding && bound.topics.as_str() == self.name => {
                self.queues.insert(bound.queue);
            }
            (Record::Tracked(status), _) => drop(self.jobs.insert(status.job)),
            (Record::Accepted(accepted), Some(position))
                if self.queues.contains(&accepted.destination)
                    || self.is_schedule(&accepted)
                    || self.is_homeless(&accepted) =>
            {
                self.messages.push((accepted, position));
            }
            _ => {}
        }
    }
}

/// Status 0 if it is gone, 1 if there was none.
pub(crate) fn drop_from_journal(arguments: &Drop) -> Result<Status, Failure> {
    let directory = directory(&arguments.directory)?;
    let failed = |error| failure(&directory, &error);
    let mut wanted = Wanted::of(arguments);
    Inspection::open(&directory).and_then(|inspection| inspection.replay(&mut wanted)).map_err(failed)?;
    if wanted.queues.is_empty() && wanted.messages.is_empty() {
        let kind = format!("{:?}", arguments.kind).to_lowercase();
        return Err(Failure::new(Status::No, format!("there is no {kind} {}", printable(&arguments.name, false))));
    }
    if arguments.dry_run {
        return output::print(&format!("would remove:\n{}", wanted.lines()));
    }
    // Where messages are may change when the log is opened.
    let mut wanted = Wanted::of(arguments);
    let mut scribe = Scribe::open(&directory, &mut wanted, now()).map_err(failed)?;
    let lines = wanted.lines();
    let records = wanted.records();
    for records in records.chunks(AT_ONCE) {
        scribe.append(records.to_vec()).map_err(failed)?;
    }
    scribe.finish().map_err(failed)?;
    output::print(&format!("removed:\n{lines}"))
}
