//! Steps as requests to the engine, each with the answer that the model expects.

use kolejka::engine::Departure;
use kolejka::model::{
    Action, Answer, Credit, Grant, Manage, Nth, Operation, Outcome, Reply, Request, Retain, Settle, SoftRefusal,
    SubscriptionId, Touch, Urgency,
};

use super::message::Known;
use super::reference::{Meant, Named};
use super::sending::{Sent, Verdict};
use super::setting::{QUEUES, REPLIES, SHARED_FEED, SOLE_FEED, name};
use super::step::{Act, Step, Target};
use super::world::World;

impl World {
    /// A client asks for something.
    pub(super) fn ask(&mut self, step: Step) {
        match step {
            Step::Publish { client, send } => self.publish(client, &send),
            Step::Subscribe { client, wish } => self.subscribe(client, &wish),
            Step::Unsubscribe { client, which } => {
                let Some(id) = self.model.sub_of(client, which) else { return };
                assert_eq!(self.apply(client, Request::Unsubscribe(SubscriptionId(id))), Ok(Answer::Done));
                self.model.dismiss(id, Departure::Clean, self.now.wall);
            }
            Step::Grant { client, which, messages } => self.grant(client, which, messages),
            Step::Settle { client, target, outcome } => self.settle(client, target, &outcome),
            Step::Touch { client, target, ms } => self.touch(client, target, ms),
            Step::Written { client, which, count } => self.written(client, which, count),
            Step::Commit { client, acts } => self.commit(client, &acts),
            Step::Quarantine { client, which } => self.quarantine(client, which),
            Step::Manage { client, operation, queue, wants_reply } => {
                self.manage(client, &operation, queue, wants_reply);
            }
            Step::Discard { client, is_sole } => self.discard(client, is_sole),
            Step::Leave { client, departure } => self.leave(client, departure),
            Step::Wait { .. } | Step::Sync(_) | Step::Full(_) | Step::Crash | Step::Restart => {}
        }
    }

    /// A refusal ends the session.
    pub(super) fn refused(&mut self, client: usize) {
        self.leave(client, Departure::Lost);
    }

    /// The delivery that a target stands for, as a client names it.
    fn named(&self, client: usize, target: Target) -> Option<Named> {
        match target {
            Target::Out { which, by_message } => {
                let outs: Vec<_> = self.model.outs_of(client).collect();
                let (sub, out) = outs.get(which.checked_rem(outs.len())?)?;
                if by_message && out.is_plain {
                    return Some(Named { message: out.message, by: None, nth: Nth::Any });
                }
                let nth = if out.is_numbered { Nth::Number(out.number) } else { Nth::Unnumbered };
                Some(Named { message: out.message, by: Some(*sub), nth })
            }
            Target::Any(which) => {
                let ids: Vec<_> = self.model.ids().into_iter().collect();
                Some(Named { message: *ids.get(which.checked_rem(ids.len())?)?, by: None, nth: Nth::Any })
            }
        }
    }

    fn settle(&mut self, client: usize, target: Target, outcome: &Outcome) {
        let Some(named) = self.named(client, target) else { return };
        let meant = self.model.meant(client, named);
        let answer = self.apply(client, Request::Settle(settlement(named, outcome)));
        match meant {
            Meant::Held(sub, number) => {
                assert_eq!(answer, Ok(Answer::Done));
                self.model.settle(sub, number, outcome, self.now.wall);
            }
            // §5.8: in client mode the earlier ones that are held are settled all the same.
            Meant::Lost(sub, number) => {
                assert_eq!(answer, Ok(Answer::Soft(SoftRefusal::LeaseLost)));
                self.model.settle(sub, number, outcome, self.now.wall);
            }
            Meant::Past => assert_eq!(answer, Ok(Answer::Soft(SoftRefusal::NotHolder))),
            Meant::Unknown => assert_eq!(answer, Ok(Answer::Soft(SoftRefusal::Unknown))),
        }
    }

