//! What operators do with queues: kick and purge.
//!
//! Each is made of the records that single messages bring about, so a replay needs no words of its own for them.

use super::happening::Happening;
use super::machine::Engine;
use crate::destination::{Entry, State};
use crate::model::{
    Answer, Content, DestinationId, Durability, Effects, JobState, Manage, Message, Now, Operation, Publish, Reply,
    SoftRefusal, Urgency,
};

/// Messages that one request deals with at most: it is one unit of the log, and others wait for it.
const AT_MOST: usize = 10_000;

impl Engine {
    /// Does it, and tells whoever wants to know.
    pub(super) fn manage(&mut self, now: Now, manage: Manage, effects: &mut Effects) -> Answer {
        let Manage { operation, queue, reply } = manage;
        let found = self.router.resolve(&queue).filter(|id| self.queue_mut(*id).is_some());
        let outcome = match (operation, found) {
            (Operation::Refuse { why, .. }, _) => Err(why),
            (_, None) => Err(SoftRefusal::UnknownQueue),
            (Operation::Kick { count }, Some(id)) => Ok(self.kick(now, id, count as usize, effects)),
            (Operation::Purge { ready, delayed, buried }, Some(id)) => {
                let states = [(ready, State::Ready), (delayed, State::Delayed), (buried, State::Buried)];
                let states = states.into_iter().filter(|(wanted, _)| *wanted).map(|(_, state)| state);
                Ok(self.purge(now, id, states, effects))
            }
        };
        if let Some(reply) = reply {
            let word = operation.as_str();
            let body = match outcome {
                Ok(count) => format!("{{\"op\":\"{word}\",\"queue\":{},\"count\":{count}}}", quoted(queue.as_str())),
                Err(why) => {
                    format!("{{\"op\":\"{word}\",\"queue\":{},\"error\":\"{}\"}}", quoted(queue.as_str()), why.as_str())
                }
            };
            self.tell(now, reply, body, effects);
        }
        outcome.map_or_else(Answer::Soft, |_| Answer::Done)
    }

    /// Buried messages first, in the order in which they were buried, then delayed ones by their time.
    fn kick(&mut self, now: Now, id: DestinationId, count: usize, effects: &mut Effects) -> usize {
        let kicked = self.gather(id, [State::Buried, State::Delayed], count);
        for entry in &kicked {
            self.wake(id, entry, effects);
            self.note(now, (id, entry), Happening::Woken, effects);
        }
        kicked.len()
    }

    fn purge(
        &mut self,
        now: Now,
        id: DestinationId,
        states: impl IntoIterator<Item = State>,
        effects: &mut Effects,
    ) -> usize {
        let purged = self.gather(id, states, AT_MOST);
        for entry in &purged {
            self.remove(id, entry, effects);
            self.note(now, (id, entry), Happening::Over(JobState::Cancelled), effects);
        }
        purged.len()
    }

    fn gather(&mut self, id: DestinationId, states: impl IntoIterator<Item = State>, count: usize) -> Vec<Entry> {
        let Some(queue) = self.queue_mut(id) else { return Vec::new() };
        let found = states.into_iter().flat_map(|state| queue.in_state(state));
        found.take(count.min(AT_MOST)).cloned().collect()
    }

    /// A reply that cannot be taken is nobody's fault who asked.
    fn tell(&mut self, now: Now, reply: Reply, body: String, effects: &mut Effects) {
        let message = Message {
            content: Content::new(&reply.head, body.into()),
            urgency: Urgency::NORMAL,
            durability: Durability::Transient,
            terms: None,
        };
        drop(self.publish(now, Publish { to: reply.to, message, key: None, retain: None }, effects));
    }
}

/// A text as JSON has it.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.extend(format!("\\u{:04x}", u32::from(c)).chars()),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
