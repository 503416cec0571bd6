//! Going through the messages of a queue that nobody holds, each once, however long that takes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::heads::Head;
use super::selection::{Field, Selections};
use super::{Contents, Entry, Queue, State};
use crate::model::{Filter, MessageId, Place, Position, Steps, Timestamp};

/// How far somebody has got. What comes to the queue later is not gone through; what changes its state meanwhile may be
/// missed.
#[derive(Debug)]
pub struct Survey {
    states: VecDeque<State>,
    cursor: Option<Cursor>,
    /// Messages from this sequence on came later.
    end: i64,
    filter: Option<Arc<dyn Filter>>,
}

#[derive(Clone, Copy, Debug)]
enum Cursor {
    Place(Place),
    Moment((Timestamp, MessageId)),
}

/// What the next step of a survey comes to.
#[derive(Clone, Debug)]
pub enum Surveyed {
    /// This message.
    Found(Entry),
    /// One that cannot be judged before its head has been read.
    Unread,
    /// Enough was looked at for now.
    Later,
    /// There is nothing more.
    Nothing,
}

impl Survey {
    /// Of messages in these states that the filter wants, if there is one: state by state, in the order of `states`.
    pub fn new(queue: &Queue, states: impl IntoIterator<Item = State>, filter: Option<Arc<dyn Filter>>) -> Survey {
        Survey { states: states.into_iter().collect(), cursor: None, end: queue.end(), filter }
    }

    /// Whether it chooses among the messages.
    pub fn is_selective(&self) -> bool {
        self.filter.is_some()
    }
}

impl Queue {
    /// The next message of a survey, as far as there are steps to look for it.
    pub fn survey(&self, survey: &mut Survey, contents: &Contents, steps: &mut Steps) -> Surveyed {
        let note = |message| self.beside.note(message).map(|note| &**note);
        let field = Field { slots: &self.slots, ready: &self.ready, contents, note: &note, until: None };
        while let Some(&state) = survey.states.front() {
            for (entry, cursor) in self.behind(state, survey.cursor) {
                if steps.is_used_up() {
                    return Surveyed::Later;
                }
                steps.charge(1);
                let is_meant = entry.place().sequence < survey.end;
                let wanted = match survey.filter.as_deref().filter(|_| is_meant) {
                    None => is_meant,
                    Some(filter) => match field.judge(filter, entry, steps) {
                        Some(wanted) => wanted,
                        None => return Surveyed::Unread,
                    },
                };
                survey.cursor = Some(cursor);
                if wanted {
                    return Surveyed::Found(entry.clone());
                }
            }
            survey.states.pop_front();
            survey.cursor = None;
        }
        Surveyed::Nothing
    }

    /// Messages whose heads a survey needs next, and where they lie.
    pub fn unread_of(&self, survey: &Survey, contents: &Contents) -> Vec<(MessageId, Position)> {
        let Some(&state) = survey.states.front() else { return Vec::new() };
        let near = self.behind(state, survey.cursor).take(Selections::WINDOW).map(|(entry, _)| entry);
        let unread = near.filter(|entry| contents.head(entry) == Head::Elsewhere);
        Selections::within_window(unread)
    }

    /// Delayed messages by their time, behind one.
    pub fn delayed_behind(
        &self,
        moment: (Timestamp, MessageId),
    ) -> impl Iterator<Item = ((Timestamp, MessageId), &Entry)> + '_ {
        let waiting = self.agenda.behind(false, Some(moment));
        waiting.filter_map(|(moment, slot)| Some((moment, self.entry(slot)?)))
    }

    /// The sequence that no message has yet.
    fn end(&self) -> i64 {
        self.next_place(crate::model::Urgency::NORMAL).sequence
    }

    /// Messages in a state, in order, behind a cursor.
    fn behind(&self, state: State, cursor: Option<Cursor>) -> Box<dyn Iterator<Item = (&Entry, Cursor)> + '_> {
        let (place, moment) = match cursor {
            Some(Cursor::Place(place)) => (Some(place), None),
            Some(Cursor::Moment(moment)) => (None, Some(moment)),
            None => (None, None),
        };
        match state {
            State::Ready => {
                let slots = self.ready.after(&self.slots, place);
                Box::new(slots.filter_map(|slot| self.entry(slot)).map(|entry| (entry, Cursor::Place(entry.place()))))
            }
            State::Delayed | State::Buried => {
                let waiting = self.agenda.behind(state == State::Buried, moment);
                Box::new(waiting.filter_map(|(moment, slot)| Some((self.entry(slot)?, Cursor::Moment(moment)))))
            }
            State::Accepted | State::Reserved => Box::new(std::iter::empty()),
        }
    }
}
