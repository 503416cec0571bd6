//! Jobs that are followed: they get a name and a status with their submission, and are forgotten some time after their end.

use super::machine::Engine;
use crate::model::{
    Answer, DestinationId, DestinationName, Effects, JobState, JobToken, Message, MessageId, Now, Place, Publish,
    Record, Refusal, ResultBody, Status, Submission, Tracking, Urgency,
};

impl Engine {
    /// What becomes of a submission whose job is known already, or for whose job there is no room.
    pub(super) fn known_job(&self, publish: &Publish, effects: &mut Effects) -> Result<Option<Answer>, Refusal> {
        if publish.message.terms.as_ref().is_none_or(|terms| terms.tracking.is_none()) {
            return Ok(None);
        }
        if let Some(known) = self.known_token(publish) {
            if !self.is_own_token(publish, known.job) {
                return Err(Refusal::TokenTaken);
            }
            effects.leans = true;
            return Ok(Some(Answer::Submitted(known)));
        }
        if !self.jobs.has_room(self.options.jobs) {
            return Err(Refusal::TooManyJobs { limit: self.options.jobs.records });
        }
        Ok(None)
    }

    /// The job whose name a submission has, if it is known.
    pub(super) fn known_token(&self, publish: &Publish) -> Option<Submission> {
        let tracking = publish.message.terms.as_ref()?.tracking.as_ref()?;
        let status = &self.jobs.find(tracking.token?)?.status;
        Some(Submission { job: status.job, token: Some(status.token), is_duplicate: true })
    }

    /// Whether the job of a token that is known is of the user who sends it again, or its queue shares keys.
    fn is_own_token(&self, publish: &Publish, job: MessageId) -> bool {
        let Some(permissions) = self.permissions() else { return true };
        let owner = self.jobs.get(job).and_then(|row| row.status.owner.as_deref());
        let shares = || self.router.resolve(&publish.to).is_some_and(|queue| self.shares_keys(queue));
        owner.is_none_or(|owner| owner == permissions.user()) || shares()
    }

    /// A message that is about to be taken in is followed from now on.
    pub(super) fn follow(
        &mut self,
        now: Now,
        (destination, job, place): (DestinationId, MessageId, Place),
        (new, durable): (&mut Message, bool),
        effects: &mut Effects,
    ) {
        let Some(mut terms) = new.terms.take() else { return };
        let (due, expires) = (terms.due, terms.expires);
        let (own, tracking) = (terms.max_deliveries, terms.tracking.take());
        if !terms.is_empty() {
            new.terms = Some(terms);
        }
        let Some((tracking, queue)) = tracking.zip(self.queue_mut(destination)) else { return };
        let (name, usual) = (queue.name().clone(), queue.policy().max_deliveries);
        let Tracking { token, kind, keeps_result, keep_ms, is_open, waiter, drops } = *tracking;
        let sole = waiter.as_ref().filter(|_| drops).map(|waiter| waiter.to.clone());
        let status = Status {
            job,
            token: token.unwrap_or_else(|| self.make_token()),
            owner: self.permissions().map(|permissions| permissions.user().into()),
            queue: name,
            kind,
            keeps_result,
            is_open,
            keep_ms,
            waiters: waiter.into_iter().collect(),
            state: if due.is_some() { JobState::Delayed } else { JobState::Ready },
            attempt: 0,
            max_deliveries: own.unwrap_or(usual),
            created: now.wall,
            updated: now.wall,
            due,
            expires,
            started: None,
            finished: None,
            errors: Vec::new(),
            result: None,
        };
        self.enter(Record::Tracked(Box::new(status)), durable, effects);
        self.jobs.place(job, Some((destination, place)));
        if let Some(sole) = sole {
            self.jobs.tie(job, sole);
        }
        self.make_room_for_jobs(effects);
    }

    fn make_token(&mut self) -> JobToken {
        JobToken::from_bits(match self.options.tokens {
            Some(tokens) => tokens(),
            None => (0..4).fold(0, |bits, _| (bits << 32) | u128::from(self.jitter.next())),
        })
    }

    /// Changes what is known of a job, and has the log know it if the job is durable.
    pub(super) fn enter(&mut self, record: Record, durable: bool, effects: &mut Effects) {
        self.evolve_job(&record, durable);
        if durable {
            effects.records.push(record);
            self.outbox.change();
        }
    }

    /// The one place where what is known of jobs changes.
    pub(super) fn evolve_job(&mut self, record: &Record, durable: bool) {
        match record {
            Record::Tracked(status) => self.jobs.insert((**status).clone(), durable),
            Record::Reported(report) => self.jobs.report(report),
            Record::Attached { job, waiter } => self.jobs.attach(*job, (**waiter).clone()),
            Record::Forgotten { job } => self.jobs.forget(*job),
            _ => {}
        }
    }

    /// Forgets those that ended first while more is known than may be. Jobs that have not ended are never forgotten.
    pub(super) fn make_room_for_jobs(&mut self, effects: &mut Effects) {
        while self.jobs.is_over(self.options.jobs)
            && let Some(oldest) = self.jobs.oldest()
        {
            self.forget_job(oldest, effects);
        }
    }

    /// Does what is due for jobs: tells how far they are, forgets those whose time is over.
    pub(super) fn keep_jobs(&mut self, now: Now, effects: &mut Effects) {
        if self.jobs.is_empty() {
            return;
        }
        while !self.is_used_up(effects) {
            let Some(spent) = self.jobs.spent(now.wall) else { break };
            self.forget_job(spent, effects);
            effects.cut();
        }
        while !self.is_used_up(effects)
            && let Some(job) = self.jobs.overdue(now.wall)
        {
            self.tell_progress(now, job);
        }
    }

    /// A temporary destination is gone, and with it those who waited there: what was wanted by them alone is not wanted any
    /// more.
    pub(super) fn abandon(&mut self, now: Now, waiter: &DestinationName, effects: &mut Effects) {
        for job in self.jobs.tied(waiter) {
            let waits = |state: JobState| state != JobState::Running && !state.is_final();
            if self.jobs.get(job).is_some_and(|row| waits(row.status.state)) {
                self.cancel(now, job, effects);
            }
        }
    }

    fn forget_job(&mut self, job: MessageId, effects: &mut Effects) {
        let Some(row) = self.jobs.get(job) else { return };
        let durable = row.durable;
        if let Some(ResultBody::Stored { message, sequence }) = row.status.result.as_ref().map(|result| &result.body) {
            let (message, place) = (*message, Place { urgency: Urgency::NORMAL, sequence: *sequence });
            let results = self.router.resolve(&DestinationName::results());
            let entry = results.and_then(|id| Some((id, self.queue_mut(id)?.locate(message, place)?.clone())));
            if let Some((id, entry)) = entry {
                self.remove(id, &entry, effects);
            }
        }
        self.enter(Record::Forgotten { job }, durable, effects);
    }
}
