//! What operators do with queues: kick, purge, move, pause and resume.
//!
//! Each is made of the records that single messages bring about, so a replay needs no words of its own for them.

use std::sync::Arc;

use super::chore::Chore;
use super::document::quoted;
use super::errand::{Errand, Pace};
use super::happening::Happening;
use super::machine::{Engine, queue_of};
use crate::destination::{Entry, State, Survey, Surveyed};
use crate::model::{
    Answer, Audit, AuditOutcome, Carried, Content, DestinationId, DestinationKind, DestinationName, Durability,
    Effects, Filter, JobState, Manage, Message, Now, Operation, Pause, Publish, Reply, SessionId, SoftRefusal, States,
    Timestamp, Transfer, Urgency, Writer,
};

/// Messages that one request deals with at once, its client waiting for it.
const AT_ONCE: u64 = 10_000;

/// What is done with each of many messages.
#[derive(Clone, Debug)]
pub(super) enum Task {
    Kick,
    Purge,
    /// To another queue, as it stands.
    Move(DestinationName),
    /// Back to where it died, if that may be done for whoever asked.
    Redrive(Option<Arc<dyn Writer>>),
}

/// Work on many messages, as it was asked for.
struct Order {
    task: Task,
    states: Vec<State>,
    filter: Option<Arc<dyn Filter>>,
    limit: Option<u64>,
    rate: Option<u32>,
}

impl Order {
    /// What an operation means for single messages, if it is about such.
    fn of(operation: &Operation, filter: Option<Arc<dyn Filter>>, writer: Option<Arc<dyn Writer>>) -> Option<Order> {
        let all = |states: States| State::of(states).collect();
        let (task, states, limit, rate) = match operation {
            Operation::Kick { count } => {
                (Task::Kick, vec![State::Buried, State::Delayed], Some(u64::from(*count)), None)
            }
            Operation::Purge(states) => (Task::Purge, all(*states), None, None),
            Operation::Move(Transfer { to, states, count, rate }) => {
                let task = to.clone().map_or_else(|| Task::Redrive(writer), Task::Move);
                (task, all(*states), *count, *rate)
            }
            Operation::Pause { .. } | Operation::Resume { .. } | Operation::Refuse { .. } => return None,
        };
        Some(Order { task, states, filter, limit, rate })
    }
}

impl Engine {
    /// Does it, or begins to, and tells whoever wants to know once it is done.
    pub(super) fn manage(&mut self, now: Now, session: SessionId, manage: Manage, effects: &mut Effects) -> Answer {
        let Manage { operation, queue, filter, writer, reply } = manage;
        let found = self.router.resolve(&queue).filter(|id| self.queue_mut(*id).is_some());
        let word = operation.as_str();
        let outcome = match (&operation, found) {
            (&Operation::Refuse { why, .. }, _) => Err(why),
            (_, None) => Err(SoftRefusal::UnknownQueue),
            (&Operation::Pause { side, for_ms }, Some(id)) => {
                let until = for_ms.map_or(Pause::FOR_GOOD, |ms| now.wall.after(ms));
                Ok((0, standing(self.set_pause(now, (id, side), Some(until), effects))))
            }
            (&Operation::Resume { side }, Some(id)) => {
                Ok((0, standing(self.set_pause(now, (id, side), None, effects))))
            }
            (operation, Some(id)) => {
                let Some(order) = Order::of(operation, filter, writer) else { return Answer::Done };
                let Some(mut errand) = self.errand(now, id, order) else { return Answer::Done };
                (errand.name, errand.word, errand.reply) = (queue.clone(), word, reply.clone());
                if errand.pace.is_some() || errand.survey.is_selective() {
                    match self.errands.begin(errand) {
                        Ok(()) => {
                            self.audit((word, queue.as_str()), (0, AuditOutcome::Begun), effects);
                            return Answer::Done;
                        }
                        Err(why) => Err(why),
                    }
                } else {
                    return self.begin(now, session, Chore::Manage(Box::new(errand)), effects);
                }
            }
        };
        let (answer, detail, result) = match outcome {
            Ok((count, detail)) => (Answer::Done, detail, (count, AuditOutcome::Done)),
            Err(why) => (Answer::Soft(why), failed(why), (0, AuditOutcome::Refused(why))),
        };
        self.audit((word, queue.as_str()), result, effects);
        if let Some(reply) = reply {
            self.tell(now, (reply, word, &queue), &detail, effects);
        }
        answer
    }

