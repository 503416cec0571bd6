//! What a client asks of the engine: gathered per read, answered in order, and kept while the log has no room for it.
//!
//! Messages that wait for room on a full disk hold back everything behind them but what finishes work: that is what
//! makes room. It must not know of sockets, nor how an answer is spelled.

use std::collections::VecDeque;
use std::time::Duration;

use crate::engine::{Client, Terms};
use crate::model::{Action, Answer, Publish, Refusal, Request, Ticket};
use crate::stomp::Receipt;

/// How often it is asked again whether there is room.
const RETRY: Duration = Duration::from_millis(250);
/// What a request that waits costs in memory beside its message, in octets, roughly.
const OVERHEAD_BYTES: usize = 512;

/// Lists that are filled and emptied once per read.
#[derive(Debug, Default)]
pub(super) struct Batch {
    requests: VecDeque<Request>,
    asked: VecDeque<Asked>,
    answers: Vec<Answer>,
    waiting: Option<Waiting>,
}

/// One thing that a client's frame came to: a request, a receipt, or both. They are answered in order.
#[derive(Debug)]
struct Asked {
    /// The answer; `None` while its request is in the batch.
    answer: Option<Answer>,
    receipt: Option<Receipt>,
    /// It is a SUBSCRIBE with a receipt, which no MESSAGE may overtake.
    gates: bool,
}

/// The first request has no room.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    since: Duration,
    retry: Duration,
}

/// What became of a batch.
#[derive(Debug)]
pub(super) struct Outcome {
    /// See [`Item::wait_for`](crate::engine::Item::wait_for).
    pub(super) wait_for: Option<Ticket>,
    /// A refusal, which is the end of everything, and the receipt that will not come.
    pub(super) refused: Option<(Option<Receipt>, Refusal)>,
}

impl Batch {
    /// Something to ask, with the receipt that hangs on it.
    pub(super) fn ask(&mut self, request: Request, receipt: Option<Receipt>) {
        let gates =
            receipt.is_some() && matches!(request, Request::Subscribe(_) | Request::Browse(_) | Request::Take(_));
        self.requests.push_back(request);
        self.asked.push_back(Asked { answer: None, receipt, gates });
    }

