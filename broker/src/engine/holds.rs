//! How long the engine's lock was held, and for what.
//!
//! A hold that serves several requests is counted for the one that took the most steps.

use std::time::Duration;

use super::document::Document;
use crate::model::Request;

/// What a hold was for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// A message was sent.
    Send,
    /// A transaction was committed.
    Commit,
    /// Deliveries were settled, or their leases extended.
    Settle,
    /// A subscription began.
    Subscribe,
    /// A subscription ended, or a durable one was deleted.
    Unsubscribe,
    /// A client began to browse a queue.
    Browse,
    /// Messages of a queue were kicked, purged or moved, or the queue was paused or declared.
    Manage,
    /// Statistics were asked for.
    Statistics,
    /// Schedules were listed or removed.
    Schedules,
    /// A request went on that was begun in another hold.
    Continue,
    /// A worker or a caller said something about a job.
    Job,
    /// A connection said what it has written.
    Written,
    /// A client came or left.
    Session,
    /// Time passed, or background work went on.
    Tick,
    /// The log has become durable.
    Durable,
    /// Heads or bodies were asked for, or came from the log.
    Read,
    /// Something else.
    #[default]
    Other,
}

impl Verb {
    /// All of them, in the order of [`Holds::rows`].
    pub const ALL: [Verb; 17] = [
        Verb::Send,
        Verb::Commit,
        Verb::Settle,
        Verb::Subscribe,
        Verb::Unsubscribe,
        Verb::Browse,
        Verb::Manage,
        Verb::Statistics,
        Verb::Schedules,
        Verb::Continue,
        Verb::Job,
        Verb::Written,
        Verb::Session,
        Verb::Tick,
        Verb::Durable,
        Verb::Read,
        Verb::Other,
    ];

    /// What a request counts as.
    pub(super) const fn of(request: &Request) -> Verb {
        match request {
            Request::Publish(_) => Verb::Send,
            Request::Commit(_) => Verb::Commit,
            Request::Settle(_) | Request::Touch(_) | Request::Decline(_) | Request::Quarantine { .. } => Verb::Settle,
            Request::Subscribe(_) | Request::Take(_) => Verb::Subscribe,
            Request::Unsubscribe(_) | Request::Discard(_) => Verb::Unsubscribe,
            Request::Browse(_) => Verb::Browse,
            Request::Manage(_) | Request::Shape(_) => Verb::Manage,
            Request::Inquire(_) => Verb::Statistics,
            Request::Oversee(_) => Verb::Schedules,
            Request::Job(_) => Verb::Job,
            Request::Written { .. } | Request::Grant(_) => Verb::Written,
            Request::Permit(_) => Verb::Session,
        }
    }

    /// Its name in the log and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Send => "send",
            Verb::Commit => "commit",
            Verb::Settle => "settle",
            Verb::Subscribe => "subscribe",
            Verb::Unsubscribe => "unsubscribe",
            Verb::Browse => "browse",
            Verb::Manage => "manage",
            Verb::Statistics => "statistics",
            Verb::Schedules => "schedules",
            Verb::Continue => "continue",
            Verb::Job => "job",
            Verb::Written => "written",
            Verb::Session => "session",
            Verb::Tick => "tick",
            Verb::Durable => "durable",
            Verb::Read => "read",
            Verb::Other => "other",
        }
    }
}

/// The holds for one verb.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// How many lasted no longer than each of [`Holds::BOUNDS`], and longer than the one before; the last count is of
    /// those that lasted longer than all of them.
    pub counts: [u64; Holds::BOUNDS.len() + 1],
    /// All of them together.
    pub total: Duration,
    /// The longest.
    pub longest: Duration,
    /// The most steps that one of them took.
    pub most_steps: u64,
}

/// A histogram of all holds since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    rows: [Row; Verb::ALL.len()],
    /// Until when nothing is said of another slow one.
    quiet_until: Duration,
    /// Slow ones of which nothing was said.
    unsaid: u64,
}

/// A hold that was far too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SlowHold {
    pub(super) verb: Verb,
    pub(super) lasted: Duration,
    pub(super) steps: u64,
    /// So many before it were not reported.
    pub(super) unreported: u64,
}

impl Holds {
    /// Upper ends of the classes, in microseconds.
    pub const BOUNDS: [u64; 10] = [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000];
    /// What is longer is reported.
    pub const SLOW: Duration = Duration::from_millis(50);
    /// How often at most.
    const EVERY: Duration = Duration::from_secs(10);

    /// The holds for each verb, in the order of [`Verb::ALL`].
    pub fn rows(&self) -> impl Iterator<Item = (Verb, &Row)> {
        Verb::ALL.into_iter().zip(&self.rows)
    }

