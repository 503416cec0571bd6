//! Where somebody who looks through a queue has got to. He takes nothing and holds nothing up.
//!
//! A message is shown in the stage in which it is found. One that goes from one stage to another meanwhile may be shown in
//! both or in neither; one that stays is shown once.

use std::collections::VecDeque;
use std::sync::Arc;

use super::heads::Head;
use super::selection::{Field, Selections};
use super::survey::{Survey, Surveyed};
use super::{Contents, Entry, Queue, State};
use crate::model::{DestinationId, Filter, MessageId, Position, Stage, Steps, Timestamp, Urgency};

/// A walk through one queue.
#[derive(Debug)]
pub struct View {
    /// The queue.
    pub queue: DestinationId,
    /// How many are still to be shown.
    pub left: Option<u32>,
    /// It goes on with what comes.
    pub tail: bool,
    /// It has looked at enough for one call, and goes on in the background.
    pub is_late: bool,
    walks: VecDeque<Walk>,
    filter: Option<Arc<dyn Filter>>,
    /// What comes from there on has not been shown by the tail.
    horizon: i64,
}

/// The part of a walk that is about one stage.
#[derive(Debug)]
enum Walk {
    /// What nobody holds.
    Free(Stage, Survey),
    /// What was out when the walk came to it, the last one first.
    Held(Option<Vec<MessageId>>),
}

/// What a walk comes to next.
#[derive(Debug)]
pub enum Glimpse {
    /// This one.
    Found(Entry, Stage),
    /// There is nothing more.
    Nothing,
    /// The next one cannot be judged before its head has been read.
    Unread,
    /// It has looked at enough for now.
    Later,
}

impl View {
    /// A walk that begins, through one stage after the other.
    pub fn new((id, queue): (DestinationId, &Queue), stages: &[Stage], filter: Option<&Arc<dyn Filter>>) -> View {
        let free = |stage, state| Walk::Free(stage, Survey::new(queue, [state], filter.cloned()));
        let walk = |stage| match stage {
            Stage::Ready => free(stage, State::Ready),
            Stage::Delayed => free(stage, State::Delayed),
            Stage::Buried => free(stage, State::Buried),
            Stage::Reserved => Walk::Held(None),
        };
        View {
            queue: id,
            left: None,
            tail: false,
            is_late: false,
            walks: stages.iter().copied().map(walk).collect(),
            filter: filter.cloned(),
            horizon: queue.next_place(Urgency::NORMAL).sequence,
        }
    }

    /// Looks for the next message, as far as there are steps for it.
    pub fn seek(&mut self, queue: &Queue, contents: &Contents, (now, steps): (Timestamp, &mut Steps)) -> Glimpse {
        loop {
            let glimpse = match self.walks.front_mut() {
                Some(Walk::Free(stage, survey)) => match queue.survey(survey, contents, steps) {
                    Surveyed::Found(entry) => Glimpse::Found(entry, *stage),
                    Surveyed::Unread => Glimpse::Unread,
                    Surveyed::Later => Glimpse::Later,
                    Surveyed::Nothing => Glimpse::Nothing,
                },
                Some(Walk::Held(_)) => self.seek_held(queue, contents, steps),
                None if self.tail => return self.seek_news(queue, contents, steps),
                None => return Glimpse::Nothing,
            };
            match glimpse {
                Glimpse::Nothing => drop(self.walks.pop_front()),
                Glimpse::Found(entry, _) if Queue::is_over(&entry, now) => {}
                Glimpse::Found(..) => {
                    self.left = self.left.map(|left| left.saturating_sub(1));
                    return glimpse;
                }
                Glimpse::Unread | Glimpse::Later => return glimpse,
            }
        }
    }

    /// What it comes to next and is not in memory.
    pub fn unread(&self, queue: &Queue, contents: &Contents) -> Vec<(MessageId, Position)> {
        let is_elsewhere = |entry: &&Entry| contents.head(entry) == Head::Elsewhere;
        match self.walks.front() {
            Some(Walk::Free(_, survey)) => queue.unread_of(survey, contents),
            Some(Walk::Held(held)) => {
                let near = held.iter().flatten().rev().take(Selections::WINDOW);
                Selections::within_window(near.filter_map(|message| queue.held(*message)).filter(is_elsewhere))
            }
            None => Selections::within_window(queue.arrived(self.horizon).into_iter().filter(is_elsewhere)),
        }
    }

    fn seek_held(&mut self, queue: &Queue, contents: &Contents, steps: &mut Steps) -> Glimpse {
        let Some(Walk::Held(held)) = self.walks.front_mut() else { return Glimpse::Nothing };
        let held = held.get_or_insert_with(|| queue.out());
        while let Some(&message) = held.last() {
            let wanted = match queue.held(message) {
                None => false,
                Some(_) if steps.is_used_up() => return Glimpse::Later,
                Some(entry) => match queue.judge(contents, self.filter.as_deref(), entry, steps) {
                    Some(wanted) => wanted,
                    None => return Glimpse::Unread,
                },
            };
            held.pop();
            steps.charge(1);
            if let Some(entry) = queue.held(message).filter(|_| wanted) {
                return Glimpse::Found(entry.clone(), Stage::Reserved);
            }
        }
        Glimpse::Nothing
    }

    /// What has come since, by its arrival.
    fn seek_news(&mut self, queue: &Queue, contents: &Contents, steps: &mut Steps) -> Glimpse {
        while let Some(entry) = queue.arrived(self.horizon) {
            if steps.is_used_up() {
                return Glimpse::Later;
            }
            steps.charge(1);
            let Some(wanted) = queue.judge(contents, self.filter.as_deref(), entry, steps) else {
                return Glimpse::Unread;
            };
            self.horizon = entry.place().sequence.saturating_add(1);
            if wanted {
                self.left = self.left.map(|left| left.saturating_sub(1));
                return Glimpse::Found(entry.clone(), Stage::Ready);
            }
        }
        Glimpse::Nothing
    }
}

impl Queue {
    /// Whether the filter wants the message; `None` while its head is not known.
    fn judge(
        &self,
        contents: &Contents,
        filter: Option<&dyn Filter>,
        entry: &Entry,
        steps: &mut Steps,
    ) -> Option<bool> {
        let Some(filter) = filter else { return Some(true) };
        let (slots, ready, note) = (&self.slots, &self.ready, |message| self.note(message).map(|note| &**note));
        Field { slots, ready, contents, note: &note, until: None }.judge(filter, entry, steps)
    }

    /// Whether the time of a message is over, whether or not somebody has noticed.
    fn is_over(entry: &Entry, now: Timestamp) -> bool {
        entry.state != State::Reserved && entry.expires().is_some_and(|end| end <= now)
    }

    /// The ready message that came first from that sequence on.
    fn arrived(&self, from: i64) -> Option<&Entry> {
        self.slots.get(self.ready.arrived(&self.slots, from)?)
    }

    /// What is out, the last one first.
    fn out(&self) -> Vec<MessageId> {
        let mut out: Vec<MessageId> = self.leases.keys().copied().collect();
        out.sort_unstable_by(|a, b| b.cmp(a));
        out
    }

    /// A message that is out.
    fn held(&self, message: MessageId) -> Option<&Entry> {
        self.slots.get(self.leases.get(&message)?.slot)
    }
}