    /// A receipt that keeps its place behind what was asked before.
    pub(super) fn promise(&mut self, receipt: Receipt) {
        self.asked.push_back(Asked { answer: Some(Answer::Done), receipt: Some(receipt), gates: false });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// Whether a subscription is to end.
    pub(super) fn unsubscribes(&self) -> bool {
        self.requests.iter().any(|request| matches!(request, Request::Unsubscribe(_)))
    }

    pub(super) fn clear(&mut self) {
        self.requests.clear();
        self.asked.clear();
        self.waiting = None;
    }

    /// When to ask again, while something waits.
    pub(super) fn retry(&self) -> Option<Duration> {
        self.waiting.map(|waiting| waiting.retry)
    }

    /// What waits, in octets.
    pub(super) fn waiting_bytes(&self) -> usize {
        if self.waiting.is_none() { 0 } else { self.requests.iter().map(bytes_of).sum() }
    }

    /// Asks the engine for as much of it as it does in one go; `None` if there is more to be asked at once. What has waited
    /// for `patience` is refused if there is still no room.
    pub(super) fn apply(&mut self, client: &Client, now: Duration, patience: Duration) -> Option<Outcome> {
        let since = self.waiting.map_or(now, |waiting| waiting.since);
        let promise = self.asked.iter().any(|asked| asked.receipt.is_some());
        let terms = Terms { promise, patient: now < since + patience };
        self.answers.clear();
        let outcome = client.apply(&mut self.requests, &mut self.answers, terms);
        let mut open = self.asked.iter_mut().filter(|asked| asked.answer.is_none());
        for answer in self.answers.drain(..) {
            if let Some(asked) = open.next() {
                asked.answer = Some(answer);
            }
        }
        if outcome.more {
            return None;
        }
        let mut refused = outcome.refused.map(|refusal| (open.next().and_then(|asked| asked.receipt.take()), refusal));
        let is_waiting = refused.is_none() && !self.requests.is_empty();
        self.waiting = is_waiting.then_some(Waiting { since, retry: now + RETRY });
        if is_waiting {
            refused = self.finish_work(client);
        }
        Some(Outcome { wait_for: outcome.wait_for, refused })
    }

    /// Lets what finishes work go ahead of what waits. Its receipts keep their places. Where not even that has room, what is
    /// left of it waits with the rest, each in its place: the requests are those without an answer, in their order.
    fn finish_work(&mut self, client: &Client) -> Option<(Option<Receipt>, Refusal)> {
        let (mut ahead, mut behind): (VecDeque<_>, VecDeque<_>) = (VecDeque::new(), VecDeque::new());
        let mut is_ahead = Vec::with_capacity(self.requests.len());
        for request in std::mem::take(&mut self.requests) {
            is_ahead.push(finishes_work(&request));
            if finishes_work(&request) { ahead.push_back(request) } else { behind.push_back(request) }
        }
        if ahead.is_empty() {
            self.requests = behind;
            return None;
        }
        let terms = Terms { promise: false, patient: true };
        let mut outcome = client.apply(&mut ahead, &mut self.answers, terms);
        while outcome.more {
            outcome = client.apply(&mut ahead, &mut self.answers, terms);
        }
        let open = self.asked.iter_mut().filter(|asked| asked.answer.is_none());
        let mut answers = self.answers.drain(..);
        let mut refused = outcome.refused;
        for (asked, is_ahead) in open.zip(is_ahead) {
            if !is_ahead {
                self.requests.extend(behind.pop_front());
            } else if let Some(answer) = answers.next() {
                asked.answer = Some(answer);
            } else if let Some(refusal) = refused.take() {
                return Some((asked.receipt.take(), refusal));
            } else {
                self.requests.extend(ahead.pop_front());
            }
        }
        None
    }

    /// The next thing that is answered, if nothing before it waits: its receipt, the answer, whether it is a gate.
    pub(super) fn next_answered(&mut self) -> Option<(Option<Receipt>, Answer, bool)> {
        let answer = self.asked.front()?.answer?;
        let Asked { receipt, gates, .. } = self.asked.pop_front()?;
        Some((receipt, answer, gates))
    }
}

/// Whether it only takes work away.
fn finishes_work(request: &Request) -> bool {
    match request {
        Request::Permit(_)
        | Request::Settle(_)
        | Request::Touch(_)
        | Request::Decline(_)
        | Request::Manage(_)
        | Request::Inquire(_)
        | Request::Oversee(_)
        | Request::Grant(_)
        | Request::Written { .. }
        | Request::Quarantine { .. } => true,
        Request::Job(said) => !said.needs_room(),
        Request::Commit(actions) => actions.iter().all(|action| match action {
            Action::Publish(_) => false,
            Action::Settle(_) => true,
            Action::Job(said) => !said.needs_room(),
        }),
        Request::Publish(_)
        | Request::Shape(_)
        | Request::Subscribe(_)
        | Request::Browse(_)
        | Request::Take(_)
        | Request::Unsubscribe(_)
        | Request::Discard(_) => false,
    }
}

fn bytes_of(request: &Request) -> usize {
    let message = |publish: &Publish| publish.message.content.len() + OVERHEAD_BYTES;
    match request {
        Request::Publish(publish) => message(publish),
        Request::Commit(actions) => actions
            .iter()
            .map(|action| match action {
                Action::Publish(publish) => message(publish),
                Action::Settle(_) => OVERHEAD_BYTES,
                Action::Job(said) => said.bytes() + OVERHEAD_BYTES,
            })
            .sum(),
        Request::Job(said) => said.bytes() + OVERHEAD_BYTES,
        _ => OVERHEAD_BYTES,
    }
}
