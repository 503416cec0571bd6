//! Operators look at what waits for its time, and take away from it.
//!
//! That is what was sent to be delivered later: delayed messages and schedules. A message that waits because it failed is
//! none of them.

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::chore::Chore;
use super::happening::Happening;
use super::machine::Engine;
use crate::destination::{Entry, Queue};
use crate::model::{
    Answer, AuditOutcome, Content, DestinationId, DestinationName, Durability, Effects, JobState, Message, MessageId,
    Now, Oversee, Oversight, Publish, Reader, Right, SessionId, SoftRefusal, Standing, Timestamp, Upcoming, Urgency,
};

/// Messages that one request tells of or removes at most: others wait for it.
const AT_MOST: usize = 10_000;
/// What it costs to tell of one or to remove it, beside the records, in steps.
const FOUND: u64 = 8;

/// One that was found, and where it lies.
#[derive(Debug)]
struct Found {
    queue: DestinationId,
    upcoming: Upcoming,
}

/// Something asked, on its way through all destinations and then through what was found there.
#[derive(Debug)]
pub(super) struct Overseeing {
    operation: Oversight,
    reader: Arc<dyn Reader>,
    /// All destinations up to this one have been looked at.
    behind: Option<DestinationId>,
    /// The next one up to there, and how many were found in it.
    within: Option<((Timestamp, MessageId), usize)>,
    found: Vec<Found>,
    /// What was found is in order, the next one last.
    is_sorted: bool,
    /// It found something, also if it may not be removed.
    is_any: bool,
    removed: u64,
}

impl Engine {
    /// Does what was asked, or begins to.
    pub(super) fn oversee(&mut self, now: Now, session: SessionId, oversee: Oversee, effects: &mut Effects) -> Answer {
        let Oversee { operation, reader } = oversee;
        let mut overseeing = Overseeing {
            operation,
            reader,
            behind: None,
            within: None,
            found: Vec::new(),
            is_sorted: false,
            is_any: false,
            removed: 0,
        };
        if let Oversight::RemoveNamed { name, of } = &overseeing.operation {
            let queues = self.schedules.queues_of(name);
            self.steps.charge(queues.len() as u64);
            let found = queues.into_iter().filter_map(|(id, message)| self.found_in(id, message, &*overseeing.reader));
            let wanted = |found: &Found| of.as_ref().is_none_or(|of| *of == found.upcoming.to);
            overseeing.found = found.filter(wanted).collect();
            overseeing.is_sorted = true;
        }
        self.begin(now, session, Chore::Oversee(Box::new(overseeing)), effects)
    }

    /// Goes on with it, as far as there are steps. The answer once it is done.
    pub(super) fn oversee_part(&mut self, now: Now, asked: &mut Overseeing, effects: &mut Effects) -> Option<Answer> {
        while !asked.is_sorted {
            if self.is_used_up(effects) {
                return None;
            }
            asked.is_sorted = match asked.operation {
                Oversight::Browse { ref due, .. } | Oversight::RemoveAll { ref due } => {
                    let due = due.clone();
                    self.look_for_due(&due, asked, effects)
                }
                Oversight::Remove { message } => self.look_for_one(message, asked),
                Oversight::RemoveNamed { .. } => true,
            };
        }
        while let Some(found) = asked.found.pop() {
            if self.is_used_up(effects) {
                asked.found.push(found);
                return None;
            }
            asked.is_any = true;
            self.steps.charge(FOUND);
            if let Oversight::Browse { to, scribe, .. } = &asked.operation {
                self.inform(now, to.clone(), scribe.write(&found.upcoming), effects);
            } else if self.may(Right::Manage, &found.upcoming.to) {
                asked.removed += u64::from(self.remove_upcoming(now, &found, effects));
            }
        }
        Some(self.end_of_oversight(now, asked, effects))
    }

    fn end_of_oversight(&mut self, now: Now, asked: &Overseeing, effects: &mut Effects) -> Answer {
        let why = if asked.is_any { SoftRefusal::Forbidden } else { SoftRefusal::Unknown };
        let words = match &asked.operation {
            Oversight::Browse { to, scribe, .. } => {
                self.inform(now, to.clone(), scribe.end(), effects);
                return Answer::Done;
            }
            Oversight::Remove { message } => message.to_bits().to_string(),
            Oversight::RemoveNamed { name, .. } => name.to_string(),
            Oversight::RemoveAll { .. } => "all".to_owned(),
        };
        let outcome = if asked.removed == 0 { AuditOutcome::Refused(why) } else { AuditOutcome::Done };
        self.audit(("remove-schedule", &words), (asked.removed, outcome), effects);
        match why {
            _ if asked.removed > 0 => Answer::Done,
            // There is nothing that would be left.
            SoftRefusal::Unknown if matches!(asked.operation, Oversight::RemoveAll { .. }) => Answer::Done,
            why => Answer::Soft(why),
        }
    }