    fn grant(&mut self, client: usize, which: usize, messages: u32) {
        let Some(id) = self.model.sub_of(client, which) else { return };
        let grant = Grant { subscription: SubscriptionId(id), credit: Credit { messages, bytes: 1000 } };
        let answer = self.apply(client, Request::Grant(grant));
        let expected =
            if self.model.grant_more(id, messages) { Answer::Done } else { Answer::Soft(SoftRefusal::BadRequest) };
        assert_eq!(answer, Ok(expected));
    }

    fn touch(&mut self, client: usize, target: Target, ms: Option<u32>) {
        let Some(named) = self.named(client, target) else { return };
        let request = Touch { message: named.message, which: named.which(), time_to_run_ms: ms };
        let answer = self.apply(client, Request::Touch(request));
        match self.model.meant(client, named) {
            Meant::Held(sub, number) => {
                let is_leased = !self.model.subs[&sub].is_of_topics();
                let expected = if is_leased { Answer::Done } else { Answer::Soft(SoftRefusal::NotHolder) };
                assert_eq!(answer, Ok(expected));
                self.model.touch(sub, number, ms, self.now.wall);
            }
            Meant::Lost(..) => assert_eq!(answer, Ok(Answer::Soft(SoftRefusal::LeaseLost))),
            Meant::Past | Meant::Unknown => assert_eq!(answer, Ok(Answer::Soft(SoftRefusal::NotHolder))),
        }
    }

    fn written(&mut self, client: usize, which: usize, count: usize) {
        let Some(id) = self.model.sub_of(client, which) else { return };
        let out = &self.model.subs[&id].out;
        let Some(through) = out.get(count.min(out.len().saturating_sub(1))).map(|out| out.number) else { return };
        let subscription = SubscriptionId(id);
        assert_eq!(self.apply(client, Request::Written { subscription, through }), Ok(Answer::Done));
        self.model.written(id, through, self.now.wall);
    }

    fn quarantine(&mut self, client: usize, which: usize) {
        let Some(id) = self.model.sub_of(client, which) else { return };
        let out = &self.model.subs[&id].out;
        let Some(number) = out.get(which.min(out.len().saturating_sub(1))).map(|out| out.number) else { return };
        let subscription = SubscriptionId(id);
        assert_eq!(
            self.apply(client, Request::Quarantine { subscription, number, is_damaged: true }),
            Ok(Answer::Done)
        );
        self.model.quarantine(id, number, self.now.wall);
    }

    /// Several sends and settlements: all or nothing.
    fn commit(&mut self, client: usize, acts: &[Act]) {
        let mut actions = Vec::new();
        let mut parts = Vec::new();
        for act in acts {
            match act {
                Act::Send(send) => {
                    let (publish, sent) = self.message(client, send);
                    actions.push(Action::Publish(publish));
                    parts.push(Part::Send(sent));
                }
                Act::Settle(target, outcome) => {
                    let Some(named) = self.named(client, *target) else { continue };
                    actions.push(Action::Settle(settlement(named, outcome)));
                    parts.push(Part::Settle { named, outcome: outcome.clone() });
                }
            }
        }
        let sends: Vec<_> = parts.iter().filter_map(Part::sent).collect();
        let mut verdict = self.model.judge(&sends, self.now.wall);
        let answer = self.apply(client, Request::Commit(actions));
        // §5.9: it fails whole if one of its ACKs has lost its lease.
        if parts.iter().any(|part| self.is_late(client, part)) {
            assert!(answer.is_err(), "{answer:?}");
            return self.refused(client);
        }
        if verdict == Verdict::Duplicate && sends.len() < parts.len() {
            verdict = Verdict::Taken;
        }
        if sends.is_empty() && parts.is_empty() {
            verdict = Verdict::Duplicate;
        }
        self.expect_sent(client, &answer, verdict);
        if verdict == Verdict::Refused {
            return;
        }
        for part in &parts {
            match part {
                Part::Send(sent) => self.model.send(sent, self.now.wall),
                // An earlier part may have covered it: then it is late, and nothing is wrong with that.
                Part::Settle { named, outcome } => match self.model.meant(client, *named) {
                    Meant::Held(sub, number) | Meant::Lost(sub, number) => {
                        self.model.settle(sub, number, outcome, self.now.wall);
                    }
                    Meant::Past | Meant::Unknown => {}
                },
            }
        }
    }

