//! A client's share of the engine: its requests are applied in order, a bounded part of them with each lock.

use std::collections::VecDeque;
use std::sync::Arc;

use super::handle::{Core, Handle};
use super::holds::Verb;
use super::inbox::Inbox;
use super::sessions::Departure;
use crate::model::{Answer, Now, Refusal, Request, SessionId, Ticket};

/// A client's session, closed when dropped.
#[derive(Debug)]
pub struct Client {
    session: SessionId,
    inbox: Arc<Inbox>,
    handle: Handle,
    departure: Departure,
}

/// How a batch of requests is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The caller has receipts to send, and is told with [`Event::Durable`](crate::model::Event::Durable) when they may
    /// leave.
    pub promise: bool,
    /// Where the log has no room for new messages, the request that needs some and all behind it are left to be asked
    /// again. Otherwise it is refused.
    pub patient: bool,
}

/// What became of a batch of requests.
#[derive(Debug)]
pub struct Item {
    /// Receipts of this batch wait for that append; `None` if all that the client asked so far is durable.
    pub wait_for: Option<Ticket>,
    /// The request after the last answered one was refused; nothing behind it was looked at.
    pub refused: Option<Refusal>,
    /// The requests that are left were not reached: others have the engine first. They are to be asked again at once, and
    /// what the answers so far wait for is said by the last call.
    pub more: bool,
}

/// What the requests of one hold may bring to the log, in bytes, before the rest waits for another one. A unit is larger
/// than that only by what its last request brings.
const UNIT_BYTES: usize = 4 << 20;

impl Client {
    pub(super) fn new(session: SessionId, inbox: Arc<Inbox>, handle: Handle) -> Client {
        Client { session, inbox, handle, departure: Departure::Lost }
    }

    /// Carries out requests in order, one answer for each, up to the first that is refused, or left because it has to
    /// wait for room, or not reached because the requests before it have used what one call may cost.
    pub fn apply(&self, requests: &mut VecDeque<Request>, answers: &mut Vec<Answer>, terms: Terms) -> Item {
        let shared = &self.handle.shared;
        let mut guard = self.handle.lock();
        let now = shared.clock.now();
        let core = &mut *guard;
        if core.log.is_none() {
            // It has failed, or was closed behind a connection that did not end in time.
            requests.clear();
            return Item { wait_for: Some(Ticket::NEVER), refused: Some(Refusal::ShuttingDown), more: false };
        }
        core.ask_for_room();
        let (refused, more) = self.carry_out(now, core, requests, answers, terms.patient);
        core.engine.dispatch(now, &mut core.effects);
        core.append(shared, Some(self.session));
        let wait_for = core.owed(shared, self.session);
        if let Some(ticket) = wait_for.filter(|ticket| terms.promise && !more && *ticket != Ticket::NEVER) {
            core.engine.promise(self.session, ticket);
        }
        self.handle.finish(now, guard);
        Item { wait_for, refused, more }
    }

    /// Carries out as many requests as one hold of the lock has room for. Says why it stopped: a refusal, or that there is
    /// more.
    fn carry_out(
        &self,
        now: Now,
        core: &mut Core,
        requests: &mut VecDeque<Request>,
        answers: &mut Vec<Answer>,
        is_patient: bool,
    ) -> (Option<Refusal>, bool) {
        let (mut bytes, mut heaviest) = (0, 0);
        if core.engine.is_busy(self.session) {
            core.verb = Verb::Continue;
            match core.engine.go_on(now, self.session, &mut core.effects) {
                Some(Ok(answer)) => {
                    bytes += core.effects.weight().bytes;
                    answers.push(answer);
                }
                Some(Err(refusal)) => {
                    requests.clear();
                    return (Some(refusal), false);
                }
                None => return (None, true),
            }
        }
        let may_wait = is_patient && core.engine.may_have_to_wait();
        while let Some(request) = requests.front() {
            if may_wait && core.engine.has_to_wait(request) {
                return (None, false);
            }
            if core.engine.has_done_enough(&core.effects) || bytes >= UNIT_BYTES {
                return (None, true);
            }
            let (verb, before) = (Verb::of(request), core.engine.spent(&core.effects));
            let Some(request) = requests.pop_front() else { break };
            match core.engine.apply(now, self.session, request, &mut core.effects) {
                // Its answer comes when it is done.
                Ok(_) if core.engine.is_busy(self.session) => {
                    core.verb = verb;
                    return (None, true);
                }
                Ok(answer) => answers.push(answer),
                Err(refusal) => {
                    requests.clear();
                    return (Some(refusal), false);
                }
            }
            let steps = core.engine.spent(&core.effects) - before;
            if steps > heaviest {
                (heaviest, core.verb) = (steps, verb);
            }
            bytes += core.effects.weight().bytes;
        }
        (None, false)
    }

    /// Where its events arrive.
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// It said goodbye: what it holds will not count as failed.
    pub fn leave_cleanly(&mut self) {
        self.departure = Departure::Clean;
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut guard = self.handle.lock();
        let now = self.handle.shared.clock.now();
        let core = &mut *guard;
        core.verb = Verb::Session;
        core.ask_for_room();
        core.engine.close(now, self.session, self.departure, &mut core.effects);
        core.engine.dispatch(now, &mut core.effects);
        if let Some(row) = core.clients.get_mut(self.session.index as usize) {
            *row = None;
        }
        self.handle.finish(now, guard);
    }
}