    /// Removes one that was found, unless its time has come since.
    fn remove_upcoming(&mut self, now: Now, found: &Found, effects: &mut Effects) -> bool {
        let (id, message) = (found.queue, found.upcoming.message);
        let Some(queue) = self.destinations.get(&id).and_then(|found| found.kind.queue()) else { return false };
        let entry = queue.find(message).filter(|entry| look(queue, (id, &found.upcoming.to), entry).is_some());
        let Some(entry) = entry.cloned() else { return false };
        self.remove(id, &entry, effects);
        self.note(now, (id, &entry), Happening::Over(JobState::Cancelled), effects);
        self.end_part(now, effects);
        true
    }

    /// Looks into one more destination for what is due in a time. `true` if that was all, and it is in order.
    fn look_for_due(&mut self, due: &RangeInclusive<Timestamp>, asked: &mut Overseeing, effects: &Effects) -> bool {
        self.steps.charge(1);
        let Some((id, _)) = self.router.behind(asked.behind) else {
            shorten(&mut asked.found);
            asked.found.reverse();
            self.steps.charge(asked.found.len() as u64);
            return true;
        };
        let mut steps = self.share(effects, Self::REQUESTS);
        let queue = self.destinations.get(&id).and_then(|found| found.kind.queue());
        let there = queue.filter(|queue| queue.delayed() > 0);
        if let Some((queue, to)) = there.and_then(|queue| Some((queue, target(queue, &*asked.reader)?))) {
            let (from, mut count) = asked.within.take().unwrap_or(((*due.start(), MessageId::from_bits(0)), 0));
            for (moment, entry) in queue.delayed_behind(from) {
                if moment.0 > *due.end() || count >= AT_MOST {
                    break;
                }
                if steps.is_used_up() {
                    self.steps.charge(steps.spent());
                    return false;
                }
                steps.charge(2);
                if let Some(found) = look(queue, (id, &to), entry) {
                    asked.found.push(found);
                    count += 1;
                }
                asked.within = Some((moment, count));
            }
        }
        (asked.within, asked.behind) = (None, Some(id));
        if asked.found.len() > 2 * AT_MOST {
            steps.charge(AT_MOST as u64);
            shorten(&mut asked.found);
        }
        self.steps.charge(steps.spent());
        false
    }

    /// Looks into one more destination for a message. `true` if that was all.
    fn look_for_one(&mut self, message: MessageId, asked: &mut Overseeing) -> bool {
        self.steps.charge(1);
        let Some((id, _)) = self.router.behind(asked.behind) else { return true };
        asked.behind = Some(id);
        asked.found.extend(self.found_in(id, message, &*asked.reader));
        !asked.found.is_empty()
    }

    fn found_in(&self, id: DestinationId, message: MessageId, reader: &dyn Reader) -> Option<Found> {
        let queue = self.destinations.get(&id)?.kind.queue()?;
        let entry = queue.find(message)?;
        look(queue, (id, &target(queue, reader)?), entry)
    }

    /// What cannot be taken where it is told is nobody's fault who asked.
    fn inform(&mut self, now: Now, to: DestinationName, content: Content, effects: &mut Effects) {
        let (urgency, durability) = (Urgency::NORMAL, Durability::Transient);
        let message = Message { content, urgency, durability, terms: None };
        drop(self.publish(now, Publish { to, message, key: None, retain: None }, effects));
        self.end_part(now, effects);
    }
}

/// The next ones come first, and no more than are told of or removed at once.
fn shorten(found: &mut Vec<Found>) {
    found.sort_unstable_by_key(|found| (found.upcoming.due, found.upcoming.message));
    found.truncate(AT_MOST);
}

/// Where what lies in a queue goes, if the reader may know.
fn target(queue: &Queue, reader: &dyn Reader) -> Option<DestinationName> {
    let to = queue.name().scheduled().unwrap_or_else(|| queue.name().clone());
    reader.may_read(&to).then_some(to)
}

/// What is to be known of a message that was sent for later.
fn look(queue: &Queue, (id, to): (DestinationId, &DestinationName), entry: &Entry) -> Option<Found> {
    let terms = queue.more(entry)?;
    let waits = match queue.standing(entry.message) {
        Standing::Delayed(due) => Some(due),
        _ => None,
    };
    let due = match &terms.schedule {
        Some(schedule) => waits.unwrap_or(schedule.next),
        None => waits.filter(|_| terms.due.is_some())?,
    };
    let upcoming = Upcoming { message: entry.message, to: to.clone(), due, schedule: terms.schedule.clone() };
    Some(Found { queue: id, upcoming })
}
