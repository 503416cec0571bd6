//! Routes: copies of what is sent to one destination go to others, as one unit of the log with it.
//!
//! A copy is not routed again, so there are no loops.

use std::collections::BTreeSet;

use super::machine::Engine;
use crate::model::{
    Action, Candidate, DestinationKind, DestinationName, Message, MessageId, Publish, Request, Urgency,
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
            Action::Publish(publish) => self.copies(publish),
            other @ (Action::Settle(_) | Action::Job(_)) => vec![other],
        };
        actions.into_iter().flat_map(expand).collect()
    }

    /// What a message comes to: itself, unless a route takes it away, and a copy for each place that routes lead to, where it
    /// is not itself.
    pub(super) fn copies(&self, publish: Publish) -> Vec<Action> {
        let (mut targets, mut stays) = (BTreeSet::new(), true);
        for route in self.options.routes.from(&publish.to) {
            if route.filter.as_ref().is_none_or(|filter| filter.wants(&self.candidate(&publish.message))) {
                targets.extend(route.to.iter().filter(|to| **to != publish.to));
                stays &= !route.is_exclusive;
            }
        }
        let mut copies: Vec<Publish> = targets.into_iter().map(|to| copy(&publish, to)).collect();
        if stays {
            copies.insert(0, publish);
        }
        // A job is one message: the first that there is.
        for other in copies.iter_mut().skip(1) {
            if let Some(terms) = &mut other.message.terms {
                (terms.tracking, terms.unique) = (None, None);
            }
        }
        copies.into_iter().map(Action::Publish).collect()
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

/// A copy for another place. It is retained nowhere, and keeps the key: each place knows by itself what it has seen.
fn copy(publish: &Publish, to: &DestinationName) -> Publish {
    let mut message = publish.message.clone();
    message.content = message.content.sent_to(to);
    if to.kind() == DestinationKind::Topic {
        // A topic has no order but that of arrival, and keeps nothing that could wait.
        message.urgency = Urgency::NORMAL;
    }
    Publish { to: to.clone(), message, key: publish.key.clone(), retain: None }
}
