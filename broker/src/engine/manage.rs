//! What operators do with queues: kick, purge, pause and resume.
//!
//! Each is made of the records that single messages bring about, so a replay needs no words of its own for them.

use super::machine::Engine;
use crate::destination::{Entry, State};
use crate::model::{
    Answer, Content, DestinationId, Durability, Effects, Manage, Message, Now, Operation, Pause, Publish, Reply,
    SoftRefusal, Timestamp, Urgency,
};

/// Messages that one request deals with at most: it is one unit of the log, and others wait for it.
const AT_MOST: usize = 10_000;

impl Engine {
    /// Does it, and tells whoever wants to know.
    pub(super) fn manage(&mut self, now: Now, manage: Manage, effects: &mut Effects) -> Answer {
        let Manage { operation, queue, reply } = manage;
        let found = self.router.resolve(&queue).filter(|id| self.queue_mut(*id).is_some());
        let outcome = match (&operation, found) {
            (&Operation::Refuse { why, .. }, _) => Err(why),
            (_, None) => Err(SoftRefusal::UnknownQueue),
            (&Operation::Kick { count }, Some(id)) => Ok(counted(self.kick(id, count as usize, effects))),
            (Operation::Purge(states), Some(id)) => Ok(counted(self.purge(id, State::of(*states), effects))),
            (&Operation::Pause { side, for_ms }, Some(id)) => {
                let until = for_ms.map_or(Pause::FOR_GOOD, |ms| Timestamp(now.wall.0 + ms));
                Ok(standing(self.set_pause(id, side, Some(until), effects)))
            }
            (&Operation::Resume { side }, Some(id)) => Ok(standing(self.set_pause(id, side, None, effects))),
        };
        if let Some(reply) = reply {
            let detail = match &outcome {
                Ok(detail) => detail.clone(),
                Err(why) => format!("\"error\":\"{}\"", why.as_str()),
            };
            let body = format!("{{\"op\":\"{}\",\"queue\":{},{detail}}}", operation.as_str(), quoted(queue.as_str()));
            self.tell(now, reply, body, effects);
        }
        outcome.map_or_else(Answer::Soft, |_| Answer::Done)
    }

    /// Buried messages first, in the order in which they were buried, then delayed ones by their time.
    fn kick(&mut self, id: DestinationId, count: usize, effects: &mut Effects) -> usize {
        let kicked = self.gather(id, [State::Buried, State::Delayed], count);
        for entry in &kicked {
            self.wake(id, entry, effects);
        }
        kicked.len()
    }

    fn purge(&mut self, id: DestinationId, states: impl IntoIterator<Item = State>, effects: &mut Effects) -> usize {
        let purged = self.gather(id, states, AT_MOST);
        for entry in &purged {
            self.remove(id, entry, effects);
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

/// How many messages something was done with, for the answer.
fn counted(count: usize) -> String {
    format!("\"count\":{count}")
}

/// How both sides of a queue stand, for the answer: `null` where it runs, until when it stands still, or `true`.
fn standing(pause: Pause) -> String {
    let side = |until: Option<Timestamp>| match until {
        None => "null".to_owned(),
        Some(Pause::FOR_GOOD) => "true".to_owned(),
        Some(Timestamp(ms)) => ms.to_string(),
    };
    format!("\"input\":{},\"output\":{}", side(pause.input), side(pause.output))
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
