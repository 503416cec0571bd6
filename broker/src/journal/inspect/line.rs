//! What a record says, as names and values for a person or a script.
//!
//! Contents of messages are among it only if they are asked for, and the key of the directory never.

use super::super::change::{Arrival, Override};
use super::super::format::locate;
use super::super::stored::{Back, Elsewhere, Stored};
use crate::model::{DeathNote, DestinationId, Place, Position, Record, Schedule, Standing, Terms};

/// One thing that a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(u64),
    /// A number that may be below zero.
    Signed(i64),
    /// Yes or no.
    Flag(bool),
    /// A text.
    Text(String),
    /// Octets.
    Bytes(Vec<u8>),
}

/// A record of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its file.
    pub file: String,
    /// Where its batch begins.
    pub offset: u64,
    /// The number of its batch.
    pub sequence: u64,
    /// What kind it is.
    pub kind: &'static str,
    /// What it says.
    pub fields: Vec<(&'static str, Value)>,
}

/// Gathers fields.
#[derive(Default)]
pub(super) struct Fields(pub(super) Vec<(&'static str, Value)>);

impl Fields {
    fn number(&mut self, name: &'static str, number: impl Into<u64>) -> &mut Fields {
        self.0.push((name, Value::Number(number.into())));
        self
    }

    fn text(&mut self, name: &'static str, text: impl Into<String>) -> &mut Fields {
        self.0.push((name, Value::Text(text.into())));
        self
    }

    fn flag(&mut self, name: &'static str, flag: bool) -> &mut Fields {
        self.0.push((name, Value::Flag(flag)));
        self
    }

    fn queue(&mut self, name: &'static str, queue: DestinationId) -> &mut Fields {
        self.number(name, queue.0)
    }

    /// A position, by the number of its segment and its slot.
    fn position(&mut self, position: Position) -> &mut Fields {
        let (segment, slot) = locate(position);
        self.text("at", format!("{}#{slot}", segment.file_name()))
    }

    fn place(&mut self, place: Place) -> &mut Fields {
        self.0.push(("place", Value::Signed(place.sequence)));
        self.number("urgency", place.urgency.0)
    }

    fn standing(&mut self, standing: Standing) -> &mut Fields {
        match standing {
            Standing::Ready => self.text("standing", "ready"),
            Standing::Delayed(until) => self.text("standing", "delayed").number("until", until.0),
            Standing::Buried(since) => self.text("standing", "buried").number("since", since.0),
        }
    }

    fn note(&mut self, note: &DeathNote) -> &mut Fields {
        self.text("died_in", note.origin.as_str()).text("reason", note.reason.as_str());
        self.number("deliveries", note.attempts);
        if let Some(error) = &note.error {
            self.text("error", &**error);
        }
        self
    }

    fn arrival(&mut self, arrival: &Arrival) -> &mut Fields {
        self.queue("to", arrival.to).place(arrival.place);
        if let Some(carried) = arrival.carried {
            self.number("attempts", carried.attempts).number("nacks", carried.nacks).standing(carried.standing);
        }
        if let Some(note) = &arrival.note {
            self.note(note);
        }
        self
    }

    fn change(&mut self, change: &Override) -> &mut Fields {
        self.queue("queue", change.destination).place(change.place).number("attempts", change.attempts);
        if let Some(note) = &change.note {
            self.note(note);
        }
        self
    }

    fn terms(&mut self, terms: &Terms) -> &mut Fields {
        let times = [("due", terms.due), ("expires", terms.expires)];
        for (name, time) in times.into_iter().filter_map(|(name, time)| Some((name, time?))) {
            self.number(name, time.0);
        }
        if let Some(most) = terms.max_deliveries {
            self.number("max_deliveries", most);
        }
        if let Some(time) = terms.time_to_run_ms {
            self.number("time_to_run_ms", time);
        }
        if let Some(name) = &terms.dead_letter {
            self.text("dead_letter", name.as_str());
        }
        if let Some(exhaust) = terms.on_exhaust {
            self.text("on_exhaust", exhaust.as_str());
        }
        if let Some(group) = &terms.group {
            self.text("group", &*group.name).flag("closes_group", group.closes);
        }
        if let Some(unique) = &terms.unique {
            self.text("unique", &*unique.key);
        }
        if let Some(value) = &terms.last_value {
            self.text("last_value", &**value);
        }
        self
    }

    fn schedule(&mut self, schedule: &Schedule) -> &mut Fields {
        if let Some(name) = &schedule.name {
            self.text("name", &**name);
        }
        if let Some(cron) = &schedule.cron {
            self.text("cron", &*cron.expression).text("zone", &*cron.zone);
        }
        if let Some(period) = schedule.period_ms {
            self.number("period_ms", period);
        }
        self.number("next", schedule.next.0)
    }
}

/// What a sender said about a message, for a person to read.
pub fn of_terms(terms: &Terms) -> Vec<(&'static str, Value)> {
    let mut fields = Fields::default();
    fields.terms(terms);
    if let Some(schedule) = &terms.schedule {
        fields.schedule(schedule);
    }
    fields.0
}

/// The kind of a record and what it says; with contents if `contents` says so.
pub(super) fn describe(stored: &Stored<'_>, contents: bool) -> (&'static str, Fields) {
    let mut f = Fields::default();
    let kind = match stored {
        Stored::Accepted { entry, head_bytes, content } => {
            f.number("message", entry.message.to_bits()).queue("queue", entry.destination).place(entry.place);
            f.number("head_bytes", *head_bytes).number("body_bytes", content.len() as u64 - u64::from(*head_bytes));
            if contents {
                let (head, body) = content.split_at_checked(*head_bytes as usize).unwrap_or_default();
                f.text("head", String::from_utf8_lossy(head));
                f.0.push(("body", Value::Bytes(body.to_vec())));
            }
            "accepted"
        }
        Stored::Copied { entry, head, body: Elsewhere { holder, bytes } } => {
            f.number("message", entry.message.to_bits()).queue("queue", entry.destination).place(entry.place);
            f.number("head_bytes", head.len() as u64).number("body_bytes", *bytes).number("body_of", *holder);
            if contents {
                f.text("head", String::from_utf8_lossy(head));
            }
            "copied"
        }
        _ => describe_change(stored, &mut f),
    };
    (kind, f)
}

fn describe_change(stored: &Stored<'_>, f: &mut Fields) -> &'static str {
    match stored {
        Stored::Settled(ranges) => {
            let text = |(first, count): &(Position, u32)| {
                let (segment, slot) = locate(*first);
                format!("{}#{slot}+{count}", segment.file_name())
            };
            f.text("at", ranges.iter().map(text).collect::<Vec<_>>().join(" "));
            "settled"
        }
        Stored::Returned(Back { position, destination, place, attempts, nacks, standing }) => {
            f.position(*position).queue("queue", *destination).place(*place);
            f.number("attempts", *attempts).number("nacks", *nacks).standing(*standing);
            "returned"
        }
        Stored::Ranked { position, destination, place } => {
            f.position(*position).queue("queue", *destination).place(*place);
            "ranked"
        }
        Stored::Woken(position) => {
            f.position(*position);
            "woken"
        }
        Stored::Terms { position, terms } => {
            f.position(*position).terms(terms);
            "terms"
        }
        Stored::Planned { position, schedule } => {
            f.position(*position).schedule(schedule);
            "plan"
        }
        Stored::Scheduled { position, schedule } => {
            f.position(*position).schedule(schedule);
            "scheduled"
        }
        Stored::Moved { position, from, arrival } => {
            f.position(*position).queue("from", *from).arrival(arrival);
            "moved"
        }
        Stored::Override { position, change } => {
            f.position(*position).change(change);
            "override"
        }
        _ => describe_state(stored, f),
    }
}

fn describe_state(stored: &Stored<'_>, f: &mut Fields) -> &'static str {
    match stored {
        Stored::Created { destination, name } => {
            f.queue("queue", *destination).text("name", name.as_str());
            "created"
        }
        Stored::Deleted { destination } => {
            f.queue("queue", *destination);
            "deleted"
        }
        Stored::Bound(bound) => {
            f.queue("queue", bound.queue).text("topics", bound.topics.as_str());
            if let Some(selector) = &bound.selector {
                f.text("selector", &**selector);
            }
            "bound"
        }
        Stored::Unbound { queue } => {
            f.queue("queue", *queue);
            "unbound"
        }
        Stored::Keyed(keyed) => {
            f.queue("queue", keyed.queue).text("key", &*keyed.key).number("seen", keyed.at.0);
            "keyed"
        }
        Stored::Job(record) => describe_job(record, f),
        Stored::Ordered(Record::Paused(paused)) => {
            f.queue("queue", paused.queue);
            "paused"
        }
        Stored::Ordered(Record::Limited(limited)) => {
            f.queue("queue", limited.queue);
            "limited"
        }
        Stored::IdBlock { next } => {
            f.number("next", *next);
            "id_block"
        }
        Stored::Suspected { below } => {
            f.number("below", *below);
            "suspected"
        }
        Stored::Claim { epoch } => {
            f.number("epoch", epoch.0);
            "claim"
        }
        Stored::Extent(extent) => {
            f.text("segment", extent.segment.file_name()).number("bytes", extent.length).number("slots", extent.slots);
            f.number("living", extent.bitmap.iter().map(|word| u64::from(word.count_ones())).sum::<u64>());
            "extent"
        }
        Stored::Summary(entries) => {
            f.number("messages", entries.len() as u64);
            "summary"
        }
        Stored::Continued { base, sequence } => {
            f.text("base", base.file_name()).number("first", sequence.0);
            "continued"
        }
        Stored::Stopped => "stopped",
        _ => "other",
    }
}

fn describe_job(record: &Record, f: &mut Fields) -> &'static str {
    let (kind, job) = match record {
        Record::Tracked(status) => ("tracked", status.job),
        Record::Reported(report) => ("reported", report.job),
        Record::Attached { job, .. } => ("attached", *job),
        Record::Forgotten { job } => ("forgotten", *job),
        _ => return "job",
    };
    f.number("job", job.to_bits());
    kind
}
