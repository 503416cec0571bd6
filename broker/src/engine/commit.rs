//! Transactions: all of it in one hold and one unit of the log, behind what need not be.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::admission::{Load, Transaction};
use super::chore::Chore;
use super::machine::Engine;
use super::unique::Hit;
use crate::model::{
    Action, Answer, DestinationId, DestinationKind, Effects, Now, Publish, Refusal, Request, Retain, SessionId,
};

/// A transaction whose destinations come into being before it is carried out. They are dearer than their messages, and an empty
/// one is nothing that anybody could see: it goes by itself if the transaction is refused.
#[derive(Debug)]
pub(super) struct Committing {
    /// What it comes to, all copies included.
    actions: Vec<Action>,
    /// So many of these have a destination.
    ready: usize,
}

/// A transaction of so few actions is carried out at once.
const FEW: usize = 64;

impl Engine {
    /// Begins to carry out a transaction.
    pub(super) fn begin_commit(
        &mut self,
        now: Now,
        session: SessionId,
        actions: Vec<Action>,
        effects: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let actions = self.routed(actions);
        if actions.len() <= FEW {
            return self.commit(now, session, actions, effects);
        }
        self.try_begin(now, session, Chore::Commit(Box::new(Committing { actions, ready: 0 })), effects)
    }

    /// Makes the destinations of a transaction, as far as there are steps, and carries it out in a hold that has looked for all of
    /// them and has not had to make many.
    pub(super) fn commit_part(
        &mut self,
        now: Now,
        session: SessionId,
        committing: &mut Committing,
        effects: &mut Effects,
    ) -> Option<Result<Answer, Refusal>> {
        // One of more messages than that is refused.
        let (before, end) = (self.steps.spent(), committing.actions.len().min(self.options.append.messages));
        // Those that were made in other holds may be gone by now.
        if committing.ready >= end {
            committing.ready = 0;
        }
        let is_whole = committing.ready == 0;
        while let Some(action) = committing.actions.get(committing.ready).filter(|_| committing.ready < end) {
            if let Action::Publish(publish) = action
                && let Err(refusal) = self.target(now, publish)
            {
                return Some(Err(refusal));
            }
            committing.ready += 1;
            if self.is_used_up(effects) {
                return None;
            }
        }
        if !is_whole || self.steps.spent() - before > Self::PART {
            return None;
        }
        // Rights are the same, since these are a request of this client, but a destination may be gone.
        let request = Request::Commit(std::mem::take(&mut committing.actions));
        if let Err(refusal) = self.check_creation(session, &request) {
            return Some(Err(refusal));
        }
        let Request::Commit(actions) = request else { return None };
        Some(self.commit(now, session, actions, effects))
    }

    /// All sends and acknowledgements of a transaction, or none.
    fn commit(
        &mut self,
        now: Now,
        session: SessionId,
        actions: Vec<Action>,
        effects: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let (mut transaction, mut keys) = (Transaction::default(), HashSet::default());
        // Who takes which message is asked once. What is in here is bounded as the copies of one append are.
        let mut taken = VecDeque::new();
        for action in &actions {
            match action {
                Action::Publish(publish) => {
                    taken.push_back(self.admit_action(now, publish, (&mut transaction, &mut keys), effects)?);
                }
                Action::Job(said) => self.admit_job(&mut transaction, session, said)?,
                Action::Settle(settle) => self.admit_settle(&mut transaction, session, settle)?,
            }
        }
        effects.begin_whole();
        let mut is_news = false;
        for action in actions {
            match action {
                Action::Publish(publish) => {
                    let takers = taken.pop_front().flatten();
                    if self.known_token(&publish).is_some() {
                        continue;
                    }
                    is_news |= match self.target(now, &publish)? {
                        Some(destination) => {
                            let takers = takers.unwrap_or_else(|| self.takers(destination, &publish.message));
                            self.put_unique(now, (destination, takers), publish, effects)
                        }
                        None => true,
                    };
                }
                Action::Job(said) => {
                    self.hear(now, session, *said, effects)?;
                    is_news = true;
                }
                Action::Settle(settle) => {
                    // A cumulative ACK may have settled it a moment ago, in this very transaction: nothing is left to do.
                    self.settle(now, session, &settle, effects)?;
                    is_news = true;
                }
            }
        }
        effects.end_whole();
        Ok(if is_news { Answer::Done } else { Answer::Duplicate })
    }

    /// Whether a transaction may send a message. Says which queues behind its topic take it, if it is to be taken in at all and
    /// that was asked.
    fn admit_action(
        &mut self,
        now: Now,
        publish: &Publish,
        (transaction, keys): (&mut Transaction, &mut HashSet<(DestinationId, Arc<str>), RandomState>),
        effects: &mut Effects,
    ) -> Result<Option<Vec<DestinationId>>, Refusal> {
        let Some(destination) = self.target(now, publish)? else { return Ok(None) };
        if self.known_job(publish, effects)?.is_some() {
            return Ok(None);
        }
        let mut takers = None;
        if publish.key.is_some() && !self.is_new_anywhere(now, destination, publish, &mut takers) {
            return Ok(None);
        }
        if let Hit::Known(_) = self.hit(now, destination, publish)? {
            return Ok(None);
        }
        Engine::claim(destination, publish, keys)?;
        if publish.to.kind() == DestinationKind::Schedules {
            self.admit_schedule(destination, publish, transaction.schedules)?;
            transaction.schedules += 1;
        }
        self.admit_judging(destination, publish)?;
        let takers = takers.unwrap_or_else(|| self.takers(destination, &publish.message));
        for id in std::iter::once(destination).chain(takers.iter().copied()) {
            let load = transaction.load(Load::of(id, publish));
            self.admit_copy(&mut transaction.admission, &load, publish)?;
        }
        if publish.retain == Some(Retain::Set) {
            self.admit_retained(now, &mut transaction.admission, publish)?;
        }
        Ok(Some(takers))
    }
}
