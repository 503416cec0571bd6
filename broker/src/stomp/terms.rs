//! What a SEND says about the time and the failures of its message, under all the names that clients know for it.

use super::error::Fault;
use super::gate::Gate;
use super::moment::{milliseconds, moment, read_time_to_run, span};
use super::schedule;
use crate::model::Backoff;
use crate::model::DestinationKind;
use crate::model::DestinationName;
use crate::model::Group;
use crate::model::OnExhaust;
use crate::model::Terms;
use crate::model::Timestamp;

/// Most octets of the name of a group.
const GROUP_BYTES: usize = 255;

/// What one header is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Term {
    /// Not before so many milliseconds have passed.
    Delay,
    /// The same under a bare word, which is the application's unless it is a number.
    BareDelay,
    /// Not before a moment.
    Due,
    /// When a series begins.
    Cron,
    /// On whose clocks.
    Zone,
    /// Between two messages of a series.
    Period,
    /// How many more.
    Repeat,
    /// What a schedule is called.
    Schedule,
    /// Messages that it belongs to; delivered.
    Group,
    /// Its number in the group, of which −1 closes it; delivered.
    Member,
    /// An end; delivered.
    Expires,
    /// A life in milliseconds, under a bare word.
    Ttl,
    /// The same as `RabbitMQ` calls it.
    Expiration,
    /// How long whoever takes it may keep it.
    TimeToRun,
    /// Most deliveries.
    MaxDeliveries,
    /// Between a NACK and the next attempt.
    Backoff,
    /// What comes after the last delivery.
    OnExhaust,
    /// Where dead letters go.
    DeadLetter,
}

impl Term {
    /// Whether it goes on to those who receive the message.
    pub(super) fn is_delivered(self) -> bool {
        matches!(self, Term::Expires | Term::Group | Term::Member)
    }

    /// Whether the value is the server's to act on.
    pub(super) fn is_meant(self, value: &str) -> bool {
        match self {
            Term::BareDelay | Term::Ttl => milliseconds(value).is_some(),
            _ => true,
        }
    }
}

/// The headers found, each by its name and value. Of several that are about the same, the first counts.
#[derive(Clone, Copy, Default)]
pub(super) struct Asked<'f> {
    any: bool,
    delay: Option<(&'static str, &'f str)>,
    due: Option<(&'static str, &'f str)>,
    expires: Option<(&'static str, &'f str)>,
    ttl: Option<(&'static str, &'f str)>,
    expiration: Option<(&'static str, &'f str)>,
    time_to_run: Option<(&'static str, &'f str)>,
    max_deliveries: Option<(&'static str, &'f str)>,
    backoff: Option<(&'static str, &'f str)>,
    on_exhaust: Option<(&'static str, &'f str)>,
    dead_letter: Option<(&'static str, &'f str)>,
    group: Option<(&'static str, &'f str)>,
    member: Option<(&'static str, &'f str)>,
    plan: schedule::Asked<'f>,
}

impl<'f> Asked<'f> {
    /// Notes a header. An empty value asks for nothing.
    pub(super) fn take(&mut self, term: Term, header: &'static str, value: &'f str) {
        if value.is_empty() {
            return;
        }
        self.any = true;
        let place = match term {
            Term::Delay | Term::BareDelay => &mut self.delay,
            Term::Due => &mut self.due,
            Term::Cron => &mut self.plan.cron,
            Term::Zone => &mut self.plan.zone,
            Term::Period => &mut self.plan.period,
            Term::Repeat => &mut self.plan.repeat,
            Term::Schedule => &mut self.plan.name,
            Term::Group => &mut self.group,
            Term::Member => &mut self.member,
            Term::Expires => &mut self.expires,
            Term::Ttl => &mut self.ttl,
            Term::Expiration => &mut self.expiration,
            Term::TimeToRun => &mut self.time_to_run,
            Term::MaxDeliveries => &mut self.max_deliveries,
            Term::Backoff => &mut self.backoff,
            Term::OnExhaust => &mut self.on_exhaust,
            Term::DeadLetter => &mut self.dead_letter,
        };
        place.get_or_insert((header, value));
    }

