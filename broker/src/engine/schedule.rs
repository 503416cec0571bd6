//! Schedules: messages that are sent when their time has come, once or again and again.
//!
//! Each lies in the queue of schedules of its destination, delayed until its next time. What is sent is a new message with
//! an id of its own; in the same unit of the log the schedule gets its next time, or goes.

use std::borrow::Cow;

use super::admission::kept_beside;
use super::machine::Engine;
use super::quotas::Counted;
use crate::calendar;
use crate::destination::{Entry, Return};
use crate::model::{
    Answer, Content, DestinationId, DestinationKind, Durability, Effects, Message, MessageId, Now, Publish, Record,
    Refusal, Schedule, Scheduled, Standing, Terms, Timestamp,
};

/// How long a schedule waits whose message its destination did not take, in milliseconds.
const POSTPONED_MS: u64 = 1000;
/// What a message that is sent for a schedule takes in memory beside its content, at least, in bytes.
const FIRED_BYTES: u64 = 512;
/// What it costs to find the next time of a cron expression, in steps.
const CRON: u64 = 32;

impl Engine {
    /// Makes a schedule. Its id is told, to be removed by.
    pub(super) fn schedule(&mut self, now: Now, publish: Publish, effects: &mut Effects) -> Result<Answer, Refusal> {
        let destination = self.obtain(now, &publish.to)?;
        if publish.key.is_some() && !self.is_new_anywhere(now, destination, &publish, &mut None) {
            effects.leans = true;
            return Ok(Answer::Duplicate);
        }
        self.admit_schedule(destination, &publish, 0)?;
        let id = self.put_schedule(now, destination, publish, effects);
        Ok(Answer::Scheduled(id))
    }

    /// Whether one more schedule may be made, beside those that the same request makes. One that replaces another may.
    pub(super) fn admit_schedule(&self, queue: DestinationId, publish: &Publish, others: usize) -> Result<(), Refusal> {
        let schedule = publish.message.terms.as_ref().and_then(|terms| terms.schedule.as_ref());
        let name = schedule.and_then(|schedule| schedule.name.as_ref());
        let replaces = name.is_some_and(|name| self.schedules.named(queue, name).is_some());
        let limit = self.options.schedules;
        if !replaces && self.schedules.len() + others >= limit {
            return Err(Refusal::TooManySchedules { limit });
        }
        if let Some(whose) = self.acting().filter(|_| !replaces) {
            self.may_have(whose, Counted::Schedules, others)?;
        }
        if self.is_full() {
            return Err(Refusal::DiskFull);
        }
        let bytes = publish.message.content.len() + kept_beside(publish);
        self.lacks_memory(bytes as u64).map_or(Ok(()), Err)
    }

    /// Puts an admitted schedule into its queue.
    pub(super) fn put_schedule(
        &mut self,
        now: Now,
        queue: DestinationId,
        publish: Publish,
        effects: &mut Effects,
    ) -> MessageId {
        let id = self.ids.next(&mut effects.records);
        match publish.key {
            Some(key) => self.enqueue_keyed(now, queue, (id, publish.message, &key), effects),
            None => self.enqueue(now, (queue, id), publish.message, effects),
        }
        self.leave_to_the_log(queue);
        if let Some(whose) = self.acting() {
            self.quotas.add_schedule(whose, id);
        }
        id
    }

    /// A large content that waits for its time should not take the place of what is about to be delivered.
    fn leave_to_the_log(&mut self, queue: DestinationId) {
        let Some(&(_, slot)) = self.pending.back().filter(|(id, _)| *id == queue) else { return };
        let entry = self.queue_mut(queue).and_then(|queue| queue.entry_mut(slot));
        let key =
            entry.filter(|entry| entry.size as usize > Content::SHARED_BODY).and_then(|entry| entry.content.take());
        if let Some(key) = key {
            self.contents.remove(key);
        }
    }

    /// Removes what has been replaced, as far as the log has it. A crash in between leaves two of a name, of which the replay
    /// replaces the older one again.
    pub(super) fn drop_replaced(&mut self, id: DestinationId, effects: &mut Effects) {
        for message in self.schedules.replaced(id) {
            let entry = self.queue_mut(id).and_then(|queue| queue.find(message).cloned());
            if let Some(entry) = entry.filter(|entry| entry.position().is_some()) {
                self.remove(id, &entry, effects);
            }
        }
    }

    /// Sends what is due in a queue of schedules. Each is a new message: while there is no room for such, in the log or in
    /// memory, all of them wait, and nothing is written about that.
    pub(super) fn fire_due(&mut self, now: Now, id: DestinationId, effects: &mut Effects) {
        if self.is_full() {
            return self.schedules.postpone(id, 0);
        }
        while !self.is_used_up(effects) {
            let Some(queue) = self.queue_mut(id) else { return };
            let Some(entry) = queue.due(now.wall).cloned() else { return };
            if self.schedules.is_replaced(id, entry.message) {
                self.remove(id, &entry, effects);
                continue;
            }
            let bytes = u64::from(entry.size) + FIRED_BYTES;
            if self.postpones(bytes) {
                return self.schedules.postpone(id, bytes);
            }
            match entry.content.and_then(|key| self.contents.get(key).cloned()) {
                Some(content) => self.fire(now, (id, &entry), &content, effects),
                None => self.read_first(id, &entry),
            }
            self.end_part(now, effects);
        }
    }

