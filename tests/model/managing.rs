//! What operators do with a queue as a whole (§5.21), all at once.

use kolejka::model::{
    DestinationKind, DestinationName, MessageId, Operation, Pause, Standing, States, Timestamp, Transfer,
};

use super::message::Known;
use super::queue::Queue;
use super::reference::Model;

/// What an operator is told, or that a queue has no room for what is moved to it.
pub(super) type Told = Result<String, ()>;

impl Model {
    /// Does what is asked of a queue that is there.
    pub(super) fn manage(&mut self, name: &DestinationName, operation: &Operation, now: Timestamp) -> Told {
        match operation {
            // Buried ones first, as they were buried; then delayed ones, as they come due.
            Operation::Kick { count } => {
                let queue = self.queue(name);
                let mut all = queue.standing(Known::is_buried);
                all.extend(queue.standing(Known::is_delayed));
                all.truncate(*count as usize);
                for id in &all {
                    let known = queue.find_mut(*id).expect("it is there");
                    known.standing = Standing::Ready;
                    known.clear_due();
                }
                Ok(counted(all.len()))
            }
            Operation::Purge(states) => {
                let all = self.queue(name).in_states(*states);
                self.queue(name).messages.retain(|known| !all.contains(&known.id));
                Ok(counted(all.len()))
            }
            Operation::Move(transfer) => self.transfer(name, transfer),
            Operation::Pause { side, for_ms } => {
                let until = for_ms.map_or(Pause::FOR_GOOD, |ms| Timestamp(now.0 + ms));
                Ok(self.stand_still(name, |pause| pause.with(*side, Some(until))))
            }
            Operation::Resume { side } => Ok(self.stand_still(name, |pause| pause.with(*side, None))),
            Operation::Refuse { .. } => Ok(counted(0)),
        }
    }

    fn stand_still(&mut self, name: &DestinationName, change: impl Fn(Pause) -> Pause) -> String {
        let queue = self.queue(name);
        queue.pause = change(queue.pause);
        let side = |until: Option<Timestamp>| match until {
            None => "null".to_owned(),
            Some(Pause::FOR_GOOD) => "true".to_owned(),
            Some(Timestamp(ms)) => ms.to_string(),
        };
        format!("\"input\":{},\"output\":{}", side(queue.pause.input), side(queue.pause.output))
    }

    /// One after the other, until the queue that they go to has no room.
    fn transfer(&mut self, from: &DestinationName, transfer: &Transfer) -> Told {
        let mut done = 0;
        for id in self.queue(from).in_states(transfer.states) {
            if transfer.count.is_some_and(|count| done as u64 >= count) {
                break;
            }
            let known = self.queue(from).find(id).expect("it is there");
            let (size, origin) = (u64::from(known.size), known.note.as_ref().map(|note| note.origin.clone()));
            // Without a target dead letters go back to where they died.
            let origin = origin.filter(|origin| self.may_return(origin));
            let Some(to) = transfer.to.clone().or(origin) else { continue };
            if self.queue(&to).lacks_room(1, size) {
                return if done == 0 { Err(()) } else { Ok(counted(done)) };
            }
            let mut moved = self.queue(from).take(id);
            if transfer.to.is_none() {
                moved.begin_anew();
            }
            moved.clear_due();
            (moved.sequence, moved.has_moved) = (0, true);
            moved.withhold();
            self.queue(&to).messages.push(moved);
            done += 1;
        }
        Ok(counted(done))
    }

    /// What was behind a topic goes back there as long as that is.
    fn may_return(&self, origin: &DestinationName) -> bool {
        origin.kind() != DestinationKind::Subscription || self.find_queue(origin).is_some()
    }
}

impl Queue {
    /// Those of a kind, by the moment that they wait for or have waited since.
    fn standing(&self, is_it: fn(&Known) -> bool) -> Vec<MessageId> {
        let mut found: Vec<_> = self.messages.iter().filter(|known| is_it(known)).collect();
        found.sort_by_key(|known| (known.standing, known.id));
        found.into_iter().map(|known| known.id).collect()
    }

    /// Those in some states: ready ones in their order, then delayed ones, then buried ones.
    fn in_states(&self, states: States) -> Vec<MessageId> {
        let mut ready: Vec<_> = self.messages.iter().filter(|known| states.ready && known.is_ready()).collect();
        ready.sort_by_key(|known| known.place());
        let mut all: Vec<_> = ready.into_iter().map(|known| known.id).collect();
        if states.delayed {
            all.extend(self.standing(Known::is_delayed));
        }
        if states.buried {
            all.extend(self.standing(Known::is_buried));
        }
        all
    }
}

impl Known {
    /// §5.4: a redrive sets the count to 0 and makes it ready; it keeps its id, and may have been seen as before.
    fn begin_anew(&mut self) {
        (self.attempts, self.nacks, self.standing, self.note) = (0, 0, Standing::Ready, None);
        if let Some(terms) = &mut self.terms {
            terms.expires = None;
        }
    }
}

fn counted(count: usize) -> String {
    format!("\"count\":{count}")
}