    /// Writes them into an answer about the broker: all of them by duration, and those for each verb that there were.
    pub(super) fn write(&self, document: Document) -> Document {
        let mut document = document;
        for (class, micros) in Holds::BOUNDS.into_iter().map(Some).chain([None]).enumerate() {
            let count = self.rows.iter().map(|row| row.counts[class]).sum();
            let name = micros.map_or_else(|| "longerHolds".to_owned(), |micros| format!("holdsUpTo{micros}Micros"));
            document = document.number(&name, count);
        }
        if let Some((verb, row)) = self.rows().max_by_key(|(_, row)| row.longest) {
            document = document.text("longestHoldVerb", verb.as_str()).number("longestHoldMicros", micros(row.longest));
        }
        for (verb, row) in self.rows().filter(|(_, row)| row.longest > Duration::ZERO) {
            let key = |what: &str| format!("hold.{}.{what}", verb.as_str());
            document = document
                .number(&key("count"), row.counts.iter().sum())
                .number(&key("totalMicros"), micros(row.total))
                .number(&key("longestMicros"), micros(row.longest))
                .number(&key("mostSteps"), row.most_steps);
        }
        document
    }

    /// Counts one that has just ended. Returns what is to be said about it.
    pub(super) fn count(&mut self, verb: Verb, (begun, ended): (Duration, Duration), steps: u64) -> Option<SlowHold> {
        let lasted = ended.saturating_sub(begun);
        let row = &mut self.rows[verb as usize];
        row.counts[Holds::BOUNDS.partition_point(|bound| *bound < micros(lasted))] += 1;
        row.total += lasted;
        row.longest = row.longest.max(lasted);
        row.most_steps = row.most_steps.max(steps);
        if lasted <= Holds::SLOW {
            return None;
        }
        if ended < self.quiet_until {
            self.unsaid += 1;
            return None;
        }
        self.quiet_until = ended + Holds::EVERY;
        Some(SlowHold { verb, lasted, steps, unreported: std::mem::take(&mut self.unsaid) })
    }
}

fn micros(lasted: Duration) -> u64 {
    u64::try_from(lasted.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn every_verb_has_its_row_and_name() {
        for (at, verb) in Verb::ALL.into_iter().enumerate() {
            assert_eq!(verb as usize, at);
        }
        let names: std::collections::BTreeSet<_> = Verb::ALL.iter().map(|verb| verb.as_str()).collect();
        assert_eq!(names.len(), Verb::ALL.len());
    }

    #[test]
    fn a_hold_falls_into_one_class_of_its_verb() {
        let mut holds = Holds::default();
        for (micros, steps) in [(50, 10), (51, 30), (300_000, 20)] {
            holds.count(Verb::Send, (ms(1), ms(1) + Duration::from_micros(micros)), steps);
        }
        let (_, row) = holds.rows().next().expect("a row");
        assert_eq!((row.counts[0], row.counts[1], row.counts[10]), (1, 1, 1));
        assert_eq!((row.most_steps, row.longest), (30, ms(300)));
        assert!(holds.rows().skip(1).all(|(_, row)| *row == Row::default()));
    }

    #[test]
    fn an_answer_about_the_broker_tells_the_holds_by_duration_and_those_of_each_verb_that_there_were() {
        let mut holds = Holds::default();
        for (verb, micros) in [(Verb::Send, 40), (Verb::Send, 60), (Verb::Commit, 300_000)] {
            holds.count(verb, (ms(1), ms(1) + Duration::from_micros(micros)), 7);
        }
        let told = holds.write(Document::new()).finish();
        for part in [
            r#""holdsUpTo50Micros":1,"holdsUpTo100Micros":1,"holdsUpTo250Micros":0"#,
            r#""longerHolds":1,"longestHoldVerb":"commit","longestHoldMicros":300000,"#,
            r#""hold.send.count":2,"hold.send.totalMicros":100,"hold.send.longestMicros":60,"hold.send.mostSteps":7"#,
        ] {
            assert!(told.contains(part), "{part} in {told}");
        }
        assert!(!told.contains("hold.tick"), "{told}");
    }

    #[test]
    fn slow_holds_are_reported_once_in_a_while_with_the_number_of_those_that_were_not() {
        let mut holds = Holds::default();
        assert_eq!(holds.count(Verb::Send, (ms(0), ms(50)), 1), None);
        let first = holds.count(Verb::Tick, (ms(0), ms(51)), 7);
        assert_eq!(first, Some(SlowHold { verb: Verb::Tick, lasted: ms(51), steps: 7, unreported: 0 }));
        for at in 1..=5 {
            assert_eq!(holds.count(Verb::Send, (ms(at * 100), ms(at * 100 + 60)), 1), None);
        }
        let next = holds.count(Verb::Send, (ms(20_000), ms(20_100)), 1).expect("it is time again");
        assert_eq!(next.unreported, 5);
    }
}
