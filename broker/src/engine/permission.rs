//! What a session may do, where only the engine can tell what a request comes to: whether a destination is there, or would
//! come into being.
//!
//! What the broker makes by itself (dead-letter queues, copies of routes, answers on their way) needs no right of anybody.

use std::sync::Arc;

use super::chore::Chore;
use super::machine::Engine;
use super::wildcard::{Attaching, Narrowing};
use crate::destination::{ConsumerKey, Reach, Scope};
use crate::model::{
    Action, Answer, DestinationId, DestinationKind, DestinationName, Effects, Feed, JobEvent, Now, Operation,
    Oversight, Permissions, Publish, Reader, Refusal, Request, Retain, Right, SessionId, Shape, Source, Terms,
    Transfer,
};

impl Engine {
    /// The rights of a session's client are these from now on. Its wildcard subscriptions are given nothing until they have left
    /// what it may not read any more, and then meet what it may read now.
    pub(super) fn permit(
        &mut self,
        now: Now,
        session: SessionId,
        permissions: &Arc<dyn Permissions>,
        effects: &mut Effects,
    ) -> Answer {
        let Some(state) = self.sessions.get_mut(session) else { return Answer::Done };
        state.permissions = Some(Arc::clone(permissions));
        let readers: Vec<ConsumerKey> = state.subscriptions.values().copied().collect();
        let end = DestinationId(self.next_destination);
        let mut again = Vec::new();
        for key in readers {
            if self.reread(key, permissions) {
                let leaving = Some(Narrowing::default());
                again.push(Attaching { key, behind: None, end, exclusive_groups: false, is_again: true, leaving });
            }
            self.judge_anew(key);
        }
        if again.is_empty() { Answer::Done } else { self.begin(now, session, Chore::Reattach(again), effects) }
    }

    /// A wildcard subscription is given nothing more until it has left what may not be read any more. `false` if it is none.
    fn reread(&mut self, key: ConsumerKey, permissions: &Arc<dyn Permissions>) -> bool {
        let Some(consumer) = self.consumers.get_mut(key) else { return false };
        let Reach::Many(many) = &mut consumer.reach else { return false };
        let Scope::Wildcard(wildcard) = &mut many.scope else { return false };
        let reader: Arc<dyn Reader> = permissions.clone();
        *wildcard = Arc::new(wildcard.read_by(reader));
        consumer.is_withheld = true;
        true
    }

    /// Whether the client may bring into being what its request needs and is not there. Asked before anything is done, and
    /// only for clients to which something may be denied.
    #[inline]
    pub(super) fn check_creation(&self, session: SessionId, request: &Request) -> Result<(), Refusal> {
        match self.sessions.get(session).and_then(|session| session.permissions.as_deref()) {
            None => Ok(()),
            Some(permissions) => Creation { engine: self, permissions }.request(request),
        }
    }
}

/// Asks for the right to create.
struct Creation<'e> {
    engine: &'e Engine,
    permissions: &'e dyn Permissions,
}