    /// What it comes to for a message to that destination. A moment beats a delay; `expires` beats `ttl` beats `expiration`.
    pub(super) fn terms(self, now: Timestamp, to: &DestinationName, gate: &Gate) -> Result<Option<Box<Terms>>, Fault> {
        if !self.any {
            return Ok(None);
        }
        let due = self.due(now)?;
        let (end, life) = (self.end()?, self.life()?);
        let mut terms = Terms {
            due,
            expires: end.or(life.map(|ms| now.after(ms))),
            time_to_run_ms: self.time_to_run.map(|(_, text)| read_time_to_run(text)).transpose()?,
            max_deliveries: self.max_deliveries.map(deliveries).transpose()?,
            backoff: self.backoff.map(backoff).transpose()?,
            on_exhaust: self.on_exhaust.map(on_exhaust).transpose()?,
            tracking: None,
            unique: None,
            dead_letter: self.dead_letter.map(|(_, text)| dead_letter(text, gate)).transpose()?,
            last_value: None,
            schedule: None,
            group: self.group.map(|named| group(named, self.member)).transpose()?,
        };
        let must = due.is_some() && !to.kind().is_queue();
        if !must && !self.plan.is_any() {
            return Ok((!terms.is_empty()).then(|| Box::new(terms)));
        }
        let is_moment = due.is_some() && self.due.is_some();
        let is_timed = self.due.is_some() || self.delay.is_some();
        let start = schedule::Start { now, due, is_timed, is_moment, must, life_ms: life };
        if let Some(mut schedule) = self.plan.schedule(start)? {
            schedule.name = schedule.name.map(|name| gate.own_key(&name));
            if to.kind().is_temporary() {
                return Err(Fault::Unsupported("a schedule on a temporary destination"));
            }
            (terms.due, terms.expires, terms.schedule) = (Some(schedule.next), end, Some(schedule));
        }
        Ok((!terms.is_empty()).then(|| Box::new(terms)))
    }

    fn due(self, now: Timestamp) -> Result<Option<Timestamp>, Fault> {
        let delayed = self.delay.map(|(header, text)| span(header, text)).transpose()?;
        let at = self.due.map(|(header, text)| moment(header, text)).transpose()?.flatten();
        let due = at.or(delayed.map(|ms| now.after(ms)));
        Ok(due.filter(|due| *due > now))
    }

    fn end(self) -> Result<Option<Timestamp>, Fault> {
        Ok(self.expires.map(|(header, text)| moment(header, text)).transpose()?.flatten())
    }

    fn life(self) -> Result<Option<u64>, Fault> {
        let expiration = self.expiration.map(|(header, text)| span(header, text)).transpose()?;
        let ttl = self.ttl.map(|(header, text)| span(header, text)).transpose()?;
        Ok(ttl.or(expiration).filter(|ms| *ms > 0))
    }
}

/// `JMSXGroupSeq:-1` says that this is the last one (ActiveMQ).
fn group((header, name): (&'static str, &str), member: Option<(&'static str, &str)>) -> Result<Group, Fault> {
    if name.len() > GROUP_BYTES {
        return Err(Fault::BadHeader { header, expected: "at most 255 octets" });
    }
    Ok(Group { name: name.into(), closes: member.is_some_and(|(_, number)| number == "-1") })
}

fn deliveries((header, text): (&'static str, &str)) -> Result<u16, Fault> {
    let count = text.parse().ok().filter(|count| *count > 0 && !text.starts_with('+'));
    count.ok_or(Fault::BadHeader { header, expected: "a number, 1 to 65535" })
}

fn backoff((header, text): (&'static str, &str)) -> Result<Backoff, Fault> {
    let expected = "fixed:ms, or exp:ms:factor:max such as exp:1000:2:600000";
    text.parse().map_err(|_| Fault::BadHeader { header, expected })
}

fn on_exhaust((header, text): (&'static str, &str)) -> Result<OnExhaust, Fault> {
    OnExhaust::from_word(text).ok_or(Fault::BadHeader { header, expected: "dlq, bury or drop" })
}

/// A queue, by its full or its bare name, to which the sender may write itself.
fn dead_letter(text: &str, gate: &Gate) -> Result<DestinationName, Fault> {
    let name = gate.name(text)?;
    if name.kind() != DestinationKind::Queue {
        return Err(Fault::BadHeader { header: "x-dead-letter", expected: "a queue" });
    }
    gate.check_write(&name)?;
    Ok(name)
}
