//! What a SEND says about being sent again and again.

use std::time::Duration;

use super::error::Fault;
use super::moment::{milliseconds, span};
use crate::calendar;
use crate::calendar::CronError;
use crate::model::Cron;
use crate::model::DestinationName;
use crate::model::Message;
use crate::model::Schedule;
use crate::model::Timestamp;

/// Under which header a series begins.
pub(super) const CRON: &str = "AMQ_SCHEDULED_CRON";
const ZONE: &str = "x-cron-zone";
const PERIOD: &str = "AMQ_SCHEDULED_PERIOD";
const REPEAT: &str = "AMQ_SCHEDULED_REPEAT";
const NAME: &str = "x-schedule";

/// The headers found, by their values. The first of each counts.
#[derive(Clone, Copy, Default)]
pub(super) struct Asked<'f> {
    pub(super) cron: Option<(&'static str, &'f str)>,
    pub(super) zone: Option<(&'static str, &'f str)>,
    pub(super) period: Option<(&'static str, &'f str)>,
    pub(super) repeat: Option<(&'static str, &'f str)>,
    pub(super) name: Option<(&'static str, &'f str)>,
}

/// What else is known about the time.
#[derive(Clone, Copy)]
pub(super) struct Start {
    pub(super) now: Timestamp,
    /// A moment or a delay, in the future.
    pub(super) due: Option<Timestamp>,
    /// A delay or a moment was asked for, be it over.
    pub(super) is_timed: bool,
    /// It is one in the future, said as a moment.
    pub(super) is_moment: bool,
    /// It has to be a schedule: its destination cannot keep a message that waits.
    pub(super) must: bool,
    pub(super) life_ms: Option<u64>,
}

impl Asked<'_> {
    /// Whether one of them is there.
    pub(super) fn is_any(self) -> bool {
        [self.cron, self.zone, self.period, self.repeat, self.name].iter().any(Option::is_some)
    }

    /// The schedule that they mean; `None` if one message is sent once and needs none.
    pub(super) fn schedule(self, start: Start) -> Result<Option<Box<Schedule>>, Fault> {
        let Start { now, due, is_timed, is_moment, must, life_ms } = start;
        let period_ms = self.period.map(|(_, text)| period(text)).transpose()?.flatten();
        let repeat = self.repeat.map(|(_, text)| repeat(text)).transpose()?;
        if period_ms.is_none() && repeat.is_some_and(|count| count != Some(0)) {
            return Err(Fault::BadHeader { header: REPEAT, expected: "AMQ_SCHEDULED_PERIOD beside it" });
        }
        let name = self.name.map(|(_, text)| name(text)).transpose()?;
        let (cron, next) = match self.cron {
            None if self.zone.is_some() => {
                return Err(Fault::BadHeader { header: ZONE, expected: "AMQ_SCHEDULED_CRON beside it" });
            }
            Some(_) if is_moment => {
                return Err(Fault::BadHeader {
                    header: CRON,
                    expected: "a delay beside it, if anything, not a moment",
                });
            }
            None => {
                let after_period = period_ms.map(|ms| now.after(ms));
                (None, due.or(after_period).or(is_timed.then_some(now)))
            }
            Some((_, expression)) => {
                let (cron, next) = read_cron(expression, self.zone.map_or("UTC", |(_, zone)| zone), now)?;
                (Some(cron), Some(next))
            }
        };
        if period_ms.is_none() && cron.is_none() && name.is_none() && !must {
            return Ok(None);
        }
        let expected = "a time beside it: AMQ_SCHEDULED_DELAY, _PERIOD, _CRON or x-at";
        let next = next.ok_or(Fault::BadHeader { header: NAME, expected })?;
        // Behind a cron expression a delay counts from its time.
        let delay_ms = if cron.is_some() { due.map_or(0, |due| due.0 - now.0) } else { 0 };
        let repeat = repeat.unwrap_or(if period_ms.is_some() { None } else { Some(0) });
        Ok(Some(Box::new(Schedule {
            name,
            cron,
            delay_ms,
            period_ms,
            repeat,
            next: next.after(delay_ms),
            left: repeat,
            life_ms,
            is_transient: false,
            retain: None,
        })))
    }
}

/// Where a message goes: one that is to wait for its time lies among the schedules of its destination.
pub(super) fn address(to: DestinationName, message: &Message) -> DestinationName {
    match &message.terms {
        Some(terms) if terms.schedule.is_some() => to.schedules(),
        _ => to,
    }
}

fn read_cron(expression: &str, zone: &str, now: Timestamp) -> Result<(Cron, Timestamp), Fault> {
    let bad = |error| match error {
        CronError::Expression => Fault::BadHeader {
            header: CRON,
            expected: "five fields: minute, hour, day of the month, month and weekday, such as 30 3 * * MON-FRI",
        },
        CronError::Never => Fault::BadHeader { header: CRON, expected: "a time that comes" },
        CronError::Zone => {
            Fault::BadHeader { header: ZONE, expected: "the name of a time zone, such as Europe/Berlin or UTC" }
        }
    };
    if expression.len() > Schedule::EXPRESSION_BYTES {
        return Err(Fault::BadHeader { header: CRON, expected: "at most 255 octets" });
    }
    if zone.len() > Schedule::ZONE_BYTES {
        return Err(bad(CronError::Zone));
    }
    let next = calendar::Cron::parse(expression, zone).and_then(|cron| cron.next_after(now)).map_err(bad)?;
    Ok((Cron { expression: expression.into(), zone: zone.into() }, next))
}

/// Refuses a schedule that would send more often than the server wants.
pub(super) fn not_too_often(message: &Message, least: Duration) -> Result<(), Fault> {
    let schedule = message.terms.as_ref().and_then(|terms| terms.schedule.as_ref());
    let period = schedule.and_then(|schedule| schedule.period_ms);
    match period {
        Some(ms) if Duration::from_millis(ms) < least => Err(Fault::ShortPeriod { least }),
        _ => Ok(()),
    }
}

/// 0 asks for nothing.
fn period(text: &str) -> Result<Option<u64>, Fault> {
    match span(PERIOD, text)? {
        0 => Ok(None),
        _ => Ok(milliseconds(text)),
    }
}

/// `None` for no end.
fn repeat(text: &str) -> Result<Option<u32>, Fault> {
    if text.trim_matches(' ') == "-1" {
        return Ok(None);
    }
    let count = milliseconds(text).and_then(|count| u32::try_from(count).ok());
    let expected = "-1 for no end, or how often after the first time, 0 to 4294967295";
    count.map(Some).ok_or(Fault::BadHeader { header: REPEAT, expected })
}

fn name(text: &str) -> Result<std::sync::Arc<str>, Fault> {
    if text.len() > Schedule::NAME_BYTES {
        return Err(Fault::BadHeader { header: NAME, expected: "at most 255 octets" });
    }
    Ok(text.into())
}