impl Creation<'_> {
    fn request(&self, request: &Request) -> Result<(), Refusal> {
        match request {
            Request::Publish(publish) => self.publish(publish),
            Request::Commit(actions) => actions.iter().try_for_each(|action| match action {
                Action::Publish(publish) => self.publish(publish),
                Action::Job(said) => self.job(&said.event),
                Action::Settle(_) => Ok(()),
            }),
            Request::Subscribe(subscribe) => self.source(&subscribe.to),
            Request::Take(take) => self.source(&take.subscribe.to),
            // One that is not there is looked through as one that is empty, unless it is to be waited at.
            Request::Browse(browse) if browse.tail => self.source(&browse.subscribe.to),
            Request::Shape(shape) => self.shape(shape),
            Request::Job(said) => self.job(&said.event),
            Request::Manage(manage) => {
                if let Operation::Move(Transfer { to: Some(to), .. }) = &manage.operation {
                    self.name(to)?;
                }
                manage.reply.as_ref().map_or(Ok(()), |reply| self.answered_at(&reply.to))
            }
            Request::Inquire(inquiry) => self.answered_at(&inquiry.reply.to),
            Request::Oversee(oversee) => match &oversee.operation {
                Oversight::Browse { to, .. } => self.answered_at(to),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn publish(&self, publish: &Publish) -> Result<(), Refusal> {
        let planned = publish.to.scheduled();
        let to = planned.as_ref().unwrap_or(&publish.to);
        // What is sent to a temporary destination that is not there goes nowhere.
        if !to.kind().is_temporary() {
            self.name(to)?;
        }
        if publish.retain == Some(Retain::Set) && !self.is_there(&to.retained()) {
            self.may_create(to)?;
        }
        publish.message.terms.as_ref().map_or(Ok(()), |terms| self.terms(terms))
    }

    /// Where its dead letter and its result go, later.
    fn terms(&self, terms: &Terms) -> Result<(), Refusal> {
        if let Some(name) = &terms.dead_letter {
            self.name(name)?;
        }
        let tracked = terms.tracking.as_ref().and_then(|tracking| tracking.waiter.as_ref());
        let joined = terms.unique.as_ref().and_then(|unique| unique.waiter.as_ref());
        tracked.into_iter().chain(joined).try_for_each(|waiter| self.answered_at(&waiter.to))
    }

    fn shape(&self, shape: &Shape) -> Result<(), Refusal> {
        shape.limits.dead_letter.as_ref().map_or(Ok(()), |name| self.name(name))
    }

    fn job(&self, event: &JobEvent) -> Result<(), Refusal> {
        match event {
            JobEvent::Get(Some(reply)) => self.answered_at(&reply.to),
            _ => Ok(()),
        }
    }

    /// An answer that comes to a temporary destination makes none.
    fn answered_at(&self, name: &DestinationName) -> Result<(), Refusal> {
        if name.kind().is_temporary() { Ok(()) } else { self.name(name) }
    }

    fn source(&self, source: &Source) -> Result<(), Refusal> {
        match source {
            Source::Name(name) => self.name(name),
            Source::List(list) => list.names().iter().try_for_each(|name| self.name(name)),
            Source::Feed(feed) => self.feed(feed),
            Source::Wildcard(_) => Ok(()),
        }
    }

    /// A queue that is fed by other topics, or with another selector, is another one: it would take the place of this. The
    /// queue of a durable subscription has no name of its own in rules, so its topics are asked about.
    fn feed(&self, feed: &Feed) -> Result<(), Refusal> {
        let found = self.engine.router.resolve(&feed.queue).and_then(|id| self.engine.destinations.get(&id));
        let fed = found.and_then(|found| found.kind.queue()?.fed.as_ref());
        if fed.is_some_and(|fed| fed.topics == feed.topics && fed.selector() == feed.selector.as_ref()) {
            return Ok(());
        }
        if feed.queue.kind() != DestinationKind::Subscription {
            return self.may_create(&feed.queue);
        }
        if self.permissions.may_all(Right::Create, &feed.topics) {
            return Ok(());
        }
        Err(Refusal::Forbidden { right: Right::Create, name: feed.topics.as_str().into() })
    }

    fn name(&self, name: &DestinationName) -> Result<(), Refusal> {
        let is_told = name.kind() == DestinationKind::Job || name.is_announced();
        if is_told || self.is_there(name) { Ok(()) } else { self.may_create(name) }
    }

    fn is_there(&self, name: &DestinationName) -> bool {
        self.engine.router.resolve(name).is_some()
    }

    fn may_create(&self, name: &DestinationName) -> Result<(), Refusal> {
        if self.permissions.may(Right::Create, name) {
            return Ok(());
        }
        Err(Refusal::Forbidden { right: Right::Create, name: name.as_str().into() })
    }
}