    fn errand(&mut self, now: Now, id: DestinationId, order: Order) -> Option<Errand> {
        let (actor, permissions) = (self.actor(), self.permissions());
        let queue = self.queue_mut(id)?;
        let survey = Survey::new(queue, order.states, order.filter);
        Some(Errand {
            queue: id,
            name: queue.name().clone(),
            word: "",
            task: order.task,
            survey,
            limit: order.limit.unwrap_or(u64::MAX),
            done: 0,
            looks: 0,
            pace: order.rate.map(|per_second| Pace { per_second, since: now.monotonic }),
            is_reading: false,
            reply: None,
            actor,
            permissions,
        })
    }

    /// Goes on with what needs no head that is not in memory and has no rate, up to a bound and as far as there are steps. The
    /// answer once it is done.
    pub(super) fn manage_part(&mut self, now: Now, errand: &mut Errand, effects: &mut Effects) -> Option<Answer> {
        let mut outcome = Ok(());
        while errand.done < errand.limit && errand.looks < AT_ONCE {
            let mut steps = self.share(effects, Self::REQUESTS);
            if steps.left() == 0 {
                return None;
            }
            let Some(queue) = queue_of(&mut self.destinations, errand.queue) else { break };
            let surveyed = queue.survey(&mut errand.survey, &self.contents, &mut steps);
            errand.looks += steps.spent();
            self.steps.charge(steps.spent());
            let entry = match surveyed {
                Surveyed::Found(entry) => entry,
                Surveyed::Later => return None,
                Surveyed::Unread | Surveyed::Nothing => break,
            };
            if !self.may_touch(errand, &entry) {
                continue;
            }
            match self.perform(now, errand.queue, &entry, &errand.task, effects) {
                Ok(done) => errand.done += u64::from(done),
                Err(why) => {
                    outcome = if errand.done == 0 { Err(why) } else { Ok(()) };
                    break;
                }
            }
            if self.end_part(now, effects) {
                break;
            }
        }
        let (answer, detail, result) = match outcome {
            Ok(()) => (Answer::Done, counted(errand.done), (errand.done, AuditOutcome::Done)),
            Err(why) => (Answer::Soft(why), failed(why), (0, AuditOutcome::Refused(why))),
        };
        self.audit((errand.word, errand.name.as_str()), result, effects);
        if let Some(reply) = errand.reply.take() {
            let name = errand.name.clone();
            self.tell(now, (reply, errand.word, &name), &detail, effects);
        }
        Some(answer)
    }

