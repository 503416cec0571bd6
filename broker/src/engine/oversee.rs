//! Operators look at what waits for its time, and take away from it.
//!
//! That is what was sent to be delivered later: delayed messages and schedules. A message that waits because it failed is
//! none of them.

use std::ops::RangeInclusive;

use super::happening::Happening;
use super::machine::Engine;
use crate::destination::{Entry, Queue, State};
use crate::model::{
    Answer, AuditOutcome, Content, DestinationId, DestinationName, Durability, Effects, JobState, Message, MessageId,
    Now, Oversee, Oversight, Publish, Reader, Right, SoftRefusal, Standing, Timestamp, Upcoming, Urgency,
};

/// Messages that one request tells of or removes at most: others wait for it.
const AT_MOST: usize = 10_000;

/// One that was found, and where it lies.
#[derive(Debug)]
struct Found {
    queue: DestinationId,
    entry: Entry,
    upcoming: Upcoming,
}

impl Engine {
    /// Does what was asked.
    pub(super) fn oversee(&mut self, now: Now, oversee: Oversee, effects: &mut Effects) -> Answer {
        let Oversee { operation, reader } = oversee;
        match operation {
            Oversight::Browse { due, to, scribe } => {
                for found in self.upcoming(&due, &*reader) {
                    self.inform(now, to.clone(), scribe.write(&found.upcoming), effects);
                }
                self.inform(now, to, scribe.end(), effects);
                Answer::Done
            }
            Oversight::Remove { message } => {
                let found = self.upcoming_one(message, &*reader).into_iter().collect();
                self.remove_found(now, (&message.to_bits().to_string(), found), effects)
            }
            Oversight::RemoveNamed { name, of } => {
                let queues = self.schedules.queues_of(&name);
                let found = queues.into_iter().filter_map(|(queue, message)| self.found_in(queue, message, &*reader));
                let wanted = |found: &Found| of.as_ref().is_none_or(|of| *of == found.upcoming.to);
                let found = found.filter(wanted).collect();
                self.remove_found(now, (&name, found), effects)
            }
            Oversight::RemoveAll { due } => {
                let found = self.upcoming(&due, &*reader);
                match self.remove_found(now, ("all", found), effects) {
                    // There is nothing that would be left.
                    Answer::Soft(SoftRefusal::Unknown) => Answer::Done,
                    answer => answer,
                }
            }
        }
    }

    /// Removes what was asked for in these words, as far as the client may manage where it goes.
    fn remove_found(&mut self, now: Now, (asked, found): (&str, Vec<Found>), effects: &mut Effects) -> Answer {
        let are_there = !found.is_empty();
        let mut found = found;
        found.retain(|found| self.may(Right::Manage, &found.upcoming.to));
        let why = if are_there { SoftRefusal::Forbidden } else { SoftRefusal::Unknown };
        let outcome = if found.is_empty() { AuditOutcome::Refused(why) } else { AuditOutcome::Done };
        self.audit(("remove-schedule", asked), (found.len() as u64, outcome), effects);
        if found.is_empty() {
            return Answer::Soft(why);
        }
        for Found { queue, entry, .. } in found {
            self.remove(queue, &entry, effects);
            self.note(now, (queue, &entry), Happening::Over(JobState::Cancelled), effects);
            self.end_part(now, effects);
        }
        Answer::Done
    }

    /// All that are due in a time, the next one first.
    fn upcoming(&self, due: &RangeInclusive<Timestamp>, reader: &dyn Reader) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        let order = |found: &Found| (found.upcoming.due, found.upcoming.message);
        for (&id, destination) in &self.destinations {
            let Some(queue) = destination.kind.queue().filter(|queue| queue.delayed() > 0) else { continue };
            let Some(to) = target(queue, reader) else { continue };
            let delayed = queue.in_state(State::Delayed).filter_map(|entry| look(queue, (id, &to), entry));
            let in_time = delayed.skip_while(|it| it.upcoming.due < *due.start());
            found.extend(in_time.take_while(|it| it.upcoming.due <= *due.end()).take(AT_MOST));
            if found.len() > 2 * AT_MOST {
                found.sort_unstable_by_key(order);
                found.truncate(AT_MOST);
            }
        }
        found.sort_unstable_by_key(order);
        found.truncate(AT_MOST);
        found
    }

    fn upcoming_one(&self, message: MessageId, reader: &dyn Reader) -> Option<Found> {
        self.destinations.keys().find_map(|&id| self.found_in(id, message, reader))
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

/// Where what lies in a queue goes, if the reader may know.
fn target(queue: &Queue, reader: &dyn Reader) -> Option<DestinationName> {
    let to = queue.name().scheduled().unwrap_or_else(|| queue.name().clone());
    reader.may_read(&to).then_some(to)
}

/// What is to be known of a message that was sent for later.
fn look(queue: &Queue, (id, to): (DestinationId, &DestinationName), entry: &Entry) -> Option<Found> {
    let terms = queue.terms(entry)?;
    let waits = match queue.standing(entry.message) {
        Standing::Delayed(due) => Some(due),
        _ => None,
    };
    let due = match &terms.schedule {
        Some(schedule) => waits.unwrap_or(schedule.next),
        None => waits.filter(|_| terms.due.is_some())?,
    };
    let upcoming = Upcoming { message: entry.message, to: to.clone(), due, schedule: terms.schedule.clone() };
    Some(Found { queue: id, entry: entry.clone(), upcoming })
}
