//! What a queue of schedules does beyond others: its messages stay, and their times change.

use super::{ConsumerKey, Entry, Lease, Queue, State};
use crate::model::{MessageId, Place, Schedule, Standing};

impl Queue {
    /// Nobody looks at a message until its content has been read. If it cannot be, that is until the next start.
    pub fn suspend(&mut self, message: MessageId) {
        let Some(slot) = self.agenda.unpark(message) else { return };
        let Some(entry) = self.slots.get_mut(slot) else { return };
        entry.state = State::Reserved;
        self.ends.remove(&self.slots, slot);
        self.leases.insert(message, Lease { slot, consumer: ConsumerKey::default(), number: 0, timed: None });
    }

    /// A message that waits for its time, for a kick or for whoever holds it.
    pub fn find(&self, message: MessageId) -> Option<&Entry> {
        let lease = || self.leases.get(&message).map(|lease| lease.slot);
        self.slots.get(self.agenda.slot(message).or_else(lease)?)
    }

    /// A message that is suspended.
    pub fn suspended(&self, message: MessageId) -> Option<&Entry> {
        let lease = self.leases.get(&message).filter(|lease| lease.consumer == ConsumerKey::default())?;
        self.slots.get(lease.slot)
    }

    /// A schedule has a new plan: it waits as if it had just come.
    pub fn reschedule(&mut self, message: MessageId, place: Place, schedule: Box<Schedule>) {
        let Some(slot) = self.withdraw(message, place) else { return };
        let next = schedule.next;
        if let Some(entry) = self.slots.get_mut(slot) {
            (entry.attempts, entry.nacks, entry.handed_out) = (0, 0, false);
            let mut terms =
                self.beside.take_terms(message).or_else(|| entry.own_terms().map(Box::new)).unwrap_or_default();
            terms.reschedule(schedule);
            entry.set_has_terms(true);
            self.beside.keep_terms(message, terms);
        }
        self.stand(slot, Standing::Delayed(next));
    }
}
