//! Requests that go through all destinations or through many messages: a part with each hold of the lock, in the turn of
//! the client that asked, and answered when they are done.
//!
//! A client has one such request at a time, so that nothing has to be bounded but what one costs: its next request waits
//! for the answer, and its connection for the engine.

use super::binding::{Binding, Inheriting};
use super::commit::Committing;
use super::errand::Errand;
use super::machine::Engine;
use super::oversee::Overseeing;
use super::settle::Settling;
use super::statistics::Inquiring;
use super::subscribe::Dismissal;
use super::wildcard::Attaching;
use crate::model::{Answer, Effects, Now, Refusal, SessionId};

/// What a request that is not done yet has still to do.
#[derive(Debug)]
pub(super) enum Chore {
    /// A wildcard subscription meets the destinations that are there.
    Attach(Attaching),
    /// Wildcard subscriptions meet what their client may read now, one after the other.
    Reattach(Vec<Attaching>),
    /// A subscription to a feed begins.
    Bind(Box<Binding>),
    /// A new durable subscription gets what its topics retain.
    Inherit(Inheriting),
    /// A transaction gets its destinations, and is carried out.
    Commit(Box<Committing>),
    /// Many deliveries are settled.
    Settle(Box<Settling>),
    /// A subscription ends, and gives back what it holds.
    Dismiss(Dismissal),
    /// A question about many destinations or subscriptions.
    Inquire(Box<Inquiring>),
    /// A look at all that waits for its time.
    Oversee(Box<Overseeing>),
    /// Something is done with many messages of a queue.
    Manage(Box<Errand>),
}

impl Engine {
    /// Whether the last request of a client goes on: it has no answer yet, and the next one waits.
    pub fn is_busy(&self, session: SessionId) -> bool {
        self.sessions.get(session).is_some_and(|state| state.chore.is_some())
    }

    /// Goes on with it, as far as there are steps. Returns its answer once it is done. One that is refused has left everything as
    /// it was.
    pub fn go_on(&mut self, now: Now, session: SessionId, effects: &mut Effects) -> Option<Result<Answer, Refusal>> {
        if self.announcements.are_many() {
            return None;
        }
        self.author = Some(session);
        let chore = self.sessions.get_mut(session)?.chore.take()?;
        self.work_on(now, session, chore, effects)
    }

    /// Begins it. The answer holds if the session is not [busy](Self::is_busy) with it then.
    pub(super) fn begin(&mut self, now: Now, session: SessionId, chore: Chore, effects: &mut Effects) -> Answer {
        self.try_begin(now, session, chore, effects).unwrap_or(Answer::Done)
    }

    /// The same for one that may be refused.
    pub(super) fn try_begin(
        &mut self,
        now: Now,
        session: SessionId,
        chore: Chore,
        effects: &mut Effects,
    ) -> Result<Answer, Refusal> {
        self.work_on(now, session, chore, effects).unwrap_or(Ok(Answer::Done))
    }

    fn work_on(
        &mut self,
        now: Now,
        session: SessionId,
        mut chore: Chore,
        effects: &mut Effects,
    ) -> Option<Result<Answer, Refusal>> {
        let answer = match &mut chore {
            Chore::Attach(attaching) => self.attach(now, attaching, effects).then_some(Answer::Done),
            Chore::Reattach(rest) => self.reattach(now, rest, effects).then_some(Answer::Done),
            Chore::Commit(committing) => match self.commit_part(now, session, committing, effects) {
                Some(Ok(answer)) => Some(answer),
                Some(refused) => return Some(refused),
                None => None,
            },
            Chore::Settle(settling) => self.settle_part(now, settling, effects),
            Chore::Dismiss(dismissal) => self.dismiss_part(now, dismissal, effects).then_some(Answer::Done),
            Chore::Inquire(inquiring) => self.answer_part(now, inquiring, effects).then_some(Answer::Done),
            Chore::Oversee(overseeing) => self.oversee_part(now, overseeing, effects),
            Chore::Manage(errand) => self.manage_part(now, errand, effects),
            Chore::Inherit(inheriting) => self.inherit_part(now, inheriting, effects).then_some(Answer::Done),
            Chore::Bind(binding) => match self.bind_part(now, session, binding, effects) {
                // It has become another one, with which the client goes on.
                Some(Ok(_)) if self.is_busy(session) => return None,
                Some(Ok(answer)) => Some(answer),
                Some(refused) => return Some(refused),
                None => None,
            },
        };
        if answer.is_none()
            && let Some(state) = self.sessions.get_mut(session)
        {
            state.chore = Some(chore);
        }
        answer.map(Ok)
    }
}