    fn is_late(&self, client: usize, part: &Part) -> bool {
        match part {
            Part::Send(_) => false,
            Part::Settle { named, .. } => !matches!(self.model.meant(client, *named), Meant::Held(..)),
        }
    }

    fn manage(&mut self, client: usize, operation: &Operation, queue: usize, wants_reply: bool) {
        let fixed = [QUEUES[0], QUEUES[1], SHARED_FEED, "/queue/DLQ.a", "/queue/DLQ.b", "/queue/none"];
        // Mostly one where something waits.
        let waiting = self.model.queues.iter().filter(|queue| queue.count(Known::is_parked) > 0);
        let waiting: Vec<_> =
            waiting.map(|queue| queue.name.as_str()).filter(|name| name.starts_with("/queue/")).collect();
        let queue = fixed.get(queue).or(waiting.get(queue % waiting.len().max(1))).unwrap_or(&fixed[0]).to_string();
        let queue = queue.as_str();
        // One that has lost its name may be shown beside the one that has it, or without it.
        let shown = self.engine.queues().iter().filter(|view| view.name.as_str() == queue).count();
        let doomed = self.model.queues.iter().filter(|known| known.is_doomed && known.name.as_str() == queue).count();
        let head: Box<[u8]> = b"u:7\n".as_slice().into();
        let reply = wants_reply.then(|| Reply { to: name(REPLIES), head: head.clone() });
        let manage = Manage { operation: operation.clone(), queue: name(queue), filter: None, writer: None, reply };
        let answer = self.apply(client, Request::Manage(Box::new(manage)));
        let told = match (shown > doomed).then(|| self.model.manage(&name(queue), operation, self.now.wall)) {
            Some(told) => told.map_err(|()| SoftRefusal::QueueFull),
            None => Err(SoftRefusal::UnknownQueue),
        };
        assert_eq!(answer, Ok(told.as_ref().map_or_else(|why| Answer::Soft(*why), |_| Answer::Done)), "{queue}");
        if wants_reply {
            let detail = told.unwrap_or_else(|why| format!("\"error\":\"{}\"", why.as_str()));
            let body = format!("{{\"op\":\"{}\",\"queue\":\"{queue}\",{detail}}}", operation.as_str()).into_bytes();
            let size = (head.len() + body.len()) as u32;
            let (urgency, says) = (Urgency::NORMAL.0, 7);
            let (to, terms, key, retain) = (name(REPLIES), None, None, None::<Retain>);
            let sent = Sent { from: None, to, urgency, says, durable: false, body, size, terms, key, retain };
            if self.model.judge(&[&sent], self.now.wall) == Verdict::Taken {
                self.model.send(&sent, self.now.wall);
            }
        }
    }

    fn discard(&mut self, client: usize, is_sole: bool) {
        let queue = name(if is_sole { SOLE_FEED } else { SHARED_FEED });
        let answer = self.apply(client, Request::Discard(queue.clone()));
        let is_feed = self.model.find_queue(&queue).is_some_and(|queue| queue.feed.is_some());
        let is_read = self.model.subs.values().any(|sub| sub.names(&queue));
        let expected = if is_feed && is_read { Answer::Soft(SoftRefusal::InUse) } else { Answer::Done };
        assert_eq!(answer, Ok(expected));
        if is_feed && !is_read {
            self.model.doom(&queue);
        }
    }
}

/// A part of a transaction, as the model sees it.
enum Part {
    Send(Sent),
    Settle { named: Named, outcome: Outcome },
}

impl Part {
    fn sent(&self) -> Option<&Sent> {
        match self {
            Part::Send(sent) => Some(sent),
            Part::Settle { .. } => None,
        }
    }
}

fn settlement(named: Named, outcome: &Outcome) -> Settle {
    Settle { message: named.message, which: named.which(), outcome: outcome.clone() }
}