    /// Its content has to come from the log before it can be sent.
    fn read_first(&mut self, id: DestinationId, entry: &Entry) {
        if let Some(queue) = self.queue_mut(id) {
            queue.suspend(entry.message);
        }
        if let Some(position) = entry.position() {
            self.schedules.chill(id, entry.message, position);
        }
    }

    /// A content that was waited for is there. One that cannot be read is tried again a little later.
    pub(super) fn thaw(
        &mut self,
        now: Now,
        id: DestinationId,
        contents: Vec<(MessageId, Option<Content>)>,
        effects: &mut Effects,
    ) {
        for (message, content) in contents {
            let entry = self.queue_mut(id).and_then(|queue| queue.suspended(message).cloned());
            match entry.zip(content) {
                // The disk or the memory has become full meanwhile.
                Some((entry, _)) if self.is_full() || self.postpones(u64::from(entry.size) + FIRED_BYTES) => {
                    self.resume(id, &entry, now.wall);
                }
                Some((entry, content)) => self.fire(now, (id, &entry), &content, effects),
                None => self.read_schedule_later(now, id, message),
            }
            self.end_part(now, effects);
        }
        self.touch(id);
    }

    /// The content of a schedule cannot be read now.
    pub(super) fn read_schedule_later(&mut self, now: Now, id: DestinationId, message: MessageId) {
        if let Some(entry) = self.queue_mut(id).and_then(|queue| queue.suspended(message).cloned()) {
            self.resume(id, &entry, now.wall.after(Self::READ_AGAIN_MS));
        }
    }

    /// A schedule that was suspended is due again then. The log need not know: after a restart it is due as well.
    fn resume(&mut self, id: DestinationId, entry: &Entry, then: Timestamp) {
        let back = Return { attempts: entry.attempts, nacks: entry.nacks, standing: Standing::Delayed(then) };
        if let Some(queue) = self.queue_mut(id) {
            queue.give_back(entry.message, entry.place(), back);
        }
        self.touch(id);
    }

    /// Sends a message of a schedule. Where its destination has no room it is tried again a little later.
    fn fire(&mut self, now: Now, (id, entry): (DestinationId, &Entry), content: &Content, effects: &mut Effects) {
        let Some(queue) = self.queue_mut(id) else { return };
        let Some((to, terms)) = queue.name().scheduled().zip(queue.terms(entry).map(Cow::into_owned)) else { return };
        let Some(schedule) = terms.schedule.clone() else { return };
        let message = Message {
            content: Schedule::content(entry.message, now.wall, content),
            urgency: entry.place().urgency,
            durability: if schedule.is_transient { Durability::Transient } else { Durability::Persistent },
            terms: own_terms(now, terms, &schedule),
        };
        let publish = Publish { to, message, key: None, retain: schedule.retain };
        if self.publish(now, publish, effects).is_err() {
            let standing = Standing::Delayed(now.wall.after(POSTPONED_MS));
            let back = Return { attempts: entry.attempts, nacks: entry.nacks, standing };
            return self.give_back(id, entry, back, effects);
        }
        let Some(position) = entry.position() else { return };
        let cron = schedule.cron.as_ref().and_then(|cron| self.schedules.cron(cron));
        if cron.is_some() {
            self.steps.charge(CRON);
        }
        match following(*schedule, cron, now.wall) {
            Some(schedule) => {
                let (message, place) = (entry.message, entry.place());
                let schedule = Box::new(schedule);
                let record = Record::Scheduled(Scheduled { destination: id, message, place, position, schedule });
                self.evolve(&record, None);
                effects.records.push(record);
                self.touch(id);
            }
            None => self.remove(id, entry, effects),
        }
    }

    /// The queue of schedules, if it is one.
    pub(super) fn is_of_schedules(&self, id: DestinationId) -> bool {
        self.destinations.get(&id).is_some_and(|found| found.kind.name().kind() == DestinationKind::Schedules)
    }
}

/// The terms of a message that is sent for a schedule with these.
fn own_terms(now: Now, terms: Terms, schedule: &Schedule) -> Option<Box<Terms>> {
    let end = schedule.life_ms.map(|life| now.wall.after(life));
    let expires = terms.expires.into_iter().chain(end).min();
    let own = Terms { due: None, schedule: None, expires, ..terms };
    (!own.is_empty()).then(|| Box::new(own))
}

/// The plan after a message has been sent: the next one of the series, unless a new series begins before it. What was missed
/// meanwhile is left out.
pub(super) fn following(schedule: Schedule, cron: Option<&calendar::Cron>, now: Timestamp) -> Option<Schedule> {
    let again = schedule.period_ms.filter(|_| schedule.left != Some(0)).map(|period| {
        let missed = now.0.saturating_sub(schedule.next.0) / period;
        Timestamp(schedule.next.0.saturating_add((missed + 1).saturating_mul(period)))
    });
    let anew = cron.and_then(|cron| {
        let begun = Timestamp(now.0.saturating_sub(schedule.delay_ms));
        Some(cron.next_after(begun).ok()?.after(schedule.delay_ms))
    });
    match (again, anew) {
        (Some(again), anew) if anew.is_none_or(|anew| again < anew) => {
            Some(Schedule { next: again, left: schedule.left.map(|left| left - 1), ..schedule })
        }
        (_, Some(anew)) => Some(Schedule { next: anew, left: schedule.repeat, ..schedule }),
        _ => None,
    }
}
