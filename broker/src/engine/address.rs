//! What clients say about single jobs, at the addresses of these.
//!
//! A job that is followed is known by its token. Whoever holds a delivery may report on it by the message, too; then
//! nobody needs to follow it.

use super::happening::{Happening, Word};
use super::machine::Engine;
use super::notice::Notice;
use crate::destination::State;
use crate::jobs::{Head, Row, unknown};
use crate::model::{
    Answer, AuditOutcome, Content, DestinationId, Effects, Job, JobEvent, JobName, JobState, MessageId, Now, Outcome,
    Place, Progress, Refusal, Reply, Right, SessionId, Settle, SoftRefusal, Touch, Which,
};

/// A delivery as a client names it.
type Named = (MessageId, Which);

impl Engine {
    /// A client says something about a job.
    pub(super) fn hear(
        &mut self,
        now: Now,
        session: SessionId,
        said: Job,
        effects: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let name = said.name;
        self.has_room_for(&said)?;
        match said.event {
            JobEvent::Get(reply) => return Ok(self.describe(name, reply)),
            JobEvent::Cancel | JobEvent::Kick => {
                let is_kick = matches!(said.event, JobEvent::Kick);
                return Ok(self.command(now, name, is_kick, effects));
            }
            _ => {}
        }
        let delivery = match self.delivery(name) {
            Ok(delivery) => delivery,
            Err(refusal) => return Ok(Answer::Soft(refusal)),
        };
        let answer = self.act(now, session, (delivery, said.event), effects);
        match answer {
            // Who has the token need not have had the message.
            Ok(Answer::Soft(SoftRefusal::Unknown)) if !matches!(name, JobName::Delivery { .. }) => {
                Ok(self.explain(delivery.0, Answer::Soft(SoftRefusal::NotHolder)))
            }
            answer => answer.map(|answer| self.explain(delivery.0, answer)),
        }
    }

    /// A worker says something about a delivery that it holds, or does not hold.
    fn act(
        &mut self,
        now: Now,
        session: SessionId,
        (delivery, event): (Named, JobEvent),
        effects: &mut Effects,
    ) -> Result<Answer, Refusal> {
        Ok(match event {
            JobEvent::Complete { delivery: named, content_type, body } => {
                if named.is_some_and(|(message, _)| message != delivery.0) {
                    return Ok(Answer::Soft(SoftRefusal::NotHolder));
                }
                let word = Word::Result { job: delivery.0, content_type, body };
                self.settle_with(now, session, named.unwrap_or(delivery), (Outcome::Ack, word), effects)?
            }
            JobEvent::Fail { outcome, error } => {
                self.settle_with(now, session, delivery, (outcome, Word::Error(error)), effects)?
            }
            JobEvent::Touch(time_to_run_ms) => self.touch_delivery(now, session, delivery, time_to_run_ms)?,
            JobEvent::Progress(progress) => {
                let answer = self.touch_delivery(now, session, delivery, None)?;
                if answer == Answer::Done {
                    self.progress(now, delivery.0, progress);
                }
                answer
            }
            JobEvent::Data { is_warning, content_type, body } => {
                let answer = self.touch_delivery(now, session, delivery, None)?;
                if answer == Answer::Done {
                    if !is_warning {
                        self.jobs.append(delivery.0, &body, self.options.jobs);
                    }
                    self.tell_data(now, delivery.0, (is_warning, content_type.as_deref(), body));
                }
                answer
            }
            JobEvent::Get(_) | JobEvent::Cancel | JobEvent::Kick => Answer::Done,
        })
    }

    /// Whether a large result has room, in the log and in memory.
    fn has_room_for(&self, said: &Job) -> Result<(), Refusal> {
        if !said.needs_room() {
            return Ok(());
        }
        if self.is_full() {
            return Err(Refusal::DiskFull);
        }
        self.lacks_memory(said.bytes() as u64).map_or(Ok(()), Err)
    }

    /// Whether all of a transaction may happen as far as this is concerned.
    pub(super) fn may_say(&self, session: SessionId, said: &Job) -> Result<(), Refusal> {
        self.has_room_for(said)?;
        if matches!(said.event, JobEvent::Get(_) | JobEvent::Cancel | JobEvent::Kick) {
            return Ok(());
        }
        let (message, which) = self.delivery(said.name).map_err(|_| Refusal::LeaseLost)?;
        let state = self.sessions.get(session).ok_or(Refusal::LeaseLost)?;
        state.find(message, which).map(|_| ()).ok_or(Refusal::LeaseLost)
    }

    /// The delivery that a client means.
    fn delivery(&self, name: JobName) -> Result<Named, SoftRefusal> {
        match name {
            JobName::Delivery { message, which } => Ok((message, which)),
            JobName::Token(token) => {
                self.jobs.find(token).map(|row| (row.status.job, Which::default())).ok_or(SoftRefusal::Unknown)
            }
        }
    }

    /// Says why somebody does not hold a job any more, where that is known.
    pub(super) fn explain(&self, job: MessageId, answer: Answer) -> Answer {
        let state = self.jobs.get(job).map(|row| row.status.state).filter(|state| state.is_final());
        match (answer, state) {
            (Answer::Soft(SoftRefusal::NotHolder), Some(JobState::Cancelled)) => Answer::Soft(SoftRefusal::Cancelled),
            (Answer::Soft(SoftRefusal::NotHolder), Some(_)) => Answer::Soft(SoftRefusal::Final),
            (answer, _) => answer,
        }
    }

