//! Routes: copies of what is sent to one destination go to others, as one unit of the log with it.
//!
//! A copy is not routed again, so there are no loops.

use std::collections::BTreeSet;

use super::admission::{Admission, Load};
use super::machine::Engine;
use crate::model::{
    Action, Answer, Candidate, DestinationName, Effects, Message, MessageId, Now, Publish, Refusal, Request,
};
use crate::router::Routes;

impl Engine {
    /// Whether routes begin at a destination.
    pub(super) fn is_routed(&self, name: &DestinationName) -> bool {
        !self.options.routes.is_empty() && self.options.routes.from(name).next().is_some()
    }

    /// What a transaction comes to, all copies included.
    pub(super) fn routed(&self, actions: Vec<Action>) -> Vec<Action> {
        if self.options.routes.is_empty() {
            return actions;
        }
        let expand = |action| match action {
            Action::Publish(publish) => {
                let (leader, copies) = self.copies(publish);
                std::iter::once(leader).chain(copies).map(Action::Publish).collect()
            }
            other => vec![other],
        };
        actions.into_iter().flat_map(expand).collect()
    }

    /// Sends a message to where routes begin: everywhere or nowhere. Of what is sent again only the leader is looked at.
    pub(super) fn publish_routed(
        &mut self,
        now: Now,
        publish: Publish,
        effects: &mut Effects,
    ) -> Result<Answer, Refusal> {
        if self.known_token(&publish).is_some() {
            return self.publish_alone(now, publish, Admission::default(), effects);
        }
        let (leader, copies) = self.copies(publish);
        let mut admission = Admission::default();
        let mut admitted = Vec::with_capacity(copies.len());
        for copy in copies {
            let Some(destination) = self.target(now, &copy)? else { continue };
            let takers = self.takers(destination, &copy.message);
            for id in std::iter::once(destination).chain(takers.iter().copied()) {
                self.admit_copy(&mut admission, &Load::of(id, &copy), &copy)?;
            }
            admitted.push((destination, takers, copy));
        }
        let answer = self.publish_alone(now, leader, admission.without_memory(), effects)?;
        if answer.is_done() {
            for (destination, takers, copy) in admitted {
                self.put(now, (destination, takers), copy, effects);
            }
        }
        Ok(answer)
    }

    /// What a message comes to: one that the sender is answered for, and copies. That one is itself, unless a route takes it
    /// away: then it is the copy that comes first, in a queue if there is one.
    fn copies(&self, publish: Publish) -> (Publish, Vec<Publish>) {
        let (mut targets, mut stays) = (BTreeSet::new(), true);
        for route in self.options.routes.from(&publish.to) {
            if route.filter.as_ref().is_none_or(|filter| filter.wants(&self.candidate(&publish.message))) {
                targets.extend(route.to.iter().filter(|to| **to != publish.to));
                stays &= !route.is_exclusive;
            }
        }
        // Queues come before topics.
        let leader = targets.first().copied().filter(|_| !stays);
        let copies = targets.iter().filter(|to| Some(**to) != leader).map(|to| copy(&publish, to)).collect();
        match leader {
            Some(to) => (Publish { to: to.clone(), retain: None, message: sent_to(&publish, to), ..publish }, copies),
            None => (publish, copies),
        }
    }

    /// Whether copies of what a request sends need room in the log.
    pub(super) fn needs_room_for_copies(&self, request: &Request) -> bool {
        let is_routed = |publish: &Publish| self.is_routed(&publish.to);
        match request {
            _ if self.options.routes.is_empty() => false,
            Request::Publish(publish) => is_routed(publish),
            Request::Commit(actions) => {
                actions.iter().any(|action| matches!(action, Action::Publish(publish) if is_routed(publish)))
            }
            _ => false,
        }
    }

    /// Replaces the routes.
    pub fn set_routes(&mut self, routes: Routes) {
        self.options.routes = routes;
    }

    /// A message that is being sent, as a filter sees it: it has no id yet.
    fn candidate<'a>(&self, message: &'a Message) -> Candidate<'a> {
        Candidate {
            head: message.content.head(),
            message: MessageId::new(self.options.shard, 0),
            urgency: message.urgency,
            attempts: 0,
            redelivered: false,
            durability: message.durability,
            death: None,
        }
    }
}

/// A copy for another place. It is retained nowhere and followed by nobody, and keeps the key: each place knows by itself what
/// it has seen.
fn copy(publish: &Publish, to: &DestinationName) -> Publish {
    let mut message = sent_to(publish, to);
    if let Some(terms) = &mut message.terms {
        (terms.tracking, terms.unique) = (None, None);
    }
    message.terms = message.terms.filter(|terms| !terms.is_empty());
    Publish { to: to.clone(), message, key: publish.key.clone(), retain: None }
}

fn sent_to(publish: &Publish, to: &DestinationName) -> Message {
    Message { content: publish.message.content.sent_to(to), ..publish.message.clone() }
}