    /// Does it with one message. `false` if it is not for this one.
    pub(super) fn perform(
        &mut self,
        now: Now,
        queue: DestinationId,
        entry: &Entry,
        task: &Task,
        effects: &mut Effects,
    ) -> Result<bool, SoftRefusal> {
        match task {
            Task::Kick => {
                self.wake(queue, entry, effects);
                self.note(now, (queue, entry), Happening::Kicked, effects);
            }
            Task::Purge => {
                self.remove(queue, entry, effects);
                self.note(now, (queue, entry), Happening::Over(JobState::Cancelled), effects);
            }
            Task::Move(to) => {
                let to = self.receiving(now, to, entry)?;
                let Some(found) = self.queue_mut(queue) else { return Ok(false) };
                let standing = found.standing(entry.message);
                let carried = Carried { attempts: entry.attempts, nacks: entry.nacks, standing };
                let note = found.note(entry.message).cloned();
                self.relocate(queue, entry, to, (note, Some(carried)), effects);
                self.note(now, (to, entry), Happening::Moved, effects);
            }
            Task::Redrive(writer) => {
                let note = self.queue_mut(queue).and_then(|found| found.note(entry.message).cloned());
                let Some(note) = note else { return Ok(false) };
                let may = match note.origin.kind() {
                    // What was behind a topic goes back there as long as that is.
                    DestinationKind::Subscription => self.router.resolve(&note.origin).is_some(),
                    _ => writer.as_ref().is_none_or(|writer| {
                        writer.may_write(&note.origin)
                            && (self.router.resolve(&note.origin).is_some() || writer.may_create(&note.origin))
                    }),
                };
                if !may {
                    return Ok(false);
                }
                let to = self.receiving(now, &note.origin, entry)?;
                self.relocate(queue, entry, to, (None, None), effects);
                self.note(now, (to, entry), Happening::Reopened, effects);
            }
        }
        Ok(true)
    }

    /// The queue that a message is to go to, if it has room.
    fn receiving(&mut self, now: Now, name: &DestinationName, entry: &Entry) -> Result<DestinationId, SoftRefusal> {
        let id = self.obtain(now, name).map_err(|_| SoftRefusal::Busy)?;
        let Some(queue) = self.queue_mut(id) else { return Err(SoftRefusal::UnknownQueue) };
        if queue.lacks_places(1) || queue.lacks_room(entry.size.into()) {
            return Err(SoftRefusal::QueueFull);
        }
        Ok(id)
    }

    /// One that went on for a while is over.
    pub(super) fn report(&mut self, now: Now, errand: Errand, why: Option<SoftRefusal>, effects: &mut Effects) {
        let Errand { name, word, done, reply, actor, .. } = errand;
        let outcome = why.map_or(AuditOutcome::Done, AuditOutcome::Refused);
        effects.audits.push(Audit { actor, verb: word, object: name.as_str().into(), count: done, outcome });
        let Some(reply) = reply else { return };
        let count = counted(done);
        let detail = why.map_or(count.clone(), |why| format!("{count},{}", failed(why)));
        self.tell(now, (reply, word, &name), &detail, effects);
    }

    /// What became of it.
    fn tell(
        &mut self,
        now: Now,
        (reply, word, queue): (Reply, &str, &DestinationName),
        detail: &str,
        effects: &mut Effects,
    ) {
        let body = format!("{{\"op\":\"{word}\",\"queue\":{},{detail}}}", quoted(queue.as_str()));
        self.say(now, reply, body, effects);
    }

    /// A reply that cannot be taken is nobody's fault who asked.
    pub(super) fn say(&mut self, now: Now, reply: Reply, body: String, effects: &mut Effects) {
        let message = Message {
            content: Content::new(&reply.head, body.into()),
            urgency: Urgency::NORMAL,
            durability: Durability::Transient,
            terms: None,
        };
        drop(self.publish(now, Publish { to: reply.to, message, key: None, retain: None }, effects));
        self.end_part(now, effects);
    }
}

/// How many messages something was done with, for the answer.
fn counted(count: u64) -> String {
    format!("\"count\":{count}")
}

/// Why nothing came of it, for the answer.
fn failed(why: SoftRefusal) -> String {
    format!("\"error\":\"{}\"", why.as_str())
}

/// How both sides of a queue stand, for the answer and whoever listens: `null` where it runs, until when it stands still, or `true`.
pub(super) fn standing(pause: Pause) -> String {
    let side = |until: Option<Timestamp>| match until {
        None => "null".to_owned(),
        Some(Pause::FOR_GOOD) => "true".to_owned(),
        Some(Timestamp(ms)) => ms.to_string(),
    };
    format!("\"input\":{},\"output\":{}", side(pause.input), side(pause.output))
}