    fn settle_with(
        &mut self,
        now: Now,
        session: SessionId,
        (message, which): Named,
        (outcome, word): (Outcome, Word),
        effects: &mut Effects,
    ) -> Result<Answer, Refusal> {
        self.word = Some(word);
        let answer = self.settle(now, session, &Settle { message, which, outcome }, effects);
        self.word = None;
        answer
    }

    fn touch_delivery(
        &mut self,
        now: Now,
        session: SessionId,
        (message, which): Named,
        time_to_run_ms: Option<u32>,
    ) -> Result<Answer, Refusal> {
        self.lengthen(now, session, Touch { message, which, time_to_run_ms })
    }

    fn progress(&mut self, now: Now, job: MessageId, progress: Progress) {
        if self.jobs.set_progress(job, progress, now.wall) {
            self.tell_progress(now, job);
        }
    }

    /// Answers how a job stands. What nobody knows and what nobody may know look the same.
    fn describe(&mut self, name: JobName, reply: Option<Reply>) -> Answer {
        let JobName::Token(token) = name else { return Answer::Soft(SoftRefusal::Unknown) };
        let Some(reply) = reply else { return Answer::Soft(SoftRefusal::BadRequest) };
        let row = self.jobs.find(token);
        let state = row.map(|row| row.status.state);
        let document = row.map_or_else(|| unknown(token), |row| self.document_of(row));
        let is_final = state.is_none_or(JobState::is_final);
        let more = Head::default()
            .line("x-event", "state")
            .line("x-job-token", &token.to_string())
            .maybe("x-final", is_final.then_some("true"));
        let head = [&reply.head, more.as_bytes()].concat();
        self.announce(reply.to, Content::new(&head, document.into()));
        Answer::Done
    }

    /// Cancels or kicks a job for a client that may, and notes who did it.
    fn command(&mut self, now: Now, name: JobName, is_kick: bool, effects: &mut Effects) -> Answer {
        let verb = if is_kick { "kick" } else { "cancel" };
        let (object, found) = match self.commanded(name) {
            // The token stays out of the log: it is the permission to watch the job.
            Ok(row) => (format!("{} {}", row.status.queue, row.status.job.to_bits()), Ok((row.status.job, row.at))),
            Err((of, why)) => (of, Err(why)),
        };
        let answer = match found {
            Ok((job, _)) if !is_kick => self.cancel(now, job, effects),
            Ok((job, at)) => self.kick_one(now, (job, at), effects),
            Err(why) => Answer::Soft(why),
        };
        let result = match answer {
            Answer::Soft(why) => (0, AuditOutcome::Refused(why)),
            _ => (1, AuditOutcome::Done),
        };
        self.audit((verb, &object), result, effects);
        answer
    }

    /// The job that a client wants to command, if it may: it manages its queue, or has the token of an open one. Else why
    /// not, and where the job is, for the audit log.
    fn commanded(&self, name: JobName) -> Result<&Row, (String, SoftRefusal)> {
        let unknown = || ("a job".to_owned(), SoftRefusal::Unknown);
        let JobName::Token(token) = name else { return Err(unknown()) };
        let row = self.jobs.find(token).ok_or_else(unknown)?;
        let refused = |why| Err((format!("{} {}", row.status.queue, row.status.job.to_bits()), why));
        if !row.status.is_open && !self.may(Right::Manage, &row.status.queue) {
            return refused(SoftRefusal::Forbidden);
        }
        if row.status.state.is_final() { refused(SoftRefusal::Final) } else { Ok(row) }
    }

    /// Ends a job at once, whoever holds it. One that the log does not have yet ends as soon as it does.
    pub(super) fn cancel(&mut self, now: Now, job: MessageId, effects: &mut Effects) -> Answer {
        let at = self.jobs.get(job).and_then(|row| row.at);
        let Some((id, place)) = at else { return Answer::Soft(SoftRefusal::Unknown) };
        let Some(queue) = self.queue_mut(id) else { return Answer::Soft(SoftRefusal::Unknown) };
        let Some(entry) = queue.locate(job, place).cloned() else {
            if self.outbox.is_clear() {
                return Answer::Soft(SoftRefusal::Unknown);
            }
            self.outbox.push(Notice::Cancel(job));
            return Answer::Done;
        };
        let lease = queue.holder(job);
        if let Some(lease) = lease
            && let Some(holder) = self.consumers.get(lease.consumer)
            && let Some(session) = self.sessions.get_mut(holder.session)
        {
            session.lose(job, (lease.consumer, holder.subscription, lease.number), SoftRefusal::Cancelled);
        }
        self.remove(id, &entry, effects);
        self.note(now, (id, &entry), Happening::Over(JobState::Cancelled), effects);
        Answer::Done
    }

    fn kick_one(
        &mut self,
        now: Now,
        (job, at): (MessageId, Option<(DestinationId, Place)>),
        effects: &mut Effects,
    ) -> Answer {
        let Some(at) = at else { return Answer::Soft(SoftRefusal::Unknown) };
        let entry = self.queue_mut(at.0).and_then(|queue| queue.locate(job, at.1).cloned());
        let waits = |state| matches!(state, State::Delayed | State::Buried);
        if let Some(entry) = entry.filter(|entry| waits(entry.state)) {
            self.wake(at.0, &entry, effects);
            self.note(now, (at.0, &entry), Happening::Kicked, effects);
        }
        Answer::Done
    }
}

/// What a worker sends on the way: whether it is a warning, what it is, the octets.
pub(super) type Part<'a> = (bool, Option<&'a str>, bytes::Bytes);
